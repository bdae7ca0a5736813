"""Teams' ceiling for one bot in one tenant, kept by all instances together.

One row per bot and tenant holds the theoretical arrival time of the next request (GCRA, the generic cell rate
algorithm). To send n messages is to move it forward by n intervals in one conditional write:

    now ──┬─────────────┬────────────────────▶ time
          │ my n slots  │ the next to come
          start         new arrival time

Slots nobody used expire: when the arrival time lies in the past, the next reservation starts from now. Lanes reserve at
most a second's worth at a time, so that the lanes of several sends interleave second by second.
"""

import asyncio
import random
from collections.abc import Callable
from typing import NamedTuple

from proactive.store.account import Account
from proactive.store.errors import Conflict, InDoubt, Stale

_TABLE = "pace"
_WORTH_WAITING = 0.002  # seconds
FAR = 10.0  # seconds ahead for which nobody waits in a function: a message on `timers` does
_RECENT = 5.0  # seconds within which a 429 of another conversation counts


class Slots(NamedTuple):
    """Reserved moments: the first, in seconds since the epoch, and the seconds between two.

    Not `taken` where they would have begun too far ahead to wait for.
    """

    start: float
    interval: float
    taken: bool = True


class Pace:
    """Reserves moments for requests to Teams. `per_second` is the ceiling."""

    def __init__(self, account: Account, per_second: float, clock: Callable[[], float]) -> None:
        self._account = account
        self._interval = 1 / per_second
        self._clock = clock
        self._known: dict[str, tuple[float, str]] = {}
        self._throttled: dict[str, dict[str, float]] = {}
        self._turns: dict[str, asyncio.Lock] = {}  # lanes of one process need not race each other for the row

    @property
    def at_once(self) -> int:
        """How many slots one reservation may take: a second's worth."""
        return max(1, int(1 / self._interval))

    async def reserve(self, bot: str, tenant: str, count: int) -> Slots:
        """Reserve `count` slots and return when they begin.

        Slots further ahead than `FAR` are not taken: they begin when it is time to ask again.
        """

        def move(at: float, now: float) -> float:
            return at if at - now > FAR else max(at, now) + count * self._interval

        before, after = await self._move(f"{bot}|{tenant}", move)
        start = before if before == after else after - count * self._interval
        return Slots(start, self._interval, taken=before != after)

    async def throttled(self, bot: str, tenant: str, conversation: str, retry_after: float) -> None:
        """Obey a 429, which Teams answers for one conversation's limit as well as for the bot's.

        One conversation alone is its own affair; the second within some seconds tells that everybody must wait.
        """
        now = self._clock()
        recent = self._throttled.setdefault(f"{bot}|{tenant}", {})
        recent[conversation] = now
        for other in [name for name, at in recent.items() if now - at > _RECENT]:
            del recent[other]
        if len(recent) > 1:
            await self._move(f"{bot}|{tenant}", lambda at, _: max(at, now + max(retry_after, 1.0)))

    async def reached(self, moment: float) -> None:
        """Wait until a moment in seconds since the epoch. Less than two milliseconds are not waited for."""
        ahead = moment - self._clock()
        if ahead > _WORTH_WAITING:
            await asyncio.sleep(ahead)

    async def _move(self, key: str, move: Callable[[float, float], float]) -> tuple[float, float]:
        """Move the arrival time on; return it as it was and as it is."""
        async with self._turns.setdefault(key, asyncio.Lock()):
            while True:
                known = self._known.get(key)
                if known is None:
                    found = await self._account.get(_TABLE, key, "pace")
                    known = (found["at"], found["etag"]) if found else (0.0, "")
                at = move(known[0], self._clock())
                if at == known[0]:
                    return at, at
                row = {"PartitionKey": key, "RowKey": "pace", "at": at}
                try:
                    etag = (
                        await self._account.update(_TABLE, row, known[1])
                        if known[1]
                        else await self._account.insert(_TABLE, row)
                    )
                except (Conflict, Stale, InDoubt):
                    self._known.pop(key, None)
                    await asyncio.sleep(random.uniform(0, 0.02))  # noqa: S311 - spreads rivals, keeps no secret
                    continue
                self._known[key] = (at, etag)
                return known[0], at
