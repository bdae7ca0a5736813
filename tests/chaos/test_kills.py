"""Fifty times a real process is killed, in the middle of a send, at a storage call or when a message has arrived."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.chaos.kills import Wreck, wreck

pytestmark = pytest.mark.long
_STACKS, _KILLS = 10, 5


@pytest.fixture(scope="module")
async def wrecks() -> AsyncIterator[list[asyncio.Task[Wreck]]]:
    """All of them begin with the first test: most of the time each waits for its watchdog."""
    tasks = [asyncio.create_task(wreck(seed, _KILLS)) for seed in range(_STACKS)]
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.timeout(170)
@pytest.mark.parametrize("seed", range(_STACKS))
async def test_a_killed_host_loses_nobody(wrecks: list[asyncio.Task[Wreck]], seed: int) -> None:
    made = await wrecks[seed]

    assert not made.wrong, "\n".join([f"seed {made.seed}", *made.wrong])
    assert any(kill.struck for kill in made.kills), "none was killed where it was meant to be"
