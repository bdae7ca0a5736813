"""The answer to whoever started a send: at once, or held until there is an outcome."""

import asyncio
import re

import azure.functions as func

from proactive import report
from proactive.doors.answers import answer
from proactive.model import Send
from proactive.service import Service

LONGEST_HOLD = 100  # seconds: a synchronous call of a flow may last 120
_FIRST_LOOK, _SLOWEST_LOOK = 0.05, 1.0  # seconds between two looks for the outcome
_RETRY_AFTER = 5  # seconds


def preferred_wait(request: func.HttpRequest) -> int:
    """Return N of `Prefer: wait=N` (RFC 7240), at most `LONGEST_HOLD` seconds; 0 where nothing is preferred."""
    header = request.headers.get("prefer", "")
    match = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,9})", header, re.IGNORECASE | re.ASCII)
    return min(int(match[1]), LONGEST_HOLD) if match else 0


async def accepted(service: Service, send: Send, seconds: int) -> func.HttpResponse:
    """Return the answer to a send that was accepted, once there is an outcome or so many seconds are over."""
    applied: dict[str, str] = {}
    if seconds:
        applied = {"Preference-Applied": f"wait={seconds}"}
        outcome = await _hold(service, send, seconds)
        if send.held_until:
            await service.sends.note(send.id, held_until=service.clock())
        if outcome and (outcome.failed or not send.callback_url):
            return answer(424 if outcome.failed else 200, outcome.body, applied)
    outcome_url, status_url = report.outcome_url(service, send), report.status_url(service, send)
    body = {"id": send.id, "status": "accepted", "statusUrl": status_url, "outcomeUrl": outcome_url}
    if send.callback_url:
        # A subscription: `Location` is what a DELETE unsubscribes.
        return answer(201, body, {**applied, "Location": status_url})
    return answer(202, body, {**applied, "Location": outcome_url, "Retry-After": str(_RETRY_AFTER)})


async def _hold(service: Service, send: Send, seconds: int) -> report.Outcome | None:
    """Wait for the outcome of a send, or with a callback for its delivery, at most so many seconds."""
    look = report.delivery if send.callback_url else report.outcome
    loop = asyncio.get_running_loop()
    until, pause = loop.time() + seconds, _FIRST_LOOK
    while (left := until - loop.time()) > 0:
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.3, _SLOWEST_LOOK)
        now = await service.sends.get(send.id)
        if now and (outcome := await look(service, now)):
            return outcome
    return None
