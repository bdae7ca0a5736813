"""Flows that are called back, people who answer, and scenarios that wait together instead of one after the other.

A plugin, so that two test modules share one stack. PYTEST_DONT_REWRITE: they import it before it is one.
"""

import asyncio
import base64
import contextlib
import inspect
import json
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from local.loopback import serving
from local.teams import Person
from tests.stack import SENDS, Reply, Stack, ids, until

SECRET = "whsec_" + base64.b64encode(b"only the flow and the service know").decode()
THANKS = "Thanks for your response!"
SIGNATURE = "sig-that-must-stay-secret"
"""Stands in the query of every callback URL."""
BODY = "Words for the recipient's eyes"
"""Stands in every card."""
FIRST_CALL = 2.0
"""Seconds after the subscription's answer, at the least, to the first call."""

_AT_ONCE = 8  # scenarios


def question(*actions: dict[str, Any], version: str = "1.4") -> dict[str, Any]:
    """Return a card with an input and two buttons, or these."""
    return {
        "type": "AdaptiveCard",
        "version": version,
        "body": [{"type": "TextBlock", "text": BODY}, {"type": "Input.Text", "id": "note", "value": "none"}],
        "actions": list(actions)
        or [
            {"type": "Action.Submit", "title": "Approve"},
            {"type": "Action.Submit", "title": "Reject", "id": "no", "data": {"order": 4711, "why": ["a", None]}},
        ],
    }


CLOSED = "closed"
"""Stands in a card whose question is over without its person's answer."""
DONE = {"type": "AdaptiveCard", "version": "1.4", "body": [{"type": "TextBlock", "text": "All is done"}]}
EXECUTE = question({"type": "Action.Execute", "title": "Approve", "verb": "approve", "data": {"days": 3}})


@dataclass(frozen=True)
class Says:
    """How a flow answers: with a status, or not at all, and not before something has happened."""

    status: int = 202
    headers: Mapping[str, str] = field(default_factory=dict)
    after: asyncio.Event | None = None
    cut: bool = False


@dataclass(frozen=True)
class Call:
    """A request that a flow got; `at` is on the clock of `time.monotonic`."""

    at: float
    method: str
    address: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def id(self) -> str:
        """The id by which a receiver knows a repeated call."""
        return self.headers["webhook-id"]

    @property
    def body(self) -> Any:
        """The JSON value in the body; fails where the call is not signed as Standard Webhooks has it."""
        assert self.headers["content-type"].partition(";")[0] == "application/json"
        return Webhook(SECRET).verify(self.raw, dict(self.headers))


@dataclass
class Run:
    """One action of one run of a flow, which waits for its callback. It says `answers` one by one, then 202."""

    url: str
    got: list[Call] = field(default_factory=list)
    answers: deque[Says] = field(default_factory=deque)

    async def called(self, count: int = 1, seconds: float = 60) -> list[Call]:
        """Wait until the flow has been called so often, and return the calls."""

        async def enough() -> bool:
            return len(self.got) >= count

        await until(enough, seconds)
        return self.got

    async def called_once(self) -> Any:
        """Return the body of the only call; fails where a second one follows soon."""
        await self.called()
        await asyncio.sleep(4)
        (call,) = self.got
        return call.body


class Flows:
    """Something like Power Automate: hands out callback URLs, and takes the calls."""

    def __init__(self) -> None:
        self._port = 0
        self._runs: dict[str, Run] = {}
        self.strays: list[str] = []

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Flows"]:
        """Listen on a free port."""
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._take)
        async with serving(app) as self._port:
            yield self

    def run(self, *answers: Says | int) -> Run:
        """Return a new run, which answers like this."""
        path = f"/workflows/{uuid.uuid4().hex}/triggers/manual/paths/invoke"
        query = f"api-version=2016-10-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={SIGNATURE}%2B{uuid.uuid4().hex}"
        run = Run(f"http://127.0.0.1:{self._port}{path}?{query}")
        run.answers.extend(says if isinstance(says, Says) else Says(says) for says in answers)
        self._runs[path] = run
        return run

    @property
    def elsewhere(self) -> str:
        """An address that nobody may be led to."""
        return f"http://127.0.0.1:{self._port}/elsewhere"

    async def _take(self, request: web.Request) -> web.Response:
        at = time.monotonic()
        run = self._runs.get(request.path)
        if run is None:
            self.strays.append(request.path)
            return web.Response(status=404)
        headers = {name.lower(): value for name, value in request.headers.items()}
        run.got.append(Call(at, request.method, str(request.url), headers, await request.read()))
        says = run.answers.popleft() if run.answers else Says()
        if says.after:
            await says.after.wait()
        if says.cut and request.transport:
            request.transport.abort()
        return web.Response(status=says.status, headers=says.headers)


class Asking:
    """Cards that wait, on a stack of two instances, and flows that are called back."""

    def __init__(self, stack: Stack, flows: Flows) -> None:
        self.stack = stack
        self.flows = flows

    async def post(
        self, people: list[Person], card: Any = None, *, run: Run | None = None, prefer: int | None = None, **wait: Any
    ) -> Reply:
        """POST a card that waits."""
        return await self.stack.post(self.body(people, card, run=run, **wait), wait=prefer)

    def body(self, people: list[Person], card: Any = None, *, run: Run | None = None, **wait: Any) -> dict[str, Any]:
        """Return the body of a send that waits. `options` are the send's, the rest are those of `wait`."""
        options = {"options": wait.pop("options")} if "options" in wait else {}
        callback = {"callbackUrl": run.url} if run else {}
        content = {"card": card or question(), "wait": wait}
        return {"tenant": people[0].tenant_id, "recipients": ids(people), **content, **callback, **options}

    async def ask(self, people: list[Person], card: Any = None, **more: Any) -> Any:
        """POST a card that waits, see it delivered, and return the body of the 201 or 202."""
        reply = await self.post(people, card, **more)
        body = reply.ok(201 if more.get("run") else 202)
        for person in people:
            await self.card(person)
        return body

    async def card(self, person: Person) -> Any:
        """Return the message with the card that a person has got, once it is there."""
        found = await self.stack.teams.wait_delivered(person)
        return next(message for message in found if message.get("attachments"))

    async def press(self, person: Person, title: str = "Approve", inputs: Any = None, *, message: Any = None) -> Any:
        """Press a button and return the answer to it, which must be 200."""
        posted = await (await self.stack.crowd()).press(person, title, inputs, message=message)
        assert posted.status == 200, posted.body
        return posted

    async def shows(self, person: Person, text: str) -> None:
        """Wait until this text stands where the card was."""

        async def there() -> bool:
            return text in json.dumps(self.stack.got(person)[0])

        await until(there)
        assert len(self.stack.got(person)) == 1, "the card was replaced, not followed by another message"

    async def status(self, send: Any) -> Any:
        """Return where a send stands."""
        return await self.stack.status(send["id"])

    async def stands(self, send: Any, status: str) -> Any:
        """Wait until a send has this status."""

        async def there() -> Any:
            now = await self.status(send)
            return now if now["status"] == status else None

        return await until(there)

    async def handed_over(self, send: Any, state: str = "accepted") -> Any:
        """Wait until the callback of a send has ended like this, and return the send's status."""

        async def ended() -> Any:
            now = await self.status(send)
            return now if now["callback"]["state"] == state else None

        return await until(ended)

    async def outcome(self, send: Any) -> Any:
        """Return the outcome of a send, once there is one; it must not be one that fails a flow's run."""
        return (await self.stack.outcome(send)).ok(200)

    async def delivered(self, send: Any) -> None:
        """Wait until everybody's delivery is written down."""

        async def done() -> bool:
            return (await self.status(send))["counts"]["pending"] == 0

        await until(done)

    async def responses(self, send: Any) -> list[Any]:
        """Return the answers to a send."""
        return (await self.stack.get(f"{SENDS}/{send['id']}/responses")).ok()["responses"]


def plain(outcome: Any) -> Any:
    """Return an outcome without how its own callback went, which changes, and which instance told it."""
    path = "/api/" + outcome["resultsUrl"].partition("/api/")[2]
    return {name: value for name, value in outcome.items() if name not in ("callback", "callbacks")} | {
        "resultsUrl": path
    }


def tries(state: Any) -> list[int | None]:
    """Return the statuses of the attempts in the state of a callback."""
    return [attempt["statusCode"] for attempt in state["callback"]["attempts"]]


def buttons(message: Any) -> Any:
    """Return the actions of the card in a message."""
    return message["attachments"][0]["content"]["actions"]


type Scenario = Callable[..., Coroutine[Any, Any, None]]


def together(scenario: Scenario) -> Scenario:
    """Make a test of a scenario that runs beside the other tests: most of them wait most of the time.

    It takes an `Asking`, and the parameters of its marks.
    """

    async def test(scenes: Scenes, request: pytest.FixtureRequest, **_: Any) -> None:
        await scenes.end(request.node)

    of_scenario = list(inspect.signature(scenario).parameters.values())[1:]
    ours = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in ("scenes", "request")]
    named = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in of_scenario]
    test.__signature__ = inspect.Signature([*ours, *named])  # type: ignore[attr-defined]
    test.__name__, test.__doc__, test.__module__ = scenario.__name__, scenario.__doc__, scenario.__module__
    test.scenario = scenario  # type: ignore[attr-defined]
    return test


def in_the_background(scenario: Scenario) -> Scenario:
    """Make such a test of a scenario that takes a minute, which is looked at last."""
    test = together(scenario)
    test.background = True  # type: ignore[attr-defined]
    return pytest.mark.timeout(170)(test)


class Scenes:
    """The scenarios under way."""

    def __init__(self, asking: Asking) -> None:
        self.asking = asking
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, items: list[pytest.Item]) -> None:
        """Begin all that were collected."""
        for item in sorted(items, key=lambda item: not hasattr(item.function, "background")):  # type: ignore[attr-defined]
            parameters = item.callspec.params if hasattr(item, "callspec") else {}
            self._tasks[item.nodeid] = asyncio.create_task(self._play(item.function, parameters))  # type: ignore[attr-defined]

    async def _play(self, test: Any, parameters: Mapping[str, Any]) -> None:
        own = {name: parameters[name] for name in inspect.signature(test.scenario).parameters if name in parameters}
        async with contextlib.nullcontext() if hasattr(test, "background") else self._room:
            await test.scenario(self.asking, **own)

    async def end(self, item: pytest.Item) -> None:
        """Wait for the end of one; raises what it raised."""
        await self._tasks[item.nodeid]

    async def all_ended(self) -> None:
        """Wait for the ends of all, however they ended."""
        await asyncio.wait(self._tasks.values())

    async def stop(self) -> None:
        """Break off what nobody waited for."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


@pytest.fixture(scope="session")
async def scenes(request: pytest.FixtureRequest) -> AsyncIterator[Scenes]:
    settings = {"PROACTIVE_CALLBACK_SECRET": SECRET, "PROACTIVE_BOT_NAME": "asking"}
    async with Flows().open() as flows, Stack.running(settings=settings, hosts=2) as stack:
        for host in stack.hosts:
            host.child.tail = deque(host.child.tail)  # without an end: the whole log is looked at
        await stack.join(1)  # so that the bot is used in a tenant
        scenes = Scenes(Asking(stack, flows))
        scenes.begin([item for item in request.session.items if hasattr(getattr(item, "function", None), "scenario")])
        yield scenes
        await scenes.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look at the scenarios after the other tests of this directory, which they run beside: those that take long come
    late, and what looks at everything comes last.
    """

    def rank(item: pytest.Item) -> int:
        function = getattr(item, "function", None)
        if hasattr(function, "after_all"):
            return 3
        return 1 + hasattr(function, "background") if hasattr(function, "scenario") else 0

    places = [place for place, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    ours = sorted((items[place] for place in places), key=rank)
    for place, item in zip(places, ours, strict=True):
        items[place] = item
