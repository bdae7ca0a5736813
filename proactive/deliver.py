"""A lane's chunks go out to Teams.

A lane is one queue message that walks every L-th chunk of a send. What keeps it going when its process dies is a
second message, the watchdog: it was put on `timers` before the lane's own, is pushed ahead of time while the lane runs,
and becomes a fresh lane message soon after nobody pushes it any more.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from proactive.content import encode, with_marks
from proactive.model import REFUSED, UNKNOWN, Result, Send, State
from proactive.relay import put_watched, watched
from proactive.service import Service
from proactive.store.account import LANES
from proactive.store.chunks import FIRST_PLAN, Chunk, chunk_key, chunk_of
from proactive.store.errors import Stale
from proactive.tickets import PLACEHOLDER
from proactive.waits import delivered
from proactive.window import LEASE, Window

log = logging.getLogger(__name__)

_TURN = 240.0  # seconds after which a lane hands itself on: function_time-out in host.json is ten minutes


async def run_lane(
    service: Service, send_id: str, lane: int, watch: Sequence[str] = (), *, woken: bool = False
) -> None:
    """Deliver what is due on a lane of a send, and see to what is not due yet.

    `watch` names the watchdog that came with the lane's message; `woken` when somebody can get a message before the
    time at which a timer leads to the lane.
    """
    async with watched(service, watch):
        await _run_lane(service, send_id, lane, woken=woken)


async def _run_lane(service: Service, send_id: str, lane: int, *, woken: bool) -> None:
    # Most sends are to a few people, whose only chunk was made with the send: both are read in one call.
    send, row = await service.sends.get_with(send_id, chunk_key(FIRST_PLAN, 0))
    if send is None:
        return
    if send.completed_at:
        await delivered(service, send)  # a crash may have come between the last result and what follows
        return
    if not send.plan:
        log.warning("lane %d of send %s came before its plan", lane, send_id)
        return
    walk = _Lane(service, send, lane, woken=woken)
    await walk.run(chunk_of(row) if row and send.plan == FIRST_PLAN and send.chunks == 1 else None)
    if walk.next_look is not None:
        await put_watched(service, LANES, {"send": send.id, "lane": lane}, walk.next_look)
    elif walk.settled and send.completed_at:
        await delivered(service, send)
    elif walk.settled:
        await complete_if_done(service, send_id)


class _Lane:
    """One walk over the open chunks of a lane. Afterwards `next_look` says when there is more to do, None for never."""

    def __init__(self, service: Service, send: Send, lane: int, *, woken: bool) -> None:
        self._service = service
        self._send = send
        self._lane = lane
        self._woken = woken
        self._until = service.clock() + _TURN
        self._content = encode(with_marks(send.activity, PLACEHOLDER.decode()) if send.marked else send.activity)
        self.next_look: float | None = None
        self.settled = True

    async def run(self, first: Chunk | None) -> None:
        """Deliver what is due of each chunk in turn. `first` is the only chunk, where it was read with the send."""
        numbers = [0] if self._send.chunks == 1 else await _open_chunks(self._service, self._send, self._lane)
        if not numbers:
            return
        stopped = False
        coming = asyncio.create_task(self._open(numbers[0], first))
        try:
            for following in [*numbers[1:], None]:
                window = await coming
                if window.chunk.lease_until > self._service.clock():
                    # Somebody works on this lane: with two of us it would have too many messages in flight.
                    self._look_at(window.chunk.lease_until + 1)
                    return
                if following is not None:
                    coming = asyncio.create_task(self._open(following, after=window))
                window.stopped |= stopped
                if not await self._deliver(window):
                    return
                stopped = window.stopped
                if self._service.clock() > self._until or window.paused:
                    self._look_at(window.held_until or self._service.clock())
                    return
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    async def _open(self, number: int, chunk: Chunk | None = None, *, after: Window | None = None) -> Window:
        """Read a chunk and its people: the next one while the one before it comes to its end."""
        if after:
            await after.draining.wait()
        chunk = chunk or await self._service.chunks.get(self._send.id, self._send.plan, number)
        if chunk is None:
            raise LookupError(f"send {self._send.id} has no chunk {number}")
        window = Window(self._service, self._send, chunk, self._content, until=self._until)
        await window.load()
        return window

    async def _deliver(self, window: Window) -> bool:
        """Deliver what is due of a chunk. Return False when somebody else has taken it over."""
        chunk = window.chunk
        before = chunk.next_try()
        try:
            await window.run()
        except Stale:
            log.warning("chunk %d of send %s was taken over", chunk.number, self._send.id)
            self._look_at(self._service.clock() + LEASE)
            return False
        if (look := chunk.next_try()) is None:
            return True
        if self._woken and before is not None and before <= look:
            self.settled = False  # a timer leads there already
        else:
            self._look_at(max(look, window.held_until))
        return True

    def _look_at(self, moment: float) -> None:
        self.next_look = min(moment, moment if self.next_look is None else self.next_look)


async def _open_chunks(service: Service, send: Send, lane: int) -> list[int]:
    rows = await service.chunks.counts(send.id, send.plan)
    return [n for n, row in enumerate(rows) if row["open"] and n % send.lanes == lane]


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
