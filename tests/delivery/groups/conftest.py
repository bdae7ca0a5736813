"""A house that may ask the directory of an organisation with everything awkward in it."""

from collections.abc import AsyncIterator

import pytest

from local.graph import GraphStandIn, Sample, sample
from local.teams import Person, TeamsStandIn
from proactive.settings import GraphAccess
from tests.delivery.conftest import Clock, House
from tests.delivery.groups.directory import opened


@pytest.fixture
def contoso() -> Sample:
    return sample(60)


@pytest.fixture
def people(contoso: Sample) -> list[Person]:
    return contoso.everybody


@pytest.fixture
async def graph(contoso: Sample) -> AsyncIterator[GraphStandIn]:
    async with GraphStandIn(contoso.organisation, repeats=True) as there:
        yield there


@pytest.fixture
async def house(storage: str, teams: TeamsStandIn, clock: Clock, graph: GraphStandIn) -> AsyncIterator[House]:
    async with opened(storage, teams, clock, GraphAccess(graph.url)) as built:
        yield built


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let some people be what thousands are, so that there are many pages and parts."""
    monkeypatch.setattr("proactive.graph._PAGE", 7)
    monkeypatch.setattr("proactive.groups.PAGES", 2)
    monkeypatch.setattr("proactive.plan.SIZE", 7)
    monkeypatch.setattr("proactive.recipients.SIZE", 7)
    monkeypatch.setattr("proactive.plan.ROWS", 4)
