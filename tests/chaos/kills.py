"""Real processes are killed: a stack of its own whose hosts die in the middle of one send after another.

Nothing can make the real clock go faster, so the sends are left as the kills left them, and rescued together.
"""

import asyncio
import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from local.azurite import azurite
from local.storage_proxy import Call, StorageProxy
from local.teams import Person
from tests.stack import Stack, ids, until

PEOPLE = 60
RESCUED = 120.0  # seconds after the last kill within which everything has been delivered
_BUSY = asyncio.Semaphore(2)  # stacks that start or send at a time; most of the time they wait for a watchdog

# Storage calls at which a host is killed, as the proxy names them.
_CALLS = (
    Call("table", "PATCH", "sends(…)"),
    Call("table", "POST", "$batch"),
    Call("table", "PUT", "pace(…)"),
    Call("queue", "POST", "timers/messages"),
    Call("queue", "POST", "lanes/messages"),
    Call("queue", "DELETE", "timers/messages/…"),
    Call("table", "GET", "sends(…)"),
    Call("table", "GET", "sends()"),
)


@dataclass
class Kill:
    """One send during which the host is killed, and where: at the `nth` such call, or accepted message."""

    number: int
    call: Call | None
    side: str
    nth: int
    unknown: str  # ifOutcomeUnknown
    parallelism: int
    many: bool  # planned by way of `plans`: named are more people than accept looks up
    send: Any = None
    struck: bool = True

    def __str__(self) -> str:
        where = f"{self.side} {self.call.method} {self.call.kind}" if self.call else "accepted message"
        missed = "" if self.struck else " (not come to)"
        return f"send {self.number}: {where} #{self.nth}{missed}, {self.unknown}, {self.parallelism} at once"


def kills(seed: int, count: int) -> list[Kill]:
    """Return the kills of a seed."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        call = chance.choice([*_CALLS, *[None] * 4])
        nth = chance.randint(1, PEOPLE - 5) if call is None else chance.choice([1, 1, 2])
        unknown = chance.choice(["resend", "leave"])
        side = chance.choice(["before", "after"])
        made.append(Kill(number, call, side, nth, unknown, chance.choice([1, 5, 10, 20, 50]), chance.random() < 0.5))
    return made


@dataclass
class Wreck:
    """A stack after its kills. `wrong` has a sentence for everything that must not be."""

    seed: int
    kills: list[Kill]
    wrong: list[str] = field(default_factory=list)


async def wreck(seed: int, count: int) -> Wreck:
    """Kill a host in the middle of so many sends, wait for the rescue, and look at what became of everybody."""
    made = Wreck(seed, kills(seed, count))
    async with AsyncExitStack() as things:
        account = await things.enter_async_context(azurite(in_memory=True))
        proxy = await things.enter_async_context(StorageProxy(account))
        async with _BUSY:
            # Answers are late enough for a window to be in flight when a host dies.
            teams = {"latency": 0.03, "jitter": 0.05, "seed": seed}
            running = Stack.running(storage=proxy.connection_string, settings={"PROACTIVE_BOT_NAME": "killed"}, **teams)
            stack = await things.enter_async_context(running)
            people = await stack.join(PEOPLE)
            await until(lambda: _quiet(stack), 30)
            for kill in made.kills:
                await _send_and_kill(stack, proxy, people, kill)
        last = time.monotonic()
        for kill in made.kills:
            try:
                reply = await stack.outcome(kill.send, max(1.0, last + RESCUED - time.monotonic()))
            except AssertionError:
                counts = (await stack.status(kill.send["id"]))["counts"]
                made.wrong.append(f"{kill}: not completed after {RESCUED:.0f} s: {counts}")
                continue
            made.wrong += [f"{kill}: {found}" for found in await _wrong(stack, people, kill, reply.body, count)]
    return made


async def _quiet(stack: Stack) -> bool:
    return stack.teams.stats().operations.get("member", 0) >= PEOPLE


async def _send_and_kill(stack: Stack, proxy: StorageProxy, people: list[Person], kill: Kill) -> None:
    host = stack.hosts[0]
    killed = asyncio.Event()
    seen = 0

    def die() -> None:
        host.child.kill()
        killed.set()

    async def strike(call: Call) -> None:
        nonlocal seen
        if killed.is_set():
            raise ConnectionResetError  # of a process that is gone nothing arrives any more
        seen += call == kill.call
        if seen == kill.nth and call == kill.call:
            die()
            raise ConnectionResetError

    async def pass_on(call: Call) -> None:
        if killed.is_set():
            raise ConnectionResetError

    async def enough() -> bool:
        if kill.call is None and _got(stack, people, kill) >= kill.nth:
            die()
        return killed.is_set()

    proxy.before, proxy.after = (strike, None) if kill.side == "before" else (pass_on, strike)
    posting = asyncio.create_task(_post(stack, people, kill))
    try:
        await until(enough, 5, every=0.005)
    except AssertionError:
        kill.struck = False  # it never came to that call: it is killed all the same, wherever it is
        die()
    finally:
        kill.send = await posting
        await host.kill()
        proxy.before = proxy.after = None
        stack.hosts.remove(host)
    await stack.start()
    if kill.send is None:  # the caller has no answer, and asks again
        kill.send = await _post(stack, people, kill)
    assert kill.send is not None


async def _post(stack: Stack, people: list[Person], kill: Kill) -> Any:
    body = {
        "recipients": [*ids(people), *([*ids(people)] * 16 if kill.many else [])],
        "message": f"send {kill.number}",
        "options": {"parallelism": kill.parallelism, "ifOutcomeUnknown": kill.unknown},
    }
    try:
        reply = await stack.post(body, key=f"key {kill.number}")
    except (aiohttp.ClientError, TimeoutError):
        return None
    return reply.body if reply.status == 202 else None


def _got(stack: Stack, people: list[Person], kill: Kill) -> int:
    return sum(len(_copies(stack, person, kill)) for person in people)


def _copies(stack: Stack, person: Person, kill: Kill) -> list[str]:
    return [message["id"] for message in stack.got(person) if message["text"] == f"send {kill.number}"]


async def _wrong(stack: Stack, people: list[Person], kill: Kill, outcome: Any, crashes: int) -> list[str]:
    found = []
    results = {row["userId"]: row for row in await stack.results(kill.send["id"])}
    counts = dict(outcome["counts"])
    copies = {person.object_id: _copies(stack, person, kill) for person in people}
    extra = sum(max(0, len(ones) - 1) for ones in copies.values())
    # A send whose host died is under way in the next ones as well, and may be cut again.
    window = 2 * kill.parallelism * crashes
    if counts.pop("total") != PEOPLE or sum(counts.values()) - counts["responded"] != PEOPLE or counts["pending"]:
        found.append(f"counts {outcome['counts']}")
    if set(results) != set(copies):
        found.append(f"{len(results)} have a result")
    for user, ones in copies.items():
        row = results[user]
        if row["state"] == "delivered" and row["messageId"] not in ones:
            found.append(f"{user} is delivered, the result says {row['messageId']}, there are {ones}")
        if row["state"] not in ("delivered", *(["unknown"] if kill.unknown == "leave" else [])):
            found.append(f"{user} is {row['state']} {row['reason']}")
    if kill.unknown == "leave" and extra:
        found.append(f"{extra} second copies under leave")
    if counts["unknown"] > window:
        found.append(f"{counts['unknown']} are unknown")
    if extra > window:
        found.append(f"{extra} second copies")
    return found
