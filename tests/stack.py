"""The service as its users meet it: hosts as processes, Teams as a stand-in, people who act, and HTTP."""

import asyncio
import contextlib
import io
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
from azure.storage.queue.aio import QueueClient

from local.azurite import azurite
from local.processes import Child
from local.teams import Crowd, Person, TeamsStandIn

ROOT = Path(__file__).resolve().parent.parent
CARDS = Path(__file__).parent / "cards"
SENDS = "/api/v1/sends"
REPLY = "Nobody reads this chat."
"""What the bot answers to a written message, so that tests can tell it from what was sent."""

PATIENCE = 40.0
"""Seconds until what has to happen has not: many, as a slow machine proves nothing. Who waits less asserts less."""

_FOREIGN = ("PROACTIVE_", "MicrosoftApp", "AzureWebJobs", "WEBSITE_", "LEGION_")
_START_SECONDS = 60.0


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a host: ours without its settings, and these."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**ours, "PYTHONPATH": str(ROOT), **settings}


def card(name: str) -> dict[str, Any]:
    """Return a card of `tests/cards`."""
    return json.loads((CARDS / f"{name}.json").read_text(encoding="utf-8"))


async def until[T](check: Callable[[], Awaitable[T]], seconds: float = PATIENCE, *, every: float = 0.05) -> T:
    """Ask again and again until the answer is true, and return it. Fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := await check()):
        assert time.monotonic() < end, f"it did not happen within {seconds} s: {check}"
        await asyncio.sleep(every)
    return found


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the service."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        """The JSON value in the answer."""
        return json.loads(self.text)

    @property
    def pointers(self) -> list[str]:
        """The fields that a refusal names. Fails where the answer is no problem details as RFC 9457 has them."""
        self.is_problem()
        return [error["pointer"] for error in self.body["errors"]]

    def is_problem(self, status: int | None = None) -> Any:
        """Return the problem details; fails where there are none, or of another status."""
        assert self.headers["Content-Type"].partition(";")[0] == "application/problem+json", (self.status, self.text)
        body = self.body
        assert body["status"] == self.status
        assert body["title"]
        assert body["detail"]
        for error in body.get("errors", []):
            assert set(error) == {"pointer", "detail"}
            assert error["detail"]
        assert status in (None, self.status), (self.status, self.text)
        return body

    def ok(self, status: int = 200) -> Any:
        """Return the JSON value of an answer that must have this status."""
        assert self.status == status, (self.status, self.text)
        return self.body if self.text else None


class Host:
    """One instance of the service, `python -m local up` in a process of its own."""

    def __init__(self, child: Child, url: str) -> None:
        self.child = child
        self.url = url

    @classmethod
    async def start(cls, storage: str, settings: Mapping[str, str]) -> Self:
        """Start an instance on any free port; it answers once this returns."""
        command = (sys.executable, "-m", "local", "up", "--port", "0", "--no-playground", "--storage", storage)
        child = await Child.start("the service", *command, env=environment(settings))
        ready = await child.expect(r"^ready (http\S+)", _START_SECONDS)
        child.drain()
        return cls(child, ready[1])

    async def kill(self) -> None:
        """End the process as a power cut would."""
        self.child.kill()
        await self.child.stop()

    async def stop(self) -> int:
        """Ask the process to end; return its exit code."""
        await self.child.stop(seconds=35)
        assert self.child.process.returncode is not None
        return self.child.process.returncode


class Stack:
    """Hosts on one storage account, Teams, people, and a sender. `hosts[0]` is the one that is spoken to."""

    _numbers = itertools.count()

    def __init__(self, storage: str, teams: TeamsStandIn, http: aiohttp.ClientSession, settings: Mapping[str, str]):
        self.storage = storage
        self.teams = teams
        self.http = http
        self.settings = {"PROACTIVE_REPLY_TEXT": REPLY, "PROACTIVE_REQUESTS_PER_SECOND": "2000", **settings}
        self.hosts: list[Host] = []
        self._crowd: Crowd | None = None

    # Hosts

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls, *, storage: str | None = None, settings: Mapping[str, str] | None = None, hosts: int = 1, **teams: Any
    ) -> AsyncIterator[Self]:
        """Run a stack, on a storage account of its own unless one is given. `teams` are the stand-in's arguments."""
        async with contextlib.AsyncExitStack() as things:
            account = storage or await things.enter_async_context(azurite(in_memory=True))
            connector = await things.enter_async_context(TeamsStandIn(**{"rate": None, **teams}))
            limits = aiohttp.ClientTimeout(total=110)
            pool = aiohttp.TCPConnector(limit=0)
            http = await things.enter_async_context(aiohttp.ClientSession(timeout=limits, connector=pool))
            stack = cls(account, connector, http, settings or {})
            things.push_async_callback(stack.stop)
            await asyncio.gather(*(stack.start() for _ in range(hosts)))
            yield stack

    async def start(self) -> Host:
        """Start one more instance."""
        host = await Host.start(self.storage, self.settings)
        self.hosts.append(host)
        return host

    async def kill(self) -> None:
        """Kill all instances at once."""
        await asyncio.gather(*(host.kill() for host in self.hosts))
        self.hosts.clear()

    async def stop(self) -> None:
        """Stop all instances gracefully."""
        if self._crowd is not None:
            await self._crowd.__aexit__(None, None, None)
            self._crowd = None
        await asyncio.gather(*(host.stop() for host in self.hosts))
        self.hosts.clear()

    @property
    def url(self) -> str:
        """Where the first instance answers."""
        return self.hosts[0].url

    # People

    async def crowd(self) -> Crowd:
        """Return the hands of the people, on the first instance."""
        endpoint = f"{self.url}/api/messages"
        if self._crowd is None or self._crowd.endpoint != endpoint:
            if self._crowd is not None:
                await self._crowd.__aexit__(None, None, None)
            self._crowd = await Crowd(self.teams, endpoint, patience=PATIENCE).__aenter__()
        return self._crowd

    def strangers(self, count: int) -> list[Person]:
        """Return people whom nobody has met yet. Their names, addresses and ids are theirs alone."""
        numbers = itertools.islice(self._numbers, count)
        return [Person.named(f"Pat Number{n:05}", upn=f"n{n:05}@contoso.onmicrosoft.com") for n in numbers]

    async def join(self, count: int, *, named: bool = False) -> list[Person]:
        """Return people who have just installed the bot; `named`: and whose names it has learnt from the roster."""
        people = self.strangers(count)
        crowd = await self.crowd()
        for posted in await crowd.each(crowd.install, people):
            assert {one.status for one in posted} == {200}
        if named:
            await self.learnt(*people)
        return people

    async def learnt(self, *people: Person) -> None:
        """Wait until the bot knows these people by their addresses."""
        for person in people:

            async def known(person: Person = person) -> bool:
                names = [name for name in (person.mail, person.upn) if name]
                users = [(await self.user(name, person.tenant_id)) for name in names]
                return all(user["installed"] for user in users)

            await until(known)

    async def user(self, name: str, tenant: str = "") -> Any:
        """Return what the service tells about a person; a tenant must be named where the bot is used in several."""
        bot = self.settings.get("PROACTIVE_BOT_NAME", "default")
        query = f"?tenant={tenant}" if tenant else ""
        return (await self.get(f"/api/v1/bots/{bot}/users/{name}{query}")).ok()

    def got(self, person: Person) -> list[dict[str, Any]]:
        """Return what was sent to a person, without the bot's replies to what they wrote."""
        return [activity for activity in self.teams.delivered(person) if activity.get("text") != REPLY]

    def texts(self, person: Person) -> list[str]:
        """Return the texts that a person got."""
        return [activity.get("text", "") for activity in self.got(person)]

    # HTTP

    async def request(
        self,
        method: str,
        path: str,
        *,
        json_body: Any = ...,
        data: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        host: int = 0,
        params: Mapping[str, str] | None = None,
    ) -> Reply:
        """Make a request; `path` may be a whole address."""
        url = path if path.startswith("http") else self.hosts[host].url + path
        headers = dict(headers or {})
        if json_body is not ...:
            data = json.dumps(json_body)
            headers.setdefault("Content-Type", "application/json")
        # aiohttp warns of large bodies that are no files.
        content = io.BytesIO(data.encode() if isinstance(data, str) else data) if data is not None else None
        async with self.http.request(method, url, data=content, headers=headers, params=params) as answer:
            return Reply(answer.status, answer.headers.copy(), await answer.text())

    async def get(self, path: str, **more: Any) -> Reply:
        """GET."""
        return await self.request("GET", path, **more)

    async def post(self, body: Any, *, door: str = "v1", wait: int | None = None, key: str | None = None) -> Reply:
        """POST a send as it stands."""
        headers = {"Prefer": f"wait={wait}"} if wait is not None else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self.request("POST", f"/api/{door}/sends", json_body=body, headers=headers)

    async def deliver(self, recipients: Any, *, door: str = "v1", **fields: Any) -> Reply:
        """POST a send (a message unless `card` is given) and return its outcome: 200 or 424."""
        content = {} if "card" in fields else {"message": "Hello"}
        reply = await self.post({"recipients": recipients, **content, **fields}, door=door, wait=30)
        assert reply.status in (200, 424), (reply.status, reply.text)
        return reply

    async def accepted(self, recipients: Any, **fields: Any) -> Any:
        """POST a send and return the body of its 202."""
        content = {} if "card" in fields else {"message": "Hello"}
        return (await self.post({"recipients": recipients, **content, **fields})).ok(202)

    async def status(self, send: str, host: int = 0) -> Any:
        """Return where a send stands."""
        return (await self.get(f"{SENDS}/{send}", host=host)).ok()

    async def outcome(self, accepted: Any, seconds: float = PATIENCE) -> Reply:
        """Poll the outcome of an accepted send until there is one."""
        path = accepted["outcomeUrl"].partition("/api/")[2]

        async def ended() -> Reply | None:
            reply = await self.get(f"/api/{path}")
            assert reply.status in (200, 202, 424), (reply.status, reply.text)
            return None if reply.status == 202 else reply

        found = await until(ended, seconds, every=0.1)
        assert found is not None
        return found

    async def results(self, send: str) -> list[Any]:
        """Return all results of a send."""
        return (await self.get(f"{SENDS}/{send}/recipients?top=1000")).ok()["results"]

    # Queues

    async def put(self, text: str, queue: str = "sends") -> str:
        """Put a message on a queue, as it stands; return its id."""
        async with QueueClient.from_connection_string(self.storage, queue) as client:
            return (await client.send_message(text)).id

    async def peek(self, queue: str) -> list[str]:
        """Return the messages that stand on a queue."""
        async with QueueClient.from_connection_string(self.storage, queue) as client:
            return [message.content for message in await client.peek_messages(max_messages=32)]


def ids(people: Iterable[Person]) -> list[str]:
    """Return the object ids of people."""
    return [person.object_id for person in people]


def codes(outcome: Any) -> dict[str, tuple[int, str | None]]:
    """Return the status code and reason of each result, by the recipient as it was written."""
    return {result["recipient"]: (result["statusCode"], result["reason"]) for result in outcome["results"]}
