"""Expressions of the workflow definition language, as far as the flows in `docs/flows/` use them.

https://learn.microsoft.com/azure/logic-apps/workflow-definition-language-functions-reference

What is not known here fails: a flow may only hold what some test runs.
"""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

type Functions = Mapping[str, Callable[..., Any]]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_$]\w*)|(?P<sign>\?|.))"
)


class ExpressionError(Exception):
    """An expression that cannot be read, or that fails for its values."""


def value(template: Any, functions: Functions) -> Any:
    """Return a part of a definition with its expressions replaced by their values."""
    if isinstance(template, dict):
        return {value(name, functions): value(inner, functions) for name, inner in template.items()}
    if isinstance(template, list):
        return [value(inner, functions) for inner in template]
    if not isinstance(template, str):
        return template
    if template.startswith("@@"):
        return template[1:]
    if template.startswith("@") and not template.startswith("@{"):
        found, end = _Reader(template, functions).expression(1)
        if template[end:].strip():
            raise ExpressionError(f"{template[end:]!r} is left over in {template!r}")
        return found
    return _interpolated(template, functions)


def _interpolated(template: str, functions: Functions) -> str:
    parts, at = [], 0
    while (begins := template.find("@{", at)) >= 0:
        parts.append(template[at:begins])
        found, end = _Reader(template, functions).expression(begins + 2)
        if template[end : end + 1] != "}":
            raise ExpressionError(f"a }} is missing in {template!r}")
        parts.append(text(found))
        at = end + 1
    return "".join([*parts, template[at:]])


def text(found: Any) -> str:
    """Return a value as it stands in a text."""
    if found is None:
        return ""
    return found if isinstance(found, str) else json.dumps(found)


class _Reader:
    """Reads one expression and works it out on the way."""

    def __init__(self, source: str, functions: Functions) -> None:
        self.source = source
        self.functions = {**FUNCTIONS, **functions}

    def expression(self, at: int) -> tuple[Any, int]:
        found, at = self._primary(at)
        while True:
            kind, sign, after = self._next(at)
            lenient = (kind, sign) == ("sign", "?")
            if lenient:
                kind, sign, after = self._next(after)
            if (kind, sign) == ("sign", "["):
                key, after = self.expression(after)
                at = self._expect("]", after)
                found = self._member(found, key, lenient=lenient)
            elif (kind, sign) == ("sign", "."):
                kind, key, at = self._next(after)
                found = self._member(found, key, lenient=lenient)
            else:
                return found, at

    def _primary(self, at: int) -> tuple[Any, int]:
        kind, token, at = self._next(at)
        if kind == "text":
            return token[1:-1].replace("''", "'"), at
        if kind == "number":
            return (float(token) if "." in token else int(token)), at
        if kind != "name":
            raise ExpressionError(f"{token!r} in {self.source!r}")
        constants = {"true": True, "false": False, "null": None}
        if token in constants:
            return constants[token], at
        at = self._expect("(", at)
        arguments: list[Any] = []
        while self._next(at)[1] != ")":
            if arguments:
                at = self._expect(",", at)
            argument, at = self.expression(at)
            arguments.append(argument)
        if token not in self.functions:
            raise ExpressionError(f"there is no function {token}, in {self.source!r}")
        return self.functions[token](*arguments), self._expect(")", at)

    def _member(self, found: Any, key: Any, *, lenient: bool) -> Any:
        try:
            return found[key]
        except (KeyError, IndexError, TypeError):
            if lenient:
                return None
            raise ExpressionError(f"there is no {key!r}, in {self.source!r}") from None

    def _expect(self, sign: str, at: int) -> int:
        _, token, after = self._next(at)
        if token != sign:
            raise ExpressionError(f"{sign!r} is missing at {at} in {self.source!r}")
        return after

    def _next(self, at: int) -> tuple[str, str, int]:
        match = _TOKEN.match(self.source, at)
        if match is None:
            return "end", "", at
        kind = str(match.lastgroup)
        return kind, match[kind], match.end()


def _all(*values: Any) -> bool:
    return all(_truth(one) for one in values)


def _any(*values: Any) -> bool:
    return any(_truth(one) for one in values)


def _truth(one: Any) -> bool:
    if not isinstance(one, bool):
        raise ExpressionError(f"{one!r} is neither true nor false")
    return one


FUNCTIONS: Functions = {
    "add": lambda a, b: a + b,
    "and": _all,
    "coalesce": lambda *values: next((one for one in values if one is not None), None),
    "concat": lambda *values: "".join(map(text, values)),
    "contains": lambda whole, part: part in whole,
    "empty": lambda whole: not whole,
    "equals": lambda a, b: a == b,
    "first": lambda whole: whole[0] if whole else None,
    "greater": lambda a, b: a > b,
    "guid": lambda: str(uuid.uuid4()),
    "join": lambda parts, sign: sign.join(map(text, parts)),
    "json": json.loads,
    "length": len,
    "less": lambda a, b: a < b,
    "not": lambda one: not _truth(one),
    "or": _any,
    "split": lambda whole, sign: whole.split(sign),
    "string": text,
    "trim": str.strip,
}
