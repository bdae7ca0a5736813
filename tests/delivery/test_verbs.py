"""Retry, update, recall: each does its work once for those it is meant for, whatever happens in between."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from local.teams import Fault, Person, TeamsStandIn
from proactive import plan, report, verbs
from proactive.accept import accept
from proactive.cancel import cancel
from proactive.model import Send
from proactive.problems import ProblemError
from proactive.store.account import PLANS, Account
from proactive.teams import Presence
from tests.delivery.conftest import Clock, CrashError, House, crash_at

type Verb = Callable[[House, Send], Any]

CARD = {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "corrected"}]}


async def retry(house: House, other: Send) -> Send:
    return await verbs.retry(house.service, await house.kept(other))


async def update(house: House, other: Send, text: str = "corrected", key: str | None = "k") -> Send:
    return await verbs.update(house.service, await house.kept(other), {"message": text}, key=key)


async def recall(house: House, other: Send) -> Send:
    return await verbs.recall(house.service, await house.kept(other))


def texts(teams: TeamsStandIn, people: list[Person]) -> list[list[str]]:
    return [[activity.get("text", "") for activity in teams.delivered(person)] for person in people]


async def partly_failed(house: House, teams: TeamsStandIn, people: list[Person], failing: int, **body: Any) -> Send:
    """Send to people of whom the first ones cannot be reached now."""
    await house.knows(people)
    for person in people[:failing]:
        teams.fault(Fault(status=400, person=person.object_id, operation="send"))
    send = await house.accept(people, **body)
    await house.drain()
    teams.clear_faults()
    assert (await house.states(send)).count("failed") == failing
    return send


# Retry


async def test_a_retry_goes_to_those_who_failed_and_clicking_twice_is_clicking_once(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    send = await partly_failed(house, teams, people, 7)

    again = await asyncio.gather(*(retry(house, send) for _ in range(5)))
    await house.drain()
    late = await retry(house, send)
    await house.drain()

    assert {one.id for one in [*again, late]} == {late.id}
    assert texts(teams, people) == [["hello"]] * len(people)
    assert await house.states(late) == ["delivered"] * 7
    status = await report.status(house.service, await house.kept(late))
    assert (status["verb"], status["of"], status["status"]) == ("retry", send.id, "completed")
    assert status["counts"]["total"] == 7
    assert "verb" not in await report.status(house.service, await house.kept(send))


async def test_what_fails_again_is_retried_by_retrying_the_retry(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    send = await partly_failed(house, teams, people[:6], 3)
    fault = Fault(status=400, person=people[0].object_id, operation="send", times=1)
    teams.fault(fault)

    first = await retry(house, send)
    await house.drain()
    assert sorted(await house.states(first)) == ["delivered", "delivered", "failed"]
    second = await retry(house, first)
    await house.drain()

    assert second.id != first.id
    assert await house.states(second) == ["delivered"]
    assert texts(teams, people[:6]) == [["hello"]] * 6
    with pytest.raises(ProblemError) as refusal:
        await retry(house, second)
    assert refusal.value.status == 409


async def test_a_retry_has_all_its_time_again(
    house: House, teams: TeamsStandIn, people: list[Person], clock: Clock
) -> None:
    send = await partly_failed(house, teams, people[:2], 1, options={"deliverWithin": "PT1M"})
    clock.ahead += 600

    await retry(house, send)
    await house.drain()

    assert texts(teams, people[:2]) == [["hello"]] * 2


async def test_a_name_that_led_nowhere_is_looked_up_again_and_doubles_nobody(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada, alan, *_ = people
    await house.knows([ada])
    body = {"recipients": [ada.object_id, "The Countess", "The Mathematician", "Nobody"], "message": "hello"}
    send = await accept(house.service, body)
    await house.drain()
    assert sorted(await house.states(send)) == ["delivered", "failed", "failed", "failed"]
    await house.knows([alan])
    for person, name in ((ada, "The Countess"), (alan, "The Mathematician")):
        await house.service.conversations.learn_aliases(
            house.bot, person.tenant_id, person.object_id, {"name": name}, {}
        )

    first = await retry(house, send)
    await house.drain()
    assert sorted(await house.states(first)) == ["delivered", "failed"]
    await house.service.conversations.learn_aliases(house.bot, ada.tenant_id, ada.object_id, {"name": "Nobody"}, {})
    second = await retry(house, first)
    await house.drain()

    assert texts(teams, [ada, alan]) == [["hello"]] * 2
    assert await house.states(second) == []


async def test_a_send_that_could_not_be_planned_is_repeated_for_all_it_names(
    house: House, teams: TeamsStandIn, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proactive.accept._FEW", 0)
    monkeypatch.setattr("proactive.accept._FEW_IDS", 0)
    await house.knows(people)
    send = await accept(house.service, {"recipients": [{"everyone": True}], "message": "hello"}, operator=True)
    house.taken += [number for queue, number, _ in house.put if queue == PLANS]
    await house.service.account._queues.get_queue_client(PLANS).clear_messages()
    await plan.give_up(house.service, send.id)
    await house.drain()
    assert await house.states(send) == ["failed"]

    await retry(house, send)
    await house.drain()

    assert texts(teams, people) == [["hello"]] * len(people)


@pytest.mark.parametrize("verb", [retry, update, recall])
async def test_what_was_cancelled_of_a_verb_is_done_by_retrying_it(
    house: House, teams: TeamsStandIn, people: list[Person], verb: Verb
) -> None:
    some = people[:6]
    send = await partly_failed(house, teams, some, 6 if verb is retry else 0)
    new = await verb(house, send)
    await cancel(house.service, new.id, told=True)
    await house.drain()
    assert await house.states(new) == ["cancelled"] * 6
    assert (await verb(house, send)).id == new.id

    again = await retry(house, new)
    await house.drain()

    assert await house.states(again) == ["delivered"] * 6
    assert texts(teams, some) == {retry: [["hello"]], update: [["corrected"]], recall: [[]]}[verb] * 6


# Update


async def test_an_update_replaces_what_was_delivered(house: House, teams: TeamsStandIn, people: list[Person]) -> None:
    send = await partly_failed(house, teams, people, 4)

    new = await update(house, send)
    await house.drain()

    assert texts(teams, people) == [[]] * 4 + [["corrected"]] * (len(people) - 4)
    outcome = await report.outcome(house.service, await house.kept(new))
    assert outcome
    assert not outcome.failed
    assert outcome.body["counts"]["delivered"] == len(people) - 4
    before, _ = await report.results(house.service, send)
    after, _ = await report.results(house.service, await house.kept(new))
    assert {row["messageId"] for row in after} == {row["messageId"] for row in before if row["messageId"]}
    assert (await report.status(house.service, await house.kept(new)))["verb"] == "update"


async def test_a_text_becomes_a_card_and_each_update_is_a_new_one_unless_it_has_a_key(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    send = await partly_failed(house, teams, people[:2], 0)
    other = await house.kept(send)

    first = await verbs.update(house.service, other, {"card": CARD, "summary": "New"}, key=None)
    second = await update(house, send, "again", key=None)
    keyed = [await update(house, send, "keyed", key="once") for _ in range(2)]
    with pytest.raises(ProblemError) as refusal:
        await update(house, send, "other", key="once")

    assert first.id != second.id
    assert keyed[0].id == keyed[1].id
    assert refusal.value.status == 422
    assert first.activity["summary"] == "New"


async def test_an_update_of_an_update_and_a_recall_of_it_reach_the_same_messages(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    some = people[:5]
    send = await partly_failed(house, teams, some, 1)

    first = await update(house, send, "one")
    await house.drain()
    second = await update(house, first, "two")
    await house.drain()
    assert texts(teams, some) == [[]] + [["two"]] * 4
    gone = await recall(house, second)
    await house.drain()

    assert texts(teams, some) == [[]] * 5
    assert await house.states(gone) == ["delivered"] * 4


async def test_who_got_it_by_a_retry_is_updated_and_recalled_by_way_of_the_retry(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    send = await partly_failed(house, teams, people[:4], 2)
    again = await retry(house, send)
    await house.drain()

    await update(house, again, "corrected")
    await house.drain()
    assert texts(teams, people[:4]) == [["corrected"]] * 2 + [["hello"]] * 2
    await recall(house, again)
    await house.drain()

    assert texts(teams, people[:4]) == [[]] * 2 + [["hello"]] * 2


async def test_what_teams_refuses_to_change_is_told_and_retried_alone(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    some = people[:4]
    send = await partly_failed(house, teams, some, 0)
    teams.fault(Fault(status=404, code="ActivityNotFoundInConversation", person=some[1].object_id, operation="update"))

    new = await update(house, send)
    await house.drain()
    rows, _ = await report.results(house.service, await house.kept(new))
    assert [(row["statusCode"], row["reason"]) for row in rows if row["state"] == "failed"] == [
        (502, "ActivityNotFoundInConversation")
    ]
    teams.clear_faults()
    changes = teams.stats().operations["update"]
    again = await retry(house, new)
    await house.drain()

    assert texts(teams, some) == [["corrected"]] * 4
    assert teams.stats().operations["update"] == changes + 1
    assert (await report.status(house.service, await house.kept(again)))["verb"] == "retry"


@pytest.mark.parametrize(
    "fault", [Fault(status=429, retry_after=3, times=2), Fault(cut="close", accepted=True, times=3)]
)
async def test_changes_that_teams_does_not_take_now_or_that_are_in_doubt_are_made_again(
    house: House, teams: TeamsStandIn, people: list[Person], fault: Fault
) -> None:
    some = people[:6]
    send = await partly_failed(house, teams, some, 0)
    teams.fault(fault)

    await update(house, send)
    await house.advance(60)
    assert texts(teams, some) == [["corrected"]] * 6
    teams.fault(fault)
    gone = await recall(house, send)
    await house.advance(60)

    assert texts(teams, some) == [[]] * 6
    assert await house.states(gone) == ["delivered"] * 6


@pytest.mark.parametrize(
    ("body", "status", "pointers"),
    [
        ([], 400, {""}),
        ({}, 400, {"/message"}),
        ({"message": "x", "card": CARD}, 400, {"/message"}),
        ({"message": ""}, 400, {"/message", "/message/text"}),
        ({"message": "x", "recipients": ["ada"]}, 400, {"/recipients"}),
        ({"message": 5, "a/b": 1}, 400, {"/message", "/a~1b"}),
        ({"card": {"type": "AdaptiveCard", "version": "9"}}, 400, {"/card/version"}),
        ({"card": "{"}, 400, {"/card"}),
        ({"message": "x" * 60_000}, 413, {"/message"}),
        ({"card": {**CARD, "body": [{"type": "TextBlock", "text": "x" * 60_000}]}}, 413, {"/card"}),
    ],
)
async def test_the_content_of_an_update_is_checked_like_that_of_a_send(
    house: House, teams: TeamsStandIn, people: list[Person], body: Any, status: int, pointers: set[str]
) -> None:
    send = await partly_failed(house, teams, people[:1], 0)

    with pytest.raises(ProblemError) as refusal:
        await verbs.update(house.service, await house.kept(send), body, key=None)

    assert refusal.value.status == status
    assert {error.pointer for error in refusal.value.errors} <= pointers
    assert refusal.value.errors


# Recall


async def test_a_recall_deletes_what_was_delivered_once_and_what_is_gone_counts_as_done(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    send = await partly_failed(house, teams, people, 4)
    gone = teams.delivered(people[10])[0]
    await house.service.teams.delete(
        Presence(house.settings.bots[0], "tenant"), teams.service_url, people[10].conversation_id, gone["id"]
    )

    calls = [await recall(house, send) for _ in range(3)]
    await house.drain()

    assert {one.id for one in calls} == {calls[0].id}
    assert texts(teams, people) == [[]] * len(people)
    assert await house.states(calls[0]) == ["delivered"] * (len(people) - 4)
    with pytest.raises(ProblemError) as refusal:
        await recall(house, calls[0])
    assert refusal.value.status == 409


async def test_recalling_takes_the_chats_of_who_is_chatting_too(
    house: House, teams: TeamsStandIn, people: list[Person], clock: Clock
) -> None:
    send = await partly_failed(house, teams, people[:2], 0, options={"ifChatIsActive": "dontSendAndFail"})
    await house.knows(people[:1], last_message_at=clock())

    gone = await recall(house, send)
    await house.drain()

    assert await house.states(gone) == ["delivered"] * 2


# When


@pytest.mark.parametrize("verb", [retry, update, recall])
async def test_a_send_that_still_goes_out_is_left_alone(house: House, people: list[Person], verb: Verb) -> None:
    await house.knows(people[:2])
    send = await house.accept(people[:2])

    with pytest.raises(ProblemError) as refusal:
        await verb(house, send)

    assert refusal.value.status == 409
    assert "cancel" in refusal.value.detail
    await cancel(house.service, send.id, told=True)
    await house.drain()
    with pytest.raises(ProblemError) as refusal:
        await verb(house, send)
    assert refusal.value.status == 409
    assert "still" not in refusal.value.detail


# Crashes


WRITES = "insert upsert update delete transaction put"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("nth", range(1, 13))
@pytest.mark.parametrize("verb", [retry, update, recall])
async def test_a_crash_at_any_write_leaves_nobody_out_and_does_nobody_wrong(
    house: House, teams: TeamsStandIn, people: list[Person], clock: Clock, verb: Verb, nth: int, after: bool
) -> None:
    some, width = people[:8], 2
    send = await partly_failed(house, teams, some, 4 if verb is retry else 0, options={"parallelism": width})
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Account, WRITES, nth, after=after)
        try:
            new = await verb(house, send)
            await house.drain()
        except CrashError:
            pass

    new = await verb(house, send)
    await house.advance(800)

    assert await house.states(new) == ["delivered"] * (4 if verb is retry else 8)
    assert (await house.kept(new)).completed_at
    found = texts(teams, some)
    if verb is retry:
        assert found[4:] == [["hello"]] * 4
        assert all(one in (["hello"], ["hello"] * 2) for one in found[:4])
        assert sum(len(one) == 2 for one in found[:4]) <= 2 * width
    else:
        assert found == ([["corrected"]] if verb is update else [[]]) * 8
