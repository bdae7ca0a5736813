"""Whom a send is for, some at a time: those it names, everyone who has the bot, or people of another send.

Each batch comes with a cursor that says where to go on behind it. Those named (100,000 at most) are read from the start
again after a crash; whoever is one of millions is not.
"""

from collections.abc import AsyncIterator, Iterator

from proactive.model import Entry, Recipient, Send, State
from proactive.people import Planned, resolve
from proactive.service import Service
from proactive.store.chunks import SIZE, Chunk
from proactive.store.drafts import Draft
from proactive.store.persons import ERASED, place_of_person

type Cursor = list[int | str] | None
type Batch = tuple[list[Planned], Cursor]

PLAN_FAILED = "planFailed"  # the reason of everybody whom a send names that could not be planned


async def recipients(service: Service, send: Send, draft: Draft) -> AsyncIterator[Batch]:
    """Yield the people of a send, from behind the draft's cursor on. Nobody is there twice."""
    other = await service.sends.get(send.of) if send.of else None
    if other and send.whom == "failed" and await _never_planned(service, other):
        source = recipients(service, other, draft)
    elif send.of:
        source = _of_another(service, send, other, draft.cursor)
    else:
        source = _named_or_everyone(service, send, draft)
    async for batch in source:
        yield batch


async def _never_planned(service: Service, send: Send) -> bool:
    chunk = await service.chunks.get(send.id, send.plan, 0)
    return bool(chunk and chunk.result(0).reason == PLAN_FAILED)


async def _named_or_everyone(service: Service, send: Send, draft: Draft) -> AsyncIterator[Batch]:
    seen: set[str] = set()
    after: Cursor = draft.cursor
    if after is None:
        people, everyone = await _named(service, send, seen)
        after = [0, ""]
        yield people, after if everyone else None
        if not everyone:
            return
    else:
        # What the names led to then is what counts: they may lead to others by now.
        for number in range(draft.named):
            chunk = await service.chunks.get(draft.send, draft.name, number)
            seen |= {recipient.user or "" for recipient in (chunk.people if chunk else [])}
    async for users, place in service.conversations.everyone(send.bot, send.tenant, (int(after[0]), str(after[1]))):
        yield [(Recipient(user, user), None) for user in users if user not in seen], list(place)


async def _named(service: Service, send: Send, seen: set[str]) -> tuple[list[Planned], bool]:
    """Return whom the send names, in the order of storage when they are many, and whether it is for everyone too."""
    people: list[Planned] = []
    everyone = False
    async for entries in service.sends.inputs(send):
        everyone = everyone or any(entry.kind == "everyone" for entry in entries)
        people += await resolve(service, send.bot, send.tenant, entries, seen)
    return in_order(people), everyone


def in_order(people: list[Planned]) -> list[Planned]:
    """Return people in the order of storage when they are many: chunks of neighbours are read in few calls."""
    return sorted(people, key=lambda planned: place_of_person(planned[0].user or "")) if len(people) > SIZE else people


async def _of_another(service: Service, send: Send, other: Send | None, after: Cursor) -> AsyncIterator[Batch]:
    """Yield those of another send to whom it failed, or in whose chats its message stands."""
    if other is None:
        return
    if after is None:
        after = [0]
        if send.whom == "failed":
            yield await _found_by_now(service, other), after
    async for chunk in service.chunks.read(other.id, other.plan, int(after[0])):
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


async def _found_by_now(service: Service, other: Send) -> list[Planned]:
    """Look those names up again that led nowhere.

    Left out is whoever the send, or one that it repeats, was for already by another name.
    """
    names = [
        Entry("person", recipient.name, recipient.data)
        async for chunk in service.chunks.read(other.id, other.plan)
        for number, recipient in enumerate(chunk.people)
        if recipient.user is None and recipient.name != ERASED and chunk.result(number).state is State.FAILED
    ]
    people = await resolve(service, other.bot, other.tenant, names)
    found = {recipient.user for recipient, _ in people if recipient.user}
    repeated: Send | None = other
    while found and repeated:
        async for chunk in service.chunks.read(repeated.id, repeated.plan):
            found -= {recipient.user for recipient in chunk.people}
        repeated = await service.sends.get(repeated.of) if repeated.of else None
    return [planned for planned in people if planned[0].user is None or planned[0].user in found]
