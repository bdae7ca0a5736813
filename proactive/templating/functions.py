"""The functions that expressions may call: a table by name, and the few that evaluate their arguments themselves.

What each does is documented at
https://learn.microsoft.com/azure/bot-service/adaptive-expressions/adaptive-expressions-prebuilt-functions
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from proactive.templating import lists, moments, numbers, objects, texts
from proactive.templating.operators import Code, both, choose, coalesce, either, holds, negated, plain
from proactive.templating.values import ExpressionError, Scope, array, is_true

_NO_END: Final = 50  # arguments, where a function takes any number


class _Function(NamedTuple):
    work: Callable[..., Any]
    least: int
    most: int


type _Loop = Callable[[Code, str, Code, int], Code]


def call(name: str, arguments: Sequence[Code]) -> Code:
    """Return a call. Raises `ExpressionError` for an unknown function or a wrong number of arguments."""
    if name in _CONDITIONS:
        least, most, build = _CONDITIONS[name]
        _count(name, len(arguments), least, most)
        return build(arguments)
    known = _FUNCTIONS.get(name)
    if known is None:
        near = difflib.get_close_matches(name[:40], [*_FUNCTIONS, *_CONDITIONS, *LOOPS], 1)
        hint = f"; did you mean {near[0]}?" if near else ": docs/templates.md lists those there are"
        raise ExpressionError(f"there is no function {name[:40]!r}{hint}")
    _count(name, len(arguments), known.least, known.most)
    work = known.work
    if len(arguments) == 1:
        only = arguments[0]
        return lambda scope: work(scope, plain(only(scope)))
    return lambda scope: work(scope, *[plain(code(scope)) for code in arguments])


def _count(name: str, given: int, least: int, most: int) -> None:
    if not least <= given <= most:
        many = "any number of arguments" if most == _NO_END else f"at most {most} arguments"
        wanted = f"{least} arguments" if least == most else f"at least {least} and {many}"
        raise ExpressionError(f"{name} takes {wanted}, not {given}")


def _each(scope: Scope, items: Code, name: str, body: Code, cost: int) -> list[tuple[Any, Any]]:
    """Return each item with what the body makes of it."""
    found = []
    for item in _items(plain(items(scope))):
        scope.budget.step(cost + 2)
        found.append((item, body(scope.having(name, item))))
    return found


def _items(value: Any) -> list[Any]:
    """Return the items of an array; of an object its members as key and value."""
    if isinstance(value, dict):
        return [{"key": key, "value": entry} for key, entry in value.items()]
    return array(value, "a loop")


def _foreach(items: Code, name: str, body: Code, cost: int) -> Code:
    return lambda scope: [plain(made) for _, made in _each(scope, items, name, body, cost)]


def _where(items: Code, name: str, body: Code, cost: int) -> Code:
    def run(scope: Scope) -> Any:
        given = plain(items(scope))
        kept = []
        for item in _items(given):
            scope.budget.step(cost + 2)
            if holds(body, scope.having(name, item)):
                kept.append(item)
        return {item["key"]: item["value"] for item in kept} if isinstance(given, dict) else kept

    return run


def _any(items: Code, name: str, body: Code, cost: int) -> Code:
    return lambda scope: any(is_true(made) for _, made in _each(scope, items, name, body, cost))


def _all(items: Code, name: str, body: Code, cost: int) -> Code:
    return lambda scope: all(is_true(made) for _, made in _each(scope, items, name, body, cost))


def _exists(codes: Sequence[Code]) -> Code:
    def run(scope: Scope) -> bool:
        try:
            return plain(codes[0](scope)) is not None
        except ExpressionError as error:
            if type(error) is not ExpressionError:
                raise
            return False

    return run


LOOPS: Final[Mapping[str, _Loop]] = {
    "foreach": _foreach,
    "select": _foreach,
    "where": _where,
    "any": _any,
    "all": _all,
}
"""Functions that evaluate one of their arguments for every item."""

_CONDITIONS: Final[Mapping[str, tuple[int, int, Callable[[Sequence[Code]], Code]]]] = {
    "if": (3, 3, lambda codes: choose(*codes)),
    "and": (1, _NO_END, both),
    "or": (1, _NO_END, either),
    "not": (1, 1, lambda codes: negated(codes[0])),
    "exists": (1, 1, _exists),
    "coalesce": (1, _NO_END, coalesce),
}

_FUNCTIONS: Final[Mapping[str, _Function]] = {
    name: _Function(work, least, _NO_END if most < 0 else most)
    for room in (texts.TABLE, lists.TABLE, numbers.TABLE, moments.TABLE, objects.TABLE)
    for name, (work, least, most) in room.items()
}

NAMES: Final = frozenset({*_FUNCTIONS, *_CONDITIONS, *LOOPS})
"""Every function there is."""
