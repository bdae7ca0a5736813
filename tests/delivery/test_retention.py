"""What is old goes, all of it and nothing else, whatever breaks the sweep; and somebody always sees to it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from local.teams import Person, TeamsStandIn
from proactive import accept as accepting
from proactive import retention, sweep, verbs
from proactive.accept import accept
from proactive.cancel import cancel
from proactive.model import Send
from proactive.store.account import QUEUES, TIMERS, WAITS, Account
from proactive.store.answers import Answered, Place
from proactive.store.conversations import person_partition
from proactive.store.errors import StorageAway
from proactive.store.retention import Retention
from proactive.times import DAY
from tests.delivery.conftest import Clock, CrashError, House, crash_at

DAYS = 10  # of retention
CARD = {"type": "AdaptiveCard", "version": "1.4", "actions": [{"type": "Action.Submit", "title": "Yes"}]}


@pytest.fixture
async def house(storage: str, teams: TeamsStandIn, clock: Clock) -> AsyncIterator[House]:
    built = House(storage, teams, clock, sweeps=True, retention_days=DAYS)
    await built.service.account.ensure()
    await built.service.account.delete("sends", "retention", "sweep")
    for queue in QUEUES:
        await built.service.account._queues.get_queue_client(queue).clear_messages()
    yield built
    await built.service.account.delete("sends", "retention", "sweep")  # the next house's clock is behind
    for instance in built.instances:
        await instance.close()


async def rows(house: House, partition: str) -> set[str]:
    return {row["RowKey"] for row in await house.service.account.rows("sends", f"PartitionKey eq '{partition}'")}


async def listed(house: House, send: Send) -> bool:
    return any(send.id in key for key in await rows(house, f"day-{datetime.fromtimestamp(send.created_at, UTC):%F}"))


async def sweeps(house: House) -> list[float]:
    """Return when the sweeps that stand on `timers` are due."""
    return [timer["at"] for timer in await house.pending(TIMERS) if timer["body"].get("kind") == "sweep"]


async def sweep_once(house: House) -> None:
    """Do what the chain does once a day, to the end."""
    at = house.clock()
    _, etag = await house.service.retention.next_sweep()
    assert await house.service.retention.set_next(at, etag)
    await house.carry_out(WAITS, {"kind": "sweep", "at": at})
    while await house.step(WAITS):
        pass


async def test_a_finished_send_goes_with_all_its_rows_once_it_is_old(
    house: House, people: list[Person], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.knows(people)
    at_once = await house.accept(people[:3])
    monkeypatch.setattr(accepting, "_FEW", 0)
    monkeypatch.setattr(accepting, "_FEW_IDS", 0)
    planned = await house.accept(people)
    cancelled = await house.accept(people[:1], sendAt=datetime.fromtimestamp(clock() + DAY, UTC).isoformat())
    await cancel(house.service, cancelled.id, told=False)
    await house.drain()
    sends = [at_once, planned, cancelled]

    clock.ahead += (DAYS - 1) * DAY
    await sweep_once(house)
    assert all([await rows(house, send.id) and await listed(house, send) for send in sends])

    clock.ahead += 2.1 * DAY
    await sweep_once(house)
    assert [await rows(house, send.id) for send in sends] == [set(), set(), set()]
    assert [await listed(house, send) for send in sends] == [False] * 3


async def test_an_unfinished_send_stays_until_it_was_over_for_long_enough(
    house: House, people: list[Person], clock: Clock
) -> None:
    await house.knows(people[:2])
    asked = await house.accept(people[:1], message=None, card=CARD, wait={"timeout": "P30D"})
    at = datetime.fromtimestamp(clock() + 20 * DAY, UTC).isoformat()
    scheduled = await house.accept(people[1:2], sendAt=at)
    await house.drain()
    answered = Answered(0, {0}, complete=False)
    answer = {"messageId": "1", "conversationId": "c", "at": clock(), "submitActionId": "Yes", "actionId": None}
    await house.service.answers.add(asked.id, Place(0, 0), answer, answered)

    await house.advance(28 * DAY)
    await sweep_once(house)
    assert {"send", "answer-00000-000", "answered-00000", "open"} <= await rows(house, asked.id)
    assert (await house.kept(scheduled)).completed_at

    await house.advance(5 * DAY)  # the wait has timed out; the scheduled one is over for 13 days
    await sweep_once(house)
    assert "end" in await rows(house, asked.id)
    assert await rows(house, scheduled.id) == set()

    await house.advance(11 * DAY)
    await sweep_once(house)
    assert await rows(house, asked.id) == set()


async def test_an_update_stays_as_long_as_the_question_whose_cards_it_replaced(
    house: House, people: list[Person], clock: Clock
) -> None:
    await house.knows(people[:1])
    asked = await house.accept(people[:1], message=None, card=CARD, wait={"timeout": "P30D"})
    await house.drain()
    updated = await verbs.update(house.service, await house.kept(asked), {"card": CARD}, key=None)
    recalled = await verbs.recall(house.service, await house.kept(asked))
    await house.drain()
    assert (await house.kept(updated)).marked

    await house.advance((DAYS + 2) * DAY)
    await sweep_once(house)
    assert await rows(house, updated.id)
    assert await rows(house, recalled.id) == set()

    await house.advance(30 * DAY)
    for _ in range(3):
        await sweep_once(house)
        clock.ahead += (DAYS + 1) * DAY
    assert [await rows(house, send.id) for send in (asked, updated)] == [set(), set()]


async def test_what_is_not_due_yet_costs_no_look_before(house: House, people: list[Person], clock: Clock) -> None:
    await house.knows(people[:1])
    await house.accept(people[:1], message=None, card=CARD, wait={"timeout": "P30D"})
    await house.drain()
    await house.advance(15 * DAY)
    await sweep_once(house)
    looks = 0
    real = house.service.sends.get

    async def look(send: str) -> Send | None:
        nonlocal looks
        looks += 1
        return await real(send)

    house.service.sends.get = look  # type: ignore[method-assign]
    clock.ahead += DAY
    await sweep_once(house)

    assert looks == 0


async def test_a_send_that_was_left_for_dead_goes_in_the_end(house: House, people: list[Person], clock: Clock) -> None:
    await house.knows(people[:1])
    send = await house.accept(people[:1])  # and nobody ever runs its lane

    for days in (DAYS + 2, DAYS + 2):
        clock.ahead += days * DAY
        await sweep_once(house)

    assert await rows(house, send.id) == set()


async def test_the_way_from_a_callback_url_goes_too_unless_it_leads_on(
    house: House, people: list[Person], clock: Clock
) -> None:
    await house.knows(people[:1])
    url = "https://prod.westeurope.logic.azure.com/x?sig="
    aliases = [accepting.send_id(accepting.callback_key(url + part)) for part in ("a", "b")]
    body = {"recipients": [people[0].object_id], "message": "hello"}
    for part in ("a", "b"):
        await accept(house.service, {**body, "callbackUrl": url + part}, key=f"key:{house.bot}:{part}")
    await house.service.sends.lead(aliases[1], "another")
    clock.ahead += (DAYS + 2) * DAY
    await sweep_once(house)
    clock.ahead += (DAYS + 2) * DAY
    await sweep_once(house)

    assert [await rows(house, alias) for alias in aliases] == [set(), {"alias"}]
    await house.service.account.delete("sends", aliases[1], "alias")


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize(("what", "nth"), [("transaction", 1), ("transaction", 2), ("delete", 1), ("delete", 2)])
async def test_a_sweep_cut_short_is_made_up_for(
    house: House, people: list[Person], clock: Clock, what: str, nth: int, after: bool
) -> None:
    await house.knows(people[:2])
    sends = [await house.accept(people[:2]) for _ in range(3)]
    await house.drain()
    await house.service.account.transaction(
        "sends",
        [("insert", {"PartitionKey": sends[0].id, "RowKey": f"answer-00000-{n:03}"}) for n in range(100)],
    )
    clock.ahead += (DAYS + 2) * DAY
    at = clock()
    assert await house.service.retention.set_next(at, (await house.service.retention.next_sweep())[1])
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Account, what, nth, after=after)
        with pytest.raises(CrashError):
            await house.carry_out(WAITS, {"kind": "sweep", "at": at})

    await house.advance(700)

    assert [await rows(house, send.id) for send in sends] == [set()] * 3
    assert not any([await listed(house, send) for send in sends])
    assert len(await sweeps(house)) == 1


async def test_a_sweep_without_time_goes_on_in_the_next_message(
    house: House, people: list[Person], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.knows(people[:1])
    sends = [await house.accept(people[:1]) for _ in range(12)]
    await house.drain()
    clock.ahead += (DAYS + 2) * DAY
    asked = 0
    real = Retention.remove_send

    async def slow(self: Retention, send: str, go_on: object) -> bool:
        nonlocal asked
        asked += 1
        if asked % 9 == 0:
            clock.ahead += sweep.SHIFT  # the shift is over in the middle of a send
        return await real(self, send, go_on)  # type: ignore[arg-type]

    monkeypatch.setattr(Retention, "remove_send", slow)
    await sweep_once(house)

    assert [await rows(house, send.id) for send in sends] == [set()] * 12
    assert asked > 12


async def test_reasons_of_rejected_messages_go_too(house: House, clock: Clock) -> None:
    rejected = house.service.rejected
    old, young = f"old-{house.bot}", f"young-{house.bot}"
    await rejected.add(clock(), old, {"status": 400}, "why", "p1")
    clock.ahead += DAYS * DAY + 60
    await rejected.add(clock() - 3600, young, {"status": 400}, "why", "p2")

    await sweep_once(house)

    kept, _ = await rejected.newest(1000)
    names = {item["messageId"] for item in kept}
    assert young in names
    assert old not in names


async def test_people_are_not_what_goes(house: House, people: list[Person], clock: Clock) -> None:
    await house.knows(people[:1])
    clock.ahead += (DAYS + 2) * DAY
    await sweep_once(house)
    user = people[0].object_id
    partition = person_partition(house.bot, people[0].tenant_id, user)
    assert await house.service.account.get("conversations", partition, user)


# The chain


async def test_accepting_arms_one_chain_whoever_accepts(house: House, people: list[Person]) -> None:
    await house.knows(people[:1])
    await house.accept(people[:1])
    house.service = house.instance()
    await house.accept(people[:1])
    await house.accept(people[:1])

    assert len(await sweeps(house)) == 1


async def test_an_ordinary_accept_asks_storage_nothing_more(house: House, people: list[Person]) -> None:
    await house.knows(people[:1])
    await house.accept(people[:1])
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Retention, "next_sweep", 1, after=False)
        await house.accept(people[:1])


async def test_accepting_does_not_fail_where_the_chain_cannot_be_seen_to(house: House, people: list[Person]) -> None:
    await house.knows(people[:1])

    async def away(_: object) -> None:
        raise StorageAway

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Retention, "next_sweep", away)
        send = await house.accept(people[:1])

    assert await house.kept(send)


async def test_the_chain_goes_on_day_by_day_and_deletes(house: House, people: list[Person], clock: Clock) -> None:
    await house.knows(people[:1])
    send = await house.accept(people[:1])

    await house.advance((DAYS + 3) * DAY)

    assert await rows(house, send.id) == set()
    (due,) = await sweeps(house)
    assert clock() < due <= clock() + DAY + 60


async def test_a_broken_chain_is_mended_by_the_next_accept(house: House, people: list[Person], clock: Clock) -> None:
    await house.knows(people[:1])
    await house.accept(people[:1])
    house.put.clear()  # the timer is lost

    clock.ahead += DAY
    await house.accept(people[:1])
    assert await sweeps(house) == [], "it may only be late"

    clock.ahead += DAY
    await house.accept(people[:1])
    (due,) = await sweeps(house)
    assert due <= clock() + retention.FIRST


async def test_a_sweep_that_is_left_over_ends(house: House, people: list[Person], clock: Clock) -> None:
    await house.knows(people[:1])
    await house.accept(people[:1])

    await house.carry_out(WAITS, {"kind": "sweep", "at": clock() - 12 * DAY})

    assert len(await sweeps(house)) == 1
