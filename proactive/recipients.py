"""Whom a send is for, some at a time: those it names, everyone who has the bot, or people of another send.

Each batch comes with a cursor that says where to go on behind it. Those named (100,000 at most) are read from the start
again after a crash; whoever is one of millions is not.
"""

from collections.abc import AsyncIterator

from proactive.model import Entry, Recipient, Send, State
from proactive.people import Planned, resolve
from proactive.service import Service
from proactive.store.chunks import SIZE, Chunk
from proactive.store.drafts import Draft
from proactive.store.persons import place_of_person

type Cursor = list[int | str] | None
type Batch = tuple[list[Planned], Cursor]


async def recipients(service: Service, send: Send, draft: Draft) -> AsyncIterator[Batch]:
    """Yield the people of a send, from behind the draft's cursor on. Nobody is there twice."""
    source = _of_another(service, send, draft.cursor) if send.of else _named_or_everyone(service, send, draft)
    async for batch in source:
        yield batch


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
            chunk = await service.chunks.get(send.id, draft.name, number)
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


async def _of_another(service: Service, send: Send, after: Cursor) -> AsyncIterator[Batch]:
    """Yield those of another send to whom it failed, or in whose chats its message stands."""
    other = await service.sends.get(send.of)
    if other is None:
        return
    first = int(after[0]) if after else 0
    async for chunk in service.chunks.read(other.id, other.plan, first):
        yield [person async for person in _picked(service, send, other, chunk)], [chunk.number + 1]


async def _picked(service: Service, send: Send, other: Send, chunk: Chunk) -> AsyncIterator[Planned]:
    for number, recipient in enumerate(chunk.people):
        result = chunk.result(number)
        if send.whom == "failed" and result.state is State.FAILED:
            if recipient.user is None:
                # A name that led nowhere may lead to somebody by now.
                for planned in await resolve(service, send.bot, send.tenant, [Entry("person", recipient.name)]):
                    yield planned
            else:
                yield recipient, None
        elif send.whom == "delivered" and result.state is State.DELIVERED and result.message_id:
            here = result.conversation_id, result.message_id
            origin = (chunk.number, number) if other.verb == "send" else recipient.origin
            yield Recipient(recipient.name, recipient.user, *here, origin), None
