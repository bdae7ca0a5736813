"""Runs by their seeds: once uncut, to learn by which points it comes, and once cut at some of them."""

from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.invariants import wrong
from tests.chaos.scenario import Cut, Scenario, cuts, scenario
from tests.chaos.world import Run, Town


@dataclass
class Outcome:
    """What came of a run, with a sentence for everything that is wrong."""

    run: Run
    wrong: list[str]

    def __str__(self) -> str:
        cut = ", ".join(crash.point for crash in self.run.crashes)
        return "\n  ".join([f"{self.run.scenario} (was cut {cut or 'nowhere'})", *self.wrong])


@dataclass
class Coverage:
    """Where runs were cut how often, and for each point a seed by which it is come to."""

    cut: Counter[str] = field(default_factory=Counter)
    seen: dict[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> dict[str, int]:
        """The points at which nothing was cut, with a seed for each."""
        return {point: seed for point, seed in sorted(self.seen.items()) if not self.cut[point]}


async def play(town: Town, seed: int, coverage: Coverage, at: str = "") -> Outcome:
    """Play a seed whole, then cut where it says; or only cut, where it first comes to the point `at`."""
    planned = scenario(seed)
    if at:
        planned.cuts = [Cut(at, 1)]
    else:
        whole = await _once(town, scenario(seed))
        for point in whole.run.points:
            coverage.seen.setdefault(point, seed)
        if whole.wrong:
            return whole
        planned.cuts = cuts(seed, whole.run.points)
    outcome = await _once(town, planned)
    coverage.cut.update(crash.point for crash in outcome.run.crashes)
    return outcome


async def _once(town: Town, planned: Scenario) -> Outcome:
    run = Run(town, planned)
    try:
        await run.live()
    except TimeoutError:
        lying = [(letter.queue, letter.body) for letter in run.letters.lying()]
        return Outcome(run, [f"it does not come to rest: {lying[:5]}, {run.failures}"])
    return Outcome(run, await wrong(run))
