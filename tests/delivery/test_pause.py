"""A bot is held and goes on: nothing is sent meanwhile, nobody is lost, nobody doubled."""

import asyncio

import pytest

from local.teams import Fault, Person, TeamsStandIn
from proactive import deliver
from proactive.cancel import cancel
from proactive.errands import REPLY
from proactive.pause import pause, paused_in, resume
from proactive.store.account import ERRANDS, LANES
from proactive.store.chunks import Chunk, Chunks
from tests.delivery.conftest import Clock, CrashError, House, crash_at


@pytest.fixture
def tenant(people: list[Person]) -> str:
    return people[0].tenant_id


async def test_a_held_bot_sends_nothing_and_a_resumed_one_goes_on_at_once(
    house: House, teams: TeamsStandIn, people: list[Person], tenant: str
) -> None:
    await house.knows(people)
    await pause(house.service, house.bot, tenant)
    sends = [await house.accept(people), await house.accept(people[:5], message="more")]
    await house.drain()
    assert not teams.received
    assert await paused_in(house.service, house.bot, {tenant}) == [tenant]

    await resume(house.instance(), house.bot, tenant)
    await house.drain()

    assert [len(teams.delivered(person)) for person in people] == [2] * 5 + [1] * (len(people) - 5)
    assert [(await house.kept(send)).completed_at is not None for send in sends] == [True, True]
    assert await house.service.held.waiting(house.bot, tenant, "") == []
    assert await paused_in(house.service, house.bot, {tenant}) == []


async def test_a_pause_in_the_middle_leaves_who_was_marked_but_not_sent_to_open(
    house: House, people: list[Person], tenant: str
) -> None:
    width, some = 4, people[:20]
    async with TeamsStandIn(people, rate=None, latency=0.5) as slow:
        house.teams = slow
        await house.knows(some)
        send = await house.accept(some, options={"parallelism": width})
        running = asyncio.create_task(deliver.run_lane(house.instance(), send.id))

        async def kept() -> Chunk:
            chunk = await house.service.chunks.get(send.id, send.plan, 0)
            assert chunk
            return chunk

        while (await kept()).marked <= width:
            await asyncio.sleep(0.01)
        await pause(house.service, house.bot, tenant)
        await running
        held, sent = await kept(), len(slow.received)

        assert width <= sent <= 2 * width
        assert held.in_doubt() == []
        assert len(held.open()) == len(some) - sent
        await resume(house.service, house.bot, tenant)
        await house.drain()
        assert [len(slow.delivered(person)) for person in some] == [1] * len(some)


async def test_a_crash_while_a_bot_is_held_loses_nobody(
    house: House, teams: TeamsStandIn, people: list[Person], tenant: str, clock: Clock
) -> None:
    await house.knows(people)
    send = await house.accept(people)
    await pause(house.service, house.bot, tenant)
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Chunks, "save", 1, after=True)
        with pytest.raises(CrashError):
            await house.step(LANES)
    await house.advance(900)
    assert not teams.received

    await resume(house.service, house.bot, tenant)
    await house.advance(60)

    assert [len(teams.delivered(person)) for person in people] == [1] * len(people)
    assert (await house.kept(send)).completed_at


async def test_who_resumes_between_a_lanes_look_and_its_note_is_not_missed(
    house: House, teams: TeamsStandIn, people: list[Person], tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.knows(people[:3])
    await pause(house.service, house.bot, tenant)
    await house.accept(people[:3])
    other, add = house.instance(), house.service.held.add

    async def late(*note: object) -> None:
        await resume(other, house.bot, tenant)
        await add(*note)  # type: ignore[arg-type]

    monkeypatch.setattr(house.service.held, "add", late)
    await house.drain()

    assert [len(teams.delivered(person)) for person in people[:3]] == [1] * 3
    assert await house.service.held.waiting(house.bot, tenant, "") == []


async def test_without_a_word_a_held_lane_looks_again_by_itself(
    house: House, teams: TeamsStandIn, people: list[Person], tenant: str
) -> None:
    await house.knows(people[:3])
    await pause(house.service, house.bot, tenant)
    await house.accept(people[:3])
    await house.drain()
    await house.service.pace.pause(house.bot, tenant, paused=False)

    await house.advance(310)

    assert [len(teams.delivered(person)) for person in people[:3]] == [1] * 3


async def test_retries_wait_too_replies_go_on_and_cancelling_does_not_wait(
    house: House, teams: TeamsStandIn, people: list[Person], tenant: str
) -> None:
    await house.knows(people[:2])
    teams.fault(Fault(status=503, person=people[0].object_id, times=1))
    send = await house.accept(people[:2])
    await house.drain()
    await pause(house.service, house.bot, tenant)
    await house.advance(60)
    assert sorted(await house.states(send)) == ["delivered", "pending"]

    reply = {"kind": REPLY, "bot": house.bot, "tenant": tenant, "serviceUrl": teams.service_url,
             "conversation": people[1].conversation_id, "text": "a reply"}  # fmt: skip
    await house.service.account.put(ERRANDS, reply)
    await house.drain()
    assert [activity["text"] for activity in teams.delivered(people[1])] == ["hello", "a reply"]

    await cancel(house.service, send.id, told=True)
    await house.drain()
    assert sorted(await house.states(send)) == ["cancelled", "delivered"]
    assert (await house.kept(send)).completed_at


async def test_another_bot_or_tenant_is_not_held(
    house: House, teams: TeamsStandIn, people: list[Person], tenant: str
) -> None:
    await house.knows(people[:1])
    await pause(house.service, house.bot, "another")
    await pause(house.service, "another", tenant)

    await house.accept(people[:1])
    await house.drain()

    assert len(teams.delivered(people[0])) == 1


async def test_pausing_and_resuming_twice_is_once(
    house: House, teams: TeamsStandIn, people: list[Person], tenant: str
) -> None:
    await house.knows(people[:3])
    for _ in range(2):
        await pause(house.service, house.bot, tenant)
    await house.accept(people[:3])
    await house.drain()

    for _ in range(2):
        await resume(house.service, house.bot, tenant)
    await house.drain()

    assert [len(teams.delivered(person)) for person in people[:3]] == [1] * 3
