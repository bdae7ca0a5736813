"""Teams' ceiling holds over all instances together."""

import asyncio
import uuid

import pytest

from proactive.pace import Pace
from proactive.store.account import Account
from tests.delivery.conftest import House


class Standing:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def instances(house: House, per_second: float, clock: Standing) -> list[Pace]:
    account: Account = house.service.account
    return [Pace(account, per_second, clock) for _ in range(3)]


async def test_slots_of_several_instances_never_overlap(house: House) -> None:
    paces = await instances(house, 50, Standing(1000.0))
    bot = uuid.uuid4().hex

    slots = await asyncio.gather(*(paces[n % 3].reserve(bot, "t", 10) for n in range(9)))

    starts = sorted(slot.start for slot in slots)
    assert [round(start - 1000.0, 6) for start in starts] == [round(n * 0.2, 6) for n in range(9)]


async def test_slots_nobody_used_expire(house: House) -> None:
    clock = Standing(1000.0)
    pace, *_ = await instances(house, 50, clock)
    bot = uuid.uuid4().hex
    await pace.reserve(bot, "t", 10)
    clock.now = 2000.0

    assert (await pace.reserve(bot, "t", 1)).start == 2000.0


async def test_a_429_of_one_conversation_holds_nobody_else(house: House) -> None:
    pace, *_ = await instances(house, 50, Standing(1000.0))
    bot = uuid.uuid4().hex
    for _ in range(3):
        await pace.throttled(bot, "t", "ada", 90)

    assert (await pace.reserve(bot, "t", 1)).start == 1000.0


async def test_a_429_of_a_second_conversation_holds_all_instances_and_no_other_tenant(house: House) -> None:
    clock = Standing(1000.0)
    paces = await instances(house, 50, clock)
    bot = uuid.uuid4().hex
    await paces[0].throttled(bot, "t", "ada", 5)
    await paces[0].throttled(bot, "t", "alan", 5)

    assert (await paces[2].reserve(bot, "t", 1)).start == 1005.0
    assert (await paces[2].reserve(bot, "another tenant", 1)).start == 1000.0
    clock.now = 1020.0
    assert (await paces[1].reserve(bot, "t", 1)).start == 1020.0


async def test_slots_far_ahead_are_not_taken(house: House) -> None:
    pace, *_ = await instances(house, 50, Standing(1000.0))
    bot = uuid.uuid4().hex
    await pace.throttled(bot, "t", "ada", 60)
    await pace.throttled(bot, "t", "alan", 60)

    for _ in range(2):
        slots = await pace.reserve(bot, "t", 10)
        assert (slots.start, slots.taken) == (1060.0, False)


async def test_lanes_of_one_process_share_what_was_taken_for_more(house: House) -> None:
    pace, other, *_ = await instances(house, 50, Standing(1000.0))
    bot = uuid.uuid4().hex

    first = await pace.reserve(bot, "t", 20, more=400)
    second = await pace.reserve(bot, "t", 20, more=400)
    third = await pace.reserve(bot, "t", 20)
    elsewhere = await other.reserve(bot, "t", 1)

    moments = [*first.moments(), *second.moments(), *third.moments(), *elsewhere.moments()]
    assert [round(moment - 1000.0, 6) for moment in moments] == [round(n * 0.02, 6) for n in range(51)]


async def test_who_has_much_to_send_takes_no_more_while_much_is_taken(house: House) -> None:
    pace, other, *_ = await instances(house, 50, Standing(1000.0))
    bot = uuid.uuid4().hex
    await pace.reserve(bot, "t", 50, more=1000)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await other.reserve(bot, "t", 50, more=1000)

    assert (await other.reserve(bot, "t", 1)).start == 1001.0


async def test_slots_in_hand_expire(house: House) -> None:
    clock = Standing(1000.0)
    pace, *_ = await instances(house, 50, clock)
    bot = uuid.uuid4().hex
    for _ in range(4):
        slots = await pace.reserve(bot, "t", 50)
        clock.now += 1.0
    await pace.reserve(bot, "t", 10, more=40)
    clock.now += 0.5

    slots = await pace.reserve(bot, "t", 40)

    assert -0.1 <= slots.start - clock.now <= 0.0
    assert pace.expired(bot, "t", clock.now - 0.2, slots.grace)
    assert not pace.expired(bot, "t", clock.now - 0.05, slots.grace)


async def test_slots_may_be_as_late_as_the_bot_was_idle_in_the_last_second(house: House) -> None:
    clock = Standing(1000.0)
    pace, *_ = await instances(house, 50, clock)
    bot = uuid.uuid4().hex

    async def after(idle: float) -> float:
        clock.now += idle
        slots = await pace.reserve(bot, "t", 25)
        clock.now += 0.5
        return round(slots.grace, 6)

    assert await after(500.0) == 1.0
    assert [await after(0.0) for _ in range(4)][-1] == 0.1
    assert await after(0.3) == 0.3
    assert await after(0.2) == 0.5
    assert [await after(0.0) for _ in range(3)][-1] == 0.1


async def test_a_429_takes_back_the_slots_in_hand(house: House) -> None:
    pace, *_ = await instances(house, 50, Standing(1000.0))
    bot = uuid.uuid4().hex
    await pace.reserve(bot, "t", 10, more=40)
    await pace.throttled(bot, "t", "ada", 3)
    await pace.throttled(bot, "t", "alan", 3)

    assert pace.expired(bot, "t", 1000.5, 1.0)
    assert (await pace.reserve(bot, "t", 10)).start == 1003.0


async def test_a_pause_holds_what_is_sent_on_all_instances_until_the_bot_goes_on(house: House) -> None:
    paces = await instances(house, 50, Standing(1000.0))
    bot = uuid.uuid4().hex
    for pace in paces:
        await pace.reserve(bot, "t", 1)

    await paces[0].pause(bot, "t", paused=True)
    held = [await pace.reserve(bot, "t", 1, sending=True) for pace in paces]
    replies = [await pace.reserve(bot, "t", 1) for pace in paces]

    assert [slots.taken for slots in held] == [False] * 3
    assert [slots.paused for slots in held] == [True] * 3
    assert [slots.taken for slots in replies] == [True] * 3
    assert await paces[1].paused(bot, "t")

    await paces[2].pause(bot, "t", paused=False)

    assert [(await pace.reserve(bot, "t", 1, sending=True)).taken for pace in paces] == [True] * 3
    assert not await paces[1].paused(bot, "t")
