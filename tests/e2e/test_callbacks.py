"""Callbacks: when a flow is called, what it is told, and what happens when it cannot take it."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from local.teams import Fault
from local.teams.people import CONTOSO
from tests.e2e.flow import BODY, FIRST_CALL, SECRET, SIGNATURE, THANKS, Run, Says, plain, together, tries
from tests.stack import SENDS, ids, until

pytest_plugins = ["tests.e2e.flow"]
pytestmark = pytest.mark.timeout(120)


# When it is called


async def not_overtaken(asking, people, *, pause=0, **subscription):
    """Subscribe while the first of these people answers; return what the flow is told, not too early."""
    run = asking.flows.run()

    async def answer():
        await asking.card(people[0])
        await asyncio.sleep(pause)
        await asking.press(people[0])

    answering = asyncio.create_task(answer())
    (await asking.post(people, run=run, **subscription)).ok(201)
    answered_at = time.monotonic()
    await answering
    (call,) = await run.called()
    assert call.at - answered_at >= FIRST_CALL
    return call.body


@pytest.mark.parametrize("prefer", [None, 30])
@together
async def test_somebody_who_answers_at_once_does_not_overtake_the_subscription(asking, prefer):
    told = await not_overtaken(asking, await asking.stack.join(1), prefer=prefer)
    assert told["submitActionId"] == "Approve"


@together
async def test_an_answer_during_a_slow_delivery_does_not_overtake_the_subscription(asking):
    ada, alan = await asking.stack.join(2)
    asking.stack.teams.fault(Fault(operation="send", person=alan.object_id, delay=6, times=1))
    told = await not_overtaken(asking, [ada, alan], prefer=30, completeWhen="each")
    assert told["event"] == "response"


@together
async def test_an_answer_that_ends_a_slow_delivery_does_not_overtake_the_subscription(asking):
    ada, alan = await asking.stack.join(2)
    asking.stack.teams.fault(Fault(operation="send", person=alan.object_id, delay=9, times=1))
    told = await not_overtaken(asking, [ada, alan], pause=4, prefer=30)
    assert told["submitActionId"] == "Approve"


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
    assert outcome["outcome"] == ("notDelivered" if question_asked else "completed")
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


# How often


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
    assert plain(await asking.outcome(send)) == {k: v for k, v in plain(end).items() if k != "event"}


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
    status = await asking.handed_over(send)
    assert tries(status) == tries(await asking.outcome(send)) == [trouble, 202]
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
    status = await asking.handed_over(send)
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

    (attempt, *_) = await until(tried)
    assert attempt["statusCode"] is None
    assert attempt["error"]
    outcome = await asking.outcome(send)
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
    outcome = await asking.outcome(send)
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
    outcome = await asking.outcome(send)
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
    outcome = await asking.outcome(send)
    assert outcome["callback"]["state"] != "accepted"
    assert tries(outcome)[0] == status


@together
async def test_a_flow_that_does_not_answer_holds_up_nobody_else(asking):
    ada, alan = await asking.stack.join(2)
    over = asyncio.Event()
    slow, quick = asking.flows.run(Says(after=over)), asking.flows.run()
    held = await asking.ask([ada], run=slow)
    await asking.press(ada)
    await slow.called()
    await asking.ask([alan], run=quick)
    await asking.press(alan)
    await quick.called()
    assert len(slow.got) == 1, "nobody was called before the slow one was given up"
    over.set()
    assert tries(await asking.handed_over(held)) == [202]


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
