"""Adaptive Cards: what is wrong with one, where its actions stand, how large it is.

Teams answers a malformed card with a bare 400, or takes it and shows "This card couldn't be displayed". Here a
sender learns every problem at once, before the card is accepted. What Teams renders is never refused: unknown
elements and properties pass, since newer Teams elements ride on version 1.5 without being part of its schema.

Every walk is iterative and stops below `MAX_DEPTH`, so that no card can exhaust the stack. Time grows with the
card's size: measure before you check.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

MAX_DEPTH: Final = 64
"""Objects and arrays inside one another, the card itself included. Cards made by people stay below 30."""

type Path = tuple[str | int, ...]
"""The member names and array indexes that lead from the card to a value; `()` is the card itself."""


class Problem(NamedTuple):
    """One thing that is wrong with a card.

    `pointer` is a JSON pointer (RFC 6901) relative to the card, `""` the card itself. It names a missing member by
    the place where it should stand. `detail` is a sentence for the sender.
    """

    pointer: str
    detail: str


class _Slot(NamedTuple):
    """What a member of an element or action holds."""

    kind: Literal["element", "action", "part"]
    array: bool = True
    implied: str = ""  # the type of a part that leaves it out, as `ColumnSet.columns` may
    text: bool = False  # text may stand in an object's place


_ELEMENTS: Final = _Slot("element")
_ELEMENT: Final = _Slot("element", array=False)
_ACTIONS: Final = _Slot("action")
_ACTION: Final = _Slot("action", array=False)

_SLOTS_OF_ALL: Final[Mapping[str, _Slot]] = {
    "selectAction": _ACTION,
    "inlineAction": _ACTION,
    "valueChangedAction": _ACTION,
    "menuActions": _ACTIONS,
}
_SLOTS: Final[Mapping[str, Mapping[str, _Slot]]] = {
    name: {**_SLOTS_OF_ALL, **slots}
    for name, slots in {
        "AdaptiveCard": {"body": _ELEMENTS, "actions": _ACTIONS},
        "Container": {"items": _ELEMENTS},
        "ColumnSet": {"columns": _Slot("part", implied="Column")},
        "Column": {"items": _ELEMENTS},
        "ActionSet": {"actions": _ACTIONS},
        "FactSet": {"facts": _Slot("part")},
        "ImageSet": {"images": _Slot("part", implied="Image")},
        "Media": {"sources": _Slot("part")},
        "RichTextBlock": {"inlines": _Slot("part", implied="TextRun", text=True)},
        "Table": {"rows": _Slot("part", implied="TableRow")},
        "TableRow": {"cells": _Slot("part", implied="TableCell")},
        "TableCell": {"items": _ELEMENTS},
        "Carousel": {"pages": _Slot("part", implied="CarouselPage")},
        "CarouselPage": {"items": _ELEMENTS},
        "Input.ChoiceSet": {"choices": _Slot("part")},
        "Action.ShowCard": {"card": _Slot("part", array=False, implied="AdaptiveCard")},
        "Action.Popover": {"content": _ELEMENT},
    }.items()
}

# Data of somebody else's making, not card: what looks like an action in there is none.
_PAYLOADS: Final = frozenset({"msteams", "msTeams", "metadata"})
_PAYLOADS_OF_ACTIONS: Final = _PAYLOADS | {"data"}

# `${rs:name}` is a reference into the card's own `resources.strings`, which Teams resolves, not a template.
_TEMPLATE: Final = re.compile(r"\$\{(?!rs:)")


def pointer(path: Path) -> str:
    """Write a path as JSON pointer (RFC 6901)."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def utf16_size(payload_text: str) -> int:
    """Bytes of a text as UTF-16 without byte order mark: the measure of Teams' 100 KB limit for a bot's message.

    https://learn.microsoft.com/microsoftteams/platform/bots/how-to/format-your-bot-messages
    """
    if payload_text.isascii():
        return 2 * len(payload_text)
    return len(payload_text.encode("utf-16-le", "surrogatepass"))


def actions(card: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every action of a card, in document order, an action before those inside it.

    An action is any object whose `type` begins with `Action.`, wherever it stands: newer elements hide actions under
    names that no list knows. Only payloads are left out: the `data` of an action, `msteams` and `metadata`.
    """
    for path, node, node_type, _ in _objects(card):
        if node_type.startswith("Action."):
            yield path, node


def inputs(card: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every input of a card (an object whose `type` begins with `Input.`), in document order."""
    for path, node, node_type, _ in _objects(card):
        if node_type.startswith("Input."):
            yield path, node


def templated(card: Mapping[str, Any]) -> list[Problem]:
    """One problem for every text and every member name that holds an expression of the template language, `${…}`."""
    detail = "has an expression of the template language (${…}): a template needs `data` to be filled with"
    return [
        Problem(pointer(path), detail)
        for path, value in _values(card)
        if (isinstance(value, str) and _TEMPLATE.search(value))
        or (path and isinstance(path[-1], str) and _TEMPLATE.search(path[-1]))
    ]


def check(card: Mapping[str, Any]) -> list[Problem]:
    """All that would make Teams refuse a card or is surely a mistake; an empty list for a card to be sent."""
    problems = [*_check_head(card), *_check_depth(card)]
    for path, node, node_type, implied in _objects(card):
        if not node_type:
            continue
        for key, slot in _SLOTS.get(node_type, _SLOTS_OF_ALL).items():
            # A null stands for a member left out: serializers write it, and Teams reads it so.
            if (value := node.get(key)) is not None:
                problems += _check_slot((*path, key), value, slot)
        fallback = node.get("fallback")
        if isinstance(fallback, dict) and not implied:
            slot = _ACTION if node_type.startswith("Action.") else _ELEMENT
            problems += _check_entry((*path, "fallback"), fallback, slot)
        elif not isinstance(fallback, dict | str | None):
            problems.append(Problem(pointer((*path, "fallback")), 'must be an object or "drop"'))
    return problems + _check_inputs(card)


def _objects(card: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any], str, str]]:
    """Every object of a card that is no payload: path, object, its type (written or implied), the implied type."""
    stack: list[tuple[Path, Any, str]] = [((), card, "AdaptiveCard")]
    while stack:
        path, value, implied = stack.pop()
        children: list[tuple[Path, Any, str]]
        if isinstance(value, list):
            children = [((*path, index), child, implied) for index, child in enumerate(value)]
        else:
            written = value.get("type")
            # The card is read as one even if its type is misspelt, so that all else that is wrong is found as well.
            node_type = written if isinstance(written, str) and path else implied
            yield path, value, node_type, implied
            slots = _SLOTS.get(node_type, {})
            payloads = _PAYLOADS_OF_ACTIONS if node_type.startswith("Action.") else _PAYLOADS
            children = [
                ((*path, key), child, slots[key].implied if key in slots else implied if key == "fallback" else "")
                for key, child in value.items()
                if key not in payloads
            ]
        if len(path) + 1 < MAX_DEPTH:
            stack.extend(child for child in reversed(children) if isinstance(child[1], dict | list))


def _values(card: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Every value of a card, payloads included, in document order, down to the first level too many."""
    stack: list[tuple[Path, Any]] = [((), dict(card))]
    while stack:
        path, value = stack.pop()
        yield path, value
        if len(path) < MAX_DEPTH:
            if isinstance(value, dict):
                stack.extend(((*path, key), child) for key, child in reversed(value.items()))
            elif isinstance(value, list):
                stack.extend(((*path, index), value[index]) for index in reversed(range(len(value))))


def _check_head(card: Mapping[str, Any]) -> Iterator[Problem]:
    if card.get("type") != "AdaptiveCard":
        yield Problem("/type", 'must be "AdaptiveCard"')
    version = card.get("version")
    if version is None:
        yield Problem("/version", 'is missing: say "1.5", the highest that Teams renders')
        return
    numbers = (
        re.fullmatch(r"([0-9]{1,4})\.([0-9]{1,4})(?:\.[0-9]{1,4})*", version) if isinstance(version, str) else None
    )
    if numbers is None or numbers[1] == "0":
        yield Problem("/version", 'must be text such as "1.5"')
    elif (int(numbers[1]), int(numbers[2])) > (1, 5):
        # https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-reference
        yield Problem("/version", 'Teams renders cards up to 1.5: use "1.5", newer Teams elements work with it as well')


def _check_depth(card: Mapping[str, Any]) -> list[Problem]:
    """Name the first place that is nested too deeply: one is enough to find the others."""
    for path, value in _values(card):
        if len(path) == MAX_DEPTH and isinstance(value, dict | list):
            return [Problem(pointer(path), f"is nested too deeply: {MAX_DEPTH} levels are allowed")]
    return []


def _check_slot(path: Path, value: Any, slot: _Slot) -> Iterator[Problem]:
    if not slot.array:
        yield from _check_entry(path, value, slot)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _check_entry((*path, index), entry, slot)
    else:
        yield Problem(pointer(path), "must be an array")


def _check_entry(path: Path, entry: Any, slot: _Slot) -> Iterator[Problem]:
    if not isinstance(entry, dict):
        if not (slot.text and isinstance(entry, str)):
            yield Problem(pointer(path), "must be text or an object" if slot.text else "must be an object")
        return
    entry_type = entry.get("type")
    if slot.kind == "action" and not (isinstance(entry_type, str) and re.match(r"Action\..", entry_type)):
        yield Problem(pointer((*path, "type")), 'must name an action, such as "Action.Submit"')
    elif slot.kind == "element" and not (isinstance(entry_type, str) and entry_type):
        yield Problem(pointer((*path, "type")), 'must name an element, such as "TextBlock"')


def _check_inputs(card: Mapping[str, Any]) -> list[Problem]:
    """Find inputs without an id, whose answers Teams drops, and ids that overwrite each other's answers.

    A button sends the inputs of its own card and of those around it, so that two Action.ShowCard side by side may use
    the same ids. A fallback stands in for its element and may use the same id too.
    """
    problems = []
    here: dict[tuple[str, Path], Path] = {}  # the first input of an id in a card
    below: dict[tuple[str, Path], Path] = {}  # the first input of an id in the cards inside a card
    for path, node in inputs(card):
        name = node.get("id")
        if not (isinstance(name, str) and name):
            problems.append(Problem(pointer((*path, "id")), "must be text: Teams drops an input that has no id"))
            continue
        if "fallback" in path:
            continue
        *around, own = [path[:end] for end in range(len(path) + 1) if end == 0 or path[end - 1] in ("card", "content")]
        twins = [here.get((name, scope)) for scope in (own, *around)]
        twin = next((found for found in (below.get((name, own)), *twins) if found is not None), None)
        if twin is not None:
            problems.append(Problem(pointer((*path, "id")), f"is the id of another input, {pointer(twin)}"))
        here.setdefault((name, own), path)
        for scope in around:
            below.setdefault((name, scope), path)
    return problems
