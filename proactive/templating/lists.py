"""Functions of arrays, and of what is read like one."""

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any, Final

from proactive.templating.operators import compare
from proactive.templating.values import (
    MISSING,
    ExpressionError,
    Functions,
    Scope,
    array,
    as_json,
    depth,
    element,
    is_number,
    mapping,
    member,
    number,
    same,
    text,
    whole,
    written,
)

_DEEPEST: Final = 64  # arrays in arrays that `flatten` opens


def _contains(scope: Scope, value: Any, sought: Any) -> bool:
    if value is None:
        return False
    if isinstance(value, str):
        part = text(sought, "contains")
        scope.budget.text(len(value))
        return part in value
    if isinstance(value, dict):
        return isinstance(sought, str) and member(scope, value, sought) is not MISSING
    scope.budget.step(len(array(value, "contains")))
    return any(same(scope, item, sought) for item in value)


def _first(_: Scope, value: Any) -> Any:
    return value[0] if isinstance(value, str | list) and value else None


def _last(_: Scope, value: Any) -> Any:
    return value[-1] if isinstance(value, str | list) and value else None


def _count(_: Scope, value: Any) -> int:
    if value is None:
        return 0
    if not isinstance(value, str | list | dict):
        raise ExpressionError("count needs an array, an object or a text")
    return len(value)


def _join(scope: Scope, value: Any, delimiter: Any, last: Any = None) -> str:
    """Join items; a third argument stands before the last one, as in "a, b and c"."""
    items = array(value, "join")
    scope.budget.step(len(items))
    between = text(delimiter, "join")
    final = between if last is None else text(last, "join")
    parts = [written(scope, item) for item in items]
    scope.budget.text(sum(map(len, parts)) + len(between) * len(parts) + len(final))
    return final.join([between.join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def _key(scope: Scope, value: Any) -> tuple[int, Any]:
    """Return what equal values share, so that finding one among many takes no search."""
    if is_number(value):
        return 0, value
    if isinstance(value, list | dict):
        return 1, as_json(scope, value)
    return (2, value) if isinstance(value, str) else (3, value)


def _keyed(scope: Scope, items: list[Any]) -> dict[tuple[int, Any], Any]:
    scope.budget.step(2 * len(items))
    found: dict[tuple[int, Any], Any] = {}
    for item in items:
        found.setdefault(_key(scope, item), item)
    return found


def _union(scope: Scope, *values: Any) -> list[Any]:
    return list(_keyed(scope, [item for value in values for item in array(value, "union")]).values())


def _unique(scope: Scope, value: Any) -> list[Any]:
    return list(_keyed(scope, array(value, "unique")).values())


def _intersection(scope: Scope, *values: Any) -> list[Any]:
    kept, *others = (_keyed(scope, array(value, "intersection")) for value in values)
    return [item for key, item in kept.items() if all(key in other for other in others)]


def _skip(scope: Scope, value: Any, count: Any) -> Any:
    given = value if isinstance(value, str) else array(value, "skip")
    return _cut(scope, given, max(0, whole(count, "skip")), len(given))


def _take(scope: Scope, value: Any, count: Any) -> Any:
    given = value if isinstance(value, str) else array(value, "take")
    return _cut(scope, given, 0, max(0, whole(count, "take")))


def _sub_array(scope: Scope, value: Any, start: Any, end: Any = None) -> Any:
    given = array(value, "subArray")
    first = whole(start, "subArray")
    last = len(given) if end is None else whole(end, "subArray")
    if not 0 <= first <= last <= len(given):
        raise ExpressionError(f"subArray goes beyond an array of {len(given)} items")
    return _cut(scope, given, first, last)


def _cut(scope: Scope, value: Any, start: int, end: int) -> Any:
    made = value[start:end]
    if isinstance(made, str):
        scope.budget.text(len(made))
    else:
        scope.budget.step(len(made))
    return made


def _sorted(name: str, *, descending: bool) -> Callable[..., list[Any]]:
    def run(scope: Scope, value: Any, by: Any = None) -> list[Any]:
        items = array(value, name)
        scope.budget.step(20 * len(items))
        part = None if by is None else text(by, name)
        keys = [item if part is None else element(scope, item, part) for item in items]

        def order(one: int, other: int) -> int:
            return compare(keys[one], keys[other])

        return [items[at] for at in sorted(range(len(items)), key=cmp_to_key(order), reverse=descending)]

    return run


def _indices_and_values(scope: Scope, value: Any) -> list[Any]:
    pairs = list(value.items() if isinstance(value, dict) else enumerate(array(value, "indicesAndValues")))
    scope.budget.step(len(pairs))
    return [{"index": index, "value": entry} for index, entry in pairs]


def _flatten(scope: Scope, value: Any, levels: Any = _DEEPEST) -> list[Any]:
    items = array(value, "flatten")
    for _ in range(max(0, min(whole(levels, "flatten"), depth(items, _DEEPEST)))):
        scope.budget.step(sum(len(item) if isinstance(item, list) else 1 for item in items))
        items = [child for item in items for child in (item if isinstance(item, list) else [item])]
    return items


def _range(scope: Scope, start: Any, count: Any) -> list[int]:
    first, many = whole(start, "range"), whole(count, "range")
    if many < 0:
        raise ExpressionError("range needs a count that is not negative")
    scope.budget.step(many)
    return list(range(first, first + many))


def _numbers(name: str, values: tuple[Any, ...]) -> list[int | float]:
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [number(item, name) for item in flat]


def _extreme(name: str, pick: Callable[[list[int | float]], int | float]) -> Callable[..., Any]:
    def run(scope: Scope, *values: Any) -> Any:
        found = _numbers(name, values)
        scope.budget.step(len(found))
        if not found:
            raise ExpressionError(f"{name} needs at least one number")
        return pick(found)

    return run


def _sum(scope: Scope, value: Any) -> int | float:
    found = _numbers("sum", (array(value, "sum"),))
    scope.budget.step(len(found))
    total = sum(found)
    return number(total, "sum")


def _average(scope: Scope, value: Any) -> int | float:
    items = array(value, "average")
    if not items:
        raise ExpressionError("average needs at least one number")
    mean = _sum(scope, items) / len(items)
    return int(mean) if mean.is_integer() and abs(mean) < 2**53 else mean


def _merge(scope: Scope, *values: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for value in values:
        for part in value if isinstance(value, list) else [value]:
            scope.budget.step(len(mapping(part, "merge")))
            made |= part
    return made


TABLE: Final[Functions] = {
    "contains": (_contains, 2, 2),
    "first": (_first, 1, 1),
    "last": (_last, 1, 1),
    "count": (_count, 1, 1),
    "join": (_join, 2, 3),
    "union": (_union, 1, -1),
    "unique": (_unique, 1, 1),
    "intersection": (_intersection, 1, -1),
    "skip": (_skip, 2, 2),
    "take": (_take, 2, 2),
    "subArray": (_sub_array, 2, 3),
    "sortBy": (_sorted("sortBy", descending=False), 1, 2),
    "sortByDescending": (_sorted("sortByDescending", descending=True), 1, 2),
    "indicesAndValues": (_indices_and_values, 1, 1),
    "flatten": (_flatten, 1, 2),
    "range": (_range, 2, 2),
    "max": (_extreme("max", max), 1, -1),
    "min": (_extreme("min", min), 1, -1),
    "sum": (_sum, 1, 1),
    "average": (_average, 1, 1),
    "merge": (_merge, 1, -1),
    "createArray": (lambda _, *values: list(values), 0, -1),
}
