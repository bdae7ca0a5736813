"""One chunk goes out: a window of messages in flight, and a record that a crash cannot make wrong by more than two.

For each window the next people are marked as being sent to and the results so far are written, in one call, while the
messages marked before are still in flight:

    write   │ mark 1–2W      │ results 1–W, mark next W   │ results …
    sends   │        1 … W ──┴── W+1 … 2W ────────────────┴── …
    doubt   │ ≤ 2W: marked, and no result in storage

After a crash just the people marked without a result are in doubt; nobody else can get a second copy.
"""

import asyncio
import logging
import math
import random
from collections import deque
from typing import NamedTuple

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
from proactive.reach import post, refused
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


class _Slot(NamedTuple):
    number: int
    at: float


class Window:
    """Delivers what is open of one chunk, with at most `width` messages in flight."""

    def __init__(self, service: Service, send: Send, chunk: Chunk, content: bytes, *, owner: str, until: float) -> None:
        """Take the activity as JSON in `content`; nothing more is started after `until` (seconds since the epoch)."""
        self._service = service
        self._send = send
        self._chunk = chunk
        self._content = content
        self._marked = send.wait is not None
        self._until = until
        self._width = send.window
        self._todo: deque[int] = deque()
        self._ready: deque[_Slot] = deque()
        self._people: dict[str, Conversation] = {}
        self._unsaved: list[int] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._saved_at = 0.0
        self.held_until = 0.0  # when to go on, where Teams' ceiling leaves no room before
        self._asked_at = service.clock()
        self._cancelled = bool(send.cancelled_at or send.ended_at)
        chunk.owner = owner

    async def run(self) -> None:
        """Deliver until everybody has a result, waits for a retry, or the time is over; then leave the chunk.

        Raises `Stale` when somebody else has taken the chunk over; nothing was started after that was known.
        """
        await self._prepare()
        saving: asyncio.Task[None] | None = None
        try:
            while True:
                while self._ready and len(self._tasks) < self._width:
                    self._start(self._ready.popleft())
                if saving is not None and saving.done():
                    saving.result()
                    saving = None
                if saving is None and self._must_save():
                    saving = asyncio.create_task(self._save())
                    saving.add_done_callback(lambda _: self._changed.set())
                if saving is None and not self._tasks and not self._ready:
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

    async def _prepare(self) -> None:
        """Settle all that needs no message: who has lost the bot, who is chatting, who is in doubt under `leave`."""
        chunk, now = self._chunk, self._service.clock()
        if self._send.options.if_outcome_unknown == "leave":
            for number in chunk.in_doubt():
                self._note(number, Result(State.UNKNOWN, UNKNOWN, "interrupted", at=now))
        await self._note_answered()
        due = [number for number in chunk.open() if chunk.result(number).retry_at <= now]
        if self._cancelled:
            self._cancel(chunk.open())
            return
        users = {chunk.people[number].user for number in due}
        self._people = await self._service.conversations.load(
            self._send.bot, self._send.tenant, [user for user in users if user]
        )
        for number in due:
            if result := self._without_sending(number, now):
                self._note(number, result)
            else:
                self._todo.append(number)

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
        person = self._people.get(self._chunk.people[number].user or "")
        before = self._chunk.result(number)
        if now > self._send.deadline:
            return Result(State.FAILED, REFUSED, before.reason or "deliverWithin", attempts=before.attempts, at=now)
        reason = refused(person, now)
        if person is None or reason:
            return Result(State.NOT_INSTALLED, NOT_INSTALLED, reason, attempts=before.attempts, at=now)
        if self._send.options.if_chat_is_active != "send" and person.active(
            now, self._service.settings.active_chat_minutes
        ):
            return Result(State.CHAT_ACTIVE, CHAT_ACTIVE, "chatActive", attempts=before.attempts, at=now)
        return None

    def _must_save(self) -> bool:
        if self._todo and not self._over() and len(self._ready) + len(self._tasks) <= self._width:
            return True
        return bool(self._tasks) and self._service.clock() - self._saved_at > _RENEW

    def _over(self) -> bool:
        return self.held_until > 0 or self._service.clock() > self._until

    async def _save(self) -> None:
        """Write the results so far and mark the next people; reserve the moments at which they are sent to."""
        await self._look_for_cancel()
        room = 2 * self._width - len(self._ready) - len(self._tasks)
        count = min(room, len(self._todo), self._service.pace.at_once) if not self._over() else 0
        if count:
            slots = await self._service.pace.reserve(self._send.bot, self._send.tenant, count)
            if not slots.taken:
                self.held_until, count = slots.start, 0
        marks = [self._todo.popleft() for _ in range(count)]
        again = []
        for number in marks:
            if number >= self._chunk.marked:
                self._chunk.marked = number + 1
            else:
                before = self._chunk.result(number)
                self._chunk.results[number] = before._replace(state=State.SENDING)
                again.append(number)
        await self._write([*self._take_unsaved(), *again])
        if marks:
            self._ready.extend(_Slot(number, slots.start + n * slots.interval) for n, number in enumerate(marks))

    async def _write(self, new: list[int]) -> None:
        now = self._service.clock()
        self._chunk.lease_until = now + LEASE
        await self._service.chunks.save(self._chunk, new)
        self._saved_at = now

    async def _leave(self) -> None:
        """Write the last results and give the chunk up; with the only chunk of a send, complete the send as well."""
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
        if self._cancelled or now - self._asked_at < _CANCEL_CHECK:
            return
        self._asked_at = now
        if await self._service.sends.stopped(self._send.id):
            self._cancelled = True
            self._todo.clear()
            self._ready.clear()
            await self._note_answered()
            sending = {int(task.get_name()) for task in self._tasks}
            self._cancel([number for number in self._chunk.open() if number not in sending])

    def _cancel(self, numbers: list[int]) -> None:
        now = self._service.clock()
        for number in numbers:
            attempts = self._chunk.result(number).attempts
            self._note(number, Result(State.CANCELLED, CANCELLED, "cancelled", attempts=attempts, at=now))

    def _start(self, slot: _Slot) -> None:
        task = asyncio.create_task(self._deliver(slot), name=str(slot.number))
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()

    async def _deliver(self, slot: _Slot) -> None:
        number = slot.number
        await self._service.pace.reached(slot.at)
        person = self._people[self._chunk.people[number].user or ""]
        conversation = person.conversation_id
        try:
            verdict, conversation = await post(
                self._service, self._send.bot, self._send.tenant, person, self._content_for(number)
            )
            if verdict.throttled:
                await self._service.pace.throttled(self._send.bot, self._send.tenant, conversation, verdict.retry_after)
        except Exception as error:
            # Whatever went wrong, this person must not keep the others from getting the message.
            log.exception("a message of send %s ended in an error", self._send.id)
            verdict = Verdict(Kind.DOUBT, type(error).__name__)
        self._note(number, self._result(number, verdict, conversation))

    def _content_for(self, number: int) -> bytes:
        """Return what is posted: encoded once a send, with only the ticket being each person's own."""
        if not self._marked:
            return self._content
        return self._content.replace(PLACEHOLDER, ticket(self._send, Place(self._chunk.number, number)).encode())

    def _result(self, number: int, verdict: Verdict, conversation: str) -> Result:
        now = self._service.clock()
        attempts = self._chunk.result(number).attempts + 1

        def ended(state: State, code: int) -> Result:
            return Result(state, code, verdict.reason, verdict.message_id, conversation, attempts=attempts, at=now)

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
