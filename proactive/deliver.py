"""A send goes out to Teams, chunk by chunk.

A lane is the queue message that walks the chunks of a send. What keeps it going when its process dies is a second
message, the watchdog: it was put on `timers` before the lane's own, is pushed ahead of time while the lane is walked,
and becomes a fresh lane message soon after nobody pushes it any more. Two on one lane do not meet: the one that finds a
chunk leased leaves.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from proactive import telemetry
from proactive.content import encode, with_marks
from proactive.crew import Crew
from proactive.filling import Filling
from proactive.model import REFUSED, UNKNOWN, Result, Send, State
from proactive.plan import start_lane
from proactive.relay import watched
from proactive.service import Service
from proactive.store.chunks import FIRST_PLAN, Chunk, chunk_key, chunk_of
from proactive.store.errors import Stale
from proactive.tickets import PLACEHOLDER
from proactive.waits import delivered
from proactive.window import LEASE, Window

log = logging.getLogger(__name__)

_TURN = 240.0  # seconds after which a lane hands itself on: function_time-out in host.json is ten minutes


async def run_lane(service: Service, send_id: str, watch: Sequence[str] = (), *, woken: bool = False) -> None:
    """Deliver what is due of a send, and see to what is not due yet.

    `watch` names the watchdog that came with the lane's message; `woken` when somebody can get a message before the
    time at which a timer leads here.
    """
    async with watched(service, watch):
        await _run_lane(service, send_id, woken=woken)


async def _run_lane(service: Service, send_id: str, *, woken: bool) -> None:
    # Most sends are to a few people, whose only chunk was made with the send: both are read in one call.
    send, row = await service.sends.get_with(send_id, chunk_key(FIRST_PLAN, 0))
    if send is None:
        return
    if send.completed_at:
        await delivered(service, send)  # a crash may have come between the last result and what follows
        return
    if not send.plan:
        log.warning("the lane of send %s came before its plan", send_id)
        return
    with telemetry.step("deliver", send, verb=send.verb):
        telemetry.ceiling(service.settings.requests_per_second)
        only = chunk_of(row) if row and send.plan == FIRST_PLAN and send.chunks == 1 else None
        await _deliver(service, send, only, woken=woken)


async def _deliver(service: Service, send: Send, only: Chunk | None, *, woken: bool) -> None:
    """Walk over the chunks of a send, and see to what follows. `only` is its only chunk, if it has been read."""
    walk = _Walk(service, send, woken=woken)
    await walk.run(only)
    if walk.crew.paused and not await _held(service, send):
        await start_lane(service, send)
    elif walk.next_look is not None:
        await start_lane(service, send, walk.next_look)
    elif walk.settled and send.completed_at:
        await delivered(service, send)
    elif walk.settled:
        await complete_if_done(service, send.id)


class _Walk:
    """One walk over the open chunks of a send. Afterwards `next_look` says when there is more to do, None for never."""

    def __init__(self, service: Service, send: Send, *, woken: bool) -> None:
        self._service = service
        self._send = send
        self._woken = woken
        # Filled for each person where there are data, else encoded once for all.
        self._content = Filling.of(send, service.settings.max_message_bytes) or encode(
            with_marks(send.activity, PLACEHOLDER.decode()) if send.marked else send.activity
        )
        stopped = bool(send.cancelled_at or send.ended_at)
        self.crew = Crew(send.options.parallelism, service.clock() + _TURN, stopped=stopped)
        self.next_look: float | None = None
        self.settled = True

    async def run(self, first: Chunk | None) -> None:
        """Deliver what is due of each chunk in turn. `first` is the only chunk, where it was read with the send."""
        numbers = [0] if self._send.chunks == 1 else await _open_chunks(self._service, self._send)
        if not numbers:
            return
        finishing: list[asyncio.Task[bool]] = []
        coming = asyncio.create_task(self._open(numbers[0], first))
        try:
            for following in [*numbers[1:], None]:
                if self.crew.over(self._service.clock()):
                    self._look_at(max(self.crew.held_until, self._service.clock()))
                    break
                window = await coming
                if following is not None:
                    coming = asyncio.create_task(self._open(following, after=window))
                if window.chunk.lease_until > self._service.clock():
                    # Somebody works on this send: with two of us it would have too many messages in flight.
                    self._look_at(window.chunk.lease_until + 1)
                    break
                before = window.chunk.next_try()
                if not await self._unless_lost(window, window.mark()):
                    break
                self.crew.begun = True  # also where nobody of the chunk needed a message
                finishing.append(asyncio.create_task(self._finish(window, before)))
                if len(finishing) > 1 and not await finishing.pop(0):
                    break
            for task in finishing:
                await task
        finally:
            coming.cancel()
            await asyncio.gather(coming, *finishing, return_exceptions=True)

    async def _open(self, number: int, chunk: Chunk | None = None, *, after: Window | None = None) -> Window:
        """Read a chunk and its people; the next one while the one before it comes to its end."""
        if after:
            await after.ending.wait()
        chunk = chunk or await self._service.chunks.get(self._send.id, self._send.plan, number)
        if chunk is None:
            raise LookupError(f"send {self._send.id} has no chunk {number}")
        window = Window(self._service, self._send, chunk, self._content, self.crew)
        await window.load()
        return window

    async def _unless_lost(self, window: Window, work: Coroutine[Any, Any, None]) -> bool:
        """Do some work on a chunk. Return False when somebody else has taken it over: then we leave the send."""
        try:
            await work
        except Stale:
            log.warning("chunk %d of send %s was taken over", window.chunk.number, self._send.id)
            self._look_at(self._service.clock() + LEASE)
            return False
        return True

    async def _finish(self, window: Window, before: float | None) -> bool:
        """Bring a chunk to its end, and see when what is left of it is due. Return False when it was taken over."""
        if not await self._unless_lost(window, window.finish()):
            return False
        look = window.chunk.next_try()
        if look is None:
            return True
        if self._woken and before is not None and before <= look:
            self.settled = False  # a timer leads there already
        else:
            self._look_at(max(look, self.crew.held_until))
        return True

    def _look_at(self, moment: float) -> None:
        self.next_look = min(moment, moment if self.next_look is None else self.next_look)


async def _open_chunks(service: Service, send: Send) -> list[int]:
    rows = await service.chunks.counts(send.id, send.plan)
    return [number for number, row in enumerate(rows) if row["open"]]


async def _held(service: Service, send: Send) -> bool:
    """Have whoever lets the bot go on wake the send. Return False where that has happened since it was held."""
    await service.held.add(send.bot, send.tenant, "", send.id)
    if await service.pace.paused(send.bot, send.tenant):
        return True
    await service.held.remove(send.bot, send.tenant, "", send.id)
    return False


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


async def give_up(service: Service, send_id: str) -> None:
    """End what could not be delivered: who may have been sent to is unknown, who was not has failed."""
    send = await service.sends.get(send_id)
    if send is None or send.completed_at or not send.plan:
        return
    now = service.clock()
    for number in await _open_chunks(service, send):
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
        telemetry.in_doubt("gaveUp", len(doubtful))
        telemetry.delivered(chunk.results[index] for index in new)
    await complete_if_done(service, send_id)
