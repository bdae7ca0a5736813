"""What a crash leaves: nobody lost, and in doubt only those whom the window says."""

import asyncio
import json

import pytest

from local.teams import Fault, Person, TeamsStandIn
from proactive import deliver, plan
from proactive.cancel import cancel
from proactive.store.account import LANES, PLANS, TIMERS, Account
from proactive.store.chunks import Chunk, Chunks
from proactive.store.drafts import Drafts
from proactive.store.sends import Sends
from tests.delivery.conftest import Clock, CrashError, House, crash_at


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
async def test_a_crash_at_a_write_loses_nobody_and_doubles_at_most_the_window(
    house: House, teams: TeamsStandIn, people: list[Person], clock: Clock, nth: int, after: bool
) -> None:
    width = 10
    await house.knows(people)
    send = await house.accept(people, options={"parallelism": width})
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Chunks, "save", nth, after=after)
        with pytest.raises(CrashError):
            await deliver.run_lane(house.instance(), send.id)

    clock.ahead += 90  # the lease has ended, and the watchdog woken
    await house.service.account.put(LANES, {"send": send.id})
    await house.drain()

    copies = [len(teams.delivered(person)) for person in people]
    assert min(copies) == 1
    assert max(copies) <= 2
    assert copies.count(2) <= 2 * width
    assert await house.states(send) == ["delivered"] * len(people)
    assert (await house.kept(send)).completed_at


async def test_a_watchdog_stays_behind_and_leads_to_the_lane(house: House, people: list[Person], clock: Clock) -> None:
    await house.knows(people)
    send = await house.accept(people)
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Chunks, "save", 2, after=True)
        with pytest.raises(CrashError):
            await deliver.run_lane(house.service, send.id)

    (watchdog,) = await house.pending(TIMERS)

    assert (watchdog["to"], watchdog["body"]) == (LANES, {"send": send.id})
    assert watchdog["at"] <= clock() + 75


async def test_a_crash_while_a_timer_rings_holds_a_retry_back_no_longer_than_its_watchdog(
    house: House, teams: TeamsStandIn, people: list[Person], clock: Clock
) -> None:
    await house.knows(people[:1])
    teams.fault(Fault(status=503, times=1))
    send = await house.accept(people[:1])
    await house.drain()
    due, number, timer = min(house.unrung())
    clock.ahead += due - clock()
    house.taken.append(number)
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Account, "put", 1, after=False)
        with pytest.raises(CrashError):
            await house.carry_out(TIMERS, timer)

    await house.advance(80)

    assert await house.states(send) == ["delivered"]


async def test_a_lane_that_ends_well_leaves_no_watchdog(house: House, people: list[Person]) -> None:
    await house.knows(people[:2])
    await house.accept(people[:2])

    await house.drain()

    assert await house.pending(TIMERS) == []


async def test_a_lane_under_a_live_lease_is_left_alone_and_looked_at_later(
    house: House, teams: TeamsStandIn, people: list[Person], clock: Clock
) -> None:
    await house.knows(people)
    send = await house.accept(people)
    chunk = await house.service.chunks.get(send.id, send.plan, 0)
    assert chunk
    chunk.owner, chunk.lease_until = "somebody", clock() + 60
    await house.service.chunks.save(chunk)

    await deliver.run_lane(house.service, send.id)

    assert not teams.received
    *_, timer = await house.pending(TIMERS)
    assert timer["at"] >= chunk.lease_until


async def test_who_loses_the_chunk_stops_sending(house: House, teams: TeamsStandIn, people: list[Person]) -> None:
    width = 5
    await house.knows(people)
    send = await house.accept(people, options={"parallelism": width})
    real, saves = Chunks.save, 0

    async def save(self: Chunks, chunk: Chunk, new: object = ()) -> None:
        nonlocal saves
        saves += 1
        if saves == 2:
            other = await self.get(chunk.send, chunk.plan, chunk.number)
            assert other
            other.owner = "another"
            await real(self, other)
        await real(self, chunk, new)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Chunks, "save", save)
        await deliver.run_lane(house.service, send.id)

    assert len(teams.received) <= 2 * width


@pytest.fixture
def planned_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every send take the way over `plans`, as large ones do."""
    monkeypatch.setattr("proactive.accept._FEW", 0)
    monkeypatch.setattr("proactive.accept._FEW_IDS", 0)


@pytest.mark.usefixtures("planned_apart")
async def test_a_plan_cut_short_is_made_again_and_doubles_nobody(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    await house.knows(people)
    crowd = [*people, *(Person.numbered(500 + n) for n in range(100))]
    send = await house.accept(crowd, options={"ifBotNotInstalled": "succeedWithStatusCode"})
    assert not send.plan
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Drafts, "commit", 1, after=False)
        with pytest.raises(CrashError):
            await plan.plan(house.service, send.id)

    await house.drain()

    assert max(len(teams.delivered(person)) for person in people) == 1
    assert len(await house.states(send)) == len(crowd)


@pytest.mark.usefixtures("planned_apart")
async def test_two_plans_at_once_are_one(house: House, teams: TeamsStandIn, people: list[Person]) -> None:
    await house.knows(people)
    crowd = [*people, *(Person.numbered(500 + n) for n in range(100))]
    send = await house.accept(crowd)

    await asyncio.gather(*(plan.plan(house.instance(), send.id) for _ in range(4)))
    await house.drain()

    assert max(len(teams.delivered(person)) for person in people) == 1
    assert len(await house.states(send)) == len(crowd)


async def test_a_crash_after_the_send_is_kept_is_mended_by_the_same_request(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    await house.knows(people[:1])
    body = {"recipients": [people[0].object_id], "message": "once"}
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Sends, "add", 1, after=True)
        with pytest.raises(CrashError):
            await deliver_key(house, body)
    assert await house.step(PLANS, LANES) == 0

    first = await deliver_key(house, body)
    second = await deliver_key(house, body)
    await house.drain()

    assert first.id == second.id
    assert len(teams.delivered(people[0])) == 1


async def deliver_key(house: House, body: dict[str, object]) -> object:
    from proactive.accept import accept

    return await accept(house.service, json.loads(json.dumps(body)), key="key:the same")


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
async def test_under_leave_a_crash_doubles_nobody(
    house: House, teams: TeamsStandIn, people: list[Person], nth: int, after: bool
) -> None:
    width = 10
    await house.knows(people)
    send = await house.accept(people, options={"parallelism": width, "ifOutcomeUnknown": "leave"})
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Chunks, "save", nth, after=after)
        with pytest.raises(CrashError):
            await deliver.run_lane(house.instance(), send.id)

    await house.advance(200)

    states = await house.states(send)
    copies = [len(teams.delivered(person)) for person in people]
    assert max(copies) == 1
    assert set(states) <= {"delivered", "unknown"}
    assert states.count("unknown") <= 2 * width
    assert all(copies[n] == 1 for n, state in enumerate(states) if state == "delivered")


async def test_who_was_in_doubt_when_the_send_was_cancelled_is_unknown(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    width = 10
    await house.knows(people)
    send = await house.accept(people, options={"parallelism": width})
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Chunks, "save", 2, after=False)
        with pytest.raises(CrashError):
            await deliver.run_lane(house.instance(), send.id)

    await cancel(house.service, send.id, told=True)
    await house.advance(200)

    states = await house.states(send)
    copies = [len(teams.delivered(person)) for person in people]
    assert set(states) == {"unknown", "cancelled"}
    assert states.count("unknown") <= 2 * width
    assert not any(copies[n] for n, state in enumerate(states) if state == "cancelled")
