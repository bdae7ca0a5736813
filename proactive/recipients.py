"""Whom a send is for, some at a time: those it names, groups and teams, everyone who has the bot, or people of another.

Each batch comes with a cursor that says where to go on behind it:

    None ─▶ ["names", row] ─▶ ["group", number, page] ─▶ [place, key] of everyone, or [chunk] of the other send ─▶ None

Where only the bot is asked who somebody is, those named (100,000 at most) are read from the start again after a crash;
whoever is one of millions is not. Where Microsoft Graph is asked, each step is as long as Graph can be waited for.
"""

import sys
from collections.abc import AsyncIterator, Iterator
from itertools import batched
from typing import NamedTuple

from proactive.groups import distinct, is_group, members
from proactive.inquiry import Inquiry, inquiry
from proactive.model import Entry, Recipient, Send, State
from proactive.people import Planned, identity, resolve
from proactive.seen import Seen
from proactive.service import Service
from proactive.store.chunks import SIZE, Chunk
from proactive.store.drafts import Draft
from proactive.store.persons import ERASED, place_of_person

type Cursor = list[int | str] | None
type Batch = tuple[list[Planned], Cursor]

PLAN_FAILED = "planFailed"  # the reason of everybody whom a send names that could not be planned
_NAMES, _GROUP = "names", "group"
_ALL = sys.maxsize  # rows of names
_TOGETHER = 10_000  # names that were in vain and are looked up again


async def recipients(service: Service, send: Send, draft: Draft) -> AsyncIterator[Batch]:
    """Yield the people of a send, from behind the draft's cursor on. Nobody is there twice.

    Raises `GraphAway` when Graph cannot tell now who somebody is; what it told before has been yielded then.
    """
    asked = inquiry(service, send)
    other = await service.sends.get(send.of) if send.of else None
    while other and send.whom == "failed" and await _never_planned(service, other):
        send = other
        other = await service.sends.get(send.of) if send.of else None
    source = (
        _of_another(service, send, other, draft, asked) if send.of else _named_or_everyone(service, send, draft, asked)
    )
    async for batch in source:
        yield batch


async def _never_planned(service: Service, send: Send) -> bool:
    chunk = await service.chunks.get(send.id, send.plan, 0)
    return bool(chunk and chunk.result(0).reason == PLAN_FAILED)


def names_end(before: Cursor, after: Cursor) -> bool:
    """Whether between two cursors the last of those come whom a send names, by themselves or through groups."""
    return _behind_names(after) and not _behind_names(before)


def _behind_names(cursor: Cursor) -> bool:
    return cursor is not None and isinstance(cursor[0], int)


async def _named_or_everyone(service: Service, send: Send, draft: Draft, asked: Inquiry | None) -> AsyncIterator[Batch]:
    # What the names led to then is what counts: they may lead to others by now.
    seen = await _planned_already(service, draft)
    reached: Cursor = draft.cursor
    if not _behind_names(reached):
        names = _Names(service, send, seen, asked)
        async for people, reached in names.read(service.sends.inputs(send), draft.cursor, None):
            yield people, reached
    if reached is None:
        return
    place = int(reached[0]), str(reached[1])
    async for users, behind in service.conversations.everyone(send.bot, send.tenant, place):
        yield [(Recipient(user, user), None) for user in users if user not in seen], list(behind)


class _Names(NamedTuple):
    """Looks for whom a send names, leaving out those in `seen`."""

    service: Service
    send: Send
    seen: Seen
    asked: Inquiry | None

    async def read(self, rows: AsyncIterator[list[Entry]], after: Cursor, end: Cursor) -> AsyncIterator[Batch]:
        """Yield whom rows of entries name, then the people of their groups, in the order of storage when they are many.

        The last cursor is that of everyone where the rows say so, else `end`.
        """
        done, first, page = _place(after)
        entries: list[Entry] = []
        people: list[Planned] = []
        everyone, row = False, 0
        async for some in rows:
            row += 1
            entries += (entry for entry in some if is_group(entry))
            everyone = everyone or any(entry.kind == "everyone" for entry in some)
            if row > done:
                bot, tenant = self.send.bot, self.send.tenant
                people += await resolve(self.service, bot, tenant, some, seen=self.seen, inquiry=self.asked)
                if self.asked:
                    yield in_order(people), [_NAMES, row]
                    people = []
        groups = distinct(entries)
        behind: Cursor = [0, ""] if everyone else end
        if done < _ALL:
            yield in_order(people), [_GROUP, 0, ""] if groups else behind
        async for people, number, rest in members(self.asked, groups, first, page, self.seen):
            yield in_order(people), [_GROUP, number, rest] if number < len(groups) else behind


def _place(cursor: Cursor) -> tuple[int, int, str]:
    """Return how many rows of names a cursor stands behind, and the group and its page to go on with."""
    match cursor:
        case [str(kind), int(row)] if kind == _NAMES:
            return row, 0, ""
        case [str(kind), int(number), str(page)] if kind == _GROUP:
            return _ALL, number, page
    return 0, 0, ""


async def _planned_already(service: Service, draft: Draft) -> Seen:
    """Return whom a plan in the making has of those named. Everyone is read in order: nobody comes twice there."""
    seen = Seen()
    count = draft.named if _behind_names(draft.cursor) else draft.chunks
    if draft.cursor is not None and count:
        async for chunk in service.chunks.read(draft.send, draft.name):
            if chunk.number >= count:
                break
            _add(seen, chunk)
    return seen


def _add(seen: Seen, chunk: Chunk) -> None:
    for recipient in chunk.people:
        seen.add(identity(recipient))


def in_order(people: list[Planned]) -> list[Planned]:
    """Return people in the order of storage when they are many: chunks of neighbours are read in few calls."""
    return sorted(people, key=lambda planned: place_of_person(planned[0].user or "")) if len(people) > SIZE else people


async def _of_another(
    service: Service, send: Send, other: Send | None, draft: Draft, asked: Inquiry | None
) -> AsyncIterator[Batch]:
    """Yield those of another send to whom it failed, or in whose chats its message stands."""
    if other is None:
        return
    reached: Cursor = draft.cursor
    if send.whom == "failed" and not _behind_names(reached):
        entries = await _led_nowhere(service, other)
        seen = await _planned_already(service, draft)
        # Left out is whoever the send, or one that it repeats, was for already by another name.
        repeated: Send | None = other if entries else None
        while repeated:
            async for chunk in service.chunks.read(repeated.id, repeated.plan):
                for recipient in chunk.people:
                    seen.add(recipient.user or "")
            repeated = await service.sends.get(repeated.of) if repeated.of else None
        async for people, reached in _Names(service, send, seen, asked).read(_in_rows(entries), draft.cursor, [0]):
            yield people, reached
    async for chunk in service.chunks.read(other.id, other.plan, int(reached[0]) if reached else 0):
        yield list(_picked(send, other, chunk)), [chunk.number + 1]


def repeated_states(other: Send) -> tuple[State, ...]:
    """Return whom a retry of `other` is for.

    Where a retry, update or recall was cancelled, those whom it left out as well: asked for again, it is the same send.
    """
    return (State.FAILED, State.CANCELLED) if other.of else (State.FAILED,)


def _picked(send: Send, other: Send, chunk: Chunk) -> Iterator[Planned]:
    for number, recipient in enumerate(chunk.people):
        result = chunk.result(number)
        if send.whom == "failed" and result.state in repeated_states(other) and recipient.user:
            yield recipient, None
        elif send.whom == "delivered" and result.state is State.DELIVERED and result.message_id:
            here = result.conversation_id, result.message_id
            origin = (chunk.number, number) if other.verb == "send" else recipient.origin
            data = recipient.data if send.data is not None else None
            yield Recipient(recipient.name, recipient.user, *here, origin, data), None


async def _led_nowhere(service: Service, other: Send) -> list[Entry]:
    """Return what another send named in vain, to be looked up again."""
    names = {
        recipient.name: recipient.data
        async for chunk in service.chunks.read(other.id, other.plan)
        for number, recipient in enumerate(chunk.people)
        if recipient.user is None and recipient.name != ERASED and chunk.result(number).state in repeated_states(other)
    }
    first: Send | None = other
    while names and first and first.of:
        first = await service.sends.get(first.of)
    entries: list[Entry] = []
    if names and first:
        async for some in service.sends.inputs(first):
            entries += (entry for entry in some if entry.value in names)
    # Of a small send no more than the names was kept.
    known = {entry.value for entry in entries}
    return entries + [Entry("person", name, data) for name, data in names.items() if name not in known]


async def _in_rows(entries: list[Entry]) -> AsyncIterator[list[Entry]]:
    for row in batched(entries, _TOGETHER, strict=False):
        yield list(row)
