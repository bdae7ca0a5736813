"""An organisation with everything awkward in it, a stand-in for Graph that serves it, and a client."""

from collections.abc import AsyncIterator

import pytest

from local.graph import GraphStandIn, Sample, sample
from proactive.graph import Graph
from tests.teams.botside import Clock
from tests.teams.conftest import endpoint, session  # noqa: F401 - the same fixtures here


async def no_token(tenant: str) -> str:
    return ""


@pytest.fixture
def clock():
    return Clock(1_800_000_000.0)


@pytest.fixture
def contoso() -> Sample:
    return sample()


@pytest.fixture
async def there(contoso) -> AsyncIterator[GraphStandIn]:
    async with GraphStandIn(contoso.organisation) as there:
        yield there


@pytest.fixture
async def graph(there, clock) -> AsyncIterator[Graph]:
    graph = Graph(there.base_url, no_token, clock=clock)
    yield graph
    await graph.close()
