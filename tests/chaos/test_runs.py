"""Processes are cut at points of all kinds, and nobody is lost; what is wrong names its seed.

`python -m tests.chaos <seed>` plays one again, and tells what happened when.
"""

from collections.abc import AsyncIterator

import pytest

from local.azurite import azurite
from tests.chaos.runs import Coverage, play
from tests.chaos.world import Town

_BATCH = 10
_MANY = 24
_COVERAGE = Coverage()


@pytest.fixture(scope="session")
async def town() -> AsyncIterator[Town]:
    async with azurite(in_memory=True) as storage, Town(storage) as made:
        yield made


async def play_all(town: Town, seeds: range) -> None:
    outcomes = [await play(town, seed, _COVERAGE) for seed in seeds]
    wrong = [str(outcome) for outcome in outcomes if outcome.wrong]
    assert not wrong, "\n".join(wrong)
    cut = sum(bool(outcome.run.crashes) for outcome in outcomes)
    assert cut >= 0.8 * len(seeds), "what a run comes to without a cut is what the cut run comes to"


@pytest.mark.parametrize("first", range(0, 40, _BATCH))
async def test_nobody_is_lost_or_doubled_wherever_processes_are_cut(town: Town, first: int) -> None:
    await play_all(town, range(first, first + _BATCH))


@pytest.mark.long
@pytest.mark.timeout(240)  # a batch takes ten seconds on a quiet machine
@pytest.mark.parametrize("first", range(40, 1000, _MANY))
async def test_a_thousand_runs(town: Town, first: int) -> None:
    await play_all(town, range(first, first + _MANY))


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_every_point_that_was_ever_come_to_was_cut_at(town: Town) -> None:
    for point, seed in list(_COVERAGE.missing.items()):
        outcome = await play(town, seed, _COVERAGE, at=point)
        assert not outcome.wrong, str(outcome)
    # What is done once in the life of a storage account is come to in a new one only.
    for point, seed in list(_COVERAGE.missing.items()):
        async with azurite(in_memory=True) as storage, Town(storage) as fresh:
            outcome = await play(fresh, seed, _COVERAGE, at=point)
        assert not outcome.wrong, str(outcome)
    assert len(_COVERAGE.missing) <= 3, f"by chance alone they were not come to again: {_COVERAGE.missing}"
