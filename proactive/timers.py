"""Time: a message on `timers` becomes visible when it is due, and goes to the queue it names.

A storage queue hides a message for seven days at most; what is due later hops.
"""

import json
from typing import Any

from proactive import telemetry
from proactive.relay import put_watched
from proactive.service import Service
from proactive.store.account import CALLBACKS, ERRANDS, LANES, PLANS, TIMERS, WAITS

_TO = (PLANS, LANES, ERRANDS, WAITS, CALLBACKS)
_EARLY = 0.5  # seconds before its time at which a message counts as due


async def ring(service: Service, timer: dict[str, Any]) -> None:
    """Pass a message on to its queue, or let it wait for the rest of its time."""
    left = timer["at"] - service.clock()
    if left > _EARLY:
        await service.account.put(TIMERS, timer, delay=left)
        return
    telemetry.taken(TIMERS, -left)
    if timer["to"] not in _TO:
        raise ValueError(f"a timer leads to no queue: {json.dumps(timer['to'])[:40]}")
    if "watch" in timer["body"]:
        await service.account.put(timer["to"], timer["body"])
    else:
        await put_watched(service, timer["to"], timer["body"])
