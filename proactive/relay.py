"""Messages on queues that must not be lost: now with a watchdog that repeats them, or later by way of `timers`.

A queue hides the message of a process that died for ten minutes; the watchdog comes after little more than one. It is
put on `timers` before the message itself, pushed ahead of time by whoever works on it, and taken back at the end.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import batched

from proactive.service import Service
from proactive.store.account import LANES, TIMERS, QueueReceipt

WATCH = 75.0  # seconds: a little more than the longest lease of a worker that died
_PUSH = 40.0  # seconds between two pushes
_AT_ONCE = 50  # sends that are woken together


async def put_watched(service: Service, queue: str, body: Mapping[str, object], at: float = 0.0) -> None:
    """Put a message on a queue, and before it a watchdog that repeats it unless whoever works on it holds it back.

    `at` is the moment, in seconds since the epoch, before which the message does not come. It brings its watchdog
    along, so that a process which dies while it rings the timer is no loss of ten minutes.
    """
    now = service.clock()
    watch = await later(service, max(at, now) + WATCH, queue, body)
    message = {**body, "watch": [watch.id, watch.pop_receipt]}
    if at > now:
        await later(service, at, queue, message)
    else:
        await service.account.put(queue, message)


async def later(service: Service, at: float, queue: str, body: Mapping[str, object]) -> QueueReceipt:
    """Put a message on `queue` at a moment, in seconds since the epoch, by way of `timers`."""
    timer = {"to": queue, "at": at, "body": body}
    return await service.account.put(TIMERS, timer, delay=max(1.0, at - service.clock()))


async def wake(service: Service, bot: str, tenant: str, person: str = "") -> None:
    """Let the sends go on that wait for a person's chat to end or, without a person, for the bot to be let go on."""
    woken = {"woken": True} if person else {}  # of one person only: what else a send waits for has its own time
    for some in batched(await service.held.waiting(bot, tenant, person), _AT_ONCE, strict=False):
        await asyncio.gather(*(put_watched(service, LANES, {"send": send, **woken}) for send in some))
        await service.held.forget(bot, tenant, person, some)


async def call_off(service: Service, watch: Sequence[str]) -> None:
    """Take the watchdog of a message back, once its work is done."""
    if watch:
        await service.account.take_back(watchdog(watch))


@asynccontextmanager
async def watched(service: Service, watch: Sequence[str]) -> AsyncIterator[None]:
    """Keep a message's watchdog ahead of time while the block runs. It stays behind when the block fails."""
    receipt = watchdog(watch) if watch else None

    async def push() -> None:
        nonlocal receipt
        while receipt is not None:
            await asyncio.sleep(_PUSH)
            receipt = await service.account.postpone(receipt, WATCH)

    pushing = asyncio.create_task(push())
    try:
        yield
    finally:
        pushing.cancel()
        with suppress(asyncio.CancelledError):
            await pushing
    if receipt is not None:
        await service.account.take_back(receipt)


def watchdog(watch: Sequence[str]) -> QueueReceipt:
    """Return the watchdog that a message names."""
    return QueueReceipt(TIMERS, *watch)
