"""Cancelling: who was not sent to yet is not sent to any more."""

from proactive.model import Send
from proactive.plan import start_lane
from proactive.relay import put_watched
from proactive.service import Service
from proactive.store.account import PLANS
from proactive.store.answers import CANCELLED
from proactive.store.errors import Stale
from proactive.waits import end


async def cancel(service: Service, send_id: str, *, told: bool) -> Send | None:
    """Cancel a send and return it, or None when there is none. Doing it again, or too late, changes nothing.

    Unless the flow is to be `told`, this is its own unsubscribing: no callback comes any more. Once it has taken a
    callback it has its answer: then further callbacks are all that is stopped.

    The lane settles it: it is woken even where it has been before, since a call that was cut short is repeated.
    """
    while True:
        send = await service.sends.get(send_id)
        if send is None:
            return None
        if send.callback_url and not send.silent_at and (not told or send.called_at):
            await service.sends.note(send.id, silent_at=service.clock())
            continue
        if send.called_at:
            return send
        if send.completed_at:
            if send.wait:
                await end(service, send, CANCELLED)
            return send
        if not send.cancelled_at:
            try:
                send = await service.sends.update(send, cancelled_at=service.clock())
            except Stale:
                continue
        if send.wait:
            await end(service, send, CANCELLED)
        if send.plan:
            await start_lane(service, send)
        else:
            await put_watched(service, PLANS, {"send": send.id})
        return send
