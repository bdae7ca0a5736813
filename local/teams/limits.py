"""Teams' rate limits, exact and with the clock handed in, so that a test can turn it by hand."""

import math
from collections.abc import Callable, Hashable, Sequence

Clock = Callable[[], float]

# Pairs of (requests, seconds). Source: Microsoft Learn, "Optimize your bot with rate limiting in Teams".
SEND_LIMITS: tuple[tuple[int, float], ...] = ((7, 1), (8, 2), (60, 30), (1800, 3600))
ROSTER_LIMITS: tuple[tuple[int, float], ...] = ((14, 1), (16, 2), (120, 30), (3600, 3600))


def retry_after(seconds: float) -> int:
    """Return the whole seconds that a Retry-After header carries for a wait of so many seconds: at least 1."""
    return max(1, math.ceil(seconds))


class SlidingWindows:
    """Several limits of the form "at most n in any s seconds", kept for each key (a conversation) on its own.

    A request that was refused takes no place in a window: whoever comes back after the wait gets in.
    """

    def __init__(self, limits: Sequence[tuple[int, float]], clock: Clock) -> None:
        self._limits = tuple(limits)
        self._longest = max(count for count, _ in limits)
        self._clock = clock
        # Oldest first. Lists, since an empty deque weighs ten times as much and there may be 100,000 keys.
        self._times: dict[Hashable, list[float]] = {}

    def admit(self, key: Hashable) -> float:
        """Return 0 and count the request, or the seconds until it would be admitted."""
        now = self._clock()
        times = self._times.get(key)
        if times is None:
            self._times[key] = [now]
            return 0.0
        taken = len(times)
        wait = 0.0
        for count, seconds in self._limits:
            if taken >= count:
                wait = max(wait, times[-count] + seconds - now)
        if wait > 0:
            return wait
        times.append(now)
        if taken > 2 * self._longest:
            del times[: -self._longest]
        return 0.0

    def clear(self) -> None:
        """Forget every request."""
        self._times.clear()


class Ceiling:
    """A token bucket for each key (a bot in a tenant): `rate` requests a second, of which `burst` may come at once."""

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        self._interval = 1 / rate
        self._slack = (burst - 1) * self._interval + 1e-9
        self._clock = clock
        # The theoretical arrival time of the next request: the bucket as one number.
        self._due: dict[Hashable, float] = {}

    def admit(self, key: Hashable) -> float:
        """Return 0 and take a token, or the seconds until there is one."""
        now = self._clock()
        due = max(now, self._due.get(key, now))
        ahead = due - now
        if ahead > self._slack:
            return ahead - self._slack
        self._due[key] = due + self._interval
        return 0.0

    def clear(self) -> None:
        """Fill every bucket."""
        self._due.clear()
