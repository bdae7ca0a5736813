"""Who sees to it that what is old goes: a chain of sweeps, one a day, each of which arms the next.

Accepting a send looks after the chain, once per process and UTC day: a system that takes sends gets swept, whatever
broke the chain. One row names the moment of the sweep that counts, so that there never are two chains:

    accept ─▶ row says: due less than a day ago, or ahead ─▶ nothing to do
           └▶ else: timer ─▶ row names it (a conditional write) · a timer that lost finds another's moment and ends
"""

import asyncio
import logging

from proactive.relay import later
from proactive.service import Service
from proactive.store.account import WAITS
from proactive.store.errors import StorageError
from proactive.times import DAY, day_of

log = logging.getLogger(__name__)

FIRST = 600.0  # seconds until a new chain begins
_PATIENCE = 1.0  # seconds for which accepting a send may wait for this


async def arm(service: Service) -> None:
    """See that there is a chain of sweeps. Never raises: a send is not to fail for what can be done tomorrow."""
    if service.retention.looked(day_of(service.clock())):
        return
    try:
        async with asyncio.timeout(_PATIENCE):
            due, etag = await service.retention.next_sweep()
            if due < service.clock() - DAY:
                await set_next(service, service.clock() + FIRST, etag)
    except (StorageError, TimeoutError) as error:
        log.warning("whether old sends are deleted could not be seen to: %s", type(error).__name__)


async def set_next(service: Service, at: float, etag: str) -> None:
    """Put the next sweep on its way, unless somebody else does."""
    await later(service, at, WAITS, {"kind": "sweep", "at": at})
    await service.retention.set_next(at, etag)
