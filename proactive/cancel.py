"""Cancelling: who was not sent to yet is not sent to any more."""

from proactive.model import Send
from proactive.plan import hasten
from proactive.service import Service
from proactive.store.answers import CANCELLED
from proactive.store.errors import Stale
from proactive.waits import end


async def cancel(service: Service, send_id: str, *, told: bool) -> Send | None:
    """Cancel a send and return it, or None when there is none. Doing it again, or too late, changes nothing.

    Unless the flow is to be `told`, this is its own unsubscribing: no callback comes any more. Once it has taken a
    callback it has its answer: then further callbacks are all that is stopped. Who has it told is no flow, and ends
    also what goes on after a callback: with `each`, the first answers are told while others are still asked.

    The lane settles it: it is woken even where it has been before, since a call that was cut short is repeated.
    """
    while True:
        send = await service.sends.get(send_id)
        if send is None:
            return None
        if send.callback_url and not send.silent_at and not told:
            await service.sends.note(send.id, silent_at=service.clock())
            continue
        if send.called_at and (not told or (send.completed_at and send.ended_at)):
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
        await hasten(service, send)
        return send
