"""This service under measurement: a send from outside, from the POST to the last result in storage."""

import asyncio
import contextlib
import io
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp

from local.bench.processes import Used, forget_peak, used
from local.bench.seed import BOT_NAME
from local.host.instance import Instance, instance
from local.storage_proxy import StorageProxy
from local.teams.people import Person
from local.teams.remote import RemoteTeams

TEXT = "Your order *4711* is ready"
_NO_CEILING = 100_000.0
_LOOK = 0.25  # seconds between two looks at how far a send is
_STATS = 50_000  # messages a second of pause: the stand-in counts all chats at each look
_AT_REST = 0.1  # seconds of processor time in a second: what an instance needs to poll its queues
_QUIET = 1.0  # seconds without a storage call after which a send's work is over
_PATIENCE = aiohttp.ClientTimeout(total=180)


class BenchError(RuntimeError):
    """A run came out wrong, so that it has no figure; the text says how."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What the send `id` took: `seconds` from the POST to its last result, and what the process used meanwhile."""

    id: str
    messages: int
    seconds: float
    cpu_seconds: float
    peak_rss_mb: float


@contextlib.asynccontextmanager
async def service(storage: str, *, ceiling: float = _NO_CEILING) -> AsyncIterator["Service"]:
    """Run an instance whose bot may make `ceiling` requests a second."""
    settings = {
        "PROACTIVE_LOCAL": "true",
        "PROACTIVE_BOT_NAME": BOT_NAME,
        "PROACTIVE_BOTS": "",
        "PROACTIVE_REQUESTS_PER_SECOND": f"{ceiling:g}",
        "PROACTIVE_CALLBACK_SECRET": "",
        "MicrosoftAppId": "",
    }
    async with instance(storage, settings=settings) as running, aiohttp.ClientSession(timeout=_PATIENCE) as web:
        yield Service(running, web)


class Service:
    """One instance, spoken to over HTTP like any sender does."""

    def __init__(self, running: Instance, web: aiohttp.ClientSession) -> None:
        self._running = running
        self._web = web

    def used(self) -> Used:
        """Return what the instance's process has used."""
        return used(self._running.child.process.pid)

    async def rest(self) -> None:
        """Wait until the process has nothing to do, imports that it makes in a thread after its start among it.

        From then on its peak of memory counts.
        """
        until, before = time.time() + 60, -1.0
        while (now := self.used().cpu_seconds) - before > _AT_REST:
            _in_time(until)
            before = now
            await asyncio.sleep(1)
        forget_peak(self._running.child.process.pid)

    async def post(self, people: Sequence[Person], parallelism: int) -> str:
        """POST a send and return its id."""
        body = {
            "recipients": [person.object_id for person in people],
            "message": TEXT,
            "options": {"parallelism": parallelism},
        }
        # aiohttp warns of large bodies that are no files.
        content = io.BytesIO(json.dumps(body).encode())
        address, headers = f"{self._running.url}/api/v1/sends", {"Content-Type": "application/json"}
        async with self._web.post(address, data=content, headers=headers) as answer:
            said = await answer.json()
            if answer.status != 202:
                raise BenchError(f"the send was refused with {answer.status}: {said}")
            return str(said["id"])

    async def status(self, send: str) -> dict[str, Any]:
        """Return where a send stands."""
        async with self._web.get(f"{self._running.url}/api/v1/sends/{send}") as answer:
            said: dict[str, Any] = await answer.json()
            return said

    async def cancel(self, send: str) -> None:
        """End a send: what is not sent yet is not sent."""
        async with self._web.delete(f"{self._running.url}/api/v1/sends/{send}") as answer:
            await answer.read()


async def send(
    service: Service, teams: RemoteTeams, people: Sequence[Person], parallelism: int, *, longest: float = 600.0
) -> Sent:
    """Send to people and wait until the last result is in storage.

    Raises:
        BenchError: somebody did not get the message, or got it twice, or it took more than `longest` seconds.

    """
    before, start = service.used(), time.time()
    number = await service.post(people, parallelism)
    await arrived(teams, len(people), start + longest)
    status = await completed(service, number, start + longest)
    after = service.used()
    check(status, people)
    await check_copies(teams, len(people))
    ended = datetime.fromisoformat(status["completedAt"]).timestamp()
    return Sent(number, len(people), ended - start, after.cpu_seconds - before.cpu_seconds, after.peak_mb)


async def count(
    service: Service, teams: RemoteTeams, proxy: StorageProxy, people: Sequence[Person], parallelism: int
) -> Mapping[str, int]:
    """Send to people and return the storage transactions it took, all of them, by service, method and path.

    Nobody asks for the status meanwhile, as that would take transactions of its own: the send is over when everybody
    has the message and storage has been left alone for a second.
    """
    longest = time.time() + 600
    proxy.clear()
    number = await service.post(people, parallelism)
    await arrived(teams, len(people), longest)
    await quiet(proxy, longest)
    taken = tally(proxy)
    check(await completed(service, number, longest), people)
    await check_copies(teams, len(people))
    return taken


def tally(proxy: StorageProxy) -> dict[str, int]:
    """Return what a proxy has counted, by service, method and path."""
    taken: dict[str, int] = {}
    for call in proxy.calls:
        name = " ".join(call)
        taken[name] = taken.get(name, 0) + 1
    return dict(sorted(taken.items()))


async def quiet(proxy: StorageProxy, until: float) -> None:
    """Wait until there has been no storage call for a while."""
    before = -1
    while len(proxy.calls) != before:
        _in_time(until)
        before = len(proxy.calls)
        await asyncio.sleep(_QUIET)


async def arrived(teams: RemoteTeams, messages: int, until: float) -> None:
    """Wait until the stand-in has taken so many messages."""
    while (await teams.stats()).accepted < messages:
        _in_time(until)
        await asyncio.sleep(max(_LOOK, messages / _STATS))


async def completed(service: Service, number: str, until: float) -> dict[str, Any]:
    """Wait until a send is completed, and return its status."""
    while (status := await service.status(number))["status"] != "completed":
        _in_time(until)
        await asyncio.sleep(_LOOK)
    return status


def check(status: Mapping[str, Any], people: Sequence[Person]) -> None:
    """Raise BenchError unless the service says that everybody got the message."""
    counts = status["counts"]
    if counts["delivered"] != len(people) or counts["total"] != len(people):
        raise BenchError(f"{len(people)} people were to get it, and the counts are {counts}")


async def check_copies(teams: RemoteTeams, messages: int) -> None:
    """Raise BenchError unless so many chats got one message, and none got two."""
    copies = {number: chats for number, chats in (await teams.stats()).copies.items() if number}
    if copies != {1: messages}:
        raise BenchError(f"{messages} people were to get one message, and the copies are {copies}")


def _in_time(until: float) -> None:
    if time.time() > until:
        raise BenchError("it was not done in time")
