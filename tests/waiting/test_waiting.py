"""Ask and wait: the first answer counts, the flow is called, the cards show it."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from local.teams import Crowd, Fault, Person, TeamsStandIn
from proactive import reach, report
from proactive.accept import accept
from proactive.cancel import cancel
from tests.waiting.conftest import CONFIRMATION, EXECUTE, Flow, House

type Ask = Callable[..., Any]


def text_of(teams: TeamsStandIn, person: Person) -> str:
    """Return what stands in the place of the person's card now."""
    return str(teams.delivered(person)[-1].get("text", ""))


async def test_an_answer_reaches_the_flow_and_turns_the_card(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    ada, *_ = people
    send = await ask([ada], updateMessage="Thank you, Ada")

    posted = await crowd.press(ada, "Edit Order", {"note": "no onions"})
    await house.advance(10)

    assert posted.status == 200
    ((headers, body),) = flow.got
    assert headers["webhook-id"] == f"{send.id}.completed"
    assert (body["outcome"], body["statusCode"], body["succeeded"]) == ("responded", 200, True)
    assert (body["submitActionId"], body["actionId"]) == ("Edit Order", "edit")
    assert body["data"] == {"order": 4711, "note": "no onions"}
    assert body["responder"]["objectId"] == ada.object_id
    assert body["responder"]["tenantId"] == ada.tenant_id
    assert body["messageId"] == teams.received[0].activity_id
    assert body["messageId"] in body["messageLink"]
    assert body["counts"]["responded"] == 1
    assert body["responses"][0]["submitActionId"] == "Edit Order"
    assert body["results"][0]["response"]["submitActionId"] == "Edit Order"
    assert text_of(teams, ada) == "Thank you, Ada"
    assert "attachments" not in teams.delivered(ada)[-1]
    now = await report.status(house.service, await house.kept(send))
    assert (now["status"], now["callback"]["state"]) == ("completed", "accepted")


async def test_the_card_looks_the_same_but_for_the_marks(teams: TeamsStandIn, people: list[Person], ask: Ask) -> None:
    await ask(people[:2])

    cards = [teams.delivered(person)[0]["attachments"][0]["content"] for person in people[:2]]

    assert all(card["body"] == CONFIRMATION["body"] for card in cards)
    assert [action["title"] for action in cards[0]["actions"]] == ["Submit Order", "Edit Order"]
    assert cards[0]["actions"][0]["data"] != cards[1]["actions"][0]["data"]


async def test_an_execute_is_answered_in_line_with_the_card(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    await ask(people[:1], EXECUTE, updateMessage="Approved, thanks")

    posted = await crowd.press(people[0], "Approve")

    assert posted.body["statusCode"] == 200
    assert posted.body["type"] == "application/vnd.microsoft.card.adaptive"
    assert "Approved, thanks" in str(posted.body["value"])
    await house.advance(10)
    ((_, body),) = flow.got
    assert (body["submitActionId"], body["data"]) == ("Approve", {"days": 3})
    assert text_of(teams, people[0]) == "Approved, thanks"


async def test_an_update_card_takes_the_place_of_the_card(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], ask: Ask
) -> None:
    card = {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "Done"}]}
    await ask(people[:1], updateMessage=card)

    await crowd.press(people[0], "Submit Order")
    await house.drain()

    assert teams.delivered(people[0])[-1]["attachments"][0]["content"] == card


async def test_fifty_answers_at_one_instant_count_once_and_call_once(
    house: House, crowd: Crowd, people: list[Person], flow: Flow, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pass_on(seconds: float) -> None:
        house.clock.ahead += seconds

    # Fifty updates of one card keep the limits of its conversation for twelve seconds.
    monkeypatch.setattr(reach, "asyncio", SimpleNamespace(sleep=pass_on))
    send = await ask(people[:1])

    posted = await asyncio.gather(*(crowd.press(people[0], "Submit Order") for _ in range(50)))
    await house.advance(60)

    assert {answer.status for answer in posted} == {200}
    assert len(flow.got) == 1
    answers, _ = await report.responses(house.service, send)
    assert len(answers) == 1


async def test_the_first_answer_closes_the_question_for_the_others(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    send = await ask(people)

    await crowd.press(people[2], "Submit Order")
    late = await crowd.press(people[3], "Edit Order")
    await house.advance(60)

    assert late.status == 200
    assert len(flow.got) == 1
    assert flow.got[0][1]["responder"]["objectId"] == people[2].object_id
    assert text_of(teams, people[2]) == "Thanks for your response!"
    assert {text_of(teams, person) for person in people if person != people[2]} == {
        "This question is closed: it has been answered."
    }
    assert (await report.status(house.service, await house.kept(send)))["counts"]["responded"] == 1


async def test_cards_that_teams_cannot_take_now_are_replaced_later(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    await ask(people[:2])
    teams.fault(Fault(status=503, operation="update", times=2))

    await crowd.press(people[0], "Submit Order")
    await house.advance(120)

    assert len(flow.got) == 1
    assert text_of(teams, people[0]) == "Thanks for your response!"
    assert text_of(teams, people[1]).startswith("This question is closed")


async def test_all_waits_for_everybody_whom_the_card_reached(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    send = await ask(people, gone=people[5:], completeWhen="all")
    teams_reached = people[:5]

    for person in teams_reached[:-1]:
        await crowd.press(person, "Submit Order")
    await house.advance(60)
    assert flow.got == []
    assert (await report.status(house.service, await house.kept(send)))["status"] == "waiting"
    await crowd.press(teams_reached[-1], "Edit Order")
    await house.advance(60)

    ((_, body),) = flow.got
    assert (body["outcome"], body["counts"]["responded"], len(body["responses"])) == ("responded", 5, 5)


async def test_an_unsubscribed_flow_is_not_called(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    send = await ask(people[:1])

    await cancel(house.service, send.id, told=False)
    await house.advance(60)

    assert flow.got == []
    assert text_of(teams, people[0]) == "This question was withdrawn."
    outcome = await report.outcome(house.service, await house.kept(send))
    assert outcome
    assert outcome.body["outcome"] == "cancelled"
    assert outcome.body["callback"] == {"state": "givenUp", "attempts": []}, "nobody will be called any more"


async def test_a_callback_waits_for_an_answer_that_is_held_back(
    house: House, crowd: Crowd, people: list[Person], flow: Flow
) -> None:
    await house.knows(people[:1])
    body = {"recipients": [people[0].object_id], "message": "hello", "callbackUrl": flow.url}
    send = await accept(house.service, body, hold=50)
    await house.advance(30)
    assert flow.got == []

    await house.service.sends.note(send.id, held_until=house.clock())
    await house.advance(2)
    assert flow.got == []
    await house.advance(5)

    assert len(flow.got) == 1


async def test_all_at_the_same_instant_end_the_wait_once(
    house: House, crowd: Crowd, people: list[Person], flow: Flow, ask: Ask
) -> None:
    await ask(people, completeWhen="all")

    await asyncio.gather(*(crowd.press(person, "Submit Order") for person in people))
    await house.advance(60)

    ((_, body),) = flow.got
    assert body["counts"]["responded"] == len(people)


async def test_each_answer_is_called_back_and_then_the_end(
    house: House, crowd: Crowd, people: list[Person], flow: Flow, ask: Ask
) -> None:
    await ask(people[:2], completeWhen="each")

    for person in people[:2]:
        await crowd.press(person, "Submit Order")
    await house.advance(60)

    events = sorted((body["event"], len(body["responses"])) for _, body in flow.got)
    assert events == [("completed", 2), ("response", 1), ("response", 1)]
    assert len(flow.accepted) == 3


async def test_the_time_out_ends_the_wait_to_the_minute(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    send = await ask(people[:2], timeout="P30D")
    month = 30 * 86_400

    await house.advance(month - 120)
    assert flow.got == []
    await house.advance(180)

    ((_, body),) = flow.got
    assert (body["outcome"], body["statusCode"]) == ("timedOut", 200)
    ended = await house.service.answers.ended(send.id)
    assert ended
    assert 0 <= ended.at - send.closes_at < 60
    assert {text_of(teams, person) for person in people[:2]} == {"This question has expired."}
    late = await crowd.press(people[0], "Submit Order") if teams.delivered(people[0])[-1].get("attachments") else None
    assert late is None


@pytest.mark.parametrize("reached", [0, 1])
async def test_at_the_time_out_who_was_not_sent_to_yet_is_settled_before_it_is_told(
    house: House, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask, reached: int
) -> None:
    # GIVEN somebody who has just written to the bot, so that the card is held back for half an hour
    await house.knows(people[:1], last_message_at=house.clock())
    body = {"recipients": [], "card": CONFIRMATION, "wait": {"timeout": "PT5M"}, "callbackUrl": flow.url}
    await house.knows(people[1 : 1 + reached])
    body["recipients"] = [person.object_id for person in people[: 1 + reached]]
    send = await accept(house.service, body | {"options": {"ifChatIsActive": "postpone"}})
    await house.advance(240)
    assert flow.got == []

    # WHEN the time is over, and only the card of the other is there
    await house.advance(120)

    # THEN nobody is pending any more, and "timedOut" is said only where somebody could have answered
    ((_, told),) = flow.got
    assert told["outcome"] == ("timedOut" if reached else "notDelivered")
    assert told["statusCode"] == (207 if reached else 409)
    assert (told["counts"]["pending"], told["counts"]["cancelled"], told["counts"]["delivered"]) == (0, 1, reached)
    assert (await report.status(house.service, await house.kept(send)))["status"] == "completed"
    await house.advance(3600)
    assert teams.delivered(people[0]) == []
    assert len(flow.got) == 1


async def test_an_answer_after_the_end_changes_nothing(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    send = await ask(people[:1], timeout="PT1M")
    card = teams.delivered(people[0])[-1]
    await house.advance(120)

    await crowd.submit(people[0], card, card["attachments"][0]["content"]["actions"][0], {})
    await house.advance(60)

    assert [body["outcome"] for _, body in flow.got] == ["timedOut"]
    assert await report.responses(house.service, send) == ([], None)
    assert text_of(teams, people[0]) == "This question has expired."


async def test_nobody_reached_is_told_at_once(
    house: House, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    send = await ask(people[:1], gone=people[:1])
    await house.advance(10)

    ((_, body),) = flow.got
    assert (body["outcome"], body["statusCode"]) == ("notDelivered", 100)
    outcome = await report.outcome(house.service, await house.kept(send))
    assert outcome
    assert outcome.failed


async def test_cancelling_ends_the_wait_and_the_cards_show_it(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    send = await ask(people[:2])

    await cancel(house.service, send.id, told=True)
    await cancel(house.service, send.id, told=True)
    await house.advance(60)

    assert [body["outcome"] for _, body in flow.got] == ["cancelled"]
    assert {text_of(teams, person) for person in people[:2]} == {"This question was withdrawn."}
    assert (await report.status(house.service, await house.kept(send)))["status"] == "cancelled"


async def test_after_an_accepted_callback_cancelling_only_stops_further_ones(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    send = await ask(people[:3], completeWhen="each")
    await crowd.press(people[0], "Submit Order")
    await house.advance(10)

    await cancel(house.service, send.id, told=False)
    await crowd.press(people[1], "Submit Order")
    await house.advance(60)

    assert [body["event"] for _, body in flow.got] == ["response"]
    answers, _ = await report.responses(house.service, send)
    assert len(answers) == 2


async def test_an_operator_ends_a_question_of_which_answers_have_been_told(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask
) -> None:
    send = await ask(people[:3], completeWhen="each")
    await crowd.press(people[0], "Submit Order")
    await house.advance(10)

    await cancel(house.service, send.id, told=True)
    await cancel(house.service, send.id, told=True)
    await house.advance(60)

    assert [(body["event"], body["outcome"]) for _, body in flow.got[1:]] == [("completed", "cancelled")]
    assert {text_of(teams, person) for person in people[1:3]} == {"This question was withdrawn."}
    assert (await report.status(house.service, await house.kept(send)))["status"] == "cancelled"


@pytest.mark.parametrize("spoil", ["other person", "truncated", "other send", "no mark", "wild number"])
async def test_a_mark_that_is_not_ones_own_changes_nothing_and_is_answered_politely(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow, ask: Ask, spoil: str
) -> None:
    ada, eve = people[:2]
    send = await ask([ada, eve])
    mine = teams.delivered(eve)[0]
    action = dict(teams.delivered(eve)[0]["attachments"][0]["content"]["actions"][0])
    theirs = teams.delivered(ada)[0]["attachments"][0]["content"]["actions"][0]
    (key, mark), *_ = action["data"].items()
    action["data"] = {
        "other person": theirs["data"],
        "truncated": {key: mark[:-9]},
        "other send": {key: "a" * 26 + mark[26:]},
        "no mark": {"hello": 1},
        "wild number": {key: mark.rpartition(".")[0] + ".999"},
    }[spoil]

    posted = await crowd.submit(eve, mine, action, {})
    await house.drain()

    assert posted.status == 200
    assert await report.responses(house.service, send) == ([], None)
    assert teams.delivered(eve)[-1]["text"].endswith(".")
    assert flow.got == []


async def test_an_answer_that_overtakes_the_record_of_the_delivery_counts(
    house: House, crowd: Crowd, teams: TeamsStandIn, people: list[Person], flow: Flow
) -> None:
    ada = people[0]
    await house.knows([ada])
    real = house.service.teams.send

    async def answered_at_once(*args: Any) -> Any:
        verdict = await real(*args)
        await crowd.press(ada, "Submit Order")
        return verdict

    house.service.teams.send = answered_at_once  # type: ignore[method-assign]
    body = {"recipients": [ada.object_id], "card": CONFIRMATION, "wait": {}, "callbackUrl": flow.url}
    send = await accept(house.service, body)
    await house.advance(60)

    ((_, told),) = flow.got
    assert (told["outcome"], told["succeeded"], told["counts"]["delivered"]) == ("responded", True, 1)
    assert (await house.states(send)) == ["delivered"]


async def test_results_show_responses_and_answers_can_be_paged(
    house: House, crowd: Crowd, people: list[Person], ask: Ask
) -> None:
    send = await ask(people, completeWhen="all")
    for person in people[:5]:
        await crowd.press(person, "Submit Order", {"note": f"=1+{person.name}"})

    rows, _ = await report.results(house.service, await house.kept(send))
    first, after = await report.responses(house.service, send, top=3)
    assert after
    rest, end = await report.responses(house.service, send, top=3, after=after)

    assert [bool(row["response"]) for row in rows] == [True] * 5 + [False]
    assert (len(first), len(rest), end) == (3, 2, None)
    table = report.table(first, report.RESPONSE_COLUMNS)
    assert table.splitlines()[0].startswith("submitActionId,actionId,data")
    assert len(table.splitlines()) == 4
