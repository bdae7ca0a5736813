"""A person is erased: nothing that names the person stays anywhere, whatever breaks it, and the counts still sum up."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from local.teams import Person, TeamsStandIn
from proactive import accept as accepting
from proactive import errands, plan, report, transcript
from proactive.erase import erase, names_of
from proactive.model import Recipient, Send
from proactive.store.account import TIMERS, WAITS, Account
from proactive.store.answers import Answered, Place
from proactive.store.chunks import Chunk
from proactive.store.days import Position
from proactive.store.pack import decompress
from proactive.store.persons import ERASED, fingerprints
from proactive.times import DAY
from tests.delivery.conftest import Clock, CrashError, House, crash_at

CARD = {"type": "AdaptiveCard", "version": "1.4", "actions": [{"type": "Action.Submit", "title": "Yes"}]}
ADDRESS = "erased.person@contoso.com"


async def erased(house: House, person: Person) -> bool:
    """Erase a person as the door does."""
    known = await house.service.conversations.get(house.bot, person.tenant_id, person.object_id)
    return await erase(house.service, house.bot, person.tenant_id, person.object_id, names_of(known))


async def met(house: House, person: Person) -> None:
    """Let the bot know a person with an address."""
    await house.knows([person], mail=ADDRESS, principal_name=ADDRESS, name="Erased Person")
    names = {"mail": ADDRESS, "principalName": ADDRESS, "name": "Erased Person"}
    await house.service.conversations.learn_aliases(house.bot, person.tenant_id, person.object_id, names, {})


async def traces(house: House, person: Person) -> list[str]:
    """Return where the person's id, address or conversation stands in storage, packed or not."""
    found = []
    words = [word.encode() for word in (person.object_id, person.conversation_id, ADDRESS, "Erased Person")]
    for table in ("conversations", "sends"):
        for row in await house.service.account.rows(table, "PartitionKey ge ''"):
            if table == "conversations" and not row["PartitionKey"].startswith(house.bot):
                continue
            if table == "sends" and row["PartitionKey"] not in sends_of(house):
                continue
            data = b" ".join([*(text(value) for value in row.values())])
            if any(word in data for word in words):
                found.append(f"{row['PartitionKey']} {row['RowKey']}")
    return found


def text(value: Any) -> bytes:
    if isinstance(value, bytes):
        return json.dumps(decompress(value), ensure_ascii=False).encode()
    return str(value).encode()


def sends_of(house: House) -> set[str]:
    return {body["send"] for _, _, text in house.put if "send" in (body := json.loads(text))} | {
        body["body"]["send"] for _, _, text in house.put if "send" in (body := json.loads(text)).get("body", {})
    }


async def answer(house: House, send: Send, person: Person) -> Answered:
    kept = {"messageId": "1", "conversationId": person.conversation_id, "at": house.clock(), "submitActionId": "Yes",
            "actionId": None, "data": {}, "responder": {"objectId": person.object_id},
            "serviceUrl": house.teams.service_url}  # fmt: skip
    answered = Answered(0, {0})
    await house.service.answers.add(send.id, Place(0, 0), kept, answered)
    return answered


async def counts(house: House, send: Send) -> dict[str, int]:
    found: dict[str, int] = (await report.status(house.service, await house.kept(send)))["counts"]
    return found


async def test_nothing_of_a_person_stays_and_everything_of_the_others(
    house: House, people: list[Person], teams: TeamsStandIn
) -> None:
    ada, *others = people[:30]
    await met(house, ada)
    await house.knows(others)
    await house.accept([], recipients=[ADDRESS])
    small = await house.accept([ada, *others[:3]])
    large = await house.accept([ada, *others])
    asked = await house.accept([ada, others[0]], message=None, card=CARD, wait={"completeWhen": "all"})
    await answer(house, asked, ada)
    await house.drain()
    before = [await counts(house, send) for send in (small, large, asked)]
    assert await traces(house, ada)

    assert await erased(house, ada)

    assert await traces(house, ada) == []
    assert [await counts(house, send) for send in (small, large, asked)] == before
    assert before[2]["responded"] == 1
    index = [listed async for page in house.service.days.walk(Position()) for listed in page if listed.send == small.id]
    assert index[0].people == fingerprints([Recipient("", person.object_id) for person in others[:3]])
    rows, _ = await report.results(house.service, await house.kept(small))
    assert [row["userId"] for row in rows] == [None, *(person.object_id for person in others[:3])]
    assert rows[0]["recipient"] == ERASED
    assert (rows[0]["state"], rows[0]["messageId"], rows[0]["conversationId"]) == ("delivered", None, None)
    assert all(row["messageId"] for row in rows[1:])
    assert "erase" not in [timer["body"].get("kind") for timer in await house.pending(TIMERS)]


async def test_erasing_twice_is_fine_and_a_new_start_is_not_undone(house: House, people: list[Person]) -> None:
    ada = people[0]
    await met(house, ada)
    assert await erased(house, ada)
    assert await erased(house, ada)

    await house.knows([ada])
    send = await house.accept([ada])
    await house.drain()

    assert await house.states(send) == ["delivered"]


async def test_a_send_that_has_not_begun_does_not_reach_the_person(
    house: House, people: list[Person], teams: TeamsStandIn, clock: Clock
) -> None:
    ada, bob = people[:2]
    await met(house, ada)
    await house.knows([bob])
    at = datetime.fromtimestamp(clock() + DAY, UTC).isoformat()
    send = await house.accept([], recipients=[ADDRESS, {"user": ada.object_id}, bob.object_id], sendAt=at)

    assert await erased(house, ada)
    await house.knows([ada])  # who comes back gets what is sent from then on
    await house.advance(2 * DAY)

    assert not teams.delivered(ada)
    assert len(teams.delivered(bob)) == 1
    assert await house.states(send) == ["delivered"]


async def test_a_send_of_which_nobody_is_left_completes(house: House, people: list[Person], clock: Clock) -> None:
    ada = people[0]
    await met(house, ada)
    at = datetime.fromtimestamp(clock() + DAY, UTC).isoformat()
    send = await house.accept([], recipients=[ADDRESS], sendAt=at)

    assert await erased(house, ada)
    await house.advance(2 * DAY)

    now = await report.status(house.service, await house.kept(send))
    assert (now["status"], now["counts"]["total"]) == ("completed", 0)
    assert await traces(house, ada) == []


async def test_a_plan_under_way_is_looked_at_again(
    house: House, people: list[Person], teams: TeamsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = people[:2]
    await met(house, ada)
    await house.knows([bob])
    monkeypatch.setattr(accepting, "_FEW", 0)
    monkeypatch.setattr(accepting, "_FEW_IDS", 0)
    send = await house.accept([ada, bob])
    inputs = [entries async for entries in house.service.sends.inputs(send)]

    assert not await erased(house, ada)
    with pytest.MonkeyPatch.context() as patch:

        async def as_read_before(*_: object) -> AsyncIterator[Any]:
            for entries in inputs:
                yield entries

        patch.setattr(type(house.service.sends), "inputs", as_read_before)
        await plan.plan(house.service, send.id)
    assert await traces(house, ada)
    await house.advance(140)

    assert await traces(house, ada) == []
    assert len(await house.states(send)) == 2


async def test_a_chunk_that_is_being_delivered_is_done_later(house: House, people: list[Person], clock: Clock) -> None:
    ada, bob = people[:2]
    await met(house, ada)
    await house.knows([bob])
    send = await house.accept([ada, bob])
    chunk = await house.service.chunks.get(send.id, send.plan, 0)
    assert chunk
    chunk.owner, chunk.lease_until = "somebody", clock() + 60
    await house.service.chunks.save(chunk)

    assert not await erased(house, ada)
    chunk.lease_until, chunk.owner = 0.0, ""
    await house.service.chunks.save(chunk)  # whoever delivers it loses nothing
    await house.advance(140)

    assert await traces(house, ada) == []
    assert sum((await counts(house, send)).values()) == 2 * 2  # the total, and what it sums up to


async def test_a_chunk_that_is_taken_in_between_is_done_later(house: House, people: list[Person]) -> None:
    ada = people[0]
    await met(house, ada)
    send = await house.accept([ada])
    real = house.service.traces.replace

    async def late(chunk: Chunk) -> None:
        house.service.traces.replace = real  # type: ignore[method-assign]
        other = await house.service.chunks.get(send.id, send.plan, 0)
        assert other
        await house.service.chunks.save(other)
        await real(chunk)

    house.service.traces.replace = late  # type: ignore[method-assign]
    assert not await erased(house, ada)
    await house.advance(140)

    assert await traces(house, ada) == []


async def test_an_answer_that_overtook_our_record_still_counts_as_a_delivery(
    house: House, people: list[Person]
) -> None:
    ada, bob = people[:2]
    await met(house, ada)
    await house.knows([bob])
    send = await house.accept([ada, bob], message=None, card=CARD, wait={"completeWhen": "all"})
    await answer(house, send, ada)

    assert await erased(house, ada)
    await house.drain()

    assert await house.states(send) == ["delivered", "delivered"]
    assert (await counts(house, send))["responded"] == 1


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize(
    ("what", "nth"), [("delete", 1), ("delete", 2), ("delete", 4), ("update", 1), ("update", 2), ("update", 4)]
)
async def test_an_erasure_cut_short_is_made_up_for(
    house: House, people: list[Person], what: str, nth: int, after: bool
) -> None:
    ada, *others = people[:30]
    await met(house, ada)
    await house.knows(others)
    sends = [await house.accept([ada, *some]) for some in (others[:1], others, others[:2])]
    asked = await house.accept([ada, others[0]], message=None, card=CARD, wait={"completeWhen": "all"})
    await house.drain()
    await answer(house, asked, ada)
    before = [await counts(house, send) for send in (*sends, asked)]
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Account, what, nth, after=after)
        with pytest.raises(CrashError):
            await erased(house, ada)
    assert await house.pending(TIMERS)

    await house.advance(100)

    assert await traces(house, ada) == []
    assert [await counts(house, send) for send in (*sends, asked)] == before


async def test_what_does_not_fit_the_time_goes_on_behind(
    house: House, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = people[:2]
    await met(house, ada)
    await house.knows([bob])
    for _ in range(20):
        await house.accept([ada, bob])
    await house.drain()
    monkeypatch.setattr("proactive.erase._INLINE", -1.0)
    monkeypatch.setattr("proactive.erase.SHIFT", -1.0)

    assert not await erased(house, ada)
    known = await house.service.conversations.get(house.bot, ada.tenant_id, ada.object_id)
    assert known is None, "the person is forgotten at once"
    assert await traces(house, ada)
    while await house.step(WAITS):
        pass

    assert await traces(house, ada) == []


async def test_more_sends_under_way_than_a_message_names_are_all_done(
    house: House, people: list[Person], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr("proactive.erase._MOST_BUSY", 3)
    ada = people[0]
    await met(house, ada)
    for _ in range(20):
        send = await house.accept([ada])
        chunk = await house.service.chunks.get(send.id, send.plan, 0)
        assert chunk
        chunk.owner, chunk.lease_until = "somebody", clock() + 30
        await house.service.chunks.save(chunk)

    assert not await erased(house, ada)
    await house.advance(300)

    assert await traces(house, ada) == []


async def test_a_late_look_at_the_roster_brings_nobody_back(house: House, people: list[Person]) -> None:
    ada = people[0]
    await met(house, ada)
    errand = {
        "kind": errands.ROSTER, "bot": house.bot, "tenant": ada.tenant_id, "user": ada.object_id,
        "serviceUrl": house.teams.service_url, "conversation": ada.conversation_id, "member": ada.teams_id,
    }  # fmt: skip
    assert await erased(house, ada)

    await errands.run(house.service, errand)

    assert await traces(house, ada) == []
    assert await house.service.conversations.get(house.bot, ada.tenant_id, ada.object_id) is None
    assert ada.mail
    assert (await house.service.conversations.find(house.bot, ada.tenant_id, [ada.mail]))[ada.mail] == []


async def test_somebody_known_by_name_alone_is_erased_as_well(house: House, people: list[Person]) -> None:
    await house.knows(people[:1])
    send = await house.accept([], recipients=[ADDRESS, people[0].object_id])
    await house.drain()

    assert await erase(house.service, house.bot, people[0].tenant_id, "", [ADDRESS])

    rows, _ = await report.results(house.service, await house.kept(send))
    assert [row["recipient"] for row in rows] == [ERASED, people[0].object_id]
    subject = transcript.subject_of("", None, ADDRESS)
    page = await transcript.messages(
        house.service, house.bot, people[0].tenant_id, subject, top=10, until=house.clock()
    )
    assert page.messages == []


async def test_a_callback_of_an_erased_answer_ends(house: House, people: list[Person]) -> None:
    ada, bob = people[:2]
    await met(house, ada)
    await house.knows([bob])
    url = "https://prod.westeurope.logic.azure.com/x?sig=1"
    wait = {"completeWhen": "each"}
    send = await house.accept([ada, bob], message=None, card=CARD, wait=wait, callbackUrl=f"{url}{house.bot}")
    await house.drain()
    await answer(house, send, ada)
    assert await erased(house, ada)

    house.clock.ahead += 10
    await house.carry_out("callbacks", {"send": send.id, "event": "response-00000-000"})

    (callback,) = await house.service.callbacks.all(send.id, 10)
    assert callback.state == "givenUp"
    assert callback.attempts == []
