"""People who answer cards over HTTP, and a flow that is called back; the rest as in tests/delivery."""

import json
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from local.loopback import serving
from local.teams import Crowd, Person, TeamsStandIn
from local.teams.people import people as crowd_of
from proactive import bot
from proactive.accept import accept
from proactive.model import Send
from proactive.problems import ProblemError
from tests.delivery.conftest import Clock, CrashError, House, clock, house, storage, teams

__all__ = ["Clock", "House", "clock", "house", "storage", "teams"]

CONFIRMATION: dict[str, Any] = {
    "type": "AdaptiveCard",
    "version": "1.0",
    "body": [{"type": "TextBlock", "text": "Order confirmation"}, {"type": "Input.Text", "id": "note"}],
    "actions": [
        {"type": "Action.Submit", "title": "Submit Order"},
        {"type": "Action.Submit", "title": "Edit Order", "id": "edit", "data": {"order": 4711}},
    ],
}
EXECUTE: dict[str, Any] = {
    "type": "AdaptiveCard",
    "version": "1.4",
    "body": [{"type": "TextBlock", "text": "Leave request"}],
    "actions": [{"type": "Action.Execute", "title": "Approve", "verb": "approve", "data": {"days": 3}}],
}


@dataclass
class Flow:
    """A flow that is called back: what it got, and what it answers next (202 when nothing is set)."""

    url: str = ""
    got: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    always: int = 202

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), json.loads(await request.read())))
        return web.Response(status=self.answers.pop(0) if self.answers else self.always)

    @property
    def accepted(self) -> set[str]:
        """What a receiver has that goes by `webhook-id`."""
        return {headers["webhook-id"] for headers, _ in self.got}


@pytest.fixture
async def flow() -> AsyncIterator[Flow]:
    made = Flow()
    app = web.Application()
    app.router.add_post("/run", made.take)
    async with serving(app) as port:
        made.url = f"http://127.0.0.1:{port}/run?sig=secret"
        yield made


@pytest.fixture
def people() -> list[Person]:
    return crowd_of(6)


@pytest.fixture
async def crowd(house: House, teams: TeamsStandIn) -> AsyncIterator[Crowd]:
    """People whose activities reach two instances of the bot's endpoint in turn."""
    services = [house.service, house.instance()]

    async def take(request: web.Request) -> web.Response:
        services.append(services.pop(0))
        try:
            status, body = await bot.take(services[0], house.settings.bots[0], await request.json())
        except CrashError:
            return web.Response(status=500)
        except ProblemError as problem:
            return web.json_response(problem.as_json(), status=problem.status)
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_post("/api/messages", take)
    async with serving(app) as port, Crowd(teams, f"http://127.0.0.1:{port}/api/messages", patience=40) as acting:
        yield acting


@pytest.fixture
def ask(house: House, flow: Flow) -> Callable[..., Any]:
    """Send a card that waits and run until it is delivered."""

    async def send(
        people: list[Person], card: dict[str, Any] = CONFIRMATION, gone: Sequence[Person] = (), **wait: Any
    ) -> Send:
        await house.knows(people)
        for person in gone:
            house.teams.uninstall(person)
        recipients = [person.object_id for person in people]
        body = {"recipients": recipients, "card": card, "wait": wait, "callbackUrl": f"{flow.url}&run={uuid.uuid4()}"}
        sent = await accept(house.service, body)
        await house.drain()
        return await house.kept(sent)

    return send
