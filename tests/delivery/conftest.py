"""The rooms in this process, on a real Azurite and against the Teams stand-in; the clock can be moved."""

import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from local.azurite import azurite
from local.graph import GraphStandIn, Organisation, TellTeams
from local.graph.organisation import TEAMS_APP
from local.teams import Person, TeamsStandIn
from local.teams.people import CONTOSO
from local.teams.people import people as crowd_of
from proactive import callback, chores, deliver, errands, plan, timers
from proactive.accept import accept
from proactive.model import Send
from proactive.service import Service
from proactive.settings import Bot, GraphAccess, Settings, StorageAccount
from proactive.store.account import CALLBACKS, ERRANDS, LANES, PLANS, QUEUES, TIMERS, WAITS, QueueReceipt
from proactive.store.conversations import Conversation


class Clock:
    """A clock that goes as usual and can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class CrashError(BaseException):
    """Stands for the end of a process: nothing in the house catches it. `done` is what was done before it."""

    def __init__(self, done: object = None) -> None:
        super().__init__()
        self.done = done


def crash_at(monkeypatch: pytest.MonkeyPatch, owner: type, names: str, nth: int, *, after: bool) -> None:
    """Let the `nth` call of a method, or of any of several, end the process, before or after its work."""
    calls = 0
    for name in names.split():
        real = getattr(owner, name)

        async def call(self: object, *args: object, real: Any = real, **kwargs: object) -> object:
            nonlocal calls
            calls += 1
            now = calls == nth
            if now and not after:
                raise CrashError
            result = await real(self, *args, **kwargs)
            if now:
                raise CrashError(result)
            return result

        monkeypatch.setattr(owner, name, call)


class House:
    """A service of its own bot, with people whom it knows."""

    def __init__(
        self,
        storage: str,
        teams: TeamsStandIn,
        clock: Clock,
        *,
        sweeps: bool = False,
        bot: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        """Look after the chain of sweeps only with `sweeps`: its timer is in nobody's way then.

        `bot` is what the bot has besides its name.
        """
        self._sweeps = sweeps
        self.teams = teams
        self.clock = clock
        self.bot = f"bot-{uuid.uuid4().hex[:8]}"
        self.settings = Settings(
            storage=StorageAccount(connection_string=storage),
            bots=(Bot(self.bot, **(bot or {})),),
            local=True,
            public_url="http://localhost:7071",
            **{"requests_per_second": 10_000, **settings},
        )
        self.put: list[tuple[str, str, str]] = []
        self.taken: list[str] = []
        self.instances: list[Service] = []
        self.service = self.instance()

    def instance(self) -> Service:
        """Return the service as another process would have it. Its queue messages are noted as they come and go:
        storage shows nobody the hidden ones.
        """
        service = Service(self.settings, clock=self.clock)
        self.instances.append(service)
        if not self._sweeps:
            service.retention.looked = lambda _: True  # type: ignore[method-assign]
        account = service.account

        async def noted(queue: str, message: Any, delay: float = 0) -> QueueReceipt:
            try:
                receipt = await type(account).put(account, queue, message, delay)
            except CrashError as crash:
                if isinstance(crash.done, QueueReceipt):
                    self.put.append((queue, crash.done.id, json.dumps(message)))
                raise
            self.put.append((queue, receipt.id, json.dumps(message)))
            return receipt

        async def taken(receipt: QueueReceipt) -> None:
            await type(account).take_back(account, receipt)
            self.taken.append(receipt.id)

        account.put, account.take_back = noted, taken  # type: ignore[method-assign]
        return service

    async def knows(self, people: list[Person], **known: Any) -> None:
        """Let the bot be installed for `people`, as it was an hour ago."""
        then = self.clock() - 3600
        for person in people:

            def install(conversation: Conversation, person: Person = person) -> bool:
                conversation.conversation_id = person.conversation_id
                conversation.service_url = self.teams.service_url
                conversation.member_id = person.teams_id
                conversation.installed, conversation.installed_at = True, then
                conversation.referenced_at = then
                for name, value in known.items():
                    setattr(conversation, name, value)
                return True

            await self.service.conversations.change(self.bot, person.tenant_id, person.object_id, install)
            await self.service.conversations.seen_in(self.bot, person.tenant_id)
            self.teams.install(person)

    async def accept(self, people: list[Person], **body: Any) -> Send:
        """Accept a send to `people` by their object ids."""
        recipients = [person.object_id for person in people]
        return await accept(self.service, {"recipients": recipients, "message": "hello", **body})

    async def kept(self, send: Send) -> Send:
        """Return the send as it is now."""
        now = await self.service.sends.get(send.id)
        assert now
        return now

    async def states(self, send: Send) -> list[str]:
        """Return the states of all recipients of a send, in order."""
        now = await self.kept(send)
        return [
            chunk.result(number).state.value
            async for chunk in self.service.chunks.read(now.id, now.plan)
            for number in range(len(chunk.people))
        ]

    async def step(self, *queues: str, service: Service | None = None) -> int:
        """Run what is visible on these queues, once; return how many messages there were."""
        service = service or self.service
        done = 0
        for queue in queues or (PLANS, LANES, ERRANDS, WAITS, CALLBACKS, TIMERS):
            client = self.service.account._queues.get_queue_client(queue)
            messages = [m async for m in client.receive_messages(messages_per_page=32, visibility_timeout=600)]
            for message in messages:
                self.taken.append(message.id)
                await client.delete_message(message)
                await self.carry_out(queue, json.loads(message.content), service)
                done += 1
        return done

    async def carry_out(self, queue: str, body: dict[str, Any], service: Service | None = None) -> None:
        """Run one message; a crash lets the queue show it again after its ten minutes."""
        try:
            await run(service or self.service, queue, body)
        except CrashError:
            timer = {"to": queue, "at": self.clock() + 600, "body": body}
            self.put.append((TIMERS, uuid.uuid4().hex, json.dumps(timer)))
            raise

    async def drain(self) -> None:
        """Run what is visible until nothing is."""
        while await self.step():
            pass

    async def advance(self, seconds: float) -> None:
        """Put the clock forward and run all that becomes due, without waiting for storage to show it."""
        end = self.clock.ahead + seconds
        while True:
            await self.drain()
            due = min((t for t in self.unrung() if t[0] <= self.clock() + end - self.clock.ahead), default=None)
            if due is None:
                break
            at, number, timer = due
            self.clock.ahead = min(end, max(self.clock.ahead, self.clock.ahead + at - self.clock()))
            self.taken.append(number)
            await self.carry_out(timer["to"], timer["body"])
        self.clock.ahead = end

    def unrung(self) -> list[tuple[float, str, dict[str, Any]]]:
        """Return when each timer rings that still stands on its queue."""
        timers = [(number, json.loads(body)) for name, number, body in self.put if name == TIMERS]
        return [(timer["at"], number, timer) for number, timer in timers if number not in self.taken]

    async def pending(self, queue: str) -> list[dict[str, Any]]:
        """Return what stands on a queue, hidden or not, as it was put there by this service."""
        taken = set(self.taken)
        return [json.loads(body) for name, number, body in self.put if name == queue and number not in taken]


async def run(service: Service, queue: str, body: dict[str, Any]) -> None:
    """Do what function_app.py does with a message."""
    match queue:
        case "plans":
            await plan.plan(service, body["send"], body.get("watch", ()))
        case "lanes":
            watch, woken = body.get("watch", ()), body.get("woken", False)
            await deliver.run_lane(service, body["send"], watch, woken=woken)
        case "timers":
            await timers.ring(service, body)
        case "errands":
            await errands.run(service, body)
        case "waits":
            await chores.run(service, body)
        case "callbacks":
            await callback.call(service, body["send"], body["event"], body.get("watch", ()))


@pytest.fixture(scope="session")
async def storage() -> AsyncIterator[str]:
    """Give an account of our own: the host of the session's stack takes whatever stands on the queues of its own."""
    async with azurite(in_memory=True) as connection_string:
        yield connection_string


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people() -> list[Person]:
    return crowd_of(60)


@pytest.fixture
async def teams(people: list[Person]) -> AsyncIterator[TeamsStandIn]:
    async with TeamsStandIn(people, rate=None) as standing_in:
        yield standing_in


@pytest.fixture
async def house(storage: str, teams: TeamsStandIn, clock: Clock) -> AsyncIterator[House]:
    async with standing(House(storage, teams, clock)) as built:
        yield built


@pytest.fixture
def organisation(people: list[Person]) -> Organisation:
    """Give the tenant of these people as Graph has it. None of them has the app."""
    made = Organisation()
    made.enrol(people)
    return made


@pytest.fixture
async def graph(organisation: Organisation, teams: TeamsStandIn, people: list[Person]) -> AsyncIterator[GraphStandIn]:
    """Give a Graph whose installs reach Teams. What was installed without it, it does not know."""
    async with GraphStandIn(organisation, on_install=TellTeams(teams, people)) as there:
        yield there


@pytest.fixture
async def connected(storage: str, teams: TeamsStandIn, graph: GraphStandIn, clock: Clock) -> AsyncIterator[House]:
    """Give a house whose bot is used in the tenant, and may ask Graph about it. It has met nobody."""
    settings = {"graph": GraphAccess(graph.url), "teams_url": teams.service_url}
    bot = {"tenant_id": CONTOSO, "teams_app_id": TEAMS_APP}
    async with standing(House(storage, teams, clock, bot=bot, **settings)) as built:
        yield built


@asynccontextmanager
async def standing(built: House) -> AsyncIterator[House]:
    """Clear what other tests have left on the queues, and close all in the end."""
    await built.service.account.ensure()
    for queue in QUEUES:
        await built.service.account._queues.get_queue_client(queue).clear_messages()
    yield built
    for instance in built.instances:
        await instance.close()
