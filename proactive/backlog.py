"""How much waits on the queues and for how long, told to telemetry: what has an operator woken at night."""

import asyncio
import json

from proactive import telemetry
from proactive.service import Service
from proactive.store.account import QUEUES, TIMERS


async def look(service: Service) -> None:
    """Tell the length of every queue, and the age of the oldest message that a function could take.

    Raises `StorageAway`.
    """
    await asyncio.gather(
        *(_look(service, queue) for queue in QUEUES),
        *(_look(service, f"{queue}-poison") for queue in QUEUES),
    )


async def _look(service: Service, queue: str) -> None:
    length, oldest = await asyncio.gather(service.account.depth(queue), service.account.oldest(queue))
    since = service.clock() if oldest is None else _due(queue, *oldest)
    telemetry.queue(queue, length, service.clock() - since)


def _due(queue: str, put: float, text: str) -> float:
    """Return since when a visible message could have been taken: of a timer, since it was due."""
    if queue != TIMERS:
        return put
    try:
        return float(json.loads(text)["at"])
    except (ValueError, TypeError, KeyError):
        return put
