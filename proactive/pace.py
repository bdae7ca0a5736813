"""Teams' ceiling for one bot in one tenant, kept by all instances together.

One row per bot and tenant holds the theoretical arrival time of the next request (GCRA, the generic cell rate
algorithm). To take n slots is to move it forward by n intervals in one conditional write:

    now ──┬─────────────┬────────────────────▶ time
          │ my n slots  │ the next to come
          start         new arrival time

Who has much to send takes a second's worth at a time, which all sends in this process then share, and only once the
slots taken before are nearly used: so the arrival time stays close to now, several sends interleave second
by second, and a single message waits for no broadcast. Slots that nobody used in time expire: used later, they would
come on top of what others may send by then. They may be as late as the bot was idle in the last second, since that much
of the ceiling nobody has used.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from proactive.store.account import Account
from proactive.store.errors import Conflict, InDoubt, Stale

_TABLE, _ROW = "pace", "pace"
_WORTH_WAITING = 0.002  # seconds
FAR = 10.0  # seconds ahead for which nobody waits in a function: a message on `timers` does
_NEAR = 0.5  # seconds before the next free slot at which who has much to send takes more of them
_PATIENCE = 5.0  # seconds for which who has much to send lets others go first
_LATE, _LATEST = 0.1, 1.0  # seconds after its moment at which a slot expires: a tenth of the ceiling, or all of it
_RECENT = 5.0  # seconds within which a 429 of another conversation counts
PAUSED_FOR = 300.0  # seconds after which a send that a pause holds looks again, should nobody have told it to go on


class Slots(NamedTuple):
    """Taken moments: the first, in seconds since the epoch, the seconds between two, and how many they are.

    None (`size` 0) where they would begin too far ahead to wait for: `start` is when to ask again. `paused` where an
    operator holds the bot. Each may be used up to `grace` seconds after its moment.
    """

    start: float
    interval: float
    size: int
    paused: bool = False
    grace: float = _LATE

    @property
    def taken(self) -> bool:
        """Whether there are any."""
        return self.size > 0

    def moments(self) -> list[float]:
        """Return each of them."""
        return [self.start + n * self.interval for n in range(self.size)]


@dataclass(slots=True)
class _Known:
    """What this process knows of one bot in one tenant."""

    at: float = 0.0
    etag: str = ""
    paused: bool = False
    fresh: bool = False  # whether it is worth a write without another look
    next: float = 0.0  # the first of the slots in hand
    left: int = 0  # how many these are
    grace: float = _LATE
    idle: deque[tuple[float, float]] = field(default_factory=deque)  # when a slot was taken late, and how late
    held: float = 0.0  # until when a 429 has everybody wait
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # sends of one process need not race each other
    throttled: dict[str, float] = field(default_factory=dict)


class Pace:
    """Hands out moments for requests to Teams. `per_second` is the ceiling."""

    def __init__(self, account: Account, per_second: float, clock: Callable[[], float]) -> None:
        self._account = account
        self._interval = 1 / per_second
        self._clock = clock
        self._bots: dict[str, _Known] = {}

    @property
    def at_once(self) -> int:
        """How many slots may be taken at a time: a second's worth."""
        return max(1, int(1 / self._interval))

    async def reserve(self, bot: str, tenant: str, count: int, *, more: int = 0, sending: bool = False) -> Slots:
        """Take up to `count` slots, and for all sends of this process some of the `more` that are to follow.

        Slots further ahead than `FAR` are not taken. Only what is `sending` heeds a pause: a reply does not.
        """
        key = f"{bot}|{tenant}"
        known = self._of(key)
        count = min(count, self.at_once)
        patience = self._clock() + _PATIENCE
        while True:
            async with known.turn:
                if slots := self._in_hand(known, count):
                    return slots
                if known.paused:
                    known.fresh = False  # nobody writes while a bot is held: only a look tells that it may go on
                at, now = await self._look(key, known), self._clock()
                if known.paused and sending:
                    return Slots(now + PAUSED_FOR, self._interval, 0, paused=True)
                if at - now > FAR:
                    return Slots(at, self._interval, 0)
                wait = at - now - _NEAR if more and now < patience else 0.0
                if wait <= 0:
                    await self._take(key, known, min(count + more, self.at_once))
                    continue
            await asyncio.sleep(min(wait, _PATIENCE) * random.uniform(0.9, 1.1))  # noqa: S311 - spreads rivals

    def usable(self, bot: str, tenant: str, moment: float, grace: float) -> bool:
        """Whether a slot may be used right now: its time has come, and is not over."""
        return moment - self._clock() <= _WORTH_WAITING and not self.expired(bot, tenant, moment, grace)

    def expired(self, bot: str, tenant: str, moment: float, grace: float) -> bool:
        """Whether a slot must not be used any more: its time is over, or a 429 has come since it was taken."""
        return moment < max(self._clock() - grace, self._of(f"{bot}|{tenant}").held)

    async def throttled(self, bot: str, tenant: str, conversation: str, retry_after: float) -> None:
        """Obey a 429, which Teams answers for one conversation's limit as well as for the bot's.

        One conversation alone is its own affair; the second within some seconds tells that everybody must wait.
        """
        key, now = f"{bot}|{tenant}", self._clock()
        known = self._of(key)
        known.throttled[conversation] = now
        for other in [name for name, at in known.throttled.items() if now - at > _RECENT]:
            del known.throttled[other]
        if len(known.throttled) < 2:
            return
        until = now + max(retry_after, 1.0)
        known.held = max(known.held, until)
        async with known.turn:
            known.left = 0
            while await self._look(key, known) < until:
                await self._move(key, known, lambda at, _: max(at, until))

    async def pause(self, bot: str, tenant: str, *, paused: bool) -> None:
        """Hold a bot's sends in a tenant, or let them go on. All instances see it with their next slots."""
        key = f"{bot}|{tenant}"
        known = self._of(key)
        async with known.turn:
            known.left = 0
            while True:
                known.fresh = False
                await self._look(key, known)
                if known.paused == paused or await self._move(key, known, lambda at, _: at, paused=paused) is not None:
                    return

    async def paused(self, bot: str, tenant: str) -> bool:
        """Return whether a bot's sends in a tenant are held."""
        found = await self._account.get(_TABLE, f"{bot}|{tenant}", _ROW)
        return bool(found and found.get("paused"))

    async def reached(self, moment: float) -> None:
        """Wait until a moment in seconds since the epoch. Less than two milliseconds are not waited for."""
        ahead = moment - self._clock()
        if ahead > _WORTH_WAITING:
            await asyncio.sleep(ahead)

    def _of(self, key: str) -> _Known:
        known = self._bots.get(key)
        if known is None:
            known = self._bots[key] = _Known()
        return known

    def _in_hand(self, known: _Known, count: int) -> Slots | None:
        """Return up to `count` of the slots in hand that have not expired."""
        late = max(self._clock() - known.grace, known.held) - known.next
        if known.left and late > 0:
            gone = min(known.left, int(late / self._interval) + 1)
            known.next, known.left = known.next + gone * self._interval, known.left - gone
        if not known.left:
            return None
        taken = min(count, known.left)
        slots = Slots(known.next, self._interval, taken, grace=known.grace)
        known.next, known.left = known.next + taken * self._interval, known.left - taken
        return slots

    async def _take(self, key: str, known: _Known, wanted: int) -> None:
        """Have so many slots in hand, unless somebody else was faster."""
        span, now = wanted * self._interval, self._clock()
        gap = min(max(0.0, now - known.at), _LATEST)
        if (after := await self._move(key, known, lambda at, now: max(at, now) + span)) is not None:
            known.next, known.left = after - span, wanted
            known.idle.append((now, gap))
            while known.idle[0][0] < now - _LATEST:
                known.idle.popleft()
            known.grace = min(max(sum(gap for _, gap in known.idle), _LATE), _LATEST)

    async def _look(self, key: str, known: _Known) -> float:
        """Return the arrival time, read again where somebody else has moved it."""
        if not known.fresh:
            found = await self._account.get(_TABLE, key, _ROW) or {}
            known.at, known.etag = found.get("at", 0.0), found.get("etag", "")
            known.paused, known.fresh = found.get("paused", False), True
        return known.at

    async def _move(
        self, key: str, known: _Known, move: Callable[[float, float], float], *, paused: bool | None = None
    ) -> float | None:
        """Move the arrival time on and return it; None when it stays, or somebody else was faster."""
        at = move(known.at, self._clock())
        if at == known.at and paused is None:
            return None
        paused = known.paused if paused is None else paused
        row = {"PartitionKey": key, "RowKey": _ROW, "at": at, "paused": paused}
        try:
            known.etag = (
                await self._account.update(_TABLE, row, known.etag)
                if known.etag
                else await self._account.insert(_TABLE, row)
            )
        except (Conflict, Stale, InDoubt):
            known.fresh = False
            return None
        known.at, known.paused = at, paused
        return at
