"""One chunk goes out: people are marked, their messages sent, and a record kept that a crash makes wrong by few.

For each window slots are taken at Teams' pace, and the next people are marked as being sent to and the results so far
are written, in one call, while the messages marked before are still in flight:

    write   │ mark 1–2W      │ results 1–W, mark next W   │ results …
    sends   │        1 … W ──┴── W+1 … 2W ────────────────┴── …
    doubt   │ ≤ 2W: marked, and no result in storage

After a crash just the people marked without a result are in doubt; nobody else can get a second copy.
"""

import asyncio
import logging
import time
import uuid
from collections import deque
from functools import partial

from proactive import telemetry
from proactive.acts import Done, act
from proactive.crew import Crew
from proactive.filling import TEMPLATE_ERROR, TOO_LARGE, Filling, about
from proactive.model import REFUSED, UNKNOWN, Result, Send, State
from proactive.model import TOO_LARGE as TOO_LARGE_CODE
from proactive.service import Service
from proactive.settle import after_sending, before_sending, cancelled
from proactive.store.answers import Place
from proactive.store.chunks import Chunk, delivered_by, progress_row
from proactive.store.conversations import Conversation
from proactive.store.errors import Stale
from proactive.templating.template import FilledTooLargeError, TemplateError
from proactive.tickets import PLACEHOLDER, ticket
from proactive.verdicts import Kind, Verdict

log = logging.getLogger(__name__)

LEASE = 60.0  # seconds for which a chunk is ours after each write
_RENEW = 20.0  # seconds after which a chunk is written just to renew the lease
_CANCEL_CHECK = 2.0  # seconds between two looks at whether the send was cancelled


class Window:
    """Delivers what is open of one chunk."""

    def __init__(self, service: Service, send: Send, chunk: Chunk, content: bytes | Filling, crew: Crew) -> None:
        """Take the activity as JSON in `content`, or what fills it for each person."""
        self._service = service
        self._send = send
        self.chunk = chunk
        self._content = content
        self._crew = crew
        self._owner = uuid.uuid4().hex[:12]
        self._due: list[int] = []
        self._people: dict[str, Conversation] = {}
        self._todo: deque[int] = deque()
        self._handed_in = 0  # to the crew, and not finished
        self._in_flight: set[int] = set()
        self._unsaved: list[int] = []
        self._finished = 0  # of those handed in, how many have results that are not saved
        self._lost = False
        self.ending = asyncio.Event()  # set when few are left to be marked
        self._saved_at = 0.0
        self._asked_at = service.clock()

    async def load(self) -> None:
        """Read what is known of those whose turn it is; to be done before `mark`, and best shortly before."""
        now, chunk = self._service.clock(), self.chunk
        self._due = [
            n for n in chunk.open() if chunk.result(n).retry_at <= now or chunk.result(n).state is State.POSTPONED
        ]
        users = {chunk.people[number].user for number in self._due}
        self._people = await self._service.conversations.load(
            self._send.bot,
            self._send.tenant,
            [user for user in users if user],
            names=isinstance(self._content, Filling) and self._content.personal,
        )
        for user in users - self._people.keys():
            if user:
                self._people[user] = Conversation(user)  # nobody has told of this person

    async def mark(self) -> None:
        """Settle all that needs no message, then mark the others and hand them in, until nobody is left to mark.

        Raises `Stale` when somebody else has taken the chunk over; nothing is sent after that is known.
        """
        try:
            await self._prepare()
            while self._todo and not self._over():
                if len(self._todo) <= 2 * self._crew.width:
                    self.ending.set()
                if count := self._room():
                    await self._mark(count)
                else:
                    await self._wait()
            self.ending.set()
        except BaseException:
            await self._lose()
            raise

    async def finish(self) -> None:
        """Wait for the results of those handed in, write them, and give the chunk up. Raises `Stale` like `mark`."""
        try:
            while self._handed_in:
                if self._crew.short and self._crew.low and self._finished:
                    await self._save()
                else:
                    await self._wait()
            if self._crew.stopped:
                await self._look_for_cancel()
            await self._leave()
            self._no_longer_in_doubt(self._finished)
        except BaseException:
            await self._lose()
            raise

    async def _lose(self) -> None:
        """Send no more. What is in flight cannot be called back: no request shall outlive its owner."""
        self._lost = True
        while self._handed_in:
            await self._crew.changed(1)

    async def _wait(self) -> None:
        await self._crew.changed(_RENEW)
        if self._service.clock() - self._saved_at > _RENEW:
            await self._look_for_cancel()
            await self._save()

    async def _prepare(self) -> None:
        """Settle who has lost the bot, who is chatting, who is in doubt for good."""
        chunk, now = self.chunk, self._service.clock()
        telemetry.in_doubt("interrupted", len(chunk.in_doubt()))
        # Once a send is cancelled nobody resends: that it was not sent would be a guess.
        left = self._crew.stopped or self._send.options.if_outcome_unknown == "leave"
        if left and self._send.verb == "send":
            for number in chunk.in_doubt():
                self._note(number, Result(State.UNKNOWN, UNKNOWN, "interrupted", at=now))
        await self._note_answered()
        if self._crew.stopped:
            self._cancel(chunk.open())
            return
        moved = []
        minutes, asks = self._service.settings.active_chat_minutes, self._service.asks(self._send.tenant)
        for number in self._due:
            before = chunk.result(number)
            if before.final:
                continue
            person = self._people.get(chunk.people[number].user or "")
            result = before_sending(self._send, before, person, now, minutes, asks=asks)
            if result is None:
                self._todo.append(number)
            elif result[:4] != before[:4] or result.retry_at != before.retry_at:
                self._note(number, result)
            if (before.state is State.POSTPONED) != (result is not None and result.state is State.POSTPONED):
                moved.append(number)
        await self._hold_or_release(moved)

    async def _hold_or_release(self, numbers: list[int]) -> None:
        """Have a person's chat that ends early wake this send, or no longer."""
        held, send = self._service.held, self._send
        for number in numbers:
            waits = self.chunk.result(number).state is State.POSTPONED and number not in self._todo
            note = held.add if waits else held.remove
            await note(send.bot, send.tenant, self.chunk.people[number].user or "", send.id)

    async def _note_answered(self) -> None:
        """Settle who has answered already: an answer shows the delivery, whatever became of our record of it."""
        if self._send.wait is None:
            return
        answered = await self._service.answers.answered(self._send.id, self.chunk.number)
        for number in answered.numbers.intersection(self.chunk.open()):
            answer = await self._service.answers.get(self._send.id, Place(self.chunk.number, number))
            if answer:
                before = self.chunk.result(number)
                self._note(number, delivered_by(answer, before))

    def _over(self) -> bool:
        return self._crew.stopped or self._crew.over(self._service.clock())

    def _room(self) -> int:
        """Return how many may be marked now: enough at a time to be worth a write, and never too many in doubt."""
        if not self._crew.low:
            return 0
        free = 2 * self._crew.width - self._crew.doubt + self._finished
        self._crew.short = free < min(len(self._todo), self._crew.width)
        if self._crew.short:
            self._crew.tell()
            return 0
        return min(free, len(self._todo))

    async def _mark(self, count: int) -> None:
        """Take slots, mark the next people, write that together with the results so far, and hand them in."""
        await self._look_for_cancel()
        if self._over():
            return
        slots = await self._service.pace.reserve(
            self._send.bot, self._send.tenant, count, more=len(self._todo) - count, sending=True
        )
        if not slots.taken:
            self._crew.hold(slots.start, paused=slots.paused)
            return
        marks = [self._todo.popleft() for _ in range(min(slots.size, len(self._todo)))]
        again = []
        for number in marks:
            if number >= self.chunk.marked:
                self.chunk.marked = number + 1
            else:
                before = self.chunk.result(number)
                self.chunk.results[number] = before._replace(state=State.SENDING)
                again.append(number)
        self._crew.doubt += len(marks)
        await self._save(again)
        self._handed_in += len(marks)
        for number, moment in zip(marks, slots.moments(), strict=False):
            self._crew.add(partial(self._deliver, number, moment, slots.grace))

    async def _save(self, again: list[int] | None = None) -> None:
        """Write the results so far; what is written is in doubt no longer."""
        new, finished = [*self._take_unsaved(), *(again or [])], self._finished
        self.chunk.lease_until, self.chunk.owner = self._service.clock() + LEASE, self._owner
        await self._service.chunks.save(self.chunk, new)
        self._tell(new)
        self._saved_at = self._service.clock()
        self._no_longer_in_doubt(finished)

    def _no_longer_in_doubt(self, count: int) -> None:
        self._finished -= count
        self._crew.doubt -= count
        self._crew.tell()

    async def _leave(self) -> None:
        """Write the last results and give the chunk up; with the only chunk of a send, complete the send as well."""
        chunk, new = self.chunk, self._take_unsaved()
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
                self._tell(new)
                return
        await self._service.chunks.save(chunk, new)
        self._tell(new)

    def _tell(self, saved: list[int]) -> None:
        telemetry.delivered(self.chunk.results[number] for number in set(saved))

    def _take_unsaved(self) -> list[int]:
        unsaved, self._unsaved = self._unsaved, []
        return unsaved

    async def _look_for_cancel(self) -> None:
        now = self._service.clock()
        if not self._crew.stopped and now - self._asked_at >= _CANCEL_CHECK:
            self._asked_at = now
            self._crew.stopped = await self._service.sends.stopped(self._send.id)
        if self._crew.stopped:
            self._todo.clear()
            await self._note_answered()
            self._cancel([number for number in self.chunk.open() if number not in self._in_flight])

    def _cancel(self, numbers: list[int]) -> None:
        now = self._service.clock()
        for number in numbers:
            self._note(number, cancelled(self._send, self.chunk.result(number), now))

    async def _deliver(self, number: int, moment: float, grace: float) -> None:
        """Do for one person what the send is for, and note what became of it."""
        pace, send = self._service.pace, self._send
        try:
            in_time = pace.usable(send.bot, send.tenant, moment, grace) or await self._its_time(moment, grace)
            if not in_time or self._lost or self._crew.stopped:
                # Nothing was sent, so there is no doubt.
                self._note(number, self.chunk.result(number)._replace(state=State.PENDING))
            elif not self.chunk.result(number).final:
                self._in_flight.add(number)
                self._note(number, await self._act(number))
        finally:
            self._in_flight.discard(number)
            self._finished += 1
            self._handed_in -= 1
            if not self._handed_in:
                self._crew.tell()

    async def _its_time(self, moment: float, grace: float) -> bool:
        """Wait for a slot; for another one where it has expired. Return False where there is none for now."""
        pace, send = self._service.pace, self._send
        await pace.reached(moment)
        while pace.expired(send.bot, send.tenant, moment, grace):
            slots = await pace.reserve(send.bot, send.tenant, 1, more=self._handed_in, sending=True)
            if not slots.taken:
                self._crew.hold(slots.start, paused=slots.paused)
                return False
            moment, grace = slots.start, slots.grace
            await pace.reached(moment)
        return True

    async def _act(self, number: int) -> Result:
        recipient = self.chunk.people[number]
        person = self._people[recipient.user or ""]
        try:
            content = self._content_for(number, person)
        except TemplateError:
            return self._unfilled(number, REFUSED, TEMPLATE_ERROR)
        except FilledTooLargeError:
            return self._unfilled(number, TOO_LARGE_CODE, TOO_LARGE)
        began = time.time_ns()
        try:
            done = await act(self._service, self._send, recipient, person, content)
            if done.verdict.throttled:
                whose = done.conversation or person.user
                await self._service.pace.throttled(self._send.bot, self._send.tenant, whose, done.verdict.retry_after)
        except Exception as error:
            # Whatever went wrong, this person must not keep the others from getting the message.
            log.exception("a message of send %s ended in an error", self._send.id)
            done = Done(Verdict(Kind.DOUBT, type(error).__name__), person.conversation_id, recipient.message)
        verdict = done.verdict
        self._crew.sample.tell(began, verdict.reason, arrived=verdict.kind is Kind.DELIVERED)
        if verdict.kind is Kind.DOUBT:
            telemetry.in_doubt(verdict.reason)
        result = after_sending(self._send, self.chunk.result(number), done, self._service.clock())
        if not result.final:
            telemetry.retried(verdict.reason)
        return result

    def _content_for(self, number: int, person: Conversation) -> bytes:
        """Return what is posted: encoded once a send, with only the ticket being each person's own; else filled."""
        own = ticket(self._send, Place(self.chunk.number, number)) if self._send.marked else ""
        if isinstance(self._content, Filling):
            recipient = self.chunk.people[number]
            names = person.mail, person.principal_name, person.name
            return self._content.encoded(recipient.data, about(recipient.name, recipient.user, *names), own)
        return self._content.replace(PLACEHOLDER, own.encode()) if own else self._content

    def _unfilled(self, number: int, code: int, reason: str) -> Result:
        """Return what becomes of somebody whose data make no message: nothing was sent."""
        attempts = self.chunk.result(number).attempts
        return Result(State.FAILED, code, reason, attempts=attempts, at=self._service.clock())

    def _note(self, number: int, result: Result) -> None:
        if number in self.chunk.results and self.chunk.results[number].final:
            return  # its answer has told of the delivery before Teams did
        self.chunk.results[number] = result
        self._unsaved.append(number)
