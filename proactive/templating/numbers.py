"""Functions of numbers, and what makes numbers of texts and texts of numbers."""

import math
import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any, Final

from proactive.templating.operators import BINARY, divide, multiply, power, remainder, subtract
from proactive.templating.values import (
    ExpressionError,
    Functions,
    Scope,
    checked,
    is_number,
    same,
    text,
    whole,
    written,
)
from proactive.templating.values import number as number_of

_MOST_DIGITS: Final = 15
_NUMBER: Final = re.compile(r"\s*[+-]?(?:[0-9]{1,300}(?:\.[0-9]{0,300})?|\.[0-9]{1,300})(?:[eE][+-]?[0-9]{1,3})?\s*")
_NARROW: Final = "\u00a0"  # a space at which no line is broken
# By language: what parts thousands, and what parts the fraction.
_SIGNS: Final[Mapping[str, tuple[str, str]]] = {
    **dict.fromkeys(("en", "ja", "ko", "zh", "th", "he"), (",", ".")),
    **dict.fromkeys(("da", "de", "el", "es", "id", "it", "nl", "pt", "ro", "tr"), (".", ",")),
    **dict.fromkeys(("bg", "cs", "fi", "fr", "hu", "nb", "no", "pl", "ru", "sk", "sv", "uk"), (_NARROW, ",")),
}


def signs(locale: Any) -> tuple[str, str]:
    """Return what parts thousands and what parts the fraction in a locale such as `de-DE`; in English unless given."""
    if not locale:
        return _SIGNS["en"]
    found = _SIGNS.get(text(locale, "a locale").partition("-")[0].lower())
    if found is None:
        raise ExpressionError(f"the locale {str(locale)[:20]!r} is not known: docs/templates.md lists those that are")
    return found


def rounded(value: float, digits: int) -> Decimal:
    """Return a number with so many digits after the point, halves away from zero, as people round."""
    with localcontext(prec=400):
        return Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def _digits(value: Any, name: str) -> int:
    digits = whole(value, name)
    if not 0 <= digits <= _MOST_DIGITS:
        raise ExpressionError(f"{name} takes 0 to {_MOST_DIGITS} digits")
    return digits


def _round(_: Scope, value: Any, digits: Any = 0) -> int | float:
    given, places = number_of(value, "round"), _digits(digits, "round")
    result = rounded(given, places)
    return checked(int(result)) if not places else checked(float(result))


def _format_number(_: Scope, value: Any, digits: Any, locale: Any = None) -> str:
    given = _parsed(value) if isinstance(value, str) else number_of(value, "formatNumber")
    thousands, point = signs(locale)
    shown = f"{rounded(given, _digits(digits, 'formatNumber')):,f}"
    return shown.replace(",", "\0").replace(".", point).replace("\0", thousands)


def _parsed(value: str) -> float:
    if not _NUMBER.fullmatch(value):
        raise ExpressionError("a text is no number")
    return checked(float(value))


def _float(_: Scope, value: Any) -> float:
    return _parsed(value) if isinstance(value, str) else float(number_of(value, "float"))


def _int(_: Scope, value: Any) -> int:
    if isinstance(value, str):
        stripped = value.strip()
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", stripped):
            raise ExpressionError("a text is no whole number")
        return int(stripped)
    return int(number_of(value, "int"))


def _string(scope: Scope, value: Any, locale: Any = None) -> str:
    made = written(scope, value)
    if is_number(value) and locale:
        return made.replace(".", signs(locale)[1])
    return made


def _bool(_: Scope, value: Any) -> bool:
    if isinstance(value, str):
        named = {"true": True, "false": False}.get(value.strip().lower())
        if named is None:
            raise ExpressionError("a text is neither true nor false")
        return named
    if is_number(value):
        return bool(value != 0)
    return value is not None and value is not False


def _to_whole(name: str, work: Callable[[float], int]) -> Callable[[Scope, Any], Any]:
    return lambda _, value: checked(work(number_of(value, name)))


def _sqrt(_: Scope, value: Any) -> int | float:
    given = number_of(value, "sqrt")
    if given < 0:
        raise ExpressionError("a negative number has no square root")
    root = math.sqrt(given)
    return int(root) if root.is_integer() else root


def _is_integer(_: Scope, value: Any) -> bool:
    return is_number(value) and float(checked(value)).is_integer()


def _many(name: str, work: Callable[[Scope, Any, Any], Any]) -> Callable[..., Any]:
    def run(scope: Scope, *values: Any) -> Any:
        total = number_of(values[0], name)
        for value in values[1:]:
            total = work(scope, total, value)
        return total

    return run


TABLE: Final[Functions] = {
    "abs": (lambda _, value: abs(number_of(value, "abs")), 1, 1),
    "sub": (_many("sub", subtract), 2, -1),
    "mul": (_many("mul", multiply), 2, -1),
    "div": (_many("div", divide), 2, -1),
    "mod": (remainder, 2, 2),
    "exp": (power, 2, 2),
    "sqrt": (_sqrt, 1, 1),
    "floor": (_to_whole("floor", math.floor), 1, 1),
    "ceiling": (_to_whole("ceiling", math.ceil), 1, 1),
    "round": (_round, 1, 2),
    "formatNumber": (_format_number, 2, 3),
    "float": (_float, 1, 1),
    "int": (_int, 1, 1),
    "string": (_string, 1, 2),
    "bool": (_bool, 1, 1),
    "equals": (same, 2, 2),
    "less": (BINARY["<"], 2, 2),
    "lessOrEquals": (BINARY["<="], 2, 2),
    "greater": (BINARY[">"], 2, 2),
    "greaterOrEquals": (BINARY[">="], 2, 2),
    "isInteger": (_is_integer, 1, 1),
    "isFloat": (lambda scope, value: is_number(value) and not _is_integer(scope, value), 1, 1),
    "isBoolean": (lambda _, value: isinstance(value, bool), 1, 1),
}
