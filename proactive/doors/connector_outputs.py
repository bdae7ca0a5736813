"""What an answer to a card brings, as a schema: the designer shows the card's inputs as tokens."""

from collections.abc import Mapping
from typing import Any

from proactive import cards
from proactive.jsontext import parse
from proactive.marks import submit_actions
from proactive.problems import ProblemError

type Schema = dict[str, Any]

_KINDS: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array",
                              dict: "object"}  # fmt: skip


def of_card(card: Any, largest: int) -> Schema:
    """Return the schema of `data` in an answer to a card, given as an object or as its JSON text.

    A card that cannot be read, or has more than `largest` characters, has no inputs that we know: while a flow is being
    written a card may hold expressions that make it no JSON yet, and the other tokens should be there all the same.
    """
    properties: dict[str, Schema] = {}
    for _, node in cards.inputs(readable := _read(card, largest)):
        name = node.get("id")
        if isinstance(name, str) and name:
            label = node.get("label") if isinstance(node.get("label"), str) else ""
            # Clients differ about numbers: some send text. All other inputs are text, toggles included.
            kind = {} if node["type"] == "Input.Number" else {"type": "string"}
            properties.setdefault(name, {**kind, **_told(label or name, "What the person entered.")})
    for action in submit_actions(readable):
        for name, value in action.data.items() if isinstance(action.data, dict) else ():
            if name != "msteams":
                described = _told(name, "What the chosen action brings along.")
                properties.setdefault(name, _kind(value) | described)
    return {"type": "object", "properties": properties}


def _told(title: str, description: str) -> Schema:
    return {"title": title, "x-ms-summary": title, "description": description}


def _kind(value: Any) -> Schema:
    kind = _KINDS.get(type(value))
    if kind is None:
        return {}
    return {"type": kind, "items": {}} if kind == "array" else {"type": kind}


def _read(card: Any, largest: int) -> Mapping[str, Any]:
    if isinstance(card, str) and len(card) <= largest:
        try:
            card = parse(card)
        except ProblemError:
            return {}
    return card if isinstance(card, dict) else {}
