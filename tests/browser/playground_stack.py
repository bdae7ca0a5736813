"""A running service whose Teams is the Agents Playground, and flows: the other tests' stack has a stand-in for it."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from aiohttp import web

from local.azurite import azurite
from local.loopback import serving
from local.processes import Child

_ROOT = Path(__file__).parents[2]
_START_SECONDS = 50.0
_STOP_SECONDS = 35.0
_FOREIGN = ("PROACTIVE_", "MicrosoftApp", "AzureWebJobs", "WEBSITE_", "LEGION_")
_UP = (sys.executable, "-m", "local", "up", "--port", "0", "--playground-port", "0", "--storage")


class Call(NamedTuple):
    """A callback as a flow got it: when, in seconds of `time.monotonic`, with which `webhook-id`, and what it said."""

    at: float
    webhook_id: str
    body: dict[str, Any]


@dataclass(slots=True)
class Flow:
    """A flow that is called back at `url`: it refuses with `refusals`, one after the other, and then says 202."""

    refusals: list[int]
    url: str = ""
    calls: list[Call] = field(default_factory=list)

    async def called(self, times: int, seconds: float) -> list[Call]:
        """Wait until it has been called so many times. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while len(self.calls) < times:
                await asyncio.sleep(0.05)
        return self.calls

    async def take(self, request: web.Request) -> web.Response:
        """Answer a callback."""
        self.calls.append(Call(time.monotonic(), request.headers["webhook-id"], await request.json()))
        return web.Response(status=self.refusals.pop(0) if self.refusals else 202)


@contextlib.asynccontextmanager
async def flow(*refusals: int) -> AsyncIterator[Flow]:
    """Run a flow's web server on a free port."""
    called = Flow(list(refusals))
    app = web.Application()
    app.router.add_post("/workflows/run", called.take)
    async with serving(app) as port:
        called.url = f"http://127.0.0.1:{port}/workflows/run?sig=secret"
        yield called


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

    async def ask(self, recipients: list[str], card: dict[str, Any], callback_url: str, **wait: Any) -> dict[str, Any]:
        """Send a card that waits for an answer; return the subscription once the card is delivered."""
        send = {"recipients": recipients, "card": card, "wait": wait, "callbackUrl": callback_url}
        headers = {"Prefer": "wait=30"}
        async with self.http.post(f"{self.service}/api/v1/sends", json=send, headers=headers) as answer:
            assert answer.status == 201, (answer.status, await answer.text())
            subscription: dict[str, Any] = await answer.json()
            return subscription

    async def read(self, url: str) -> dict[str, Any]:
        """Return what stands at an address that the service gave."""
        async with self.http.get(url) as answer:
            assert answer.status == 200, (answer.status, await answer.text())
            body: dict[str, Any] = await answer.json()
            return body

    async def known(self, name: str) -> None:
        """Wait until this name leads to a person: the roster is read after an install has been answered."""
        async with asyncio.timeout(40):
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
