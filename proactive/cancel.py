"""Cancelling: who was not sent to yet is not sent to any more."""

from proactive.model import Send
from proactive.plan import put_watched, start_lanes
from proactive.service import Service
from proactive.store.account import PLANS
from proactive.store.errors import Stale


async def cancel(service: Service, send_id: str) -> Send | None:
    """Cancel a send and return it, or None when there is none. Doing it again, or too late, changes nothing.

    The lanes settle it: they are woken even where they have been before, since a call that was cut short is repeated.
    """
    while True:
        send = await service.sends.get(send_id)
        if send is None or send.completed_at:
            return send
        if not send.cancelled_at:
            try:
                send = await service.sends.update(send, cancelled_at=service.clock())
            except Stale:
                continue
        if send.plan:
            await start_lanes(service, send)
        else:
            await put_watched(service, PLANS, {"send": send.id})
        return send
