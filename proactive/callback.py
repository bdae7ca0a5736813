"""Callbacks: the outcome is handed to the flow, signed, again and again until it takes it, for at least a day."""

import json
import logging
import random
from collections.abc import Sequence
from itertools import takewhile

from proactive import report, telemetry
from proactive.model import Send
from proactive.outbound import Answer
from proactive.relay import call_off, later
from proactive.service import Service
from proactive.store.account import CALLBACKS
from proactive.store.callbacks import ACCEPTED, COMPLETED, GIVEN_UP, PENDING, Callback
from proactive.store.errors import Conflict, Stale

log = logging.getLogger(__name__)

# Seconds between two attempts: 38 hours in all, each 20 % more or less, so that callbacks that failed together are
# not repeated together.
_SCHEDULE = (5, 30, 120, 300, 1800, 7200, 18_000, 36_000, 36_000, 36_000)
# A flow that is called before it waits says 404 or 409; two minutes are enough for it to get ready.
_NOT_READY = frozenset({404, 409})
_NOT_READY_SCHEDULE = (5, 10, 15, 20, 30, 35)
_NOT_READY_FOR = 120.0
_AGAIN = frozenset({408, 429})
_AFTER_SUBSCRIPTION = 3.0  # seconds: a callback that overtakes the subscription's answer finds nobody waiting
_OUTCOMES = {ACCEPTED: "accepted", PENDING: "again", GIVEN_UP: "givenUp"}
_LEASE = 60.0  # seconds for which a worker may be busy with one attempt


async def call(service: Service, send_id: str, event: str, watch: Sequence[str] = ()) -> None:
    """Make one attempt at a callback, if it is due, and see to the next. `watch` is the message's watchdog."""
    await _call(service, send_id, event)
    await call_off(service, watch)


async def _call(service: Service, send_id: str, event: str) -> None:
    send = await service.sends.get(send_id)
    if send is None or not send.callback_url or send.silent_at:
        return
    callback = await service.callbacks.get(send_id, event)
    now = service.clock()
    if callback.state != PENDING or callback.next_at > now + 1:
        return  # done with, or a timer of its own leads to the next attempt
    message = {"send": send_id, "event": event}
    soonest = max(send.created_at, send.held_until or 0.0) + _AFTER_SUBSCRIPTION
    if (wait_until := max(callback.busy_until, 0.0 if callback.attempts else soonest)) > now:
        # The subscription's answer may be held back for less long than it might have been: ask again soon.
        await later(service, min(wait_until, now + _AFTER_SUBSCRIPTION), CALLBACKS, message)
        return
    callback.busy_until = now + _LEASE
    try:
        await service.callbacks.save(callback)
    except (Conflict, Stale):
        return  # somebody else makes this attempt
    body = await report.callback_body(service, send, event)
    if body is None and event != COMPLETED:
        callback.state, callback.busy_until = GIVEN_UP, 0.0  # the answer was erased: nobody is to be told of it
        await service.callbacks.save(callback)
        return
    if body is None:
        raise LookupError(f"callback {event} of send {send_id} has nothing to tell")
    with telemetry.call("callback", send, attempt=len(callback.attempts) + 1) as span:
        answer = await service.outbound.post(
            send.callback_url, f"{send.id}.{event}", json.dumps(body, ensure_ascii=False).encode()
        )
        telemetry.answered(span, answer.error or f"HTTP {answer.status}", well=_taken(answer))
    await _settle(service, send, callback, answer)


async def _settle(service: Service, send: Send, callback: Callback, answer: Answer) -> None:
    now = service.clock()
    callback.attempts.append((now, answer.status, answer.error))
    callback.busy_until = 0.0
    delay = next_delay(callback, answer)
    if _taken(answer):
        callback.state = ACCEPTED
    elif delay is None:
        callback.state = GIVEN_UP
        log.error("callback %s of send %s was given up: %s", callback.event, send.id, answer.status or answer.error)
    else:
        callback.next_at = now + delay
        await later(service, callback.next_at, CALLBACKS, {"send": send.id, "event": callback.event})
    if callback.state == ACCEPTED:
        await service.sends.note(send.id, called_at=now)
    await service.callbacks.save(callback)
    telemetry.called_back(_OUTCOMES[callback.state], answer.status)


def _taken(answer: Answer) -> bool:
    return answer.status is not None and 200 <= answer.status < 300


def next_delay(callback: Callback, answer: Answer) -> float | None:
    """Return the seconds until the next attempt, or None where this was the last."""
    tries = len(callback.attempts) - 1
    schedule: tuple[int, ...] = _SCHEDULE
    if answer.status in _NOT_READY:
        streak = list(takewhile(lambda attempt: attempt[1] in _NOT_READY, reversed(callback.attempts)))
        if streak[0][0] - streak[-1][0] >= _NOT_READY_FOR:
            return None
        schedule = _NOT_READY_SCHEDULE
        tries = min(len(streak), len(schedule)) - 1
    elif answer.status is not None and answer.status not in _AGAIN and answer.status < 500:
        return None
    if tries >= len(schedule):
        return None
    return max(schedule[tries] * random.uniform(0.8, 1.2), answer.retry_after)  # noqa: S311 - spreads, keeps no secret
