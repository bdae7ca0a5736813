"""The messages of one send that are in flight: never more than its parallelism, whichever chunk they are of.

Windows (window.py) mark people and hand in a job for each; workers take the jobs up in order. While one window comes to
its end the next one marks already, so that no place stands empty. What is marked and has no result in storage is in
doubt after a crash: over all windows together never more than twice the width.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from proactive.telemetry import Sample

type Job = Callable[[], Awaitable[None]]


class Crew:
    """What the windows of one walk over a send's chunks share."""

    def __init__(self, width: int, until: float, *, stopped: bool) -> None:
        """Allow `width` messages in flight; nothing more is begun after `until`, in seconds since the epoch."""
        self.width = width
        self.until = until
        self.stopped = stopped  # the send was cancelled, or is answered
        self.held_until = 0.0  # when to go on, where Teams' ceiling or a pause leaves no room before
        self.paused = False
        self.begun = False  # something of this turn has been done
        self.doubt = 0  # how many are marked and have no result in storage
        self.sample = Sample()
        self.short = False  # a window needs others to save before it can mark more
        self._jobs: deque[Job] = deque()
        self._unfinished = 0
        self._at_work = 0
        self._workers: set[asyncio.Task[None]] = set()
        self._waiting: list[asyncio.Future[None]] = []

    def over(self, now: float) -> bool:
        """Whether nothing more is to be begun: there is no slot, or no time. `now` is in seconds since the epoch.

        However slow the machine is, each turn gets on by something: two that pass a send to and fro never end.
        """
        return self.held_until > 0 or (self.begun and now > self.until)

    def hold(self, until: float, *, paused: bool) -> None:
        """Begin nothing more, since there are no slots before `until`; `paused` where an operator holds the bot."""
        self.held_until, self.paused = until, paused

    @property
    def low(self) -> bool:
        """Whether it is time to mark more, so that the workers never run dry."""
        return self._unfinished <= self.width

    def add(self, job: Job) -> None:
        """Have a job done as soon as there is a place."""
        self.begun = True
        self._unfinished += 1
        self._jobs.append(job)
        if self._at_work < self.width:
            self._at_work += 1
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _work(self) -> None:
        try:
            while self._jobs:
                await self._do(self._jobs.popleft())
        finally:
            self._at_work -= 1  # at once: whoever hands in a job right now must not count on this worker

    async def _do(self, job: Job) -> None:
        try:
            await job()
        finally:
            self._unfinished -= 1
            if self._unfinished == self.width:
                self.tell()

    async def changed(self, seconds: float) -> None:
        """Wait until there is something to look at: room for more, a window without jobs, a save; or so long."""
        told = asyncio.get_running_loop().create_future()
        self._waiting.append(told)
        await asyncio.wait((told,), timeout=seconds)

    def tell(self) -> None:
        """Let all windows look again."""
        waiting, self._waiting = self._waiting, []
        for told in waiting:
            if not told.done():
                told.set_result(None)
