"""Recipients become people, people become chunks.

However many they are, only some of them are held in memory. A plan counts from the one conditional write that puts its
name into the send; what is kept before, in transactions of some chunks and the draft, is gone on with after a crash:

    recipients ─▶ people ─▶ chunks + draft ─▶ chunks + draft ─▶ … ─▶ last chunks + send ─▶ [lanes]
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

from proactive import telemetry
from proactive.graph import GraphAway
from proactive.model import REFUSED, Recipient, Result, Send, State
from proactive.people import Planned
from proactive.recipients import PLAN_FAILED, Batch, Cursor, names_end, recipients
from proactive.relay import later, put_watched, watched
from proactive.service import Service
from proactive.store.account import LANES, PLANS, WAITS, Row
from proactive.store.chunks import DATA, SIZE, Chunk, row_of
from proactive.store.drafts import BYTES, ROWS, Draft, weight
from proactive.store.errors import Conflict, InDoubt, Stale
from proactive.store.pack import cut
from proactive.store.pack import weight as weight_of

log = logging.getLogger(__name__)

_TURN = 240.0  # seconds after which a plan hands itself on: function_time-out in host.json is ten minutes


async def plan(service: Service, send_id: str, watch: Sequence[str] = ()) -> None:
    """Make the plan of a send, unless there is one, and have it delivered. `watch` is the message's watchdog."""
    async with watched(service, watch):
        await _plan(service, send_id)


async def give_up(service: Service, send_id: str) -> None:
    """End a send that could not be planned: everybody it names failed."""
    await _plan(service, send_id, failed=True)


async def _plan(service: Service, send_id: str, *, failed: bool = False) -> None:
    send = await service.sends.get(send_id)
    if send is None or send.completed_at:
        log.warning("nothing to plan: send %s is %s", send_id, "completed" if send else "not there")
        return
    with telemetry.step("plan", send):
        await _plan_and_start(service, send, failed=failed)


async def _plan_and_start(service: Service, send: Send, *, failed: bool) -> None:
    if not send.plan:
        try:
            planned = await _make(service, send, failed=failed)
        except (Conflict, Stale, InDoubt):
            # Somebody else plans it as well, or it was cancelled: whoever looks next goes on from there.
            await put_watched(service, PLANS, {"send": send.id}, service.clock() + 1)
            return
        except GraphAway as away:
            log.info("the plan of send %s waits %.0f s for Microsoft Graph: %s", send.id, away.retry_after, away.reason)
            await put_watched(service, PLANS, {"send": send.id}, service.clock() + away.retry_after)
            return
        if planned is None:
            await put_watched(service, PLANS, {"send": send.id})
            return
        send = planned
    await start_lane(service, send)


async def _make(service: Service, send: Send, *, failed: bool) -> Send | None:
    """Make the plan, from the draft on that somebody may have left. Return None when it takes longer than a turn.

    Raises `GraphAway`, once what there is has been kept, when Graph cannot tell now who the others are.
    """
    draft = await service.drafts.get(send.id)
    if draft is None or draft.cursor is None:
        draft = Draft(send.id, uuid.uuid4().hex[:8], etag=draft.etag if draft else "")
    drawing = _Drawing(service, send, draft)
    until = service.clock() + _TURN
    source = _everybody_failed(service, send) if failed else recipients(service, send, draft)
    reached: Cursor = None
    try:
        async for people, reached in source:
            await drawing.add(people, reached)
            if reached is not None and service.clock() > until:
                await drawing.pause(reached)
                return None
    except GraphAway:
        if reached is not None:
            await drawing.pause(reached)
        raise
    return await drawing.finish()


async def _everybody_failed(service: Service, send: Send) -> AsyncIterator[Batch]:
    failed = Result(State.FAILED, REFUSED, PLAN_FAILED)
    if send.of:
        yield [(Recipient(send.of, None), failed)], None
    async for entries in service.sends.inputs(send):
        yield [(Recipient(entry.value or entry.kind, None), failed) for entry in entries], None


class _Drawing:
    """A plan as it is drawn: people are cut into chunks, chunks kept when there are enough for a transaction."""

    def __init__(self, service: Service, send: Send, draft: Draft) -> None:
        self._service = service
        self._send = send
        self._draft = draft
        self._people: list[Planned] = []
        self._rows: list[Row] = []
        self._weight = 0
        self._data = 0
        self._settled: list[Result] = []  # of those who will be sent nothing; not kept yet

    async def add(self, people: Sequence[Planned], cursor: Cursor) -> None:
        """Add people; `cursor` says where to go on behind them."""
        self._people += people
        if cursor is not None:
            self._data += sum(weight_of(recipient.data) for recipient, _ in people)
        named = names_end(self._draft.cursor, cursor)
        if self._people and (named or len(self._people) >= SIZE or self._data >= DATA):
            await self._cut()
        if named:
            self._draft = replace(self._draft, named=self._draft.chunks)
        if not self._people:
            self._draft = replace(self._draft, cursor=cursor)
            if len(self._rows) > ROWS * 3 // 4 or self._weight > BYTES * 3 // 4:
                await self.keep()

    async def _cut(self) -> None:
        chunks = _divided(self._send.id, self._draft.name, self._people, self._draft.chunks)
        self._people, self._data = [], 0
        for chunk in chunks:
            row = row_of(chunk)
            # With a cursor a draft must end where a cut ends: what it has is never made again.
            if self._draft.cursor is None and (len(self._rows) >= ROWS or self._weight + weight(row) > BYTES):
                await self.keep()
            self._rows.append(row)
            self._settled += chunk.results.values()
            self._weight += weight(row)
            self._draft = replace(
                self._draft, chunks=self._draft.chunks + 1, total=self._draft.total + len(chunk.people)
            )
            await asyncio.sleep(0)  # packing takes a millisecond each, and there may be hundreds

    async def pause(self, cursor: Cursor) -> None:
        """Cut the rest and keep it, so that somebody else can go on behind it."""
        if self._people:
            await self._cut()
        self._draft = replace(self._draft, cursor=cursor)
        await self.keep()

    async def keep(self) -> None:
        """Keep what has been cut so far, so that a crash need not begin again."""
        self._draft = await self._service.drafts.grow(self._draft, self._rows)
        self._rows, self._weight = [], 0
        self._tell()

    async def finish(self) -> Send:
        """Cut the rest, and let the plan count."""
        if self._people or not self._draft.chunks:
            await self._cut()
        planned = await self._service.drafts.commit(self._send, self._draft, self._rows)
        self._tell()
        return planned

    def _tell(self) -> None:
        telemetry.delivered(self._settled)
        self._settled = []


def divide(send_id: str, plan_name: str, people: Sequence[Planned], first: int = 0) -> list[Chunk]:
    """Return chunks of about equal size, numbered from `first` on; smaller ones where people have much data."""
    return list(_divided(send_id, plan_name, people, first))


def _divided(send_id: str, plan_name: str, people: Sequence[Planned], first: int) -> Iterator[Chunk]:
    if not people:
        yield Chunk(send_id, plan_name, first, [])
    count = max(1, -(-len(people) // SIZE))
    size = max(1, -(-len(people) // count))
    data = [recipient.data for recipient, _ in people]
    for number, some in enumerate(cut(people, data, size, DATA), first):
        results = {n: result for n, (_, result) in enumerate(some) if result}
        yield Chunk(send_id, plan_name, number, [recipient for recipient, _ in some], results)


async def start(service: Service, send: Send) -> None:
    """Put a send that is kept on its way, now or when its time has come, and set the time-out of its wait."""
    if send.wait:
        await later(service, send.closes_at, WAITS, {"kind": "timeout", "send": send.id})
    if send.plan and send.begins_at <= service.clock():
        await start_lane(service, send)
    else:
        await put_watched(service, PLANS, {"send": send.id}, send.begins_at)


async def start_lane(service: Service, send: Send, at: float = 0.0) -> None:
    """Have a send delivered, from a moment on. More than one message for it does no harm: chunks are leased."""
    await put_watched(service, LANES, {"send": send.id}, at)


async def hasten(service: Service, send: Send) -> None:
    """Have a send that is over looked at now, planned or not: who was not sent to yet gets a final state."""
    if send.plan:
        await start_lane(service, send)
    else:
        await put_watched(service, PLANS, {"send": send.id})
