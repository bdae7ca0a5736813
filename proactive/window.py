"""One chunk goes out: a window of messages in flight, and a record that a crash cannot make wrong by more than two.

For each window slots are taken at Teams' pace, and the next people are marked as being sent to and the results so far
are written, in one call, while the messages marked before are still in flight:

    write   │ mark 1–2W      │ results 1–W, mark next W   │ results …
    sends   │        1 … W ──┴── W+1 … 2W ────────────────┴── …
    doubt   │ ≤ 2W: marked, and no result in storage

After a crash just the people marked without a result are in doubt; nobody else can get a second copy.
"""

import asyncio
import logging
import math
import random
import uuid
from collections import deque

from proactive.acts import Done, act
from proactive.model import (
    CANCELLED,
    CHAT_ACTIVE,
    DELIVERED,
    NOT_INSTALLED,
    REFUSED,
    TOO_LARGE,
    UNKNOWN,
    Result,
    Send,
    State,
)
from proactive.reach import refused
from proactive.service import Service
from proactive.store.answers import Place
from proactive.store.chunks import Chunk, delivered_by, progress_row
from proactive.store.conversations import Conversation
from proactive.store.errors import Stale
from proactive.tickets import PLACEHOLDER, ticket
from proactive.verdicts import Kind, Verdict

log = logging.getLogger(__name__)

LEASE = 60.0  # seconds for which a chunk is ours after each write
_RENEW = 20.0  # seconds after which a chunk is written just to renew the lease
_CANCEL_CHECK = 2.0  # seconds between two looks at whether the send was cancelled
_LONGEST_BACK_OFF = 300.0  # seconds


class Window:
    """Delivers what is open of one chunk, with at most `width` messages in flight."""

    def __init__(self, service: Service, send: Send, chunk: Chunk, content: bytes, *, until: float) -> None:
        """Take the activity as JSON in `content`; nothing more is started after `until` (seconds since the epoch)."""
        self._service = service
        self._send = send
        self._chunk = self.chunk = chunk
        self._content = content
        self._until = until
        self._owner = uuid.uuid4().hex[:12]
        self._width = send.window
        self._todo: deque[int] = deque()
        self._ready: deque[int] = deque()  # marked, and not sent to yet
        self._slots: deque[float] = deque()  # the moments at which they may be, of which some may expire
        self._people: dict[str, Conversation] = {}
        self._unsaved: list[int] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._saved_at = 0.0
        self.held_until = 0.0  # when to go on, where Teams' ceiling or a pause leaves no room before
        self.paused = False
        self._asked_at = service.clock()
        self._due: list[int] = []
        self.stopped = bool(send.cancelled_at or send.ended_at)
        self.draining = asyncio.Event()  # set once nobody else of this chunk is to be marked

    async def run(self) -> None:
        """Deliver until everybody has a result, waits for a retry, or the time is over; then leave the chunk.

        Raises `Stale` when somebody else has taken the chunk over; nothing was started after that was known.
        """
        await self._prepare()
        if not self._todo:
            self.draining.set()
        saving: asyncio.Task[None] | None = None
        try:
            while True:
                self._drop_expired()
                while self._ready and self._slots and len(self._tasks) < self._width:
                    self._start(self._ready.popleft(), self._slots.popleft())
                if saving is not None and saving.done():
                    saving.result()
                    saving = None
                if saving is None and self._must_save():
                    saving = asyncio.create_task(self._save())
                    saving.add_done_callback(lambda _: self._changed.set())
                if saving is None and not self._tasks and (not self._ready or self._over()):
                    break
                await self._wait()
            await self._leave()
        except BaseException:
            # What is in flight cannot be called back: its answers are awaited, so that no request outlives its owner.
            await asyncio.gather(*self._tasks, *([saving] if saving else []), return_exceptions=True)
            raise

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_RENEW):
                await self._changed.wait()
        except TimeoutError:
            log.debug("a window waits for Teams")
        self._changed.clear()

    async def load(self) -> None:
        """Read what is known of those whose turn it is; to be done before `run`, and best shortly before."""
        now = self._service.clock()
        chunk = self._chunk
        self._due = [
            n for n in chunk.open() if chunk.result(n).retry_at <= now or chunk.result(n).state is State.POSTPONED
        ]
        users = {chunk.people[number].user for number in self._due}
        self._people = await self._service.conversations.load(
            self._send.bot, self._send.tenant, [user for user in users if user]
        )

    async def _prepare(self) -> None:
        """Settle all that needs no message: who has lost the bot, who is chatting, who is in doubt for good."""
        chunk, now = self._chunk, self._service.clock()
        # Once a send is cancelled nobody resends: that it was not sent would be a guess.
        left = self.stopped or self._send.options.if_outcome_unknown == "leave"
        if left and self._send.verb == "send":
            for number in chunk.in_doubt():
                self._note(number, Result(State.UNKNOWN, UNKNOWN, "interrupted", at=now))
        await self._note_answered()
        if self.stopped:
            self._cancel(chunk.open())
            return
        released = []
        for number in self._due:
            before = chunk.result(number)
            if before.final:
                continue
            result = self._without_sending(number, now)
            if result is None:
                self._todo.append(number)
            elif result != before:
                self._note(number, result)
            if (before.state is State.POSTPONED) != (result is not None and result.state is State.POSTPONED):
                released.append(number)
        await self._hold_or_release(released)

    async def _hold_or_release(self, numbers: list[int]) -> None:
        """Have a person's chat that ends early wake the lane, or no longer."""
        held, send, lane = self._service.held, self._send, self._chunk.number % self._send.lanes
        for number in numbers:
            waits = self._chunk.result(number).state is State.POSTPONED and number not in self._todo
            note = held.add if waits else held.remove
            await note(send.bot, send.tenant, self._chunk.people[number].user or "", send.id, lane)

    async def _note_answered(self) -> None:
        """Settle who has answered already: an answer shows the delivery, whatever became of our record of it."""
        if self._send.wait is None:
            return
        answered = await self._service.answers.answered(self._send.id, self._chunk.number)
        for number in answered.numbers.intersection(self._chunk.open()):
            answer = await self._service.answers.get(self._send.id, Place(self._chunk.number, number))
            if answer:
                before = self._chunk.result(number)
                self._note(number, delivered_by(answer, before))

    def _without_sending(self, number: int, now: float) -> Result | None:
        """Return what becomes of a person to whom nothing is sent now; None for everybody else."""
        person = self._people.get(self._chunk.people[number].user or "")
        before, send = self._chunk.result(number), self._send

        def ended(state: State, code: int, reason: str) -> Result:
            return Result(state, code, reason, attempts=before.attempts, at=now)

        late = now > send.deadline
        if late and before.state is not State.POSTPONED:
            return ended(State.FAILED, REFUSED, before.reason or "deliverWithin")
        if send.verb != "send":
            return None if person else ended(State.NOT_INSTALLED, NOT_INSTALLED, "notInstalled")
        reason = refused(person, now)
        if person is None or reason:
            return ended(State.NOT_INSTALLED, NOT_INSTALLED, reason)
        idle_at = person.idle_from(self._service.settings.active_chat_minutes)
        if idle_at <= now and not late:
            return None
        if send.options.if_chat_is_active == "postpone" and not late:
            return Result(
                State.POSTPONED,
                None,
                "chatActive",
                attempts=before.attempts,
                at=now,
                retry_at=min(idle_at, send.deadline),
            )
        if late or send.options.if_chat_is_active != "send":
            return ended(State.CHAT_ACTIVE, CHAT_ACTIVE, "chatActive")
        return None

    def _drop_expired(self) -> None:
        while self._slots and self._service.pace.expired(self._send.bot, self._send.tenant, self._slots[0]):
            self._slots.popleft()

    def _must_save(self) -> bool:
        if not self._over():
            if len(self._slots) < len(self._ready):
                return True
            if self._todo and len(self._ready) + len(self._tasks) <= self._width:
                return True
        return bool(self._tasks) and self._service.clock() - self._saved_at > _RENEW

    def _over(self) -> bool:
        return self.held_until > 0 or self._service.clock() > self._until

    async def _save(self) -> None:
        """Take slots, mark the next people, and write that together with the results so far."""
        await self._look_for_cancel()
        room = 2 * self._width - len(self._ready) - len(self._tasks)
        count = max(0, min(room, len(self._todo))) if not self._over() else 0
        lacking = max(0, len(self._ready) + count - len(self._slots)) if not self._over() else 0
        if lacking:
            more = len(self._todo) - count
            taken = await self._service.pace.reserve(
                self._send.bot, self._send.tenant, lacking, more=more, sending=True
            )
            if not taken.taken:
                self.held_until, self.paused = taken.start, taken.paused
            self._slots.extend(taken.moments())
            count = max(0, min(count, len(self._slots) - len(self._ready)))
        marks = [self._todo.popleft() for _ in range(count)]
        again = []
        for number in marks:
            if number >= self._chunk.marked:
                self._chunk.marked = number + 1
            else:
                before = self._chunk.result(number)
                self._chunk.results[number] = before._replace(state=State.SENDING)
                again.append(number)
        if marks or self._unsaved or self._service.clock() - self._saved_at > _RENEW:
            await self._write([*self._take_unsaved(), *again])
        self._ready.extend(marks)
        if not self._todo or self._over():
            self.draining.set()

    async def _write(self, new: list[int]) -> None:
        now = self._service.clock()
        self._chunk.lease_until, self._chunk.owner = now + LEASE, self._owner
        await self._service.chunks.save(self._chunk, new)
        self._saved_at = now

    async def _leave(self) -> None:
        """Write the last results and give the chunk up; with the only chunk of a send, complete the send as well."""
        for number in self._ready:
            # Marked, and then held: nothing was sent, so there is no doubt.
            before = self._chunk.result(number)
            self._note(number, before._replace(state=State.PENDING, retry_at=self.held_until))
        chunk, new = self._chunk, self._take_unsaved()
        chunk.lease_until, chunk.owner = 0.0, ""
        if self._send.chunks == 1 and not chunk.open():
            try:
                now = self._service.clock()
                await self._service.sends.complete(self._send, now, (progress_row(chunk, new), chunk.etag))
            except Stale:
                # The send was cancelled, or the chunk taken: which one, the plain write finds out.
                chunk.segments -= bool(new)
            else:
                self._send.completed_at = now
                return
        await self._service.chunks.save(chunk, new)

    def _take_unsaved(self) -> list[int]:
        unsaved, self._unsaved = self._unsaved, []
        return unsaved

    async def _look_for_cancel(self) -> None:
        now = self._service.clock()
        if self.stopped or now - self._asked_at < _CANCEL_CHECK:
            return
        self._asked_at = now
        if await self._service.sends.stopped(self._send.id):
            self.stopped = True
            for waiting in (self._todo, self._ready, self._slots):
                waiting.clear()
            await self._note_answered()
            sending = {int(task.get_name()) for task in self._tasks}
            self._cancel([number for number in self._chunk.open() if number not in sending])

    def _cancel(self, numbers: list[int]) -> None:
        now = self._service.clock()
        for number in numbers:
            attempts = self._chunk.result(number).attempts
            self._note(number, Result(State.CANCELLED, CANCELLED, "cancelled", attempts=attempts, at=now))

    def _start(self, number: int, moment: float) -> None:
        task = asyncio.create_task(self._deliver(number, moment), name=str(number))
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()

    async def _deliver(self, number: int, moment: float) -> None:
        await self._service.pace.reached(moment)
        recipient = self._chunk.people[number]
        person = self._people[recipient.user or ""]
        try:
            done = await act(self._service, self._send, recipient, person, self._content_for(number))
            if done.verdict.throttled:
                await self._service.pace.throttled(
                    self._send.bot, self._send.tenant, done.conversation, done.verdict.retry_after
                )
        except Exception as error:
            # Whatever went wrong, this person must not keep the others from getting the message.
            log.exception("a message of send %s ended in an error", self._send.id)
            done = Done(Verdict(Kind.DOUBT, type(error).__name__), person.conversation_id, recipient.message)
        self._note(number, self._result(number, done))

    def _content_for(self, number: int) -> bytes:
        """Return what is posted: encoded once a send, with only the ticket being each person's own."""
        if not self._send.marked:
            return self._content
        return self._content.replace(PLACEHOLDER, ticket(self._send, Place(self._chunk.number, number)).encode())

    def _result(self, number: int, done: Done) -> Result:
        now, verdict = self._service.clock(), done.verdict
        attempts = self._chunk.result(number).attempts + 1

        def ended(state: State, code: int) -> Result:
            return Result(state, code, verdict.reason, done.message, done.conversation, attempts=attempts, at=now)

        match verdict.kind:
            case Kind.DELIVERED:
                return ended(State.DELIVERED, DELIVERED)
            case Kind.NOT_INSTALLED:
                return ended(State.NOT_INSTALLED, NOT_INSTALLED)
            case Kind.TOO_LARGE:
                return ended(State.FAILED, TOO_LARGE)
            case Kind.REFUSED:
                return ended(State.FAILED, REFUSED)
            case Kind.DOUBT if self._send.options.if_outcome_unknown == "leave":
                return ended(State.UNKNOWN, UNKNOWN)
        # Exponential back-off with jitter, as Teams asks for; never sooner than its own Retry-After.
        back_off = min(_LONGEST_BACK_OFF, 2.0 ** min(attempts, 10)) * random.uniform(0.5, 1)  # noqa: S311
        wait = max(back_off, verdict.retry_after)
        # On a grid, so that one more run of the lane serves all whose time has come.
        grid = 1.0 if wait < 10 else 5.0
        retry_at = math.ceil((now + wait) / grid) * grid
        if retry_at > self._send.deadline:
            return ended(State.FAILED, REFUSED)
        return Result(State.PENDING, None, verdict.reason, attempts=attempts, at=now, retry_at=retry_at)

    def _note(self, number: int, result: Result) -> None:
        if number in self._chunk.results and self._chunk.results[number].final:
            return  # its answer has told of the delivery before Teams did
        self._chunk.results[number] = result
        self._unsaved.append(number)
