"""Callbacks: flows subscribe, are called back once there is an outcome, and unsubscribe."""

import asyncio
import json
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from local.teams import Crowd, Fault
from local.teams.people import CONTOSO
from tests.e2e.flow import (
    BODY,
    EXECUTE,
    SECRET,
    SIGNATURE,
    THANKS,
    Asking,
    Run,
    Says,
    in_the_background,
    question,
    together,
)
from tests.stack import SENDS, Stack, ids, until

pytest_plugins = ["tests.e2e.flow"]
pytestmark = pytest.mark.timeout(120)

FIRST_CALL = 2.0  # seconds after the subscription's answer, at the least


def plain(outcome):
    """Return an outcome without how its own callback went, which changes, and which instance told it."""
    path = "/api/" + outcome["resultsUrl"].partition("/api/")[2]
    return {name: value for name, value in outcome.items() if name not in ("callback", "callbacks")} | {
        "resultsUrl": path
    }


def tries(state):
    """Return the statuses of the attempts in the state of a callback."""
    return [attempt["statusCode"] for attempt in state["callback"]["attempts"]]


async def handed_over(asking, send, state="accepted"):
    """Wait until the callback of a send has ended like this, and return the send's status."""

    async def ended():
        now = await asking.status(send)
        return now if now["callback"]["state"] == state else None

    return await until(ended, 15)


async def outcome_of(asking, send):
    return (await asking.stack.outcome(send)).ok(200)


# A subscription


@together
async def test_a_subscription_is_called_back_with_the_outcome_and_signed(asking):
    (ada,) = await asking.stack.join(1, named=True)
    run = asking.flows.run()
    reply = await asking.post([ada], run=run, updateMessage="Noted")
    send = reply.ok(201)
    assert set(send) == {"id", "status", "statusUrl", "outcomeUrl"}
    await asking.card(ada)
    await asking.stands(send, "waiting")
    assert (await asking.status(send))["callback"] == {"state": "pending", "attempts": []}
    await asking.press(ada, "Reject", {"note": "späť ✓"})

    told = await run.called_once()

    call = run.got[0]
    assert call.method == "POST"
    assert call.address == run.url, "the query is the flow's own, to the letter"
    assert call.headers["webhook-id"]
    assert abs(float(call.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    assert (told["id"], told["outcome"], told["statusCode"]) == (send["id"], "responded", 200)
    assert (told["submitActionId"], told["actionId"]) == ("Reject", "no")
    assert told["data"] == {"order": 4711, "why": ["a", None], "note": "späť ✓"}
    assert (told["responder"]["email"], told["responder"]["displayName"]) == (ada.mail, ada.name)
    assert plain(told) == plain(await outcome_of(asking, send))
    status = await handed_over(asking, send)
    assert (status["status"], tries(status)) == ("completed", [202])
    assert tries(await outcome_of(asking, send)) == [202]
    await asking.shows(ada, "Noted")


@together
async def test_a_send_without_a_question_calls_back_at_its_delivery(asking):
    people = await asking.stack.join(3)
    run = asking.flows.run()
    start = time.monotonic()
    body = {"tenant": CONTOSO, "recipients": ids(people), "message": "Hello", "callbackUrl": run.url}
    send = (await asking.stack.post(body)).ok(201)
    answered_at = time.monotonic()
    told = await run.called_once()
    assert run.got[0].at - answered_at >= FIRST_CALL
    assert run.got[0].at - start < 20
    assert (told["outcome"], told["statusCode"], told["counts"]["delivered"]) == ("completed", 200, 3)
    assert plain(told) == plain(await outcome_of(asking, send))
    assert "responses" not in told
    assert all(len(asking.stack.got(person)) == 1 for person in people)


@together
async def test_the_location_is_what_a_delete_unsubscribes(asking):
    people = await asking.stack.join(2)
    run = asking.flows.run()
    reply = await asking.post(people, run=run)
    send = reply.ok(201)
    cards = [await asking.card(person) for person in people]
    await asking.delivered(send)

    for _ in range(2):
        assert (await asking.stack.request("DELETE", reply.headers["Location"])).status == 204

    for person in people:
        await asking.shows(person, "withdrawn")
    outcome = await outcome_of(asking, send)
    assert outcome["outcome"] == "cancelled"
    assert (await asking.status(send))["status"] == "cancelled"
    await asking.press(people[0], message=cards[0])
    await asyncio.sleep(5)
    assert await asking.responses(send) == []
    assert run.got == [], "who has unsubscribed is not called"
    assert (await asking.stack.request("DELETE", reply.headers["Location"])).status == 204


@together
async def test_a_flow_is_told_of_what_an_operator_cancels(asking):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run()
    send = await asking.ask([ada], run=run)
    assert (await asking.stack.request("DELETE", f"/api/ops/sends/{send['id']}")).status == 204
    assert (await run.called_once())["outcome"] == "cancelled"
    await asking.shows(ada, "withdrawn")


@pytest.mark.parametrize("key", [None, "given"])
@together
async def test_a_flow_that_knows_its_callback_url_alone_can_unsubscribe(asking, key):
    (ada,) = await asking.stack.join(1)
    run, other = asking.flows.run(), asking.flows.run()
    key = key and str(uuid.uuid4())
    send = (await asking.stack.post(asking.body([ada], run=run), key=key)).ok(201)
    await asking.card(ada)
    await asking.delivered(send)
    path = "/api/v1/unsubscribe"

    assert (await asking.stack.request("POST", path, json_body={"callbackUrl": other.url})).status in (204, 404)
    assert (await asking.status(send))["status"] == "waiting"
    for _ in range(2):
        assert (await asking.stack.request("POST", path, json_body={"callbackUrl": run.url})).status == 204

    await asking.shows(ada, "withdrawn")
    assert (await asking.status(send))["status"] == "cancelled"
    assert (await outcome_of(asking, send))["outcome"] == "cancelled"
    assert (run.got, other.got) == ([], [])


@together
async def test_unsubscribing_before_the_delivery_sends_nothing(asking):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run()
    at = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    send = (await asking.stack.post({**asking.body([ada], run=run), "sendAt": at})).ok(201)
    unsubscribe = {"callbackUrl": run.url}
    assert (await asking.stack.request("POST", "/api/v1/unsubscribe", json_body=unsubscribe)).status == 204
    outcome = await outcome_of(asking, send)
    assert (outcome["outcome"], outcome["statusCode"]) == ("cancelled", 409)
    await asyncio.sleep(4)
    assert asking.stack.got(ada) == []


@together
async def test_unsubscribing_at_the_end_of_a_run_changes_nothing(asking):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run()
    send = await asking.ask([ada], run=run)
    await asking.press(ada)
    await run.called()
    await handed_over(asking, send)

    reply = await asking.stack.request("POST", "/api/v1/unsubscribe", json_body={"callbackUrl": run.url})

    assert reply.status == 204
    outcome = await outcome_of(asking, send)
    assert (outcome["outcome"], outcome["submitActionId"]) == ("responded", "Approve")
    assert (await asking.status(send))["status"] == "completed"
    await asking.shows(ada, THANKS)
    await asyncio.sleep(4)
    assert len(run.got) == 1


# When it is called


@pytest.mark.parametrize("prefer", [None, 30])
@together
async def test_somebody_who_answers_at_once_does_not_overtake_the_subscription(asking, prefer):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run()

    async def answer():
        await asking.card(ada)
        await asking.press(ada)

    answering = asyncio.create_task(answer())
    (await asking.post([ada], run=run, prefer=prefer)).ok(201)
    answered_at = time.monotonic()
    await answering
    (call,) = await run.called()
    assert call.body["submitActionId"] == "Approve"
    assert call.at - answered_at >= FIRST_CALL


@together
async def test_an_answer_during_a_slow_delivery_does_not_overtake_the_subscription(asking):
    ada, alan = await asking.stack.join(2)
    asking.stack.teams.fault(Fault(operation="send", person=alan.object_id, delay=6, times=1))
    run = asking.flows.run()

    async def answer():
        await asking.card(ada)
        await asking.press(ada)

    answering = asyncio.create_task(answer())
    (await asking.post([ada, alan], run=run, prefer=30, completeWhen="each")).ok(201)
    answered_at = time.monotonic()
    await answering
    (call,) = await run.called()
    assert call.body["event"] == "response"
    assert call.at - answered_at >= FIRST_CALL


@together
async def test_an_answer_that_ends_a_slow_delivery_does_not_overtake_the_subscription(asking):
    ada, alan = await asking.stack.join(2)
    asking.stack.teams.fault(Fault(operation="send", person=alan.object_id, delay=9, times=1))
    run = asking.flows.run()

    async def answer():
        await asyncio.sleep(4)
        await asking.press(ada)

    answering = asyncio.create_task(answer())
    (await asking.post([ada, alan], run=run, prefer=30)).ok(201)
    answered_at = time.monotonic()
    await answering
    (call,) = await run.called()
    assert call.body["submitActionId"] == "Approve"
    assert call.at - answered_at >= FIRST_CALL


@together
async def test_a_subscription_that_is_held_is_answered_at_the_delivery(asking):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run()
    start = time.monotonic()
    send = (await asking.post([ada], run=run, prefer=60)).ok(201)
    assert time.monotonic() - start < 20
    assert len(asking.stack.got(ada)) == 1
    assert run.got == []
    assert (await asking.stands(send, "waiting"))["counts"]["delivered"] == 1
    await asking.press(ada)
    await run.called()


@pytest.mark.parametrize("question_asked", [True, False])
@together
async def test_a_delivery_that_fails_fails_the_subscription_that_is_held(asking, question_asked):
    (nobody,) = asking.stack.strangers(1)
    run = asking.flows.run()
    body = asking.body([nobody], run=run) if question_asked else {
        "tenant": CONTOSO, "recipients": ids([nobody]), "message": "Hello", "callbackUrl": run.url
    }  # fmt: skip
    outcome = (await asking.stack.post(body, wait=30)).ok(424)
    assert (outcome["statusCode"], outcome["succeeded"]) == (100, False)
    assert outcome["results"][0]["reason"] == "notInstalled"


@together
async def test_a_missing_bot_may_be_fine_for_a_subscription(asking):
    (nobody,) = asking.stack.strangers(1)
    run = asking.flows.run()
    options = {"ifBotNotInstalled": "succeedWithStatusCode"}
    (await asking.post([nobody], run=run, prefer=30, options=options)).ok(201)
    told = await run.called_once()
    assert (told["outcome"], told["statusCode"], told["succeeded"]) == ("notDelivered", 100, False)


@together
async def test_a_flow_that_is_not_held_hears_of_a_failed_delivery(asking):
    (nobody,) = asking.stack.strangers(1)
    run = asking.flows.run()
    send = (await asking.post([nobody], run=run)).ok(201)
    told = await run.called_once()
    assert (told["outcome"], told["statusCode"]) == ("notDelivered", 100)
    assert (await asking.stack.outcome(send)).status == 424


@together
async def test_all_is_one_callback_with_all_answers(asking):
    people = await asking.stack.join(3)
    run = asking.flows.run()
    await asking.ask(people, run=run, completeWhen="all")
    for person in people[:2]:
        await asking.press(person)
    await asyncio.sleep(5)
    assert run.got == []
    await asking.press(people[2], "Reject")
    told = await run.called_once()
    assert (told["outcome"], told["counts"]["responded"], len(told["responses"])) == ("responded", 3, 3)


@together
async def test_each_answer_is_a_callback_and_then_the_end(asking):
    people = await asking.stack.join(3)
    run = asking.flows.run()
    send = await asking.ask(people, run=run, completeWhen="each")
    await asking.press(people[0], "Reject", {"note": "0"})
    (call,) = await run.called()
    told = call.body
    assert (told["event"], told["id"]) == ("response", send["id"])
    assert [answer["responder"]["objectId"] for answer in told["responses"]] == [people[0].object_id]
    assert (told["submitActionId"], told["responder"]["objectId"]) == ("Reject", people[0].object_id)
    assert told["counts"]["responded"] == 1

    for person in people[1:]:
        await asking.press(person)
    await run.called(4)
    await asyncio.sleep(3)

    bodies = [call.body for call in run.got]
    assert sorted(body["event"] for body in bodies) == ["completed", "response", "response", "response"]
    assert len({call.id for call in run.got}) == 4
    of_each = {b["responses"][0]["responder"]["objectId"] for b in bodies if b["event"] == "response"}
    assert of_each == set(ids(people))
    (end,) = [body for body in bodies if body["event"] == "completed"]
    assert (end["outcome"], len(end["responses"])) == ("responded", 3)
    assert plain(await outcome_of(asking, send)) == {k: v for k, v in plain(end).items() if k != "event"}


@together
async def test_each_ends_with_the_event_completed_only_after_the_responses(asking):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run(500)
    await asking.ask([ada], run=run, completeWhen="each")
    await asking.press(ada)
    await run.called(3)
    events = [call.body["event"] for call in run.got]
    assert sorted(events[:2]) == ["completed", "response"] or events == ["response", "response", "completed"]
    assert len({call.id for call in run.got}) == 2


@together
async def test_unsubscribing_after_a_callback_stops_further_callbacks_only(asking):
    people = await asking.stack.join(3)
    run = asking.flows.run()
    reply = await asking.post(people, run=run, completeWhen="each")
    send = reply.ok(201)
    for person in people:
        await asking.card(person)
    await asking.delivered(send)
    await asking.press(people[0])
    await run.called()
    await asyncio.sleep(0.5)

    assert (await asking.stack.request("DELETE", reply.headers["Location"])).status == 204
    await asking.press(people[1])
    await asking.shows(people[1], THANKS)
    await asyncio.sleep(4)

    assert len(run.got) == 1
    assert len(await asking.responses(send)) == 2
    assert (await asking.status(send))["status"] == "waiting"
    assert BODY in json.dumps(asking.stack.got(people[2]))


# Trouble


@pytest.mark.parametrize("trouble", [500, 503, 429, 408, 404, 409], ids=str)
@together
async def test_what_passes_is_tried_again_under_the_same_id(asking, trouble):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run(trouble)
    send = await asking.ask([ada], run=run)
    await asking.press(ada)

    first, second = await run.called(2)

    assert first.id == second.id
    assert plain(first.body) == plain(second.body)
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert second.at - first.at > 2
    status = await handed_over(asking, send)
    assert tries(status) == tries(await outcome_of(asking, send)) == [trouble, 202]
    assert all(attempt["at"] for attempt in status["callback"]["attempts"])
    await asyncio.sleep(4)
    assert len(run.got) == 2


@together
async def test_a_connection_that_breaks_is_tried_again(asking):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run(Says(cut=True))
    send = await asking.ask([ada], run=run)
    await asking.press(ada)
    first, second = await run.called(2)
    assert (first.id, plain(first.body)) == (second.id, plain(second.body))
    status = await handed_over(asking, send)
    assert tries(status) == [None, 202]
    assert status["callback"]["attempts"][0]["error"]


@together
async def test_a_flow_that_is_away_is_told_in_the_status(asking):
    (ada,) = await asking.stack.join(1)
    run = Run("http://127.0.0.1:9/workflows/x?sig=x")  # nobody listens there
    send = await asking.ask([ada], run=run)
    await asking.press(ada)

    async def tried():
        return (await asking.status(send))["callback"]["attempts"]

    (attempt, *_) = await until(tried, 20)
    assert attempt["statusCode"] is None
    assert attempt["error"]
    outcome = await outcome_of(asking, send)
    assert (outcome["submitActionId"], outcome["callback"]["state"]) == ("Approve", "pending")


@pytest.mark.parametrize("form", ["seconds", "date"])
@together
async def test_retry_after_is_honoured(asking, form):
    (ada,) = await asking.stack.join(1)
    at = datetime.now(UTC) + timedelta(seconds=16)
    wish = "10" if form == "seconds" else at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    run = asking.flows.run(Says(503, {"Retry-After": wish}))
    await asking.ask([ada], run=run)
    await asking.press(ada)
    first, second = await run.called(2, 40)
    if form == "seconds":
        assert second.at - first.at >= 9.9
    else:
        assert datetime.now(UTC) >= at - timedelta(seconds=1.1)


@pytest.mark.parametrize("trouble", [400, 401, 403, 410, 422], ids=str)
@together
async def test_a_refusal_ends_it_and_the_outcome_stays_readable(asking, trouble):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run(trouble)
    send = await asking.ask([ada], run=run)
    await asking.press(ada)
    await run.called()
    await asyncio.sleep(9)
    assert len(run.got) == 1
    outcome = await outcome_of(asking, send)
    assert outcome["submitActionId"] == "Approve"
    assert outcome["callback"]["state"] not in ("accepted", "pending")
    assert tries(outcome) == [trouble]


@together
async def test_an_answer_that_could_not_be_handed_over_stays_readable_with_its_attempts(asking):
    ada, alan = await asking.stack.join(2)
    run = asking.flows.run(400)
    send = await asking.ask([ada, alan], run=run, completeWhen="each")
    await asking.press(ada)
    await run.called()
    await asking.press(alan)
    await run.called(3)
    await asyncio.sleep(1)
    outcome = await outcome_of(asking, send)
    assert len(outcome["responses"]) == 2
    assert '"statusCode": 400' in json.dumps(outcome)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@together
async def test_redirects_are_not_followed(asking, status):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run(*[Says(status, {"Location": asking.flows.elsewhere})] * 5)
    send = await asking.ask([ada], run=run)
    await asking.press(ada)
    await run.called()
    await asyncio.sleep(2)
    assert asking.flows.strays == []
    outcome = await outcome_of(asking, send)
    assert outcome["callback"]["state"] != "accepted"
    assert tries(outcome)[0] == status


@together
async def test_a_flow_that_does_not_answer_holds_up_nobody_else(asking):
    ada, alan = await asking.stack.join(2)
    slow, quick = asking.flows.run(Says(seconds=12)), asking.flows.run()
    await asking.ask([ada], run=slow)
    await asking.press(ada)
    await slow.called()
    start = time.monotonic()
    await asking.ask([alan], run=quick)
    await asking.press(alan)
    await quick.called()
    assert time.monotonic() - start < 10
    await asyncio.sleep(8)
    assert len(slow.got) == 1


# The same again


@together
async def test_the_callback_url_is_the_idempotency_key(asking):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run()
    body = asking.body([ada], run=run)
    replies = await asyncio.gather(*(asking.stack.post(body) for _ in range(10)))
    sends = {reply.ok(201)["id"] for reply in replies}
    assert len(sends) == 1
    assert len({reply.headers["Location"] for reply in replies}) == 1
    await asking.card(ada)
    other = await asking.stack.post({**body, "summary": "Another content"})
    other.is_problem(422)
    await asking.press(ada)
    assert (await run.called_once())["id"] in sends
    assert len(asking.stack.got(ada)) == 1
    late = await asking.stack.post(body)
    assert late.ok(201)["id"] in sends
    await asyncio.sleep(4)
    assert len(run.got) == 1
    assert len(asking.stack.got(ada)) == 1


@together
async def test_runs_with_the_same_content_are_sends_of_their_own(asking):
    (ada,) = await asking.stack.join(1)
    runs = [asking.flows.run() for _ in range(3)]
    found = {(await asking.post([ada], run=run)).ok(201)["id"] for run in runs}
    assert len(found) == 3
    await asking.stack.teams.wait_delivered(ada, 3)


# Addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://prod-01.westeurope.logic.azure.com/x?sig=1",
        "https://example.com/x",
        "https://logic.azure.com.evil.example/x",
        "https://evil-logic.azure.com/x",
        "https://prod-01.westeurope.logic.azure.com.evil.example/x",
        "https://contoso.azurewebsites.net/x",
        "https://me:pw@prod-01.westeurope.logic.azure.com/x",
        "https://prod-01.westeurope.logic.azure.com@evil.example/x",
        "https://evil.example\\@prod-01.westeurope.logic.azure.com/x",
        "https://evil.example#@prod-01.westeurope.logic.azure.com/x",
        "https://evil.example?.logic.azure.com",
        "https://20.50.2.3/x",
        "https://169.254.169.254/metadata/instance",
        "https://168.63.129.16/x",
        "https://10.0.0.1/x",
        "https://0x14.50.2.3/x",
        "https://335544323/x",
        "https://[2603:1020::1]/x",
        "http://[::ffff:7f00:1]/x",
        "http://0.0.0.0/x",
        "http://127.0.0.1.evil.example/x",
        "http://localhost.evil.example/x",
        "http://localhost@evil.example/x",
        "ftp://prod-01.westeurope.logic.azure.com/x",
        "//prod-01.westeurope.logic.azure.com/x",
        "prod-01.westeurope.logic.azure.com/x",
        "https://",
        "https:///x",
        "nonsense",
        " ",
        "",
        "https://prod-01.westeurope.logic.azure.com/x\r\nX-Header: 1",
        "https://prod-01.westeurope.logic.azure.com/ x",
        "https://prod-01.westeurope.logic.\u0430zure.com/x",
        5,
        ["https://prod-01.westeurope.logic.azure.com/x"],
        {},
        "https://prod-01.westeurope.logic.azure.com/" + "x" * 9000,
    ],
    ids=lambda url: str(url)[:60],
)
@together
async def test_a_callback_goes_to_allowed_hosts_only(asking, url):
    body = {"tenant": CONTOSO, "recipients": ["a@b.c"], "message": "Hello", "callbackUrl": url}
    reply = await asking.stack.post(body)
    assert reply.status == 400
    assert reply.pointers == ["/callbackUrl"]
    assert SIGNATURE not in reply.text


@pytest.mark.parametrize(
    "host",
    [
        "prod-01.westeurope.logic.azure.com",
        "prod-01.westeurope.logic.azure.com:443",
        "0123456789abcdef.01.environment.api.powerplatform.com",
        "prod-01.usgovvirginia.logic.azure.us",
        "prod-01.chinaeast2.logic.azure.cn",
        "x.api.gov.powerplatform.microsoft.us",
        "x.api.high.powerplatform.microsoft.us",
        "x.api.appsplatform.us",
        "PROD-01.westeurope.LOGIC.azure.com",
    ],
)
@together
async def test_the_flows_of_all_clouds_are_allowed(asking, host):
    at = (datetime.now(UTC) + timedelta(days=7)).isoformat()  # long after this test
    url = f"https://{host}/workflows/{uuid.uuid4()}/run?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sig=a-b_c"
    body = {"tenant": CONTOSO, "recipients": ["a@b.c"], "message": "Hello", "callbackUrl": url, "sendAt": at}
    reply = await asking.stack.post(body)
    reply.ok(201)


@together
async def test_a_wrong_callback_url_is_told_with_all_other_errors(asking):
    body = {"recipients": [], "mesage": "Hello", "callbackUrl": "https://example.com/", "bot": "nobody"}
    reply = await asking.stack.post(body)
    assert reply.status == 400
    assert {"/recipients", "/mesage", "/callbackUrl"} <= set(reply.pointers)


# Event sources


@pytest.mark.parametrize("form", ["bare", "event"])
@together
async def test_an_event_can_be_called_back(asking, form):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run()
    body = asking.body([ada], run=run)
    event = {"id": str(uuid.uuid4()), "topic": "orders", "eventType": "x", "data": body}
    await asking.stack.put(json.dumps(body if form == "bare" else event))
    await asking.card(ada)
    await asking.press(ada)
    told = await run.called_once()
    assert (told["outcome"], told["submitActionId"]) == ("responded", "Approve")
    assert (await asking.status(told))["status"] == "completed"
    unsubscribe = {"callbackUrl": run.url}
    assert (await asking.stack.request("POST", "/api/v1/unsubscribe", json_body=unsubscribe)).status == 204


@together
async def test_the_callback_url_is_the_idempotency_key_of_a_message_that_has_no_other(asking):
    ada, alan = await asking.stack.join(2)
    run = asking.flows.run()
    message = json.dumps(asking.body([ada], run=run))
    for _ in range(2):
        await asking.stack.put(message)
    await asking.card(ada)
    await asking.stack.put(json.dumps(asking.body([alan])))
    await asking.card(alan)
    await asyncio.sleep(2)
    assert len(asking.stack.got(ada)) == 1


@together
async def test_a_message_with_a_refused_callback_url_is_rejected(asking):
    (ada,) = await asking.stack.join(1)
    url = f"https://evil.example/x?sig={SIGNATURE}"
    message = await asking.stack.put(json.dumps({**asking.body([ada]), "callbackUrl": url}))

    async def listed():
        rejected = (await asking.stack.get("/api/ops/rejected?top=100")).ok()["rejected"]
        return next((entry for entry in rejected if entry["messageId"] == message), None)

    assert "/callbackUrl" in json.dumps(await until(listed, 20))
    assert asking.stack.got(ada) == []


# Several instances, and one that dies


@pytest.mark.parametrize("kind", ["submit", "execute"])
@together
async def test_fifty_presses_at_one_instant_on_two_instances_are_one_answer(asking, kind):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run()
    two = {"Action.Submit": "submit", "Action.Execute": "execute"}
    (action,) = [name for name, word in two.items() if word == kind]
    card = question({"type": action, "title": "Approve"}, {"type": action, "title": "Reject"})
    send = await asking.ask([ada], card, run=run)
    message = await asking.card(ada)
    urls = [f"{host.url}/api/messages" for host in asking.stack.hosts]
    async with Crowd(asking.stack.teams, urls[0]) as one, Crowd(asking.stack.teams, urls[1]) as other:
        pairs = [(one, "Approve"), (other, "Reject"), (one, "Reject"), (other, "Approve"), (other, "Approve")]
        posted = await asyncio.gather(*(crowd.press(ada, title, message=message) for crowd, title in pairs * 10))

    assert {answer.status for answer in posted} == {200}
    if kind == "execute":
        assert {answer.body["statusCode"] for answer in posted} == {200}
    told = await run.called_once()
    (answer,) = await asking.responses(send)
    assert told["submitActionId"] == answer["submitActionId"]
    assert told["counts"]["responded"] == 1
    await asking.shows(ada, THANKS)


@pytest.mark.parametrize("when", ["first", "all"])
@together
async def test_twenty_people_at_one_instant_on_two_instances_are_one_callback(asking, when):
    people = await asking.stack.join(20)
    run = asking.flows.run()
    send = await asking.ask(people, run=run, completeWhen=when)
    await asking.delivered(send)
    cards = {person: await asking.card(person) for person in people}
    urls = [f"{host.url}/api/messages" for host in asking.stack.hosts]
    async with Crowd(asking.stack.teams, urls[0]) as one, Crowd(asking.stack.teams, urls[1]) as other:
        crowds = [one, other] * 10
        posted = await asyncio.gather(
            *(crowd.press(p, "Approve", message=cards[p]) for crowd, p in zip(crowds, people, strict=True))
        )
    assert {answer.status for answer in posted} == {200}
    told = await run.called_once()
    expected = 20 if when == "all" else 1
    assert (told["outcome"], told["counts"]["responded"]) == ("responded", expected)
    assert len(await asking.responses(send)) == expected
    shown = [json.dumps(asking.stack.got(person)) for person in people]
    assert sum(THANKS in text for text in shown) == expected
    assert not any(BODY in text for text in shown)


@in_the_background
async def test_an_instance_that_dies_right_after_an_answer_was_taken_loses_no_callback(asking):
    async with Stack.running(settings={"PROACTIVE_BOT_NAME": "dying"}) as stack:
        mortal = Asking(stack, asking.flows)
        people = await stack.join(12)
        runs: list[Run] = [asking.flows.run() for _ in people]
        runs[0].answers.append(Says(seconds=30))  # is being called when the instance dies
        asked = [
            await mortal.ask([person], EXECUTE if n == 2 else None, run=run)
            for n, (person, run) in enumerate(zip(people, runs, strict=True))
        ]
        await mortal.press(people[0])
        await runs[0].called()
        posted = await asyncio.gather(*(mortal.press(person) for person in people[1:]))
        await stack.kill()
        assert {answer.status for answer in posted} == {200}
        assert len(runs[0].got) == 1
        assert not all(run.got for run in runs), "it died before it had called them all"
        await stack.start()

        for run in runs[1:]:
            await run.called(1, 100)  # at the latest by its watchdog, which comes after 75 s
        await runs[0].called(2, 100)
        await asyncio.sleep(5)

        for send, run, person in zip(asked, runs, people, strict=True):
            assert len({call.id for call in run.got}) == 1
            assert not any("webhook-signature" in call.headers for call in run.got), "there is no secret to sign with"
            told = [json.loads(call.raw) for call in run.got]
            assert {body["id"] for body in told} == {send["id"]}
            assert {body["responder"]["objectId"] for body in told} == {person.object_id}
            await handed_over(mortal, send)
            await mortal.shows(person, THANKS)
            (await mortal.stack.outcome(send)).ok(200)
            assert len(await mortal.responses(send)) == 1


# What is written down


async def test_the_log_holds_no_secrets(scenes):
    await scenes.all_ended()
    lines = [line for host in scenes.asking.stack.hosts for line in host.child.tail]
    assert len(lines) > 10, "the given-up callbacks at least are told"
    people = await scenes.asking.stack.join(1)
    secrets = {
        "a callback's query": SIGNATURE,
        "a card's text": BODY,
        "a mail address": "@contoso",
        "a name": people[0].name.rpartition("0")[0],
        "a note": "my note",
        "a mark": "~proactive",
        "the callback's secret": SECRET.removeprefix("whsec_"),
        "an outcome's address": "/outcomes/",
        "a callback's path": "/workflows/",
        "a token": "Bearer ",
    }
    told = {what: line for what, secret in secrets.items() for line in lines if secret in line}
    assert told == {}
    failures = [line for line in lines if "failed after" in line or line.startswith("Traceback")]
    assert failures == []


test_the_log_holds_no_secrets.after_all = True  # type: ignore[attr-defined]


async def test_nobody_was_led_elsewhere(scenes):
    await scenes.all_ended()
    assert scenes.asking.flows.strays == []
    assert (await scenes.asking.stack.get(f"{SENDS}/{'a' * 26}")).status == 404


test_nobody_was_led_elsewhere.after_all = True  # type: ignore[attr-defined]
