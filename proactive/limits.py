"""Teams' limits for one conversation, kept in the memory of each instance.

Microsoft Learn, "Optimize your bot with rate limiting in Teams": at most 7 requests in any second, 8 in 2 seconds,
60 in 30 seconds and 1,800 in an hour. Sends, updates, deletes and creates count.

What is kept must stay small while 100,000 people get one message each, so a conversation is forgotten early: after ten
seconds of silence for each time that is kept of it.

    10:00:00 ●      10:00:10 forgotten
    10:01:00 ●●●               10:01:30 forgotten

So of what was forgotten at most 3 fall into any 30 seconds and 360 into any hour. They are taken off the two long
limits, and what is admitted keeps Teams' own at all times.
"""

_TRAVEL = 0.1  # seconds by which two requests may come closer together on their way
_SILENCE = 10.0  # seconds until a conversation is forgotten, for each time that is kept
_HOUR = 3600.0
# Pairs of (requests, seconds), with what may have been forgotten taken off.
_LIMITS = (
    (7, 1 + _TRAVEL),
    (8, 2 + _TRAVEL),
    (60 - int(30 / _SILENCE), 30 + _TRAVEL),
    (1800 - int(_HOUR / _SILENCE), _HOUR + _TRAVEL),
)
_MOST_KEPT = max(count for count, _ in _LIMITS)
_LONGEST = max(seconds for _, seconds in _LIMITS)
_SWEEP_EVERY = 4096  # admissions: so a sweep costs each of them next to nothing


class Limits:
    """The moments of the last requests to each conversation."""

    def __init__(self) -> None:
        # By hash, since the ids are long: two conversations of one hash would only share their limits. The first time
        # stands alone: most conversations never have another one.
        self._times: dict[int, float | list[float]] = {}
        self._until_sweep = _SWEEP_EVERY

    def __len__(self) -> int:
        return len(self._times)

    def admit(self, conversation: str, now: float) -> float:
        """Return 0 and count a request, or the seconds to wait. `now` is in seconds since the epoch."""
        key = hash(conversation)
        times = self._times.get(key)
        if times is None or _forgotten(times, now):
            self._times[key] = now
        else:
            times = times if isinstance(times, list) else [times]
            wait = max(times[-count] + seconds - now if len(times) >= count else 0.0 for count, seconds in _LIMITS)
            if wait > 0:
                return wait
            del times[: 1 - _MOST_KEPT]
            times.append(now)
            self._times[key] = times
        self._until_sweep -= 1
        if not self._until_sweep:
            self._sweep(now)
        return 0.0

    def _sweep(self, now: float) -> None:
        self._times = {key: times for key, times in self._times.items() if not _forgotten(times, now)}
        self._until_sweep = _SWEEP_EVERY


def _forgotten(times: float | list[float], now: float) -> bool:
    if isinstance(times, float):
        return now - times >= _SILENCE
    return now - times[-1] >= min(len(times) * _SILENCE, _LONGEST)
