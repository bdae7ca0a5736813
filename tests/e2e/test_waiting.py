"""Ask and wait: a card is a question, and what became of it is read at the outcome's address."""

import asyncio
import csv
import io
import json
import secrets
import time
import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from local.teams import Fault
from local.teams.people import CONTOSO
from tests.e2e.flow import CLOSED, DONE, EXECUTE, THANKS, buttons, in_the_background, question, together
from tests.stack import SENDS, ids

pytest_plugins = ["tests.e2e.flow"]
pytestmark = pytest.mark.timeout(120)


# The outcome's address


@together
async def test_an_outcome_is_202_until_the_answer_and_then_tells_it(asking):
    (ada,) = await asking.stack.join(1, named=True)
    reply = await asking.post([ada])
    send = reply.ok(202)
    assert (reply.headers["Location"], send["status"]) == (send["outcomeUrl"], "accepted")
    assert int(reply.headers["Retry-After"]) == 5
    card = await asking.card(ada)
    await asking.stands(send, "waiting")

    before = await asking.stack.get(send["outcomeUrl"])
    assert before.ok(202)["status"] == "waiting"
    assert (before.headers["Location"], before.headers["Retry-After"]) == (send["outcomeUrl"], "5")
    assert before.body["counts"]["responded"] == 0
    pressed_at = datetime.now(UTC)
    await asking.press(ada, "Reject", {"note": "too dear"})
    outcome = await asking.outcome(send)

    answer = {
        "submitActionId": "Reject",
        "actionId": "no",
        "data": {"order": 4711, "why": ["a", None], "note": "too dear"},
        "responder": {
            "objectId": ada.object_id,
            "tenantId": ada.tenant_id,
            "email": ada.mail,
            "userPrincipalName": ada.upn,
            "displayName": ada.name,
        },
        "messageId": card["id"],
    }
    assert outcome.items() >= answer.items()
    assert (outcome["id"], outcome["outcome"], outcome["statusCode"]) == (send["id"], "responded", 200)
    assert outcome["succeeded"] is True
    assert (outcome["counts"]["responded"], outcome["counts"]["delivered"]) == (1, 1)
    (response,) = outcome["responses"]
    assert set(response) == {*answer, "responseTime", "messageLink"}
    assert response.items() <= outcome.items()
    assert abs(datetime.fromisoformat(response["responseTime"]) - pressed_at) < timedelta(seconds=10)
    assert response["messageLink"].startswith("https://teams.microsoft.com/l/message/")
    assert card["id"] in response["messageLink"]
    (result,) = outcome["results"]
    assert (result["response"], result["state"], result["messageId"]) == (response, "delivered", card["id"])
    status = await asking.status(send)
    assert (status["status"], status["counts"]["responded"]) == ("completed", 1)
    await asking.shows(ada, THANKS)
    ada_now = await asking.stack.user(ada.object_id, ada.tenant_id)
    assert ada_now["chatActive"] is False, "an answer makes no chat active"


@together
async def test_an_answer_is_held_until_the_person_has_answered(asking):
    (ada,) = await asking.stack.join(1)
    held = asyncio.create_task(asking.post([ada], prefer=30))
    await asking.card(ada)
    await asyncio.sleep(1.5)
    assert not held.done(), "a delivery is no outcome of a question"
    await asking.press(ada)

    start = time.monotonic()
    outcome = (await held).ok(200)

    assert (outcome["outcome"], outcome["submitActionId"]) == ("responded", "Approve")
    assert time.monotonic() - start < 15


@together
async def test_an_answer_is_held_no_longer_than_was_asked_for(asking):
    (ada,) = await asking.stack.join(1)
    start = time.monotonic()
    reply = await asking.post([ada], prefer=3)
    send = reply.ok(202)
    assert 2.9 < time.monotonic() - start < 8
    assert reply.headers["Location"] == send["outcomeUrl"]
    await asking.card(ada)
    await asking.press(ada)
    assert (await asking.outcome(send))["submitActionId"] == "Approve"


@together
async def test_answers_come_in_pages_and_as_a_table(asking):
    people = await asking.stack.join(6, named=True)
    send = await asking.ask(people, completeWhen="all")
    notes = {person.object_id: f'=1+1, "{n}";\nsecond line é' for n, person in enumerate(people[:5])}
    for person in people[:5]:
        await asking.press(person, "Reject", {"note": notes[person.object_id]})
    path = f"{SENDS}/{send['id']}/responses"

    found, sizes, more = [], [], ""
    while more is not None:
        page = (await asking.stack.get(f"{path}?top=2" + (more and f"&continuation={quote(more)}"))).ok()
        found += page["responses"]
        sizes.append(len(page["responses"]))
        more = page["continuation"]
    table = await asking.stack.get(path, headers={"Accept": "text/csv"})
    everybody = await asking.stack.get(f"{SENDS}/{send['id']}/recipients", headers={"Accept": "text/csv"})

    assert sizes in ([2, 2, 1], [2, 2, 1, 0])
    assert {answer["responder"]["objectId"]: answer["data"]["note"] for answer in found} == notes
    assert table.status == everybody.status == 200
    assert table.headers["Content-Type"].startswith("text/csv")
    assert everybody.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert len(rows) == 5
    assert {json.loads(row["responder"])["objectId"]: json.loads(row["data"])["note"] for row in rows} == notes
    assert {row["submitActionId"] for row in rows} == {"Reject"}
    assert all(row["responseTime"] and row["messageLink"] for row in rows)
    results = {row["userId"]: row for row in csv.DictReader(io.StringIO(everybody.text))}
    assert set(results) == set(ids(people))
    assert {user: json.loads(row["response"])["data"]["note"] for user, row in results.items() if row["response"]} == (
        notes
    )
    assert {row["state"] for row in results.values()} == {"delivered"}
    by_json = {result["userId"]: result for result in await asking.stack.results(send["id"])}
    assert by_json[people[0].object_id]["response"] in found
    assert by_json[people[5].object_id]["response"] is None
    assert (await asking.status(send))["counts"]["responded"] == 5
    assert (await asking.stack.request("DELETE", f"{SENDS}/{send['id']}")).status == 204


@together
async def test_no_answers_are_an_empty_page_and_a_table_with_a_head(asking):
    (ada,) = await asking.stack.join(1)
    send = await asking.ask([ada])
    assert await asking.responses(send) == []
    table = await asking.stack.get(f"{SENDS}/{send['id']}/responses", headers={"Accept": "text/csv"})
    assert table.text.splitlines()[0].startswith("submitActionId,")
    assert len(table.text.splitlines()) == 1
    for query in ("top=0", "top=x", "continuation=x", "state=delivered"):
        (await asking.stack.get(f"{SENDS}/{send['id']}/responses?{query}")).is_problem(400)
    (await asking.stack.get(f"{SENDS}/{'a' * 26}/responses")).is_problem(404)


@together
async def test_operators_find_what_waits(asking):
    (ada,) = await asking.stack.join(1)
    send = await asking.ask([ada])
    await asking.stands(send, "waiting")
    listed = (await asking.stack.get("/api/ops/sends?status=waiting&top=100")).ok()["sends"]
    assert send["id"] in [entry["id"] for entry in listed]
    assert {entry["status"] for entry in listed} == {"waiting"}


# Who ends the wait


@together
async def test_the_first_answer_ends_it_for_all_and_later_ones_change_nothing(asking):
    ada, alan, grace = await asking.stack.join(3)
    send = await asking.ask([ada, alan, grace])
    stale = {person: await asking.card(person) for person in (ada, alan, grace)}
    await asking.delivered(send)

    await asking.press(ada)
    outcome = await asking.outcome(send)

    assert (outcome["outcome"], outcome["statusCode"], outcome["succeeded"]) == ("responded", 200, True)
    assert outcome["responder"]["objectId"] == ada.object_id
    await asking.shows(ada, THANKS)
    for person in (alan, grace):
        await asking.shows(person, CLOSED)
    for person in (alan, ada):  # whose clients had not drawn the change yet
        await asking.press(person, "Reject", message=stale[person])
    await asyncio.sleep(1.5)
    assert THANKS in json.dumps(asking.stack.got(ada)) or CLOSED in json.dumps(asking.stack.got(ada))
    assert CLOSED in json.dumps(asking.stack.got(alan))
    assert [len(asking.stack.got(person)) for person in (ada, alan, grace)] == [1, 1, 1]
    again = await asking.outcome(send)
    assert again == outcome
    assert (await asking.status(send))["status"] == "completed"


@together
async def test_all_waits_for_everybody_who_was_reached(asking):
    people = await asking.stack.join(3)
    gone = asking.stack.strangers(1)
    options = {"ifBotNotInstalled": "succeedWithStatusCode"}
    send = (await asking.post([*people, *gone], completeWhen="all", options=options)).ok(202)
    for person in people:
        await asking.card(person)

    for count, person in enumerate(people):
        now = await asking.stack.get(send["outcomeUrl"])
        assert now.ok(202)["counts"]["responded"] == count
        await asking.press(person, "Reject" if count else "Approve")
    outcome = await asking.outcome(send)

    assert outcome["outcome"] == "responded"
    assert (outcome["statusCode"], outcome["succeeded"]) == (207, False)
    assert (outcome["counts"]["responded"], outcome["counts"]["notInstalled"]) == (3, 1)
    assert {r["responder"]["objectId"]: r["submitActionId"] for r in outcome["responses"]} == dict(
        zip(ids(people), ("Approve", "Reject", "Reject"), strict=True)
    )
    assert "submitActionId" not in outcome, "with several answers none stands at the top"
    for person in people:
        await asking.shows(person, THANKS)


@together
async def test_a_second_answer_of_one_person_is_not_another_persons(asking):
    ada, alan = await asking.stack.join(2)
    send = await asking.ask([ada, alan], completeWhen="all")
    card = await asking.card(ada)
    await asking.press(ada, "Approve")
    await asking.press(ada, "Reject", message=card)
    await asking.press(ada, "Approve", message=card)
    assert [answer["submitActionId"] for answer in await asking.responses(send)] == ["Approve"]
    assert (await asking.stack.get(send["outcomeUrl"])).ok(202)["counts"]["responded"] == 1
    await asking.press(alan, "Reject")
    assert (await asking.outcome(send))["counts"]["responded"] == 2


@together
async def test_each_is_over_when_everybody_has_answered(asking):
    ada, alan = await asking.stack.join(2)
    send = await asking.ask([ada, alan], completeWhen="each")
    await asking.press(ada)
    await asyncio.sleep(1)
    assert (await asking.stack.get(send["outcomeUrl"])).status == 202
    await asking.press(alan, "Reject")
    outcome = await asking.outcome(send)
    assert (outcome["outcome"], len(outcome["responses"])) == ("responded", 2)


@together
async def test_an_answer_before_the_delivery_is_written_down_counts(asking):
    (ada,) = await asking.stack.join(1)
    slow = Fault(operation="send", person=ada.object_id, cut="reset", accepted=True, delay=4, times=1)
    asking.stack.teams.fault(slow)  # Teams has the card long before we know
    send = (await asking.post([ada])).ok(202)
    await asking.card(ada)
    await asking.press(ada, "Reject")

    outcome = await asking.outcome(send)

    assert (outcome["outcome"], outcome["submitActionId"], outcome["succeeded"]) == ("responded", "Reject", True)
    assert outcome["results"][0]["state"] == "delivered"
    await asking.delivered(send)
    assert (await asking.status(send))["counts"] == outcome["counts"], "it is told the same everywhere"
    (result,) = await asking.stack.results(send["id"])
    assert (result["state"], result["statusCode"]) == ("delivered", 200)
    assert len(asking.stack.got(ada)) == 1
    await asking.shows(ada, THANKS)


@together
async def test_a_card_that_arrives_after_the_end_is_closed_too(asking):
    ada, alan = await asking.stack.join(2)
    asking.stack.teams.fault(Fault(operation="send", person=alan.object_id, delay=4, times=1))
    send = (await asking.post([ada, alan])).ok(202)
    await asking.card(ada)
    await asking.press(ada)
    assert (await asking.outcome(send))["responder"]["objectId"] == ada.object_id
    await asking.stack.teams.wait_delivered(alan)
    await asking.shows(alan, CLOSED)
    assert (await asking.stands(send, "completed"))["counts"]["delivered"] == 2


@together
async def test_who_was_not_sent_to_before_the_first_answer_is_left_in_peace(asking):
    ada, alan = await asking.stack.join(2)
    throttled = Fault(operation="send", person=alan.object_id, status=429, retry_after=4, times=1)
    asking.stack.teams.fault(throttled)
    send = (await asking.post([ada, alan])).ok(202)
    await asking.card(ada)
    await asking.press(ada)
    outcome = await asking.outcome(send)
    assert (outcome["outcome"], outcome["submitActionId"]) == ("responded", "Approve")
    await asking.delivered(send)
    assert asking.stack.got(alan) == []
    results = {result["userId"]: result for result in await asking.stack.results(send["id"])}
    assert (results[alan.object_id]["state"], results[alan.object_id]["statusCode"]) == ("cancelled", 409)
    assert (await asking.stack.outcome(send)).status == 200


@together
async def test_a_long_answer_is_kept_whole(asking):
    (ada,) = await asking.stack.join(1)
    send = await asking.ask([ada])
    words = "".join(secrets.token_hex(16) + "ü" for _ in range(1500))
    await asking.press(ada, "Reject", {"note": words})
    outcome = await asking.outcome(send)
    assert outcome["data"]["note"] == words
    assert (await asking.responses(send))[0]["data"]["note"] == words


@together
async def test_who_has_answered_is_not_asked_again(asking):
    ada, alan = await asking.stack.join(2)
    # The connection breaks, so that for all we know the card may not have arrived: but the answer shows that it has.
    lost = Fault(operation="send", person=ada.object_id, cut="reset", accepted=True, delay=3, times=1)
    asking.stack.teams.fault(lost)
    send = (await asking.post([ada, alan], completeWhen="all")).ok(202)
    await asking.card(ada)
    await asking.press(ada)
    await asking.shows(ada, THANKS)

    await asking.delivered(send)
    await asyncio.sleep(1)

    assert len(asking.stack.got(ada)) == 1
    await asking.press(alan)
    outcome = await asking.outcome(send)
    assert (outcome["succeeded"], outcome["counts"]["responded"], outcome["counts"]["delivered"]) == (True, 2, 2)


@together
async def test_nobody_reached_is_told_at_once_and_fails_the_run(asking):
    (nobody,) = asking.stack.strangers(1)
    outcome = (await asking.post([nobody], prefer=30)).ok(424)
    assert (outcome["outcome"], outcome["statusCode"], outcome["succeeded"]) == ("notDelivered", 100, False)
    assert outcome["responses"] == []
    options = {"ifBotNotInstalled": "succeedWithStatusCode"}
    outcome = (await asking.post([nobody], prefer=30, options=options)).ok(200)
    assert (outcome["outcome"], outcome["statusCode"]) == ("notDelivered", 100)


@together
async def test_a_deleted_question_is_withdrawn(asking):
    people = await asking.stack.join(2)
    send = await asking.ask(people, completeWhen="all")
    cards = [await asking.card(person) for person in people]
    await asking.press(people[0])
    for _ in range(2):
        assert (await asking.stack.request("DELETE", f"{SENDS}/{send['id']}")).status == 204

    outcome = await asking.outcome(send)

    assert outcome["outcome"] == "cancelled"
    assert (outcome["counts"]["responded"], outcome["counts"]["delivered"]) == (1, 2)
    assert (await asking.status(send))["status"] == "cancelled"
    await asking.shows(people[0], THANKS)
    await asking.shows(people[1], "withdrawn")
    await asking.press(people[1], message=cards[1])
    assert len(await asking.responses(send)) == 1
    assert (await asking.stack.request("DELETE", f"{SENDS}/{send['id']}")).status == 204


@together
async def test_a_question_that_is_deleted_before_its_time_is_never_asked(asking):
    (ada,) = await asking.stack.join(1)
    at = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    send = (await asking.stack.post({**asking.body([ada]), "sendAt": at})).ok(202)
    assert (await asking.status(send))["status"] == "scheduled"
    assert (await asking.stack.request("DELETE", f"{SENDS}/{send['id']}")).status == 204
    outcome = await asking.outcome(send)
    assert (outcome["outcome"], outcome["statusCode"]) == ("cancelled", 409)
    await asyncio.sleep(4)
    assert asking.stack.got(ada) == []


# Requests


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"card": None, "message": "Hello"}, {"/wait"}),
        ({"card": DONE}, {"/card"}),
        ({"wait": {"timeout": "PT59S"}}, {"/wait/timeout"}),
        ({"wait": {"timeout": "P31D"}}, {"/wait/timeout"}),
        ({"wait": {"timeout": "a week"}}, {"/wait/timeout"}),
        ({"wait": {"timeout": 60}}, {"/wait/timeout"}),
        ({"wait": {"completeWhen": "any"}}, {"/wait/completeWhen"}),
        ({"wait": {"timeOut": "PT5M"}}, {"/wait/timeOut"}),
        ({"wait": {"updateMessage": 5}}, {"/wait/updateMessage"}),
        ({"wait": {"updateMessage": ""}}, {"/wait/updateMessage"}),
        ({"wait": True}, {"/wait"}),
        ({"wait": []}, {"/wait"}),
        (
            {
                "wait": {"timeout": "PT1S", "completeWhen": "some"},
                "recipients": [],
                "callbackUrl": "https://x.example/",
            },
            {"/wait/timeout", "/wait/completeWhen", "/recipients", "/callbackUrl"},
        ),
    ],
    ids=str,
)
@together
async def test_what_cannot_be_waited_for_is_refused(asking, fields, pointers):
    body = {"tenant": CONTOSO, "recipients": ["a@b.c"], "card": question(), "wait": {}}
    reply = await asking.stack.post({**body, **fields})
    assert reply.status == 400
    assert set(reply.pointers) == pointers


@pytest.mark.parametrize("timeout", ["PT1M", "P30D", "P4W", "PT720H"])
@together
async def test_a_timeout_is_a_minute_to_thirty_days(asking, timeout):
    (ada,) = await asking.stack.join(1)
    send = await asking.ask([ada], timeout=timeout)
    assert (await asking.stack.request("DELETE", f"{SENDS}/{send['id']}")).status == 204


# Event sources


@together
async def test_an_event_can_ask(asking):
    (ada,) = await asking.stack.join(1)
    key = str(uuid.uuid4())
    event = {"specversion": "1.0", "type": "x", "source": "/orders", "id": key, "data": asking.body([ada])}
    await asking.stack.put(json.dumps(event))
    await asking.card(ada)
    await asking.press(ada, "Reject")
    await asking.shows(ada, THANKS)

    listed = (await asking.stack.get("/api/ops/sends?top=1000")).ok()["sends"]
    answers = [answer for send in listed for answer in await asking.responses(send) if send["counts"]["responded"]]
    (mine,) = [answer for answer in answers if answer["responder"]["objectId"] == ada.object_id]
    assert mine["submitActionId"] == "Reject"


# Time


@in_the_background
async def test_a_question_expires(asking):
    ada, alan = await asking.stack.join(2)
    run = asking.flows.run()
    asked_at = time.monotonic()
    send = await asking.ask([ada, alan], run=run, timeout="PT1M", completeWhen="all")
    stale = await asking.card(alan)
    await asking.press(ada)

    (call,) = await run.called(1, 115)

    assert 58 < call.at - asked_at < 120
    outcome = call.body
    assert (outcome["outcome"], outcome["statusCode"], outcome["succeeded"]) == ("timedOut", 200, True)
    assert [answer["responder"]["objectId"] for answer in outcome["responses"]] == [ada.object_id]
    assert outcome["counts"]["responded"] == 1
    read = (await asking.stack.get(send["outcomeUrl"])).ok(200)
    assert (read["outcome"], read["responses"]) == ("timedOut", outcome["responses"])
    assert (await asking.status(send))["status"] == "completed"
    await asking.shows(alan, "expired")
    await asking.shows(ada, THANKS)
    await asking.press(alan, message=stale)
    await asyncio.sleep(3)
    await asking.shows(alan, "expired")
    assert len(await asking.responses(send)) == 1
    assert len(run.got) == 1


@in_the_background
async def test_a_question_that_one_person_leaves_unanswered_expires_without_a_callback(asking):
    (ada,) = await asking.stack.join(1)
    held = asyncio.create_task(asking.post([ada], EXECUTE, prefer=100, timeout="PT1M"))
    stale = await asking.card(ada)
    outcome = (await held).ok(200)
    assert (outcome["outcome"], outcome["statusCode"], outcome["succeeded"]) == ("timedOut", 200, True)
    assert outcome["responses"] == []
    assert "submitActionId" not in outcome
    late = await (await asking.stack.crowd()).execute(ada, stale, buttons(stale)[0], {})
    assert "expired" in json.dumps(late.body["value"])
    await asking.shows(ada, "expired")
