"""An account on a real Azurite, the SDKs beside it, and storage that fails as it is told to."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from azure.data.tables.aio import TableServiceClient

from local.loopback import serving
from proactive.settings import StorageAccount
from proactive.store.account import Account
from tests.delivery.conftest import storage

__all__ = ["storage"]


@pytest.fixture
async def account(storage: str) -> AsyncIterator[Account]:
    made = Account(StorageAccount(connection_string=storage))
    await made.ensure()
    yield made
    await made.close()


@pytest.fixture
async def sdk(storage: str) -> AsyncIterator[Any]:
    """Give the SDK's client of the table `sends`, as the former version used it."""
    async with TableServiceClient.from_connection_string(storage) as service:
        yield service.get_table_client("sends")


@dataclass
class Failing:
    """Storage that answers what stands in `answers`, then 204; None drops the connection. `got` is what was asked."""

    url: str = ""
    delay: float = 0  # seconds
    answers: list[web.Response | None] = field(default_factory=list)
    got: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        await asyncio.sleep(self.delay)
        answer = self.answers.pop(0) if self.answers else web.Response(status=204, headers={"ETag": "new"})
        if answer is None:
            assert request.transport
            request.transport.abort()
            return web.Response()
        return answer


@pytest.fixture
async def failing() -> AsyncIterator[Failing]:
    made = Failing()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.take)
    async with serving(app) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made


@pytest.fixture
async def away(failing: Failing) -> AsyncIterator[Account]:
    """Give the account that the failing storage stands for, reached by key as accounts in Azure are."""
    text = f"AccountName=orders;AccountKey=a2V5;TableEndpoint={failing.url};QueueEndpoint={failing.url}/"
    made = Account(StorageAccount(connection_string=text))
    yield made
    await made.close()
