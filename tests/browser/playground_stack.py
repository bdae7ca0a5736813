"""A running service whose Teams is the Agents Playground: the other tests' stack has a stand-in for it."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from local.azurite import azurite
from local.processes import Child

_ROOT = Path(__file__).parents[2]
_START_SECONDS = 50.0
_STOP_SECONDS = 35.0
_FOREIGN = ("PROACTIVE_", "MicrosoftApp", "AzureWebJobs", "WEBSITE_", "LEGION_")
_UP = (sys.executable, "-m", "local", "up", "--port", "0", "--playground-port", "0", "--storage")


@dataclass(frozen=True, slots=True)
class PlaygroundStack:
    """Where the service and the Playground answer, and a sender's way to the service."""

    service: str
    playground: str
    http: aiohttp.ClientSession

    async def deliver(self, recipients: list[str], card: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Send a card and return its outcome, which must not be one that fails a flow's run."""
        send = {"recipients": recipients, "card": card, "options": options}
        headers = {"Prefer": "wait=30"}
        async with self.http.post(f"{self.service}/api/v1/sends", json=send, headers=headers) as answer:
            assert answer.status == 200, (answer.status, await answer.text())
            outcome: dict[str, Any] = await answer.json()
            return outcome

    async def known(self, name: str) -> None:
        """Wait until this name leads to a person: the roster is read after an install has been answered."""
        async with asyncio.timeout(10):
            while not await self._installed(name):
                await asyncio.sleep(0.05)

    async def _installed(self, name: str) -> bool:
        async with self.http.get(f"{self.service}/api/v1/bots/default/users/{name}") as answer:
            assert answer.status == 200, (answer.status, await answer.text())
            return bool((await answer.json())["installed"])


@contextlib.asynccontextmanager
async def playground_stack() -> AsyncIterator[PlaygroundStack]:
    """Run the service and the Playground on free ports, with storage in memory.

    Raises:
        StartError: something is missing or did not start; the text has what it said.

    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    environment = {**ours, "PYTHONPATH": str(_ROOT)}
    async with azurite(in_memory=True) as storage, aiohttp.ClientSession() as http:
        child = await Child.start("the service", *_UP, storage, env=environment)
        try:
            service = await child.expect(r"^ready (http\S+)", _START_SECONDS)
            playground = await child.expect(r"^ *Teams +(http\S+)", _START_SECONDS)
            child.drain()
            yield PlaygroundStack(service[1], playground[1], http)
        finally:
            await child.stop(_STOP_SECONDS)
