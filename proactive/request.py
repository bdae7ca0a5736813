"""A request to send, checked: every field of the contract, all errors at once, each with its JSON pointer."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from proactive import cards
from proactive.body import SendBody, field_errors, without_nulls
from proactive.content import activity_of, size_error
from proactive.entries import read_entries
from proactive.filling import MOST_DATA, card_errors, data_error, text_errors
from proactive.jsontext import parse
from proactive.marks import submit_actions
from proactive.model import Options, Request, Wait
from proactive.problems import FieldError, ProblemError
from proactive.times import DAY, MINUTE, read_duration, read_moment


def read(body: Any, *, now: float, largest: int, url_error: Callable[[str], str | None] = lambda _: None) -> Request:
    """Return the request in `body`, a parsed JSON value.

    `now` is in seconds since the epoch, `largest` the most bytes of a message, counted as UTF-16;
    `url_error` tells what is wrong with a callback URL. Raises
    `ProblemError` 400 with every error found, or 413 when the only fault is a card of more than `largest`.
    """
    if not isinstance(body, Mapping):
        raise ProblemError(400, "The body must be a JSON object.", [FieldError("", "Give an object with recipients.")])
    body = without_nulls(body)
    errors: list[FieldError] = []
    parsed: SendBody | None = None
    try:
        parsed = SendBody.model_validate({"recipients": None, **body})
    except ValidationError as failure:
        errors += field_errors(failure, body)
    entries = list(read_entries(body.get("recipients"), errors))
    too_large: list[FieldError] = []
    if "data" in body and (wrong := data_error(body["data"], MOST_DATA)):
        errors.append(FieldError("/data", wrong))
    templated = "data" in body or any(entry.data is not None for entry in entries)
    card = _card(body.get("card"), "/card", errors, too_large, largest, templated=templated)
    _content_errors(body, errors)
    if templated:
        errors += text_errors(body)
    options = body.get("options")
    times = _Times(errors, now)
    deliver_within = DAY
    if isinstance(options, Mapping):
        deliver_within = times.duration(options.get("deliverWithin"), "/options/deliverWithin", DAY, 7 * DAY)
    timeout = 30 * DAY
    if isinstance(body.get("wait"), Mapping):
        timeout = times.duration(body["wait"].get("timeout"), "/wait/timeout", timeout, timeout)
        _update_message(body["wait"], errors, too_large, largest)
        if card is not None and not templated and not submit_actions(card):
            errors.append(FieldError("/card", "Nobody could answer it: give it an Action.Submit or Action.Execute."))
    send_at = times.moment(body.get("sendAt"))
    callback_url = body.get("callbackUrl")
    if isinstance(callback_url, str) and (error := url_error(callback_url)):
        errors.append(FieldError("/callbackUrl", error))
    if too_large and not errors:
        raise ProblemError(413, "The message is too large for Teams.", too_large)
    if errors or parsed is None:
        errors += too_large
        raise ProblemError(400, "The request has errors: each is listed with its field.", _distinct(errors))
    message = parsed.message
    return Request(
        recipients=entries,
        message=message.text if message else None,
        text_format=message.format if message else "markdown",
        card=card,
        wait=Wait(_shown(parsed.wait.update_message), timeout, parsed.wait.complete_when) if parsed.wait else None,
        callback_url=parsed.callback_url or "",
        dry_run=parsed.dry_run,
        summary=parsed.summary,
        bot=parsed.bot,
        tenant=parsed.tenant.lower(),
        data=body.get("data", {}) if templated else None,
        send_at=send_at,
        options=Options(
            label_as_notification=parsed.options.label_as_notification,
            if_chat_is_active=parsed.options.if_chat_is_active,
            if_bot_not_installed=parsed.options.if_bot_not_installed,
            if_outcome_unknown=parsed.options.if_outcome_unknown,
            parallelism=parsed.options.parallelism,
            deliver_within=deliver_within,
        ),
    )


def _distinct(errors: list[FieldError]) -> list[FieldError]:
    """Keep the first sentence about each field: a union reports every member that did not fit."""
    return list({error.pointer: error for error in reversed(errors)}.values())[::-1][:100]


def _update_message(
    wait: Mapping[str, Any], errors: list[FieldError], too_large: list[FieldError], largest: int
) -> None:
    """Check what stands instead of an answered card: a text, or a card as such or as its JSON text."""
    shown = wait.get("updateMessage", "-")
    if isinstance(shown, dict) or (isinstance(shown, str) and shown.lstrip().startswith("{")):
        _card(shown, "/wait/updateMessage", errors, too_large, largest)
    elif not isinstance(shown, str) or not shown.strip():
        errors.append(FieldError("/wait/updateMessage", "It should be a text or an Adaptive Card."))
    elif error := size_error("/wait/updateMessage", activity_of(shown), largest):
        too_large.append(error)


def _shown(update_message: Any) -> str | dict[str, Any]:
    if isinstance(update_message, str) and update_message.lstrip().startswith("{"):
        card: dict[str, Any] = parse(update_message)
        return card
    shown: str | dict[str, Any] = update_message
    return shown


def _card(
    card: Any,
    where: str,
    errors: list[FieldError],
    too_large: list[FieldError],
    largest: int,
    *,
    templated: bool = False,
) -> dict[str, Any] | None:
    """Return the card in a value of the request, noting what is wrong with it `where` it stands.

    Of a template only the expressions are looked at: what it is, shows once it is filled.
    """
    if isinstance(card, str):
        try:
            card = parse(card, where)
        except ProblemError as problem:
            errors += problem.errors
            return None
    elif card is None:
        return None
    if not isinstance(card, dict):
        errors.append(FieldError(where, "It should be an Adaptive Card: an object, or its JSON text."))
        return None
    if error := size_error(where, card, largest):
        too_large.append(error)  # and looked at no further: a check takes its time
        return None
    if not templated:
        errors += [FieldError(where + p.pointer, p.detail) for p in (*cards.check(card), *cards.templated(card))]
        return card
    errors += card_errors(card, where)
    return card


def _content_errors(body: Mapping[str, Any], errors: list[FieldError]) -> None:
    given = [name for name in ("message", "card") if body.get(name) is not None]
    if len(given) != 1:
        detail = "Give message or card." if not given else "Give either message or card, not both: Teams splits them."
        errors.append(FieldError("/" + (given or ["message"])[0], detail))
    message = body.get("message")
    text = message.get("text") if isinstance(message, Mapping) else message
    if isinstance(text, str) and not text.strip():
        where = "/message" if text is message else "/message/text"
        errors.append(FieldError(where, "It should not be empty."))
    if body.get("wait") is not None and body.get("card") is None:
        errors.append(FieldError("/wait", "Only a card can be waited for: give card."))


class _Times:
    """Reads durations and moments, noting what is wrong with them."""

    def __init__(self, errors: list[FieldError], now: float) -> None:
        self._errors = errors
        self._now = now

    def duration(self, text: Any, where: str, default: float, most: float) -> float:
        """Return seconds; `default` when absent or wrong. At least a minute."""
        if not isinstance(text, str):
            return default
        seconds = read_duration(text)
        if seconds is None:
            self._errors.append(FieldError(where, "It should be an ISO 8601 duration such as PT30M, PT24H or P7D."))
        elif not MINUTE <= seconds <= most:
            self._errors.append(FieldError(where, f"It should be between PT1M and P{most / DAY:g}D."))
        else:
            return seconds
        return default

    def moment(self, text: Any) -> float | None:
        """Return `sendAt` in seconds since the epoch, or None when absent or wrong."""
        if not isinstance(text, str):
            return None
        at = read_moment(text)
        if at is None:
            self._errors.append(FieldError("/sendAt", "It should be a moment with its zone: 2026-12-01T08:00:00Z."))
        elif at > self._now + 30 * DAY:
            self._errors.append(FieldError("/sendAt", "It should be at most 30 days ahead."))
        return at
