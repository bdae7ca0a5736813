"""A person is erased: what the bot knows of the person at once, then the person's traces in all sends that are kept.

Of a recipient who was erased a send keeps the state, so that its counts still sum up, and that somebody has answered;
not who it was, where the message stands, nor the answer. Doing any of it again is harmless, so a crash is made up for
by doing it again:

    DELETE ─▶ timer: all of it, in 75 s ─▶ conversation ─▶ sends, oldest first, for some seconds ─▶ take the timer back
                                                               └▶ what is left: a chore on `waits`, in shifts
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import batched
from typing import Any

from proactive.model import Recipient, State
from proactive.relay import WATCH, call_off, later, put_watched
from proactive.service import Service
from proactive.shifts import SHIFT, begin
from proactive.store.account import WAITS
from proactive.store.answers import Place
from proactive.store.chunks import Chunk, delivered_by
from proactive.store.conversations import Conversation
from proactive.store.days import Listed, Position
from proactive.store.errors import Stale
from proactive.store.persons import ERASED, Subject, alias_key

log = logging.getLogger(__name__)

_AT_ONCE = 8  # sends
_INLINE = 5.0  # seconds for which whoever asks is kept waiting
_AGAIN = 65.0  # seconds after which what was being delivered is looked at again: a little more than a lease
_MOST_BUSY = 200  # sends to look at again that a message may name


@dataclass(frozen=True, slots=True)
class Erasure:
    """Who is erased from what a bot keeps in a tenant, as of a moment in seconds since the epoch."""

    bot: str
    tenant: str
    subject: Subject
    at: float

    def chore(self, **where: Any) -> dict[str, Any]:
        """Return the message that goes on with it."""
        who = {"user": self.subject.user, "aliases": sorted(self.subject.aliases)}
        return {"kind": "erase", "bot": self.bot, "tenant": self.tenant, **who, "at": self.at, **where}


async def erase(service: Service, bot: str, tenant: str, user: str, names: list[str]) -> bool:
    """Erase a person with this key and these names; return whether all is done, else the rest goes on behind."""
    subject = Subject(user, frozenset(alias_key(name) for name in names if name))
    erasure = Erasure(bot, tenant, subject, service.clock())
    whole = await later(service, service.clock() + WATCH, WAITS, erasure.chore())
    done = await _erase(service, erasure, erasure.chore(), service.clock() + _INLINE)
    await service.account.take_back(whole)
    return done


async def run(service: Service, chore: dict[str, Any]) -> None:
    """Erase for one shift, and see that it goes on."""
    ours, watch = await begin(service, chore)
    if not ours:
        return
    subject = Subject(chore["user"], frozenset(chore["aliases"]))
    erasure = Erasure(chore["bot"], chore["tenant"], subject, chore["at"])
    await _erase(service, erasure, chore, service.clock() + SHIFT)
    await call_off(service, watch)


def names_of(known: Conversation | None) -> list[str]:
    """Return the names by which a sender may have meant a person."""
    return [name for name in (known.mail, known.principal_name, known.name) if name] if known else []


async def _erase(service: Service, erasure: Erasure, chore: dict[str, Any], until: float) -> bool:
    """Do what a message asks for; put on its way what is left and return whether nothing is."""
    subject = erasure.subject
    if subject.user:
        await service.conversations.forget(erasure.bot, erasure.tenant, subject.user, subject.aliases, erasure.at)
    after = Position(*chore.get("after", ()))
    busy = [Position(*position) for position in chore.get("busy", ())]
    only = [Position(*position) for position in chore.get("only", ())]
    async for page in _listed(service, only) if only else service.days.walk(after):
        theirs = [one for one in page if one.created_at <= erasure.at]
        for some in batched(theirs, _AT_ONCE, strict=False):
            may_hold = [one for one in some if one.may_hold(erasure.bot, erasure.tenant, subject)]
            done = await asyncio.gather(*(_erase_in(service, subject, one) for one in may_hold))
            busy += [one.position for one, ended in zip(may_hold, done, strict=True) if not ended]
            after = some[-1].position
            if only or (service.clock() <= until and len(busy) < _MOST_BUSY):
                continue
            if len(busy) >= _MOST_BUSY:
                await later(service, service.clock() + _AGAIN, WAITS, erasure.chore(only=busy))
                busy = []
            await put_watched(service, WAITS, erasure.chore(after=after, busy=busy))
            return False
    if busy:
        await later(service, service.clock() + _AGAIN, WAITS, erasure.chore(only=busy))
    return not busy


async def _listed(service: Service, positions: list[Position]) -> AsyncIterator[list[Listed]]:
    found = await asyncio.gather(*(service.days.get(position) for position in positions))
    yield [listed for listed in found if listed]


async def _erase_in(service: Service, subject: Subject, listed: Listed) -> bool:
    """Erase a person from one send; return False where it has to be looked at again.

    Inputs come before chunks: a plan that was made of inputs read before is looked for once it counts.
    """
    try:
        if listed.people is None:
            for inputs in await service.traces.inputs(listed.send, subject):
                await service.traces.forget_inputs(listed.send, inputs, subject)
        send = await service.sends.get(listed.send)
        if send is None:
            return True
        if not send.plan:
            # Whoever makes its plan right now may have read the inputs before; nobody does before its time has come.
            return send.begins_at > service.clock() + _AGAIN
        done = True
        for chunk, places in await service.traces.chunks(send.id, subject, mentions=True):
            if chunk.lease_until > service.clock():
                done = False
            else:
                await _erase_in_chunk(service, subject, chunk, places, counts=chunk.plan == send.plan)
        if done and listed.people is not None:
            await service.days.hide(listed, subject.without(listed.people))
    except Stale:
        log.debug("an erasure in send %s lost a race", listed.send)
        return False
    return done


async def _erase_in_chunk(service: Service, subject: Subject, chunk: Chunk, places: list[int], *, counts: bool) -> None:
    """Erase the people at some places. The answer goes before its recipient: afterwards nobody would find it."""
    for n in places:
        answer = await service.answers.get(chunk.send, Place(chunk.number, n)) if counts else None
        if answer is None:
            continue
        if chunk.result(n).state is not State.DELIVERED:
            chunk.results[n] = delivered_by(answer, chunk.result(n))  # what the answer shows must outlive it
            await service.traces.replace(chunk)
        await service.answers.remove(chunk.send, Place(chunk.number, n))
    for n in places:
        if not subject.is_recipient(chunk.people[n]):
            # The person is one of several of that name. Which ones they were is all that the reason says more.
            chunk.results[n] = chunk.results[n]._replace(reason=chunk.results[n].reason.partition(":")[0])
            continue
        chunk.people[n] = Recipient(ERASED, None)
        if n in chunk.results:
            chunk.results[n] = chunk.results[n]._replace(message_id="", conversation_id="")
    await service.traces.replace(chunk)
