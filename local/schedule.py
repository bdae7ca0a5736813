"""When a fault strikes: from the nth request that it fits, so many times, or by a chance that is drawn from a seed."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


class Timed(Protocol):
    """What a fault says of the requests that it hits among those that it fits."""

    @property
    def nth(self) -> int:
        """The first one, counted from 1."""

    @property
    def times(self) -> int | None:
        """How many; None: as long as the fault is armed."""

    @property
    def probability(self) -> float:
        """The chance of each, from 0 to 1."""

    @property
    def seed(self) -> int:
        """What that chance is drawn from: the same seed, the same sequence."""


@dataclass(slots=True)
class Armed[F: Timed]:
    """A fault in force, and the requests that it has met. Whatever else is drawn for it comes from `chance` as well."""

    fault: F
    chance: random.Random
    seen: int = 0
    hits: int = 0

    @property
    def spent(self) -> bool:
        """Whether it has hit all that it was to hit."""
        return self.hits == self.fault.times

    def strikes(self) -> bool:
        """Count a request that the fault fits; tell whether it is hit."""
        self.seen += 1
        if self.seen < self.fault.nth or (
            self.fault.probability < 1 and self.chance.random() >= self.fault.probability
        ):
            return False
        self.hits += 1
        return True


@dataclass(slots=True)
class Schedule[F: Timed]:
    """The faults in force. The first one that fits a request is the one that happens."""

    _all: list[Armed[F]] = field(default_factory=list)
    _live: list[Armed[F]] = field(default_factory=list)

    def add(self, fault: F) -> int:
        """Arm a fault and return its number."""
        armed = Armed(fault, random.Random(fault.seed))  # noqa: S311 - a repeatable schedule, not a secret
        self._all.append(armed)
        self._live.append(armed)
        return len(self._all) - 1

    def hits(self, number: int) -> int:
        """Return how many requests the fault with this number has hit."""
        return self._all[number].hits

    def clear(self) -> None:
        """Disarm them all; the numbers keep their hits."""
        self._live.clear()

    def first(self, fits: Callable[[F], bool]) -> Armed[F] | None:
        """Return the fault that hits a request, if one does. `fits` tells whether a fault is meant for such a one."""
        return next((it for it in self._live if not it.spent and fits(it.fault) and it.strikes()), None)
