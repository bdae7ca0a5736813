"""A bot that already talks, as a real web application, and the service in front of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from tests.stack import Stack

type Answer = Callable[[dict[str, Any]], Awaitable[web.Response]]


@dataclass
class OtherBot:
    """The bot behind: what it got, and how it answers."""

    port: int = 0
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    delay: float = 0.0
    answers: list[web.Response | int] = field(default_factory=list)
    refused: Any = None  # the person whose activities get these answers
    kinds: tuple[str, ...] = ("message", "invoke")  # which of them
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/messages?code=its-key"

    def of(self, kind: str, person: Any) -> list[dict[str, Any]]:
        """Return the activities of a type that came from a person."""
        activities = [json.loads(body) for _, body in self.got]
        ids = {person.object_id, person.teams_id}
        return [
            a for a in activities if a.get("type") == kind and ids & {a["from"].get("aadObjectId"), a["from"]["id"]}
        ]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.got.append((dict(request.headers), body))
        assert request.path_qs == "/api/messages?code=its-key"
        await asyncio.sleep(self.delay)
        activity = json.loads(body)
        answer = self.answers.pop(0) if self.answers and self._is_meant(activity) else None
        if isinstance(answer, int):
            return web.Response(status=answer)
        if answer is not None:
            return answer
        if activity["type"] != "invoke":
            return web.Response(status=200)
        return web.json_response({"echo": activity["value"]}, status=200)

    def _is_meant(self, activity: dict[str, Any]) -> bool:
        """Whether a test waits for it: installs, and tries of an earlier test, may still be on their way."""
        person = activity["from"]
        ids = {self.refused.object_id, self.refused.teams_id} if self.refused else set()
        return activity["type"] in self.kinds and bool(ids & {person.get("aadObjectId"), person["id"]})

    async def start(self) -> None:
        app = web.Application(client_max_size=10_000_000)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def reset(self) -> None:
        self.delay, self.answers, self.refused, self.kinds = 0.0, [], None, ("message", "invoke")


@asynccontextmanager
async def running() -> AsyncIterator[OtherBot]:
    bot = OtherBot()
    await bot.start()
    try:
        yield bot
    finally:
        await bot.stop()


@pytest.fixture(scope="session")
async def talking() -> AsyncIterator[OtherBot]:
    async with running() as bot:
        yield bot


@pytest.fixture(scope="session")
async def front(talking: OtherBot) -> AsyncIterator[Stack]:
    """The service in front of the bot; on an account of its own, where it takes nobody's messages."""
    async with Stack.running(settings={"PROACTIVE_UPSTREAM_BOT": talking.url}) as stack:
        yield stack


@pytest.fixture
def other(talking: OtherBot) -> OtherBot:
    talking.reset()
    return talking
