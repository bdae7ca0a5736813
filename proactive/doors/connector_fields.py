"""What the connector's actions take, in the words of the Teams connector, and what it becomes as the body of a send.

A form is one action's fields, each with the place of its value in the body (a JSON pointer). What the core finds wrong
there is told by the connector's own names: nobody can mend a field that is not in the designer.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from proactive.jsontext import parse
from proactive.problems import FieldError, ProblemError, pointer

LABELS: Final[Mapping[str, Mapping[str, str]]] = {
    "ifChatIsActive": {
        "Send": "send",
        "Don't send and succeed": "dontSendAndSucceed",
        "Don't send and fail": "dontSendAndFail",
        "Postpone": "postpone",
    },
    "ifBotNotInstalled": {"Fail": "fail", "Succeed with status code": "succeedWithStatusCode", "Install": "install"},
    "ifOutcomeUnknown": {"Send again": "resend", "Leave": "leave"},
    "messageFormat": {"Markdown": "markdown", "Plain text": "plain", "XML": "xml"},
    "completeWhen": {"First response": "first", "All responses": "all"},
    "sendTo": {"People": "people", "Group": "group", "Team": "team"},
}
"""What a maker picks, and the word for it in a send. The word itself is taken as well."""

OPTIONS: Final = ("labelAsNotification", "ifChatIsActive", "ifBotNotInstalled", "ifOutcomeUnknown", "parallelism",
                  "deliverWithin")  # fmt: skip

type Form = Mapping[str, str]

_SENDER: Final[Form] = {"bot": "/bot", "recipient": "/recipients", "sendTo": "/recipients", "tenant": "/tenant"}
_HOW: Final[Form] = {"sendAt": "/sendAt", **{name: f"/options/{name}" for name in OPTIONS}}
_TEXT: Final[Form] = {"messageBody": "/message/text", "messageFormat": "/message/format"}
_CARD: Final[Form] = {"messageBody": "/card", "templateData": "/data", "summary": "/summary"}
_WAIT: Final[Form] = {name: f"/wait/{name}" for name in ("updateMessage", "timeout", "completeWhen")}

MESSAGE: Final[Form] = {**_SENDER, **_TEXT, **_HOW}
CARD: Final[Form] = {**_SENDER, **_CARD, **_HOW}
QUESTION: Final[Form] = {**_SENDER, **_CARD, **_WAIT, **_HOW}
CONTENT: Final[Form] = {"messageBody": "/message", "summary": "/summary"}

_NEEDED: Final = ("recipient", "messageBody")
_CONTENT_PLACES: Final = tuple(("messageBody", place) for place in ("/message", "/card", "/wait"))


def read(form: Form, given: Any) -> tuple[dict[str, Any], list[FieldError]]:
    """Return the body that an action's fields make, and what is wrong with them, by their own names.

    A field that is null or empty counts as left out: flows hand that over for a field that was not filled in.
    """
    if not isinstance(given, Mapping):
        return {}, [FieldError("", "Give an object with the fields of this action.")]
    wrong = [FieldError(pointer(name), "There is no such field.") for name in given if name not in form][:100]
    filled = {name: value for name, value in given.items() if name in form and value not in (None, "", [])}
    wrong += [FieldError(f"/{name}", "Fill it in.") for name in _NEEDED if name in form and name not in filled]
    for name, words in LABELS.items():
        if name in filled:
            word = _word(words, filled[name])
            filled[name] = word
            if word is None:
                wrong.append(FieldError(f"/{name}", f"It should be one of: {', '.join(words)}."))
    kind = filled.pop("sendTo", "people")
    if "recipient" in filled:
        filled["recipient"] = _recipients(filled["recipient"], kind, wrong)
    if "templateData" in filled:
        filled["templateData"] = _parsed(filled["templateData"], "{", "/templateData", wrong)
    body: dict[str, Any] = {"wait": {}} if form is QUESTION else {}
    for name, value in filled.items():
        _put(body, form[name], value)
    return body, wrong


def read_content(given: Any) -> tuple[dict[str, Any], list[FieldError]]:
    """Return the content that is to replace another one: a text that begins with `{` is a card."""
    text = given.get("messageBody") if isinstance(given, Mapping) else None
    card = isinstance(text, Mapping) or (isinstance(text, str) and text.lstrip().startswith("{"))
    return read({**CONTENT, "messageBody": "/card"} if card else CONTENT, given)


def named(form: Form, errors: Sequence[FieldError], wrong: Sequence[FieldError] = ()) -> list[FieldError]:
    """Return what the core found wrong by the form's names, behind what is `wrong` already; one sentence a field."""
    told = [*wrong, *(FieldError(_name(form, error.pointer), error.detail) for error in errors)]
    return list({error.pointer: error for error in reversed(told)}.values())[::-1][:100]


def _name(form: Form, where: str) -> str:
    for name, place in (*sorted(form.items(), key=lambda field: -len(field[1])), *_CONTENT_PLACES):
        if where == place or where.startswith(place + "/"):
            return f"/{name}{where[len(place) :]}"
    return where


def _word(words: Mapping[str, str], value: Any) -> str | None:
    return words.get(value, value if value in words.values() else None) if isinstance(value, str) else None


def _recipients(value: Any, kind: str | None, wrong: list[FieldError]) -> Any:
    """Return recipients as a send takes them: designers hand over a text, an array, or an array as JSON text."""
    value = _parsed(value, "[", "/recipient", wrong)
    if kind not in ("group", "team"):
        return value
    return list(_of_kind(kind, value))


def _parsed(value: Any, sign: str, where: str, wrong: list[FieldError]) -> Any:
    """Return the JSON in a text that begins with this sign; anything else as it is."""
    if isinstance(value, str) and value.lstrip().startswith(sign):
        try:
            return parse(value, where)
        except ProblemError as problem:
            wrong += problem.errors
    return value


def _of_kind(kind: str, value: Any) -> Iterator[Any]:
    """Take each name as that of a group or team."""
    names = value.split(";") if isinstance(value, str) else value if isinstance(value, list) else [value]
    for name in names:
        if not isinstance(name, str):
            yield name
        elif name.strip():
            yield {kind: name.strip()}


def _put(body: dict[str, Any], place: str, value: Any) -> None:
    *path, last = place.removeprefix("/").split("/")
    for name in path:
        body = body.setdefault(name, {})
    body[last] = value
