"""The samples for event sources, run as they stand: az and Event Grid are stand-ins, queue and service are real.

az is not to be had here, so its stand-in (`az.py`) takes exactly the options that Microsoft documents for the commands
used. Event Grid's stand-in delivers as the subscription says.
"""

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from azure.storage.queue.aio import QueueClient

from local.loopback import serving
from local.teams import Person
from tests.stack import ROOT, Stack, until

SAMPLES = ROOT / "docs" / "samples"
ALEX = Person.named("Alex Wilber")
type Encode = Callable[[str], str]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass
class EventGrid:
    """Topics on one address: delivers an event to the queue of its subscription."""

    storage: str
    state: Path
    encode: Encode = encoded
    url: str = ""
    keys: list[str] = field(default_factory=list)

    async def publish(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("aeg-sas-key", ""))
        assert request.content_type == "application/cloudevents+json"
        event = await request.json()
        assert {"specversion", "type", "source", "id"} <= event.keys()
        subscription = json.loads((self.state / "event-subscription.json").read_text())
        assignment = json.loads((self.state / "assignment.json").read_text())
        queue = subscription["--delivery-identity-endpoint"]
        assert subscription["--delivery-identity-endpoint-type"] == "storagequeue"
        # Its identity may write there, and only there.
        assert (assignment["--assignee-object-id"], assignment["--scope"]) == ("p1", queue)
        assert assignment["--role"] == "Storage Queue Data Message Sender"
        if event["type"] in subscription["--included-event-types"].split():
            ttl = int(subscription["--storage-queue-msg-ttl"])
            async with QueueClient.from_connection_string(self.storage, queue.rpartition("/")[2]) as client:
                await client.send_message(self.encode(json.dumps(event)), time_to_live=ttl)
        return web.Response(status=200)


@pytest.fixture(scope="module")
async def home() -> AsyncIterator[Stack]:
    """A service of which nobody else knows: the samples' keys are always the same."""
    async with Stack.running() as stack:
        crowd = await stack.crowd()
        await crowd.install(ALEX)
        await stack.learnt(ALEX)
        yield stack


@pytest.fixture
async def grid(home: Stack, tmp_path: Path) -> AsyncIterator[EventGrid]:
    made = EventGrid(home.storage, tmp_path)
    app = web.Application()
    app.router.add_post("/api/events", made.publish)
    async with serving(app) as port:
        made.url = f"http://127.0.0.1:{port}/api/events"
        yield made


@pytest.fixture
def sample(home: Stack, grid: EventGrid, tmp_path: Path) -> Callable[..., Awaitable[None]]:
    """Return what runs a sample, with our az first on the PATH."""
    az = tmp_path / "bin" / "az"
    az.parent.mkdir()
    az.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/samples/az.py "$@"\n')
    az.chmod(0o755)
    env = {
        "PATH": f"{az.parent}:{os.environ['PATH']}",
        "AZ_STATE": str(tmp_path),
        "AZ_STORAGE": home.storage,
        "AZ_EVENT_GRID": grid.url,
        "GROUP": "rg",
        "LOCATION": "westeurope",
        "TOPIC": "orders",
        "ACCOUNT": "contoso",
    }

    async def run(name: str, **more: str) -> None:
        command = (sys.executable, str(SAMPLES / name)) if name.endswith(".py") else ("bash", str(SAMPLES / name))
        process = await asyncio.create_subprocess_exec(
            *command, env={**env, **more}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said = (await process.communicate())[0].decode()
        assert (process.returncode, said) == (0, "")

    return run


async def told(stack: Stack, order: int) -> list[Any]:
    """Wait until Alex was told of an order; return the messages about it."""

    async def there() -> list[str]:
        return [text for text in stack.texts(ALEX) if f"*{order}*" in text]

    return await until(there, 20)


async def taken(stack: Stack) -> None:
    """Wait until nothing is left on the queue, and what was taken has had its effect."""

    async def empty() -> bool:
        return not await stack.peek("sends")

    await until(empty)
    await asyncio.sleep(0.3)


async def test_a_shell_line_sends(home, sample):
    await sample("put-message.sh")
    assert await told(home, 4715) == ["Your order *4715* is ready"]


async def test_python_sends_and_the_same_order_twice_is_one_message(home, sample):
    for _ in range(2):
        await sample("put_message.py", AZURE_STORAGE_CONNECTION_STRING=home.storage)
    await sample("put-message.sh")
    assert await told(home, 4716) == ["Your order *4716* is ready"]
    await taken(home)
    assert len(await told(home, 4716)) == 1


@pytest.mark.parametrize("encode", [encoded, str])
async def test_event_grid_sends(home, sample, grid, encode):
    grid.encode = encode
    await sample("event-grid/subscribe.sh")
    await sample("event-grid/publish.sh")
    assert grid.keys == ["a topic's key"]
    assert await told(home, 4717) == ["Your order *4717* is ready"]
    await taken(home)
    assert (await home.get("/api/ops/rejected")).ok()["rejected"] == []


async def test_the_az_that_stands_in_refuses_what_az_would(tmp_path):
    for arguments in (
        ("storage", "message", "put", "--queue-name", "sends", "--message-text", "x"),
        ("storage", "message", "put", "--queue-name", "sends"),
        ("eventgrid", "topic", "create", "--name", "x", "--resource-group", "g", "--location", "w", "--sku", "x",
         "--input-schema", "x"),
        ("storage", "messages", "put"),
    ):  # fmt: skip
        env = {**os.environ, "AZ_STATE": str(tmp_path)}
        command = (sys.executable, f"{ROOT}/tests/samples/az.py", *arguments)
        process = await asyncio.create_subprocess_exec(*command, env=env, stderr=asyncio.subprocess.DEVNULL)
        assert await process.wait() == 2, arguments


def test_every_sample_is_named_in_the_documentation():
    page = (ROOT / "docs" / "queue.md").read_text(encoding="utf-8")
    for path in SAMPLES.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert f"samples/{path.relative_to(SAMPLES)}" in page
