"""Calls to receivers on this machine, which are given up soon."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from proactive import outbound
from proactive.outbound import Outbound
from tests.unit.outbound.receivers import HOSTS, NOW, Make


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[Outbound] = []

    def make(**options: Any) -> Outbound:
        made.append(Outbound(HOSTS, **({"allow_loopback": True, "clock": lambda: NOW} | options)))
        return made[-1]

    yield make
    for each in made:
        await each.close()


@pytest.fixture
def line(make: Make) -> Outbound:
    return make()


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that waits for a time-out does not wait long; others end well before it."""
    monkeypatch.setattr(outbound, "_TIMEOUT", 20)
