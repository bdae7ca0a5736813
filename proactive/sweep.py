"""What is old goes: finished sends with all their rows, and what is kept of rejected messages.

The index is walked from its oldest day on. A send leaves it last of all, so that a sweep that was cut short is made up
for by the next. One that is not over, or not for long enough, is noted with the earliest moment at which it can be due,
and costs no look before.
"""

import asyncio
import logging
from collections.abc import Callable
from itertools import batched
from typing import Any

from proactive.accept import callback_key, send_id
from proactive.model import Send
from proactive.relay import call_off, put_watched
from proactive.retention import set_next
from proactive.service import Service
from proactive.shifts import SHIFT, begin
from proactive.store.account import WAITS
from proactive.store.days import Listed, Position
from proactive.store.sends import index_place
from proactive.times import DAY, day_of

log = logging.getLogger(__name__)

_AT_ONCE = 8  # sends


async def run(service: Service, chore: dict[str, Any]) -> None:
    """Work for one shift, and see that it goes on: at once where something is left, else a day later."""
    ours, watch = await begin(service, chore)
    if not ours:
        return
    due, etag = await service.retention.next_sweep()
    if due == chore["at"]:
        now = service.clock()
        left_at = await _sweep(service, Position(*chore.get("after", ())), now, now + SHIFT)
        if left_at is not None:
            await put_watched(service, WAITS, {"kind": "sweep", "at": due, "after": left_at})
        else:
            await set_next(service, now + DAY, etag)
    await call_off(service, watch)


def over_at(send: Send) -> float | None:
    """Return when a send was over, in seconds since the epoch, or None while it is not."""
    if send.cancelled_at:
        return max(send.cancelled_at, send.completed_at or 0.0, send.ended_at or 0.0)
    if send.completed_at is None or (send.wait and send.ended_at is None):
        return None
    return max(send.completed_at, send.ended_at or 0.0)


async def _sweep(service: Service, after: Position, now: float, until: float) -> Position | None:
    """Remove what is old behind a position of the index; return where to go on, or None at the end."""

    def go_on() -> bool:
        return service.clock() < until

    kept_from = now - service.settings.retention_days * DAY
    if not await service.retention.remove_rejected(kept_from, go_on):
        return after
    async for page in service.days.walk(after, day_of(kept_from)):
        for some in batched(page, _AT_ONCE, strict=False):
            due = [listed for listed in some if listed.look_at <= now]
            done = await asyncio.gather(*(_remove(service, listed, kept_from, now, go_on) for listed in due))
            if not all(done):
                return after
            after = some[-1].position
            if not go_on():
                return after
    return None


async def _remove(service: Service, listed: Listed, kept_from: float, now: float, go_on: Callable[[], bool]) -> bool:
    """Remove a send if it is old; return whether it needs no further look today."""
    send = await service.sends.get(listed.send)
    if send and index_place(send) != listed.position:
        await service.days.remove(listed)  # the id was given again, to a send that is listed elsewhere
        return True
    if send:
        over = over_at(send)
        # Past its time limits nothing happens to a send any more: what is open still will never be done.
        if over is None and max(send.deadline, send.closes_at) <= kept_from:
            over = kept_from
        if send.verb == "update" and send.marked and await service.sends.get(send.of):
            over = now  # its cards are answered for the question that it replaced: it stays as long as that
        if over is None or over > kept_from:
            await service.days.look_later(listed, (now if over is None else over) + (now - kept_from))
            return True
        if send.callback_url:
            await service.retention.remove_alias(send_id(callback_key(send.callback_url)), send.id)
    if not await service.retention.remove_send(listed.send, go_on):
        return False
    await service.days.remove(listed)
    log.info("send %s was deleted: it was over for longer than the retention", listed.send)
    return True
