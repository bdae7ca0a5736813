"""The Teams app is installed for people through Microsoft Graph: a few at a time, and for each person once.

Graph is slower than Teams and takes fewer requests, and whoever waits here holds a place among the messages of a send
that are in flight. So only a few wait; the others hear when it may be their turn, and come back by then:

    install ──┬─ somebody installs it for the same person ──▶ that one's answer
              ├─ Graph asked for patience, or a permission is missing ──▶ not asked, for as long as that counts
              ├─ enough wait already ──▶ not yet; come back in n seconds
              └─ Graph ──▶ installed, not yet, or why not
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from proactive.graph import Graph, GraphAway, GraphDenied, GraphError
from proactive.settings import Bot
from proactive.verdicts import Kind, Verdict

_AT_ONCE = 4
_MOST_WAITING = 4
_LONGEST = 15.0  # seconds for one install, Graph's own waits included
_USUAL = 1.0  # seconds that an install takes, as long as none has been seen
_DENIED_FOR = 60.0  # seconds for which a missing permission is not asked about again
_LATEST = 3600.0  # seconds
_KEPT = 60.0  # seconds for which an answer is kept for messages that began before it


@dataclass(eq=False, slots=True)
class _Turn:
    """Those who want an install for one person."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: int = 0
    answered_at: float = 0.0
    answer: Verdict | None = None


@dataclass(eq=False, slots=True)
class _Line:
    """Those who want installs of one app in one tenant. Times are in seconds since the epoch."""

    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    waiting: int = 0
    each: float = _USUAL  # seconds that an install takes, about
    booked_until: float = 0.0  # when those who were told to come back will have had their turn
    held_until: float = 0.0
    answer: Verdict | None = None  # to whoever asks until then


class Installs:
    """Installs the Teams apps of bots. One for the process. `graph_of` gives Graph for a tenant, or None."""

    def __init__(self, graph_of: Callable[[str], Graph | None], clock: Callable[[], float]) -> None:
        self._graph_of = graph_of
        self._clock = clock
        self._turns: dict[tuple[str, str, str], _Turn] = {}  # the one that was last to begin stands last
        self._lines: dict[tuple[str, str], _Line] = {}

    async def install(self, bot: Bot, tenant: str, user: str, began: float) -> Verdict | None:
        """Install a bot's Teams app for a person, by object id. Return None once it is there, else the verdict.

        An answer that somebody else got for the same person since this message `began` is this one's too.
        """
        graph = self._graph_of(tenant)
        if graph is None or not bot.teams_app_id:
            return Verdict(Kind.NOT_INSTALLED, "graphNotConfigured")
        turn = self._turn((tenant, user, bot.teams_app_id))
        turn.wanted += 1
        try:
            async with turn.lock:
                if turn.answered_at < began:
                    line = self._lines.setdefault((tenant, bot.teams_app_id), _Line())
                    turn.answer = await self._in_line(line, graph, tenant, user, bot.teams_app_id)
                    turn.answered_at = self._clock()
                return turn.answer
        finally:
            turn.wanted -= 1

    def _turn(self, whose: tuple[str, str, str]) -> _Turn:
        """Return the turn of a person, and forget those that are over."""
        turn = self._turns.pop(whose, None) or _Turn()
        self._turns[whose] = turn
        before = self._clock() - _KEPT
        for old in list(islice(self._turns, 2)):
            if not self._turns[old].wanted and self._turns[old].answered_at < before and old != whose:
                del self._turns[old]
        return turn

    async def _in_line(self, line: _Line, graph: Graph, tenant: str, user: str, app: str) -> Verdict | None:
        if held := self._held(line):
            return held
        if line.waiting >= _MOST_WAITING:
            return self._later(line, "installing")
        line.waiting += 1
        try:
            await line.places.acquire()
        finally:
            line.waiting -= 1
        try:
            return self._held(line) or await self._ask(line, graph, tenant, user, app)
        finally:
            line.places.release()

    def _held(self, line: _Line) -> Verdict | None:
        if line.answer is None or self._clock() >= line.held_until:
            return None
        return self._later(line, line.answer.reason) if line.answer.kind is Kind.NOT_YET else line.answer

    def _later(self, line: _Line, reason: str) -> Verdict:
        """Book the next turn that is free, so that not everybody comes back at once."""
        now = self._clock()
        line.booked_until = max(line.booked_until, line.held_until, now) + line.each / _AT_ONCE
        return Verdict(Kind.NOT_YET, reason, retry_after=min(line.booked_until - now, _LATEST))

    def _hold(self, line: _Line, seconds: float, answer: Verdict) -> Verdict:
        line.held_until, line.answer = self._clock() + seconds, answer
        return answer

    async def _ask(self, line: _Line, graph: Graph, tenant: str, user: str, app: str) -> Verdict | None:
        began = self._clock()
        try:
            async with asyncio.timeout(_LONGEST):
                await graph.install(tenant, user, app)
        except GraphAway as away:
            answer = Verdict(Kind.NOT_YET, away.reason, retry_after=away.retry_after)
            return self._hold(line, away.retry_after, answer)
        except TimeoutError:
            return self._hold(line, _LONGEST, Verdict(Kind.NOT_YET, "timeout", retry_after=_LONGEST))
        except GraphDenied as denied:
            if not denied.permission:
                return Verdict(Kind.NOT_INSTALLED, denied.reason)
            answer = Verdict(Kind.NOT_INSTALLED, f"graphPermissionMissing: {denied.permission}")
            return self._hold(line, _DENIED_FOR, answer)
        except GraphError as error:
            return Verdict(Kind.NOT_INSTALLED, error.reason)
        line.each += (self._clock() - began - line.each) / 8
        return None
