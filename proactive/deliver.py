"""A lane's chunks go out to Teams.

A lane is one queue message that walks every L-th chunk of a send. What keeps it going when its process dies is a
second message, the watchdog: it was put on `timers` before the lane's own, is pushed ahead of time while the lane runs,
and becomes a fresh lane message soon after nobody pushes it any more.
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from proactive.content import encode, with_marks
from proactive.model import REFUSED, UNKNOWN, Result, Send, State
from proactive.plan import WATCH, later, put_watched, watchdog
from proactive.service import Service
from proactive.store.account import LANES
from proactive.store.errors import Stale
from proactive.tickets import PLACEHOLDER
from proactive.waits import delivered
from proactive.window import LEASE, Window

log = logging.getLogger(__name__)

_TURN = 240.0  # seconds after which a lane hands itself on: function_time-out in host.json is ten minutes
_PUSH = 40.0  # seconds between two pushes


async def run_lane(service: Service, send_id: str, lane: int, watch: Sequence[str] = ()) -> None:
    """Deliver what is due on a lane of a send, and see to what is not due yet.

    `watch` names the watchdog that came with the lane's message.
    """
    async with _watched(service, watch):
        await _run_lane(service, send_id, lane)


async def _run_lane(service: Service, send_id: str, lane: int) -> None:
    send = await service.sends.get(send_id)
    if send is None:
        return
    if send.completed_at:
        await delivered(service, send)  # a crash may have come between the last result and what follows
        return
    if not send.plan:
        log.warning("lane %d of send %s came before its plan", lane, send_id)
        return
    message = {"send": send_id, "lane": lane}
    until = service.clock() + _TURN
    next_look: float | None = None
    content = encode(with_marks(send.activity, PLACEHOLDER.decode()) if send.wait else send.activity)
    for number in await _open_chunks(service, send, lane):
        look = await _deliver_chunk(service, send, number, content, until)
        next_look = min((at for at in (next_look, look) if at is not None), default=None)
        if service.clock() > until:
            next_look = service.clock()
            break
    if next_look is not None:
        await _go_on(service, message, next_look)
    elif send.completed_at:
        await delivered(service, send)
    else:
        await complete_if_done(service, send_id)


async def _open_chunks(service: Service, send: Send, lane: int) -> list[int]:
    if send.chunks == 1:
        return [0]
    rows = await service.chunks.counts(send.id, send.plan)
    return [n for n, row in enumerate(rows) if row["open"] and n % send.lanes == lane]


async def _deliver_chunk(service: Service, send: Send, number: int, content: bytes, until: float) -> float | None:
    """Deliver what is due of one chunk. Return when it needs another look, or None when all in it is final."""
    chunk = await service.chunks.get(send.id, send.plan, number)
    if chunk is None:
        raise LookupError(f"send {send.id} has no chunk {number}")
    now = service.clock()
    if chunk.lease_until > now:
        return chunk.lease_until + 1
    window = Window(service, send, chunk, content, owner=uuid.uuid4().hex[:12], until=until)
    try:
        await window.run()
    except Stale:
        log.warning("chunk %d of send %s was taken over", number, send.id)
        return service.clock() + LEASE
    look = min((chunk.result(number).retry_at for number in chunk.open()), default=None)
    return None if look is None else max(look, window.held_until)


async def _go_on(service: Service, message: dict[str, object], at: float) -> None:
    if at <= service.clock():
        await put_watched(service, LANES, message)
    else:
        await later(service, at, LANES, message)


@asynccontextmanager
async def _watched(service: Service, watch: Sequence[str]) -> AsyncIterator[None]:
    """Keep a lane's watchdog ahead of time while the block runs. It stays behind when the block fails."""
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


async def complete_if_done(service: Service, send_id: str) -> None:
    """Complete a send when nobody of it is open any more. Looking twice does no harm: one look wins."""
    while True:
        send = await service.sends.get(send_id)
        if send is None or send.completed_at or not send.plan:
            return
        counts = await service.chunks.counts(send.id, send.plan)
        if any(row["open"] for row in counts):
            return
        with suppress(Stale):
            now = service.clock()
            await service.sends.complete(send, now)
            await delivered(service, replace(send, completed_at=now))
            return


async def give_up_lane(service: Service, send_id: str, lane: int) -> None:
    """End what a lane could not finish: who may have been sent to is unknown, who was not has failed."""
    send = await service.sends.get(send_id)
    if send is None or send.completed_at or not send.plan:
        return
    now = service.clock()
    for number in await _open_chunks(service, send, lane):
        chunk = await service.chunks.get(send.id, send.plan, number)
        if chunk is None or not chunk.open():
            continue
        doubtful = set(chunk.in_doubt())
        new = chunk.open()
        for index in new:
            unknown = index in doubtful
            chunk.results[index] = Result(
                State.UNKNOWN if unknown else State.FAILED,
                UNKNOWN if unknown else REFUSED,
                "gaveUp",
                attempts=chunk.result(index).attempts,
                at=now,
            )
        chunk.lease_until, chunk.owner = 0.0, ""
        await service.chunks.save(chunk, new)
    await complete_if_done(service, send_id)
