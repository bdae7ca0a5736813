"""A person's client with a card: find the button, fill in the inputs, and see what pressing it sends."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from local.teams.payload import ADAPTIVE_CARD

JSON = dict[str, Any]


class Button(NamedTuple):
    """An action, and the cards around it, outermost first: their inputs go with it."""

    action: JSON
    cards: tuple[JSON, ...]


def cards_in(activity: Mapping[str, Any]) -> list[JSON]:
    """Return the Adaptive Cards attached to an activity."""
    return [a["content"] for a in activity.get("attachments") or () if a.get("contentType") == ADAPTIVE_CARD]


def find_button(card: JSON, title: str) -> Button | None:
    """Return the action with this title (or, where it has none, this id), however deep it is nested.

    What stands under `fallback` is only looked at when nothing else fits: a client shows one or the other.
    """
    buttons = [*_buttons(card, (), fallbacks=False), *_buttons(card, (), fallbacks=True)]
    return next((button for button in buttons if button.action.get("title", button.action.get("id")) == title), None)


def titles(card: JSON) -> list[str]:
    """Return the titles of all buttons that can be pressed, in the card's order."""
    return [str(b.action.get("title", b.action.get("id"))) for b in _buttons(card, (), fallbacks=False)]


def values(button: Button, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the inputs that pressing the button sends: their own values, overlaid with the given ones.

    Raises ValueError where a required input is empty or an input is not on the card: a client sends nothing then.
    """
    if button.action.get("associatedInputs") == "none":
        return {}
    inputs = {found["id"]: found for card in button.cards for found in _inputs(card)}
    filled = {name: _initial(found) for name, found in inputs.items()} | dict(given or {})
    if strangers := sorted(filled.keys() - inputs.keys()):
        raise ValueError(f"the card has no input {strangers[0]!r}")
    if missing := [name for name, found in inputs.items() if found.get("isRequired") and not filled[name]]:
        raise ValueError(f"the input {missing[0]!r} is required")
    return filled


def submission(action: Mapping[str, Any], filled: Mapping[str, str]) -> tuple[str | None, object]:
    """Return the text and the value of the message that an Action.Submit becomes.

    The inputs are laid over the action's data. Data that is no object does not come back: Teams drops it
    (microsoft/AdaptiveCards issue 8064) and sends the inputs alone. `messageBack` and `imBack` in `data.msteams` put
    their text and value in its place, as in Microsoft Learn, "Card actions: Adaptive Cards with messageBack action".
    """
    data = action.get("data")
    if not isinstance(data, dict):
        return None, dict(filled)
    teams = data.get("msteams")
    if not isinstance(teams, dict):
        return None, {**data, **filled}
    match teams.get("type"):
        case "imBack":
            return str(teams.get("value", "")), None
        case "messageBack":
            value = _maybe_json(teams.get("value"))
            return teams.get("text"), {**value, **filled} if isinstance(value, dict) else value
        case _:
            return None, {**data, **filled}


def _buttons(node: object, cards: tuple[JSON, ...], *, fallbacks: bool) -> Iterator[Button]:
    if isinstance(node, list):
        for part in node:
            yield from _buttons(part, cards, fallbacks=fallbacks)
    elif isinstance(node, dict):
        if node.get("type") == "AdaptiveCard":
            cards = (*cards, node)
        if node.get("type") in ("Action.Submit", "Action.Execute"):
            yield Button(node, cards)
        for name, part in node.items():
            # An action's data belongs to its author and may hold anything, cards included.
            if name != "data" and (fallbacks or name != "fallback"):
                yield from _buttons(part, cards, fallbacks=fallbacks)


def _inputs(node: object) -> Iterator[JSON]:
    """Yield the inputs of one card, those of cards inside it left out."""
    if isinstance(node, list):
        for part in node:
            yield from _inputs(part)
    elif isinstance(node, dict):
        if str(node.get("type", "")).startswith("Input.") and "id" in node:
            yield node
        for name, part in node.items():
            inner_card = isinstance(part, dict) and part.get("type") == "AdaptiveCard"
            if name not in ("data", "fallback") and not inner_card:
                yield from _inputs(part)


def _initial(found: JSON) -> str:
    if found["type"] == "Input.Toggle":
        return str(found.get("value", found.get("valueOff", "false")))
    return str(found.get("value", ""))


def _maybe_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
