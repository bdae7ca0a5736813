"""What operators do, and how the parts of an expression become one function of a scope.

Chains of operators and of members are loops: an expression nests only where its author has nested it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from proactive.templating.values import (
    MISSING,
    ExpressionError,
    LimitError,
    Scope,
    checked,
    element,
    is_number,
    is_true,
    kind,
    member,
    number,
    same,
    written,
)

type Code = Callable[[Scope], Any]
type Work = Callable[[Scope, Any, Any], Any]

_EXACT: Final = 2**53


def plain(value: Any) -> Any:
    """Return a value as functions see it: what is missing is null."""
    return None if value is MISSING else value


def add(scope: Scope, one: Any, other: Any) -> Any:
    """Add numbers; of anything else make one text."""
    if is_number(one) and is_number(other):
        return checked(checked(one) + checked(other))
    return joined(scope, one, other)


def joined(scope: Scope, one: Any, other: Any) -> str:
    """Return two values as one text."""
    texts = written(scope, one), written(scope, other)
    scope.budget.text(len(texts[0]) + len(texts[1]))
    return "".join(texts)


def subtract(_: Scope, one: Any, other: Any) -> Any:
    """Return the difference of two numbers."""
    return checked(number(one, "-") - number(other, "-"))


def multiply(_: Scope, one: Any, other: Any) -> Any:
    """Return the product of two numbers."""
    return checked(number(one, "*") * number(other, "*"))


def divide(_: Scope, one: Any, other: Any) -> Any:
    """Divide: of two whole numbers the whole part, towards zero, as documented for `div`."""
    dividend, divisor = number(one, "/"), number(other, "/")
    if divisor == 0:
        raise ExpressionError("a number is divided by 0")
    if isinstance(dividend, int) and isinstance(divisor, int):
        quotient = abs(dividend) // abs(divisor)
        return quotient if (dividend < 0) == (divisor < 0) else -quotient
    return checked(dividend / divisor)


def remainder(_: Scope, one: Any, other: Any) -> Any:
    """Return what a division leaves, with the sign of the dividend."""
    dividend, divisor = number(one, "%"), number(other, "%")
    if divisor == 0:
        raise ExpressionError("a number is divided by 0")
    if isinstance(dividend, int) and isinstance(divisor, int):
        left = abs(dividend) % abs(divisor)
        return left if dividend >= 0 else -left
    return checked(math.fmod(dividend, divisor))


def power(_: Scope, one: Any, other: Any) -> Any:
    """Raise a number to a power, reckoned with floating numbers: huge powers cost nothing."""
    base, exponent = number(one, "^"), number(other, "^")
    try:
        result = math.pow(base, exponent)
    except (OverflowError, ValueError) as error:
        raise ExpressionError("a power has no result that is a number") from error
    result = float(checked(result))
    exact = isinstance(base, int) and isinstance(exponent, int) and result.is_integer() and abs(result) < _EXACT
    return int(result) if exact else result


def compare(one: Any, other: Any) -> int:
    """Return -1, 0 or 1 for two numbers or two texts. Raises `ExpressionError` for anything else."""
    if not (is_number(one) and is_number(other)) and not (isinstance(one, str) and isinstance(other, str)):
        raise ExpressionError(f"{kind(one)} and {kind(other)} cannot be compared")
    return int(one > other) - int(one < other)


BINARY: Final[dict[str, Work]] = {
    "+": add,
    "&": joined,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "^": power,
    "==": same,
    "!=": lambda scope, one, other: not same(scope, one, other),
    "<": lambda _, one, other: compare(one, other) < 0,
    "<=": lambda _, one, other: compare(one, other) <= 0,
    ">": lambda _, one, other: compare(one, other) > 0,
    ">=": lambda _, one, other: compare(one, other) >= 0,
}


def chain(first: Code, rest: Sequence[tuple[Work, Code]]) -> Code:
    """Return operators of one level, carried out from left to right."""

    def run(scope: Scope) -> Any:
        value = plain(first(scope))
        for work, code in rest:
            value = work(scope, value, plain(code(scope)))
        return value

    return run


def holds(code: Code, scope: Scope) -> bool:
    """Whether a condition is true. One that cannot be evaluated is not, as in the SDKs."""
    try:
        return is_true(code(scope))
    except LimitError:
        raise
    except ExpressionError:
        return False


def both(codes: Sequence[Code]) -> Code:
    """Return whether all conditions are true; the rest is not looked at after one that is not."""
    return lambda scope: all(holds(code, scope) for code in codes)


def either(codes: Sequence[Code]) -> Code:
    """Return whether any condition is true; the rest is not looked at after one that is."""
    return lambda scope: any(holds(code, scope) for code in codes)


def negated(code: Code) -> Code:
    """Return whether a condition is not true."""
    return lambda scope: not holds(code, scope)


def choose(condition: Code, one: Code, other: Code) -> Code:
    """Return one value where a condition is true, else the other, which is not even looked at."""
    return lambda scope: (one if holds(condition, scope) else other)(scope)


def coalesce(codes: Sequence[Code]) -> Code:
    """Return the first value that is not null."""

    def run(scope: Scope) -> Any:
        for code in codes:
            value = code(scope)
            if value is not None and value is not MISSING:
                return value
        return None

    return run


def signed(code: Code, mark: str) -> Code:
    """Return a number with its sign."""
    return lambda scope: number(plain(code(scope)), mark) * (-1 if mark == "-" else 1)


def path(code: Code, steps: Sequence[str | Code]) -> Code:
    """Return what stands behind names and indexes, one after the other."""
    if len(steps) == 1 and isinstance(steps[0], str):
        name = steps[0]
        return lambda scope: member(scope, code(scope), name)

    def run(scope: Scope) -> Any:
        value = code(scope)
        for step in steps:
            key = step if isinstance(step, str) else plain(step(scope))
            value = element(scope, value, key)
        return value

    return run


def made_array(codes: Sequence[Code]) -> Code:
    """Return an array of values."""
    return lambda scope: [plain(code(scope)) for code in codes]


def made_object(members: Sequence[tuple[str, Code]]) -> Code:
    """Return an object of values."""
    return lambda scope: {name: plain(code(scope)) for name, code in members}


def interpolated(parts: Sequence[str | Code]) -> Code:
    """Return a text with values in it."""

    def run(scope: Scope) -> str:
        texts = [part if isinstance(part, str) else written(scope, part(scope)) for part in parts]
        scope.budget.text(sum(map(len, texts)))
        return "".join(texts)

    return run
