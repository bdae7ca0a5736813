"""One run: people, Teams and a flow outside, instances of the service inside, and time that goes on when all rest."""

import asyncio
import contextlib
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from local.loopback import listen
from local.teams import Person, TeamsStandIn
from local.teams.people import people as crowd_of
from proactive.accept import accept, send_id
from proactive.cancel import cancel
from proactive.model import Send
from proactive.service import Service
from proactive.store.account import QueueReceipt
from proactive.store.conversations import Conversation
from proactive.verdicts import Kind
from tests.chaos.instance import Instance
from tests.chaos.letters import Letter, Letters
from tests.chaos.scenario import CARD, NEVER_MET, POPULATION, Scenario
from tests.delivery.conftest import Clock, House, run

_HANGS = 45.0  # seconds: no run takes a tenth of it
_AFTER_A_FAILURE = 10.0  # seconds: visibilityTimeout in host.json
_MOST_FAILURES = 5  # maxDequeueCount there


@dataclass
class Crash:
    """The end of an instance: when, where, who was in doubt then, and since when which rows were to be written again.

    `rung` when it died while it rang a watchdog: of that there is no second one.
    """

    at: float
    point: str
    instance: Instance
    rung: bool = False
    doubts: set[str] = field(default_factory=set)
    due: dict[str, float] = field(default_factory=dict)


class Town:
    """What all runs share: storage, Teams, a flow, a bot, and the people who know it."""

    def __init__(self, storage: str) -> None:
        self.clock = Clock()
        self.people = crowd_of(POPULATION)
        self.teams = TeamsStandIn(self.people, rate=None, clock=self.clock)
        self.house = House(storage, self.teams, self.clock)
        self.chats = {person.conversation_id: person.object_id for person in self.people}  # those that were lost too
        self.flow_url = ""
        self.called: list[tuple[str, str]] = []
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "Town":
        await self.teams.__aenter__()
        app = web.Application()
        app.router.add_post("/run", self._take)
        self._runner, port = await listen(app)
        self.flow_url = f"http://127.0.0.1:{port}/run"
        await self.house.service.account.ensure()
        met = self.people[: NEVER_MET.start]
        await self.house.knows(met, bot_id=f"28:{met[0].app_id}")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner
        await self._runner.cleanup()
        await self.teams.__aexit__(None, None, None)
        for instance in self.house.instances:
            await instance.close()

    async def _take(self, request: web.Request) -> web.Response:
        self.called.append((request.query["run"], request.headers["webhook-id"]))
        return web.Response(status=202)


class Run:
    """One run of a scenario. What is in `timeline` is what a reader of a failure wants to know."""

    def __init__(self, town: Town, planned: Scenario) -> None:
        self.town, self.scenario, self.clock = town, planned, town.clock
        self.observer = town.house.service
        self.chance = random.Random(planned.seed)
        # Not by id(self): a run may stand where one of the same seed stood that is gone, whose send it would find.
        self.key = f"{town.house.bot}-{planned.seed}-{uuid.uuid4().hex}"
        self.id = send_id("key:" + self.key)
        self.letters = Letters(self.observer.account, self.clock)
        self.crashes: list[Crash] = []
        self.doubts: Counter[str] = Counter()  # by person: how often Teams left in doubt what became of a message
        self.written: list[tuple[float, str]] = []  # when which row of the send was written
        self.failures: list[str] = []
        self.accepted_at: float | None = None
        self.points: list[str] = []
        self.began = 0.0
        self.timeline: list[str] = []
        self._stirred = asyncio.Event()
        self._instances: list[Instance] = []
        self._working: set[asyncio.Task[None]] = set()
        self._cuts = list(planned.cuts)
        self._passed: Counter[str] = Counter()
        self._arrived = 0

    def person(self, number: int) -> Person:
        """Return a person by number."""
        return self.town.people[number]

    # What instances tell

    def cuts(self, point: str, instance: Instance) -> bool:
        """Whether the schedule ends an instance here."""
        self.points.append(point)
        self._passed[point] += 1
        if not self._cuts or (self._cuts[0].point, self._cuts[0].nth) != (point, self._passed[point]):
            return False
        del self._cuts[0]
        self._passed.clear()
        self.crashes.append(Crash(self.clock(), point, instance))
        self.say(f"cut {point}")
        return True

    def done(self, label: str, arguments: Sequence[Any], result: Any) -> None:
        """Note what took effect."""
        self.say(label)
        if label == "Teams send":
            if result.kind is Kind.DELIVERED:
                self._arrived += 1
                if self._arrived == self.scenario.cancelled_at:
                    self._outside(self._cancel())
            elif result.kind is Kind.DOUBT:
                self.doubts[self.town.chats[arguments[2]]] += 1
        if label.startswith(("update sends", "transaction sends")):
            rows = [arguments[1]] if label.startswith("update") else [change[1] for change in arguments[1]]
            self.written += [(self.clock(), row["RowKey"]) for row in rows if row["PartitionKey"] == self.id]

    async def put(self, queue: str, message: Any, delay: float = 0) -> QueueReceipt:
        """Put a message on a queue."""
        receipt = await self.letters.put(queue, message, delay)
        self._stirred.set()
        return receipt

    async def postpone(self, receipt: QueueReceipt, delay: float) -> QueueReceipt | None:
        """Hide a message for longer."""
        return await self.letters.postpone(receipt, delay)

    async def take_back(self, receipt: QueueReceipt) -> None:
        """Remove a message."""
        await self.letters.take_back(receipt)

    # Life

    async def live(self) -> None:
        """Let it all happen, until nothing is left to do."""
        await self._prepare()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.scenario.patches.items():
                patch.setattr(name, value)
            self._instances = [self._instance() for _ in range(self.scenario.instances)]
            try:
                async with asyncio.timeout(_HANGS):
                    self._outside(self._ask())
                    await self._go_on()
            finally:
                for instance in self._instances:
                    await instance.bury()
                for task in self._working:
                    task.cancel()
                await asyncio.gather(*self._working, return_exceptions=True)

    async def _prepare(self) -> None:
        town, planned = self.town, self.scenario
        self.clock.ahead += 7200  # whatever the run before left behind is long ago
        self.began = self.clock()
        town.teams.clear()
        town.called.clear()
        for person in town.people[: NEVER_MET.start]:
            town.teams.install(person)
        for number in planned.blocked:
            town.teams.uninstall(self.person(number), "ConversationBlockedByUser")
        for number in planned.moved:
            chat = town.teams.renew_conversation(self.person(number))
            town.chats[chat] = self.person(number).object_id
        for number in planned.chatting:
            await self._chats(self.person(number))
        for fault in planned.weather:
            town.teams.fault(fault)

    async def _chats(self, person: Person) -> None:
        at = self.clock() - 60

        def wrote(known: Conversation) -> bool:
            known.last_message_at = at
            return True

        await self.observer.conversations.change(self.town.house.bot, person.tenant_id, person.object_id, wrote)

    def _instance(self) -> Instance:
        service = Service(self.town.house.settings, clock=self.clock)
        # The chain of daily sweeps never ends, and a run is over when nothing is left to do.
        service.retention.looked = lambda _: True  # type: ignore[method-assign]
        return Instance(service, self, self._stirred)

    async def _go_on(self) -> None:
        while True:
            self._stirred.clear()
            for instance in [one for one in self._instances if one.is_cut]:
                await self._replace(instance)
            for letter in await self.letters.receive():
                self._outside(self._carry_out(letter))
            if not self._working:
                at = self.letters.next_at()
                if at is None:
                    return
                self.clock.ahead += max(0.0, at - self.clock())
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await self._stirred.wait()

    def _outside(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._working.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._working.discard(task)
            self._stirred.set()
            if not task.cancelled() and (error := task.exception()):
                self.failures.append(f"{type(error).__name__}: {error}")

        task.add_done_callback(ended)

    async def _replace(self, instance: Instance) -> None:
        await instance.bury()
        self._instances[self._instances.index(instance)] = self._instance()
        await self._look_at_the_wreck(self.crashes[-1])

    async def _look_at_the_wreck(self, crash: Crash) -> None:
        """Note who is in doubt, and by when what must have gone on."""
        send = await self.observer.sends.get(self.id)
        if send is None:
            return
        goes_on = self.accepted_at is not None and not send.completed_at
        if send.plan:
            async for chunk in self.observer.chunks.read(send.id, send.plan):
                crash.doubts |= {chunk.people[number].user or "" for number in chunk.in_doubt()}
                if goes_on and (due := chunk.next_try()) is not None:
                    crash.due[f"chunk-{chunk.plan}-{chunk.number:05}"] = max(crash.at, due)
        if goes_on and not crash.due:
            crash.due["send"] = crash.at

    async def _somebody(self) -> Instance:
        """Return an instance that lives, once there is one."""
        while not (living := [one for one in self._instances if not one.is_cut]):
            await asyncio.sleep(0)
        return self.chance.choice(living)

    async def _carry_out(self, letter: Letter) -> None:
        instance = await self._somebody()
        self.say(f"— {letter.queue} {letter.body.get('to', letter.body.get('kind', ''))}")
        task = instance.spawn(run(instance.service, letter.queue, dict(letter.body)))
        await asyncio.wait([task])
        if task.cancelled():
            # It shows again by itself.
            crash = next(one for one in self.crashes if one.instance is instance)
            crash.rung |= letter.queue == "timers" and "watch" not in letter.body["body"]
            return
        if error := task.exception():
            self.failures.append(f"{letter.queue}: {type(error).__name__}: {error}")
            self.letters.show_again(letter, _AFTER_A_FAILURE)
            assert letter.failures < _MOST_FAILURES, "a message would have become poison"
            return
        self.letters.done(letter)

    async def _with_an_instance(self, do: Callable[[Service], Awaitable[Any]]) -> Any:
        """Ask an instance for something, and another one when it dies over that, as a caller does."""
        while True:
            instance = await self._somebody()
            task = instance.spawn(do(instance.service))  # type: ignore[arg-type]
            await asyncio.wait([task])
            if not task.cancelled():
                return task.result()
            self.clock.ahead += 3

    async def _ask(self) -> None:
        planned = self.scenario
        recipients: list[Any] = [self.person(number).object_id for number in planned.people]
        self.chance.shuffle(recipients)
        body: dict[str, Any] = {
            "tenant": self.person(0).tenant_id,
            "recipients": [{"everyone": True}] if planned.everyone else recipients,
            "options": {
                "parallelism": planned.parallelism,
                "ifChatIsActive": planned.if_chat_is_active,
                "ifOutcomeUnknown": planned.if_outcome_unknown,
            },
            **({"card": CARD, "wait": {"timeout": "PT2H"}} if planned.waits else {"message": f"run {planned.seed}"}),
            **({"callbackUrl": f"{self.town.flow_url}?run={self.id}"} if planned.calls_back else {}),
        }
        await self._with_an_instance(lambda service: accept(service, body, key="key:" + self.key, operator=True))
        self.accepted_at = self.clock()
        self.say("accepted")
        if planned.cancelled_at == 0:
            await self._cancel()

    async def _cancel(self) -> None:
        self.say("cancel")
        await self._with_an_instance(lambda service: cancel(service, self.id, told=True))
        self.say("cancelled")

    def say(self, what: str) -> None:
        """Add a line to the timeline."""
        self.timeline.append(f"{self.clock() - self.began:9.3f}  {what}")

    async def kept(self) -> Send | None:
        """Return the send as it is now."""
        return await self.observer.sends.get(self.id)
