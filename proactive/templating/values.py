"""The values of expressions, which are JSON's, the scope they are looked up in, and what an expansion may cost."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

MOST_STEPS: Final = 50_000  # evaluations and list items of one expansion: about 10 ms
MOST_CHARACTERS: Final = 300_000  # of all texts that the functions of one expansion make
_LONGEST_NUMBER: Final = 2**63  # beyond it whole numbers count as floating ones, as they do in the SDKs
_EXACT: Final = 2**53
_DIGITS: Final = 300  # beyond it a number is no float any more

# By name: what a function does, and the fewest and the most arguments it takes; -1 for any number of them.
type Functions = Mapping[str, tuple[Callable[..., Any], int, int]]


class ExpressionError(Exception):
    """An expression that is malformed, or that its values make impossible. The text says what is wrong."""


class LimitError(ExpressionError):
    """A template that costs more than is allowed: no condition may take it for false."""


class OutputTooLargeError(LimitError):
    """A card that is surely larger than Teams takes."""


class Missing:
    """The type of `MISSING`."""

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()
"""What a path leads to that leads nowhere. Functions see null in its place."""


@dataclass(slots=True)
class Budget:
    """What is left for one expansion: steps, characters of intermediate texts, characters of the filled card."""

    output: int
    steps: int = MOST_STEPS
    characters: int = MOST_CHARACTERS

    def step(self, count: int) -> None:
        """Take steps. Raises `LimitError` when there are none left."""
        self.steps -= count
        if self.steps < 0:
            raise LimitError(f"the template takes more than {MOST_STEPS} steps")

    def text(self, length: int) -> None:
        """Take characters for a text that is to be made. Raises `LimitError` when there are none left."""
        self.characters -= length
        if self.characters < 0:
            raise LimitError(f"the expressions make more than {MOST_CHARACTERS} characters")

    def emit(self, length: int) -> None:
        """Take characters of the card. Raises `OutputTooLargeError` when there are none left."""
        self.output -= length
        if self.output < 0:
            raise OutputTooLargeError("the filled card is larger than Teams takes")


@dataclass(slots=True)
class Scope:
    """What names mean where an expression stands. `now` is what `utcNow()` gives."""

    root: Any
    data: Any
    recipient: Mapping[str, Any]
    now: datetime
    budget: Budget
    index: int | None = None
    variables: dict[str, Any] = field(default_factory=dict)

    def within(self, data: Any, index: int | None) -> "Scope":
        """Return the scope of an element with data of its own."""
        return Scope(self.root, data, self.recipient, self.now, self.budget, index, self.variables)

    def having(self, name: str, value: Any) -> "Scope":
        """Return the scope in which a name means the item that a function has come to."""
        variables = {**self.variables, name: value}
        return Scope(self.root, self.data, self.recipient, self.now, self.budget, self.index, variables)


def member(scope: Scope, value: Any, name: str) -> Any:
    """Return a member of an object, else the one whose name differs in case alone, as the SDKs do; or `MISSING`."""
    if not isinstance(value, Mapping):
        return MISSING
    found = value.get(name, MISSING)
    if found is not MISSING or not value:
        return found
    scope.budget.step(1 + len(value) // 4)
    folded = name.casefold()
    return next((value[key] for key in value if key.casefold() == folded), MISSING)


def element(scope: Scope, value: Any, key: Any) -> Any:
    """Return what `value[key]` is: an item by its number, or a member by its name; or `MISSING`."""
    if isinstance(key, str):
        return member(scope, value, key)
    if value is None or value is MISSING:
        return MISSING
    if not isinstance(value, list):
        raise ExpressionError("only an array has items by number")
    at = whole(key, "an index")
    return value[at] if 0 <= at < len(value) else MISSING


def is_true(value: Any) -> bool:
    """Whether a value counts as true: all but false and null do, 0 and "" included, as in the SDKs."""
    return value is not False and value is not None and value is not MISSING


def is_number(value: Any) -> bool:
    """Whether a value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(value: Any, what: str) -> int | float:
    """Return a number to reckon with. Raises `ExpressionError` where the value is none."""
    if not is_number(value):
        raise ExpressionError(f"{what} needs a number, not {kind(value)}")
    return checked(value)


def checked(value: float) -> int | float:
    """Return a result that stays within what numbers may be. Raises `ExpressionError` for one that does not."""
    if isinstance(value, int):
        if -_LONGEST_NUMBER < value < _LONGEST_NUMBER:
            return value
        if value.bit_length() > _DIGITS * 3:
            raise ExpressionError("a number is too large")
        return float(value)
    if not math.isfinite(value):
        raise ExpressionError("a number is too large")
    return value


def whole(value: Any, what: str) -> int:
    """Return a whole number; 2.0 is one. Raises `ExpressionError` for anything else."""
    given = number(value, what)
    if isinstance(given, float):
        if not given.is_integer():
            raise ExpressionError(f"{what} has to be a whole number")
        return int(given)
    return given


def text(value: Any, what: str) -> str:
    """Return a text; null is an empty one, as in the SDKs. Raises `ExpressionError` for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ExpressionError(f"{what} needs a text, not {kind(value)}")
    return value


def array(value: Any, what: str) -> list[Any]:
    """Return an array. Raises `ExpressionError` for anything else."""
    if not isinstance(value, list):
        raise ExpressionError(f"{what} needs an array, not {kind(value)}")
    return value


def mapping(value: Any, what: str) -> dict[str, Any]:
    """Return an object. Raises `ExpressionError` for anything else."""
    if not isinstance(value, dict):
        raise ExpressionError(f"{what} needs an object, not {kind(value)}")
    return value


def kind(value: Any) -> str:
    """Name the type of a value for a sender."""
    if value is None or value is MISSING:
        return "null"
    names = {bool: "true or false", str: "a text", list: "an array", dict: "an object"}
    return names.get(type(value), "a number")


def written(scope: Scope, value: Any) -> str:
    """Return a value as it stands in a text: null as nothing, 5.0 as 5, arrays and objects as JSON."""
    if isinstance(value, str):
        return value
    if value is None or value is MISSING:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    if isinstance(value, int):
        return str(value)
    return as_json(scope, value)


def as_json(scope: Scope, value: Any) -> str:
    """Return a value as JSON."""
    scope.budget.text(weight(value, scope.budget.characters))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def weight(value: Any, most: int) -> int:
    """Return about how many characters a value takes as JSON, never more; it stops once that is more than `most`."""
    if isinstance(value, str):
        return len(value) + 2
    if not isinstance(value, list | dict):
        return 1
    total, stack = 0, [value]
    while stack and total <= most:
        for entry in _children(stack.pop()):
            total += 1
            if isinstance(entry, str):
                total += len(entry)
            elif isinstance(entry, list | dict):
                stack.append(entry)
    return total + 2


def _children(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [*value, *value.values()]


def same(scope: Scope, one: Any, other: Any) -> bool:
    """Whether two values are equal; true equals 1, as documented for `equals`."""
    if isinstance(one, list | dict):
        if type(one) is not type(other) or len(one) != len(other):
            return False
        scope.budget.step(weight(one, scope.budget.steps))
    return bool(one == other)


def depth(value: Any, most: int) -> int:
    """Return how many objects and arrays stand inside one another; it stops above `most`."""
    level, layer = 0, [value]
    while layer := [entry for entry in layer if isinstance(entry, list | dict)]:
        level += 1
        if level > most:
            break
        layer = [child for entry in layer for child in (entry if isinstance(entry, list) else entry.values())]
    return level
