"""An answer is kept, and what follows from it is put on its way: the card's replacement, the flow's callback.

answer ─▶ timer: check in 30 s ─▶ one transaction: answer, and the end it brings ─▶ [callbacks] ─▶ take the timer back
                    └── after a crash anywhere here: what is kept is put on its way again (`mend`)

A card may have been replaced by an update, with buttons of its own: what is answered is then the send that asked first,
and the update only says which button it was.
"""

import asyncio
import logging
import random
from typing import Any, NamedTuple

from proactive import marks, telemetry
from proactive.content import card_of
from proactive.made_out import made_out
from proactive.model import Recipient, Send
from proactive.relay import later, put_watched
from proactive.service import Service
from proactive.store.account import CALLBACKS, WAITS
from proactive.store.answers import RESPONDED, TIMED_OUT, End, Place, response_event
from proactive.store.chunks import Chunk
from proactive.store.conversations import Conversation
from proactive.store.errors import Conflict, InDoubt, Stale
from proactive.tickets import Ticket, read_ticket
from proactive.updates import Card, replace_later
from proactive.waits import CHECK, after_end, all_answered, end

log = logging.getLogger(__name__)

_RIVALS_APART = 0.02  # seconds at most until somebody who lost a race tries again
NOT_OURS = "Nobody waits for an answer to this card."
NOT_YOURS = "This card was sent to somebody else, who alone can answer it."


class Given(NamedTuple):
    """An answer as Teams brought it."""

    bot: str
    tenant: str
    user: str
    name: str
    card: Card
    answer: marks.Answer | None


class Asked(NamedTuple):
    """The question that an answer is to: the send that waits, and where its recipient stands in that send."""

    send: Send
    chunk: Chunk
    place: Place


class Shown(NamedTuple):
    """What the person is to see: a `notice`, or `instead` of the card what proactive.updates shows for that word."""

    send: Send | None = None
    instead: str = ""
    notice: str = ""


async def respond(service: Service, given: Given) -> Shown:
    """Keep an answer if it is one, and return what the person is to see. Only the first of a person counts."""
    shown = await _respond(service, given)
    telemetry.card_answered("refused" if shown.send is None else "kept" if shown.instead == "answered" else "late")
    return shown


async def _respond(service: Service, given: Given) -> Shown:
    ticket = read_ticket(given.answer.token) if given.answer else None
    pressed = await service.sends.get(ticket.send) if ticket else None
    if given.answer is None or ticket is None or pressed is None or not _meant(pressed, ticket, given):
        return Shown(notice=NOT_OURS)
    chunk, known = await asyncio.gather(
        service.chunks.get(pressed.id, pressed.plan, ticket.place.chunk),
        service.conversations.get(given.bot, given.tenant, given.user),
    )
    recipient = _at(chunk, ticket.place)
    action = _action(service, pressed, given.answer, recipient, known) if recipient else None
    if chunk is None or action is None or recipient is None:
        return Shown(notice=NOT_OURS)
    if recipient.user != given.user:
        return Shown(notice=NOT_YOURS)
    asked = await _asked(service, pressed, chunk, ticket.place)
    if asked is None:
        return Shown(notice=NOT_OURS)
    kept = _kept(given, given.answer, action, known, service.clock())
    with telemetry.step("answer", asked.send):
        return Shown(asked.send, await _take(service, asked, kept, given.card))


async def _take(service: Service, asked: Asked, kept: dict[str, Any], card: Card) -> str:
    """Keep an answer, have done what follows, and return what the card becomes."""
    message = {"kind": "check", "send": asked.send.id, "place": asked.place}
    check = await later(service, kept["at"] + CHECK, WAITS, message)
    instead = await _keep(service, asked.send, asked.chunk, asked.place, kept)
    if instead == "answered":
        await follow(service, asked.send, asked.place)
    if card.message:
        await replace_later(service, asked.send, instead, card)
    await service.account.take_back(check)
    return instead


def _meant(pressed: Send, ticket: Ticket, given: Given) -> bool:
    same_bot = (pressed.bot, pressed.tenant) == (given.bot, given.tenant)
    return bool(pressed.plan and pressed.marked and same_bot and ticket.proves(pressed))


def _at(chunk: Chunk | None, place: Place) -> Recipient | None:
    return chunk.people[place.number] if chunk and place.number < len(chunk.people) else None


async def _asked(service: Service, pressed: Send, chunk: Chunk, place: Place) -> Asked | None:
    """Return the question that a card belongs to: the card may have taken the place of the one that asked it first."""
    pressing = chunk.people[place.number]
    send = await service.sends.first(pressed)
    if send is None or send.wait is None:
        return None
    if send is pressed:
        return Asked(send, chunk, place)
    if pressing.origin is None:
        return None
    place = Place(*pressing.origin)
    asked = await service.chunks.get(send.id, send.plan, place.chunk)
    recipient = _at(asked, place)
    return Asked(send, asked, place) if asked and recipient and recipient.user == pressing.user else None


def _action(
    service: Service, send: Send, answer: marks.Answer, recipient: Recipient, known: Conversation | None
) -> marks.SubmitAction | None:
    actions = marks.submit_actions(card_of(made_out(service, send, recipient, known)))
    return actions[answer.number] if answer.number < len(actions) else None


def _kept(
    given: Given, answer: marks.Answer, action: marks.SubmitAction, known: Conversation | None, now: float
) -> dict[str, Any]:
    return {
        "submitActionId": marks.submit_action_id(action),
        "actionId": action.id or None,
        "data": marks.restore(action, answer),
        "responder": {
            "objectId": given.user,
            "tenantId": given.tenant,
            "email": (known.mail if known else "") or None,
            "userPrincipalName": (known.principal_name if known else "") or None,
            "displayName": (known.name if known else "") or given.name or None,
        },
        "at": now,
        "messageId": given.card.message,
        "conversationId": given.card.conversation,
        "serviceUrl": given.card.service_url,
    }


async def _keep(service: Service, send: Send, chunk: Chunk, place: Place, kept: dict[str, Any]) -> str:
    """Keep the answer unless the person has given one or the wait is over; return what the card becomes."""
    ends = End(RESPONDED, kept["at"]) if send.wait and send.wait.complete_when == "first" else None
    if kept["at"] >= send.closes_at:
        return "answered" if await service.answers.get(send.id, place) else "expired"
    while True:
        # All who answer one chunk write the same row: in one process they take turns instead of racing each other.
        async with service.answers.turn(send.id, place.chunk):
            answered = await service.answers.answered(send.id, place.chunk)
            answered.numbers.add(place.number)
            answered.complete = chunk.all_answered(answered.numbers)
            try:
                await service.answers.add(send.id, place, kept, answered, ends)
            except (Conflict, Stale, InDoubt):
                log.debug("an answer to send %s lost a race", send.id)
            else:
                return "answered"
        # Which of the rows was in the way: the person's own answer, the end, or just another answer's count?
        if await service.answers.get(send.id, place):
            return "answered"
        if ended := await service.answers.ended(send.id):
            return "expired" if ended.kind == TIMED_OUT else "closed"
        await asyncio.sleep(random.uniform(0, _RIVALS_APART))  # noqa: S311 - spreads rivals, keeps no secret


async def follow(service: Service, send: Send, place: Place) -> None:
    """Put on its way what follows from an answer that is kept. Doing it again does no harm."""
    if send.wait and send.wait.complete_when == "each" and send.callback_url:
        await put_watched(service, CALLBACKS, {"send": send.id, "event": response_event(place)})
    if send.wait and send.wait.complete_when == "first":
        await after_end(service, send)
    elif await all_answered(service, send):
        await end(service, send, RESPONDED)


async def mend(service: Service, send: Send, place: Place) -> None:
    """See to an answer whose way a crash may have cut short."""
    answer = await service.answers.get(send.id, place)
    if answer:
        log.warning("an answer to send %s is put on its way again", send.id)
        await follow(service, send, place)
        card = Card(answer["serviceUrl"], answer["conversationId"], answer["messageId"])
        await replace_later(service, send, "answered", card)
