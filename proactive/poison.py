"""What the host gave up on. Nothing here throws: the host would bring the same message back for ever."""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from proactive import deliver
from proactive import plan as planning
from proactive.service import Service
from proactive.store.account import TIMERS

log = logging.getLogger(__name__)

_AGAIN = 60.0  # seconds until a timer that failed is tried again


async def plan(service: Service, message: bytes) -> None:
    """End a send that could not be planned."""
    await _quietly("plans", message, lambda body: planning.give_up(service, body["send"]))


async def lane(service: Service, message: bytes) -> None:
    """End what could not be delivered: sending becomes unknown, pending becomes failed."""
    await _quietly("lanes", message, lambda body: deliver.give_up(service, body["send"]))


async def timer(service: Service, message: bytes) -> None:
    """Set a timer again: what it is for must not be lost, and it only failed because storage was away."""

    async def again(body: dict[str, Any]) -> None:
        await service.account.put(TIMERS, body, delay=_AGAIN)

    await _quietly("timers", message, again)


async def errand(_: Service, message: bytes) -> None:
    """Report an errand that failed: what somebody waits for, a card's replacement, its watchdog repeats."""

    async def report(body: dict[str, Any]) -> None:
        log.error("an errand (%s) was given up", body["kind"])

    await _quietly("errands", message, report)


async def repeated(queue: str, message: bytes) -> None:
    """Report a message that failed: its watchdog repeats it, since somebody waits for what it does."""

    async def report(_: dict[str, Any]) -> None:
        log.error("a message of queue %s failed; its watchdog will repeat it", queue)

    await _quietly(queue, message, report)


async def _quietly(queue: str, message: bytes, do: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    try:
        body = json.loads(message)
        log.error("a message of queue %s was given up by the host: send %s", queue, body.get("send", "-"))
        await do(body)
    except Exception:
        log.exception("a poison message of queue %s could not be settled", queue)
