"""What a person was sent: every message that names the person, newest first, as far as sends are kept."""

import asyncio
from datetime import UTC, datetime
from itertools import batched
from typing import Any, NamedTuple

from proactive import report
from proactive.content import card_of
from proactive.made_out import made_out
from proactive.model import Recipient, Result, Send, State
from proactive.service import Service
from proactive.store.answers import Place
from proactive.store.conversations import Conversation
from proactive.store.days import Listed, Position
from proactive.store.persons import Subject, alias_key
from proactive.times import DAY, day_of, write_moment

_AT_ONCE = 8  # sends
_ABOUT = 120  # characters
_MOST_LOOKED_AT = 400  # sends and days that one call looks at, of those that storage has to be asked about


class Page(NamedTuple):
    """Some messages, and the position in the index behind which there may be more (None at the end)."""

    messages: list[dict[str, Any]]
    more: Position | None


def subject_of(user: str, known: Conversation | None, name: str = "") -> Subject:
    """Return by what a person is found: the key, and the addresses that are the person's alone.

    A display name may be another's too; `name` is what was asked for, which counts where it is an address.
    """
    names = [known.mail, known.principal_name] if known else []
    return Subject(user, frozenset(alias_key(address) for address in (*names, name) if "@" in address))


async def messages(
    service: Service,
    bot: str,
    tenant: str,
    subject: Subject,
    *,
    top: int,
    since: float = 0.0,
    until: float,
    after: Position | None = None,
) -> Page:
    """Return what was sent to a person between two moments, in seconds since the epoch, from behind a position on."""
    oldest = await service.days.oldest()
    if oldest is None or not (subject.user or subject.aliases):
        return Page([], None)
    found: list[dict[str, Any]] = []
    looked_at = 0
    place = min(after or Position(day_of(until)), Position(day_of(until), "~"))
    last = max(oldest, day_of(since))
    while place.day >= last:
        async for page in service.days.of_day(place.day, place.key):
            looked_at += 1
            theirs = [one for one in page if one.may_hold(bot, tenant, subject) and since <= one.created_at <= until]
            for some in batched(theirs, _AT_ONCE, strict=False):
                looked_at += len(some)
                told = await asyncio.gather(*(_told(service, one, subject) for one in some))
                for listed, body in zip(some, told, strict=True):
                    place = listed.position
                    found += [body] if body else []
                    if len(found) == top:
                        return Page(found, place)
                if looked_at >= _MOST_LOOKED_AT:
                    return Page(found, place)
            place = page[-1].position if page else place
        place = Position(_day_before(place.day))
        if looked_at >= _MOST_LOOKED_AT and place.day >= last:
            return Page(found, place)
    return Page(found, None)


def _day_before(day: str) -> str:
    return day_of(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() - DAY)


async def _told(service: Service, listed: Listed, subject: Subject) -> dict[str, Any] | None:
    """Return what one send has for a person, or None where the person is none of its recipients."""
    send = await service.sends.get(listed.send)
    if send is None:
        return None
    if not send.plan:
        named = await service.traces.inputs(send.id, subject)
        return _body(service, send, send.activity, Result(State.PENDING), None) if named else None
    for chunk, (n, *_) in await service.traces.chunks(send.id, subject, send.plan):
        answer = await service.answers.get(send.id, Place(chunk.number, n)) if send.wait else None
        result = chunk.result_with(n, answer)
        known = await service.conversations.get(send.bot, send.tenant, subject.user) if send.data is not None else None
        return _body(service, send, made_out(service, send, chunk.people[n], known), result, answer)
    return None


def _body(
    service: Service, send: Send, activity: dict[str, Any], result: Result, answer: dict[str, Any] | None
) -> dict[str, Any]:
    whole = report.result_body(Recipient("", None), result, answer)
    kept = ("state", "statusCode", "reason", "deliveredAt", "messageId", "response")
    return {
        "sendId": send.id,
        "createdAt": write_moment(send.created_at),
        **{name: whole[name] for name in kept},
        **({"verb": report.verb_of(send), "of": send.of} if send.of else {}),
        **content_of(activity),
        "statusUrl": report.status_url(service, send),
    }


def content_of(activity: dict[str, Any]) -> dict[str, Any]:
    """Return what an activity says as its sender wrote it, without the marks by which its answers are told apart.

    A recall has none.
    """
    summary = {"summary": activity.get("summary")}
    if "attachments" in activity:
        return {"card": card_of(activity), **summary}
    if "text" in activity:
        return {"message": {"text": activity["text"], "format": activity["textFormat"]}, **summary}
    return summary


def about(send: Send) -> str | None:
    """Return by what an operator knows a send again: its summary, or how its text or card begins."""
    content = content_of(send.activity)
    text = content["summary"] or content.get("message", {}).get("text") or _first_text(content.get("card"))
    return text[:_ABOUT] if text else None


def _first_text(part: Any) -> str | None:
    """Return the first text that a card shows."""
    if isinstance(part, list):
        return next((text for one in part if (text := _first_text(one))), None)
    if not isinstance(part, dict):
        return None
    text = part.get("text") if part.get("type") == "TextBlock" else None
    return text if isinstance(text, str) else next((text for one in part.values() if (text := _first_text(one))), None)
