"""A stand-in with two people, a bot that calls it, and an endpoint that keeps what it is told."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from local.loopback import serving
from local.teams import TeamsStandIn
from tests.teams.botside import ADA, ALAN, Bot, Clock, Endpoint


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def teams(clock) -> AsyncIterator[TeamsStandIn]:
    async with TeamsStandIn(clock=clock) as teams:
        teams.enrol([ADA, ALAN], installed=True)
        yield teams


@pytest.fixture
def bot(session, teams):
    return Bot(session, teams.service_url)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()

    async def messages(request):
        activity = await request.json()
        endpoint.heard.append(activity)
        endpoint.tokens.append(request.headers.get("Authorization"))
        if activity["type"] == "invoke":
            said = {"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "Thanks"}
            return web.json_response(said)
        return web.Response()

    app = web.Application()
    app.router.add_post("/api/messages", messages)
    async with serving(app) as port:
        endpoint.url = f"http://127.0.0.1:{port}/api/messages"
        yield endpoint
