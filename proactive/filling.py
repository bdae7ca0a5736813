"""An activity that is a template is made out to each person, with data: the sender's for all, and the person's own.

What is the same for everybody is read once a send; one person's message is filled when its turn has come, and again at
every attempt. It comes out the same each time: what `utcNow()` gives is the moment at which the send begins.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Self

from proactive import cards
from proactive.cards import utf16_size
from proactive.content import activity_of, card_of, encode, size_error, with_marks
from proactive.marks import submit_actions
from proactive.model import Request, Send
from proactive.problems import FieldError, ProblemError
from proactive.templating.objects import DEEPEST
from proactive.templating.template import Fault, FilledTooLargeError, TemplateError, read
from proactive.templating.values import depth

TEMPLATE_ERROR: Final = "templateError"
"""The reason of somebody whose data do not fill the template."""
TOO_LARGE: Final = "filledTooLarge"
"""The reason of somebody whose message is too large once it is filled."""

MOST_DATA: Final = 262_144
"""Bytes of the data for everybody, as JSON in UTF-8."""
MOST_OWN_DATA: Final = 65_536
"""Bytes of the data of one recipient."""

# One encoder for all: to make one costs more than to encode the data of most people.
_COMPACT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_ERRORS: Final = "The request has errors: each is listed with its field."


class Filling:
    """The templates of one activity: its card or text, and its summary."""

    def __init__(self, activity: dict[str, Any], data: Mapping[str, Any], at: float, largest: int) -> None:
        """Take the sender's data, when the send begins, and the most bytes of an activity as UTF-16."""
        faults: list[Fault] = []
        shown = card_of(activity) if "attachments" in activity else activity["text"]
        self._activity = activity
        self._data = data
        self._now = datetime.fromtimestamp(at, UTC)
        self.largest = largest
        self._shown = read(shown, "/card" if isinstance(shown, dict) else "/message", faults)
        self._summary = read(activity.get("summary", ""), "/summary", faults)
        self.dynamic = self._shown.dynamic or self._summary.dynamic
        self.personal = self._shown.personal or self._summary.personal

    @classmethod
    def of(cls, send: Send, largest: int) -> Self | None:
        """Return the templates of a send; None where it has no data to fill them with."""
        if send.data is None or not send.activity:
            return None
        return cls(send.activity, send.data, send.begins_at, largest)

    def fill(self, own: Mapping[str, Any] | None, who: Mapping[str, Any]) -> dict[str, Any]:
        """Return the activity for a person. The person's own data are laid over the sender's, member by member.

        Raises `TemplateError` where the data do not fit, and `FilledTooLargeError`.
        """
        data = {**self._data, **own} if own else self._data
        how = (data, who, self._now, self.largest // 2)
        filled = dict(self._activity)
        if "attachments" in filled:
            card = self._shown.fill(*how)
            if not isinstance(card, dict):
                raise TemplateError(Fault("/card", "It is no card once it is filled."))
            filled |= activity_of(card)
        else:
            filled["text"] = self._shown.fill_text(*how)
            if not filled["text"].strip():
                raise TemplateError(Fault("/message", "It is empty once it is filled."))
        if "summary" in filled:
            filled["summary"] = self._summary.fill_text(*how)
        return filled

    def encoded(self, own: Mapping[str, Any] | None, who: Mapping[str, Any], ticket: str = "") -> bytes:
        """Return what is posted to a person, its card marked with a ticket where there is one. Raises like `fill`.

        Marks come last: what is repeated, and what comes with the data, has actions of its own to be told apart.
        """
        filled = self.fill(own, who)
        content = encode(with_marks(filled, ticket) if ticket else filled)
        if utf16_size(content.decode()) > self.largest:
            raise FilledTooLargeError
        return content


def data_error(data: Any, most: int) -> str | None:
    """Return what is wrong with data that are to fill a template; `most` is their bytes as JSON."""
    if not isinstance(data, dict):
        return "It should be an object."
    try:
        text = _COMPACT.encode(data)
        deep = text.count("{") + text.count("[") > DEEPEST and depth(data, DEEPEST) > DEEPEST
    except RecursionError:
        deep = True
    if deep:
        return f"It is nested too deeply: {DEEPEST} levels are allowed."
    size = len(text.encode())
    return f"It is too large: {size} bytes as JSON, of {most} that are allowed." if size > most else None


def card_errors(card: dict[str, Any], where: str) -> list[FieldError]:
    """Return what is wrong with the expressions in a card."""
    if depth(card, cards.MAX_DEPTH) > cards.MAX_DEPTH:
        return [FieldError(where, f"It is nested too deeply: {cards.MAX_DEPTH} levels are allowed.")]
    faults: list[Fault] = []
    read(card, where, faults)
    return [FieldError(*fault) for fault in faults]


def text_errors(body: Mapping[str, Any]) -> list[FieldError]:
    """Return what is wrong with the expressions in the message and the summary of a request."""
    message = body.get("message")
    texts = {"/message": message, "/summary": body.get("summary")}
    if isinstance(message, Mapping):
        texts["/message/text"] = message.get("text")
    faults: list[Fault] = []
    for where, text in texts.items():
        if isinstance(text, str):
            read(text, where, faults)
    return [FieldError(*fault) for fault in faults]


def about(name: str, user: str | None, mail: str, principal: str, display: str) -> dict[str, Any]:
    """Return what `${recipient.…}` gives: the name as the sender wrote it, and what is known, null where it is not."""
    object_id = user if user and not user.startswith("29:") else None
    return {
        "name": name,
        "user": user,
        "objectId": object_id,
        "mail": mail or None,
        "userPrincipalName": principal or None,
        "displayName": display or None,
    }


def somebody(name: str) -> dict[str, Any]:
    """Return somebody of whom everything is known, to try a template out before anybody is looked up."""
    address = name if "@" in name else "somebody@example.com"
    return about(name or address, "00000000-0000-0000-0000-000000000000", address, address, "Some Body")


def try_out(
    filling: Filling, request: Request, samples: Iterable[tuple[str, Mapping[str, Any] | None]], ticket: str
) -> None:
    """Fill an activity for some people, given by name and own data, with the checks of a card that is no template.

    Raises `ProblemError` 400 or 413 with what is wrong for the first of them, if it is right for none: then it is the
    template, or the data for all. One person's data must not keep the others from getting the message.
    """
    first: ProblemError | None = None
    for name, own in samples:
        problem = _problem(filling, request, (name, own), ticket)
        if problem is None:
            return
        first = first or problem
    if first:
        raise first


def _problem(
    filling: Filling, request: Request, sample: tuple[str, Mapping[str, Any] | None], ticket: str
) -> ProblemError | None:
    name, own = sample
    where = "/card" if request.card else "/message"
    try:
        filled = filling.fill(own, somebody(name))
    except TemplateError as error:
        return ProblemError(400, _ERRORS, [FieldError(*error.fault)])
    except FilledTooLargeError:
        detail = "It is too large for Teams once it is filled."
        return ProblemError(413, "The message is too large for Teams.", [FieldError(where, detail)])
    if request.card:
        card = card_of(filled)
        errors = [FieldError(where + p.pointer, f"Once the card is filled: {p.detail}") for p in cards.check(card)]
        if request.wait and not submit_actions(card):
            detail = "Nobody could answer it once it is filled: give it an Action.Submit or Action.Execute."
            errors.append(FieldError(where, detail))
        if errors:
            return ProblemError(400, _ERRORS, errors[:100])
    large = size_error(where, with_marks(filled, ticket) if ticket else filled, filling.largest)
    return ProblemError(413, "The message is too large for Teams.", [large]) if large else None
