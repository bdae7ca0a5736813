"""What becomes of a card afterwards: replaced for who answered, shown as closed, expired or withdrawn to the others."""

import asyncio
import logging
from typing import Any, NamedTuple

from proactive.content import activity_of, card_showing, encode
from proactive.model import Send, State
from proactive.reach import turn
from proactive.relay import later, put_watched
from proactive.service import Service
from proactive.store.account import ERRANDS, WAITS
from proactive.store.answers import CANCELLED, RESPONDED, TIMED_OUT
from proactive.teams import Presence
from proactive.verdicts import Kind, Verdict

log = logging.getLogger(__name__)

UPDATE = "update"
_TEXTS = {
    "closed": "This question is closed: it has been answered.",
    "expired": "This question has expired.",
    "withdrawn": "This question was withdrawn.",
}
_SHOWN = {RESPONDED: "closed", TIMED_OUT: "expired", CANCELLED: "withdrawn"}
_AT_ONCE = 20
_MOST_ATTEMPTS = 10
_FIRST_PAUSE = 2.0  # seconds, doubled with each attempt


def shown(send: Send, instead: str) -> str | dict[str, Any]:
    """Return the text or card that stands `instead` of a card: as `answered`, `closed`, `expired` or `withdrawn`."""
    return send.wait.update_message if instead == "answered" and send.wait else _TEXTS.get(instead, _TEXTS["closed"])


def shown_card(send: Send, instead: str) -> dict[str, Any]:
    """Return the same as a card, for an answer in line."""
    content = shown(send, instead)
    return card_showing(content) if isinstance(content, str) else content


class Card(NamedTuple):
    """Where a card stands in Teams."""

    service_url: str
    conversation: str
    message: str


async def replace_later(service: Service, send: Send, instead: str, card: Card) -> None:
    """Have a card replaced by way of the queue `errands`, which tries again while Teams is away."""
    errand = {"kind": UPDATE, "bot": send.bot, "tenant": send.tenant, "send": send.id, "instead": instead}
    await put_watched(service, ERRANDS, {**errand, "card": card})


async def replace(service: Service, send: Send, instead: str, card: Card) -> Verdict:
    """Replace one card. The bot's pace is the caller's affair, the conversation's limits are kept here."""
    if held := await turn(service, card.conversation):
        return held
    content = encode(activity_of(shown(send, instead)))
    return await service.teams.update(
        Presence(service.bot(send.bot), send.tenant), card.service_url, card.conversation, card.message, content
    )


async def close(service: Service, send: Send, number: int, only: list[int] | None, attempts: int) -> None:
    """Replace the cards of a chunk that nobody answered, and go on with the next chunk.

    A crash repeats it, which shows the same again. What Teams does not take now (`only`) is tried again later.
    """
    end = await service.answers.ended(send.id)
    chunk = await service.chunks.get(send.id, send.plan, number)
    if end is None or chunk is None:
        return
    answered = (await service.answers.answered(send.id, number)).numbers
    cards = [
        n
        for n, result in sorted(chunk.results.items())
        if result.state is State.DELIVERED and result.message_id and n not in answered and (only is None or n in only)
    ]
    people = await service.conversations.load(
        send.bot, send.tenant, [user for n in cards if (user := chunk.people[n].user)]
    )
    left: list[int] = []
    places = asyncio.Semaphore(min(_AT_ONCE, send.options.parallelism))

    async def one(n: int) -> None:
        person = people.get(chunk.people[n].user or "")
        if person is None:
            return
        async with places:
            result = chunk.results[n]
            card = Card(person.service_url, result.conversation_id, result.message_id)
            slots = await service.pace.reserve(send.bot, send.tenant, 1)
            if slots.taken:
                await service.pace.reached(slots.start)
                verdict = await replace(service, send, _SHOWN[end.kind], card)
            if not slots.taken or verdict.kind in (Kind.RETRY, Kind.DOUBT):
                left.append(n)

    await asyncio.gather(*(one(n) for n in cards))
    message = {"kind": "close", "send": send.id, "chunk": number}
    if left and attempts < _MOST_ATTEMPTS:
        pause = _FIRST_PAUSE * 2**attempts
        await later(service, service.clock() + pause, WAITS, {**message, "only": left, "attempts": attempts + 1})
    elif left:
        log.warning("%d cards of send %s could not be replaced", len(left), send.id)
    if only is None and number + 1 < send.chunks:
        await put_watched(service, WAITS, {**message, "chunk": number + 1})
