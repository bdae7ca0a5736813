"""A full run as operators see it: what came to Application Insights, and every line that was logged."""

import json
import secrets
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.insights import InsightsStandIn, Item
from local.teams import Fault, Person
from tests.e2e.flow import SECRET, SIGNATURE, Asking, Flows, question
from tests.stack import SENDS, Stack, ids, until
from tests.telemetry.names import documented_metrics, documented_spans

PEOPLE = 40
TRACE = secrets.token_hex(16)
"""The trace that the flow of the question is in already."""
KEY = "function-key-that-must-stay-secret"
TOKEN = "bearer-token-that-must-stay-secret"
WRITTEN = "Words that somebody wrote"
"""Stands in every message, card, datum, answer and name that the run has."""


@dataclass
class Seen:
    """What the run did, and what was to be seen of it."""

    insights: InsightsStandIn
    lines: list[str] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    sends: dict[str, Any] = field(default_factory=dict)
    delivered: int = 0

    def of(self, name: str) -> list[Item]:
        """Return the spans of a send."""
        return [span for span in self.insights.spans() if span.properties.get("proactive.send") == self.sends[name]]


@pytest.fixture(scope="module")
async def seen() -> AsyncIterator[Seen]:
    """Do all that there is to do, on two instances, and stop them."""
    async with InsightsStandIn() as insights, Flows().open() as flows:
        settings = {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": insights.connection_string,
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "PROACTIVE_CALLBACK_SECRET": SECRET,
            "PROACTIVE_BOT_NAME": "watched",
        }
        seen = Seen(insights)
        async with Stack.running(settings=settings, hosts=2) as stack:
            children = [host.child for host in stack.hosts]
            for child in children:
                child.tail = deque(child.tail)  # without an end: the whole log is looked at
            await _run(Asking(stack, flows), seen)
        seen.lines = [line for child in children for line in child.tail]
        yield seen


async def _run(asking: Asking, seen: Seen) -> None:
    stack = asking.stack
    seen.people = people = await stack.join(PEOPLE, named=True)
    await _ask(asking, people[0], seen)
    await _broadcast(stack, people, seen)
    await _from_a_queue(stack, people, seen)
    await _by_operators(stack, people, seen)
    await _what_goes_wrong(stack, people)
    assert (await stack.get("/api/health")).status == 200


async def _ask(asking: Asking, person: Person, seen: Seen) -> None:
    """A flow asks, is refused once when it is to be called, and takes the second call."""
    run = asking.flows.run(503)
    body = asking.body([person], question(), run=run, completeWhen="all")
    headers = {"traceparent": f"00-{TRACE}-{secrets.token_hex(8)}-01", "x-functions-key": KEY}
    reply = await asking.stack.request("POST", SENDS, json_body=body, headers=headers)
    seen.sends["question"] = reply.ok(201)["id"]
    await asking.card(person)
    await asking.press(person, "Reject", {"note": WRITTEN})
    await run.called(2)
    await asking.handed_over({"id": seen.sends["question"]})


async def _broadcast(stack: Stack, people: list[Person], seen: Seen) -> None:
    """Everybody by every kind of name, while Teams throttles, hangs up and refuses."""
    for fault in (
        Fault(status=429, retry_after=1, person=people[1].object_id, operation="send", times=1),
        Fault(cut="reset", person=people[2].object_id, operation="send", times=1),
        Fault(status=400, message=WRITTEN, person=people[3].object_id, operation="send"),
        Fault(status=403, code="MessageWritesBlocked", message=WRITTEN, person=people[4].object_id, operation="send"),
    ):
        stack.teams.fault(fault)
    named = [*ids(people[:20]), *(person.mail for person in people[20:30]), *(person.upn for person in people[30:])]
    outcome = await stack.deliver(
        [*named, "nobody.there@contoso.com"], message=f"{WRITTEN} for ${{name}}", data={"name": WRITTEN}
    )
    stack.teams.clear_faults()
    seen.sends["broadcast"] = outcome.body["id"]
    seen.delivered += outcome.body["counts"]["delivered"]


async def _from_a_queue(stack: Stack, people: list[Person], seen: Seen) -> None:
    """An event source sends to everybody it may name, and what is no send; people write to the bot."""
    body = {"id": "event-1", "recipients": [people[5].object_id], "message": WRITTEN}
    await stack.put(json.dumps(body))
    await stack.put(json.dumps({"recipients": [people[5].mail], "message": 7, WRITTEN: WRITTEN}))
    await stack.put(WRITTEN)
    crowd = await stack.crowd()
    await crowd.write(people[6], WRITTEN)

    async def there() -> bool:
        return len(stack.got(people[5])) == 2 and len(await stack.peek("sends-poison")) == 2

    await until(there)
    listed = (await stack.get("/api/ops/sends?top=10")).ok()["sends"]
    seen.sends["event"] = next(one["id"] for one in listed if one["id"] not in seen.sends.values())


async def _by_operators(stack: Stack, people: list[Person], seen: Seen) -> None:
    """What was sent is corrected and taken back, everybody is told, and somebody is forgotten."""
    key = {"x-functions-key": KEY, "Prefer": "wait=30"}
    path = f"/api/ops/sends/{seen.sends['broadcast']}"
    for name, verb, body in (("update", "update", {"message": f"{WRITTEN}, corrected"}), ("recall", "recall", ...)):
        reply = await stack.request("POST", f"{path}/{verb}", json_body=body, headers=key)
        seen.sends[name] = reply.ok(200)["id"]
        seen.delivered += reply.body["counts"]["delivered"]
    everyone = {"recipients": [{"everyone": True}], "message": WRITTEN, "tenant": people[0].tenant_id}
    reply = await stack.request("POST", "/api/ops/sends", json_body=everyone, headers=key)
    seen.sends["everyone"] = reply.ok(424)["id"]  # one of them has blocked the bot
    seen.delivered += reply.body["counts"]["delivered"]
    await stack.request("DELETE", f"/api/ops/people/{people[9].object_id}", headers=key)


async def _what_goes_wrong(stack: Stack, people: list[Person]) -> None:
    """Requests and messages that nothing can be made of, with what must not be told in all of them."""
    headers = {"Authorization": f"Bearer {TOKEN}", "x-functions-key": KEY}
    await stack.request("POST", f"{SENDS}?name={people[0].mail}", json_body={"message": WRITTEN}, headers=headers)
    await stack.request("POST", "/api/messages", json_body={"type": "message", "text": WRITTEN}, headers=headers)
    await stack.get(f"/api/v1/bots/watched/users/{people[0].mail}")
    for queue in ("lanes", "callbacks"):
        await stack.put(json.dumps({"send": "none", "event": "none"}), queue)
    await stack.put(WRITTEN, "lanes")  # nobody but the service puts messages there: it fails, again and again

    async def failed() -> bool:
        return any("JSONDecodeError" in line for host in stack.hosts for line in host.child.tail)

    await until(failed)


def test_a_send_is_one_trace_from_its_post_to_its_callback_and_goes_on_the_flows_own(seen: Seen) -> None:
    spans = seen.of("question")

    assert {span.operation for span in spans} == {TRACE}
    assert {span.name for span in spans} == {"accept", "deliver", "answer", "end", "callback"}
    (accept,) = [span for span in spans if span.name == "accept"]
    assert {span.parent for span in spans if span is not accept} == {accept.data["id"]}
    assert accept.parent  # the request that the host has told of
    calls = [(span.data["success"], span.properties["proactive.reason"]) for span in spans if span.name == "callback"]
    assert calls == [(False, "HTTP 503"), (True, "HTTP 202")]


def test_a_request_to_teams_is_told_below_the_lane_that_made_it(seen: Seen) -> None:
    (deliver,) = [span for span in seen.of("question") if span.name == "deliver"]

    (sent,) = [span for span in seen.insights.spans("teams") if span.parent == deliver.data["id"]]

    assert sent.operation == TRACE
    assert sent.data["success"] is True


@pytest.mark.parametrize("name", ["broadcast", "event", "update", "recall", "everyone"])
def test_every_other_send_has_a_trace_of_its_own(seen: Seen, name: str) -> None:
    spans = seen.of(name)

    assert {span.name for span in spans} >= {"accept", "deliver"}
    assert len({span.operation for span in spans}) == 1
    others = {span.operation for other in seen.sends if other != name for span in seen.of(other)}
    assert spans[0].operation not in others
    if name in ("update", "recall", "everyone"):
        assert "plan" in {span.name for span in spans}


def test_a_step_is_linked_to_the_invocation_that_made_it(seen: Seen) -> None:
    (deliver,) = [span for span in seen.of("event") if span.name == "deliver"]

    (link,) = json.loads(deliver.properties["_MS.links"])

    assert link["operation_Id"] != deliver.operation


def test_of_many_messages_a_few_are_told_and_those_that_failed_among_them(seen: Seen) -> None:
    delivers = {span.data["id"] for span in seen.of("broadcast") if span.name == "deliver"}
    told = [span for span in seen.insights.spans("teams") if span.parent in delivers]

    assert sum(span.data["success"] for span in told) < PEOPLE - 4
    failed = {span.properties["proactive.reason"] for span in told if not span.data["success"]}
    assert {"BadArgument", "blocked", "Throttled", "connectionLost"} <= failed, failed


def test_what_is_counted_is_what_happened(seen: Seen) -> None:
    total = seen.insights.total

    assert total("proactive.sends.accepted", door="v1") == 2
    assert total("proactive.sends.accepted", door="sends") == 1
    assert total("proactive.sends.accepted", door="ops") == 3
    assert total("proactive.deliveries", code="200", state="delivered") == seen.delivered + 2
    assert total("proactive.deliveries", state="notInstalled", reason="blocked") == 2
    assert total("proactive.in_doubt") == 1
    assert total("proactive.retries") == 2
    assert total("proactive.callbacks", outcome="again", status="503") == 1
    assert total("proactive.callbacks", outcome="accepted", status="202") == 1
    assert total("proactive.answers", outcome="kept") == 1


def test_requests_to_teams_are_counted_and_timed_by_status_under_their_ceiling(seen: Seen) -> None:
    (tenant,) = {person.tenant_id for person in seen.people}
    total = seen.insights.total
    timed = [item for item in seen.insights.items if item.name == "proactive.teams.requests"]

    assert {item.properties["bot"] for item in timed} == {"watched"}
    assert {item.properties["tenant"] for item in timed} == {tenant}
    assert {"201", "429", "400", "403", "0"} <= {item.properties["status"] for item in timed}
    assert total("proactive.teams.requests", status="429") == 1
    assert 0 < total("proactive.teams.seconds", status="201") < 60
    (ceiling,) = {item.data["metrics"][0]["value"] for item in seen.insights.items if item.name == "proactive.ceiling"}
    assert ceiling == 2000


def test_a_look_at_health_tells_how_long_the_queues_are_and_who_waits_there(seen: Seen) -> None:
    lengths = {
        item.properties["queue"]: item.data["metrics"][0]["value"]
        for item in seen.insights.items
        if item.name == "proactive.queue.length"
    }

    assert lengths["sends-poison"] == 2
    assert {"sends", "plans", "lanes", "timers", "errands", "waits", "callbacks", "lanes-poison"} <= set(lengths)
    ages = {item.properties["queue"] for item in seen.insights.items if item.name == "proactive.queue.age"}
    assert ages == set(lengths)
    waits = {item.properties["queue"] for item in seen.insights.items if item.name == "proactive.queue.wait"}
    assert {"lanes", "timers", "callbacks", "sends"} <= waits


def test_what_came_is_what_is_documented(seen: Seen) -> None:
    metrics = {item.name: set(item.properties) for item in seen.insights.items if item.kind == "MetricData"}

    assert metrics == {name: keys for name, keys in documented_metrics().items() if name != "proactive.tokens.failed"}
    assert {span.name for span in seen.insights.spans()} == documented_spans()


def test_nothing_of_a_person_or_a_message_is_in_telemetry_or_in_a_log_line(seen: Seen) -> None:
    secret = [WRITTEN, SIGNATURE, SECRET, SECRET.removeprefix("whsec_"), KEY, TOKEN, "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1"]
    personal = [
        text
        for person in seen.people
        for text in (person.mail, person.upn, person.name, person.object_id, person.conversation_id, person.teams_id)
    ]
    # What a person wrote may come in JSON within JSON: without blanks and quotes it would still be found.
    everything = "\n".join([*seen.insights.bodies, *seen.lines])

    assert [
        name for name, send in seen.sends.items() if send not in everything
    ] == []  # it is the run that is looked at
    assert [text for text in [*secret, *personal, "nobody.there"] if text and text in everything] == []


def test_the_run_has_logged_what_went_wrong(seen: Seen) -> None:
    log = "\n".join(seen.lines)

    assert "on the queue sends was rejected" in log
    assert "JSONDecodeError" in log  # the message that nobody can read: its traceback is there, its text is not
