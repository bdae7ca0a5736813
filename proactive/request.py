"""A request to send, checked: every field of the contract, all errors at once, each with its JSON pointer."""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from proactive import cards
from proactive.content import activity_of, size_error
from proactive.filling import MOST_DATA, MOST_OWN_DATA, card_errors, data_error, text_errors
from proactive.jsontext import parse
from proactive.marks import submit_actions
from proactive.model import Entry, Options, Request, Wait
from proactive.problems import FieldError, ProblemError, pointer
from proactive.times import DAY, MINUTE, read_duration, read_moment

MAX_ENTRIES = 100_000
MAX_NAME = 256
_MAX_TEXT = 1_000_000

_Text = Annotated[StrictStr, Field(max_length=_MAX_TEXT)]
_Duration = Annotated[StrictStr, Field(json_schema_extra={"format": "duration"})]
_PERSON: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": MAX_NAME}
_OWN_DATA: dict[str, Any] = {"type": "object", "description": "Laid over `data`, member by member"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, validate_by_name=False, validate_by_alias=True)


class _Message(_Strict):
    text: Annotated[_Text, Field(min_length=1)]
    format: Literal["markdown", "plain", "xml"] = "markdown"


def _also_text(schema: dict[str, Any]) -> None:
    """Let the schema of `message` allow the short form, a text."""
    schema["anyOf"].append({"type": "string", "minLength": 1, "maxLength": _MAX_TEXT})


class _Wait(_Strict):
    update_message: Annotated[
        Any, WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"type": "object"}]})
    ] = "Thanks for your response!"
    timeout: _Duration = "P30D"
    complete_when: Literal["first", "all", "each"] = "first"


class _Options(_Strict):
    label_as_notification: StrictBool = False
    if_chat_is_active: Literal["send", "dontSendAndSucceed", "dontSendAndFail", "postpone"] = "send"
    if_bot_not_installed: Literal["fail", "succeedWithStatusCode", "install"] = "fail"
    if_outcome_unknown: Literal["resend", "leave"] = "resend"
    parallelism: Annotated[StrictInt, Field(ge=1, le=50)] = 20
    deliver_within: _Duration = "PT24H"


class SendBody(_Strict):
    """The body of `POST /api/v1/sends`, and of a message on the queue `sends`."""

    bot: Annotated[StrictStr, Field(max_length=64)] = ""
    tenant: Annotated[StrictStr, Field(max_length=64)] = ""
    recipients: Annotated[
        Any,
        WithJsonSchema(
            {
                "description": "People, or one text with ';' between them",
                "anyOf": [
                    {"type": "string", "minLength": 1},
                    {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": MAX_ENTRIES,
                        "items": {
                            "anyOf": [
                                _PERSON,
                                *(
                                    {
                                        "type": "object",
                                        "properties": {name: kind, **own},
                                        "required": [name],
                                        "additionalProperties": False,
                                    }
                                    for name, kind, own in (
                                        ("user", _PERSON, {"data": _OWN_DATA}),
                                        ("group", _PERSON, {"data": _OWN_DATA}),
                                        ("team", _PERSON, {"data": _OWN_DATA}),
                                        ("everyone", {"const": True}, {}),
                                    )
                                ),
                            ]
                        },
                    },
                ],
            }
        ),
    ]
    message: Annotated[
        _Message | None, BeforeValidator(lambda value: {"text": value} if isinstance(value, str) else value)
    ] = Field(None, json_schema_extra=_also_text)
    card: Annotated[
        Any,
        WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "string"}], "description": "An Adaptive Card"}),
    ] = None
    summary: Annotated[StrictStr, Field(max_length=1024)] = ""
    data: Annotated[
        Any, WithJsonSchema({"type": "object", "description": "What fills a card or message that is a template"})
    ] = None
    wait: _Wait | None = None
    callback_url: Annotated[StrictStr, Field(max_length=4096)] | None = None
    send_at: Annotated[StrictStr, Field(json_schema_extra={"format": "date-time"})] | None = None
    options: _Options = Field(default_factory=_Options)
    dry_run: StrictBool = False


def read(body: Any, *, now: float, largest: int, url_error: Callable[[str], str | None] = lambda _: None) -> Request:
    """Return the request in `body`, a parsed JSON value.

    `now` is in seconds since the epoch, `largest` the most bytes of a message, counted as UTF-16;
    `url_error` tells what is wrong with a callback URL. Raises
    `ProblemError` 400 with every error found, or 413 when the only fault is a card of more than `largest`.
    """
    if not isinstance(body, Mapping):
        raise ProblemError(400, "The body must be a JSON object.", [FieldError("", "Give an object with recipients.")])
    body = _without_nulls(body)
    errors: list[FieldError] = []
    parsed: SendBody | None = None
    try:
        parsed = SendBody.model_validate({"recipients": None, **body})
    except ValidationError as failure:
        errors += [_field_error(error, body) for error in failure.errors(include_url=False, include_context=False)]
    entries = list(_recipients(body.get("recipients"), errors))
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


def _without_nulls(body: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out known fields that are null: flows hand over null for an optional field that was left empty."""

    def given(part: Mapping[str, Any], model: type[_Strict]) -> dict[str, Any]:
        known = {field.alias for field in model.model_fields.values()}
        return {name: value for name, value in part.items() if value is not None or name not in known}

    parts: dict[str, type[_Strict]] = {"options": _Options, "wait": _Wait}
    return {
        name: given(value, parts[name]) if name in parts and isinstance(value, Mapping) else value
        for name, value in given(body, SendBody).items()
    }


def _field_error(error: Any, body: Mapping[str, Any]) -> FieldError:
    location = error["loc"]
    if location[:1] == ("message",) and isinstance(body.get("message"), str):
        location = ("message",)  # the short form has no members
    if error["type"] == "extra_forbidden":
        detail = "There is no such field: correct its name or leave it out."
    elif error["type"] == "model_type":
        detail = (
            "It should be an object." if location != ("message",) else "It should be a text, or an object with text."
        )
    else:
        detail = error["msg"].replace("Input should", "It should").replace("String should", "It should") + "."
    return FieldError(pointer(*location), detail)


def _distinct(errors: list[FieldError]) -> list[FieldError]:
    """Keep the first sentence about each field: a union reports every member that did not fit."""
    return list({error.pointer: error for error in reversed(errors)}.values())[::-1][:100]


def _recipients(value: Any, errors: list[FieldError]) -> Iterable[Entry]:
    if isinstance(value, str):
        value = [part for part in value.split(";") if part.strip()]
    if not isinstance(value, list) or not value:
        errors.append(FieldError("/recipients", "Name at least one recipient: an array, or a text with ';' between."))
        return
    if len(value) > MAX_ENTRIES:
        errors.append(FieldError("/recipients", f"At most {MAX_ENTRIES} recipients a send: divide them among several."))
        return
    for number, item in enumerate(value):
        entry = _entry(item)
        if isinstance(entry, Entry):
            yield entry
        else:
            where, detail = entry
            errors.append(FieldError(pointer("recipients", number, *where), detail))


def _entry(item: Any) -> Entry | tuple[tuple[str, ...], str]:
    if isinstance(item, str):
        return Entry("person", item.strip()) if _named(item) else ((), f"Give 1 to {MAX_NAME} characters.")
    own = item.get("data") if isinstance(item, dict) else None
    if not isinstance(item, dict) or len(item.keys() - {"data"}) != 1:
        return (), 'Give a text, {"user"}, {"group"}, {"team"} or {"everyone": true}.'
    if own is not None and (wrong := data_error(own, MOST_OWN_DATA)):
        return ("data",), wrong
    kind = next(name for name in item if name != "data")
    value = item[kind]
    if kind == "everyone" and own is not None:
        return ("data",), "Data for everyone stand beside recipients: give data there."
    if kind == "everyone":
        return Entry("everyone") if value is True else (("everyone",), "It should be true.")
    if kind in ("user", "group", "team"):
        if not isinstance(value, str) or not _named(value):
            return (kind,), f"It should be a text of 1 to {MAX_NAME} characters."
        return Entry(kind, value.strip(), own)
    return (kind,), "There is no such kind of recipient: user, group, team and everyone are."


def _named(text: str) -> bool:
    return bool(text.strip()) and len(text) <= MAX_NAME


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
