"""What a person was sent: all of it, newest first, nobody else's, and with few calls where nothing is."""

from datetime import UTC, datetime
from typing import Any

import pytest

from local.teams import Person
from local.teams.people import people as crowd_of
from proactive import accept as accepting
from proactive import plan, transcript, verbs
from proactive.model import Recipient, Send
from proactive.store.account import Account
from proactive.store.answers import Answered, Place
from proactive.store.chunks import SIZE, row_of
from proactive.store.days import Position
from proactive.times import DAY
from tests.delivery.conftest import Clock, House

CARD = {"type": "AdaptiveCard", "version": "1.4", "actions": [{"type": "Action.Submit", "title": "Yes"}]}


async def sent(house: House, person: Person, top: int = 100, **more: Any) -> transcript.Page:
    known = await house.service.conversations.get(house.bot, person.tenant_id, person.object_id)
    subject = transcript.subject_of(person.object_id, known)
    more = {"until": house.clock(), **more}
    return await transcript.messages(house.service, house.bot, person.tenant_id, subject, top=top, **more)


async def all_sent(house: House, person: Person, top: int) -> list[dict[str, Any]]:
    found, after = [], None
    while True:
        page = await sent(house, person, top, after=after)
        assert len(page.messages) <= top
        found += page.messages
        if page.more is None:
            return found
        after = page.more


async def test_a_message_is_told_as_it_was_sent_and_as_it_ended(house: House, people: list[Person]) -> None:
    ada = people[0]
    await house.knows([ada])
    send = await house.accept([ada], message={"text": "Your *order*", "format": "plain"}, summary="Order")
    await house.drain()

    (told,), more = await sent(house, ada)

    assert more is None
    assert told["sendId"] == send.id
    assert told["message"] == {"text": "Your *order*", "format": "plain"}
    assert (told["state"], told["statusCode"], told["reason"]) == ("delivered", 200, None)
    assert told["messageId"] == house.teams.received[0].activity_id
    assert told["deliveredAt"]
    assert told["summary"] == "Order"
    assert told["statusUrl"].endswith(f"/api/v1/sends/{send.id}")
    assert told["response"] is None
    assert "card" not in told


async def test_what_was_corrected_and_taken_back_is_told_too(house: House, people: list[Person]) -> None:
    # GIVEN a message that was replaced and then deleted
    ada = people[0]
    await house.knows([ada])
    send = await house.accept([ada], message="Noon")
    await house.drain()
    await verbs.update(house.service, await house.kept(send), {"message": "Eleven"}, key=None)
    await house.drain()
    await verbs.recall(house.service, await house.kept(send))
    await house.drain()
    # WHEN it is told what ada was sent, THEN all three are there, and the recall has no text of its own
    told = (await sent(house, ada)).messages
    assert [(one.get("verb"), one.get("of"), one.get("message", {}).get("text")) for one in told] == [
        ("recall", send.id, None),
        ("update", send.id, "Eleven"),
        (None, None, "Noon"),
    ]


async def test_a_card_is_told_without_our_marks_and_with_the_answer(house: House, people: list[Person]) -> None:
    ada = people[0]
    await house.knows([ada])
    send = await house.accept([ada], message=None, card=CARD, wait={})
    answer = {"messageId": "1", "conversationId": "c", "at": house.clock(), "submitActionId": "Yes",
              "actionId": None, "data": {"a": 1}, "responder": {}}  # fmt: skip
    await house.service.answers.add(send.id, Place(0, 0), answer, Answered(0, {0}))

    (told,), _ = await sent(house, ada)

    assert told["card"] == CARD
    assert (told["response"]["submitActionId"], told["response"]["data"]) == ("Yes", {"a": 1})
    assert told["state"] == "delivered", "an answer shows the delivery"


async def test_messages_come_newest_first_over_days_and_pages(house: House, people: list[Person], clock: Clock) -> None:
    ada, bob = people[:2]
    await house.knows([ada, bob])
    sends: list[Send] = []
    for n in range(7):
        sends.append(await house.accept([ada], message=str(n)))
        await house.accept([bob], message=f"not {n}")
        clock.ahead += 0.6 * DAY

    newest_first = [str(n) for n in range(6, -1, -1)]
    for top in (1, 3, 100):
        told = await all_sent(house, ada, top)
        assert [one["message"]["text"] for one in told] == newest_first
    between, _ = await sent(house, ada, since=sends[2].created_at, until=sends[4].created_at)
    assert [one["message"]["text"] for one in between] == ["4", "3", "2"]


async def test_sends_to_many_tell_theirs_by_the_chunk_that_fits(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "_FEW", 0)
    monkeypatch.setattr(accepting, "_FEW_IDS", 0)
    crowd = crowd_of(SIZE * 3)
    await house.knows(crowd[:1])
    send = await house.accept(crowd, message="to all")
    await plan.plan(house.service, send.id)
    chunks = 0
    real = house.service.traces.chunks

    async def noted(*args: Any) -> Any:
        nonlocal chunks
        found = await real(*args)
        chunks += len(found)
        return found

    house.service.traces.chunks = noted  # type: ignore[method-assign]
    for person in crowd[:: SIZE // 2]:
        told, _ = await sent(house, person)
        assert [one["sendId"] for one in told] == [send.id]
    assert chunks == len(crowd[:: SIZE // 2])
    assert (await sent(house, Person.numbered(99_999))).messages == []


async def test_left_over_plans_are_not_told(
    house: House, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "_FEW", 0)
    monkeypatch.setattr(accepting, "_FEW_IDS", 0)
    await house.knows(people[:1])
    crowd = [people[0], *(Person.numbered(500 + n) for n in range(30))]
    send = await house.accept(crowd)
    for chunk in plan.divide(send.id, "leftover", [(Recipient(people[0].object_id, people[0].object_id), None)]):
        await house.service.account.insert("sends", row_of(chunk))
    await house.drain()

    told, _ = await sent(house, people[0])

    assert [one["state"] for one in told] == ["delivered"]


async def test_a_send_that_is_not_planned_yet_is_pending(house: House, people: list[Person], clock: Clock) -> None:
    ada, bob = people[:2]
    await house.knows([ada, bob], mail="ada@contoso.com")
    at = datetime.fromtimestamp(clock() + DAY, UTC).isoformat()
    await house.accept([], recipients=["Ada@contoso.com"], sendAt=at)

    (told,), _ = await sent(house, ada)

    assert (told["state"], told["statusCode"], told["messageId"]) == ("pending", None, None)


async def test_somebody_whom_the_bot_met_later_is_found_by_the_address(house: House, people: list[Person]) -> None:
    ada, bob = people[:2]
    await house.knows([bob])
    await house.accept([], recipients=["later@contoso.com"])
    await house.drain()
    await house.knows([ada], mail="later@contoso.com")

    (told,), _ = await sent(house, ada)

    assert (told["state"], told["statusCode"]) == ("notInstalled", 100)


@pytest.fixture
async def calls(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each call to a table."""
    made: list[str] = []
    real = Account._call

    async def noted(self: Account, *args: Any) -> Any:
        made.append("call")
        return await real(self, *args)

    monkeypatch.setattr(Account, "_call", noted)
    return made


async def test_sends_to_a_few_others_cost_no_call(house: House, people: list[Person], calls: list[str]) -> None:
    ada, bob = people[:2]
    await house.knows([ada, bob])
    await house.accept([ada])
    await sent(house, ada)
    calls.clear()
    await sent(house, ada)
    before = len(calls)
    for _ in range(10):
        await house.accept([bob])
    calls.clear()

    told, _ = await sent(house, ada)

    assert len(told) == 1
    assert len(calls) == before


async def test_a_call_looks_at_a_bounded_number_of_sends(
    house: House, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript, "_MOST_LOOKED_AT", 10)
    ada, *others = people[:31]
    await house.knows([ada, *others])
    await house.accept([ada])
    for _ in range(25):
        await house.accept(others)  # too many for fingerprints: storage has to be asked

    page = await sent(house, ada)
    assert page.messages == []
    assert isinstance(page.more, Position)

    assert len(await all_sent(house, ada, 100)) == 1
