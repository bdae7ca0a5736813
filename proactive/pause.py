"""A bot is held: what it was to send waits, on all instances, until an operator lets it go on. Nothing is lost.

Replies, rosters and answers to cards go on. Sends that meet the pause leave a row behind (see store/held.py), by
which they are told to go on at once; should that fail, their timers lead to them within some minutes.
"""

import asyncio

from proactive.relay import wake
from proactive.service import Service


async def pause(service: Service, bot: str, tenant: str) -> None:
    """Hold a bot's sends in a tenant. What is in flight ends with its own result."""
    await service.pace.pause(bot, tenant, paused=True)


async def resume(service: Service, bot: str, tenant: str) -> None:
    """Let a bot's sends in a tenant go on, at once. Doing it again does no harm."""
    await service.pace.pause(bot, tenant, paused=False)
    await wake(service, bot, tenant)


async def paused_in(service: Service, bot: str, tenants: set[str]) -> list[str]:
    """Return the tenants in which a bot is held."""
    listed = sorted(tenants)
    held = await asyncio.gather(*(service.pace.paused(bot, tenant) for tenant in listed))
    return [tenant for tenant, is_held in zip(listed, held, strict=True) if is_held]
