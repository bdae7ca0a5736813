"""Functions of objects, of types, and of JSON as text."""

from collections.abc import Callable
from typing import Any, Final

from proactive.jsontext import parse
from proactive.problems import ProblemError
from proactive.templating.values import (
    ExpressionError,
    Functions,
    Scope,
    as_json,
    depth,
    element,
    mapping,
    member,
    text,
)

DEEPEST: Final = 32
"""Objects and arrays inside one another, in data and in JSON that is read from a text."""


def _json(scope: Scope, value: Any) -> Any:
    given = text(value, "json")
    scope.budget.text(2 * len(given))
    try:
        made = parse(given)
    except ProblemError as problem:
        raise ExpressionError(problem.errors[0].detail.rstrip(".")) from None
    if depth(made, DEEPEST) > DEEPEST:
        raise ExpressionError(f"JSON is nested more than {DEEPEST} levels deep")
    return made


def _get(scope: Scope, value: Any, name: Any = None) -> Any:
    return member(scope, scope.data, text(value, "getProperty")) if name is None else element(scope, value, name)


def _with(name: str, *, new: bool) -> Callable[[Scope, Any, Any, Any], dict[str, Any]]:
    def run(scope: Scope, value: Any, key: Any, entry: Any) -> dict[str, Any]:
        given, at = mapping(value, name), text(key, name)
        if new and at in given:
            raise ExpressionError(f"there is a member {at[:40]!r} already")
        scope.budget.step(len(given))
        return {**given, at: entry}

    return run


def _without(scope: Scope, value: Any, key: Any) -> dict[str, Any]:
    given, at = mapping(value, "removeProperty"), text(key, "removeProperty")
    scope.budget.step(len(given))
    return {name: entry for name, entry in given.items() if name != at}


def _empty(_: Scope, value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


TABLE: Final[Functions] = {
    "json": (_json, 1, 1),
    "jsonStringify": (as_json, 1, 1),
    "getProperty": (_get, 1, 2),
    "setProperty": (_with("setProperty", new=False), 3, 3),
    "addProperty": (_with("addProperty", new=True), 3, 3),
    "removeProperty": (_without, 2, 2),
    "empty": (_empty, 1, 1),
    "isArray": (lambda _, value: isinstance(value, list), 1, 1),
    "isObject": (lambda _, value: isinstance(value, dict), 1, 1),
    "isString": (lambda _, value: isinstance(value, str), 1, 1),
}
