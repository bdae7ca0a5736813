"""The wreck: a stack that crashed before the first test, so that nobody waits for its rescue."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.teams import Person
from tests.stack import Stack, ids, until


@dataclass
class Wreck:
    """A stack whose instance was killed in the middle of a send, right after it had accepted others, and replaced."""

    stack: Stack
    people: list[Person]  # of the send that was under way
    send: Any
    others: list[tuple[Person, Any]]  # each with an accepted send of their own
    at_the_kill: int  # how many had got the message
    parallelism: int = 20


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look at the wreck last: its rescue takes more than a minute, in which nothing happens."""
    items.sort(key=lambda item: "wreck" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
async def wreck() -> AsyncIterator[Wreck]:
    settings = {"PROACTIVE_BOT_NAME": "crash"}
    async with Stack.running(settings=settings, latency=0.2) as stack:
        joined = await stack.join(340)
        people, others = joined[:300], joined[300:]
        send = await stack.accepted(ids(people), options={"parallelism": Wreck.parallelism})

        async def halfway() -> bool:
            return sum(bool(stack.got(person)) for person in people) >= 80

        await until(halfway)
        accepted = await asyncio.gather(*(stack.accepted([person.object_id]) for person in others))
        await stack.kill()
        at_the_kill = sum(bool(stack.got(person)) for person in people)
        await stack.start()
        yield Wreck(stack, people, send, list(zip(others, accepted, strict=True)), at_the_kill)


@pytest.fixture(scope="session", autouse=True)
def _begin_first(request: pytest.FixtureRequest) -> None:
    """Begin before the first test what takes its time, if anybody is to look at it."""
    for name in ("wreck", "scenes"):
        if any(name in getattr(item, "fixturenames", ()) for item in request.session.items):
            request.getfixturevalue(name)
