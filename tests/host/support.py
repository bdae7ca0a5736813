"""What several tests of the host need."""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from azure.core.exceptions import ResourceExistsError
from azure.storage.queue.aio import QueueClient

APP = Path(__file__).parent / "app"


async def until(check: Callable[[], Awaitable[object]], seconds: float = 40.0) -> object:
    """Ask `check` again and again until it gives something true."""
    end = time.monotonic() + seconds
    while True:
        result = await check()
        if result:
            return result
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.05)


async def put(storage: str, queue: str, *texts: str) -> None:
    """Add messages, and the queue where it is missing."""
    async with QueueClient.from_connection_string(storage, queue) as client:
        with contextlib.suppress(ResourceExistsError):
            await client.create_queue()
        for text in texts:
            await client.send_message(text)


async def length(storage: str, queue: str) -> int:
    """Count a queue's messages, hidden ones included."""
    async with QueueClient.from_connection_string(storage, queue) as client:
        return (await client.get_queue_properties()).approximate_message_count


async def seen(web, url: str, **wanted: object) -> list[dict]:
    """Give what the sample app's queue functions saw, of those whose fields are as wanted."""
    async with web.get(f"{url}/api/seen") as answer:
        entries = json.loads(await answer.read())["seen"]
    return [entry for entry in entries if all(entry.get(name) == value for name, value in wanted.items())]
