"""The end of a wait: by an answer, at the time-out, by cancelling, or because nobody was reached.

Whoever inserts the `end` row has ended it; what follows (the flow's callback, the cards of the others) may be put on
its way any number of times. A `check` on `timers` sees to it after a crash in between.
"""

from proactive import telemetry
from proactive.model import Send
from proactive.plan import hasten
from proactive.relay import later, put_watched
from proactive.service import Service
from proactive.store.account import CALLBACKS, WAITS
from proactive.store.answers import AFTER_DELIVERY, NOT_DELIVERED, RESPONDED, TIMED_OUT, End
from proactive.store.callbacks import COMPLETED

CHECK = 30.0  # seconds after which somebody looks whether all that follows is on its way


async def expire(service: Service, send: Send) -> None:
    """End a wait when its time is over; wait on when it is not."""
    if send.closes_at - service.clock() > 1:
        await later(service, send.closes_at, WAITS, {"kind": "timeout", "send": send.id})
    else:
        await end(service, send, TIMED_OUT)


async def end(service: Service, send: Send, kind: str) -> None:
    """End a wait if it is not over, and put on its way what follows."""
    with telemetry.step("end", send, how=kind):
        check = await later(service, service.clock() + CHECK, WAITS, {"kind": "ended", "send": send.id})
        await service.answers.end(send.id, End(kind, service.clock()))
        await after_end(service, send)
        await service.account.take_back(check)


async def after_end(service: Service, send: Send) -> None:
    """Put on its way what follows from the end of a wait, if it has ended. Doing it again does no harm."""
    ended = await service.answers.ended(send.id)
    if ended is None:
        return
    await service.sends.note(send.id, ended_at=ended.at)  # what still goes out stops
    if ended.kind in AFTER_DELIVERY and not send.completed_at:
        # Its lane settles who was not reached; the end of the delivery comes back here. Whoever cancels wakes it.
        if ended.kind == TIMED_OUT:
            await hasten(service, send)
        return
    if send.callback_url:
        await put_watched(service, CALLBACKS, {"send": send.id, "event": COMPLETED})
    if send.completed_at and ended.kind != NOT_DELIVERED and not (ended.kind == RESPONDED and send.total == 1):
        await put_watched(service, WAITS, {"kind": "close", "send": send.id, "chunk": 0})


async def delivered(service: Service, send: Send) -> None:
    """See to what follows when everybody of a send has a result. Doing it again does no harm."""
    if send.wait is None:
        if send.callback_url:
            await put_watched(service, CALLBACKS, {"send": send.id, "event": COMPLETED})
        return
    if await service.answers.ended(send.id):
        await after_end(service, send)
        return
    counts = await service.chunks.counts(send.id, send.plan)
    if not any(row["delivered"] + row["unknown"] for row in counts):
        await end(service, send, NOT_DELIVERED)
    elif await all_answered(service, send):
        await end(service, send, RESPONDED)


async def all_answered(service: Service, send: Send) -> bool:
    """Whether everybody whom the card reached has answered, as far as the delivery has come."""
    chunks = await service.chunks.counts(send.id, send.plan)
    if any(row["open"] for row in chunks):
        return False
    answered = await service.answers.counts(send.id)
    for number, row in enumerate(chunks):
        if row["delivered"] and not answered.get(number, (0, False))[1] and not await _complete(service, send, number):
            return False
    return bool(answered)


async def _complete(service: Service, send: Send, number: int) -> bool:
    """Look again at a chunk whose last answer came before its last delivery was written down."""
    chunk = await service.chunks.get(send.id, send.plan, number)
    answered = await service.answers.answered(send.id, number)
    return chunk is not None and chunk.all_answered(answered.numbers)
