"""Teams' ceiling holds over all instances together."""

import asyncio
import uuid

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

    assert await pace.reserve(bot, "t", 10) == (1060.0, 0.02, False)
    assert await pace.reserve(bot, "t", 10) == (1060.0, 0.02, False)
