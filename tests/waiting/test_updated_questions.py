"""A question whose card was replaced by an update: the answers count for the question."""

from collections.abc import Callable
from typing import Any

import pytest

from local.teams import Crowd, Fault, Person, TeamsStandIn
from proactive import report, verbs
from proactive.model import Send
from proactive.store.account import Account
from tests.delivery.conftest import CrashError, crash_at
from tests.waiting.conftest import CONFIRMATION, EXECUTE, Flow, House

type Ask = Callable[..., Any]

CORRECTED: dict[str, Any] = {
    "type": "AdaptiveCard",
    "version": "1.5",
    "body": [{"type": "TextBlock", "text": "Corrected"}, {"type": "Input.Text", "id": "why"}],
    "actions": [
        {"type": "Action.OpenUrl", "title": "Look", "url": "https://contoso.com"},
        {"type": "Action.Submit", "title": "Never", "data": {"choice": 0}},
        {"type": "Action.Submit", "title": "Maybe", "id": "maybe", "data": {"choice": 1}},
        {"type": "Action.Submit", "title": "Surely", "data": {"choice": 2}},
    ],
}


async def updated(house: House, other: Send, card: dict[str, Any] = CORRECTED) -> Send:
    send = await verbs.update(house.service, await house.kept(other), {"card": card}, key=None)
    await house.drain()
    return await house.kept(send)


def text_of(teams: TeamsStandIn, person: Person) -> str:
    return str(teams.delivered(person)[-1].get("text", ""))


@pytest.mark.parametrize("times", [1, 3])
async def test_an_answer_to_an_updated_card_counts_for_the_question(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask, times: int
) -> None:
    send = await ask(people[:3], updateMessage="Noted")
    newest = send
    for _ in range(times):
        newest = await updated(house, newest)

    await crowd.press(people[1], "Surely", {"why": "because"})
    await house.advance(60)

    ((headers, body),) = flow.got
    assert headers["webhook-id"] == f"{send.id}.completed"
    assert (body["id"], body["outcome"], body["submitActionId"]) == (send.id, "responded", "Surely")
    assert body["data"] == {"choice": 2, "why": "because"}
    assert body["responder"]["objectId"] == people[1].object_id
    assert body["messageId"] == teams.delivered(people[1])[0]["id"]
    answered = [row["recipient"] for row in body["results"] if row["response"]]
    assert answered == [people[1].object_id]
    assert text_of(teams, people[1]) == "Noted"
    assert {text_of(teams, person) for person in (people[0], people[2])} == {
        "This question is closed: it has been answered."
    }
    assert (await report.status(house.service, newest))["counts"]["responded"] == 0


async def test_each_persons_place_in_the_question_is_kept_when_only_some_were_reached(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    send = await ask(people, gone=people[:2], completeWhen="all")
    teams.fault(Fault(status=400, person=people[2].object_id, operation="update", times=1))
    first = await updated(house, send)
    await verbs.retry(house.service, first)
    await house.drain()

    for person in people[2:]:
        await crowd.press(person, "Maybe")
    await house.advance(60)

    ((_, body),) = flow.got
    assert (body["outcome"], body["counts"]["responded"]) == ("responded", 4)
    given = {row["recipient"]: row["response"]["responder"]["objectId"] for row in body["results"] if row["response"]}
    assert given == {person.object_id: person.object_id for person in people[2:]}


async def test_the_first_card_may_still_be_answered_where_the_update_did_not_arrive(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    await_all = await ask(people[:2], completeWhen="all")
    teams.fault(Fault(status=400, person=people[0].object_id, operation="update", times=1))
    await updated(house, await_all)

    await crowd.press(people[0], "Edit Order", {"note": "old"})
    await crowd.press(people[1], "Surely")
    await house.advance(60)

    ((_, body),) = flow.got
    assert [answer["submitActionId"] for answer in body["responses"]] == ["Edit Order", "Surely"]


async def test_each_answer_is_called_back_and_only_the_first_of_a_person_counts(
    house: House, crowd: Crowd, people: list[Person], flow: Flow, ask: Ask, teams: TeamsStandIn
) -> None:
    send = await ask(people[:2], completeWhen="each")
    await crowd.press(people[0], "Submit Order")
    await house.drain()
    new = await updated(house, send)
    await crowd.press(people[0], "Surely")
    await crowd.press(people[1], "Maybe")
    await house.advance(120)

    assert new.marked
    assert [body["event"] for _, body in flow.got].count("response") == 2
    answers, _ = await report.responses(house.service, send)
    assert [answer["submitActionId"] for answer in answers] == ["Submit Order", "Maybe"]


async def test_nobody_answers_for_somebody_else(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    ada, eve, *_ = people
    send = await ask([ada, eve])
    await updated(house, send)
    card = teams.delivered(ada)[-1]
    action = card["attachments"][0]["content"]["actions"][3]

    await crowd.submit(eve, card, action)
    await house.advance(60)

    assert flow.got == []
    assert (await report.responses(house.service, send))[0] == []


async def test_a_forged_ticket_is_no_answer(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    send = await ask(people[:2])
    await updated(house, send)
    card = teams.delivered(people[0])[-1]
    action = card["attachments"][0]["content"]["actions"][3]
    mark = action["data"]["~proactive"]
    ticket, _, number = mark.rpartition(".")

    for forged in (ticket[:-1] + ("0" if ticket[-1] != "0" else "1"), ticket.replace("-0-0-", "-0-1-")):
        await crowd.submit(people[0], card, {**action, "data": {**action["data"], "~proactive": f"{forged}.{number}"}})
    await crowd.submit(people[0], card, {**action, "data": {**action["data"], "~proactive": f"{ticket}.99"}})
    await house.advance(60)

    assert flow.got == []
    assert (await report.responses(house.service, send))[0] == []


async def test_an_update_can_ask_by_execute_and_its_answer_shows_the_questions_text(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], ask: Ask
) -> None:
    send = await ask(people[:1], updateMessage="Approved, thanks")
    await updated(house, send, EXECUTE)

    posted = await crowd.press(people[0], "Approve")

    assert "Approved, thanks" in str(posted.body["value"])


async def test_a_question_that_is_over_is_not_asked_again_by_an_update(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    send = await ask(people[:1])
    before = await updated(house, send)
    await crowd.press(people[0], "Never")
    await house.advance(60)

    after = await updated(house, before)
    posted = await crowd.press(people[0], "Surely")
    await house.drain()

    assert (before.marked, after.marked) == (True, False)
    assert posted.status == 200
    assert len(flow.got) == 1
    answers, _ = await report.responses(house.service, send)
    assert [answer["submitActionId"] for answer in answers] == ["Never"]


async def test_an_update_of_what_asks_nothing_has_no_answers(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person]
) -> None:
    await house.knows(people[:1])
    send = await house.accept(people[:1])
    await house.drain()
    assert not (await updated(house, send, CONFIRMATION)).marked

    posted = await crowd.press(people[0], "Submit Order")
    await house.drain()

    assert posted.status == 200
    assert "Nobody waits" in text_of(teams, people[0])


async def test_a_retried_question_waits_for_itself(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    teams.fault(Fault(status=400, person=people[0].object_id, operation="send", times=1))
    send = await ask(people[:2], completeWhen="all")
    again = await verbs.retry(house.service, send)
    await house.drain()
    await updated(house, again)

    await crowd.press(people[0], "Surely")
    await house.advance(60)

    assert flow.got == []
    now = await report.status(house.service, await house.kept(again))
    assert (now["status"], now["counts"]["responded"]) == ("completed", 1)
    assert (await report.status(house.service, await house.kept(send)))["counts"]["responded"] == 0


@pytest.mark.parametrize("name", ["put", "transaction", "upsert"])
@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_an_answer_to_an_updated_card_that_a_crash_cut_short_is_mended(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask, name: str, nth: int
) -> None:
    send = await ask(people[:2], updateMessage="Noted")
    await updated(house, send)
    card = teams.delivered(people[0])[-1]
    action = card["attachments"][0]["content"]["actions"][3]
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Account, name, nth, after=True)
        try:
            await crowd.submit(people[0], card, action)
        except CrashError:
            pytest.fail("the endpoint answers 500")

    await house.advance(200)
    if not flow.got:  # nothing was kept: the person presses again
        await crowd.submit(people[0], card, action)
        await house.advance(200)

    assert len(flow.accepted) == 1
    assert flow.got[0][1]["submitActionId"] == "Surely"
    assert text_of(teams, people[0]) == "Noted"
    answers, _ = await report.responses(house.service, send)
    assert len(answers) == 1
