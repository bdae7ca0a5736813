"""Marks: telling by which action, of which send, a card was answered.

Teams says which card was answered, not which button: the answers of two buttons without `data` are the same. So
every action that submits gets one member in its `data` before the card goes out, `"~proactive": "<token>.<number>"`,
and the answer is given on without it:

    card ── mark ──▶ Teams ── value ──▶ read ──▶ Answer ── restore ──▶ the data as its author wrote it, with the inputs

`number` counts the marked actions in document order, so the stored card alone tells the action again
(`submit_actions(card)[number]`). A user can send any text as an answer: a mark says what was answered only together
with the sender of the answer.

Not marked is what submits nothing (Action.OpenUrl and the like), what Teams turns into something else than an answer
(`data.msteams.type` of `imBack`, `signin`, `invoke`, `task/fetch`), and `refresh.action`: Teams runs that one by itself
when the card is shown, and to look at a card is no answer to it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from proactive import cards

MARK: Final = "~proactive"
"""The member that carries the mark; with one more `~` where the card uses that name itself."""

_LEFT_ALONE: Final = frozenset({"imBack", "signin", "invoke", "task/fetch"})
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_MARK_TEXT: Final = re.compile(r"([A-Za-z0-9_-]{1,128})\.(0|[1-9][0-9]{0,4})")
# Larger than any card that Teams takes.
_MAX_TEXT: Final = 102_400


class SubmitAction(NamedTuple):
    """An action that is marked, as its author wrote it. `data` is `{}` where there is none."""

    number: int
    type: str
    title: str
    id: str
    data: Any


class Answer(NamedTuple):
    """What came back: the mark, and the rest of the value. `as_text`: the value came as JSON text."""

    token: str
    number: int
    data: dict[str, Any]
    as_text: bool = False


def mark(card: Mapping[str, Any], token: str) -> dict[str, Any]:
    """Copy a card so that every action that submits carries the text `<token>.<number>`.

    The token is 1 to 128 letters, digits, `-` and `_`: it stands in the card's JSON exactly as it is, so that a card
    that is encoded once can be made out to each person by replacing bytes. The copy shares with the original what is
    the same in both. Raises ValueError for another token.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError("a mark's token is 1 to 128 letters, digits, - and _")
    copies: dict[cards.Path, Any] = {(): dict(card)}
    input_ids = [name for _, node in cards.inputs(card) if (name := _text(node.get("id"))).startswith(MARK)]
    for number, (path, action) in enumerate(_marked_actions(card)):
        _copy(copies, path)["data"] = _with_mark(action.get("data", {}), f"{token}.{number}", input_ids)
    marked: dict[str, Any] = copies[()]
    return marked


def submit_actions(card: Mapping[str, Any]) -> list[SubmitAction]:
    """List the actions that `mark` marks, by number."""
    return [
        SubmitAction(
            number, action["type"], _text(action.get("title")), _text(action.get("id")), action.get("data", {})
        )
        for number, (_, action) in enumerate(_marked_actions(card))
    ]


def submit_action_id(action: SubmitAction) -> str:
    """Name the chosen action for an answer: its title, else its id, else `""` (a selectAction may lack both)."""
    return action.title or action.id


def read(value: Any) -> Answer | None:
    """Read the answer from a message's `value` (Action.Submit) or an invoke's `value.action.data` (Action.Execute).

    A `messageBack` answer is its `msteams.value` with the inputs, the same as text, or the whole `data`, by the client.
    None for whatever has no mark of ours, or a damaged one.
    """
    if not _is_message_back(value):
        found = _without_mark(_parsed(value))
        return found and found._replace(as_text=isinstance(value, str))
    msteams = value["msteams"]
    found = _without_mark(_parsed(msteams.get("value")))
    return found and found._replace(data={**value, "msteams": {**msteams, "value": found.data}})


def restore(action: SubmitAction, answer: Answer) -> Any:
    """Give the action's data as its author wrote it, together with the inputs.

    | the author wrote                | without inputs  | with inputs                        |
    |---------------------------------|-----------------|------------------------------------|
    | an object                       | that object     | both; inputs win, as in Teams      |
    | nothing                         | `{}`            | the inputs                         |
    | null                            | null            | the inputs                         |
    | text, a number, an array, …     | the same        | the inputs, with it under `"data"` |

    The last line is ours: Teams itself loses such data. For `messageBack` the author's data is `msteams.value`; text
    that is a JSON object counts as that object where the client parsed it.
    """
    if not _is_message_back(action.data):
        return _merged(action.data, answer.data)
    written = action.data["msteams"].get("value", {})
    if answer.as_text:
        return written
    if _is_message_back(answer.data):
        return {**action.data, **answer.data, "msteams": action.data["msteams"]}
    parsed = _parsed(written)
    return _merged(written if parsed is None else parsed, answer.data)


def _marked_actions(card: Mapping[str, Any]) -> Iterator[tuple[cards.Path, dict[str, Any]]]:
    for path, action in cards.actions(card):
        if action["type"] not in ("Action.Submit", "Action.Execute") or "refresh" in path:
            continue
        if _msteams_type(action.get("data")) not in _LEFT_ALONE:
            yield path, action


def _with_mark(data: Any, text: str, input_ids: Iterable[str]) -> dict[str, Any]:
    """Make the data to be sent: an object, since Teams merges the inputs into nothing else and loses text."""
    if not isinstance(data, dict):
        return {_name(input_ids): text}
    if not _is_message_back(data):
        return {**data, _name([*data, *input_ids]): text}
    value = data["msteams"].get("value")
    members = _parsed(value) or {}
    name = _name([*data, *members, *input_ids])
    marked: dict[str, Any] | str
    if not isinstance(value, str):
        marked = {**members, name: text}
    elif members:
        # Not parsed and written again: numbers would change.
        marked = f'{{"{name}":"{text}",{value.strip()[1:]}'
    else:
        marked = f'{{"{name}":"{text}"}}'
    return {**data, "msteams": {**data["msteams"], "value": marked}}


def _without_mark(value: dict[str, Any] | None) -> Answer | None:
    name = _longest(value or ())
    if value is None or name is None or not isinstance(value[name], str):
        return None
    found = _MARK_TEXT.fullmatch(value[name])
    if found is None:
        return None
    return Answer(found[1], int(found[2]), {key: member for key, member in value.items() if key != name})


def _name(taken: Iterable[str]) -> str:
    longest = _longest(taken)
    return MARK if longest is None else longest + "~"


def _longest(names: Iterable[str]) -> str | None:
    """Pick the longest name that is the mark's with any number of `~` behind: ours was made to be that one."""
    return max((name for name in names if name.startswith(MARK) and name.rstrip("~") == MARK), key=len, default=None)


def _merged(written: Any, rest: dict[str, Any]) -> Any:
    if isinstance(written, dict):
        return {**written, **rest}
    if not rest:
        return written
    return rest if written is None else {"data": written, **rest}


def _is_message_back(data: Any) -> bool:
    return _msteams_type(data) == "messageBack"


def _msteams_type(data: Any) -> str:
    msteams = data.get("msteams") if isinstance(data, dict) else None
    return _text(msteams.get("type")) if isinstance(msteams, dict) else ""


def _parsed(value: Any) -> dict[str, Any] | None:
    """Take an object, also one that is written as JSON text."""
    if isinstance(value, str) and len(value) <= _MAX_TEXT and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _copy(copies: dict[cards.Path, Any], path: cards.Path) -> Any:
    """Find the copy of what stands at a path, made on the way down where it isn't there yet."""
    for end, key in enumerate(path):
        if path[: end + 1] not in copies:
            parent = copies[path[:end]]
            parent[key] = copies[path[: end + 1]] = parent[key].copy()
    return copies[path]
