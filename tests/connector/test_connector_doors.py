"""The connector's actions, as flows call them: what goes in, what comes out, and when an action fails."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema_rs
import pytest

from local import connector
from local.connector_fields import CARD_EXAMPLE
from local.teams import Fault
from tests.e2e.flow import THANKS, Flows
from tests.stack import REPLY, Reply, Stack, until

V1, OPS = "/api/v1/connector", "/api/ops/connector"
DOCUMENT = connector.document()
BOT = "default"
ERRAND = 20  # seconds


def closed(node: Any) -> Any:
    """Return a schema with no place for members that it does not name, and with null where Swagger says so."""
    if isinstance(node, list):
        return [closed(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    schema = {name: closed(inner) for name, inner in node.items()}
    if isinstance(schema.get("properties"), dict):
        schema.setdefault("additionalProperties", False)
    return {"anyOf": [schema, {"type": "null"}]} if schema.pop("x-nullable", None) is True else schema


DEFINITIONS = closed(DOCUMENT["definitions"])


def is_a(name: str, value: Any) -> Any:
    """Fail where a value is not what the file says of it; return the value."""
    validator = jsonschema_rs.Draft4Validator({"$ref": f"#/definitions/{name}", "definitions": DEFINITIONS})
    assert [f"{list(error.instance_path)}: {error}"[:300] for error in validator.iter_errors(value)] == []
    return value


class Maker:
    """Somebody whose flow calls the actions."""

    def __init__(self, stack: Stack, flows: Flows) -> None:
        self.stack = stack
        self.flows = flows

    async def post(self, action: str, body: Any, *, wait: int | None = None, key: str = "", door: str = V1) -> Reply:
        headers = {"Prefer": f"wait={wait}"} if wait is not None else {}
        headers |= {"Idempotency-Key": key} if key else {}
        return await self.stack.request("POST", f"{door}/{action}", json_body=body, headers=headers)

    async def message(self, recipient: Any, text: str = "Hello", **more: Any) -> Reply:
        wait, key = more.pop("wait", ERRAND), more.pop("key", "")
        return await self.post("messages", {"recipient": recipient, "messageBody": text, **more}, wait=wait, key=key)

    async def ask(self, recipient: Any, run: Any, card: str = CARD_EXAMPLE, **more: Any) -> Reply:
        body = {"recipient": recipient, "messageBody": card, **more}
        return await self.post("questions", {"notificationUrl": run.url, "body": body})

    async def called_back(self, run: Any) -> Any:
        """Return the outcome that a flow was handed."""
        call = (await run.called())[0]
        return is_a("AnsweredOutcome", json.loads(call.raw))


@pytest.fixture(scope="module")
async def maker(stack: Stack) -> AsyncIterator[Maker]:
    async with Flows().open() as flows:
        yield Maker(stack, flows)


# Posting


async def test_a_message_is_delivered_when_the_action_ends(maker):
    (ada,) = await maker.stack.join(1)
    outcome = is_a("Outcome", (await maker.message(ada.object_id, "Your order is ready", wait=None)).ok(200))
    assert (outcome["statusCode"], outcome["succeeded"]) == (200, True)
    assert maker.stack.texts(ada) == ["Your order is ready"]


async def test_a_card_is_delivered_when_the_action_ends(maker):
    (ada,) = await maker.stack.join(1)
    body = {"recipient": ada.object_id, "messageBody": CARD_EXAMPLE, "summary": "An order", "bot": BOT}
    is_a("Outcome", (await maker.post("cards", body)).ok(200))
    (activity,) = maker.stack.got(ada)
    assert activity["attachments"][0]["content"] == json.loads(CARD_EXAMPLE)
    assert activity["summary"] == "An order"


async def test_an_action_that_takes_longer_is_a_long_running_operation(maker):
    (ada,) = await maker.stack.join(1)
    maker.stack.teams.fault(Fault(person=ada.object_id, operation="send", delay=1.5, times=1))
    reply = await maker.message(ada.object_id, wait=0)
    assert reply.status == 202
    assert reply.headers["Location"].startswith(f"{maker.stack.url}/api/outcomes/")
    assert int(reply.headers["Retry-After"]) == 5
    outcome = await maker.stack.outcome({"outcomeUrl": reply.headers["Location"]})
    assert is_a("Outcome", outcome.ok(200))["statusCode"] == 200


async def test_a_long_running_operation_fails_as_the_options_say(maker):
    (nobody,) = maker.stack.strangers(1)
    reply = await maker.message(nobody.object_id, wait=0)
    outcome = await maker.stack.outcome({"outcomeUrl": reply.headers["Location"]})
    assert is_a("Outcome", outcome.ok(424))["statusCode"] == 100


async def test_recipients_are_taken_as_text_array_and_json(maker):
    people = await maker.stack.join(2, named=True)
    names = [people[0].mail or people[0].upn, people[1].upn]
    for number, recipient in enumerate(("; ".join(names), names, json.dumps(names))):
        outcome = (await maker.message(recipient, f"Number {number}")).ok(200)
        assert outcome["counts"]["delivered"] == 2
    for person in people:
        assert maker.stack.texts(person) == ["Number 0", "Number 1", "Number 2"]


async def test_who_lacks_the_bot_is_told_by_the_code_that_makers_know(maker):
    (nobody,) = maker.stack.strangers(1)
    assert (await maker.message(nobody.object_id)).status == 424
    outcome = (await maker.message(nobody.object_id, ifBotNotInstalled="Succeed with status code")).ok(200)
    assert (outcome["statusCode"], outcome["succeeded"]) == (100, False)


async def test_an_active_chat_is_told_by_the_code_that_makers_know(maker):
    (ada,) = await maker.stack.join(1)
    await (await maker.stack.crowd()).write(ada, "Hi")
    assert (await maker.message(ada.object_id, ifChatIsActive="Don't send and fail")).status == 424
    outcome = (await maker.message(ada.object_id, ifChatIsActive="Don't send and succeed")).ok(200)
    assert (outcome["statusCode"], outcome["succeeded"]) == (300, False)
    assert (await maker.message(ada.object_id, ifChatIsActive="Send")).status == 200
    assert [text for text in maker.stack.texts(ada) if text != REPLY] == ["Hello"]


async def test_a_repeated_call_with_the_same_key_posts_once(maker):
    (ada,) = await maker.stack.join(1)
    key = str(uuid.uuid4())
    replies = await asyncio.gather(*(maker.message(ada.object_id, key=key) for _ in range(4)))
    assert len({reply.ok(200)["id"] for reply in replies}) == 1
    assert (await maker.message(ada.object_id, "Else", key=key)).status == 422
    assert maker.stack.texts(ada) == ["Hello"]


async def test_what_is_wrong_is_told_by_the_names_of_the_action(maker):
    reply = await maker.post("cards", {"messageBody": '{"type": "AdaptiveCard"}', "ifChatIsActive": "x", "card": 1})
    assert reply.status == 400
    assert set(reply.pointers) == {"/card", "/recipient", "/ifChatIsActive", "/messageBody/version"}
    assert (await maker.message("a@b.c", bot="nobody")).pointers == ["/bot"]
    too_large = await maker.message("a@b.c", "x" * 60_000)
    assert (too_large.status, too_large.pointers) == (413, ["/messageBody"])


async def test_nothing_is_sent_where_a_field_is_unknown(maker):
    (ada,) = await maker.stack.join(1)
    assert (await maker.message(ada.object_id, recipients=["x"])).pointers == ["/recipients"]
    assert maker.stack.got(ada) == []


# Waiting


async def test_a_card_waits_for_a_response(maker):
    (ada,) = await maker.stack.join(1, named=True)
    run = maker.flows.run()
    reply = await maker.ask(ada.object_id, run, bot=BOT)
    subscription = is_a("Subscription", reply.ok(201))
    assert reply.headers["Location"] == f"{maker.stack.url}{V1}/subscriptions/{subscription['id']}"
    assert len(maker.stack.got(ada)) == 1, "the subscription is held until the card is there"

    crowd = await maker.stack.crowd()
    await crowd.press(ada, "Edit Order", {"note": "rare"})
    outcome = await maker.called_back(run)

    assert (outcome["outcome"], outcome["statusCode"], outcome["succeeded"]) == ("responded", 200, True)
    assert (outcome["submitActionId"], outcome["data"]) == ("Edit Order", {"note": "rare"})
    assert outcome["responder"]["objectId"] == ada.object_id

    async def thanked() -> bool:
        return THANKS in json.dumps(maker.stack.got(ada)[0])

    await until(thanked)
    gone = await maker.stack.request("DELETE", reply.headers["Location"])
    assert gone.status == 204
    assert (await maker.stack.status(subscription["id"]))["status"] == "completed"


async def test_the_tokens_of_a_response_are_the_inputs_of_the_card(maker):
    told = is_a("ResponseSchema", (await maker.post("schemas/response", {"messageBody": CARD_EXAMPLE})).ok())
    assert set(told["schema"]["properties"]) == {"note"}
    empty = (await maker.post("schemas/response", {"messageBody": CARD_EXAMPLE.replace('"note"', "@{guid()}")})).ok()
    assert empty["schema"]["properties"] == {}


async def test_a_card_that_reaches_nobody_fails_the_action(maker):
    (nobody,) = maker.stack.strangers(1)
    run = maker.flows.run()
    reply = await maker.ask(nobody.object_id, run)
    assert reply.status == 424
    assert is_a("AnsweredOutcome", reply.body)["statusCode"] == 100


async def test_a_flow_that_is_cancelled_withdraws_the_card(maker):
    (ada,) = await maker.stack.join(1)
    run = maker.flows.run()
    reply = await maker.ask(ada.object_id, run)
    for _ in range(2):
        assert (await maker.stack.request("DELETE", reply.headers["Location"])).status == 204

    async def withdrawn() -> bool:
        return "withdrawn" in json.dumps(maker.stack.got(ada)[0])

    await until(withdrawn)
    assert run.got == []


async def test_another_flow_can_cancel_and_the_waiting_one_goes_on(maker):
    (ada,) = await maker.stack.join(1)
    run = maker.flows.run()
    send = (await maker.ask(ada.object_id, run)).ok(201)["id"]
    assert (await maker.stack.request("DELETE", f"{V1}/sends/{send}")).status == 204
    assert (await maker.called_back(run))["outcome"] == "cancelled"


async def test_all_responses_come_together(maker):
    people = await maker.stack.join(2)
    run = maker.flows.run()
    (await maker.ask([person.object_id for person in people], run, completeWhen="All responses")).ok(201)
    crowd = await maker.stack.crowd()
    for person in people:
        assert run.got == []
        await crowd.press(person, "Submit Order", {"note": person.name})
    outcome = await maker.called_back(run)
    assert {answer["data"]["note"] for answer in outcome["responses"]} == {person.name for person in people}


async def test_what_is_wrong_with_a_question_is_told_by_the_names_of_the_action(maker):
    reply = await maker.post(
        "questions", {"notificationUrl": "https://x.example/", "body": {"timeout": "P99D"}, "x": 1}
    )
    assert set(reply.pointers) == {
        "/x", "/notificationUrl", "/body/recipient", "/body/messageBody", "/body/timeout",
    }  # fmt: skip
    assert {"/notificationUrl", "/body"} <= set((await maker.post("questions", {})).pointers)
    assert (await maker.post("questions", [])).status == 400


# Looking, cancelling, changing


async def test_status_and_results_are_told(maker):
    (ada,) = await maker.stack.join(1)
    (nobody,) = maker.stack.strangers(1)
    send = (await maker.message([ada.object_id, nobody.object_id])).ok(424)["id"]
    status = is_a("Send", (await maker.stack.get(f"{V1}/sends/{send}")).ok())
    assert status["counts"]["delivered"] == 1
    results = is_a("Results", (await maker.stack.get(f"{V1}/sends/{send}/results?state=notInstalled")).ok())
    assert [result["recipient"] for result in results["results"]] == [nobody.object_id]
    page = (await maker.stack.get(f"{V1}/sends/{send}/results?top=1")).ok()
    following = {"continuation": page["continuation"]}
    rest = (await maker.stack.get(f"{V1}/sends/{send}/results", params=following)).ok()
    assert len(page["results"]) == len(rest["results"]) == 1


async def test_the_picker_shows_the_bots(maker):
    assert is_a("Bots", (await maker.stack.get(f"{V1}/bots")).ok()) == {"value": [{"name": BOT}]}


async def test_operators_update_and_recall(maker):
    (ada,) = await maker.stack.join(1)
    send = (await maker.message(ada.object_id)).ok(200)["id"]
    updated = await maker.post(f"sends/{send}/update", {"messageBody": "New"}, wait=ERRAND, door=OPS)
    is_a("Outcome", updated.ok(200))
    assert maker.stack.texts(ada) == ["New"]
    await maker.post(f"sends/{send}/update", {"messageBody": CARD_EXAMPLE}, wait=ERRAND, door=OPS)
    assert maker.stack.got(ada)[0]["attachments"]
    is_a("Outcome", (await maker.stack.request("POST", f"{OPS}/sends/{send}/recall")).ok(200))
    assert maker.stack.got(ada) == []
    nothing = await maker.post(f"sends/{send}/update", {"summary": "x", "card": 1}, door=OPS)
    assert set(nothing.pointers) == {"/messageBody", "/card"}
    broken = await maker.post(f"sends/{send}/update", {"messageBody": '{"type": "AdaptiveCard"}'}, door=OPS)
    assert broken.pointers == ["/messageBody/version"]


@pytest.mark.parametrize("verb", ["update", "recall"])
async def test_the_key_of_flows_changes_nothing_that_was_posted(maker, verb):
    (ada,) = await maker.stack.join(1)
    send = (await maker.message(ada.object_id)).ok(200)["id"]
    assert (await maker.post(f"sends/{send}/{verb}", {"messageBody": "New"})).status == 404
    assert maker.stack.texts(ada) == ["Hello"]


@pytest.mark.parametrize("path", ["/sends/x", "/sends/x/results", f"/sends/{'a' * 26}"])
async def test_what_is_not_there_is_not_found(maker, path):
    assert (await maker.stack.get(V1 + path)).is_problem(404)


@pytest.mark.parametrize("path", [f"{V1}/sends/{'a' * 26}", f"{V1}/subscriptions/{'a' * 26}", f"{V1}/sends/x"])
async def test_what_is_not_there_cannot_be_cancelled(maker, path):
    assert (await maker.stack.request("DELETE", path)).is_problem(404)


async def test_a_question_for_tomorrow_is_not_held(maker):
    (ada,) = await maker.stack.join(1)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    async with asyncio.timeout(ERRAND):
        reply = await maker.ask(ada.object_id, maker.flows.run(), sendAt=tomorrow)
    assert reply.status == 201
    assert (await maker.stack.request("DELETE", reply.headers["Location"])).status == 204
