"""A card in the template language: read once, filled for each person.

| in the card | means |
|---|---|
| a text that is one `${…}` | the value, of whatever type |
| another text with `${…}` | the text with the values in it |
| `$data` in an object | what names mean inside; for an array the object is repeated, with `$index` |
| `$when` in an object | it is left out unless that is true |

The rules are those of https://learn.microsoft.com/adaptive-cards/templating/language. What is the same for everybody is
shared among all filled cards, so nobody may change a part of one in place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from proactive import cards
from proactive.templating import parser
from proactive.templating.parser import Expression
from proactive.templating.values import (
    MISSING,
    Budget,
    ExpressionError,
    LimitError,
    OutputTooLargeError,
    Scope,
    weight,
    written,
)

_RESERVED: Final = frozenset({"$data", "$when", "$root", "$index", "$host"})
_NO_LIMIT: Final = 10**9
_SHOWN: Final = 100  # characters of an expression that an error quotes

type _Build = Callable[[Scope], Any]


class Fault(NamedTuple):
    """What is wrong with a template: where, as a JSON pointer, and a sentence that quotes the expression."""

    pointer: str
    detail: str


class TemplateError(Exception):
    """A template that these data do not fill."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


class FilledTooLargeError(Exception):
    """A card that is larger than Teams takes once it is filled."""


class _Dropped:
    """What is left of an element whose `$when` is not true."""


class _Several(list[Any]):
    """The elements that a repeated one becomes."""


_DROPPED: Final = _Dropped()


@dataclass(frozen=True, slots=True)
class Template:
    """A value that was read once: `dynamic` if there is anything to fill, `personal` if it asks who gets it."""

    where: str
    build: _Build
    dynamic: bool
    personal: bool

    def fill(self, data: Any, recipient: Mapping[str, Any], now: datetime, most: int) -> Any:
        """Return the value filled with `data` for a recipient, of at most `most` characters.

        Raises `TemplateError` where the data do not fit it, or it costs too much, and `FilledTooLargeError`.
        """
        return self._run(Scope(data, data, recipient, now, Budget(most)))

    def fill_text(self, data: Any, recipient: Mapping[str, Any], now: datetime, most: int) -> str:
        """Return the value filled like `fill`, as a text whatever its type."""
        scope = Scope(data, data, recipient, now, Budget(most))
        return written(scope, self._run(scope))

    def _run(self, scope: Scope) -> Any:
        try:
            filled = self.build(scope)
        except OutputTooLargeError as error:
            raise FilledTooLargeError(str(error)) from None
        except LimitError as error:
            raise TemplateError(Fault(self.where, f"It cannot be filled: {error}.")) from None
        except RecursionError:
            raise TemplateError(Fault(self.where, "It cannot be filled: it is nested too deeply.")) from None
        if isinstance(filled, _Several) and len(filled) == 1:
            filled = filled[0]
        if filled is _DROPPED or isinstance(filled, _Several):
            detail = "It cannot be filled: its own $data and $when do not leave just one of it."
            raise TemplateError(Fault(self.where, detail))
        return filled


def read(value: Any, where: str, faults: list[Fault]) -> Template:
    """Return a template, noting in `faults` all that is wrong with its expressions. `where` points to the value."""
    reader = _Reader(where, faults)
    constant, made = reader.value(value, where)
    build = _always(made) if constant else made
    return Template(where, build, not constant, reader.personal)


def _always(value: Any) -> _Build:
    return lambda _: value


class _Reader:
    def __init__(self, root: str, faults: list[Fault]) -> None:
        self._root = root
        self._faults = faults
        self._count = 0
        self.personal = False

    def value(self, value: Any, where: str) -> tuple[bool, Any]:
        """Return whether a value is the same for everybody, and the value; else what builds it."""
        if isinstance(value, str):
            return self._text(value, where) if "${" in value else (True, value)
        if isinstance(value, list):
            return self._array(value, where)
        if isinstance(value, dict):
            return self._object(value, where)
        return True, value

    def _text(self, text: str, where: str) -> tuple[bool, Any]:
        parts = self._parts(text, where)
        if not any(isinstance(part, Expression) for part in parts):
            return True, "".join(str(part) for part in parts)
        return False, _single(parts[0], where) if isinstance(parts[0], Expression) and not parts[1:] else _mixed(
            parts, where
        )

    def _given(self, value: Any, where: str) -> tuple[bool, Any]:
        """Read what `$data` or `$when` says: a value that is no part of the filled card."""
        if isinstance(value, str):
            parts = self._parts(value, where)
            if len(parts) == 1 and isinstance(expression := parts[0], Expression):
                return False, lambda scope: _value(expression, where, scope)
        return self.value(value, where)

    def _parts(self, text: str, where: str) -> list[str | Expression]:
        if self._count > parser.MOST:
            return [text]
        try:
            parts = parser.split(text)
        except ExpressionError as error:
            self._faults.append(_fault(where, error.args[1] if len(error.args) > 1 else text, error))
            return [text]
        expressions = [part for part in parts if isinstance(part, Expression)]
        self._count += len(expressions)
        if self._count > parser.MOST:
            self._faults.append(Fault(where, f"There are more than {parser.MOST} expressions up to here."))
        self.personal = self.personal or any(part.personal for part in expressions)
        return parts

    def _array(self, entries: list[Any], where: str) -> tuple[bool, Any]:
        read = [self.value(entry, f"{where}/{at}") for at, entry in enumerate(entries)]
        if all(constant for constant, _ in read):
            return True, [made for _, made in read]
        static = 2 + sum(1 + (weight(made, _NO_LIMIT) if constant else 0) for constant, made in read)

        def build(scope: Scope) -> list[Any]:
            scope.budget.emit(static)
            found: list[Any] = []
            for constant, made in read:
                entry = made if constant else made(scope)
                if type(entry) is _Several:
                    found.extend(entry)
                elif entry is not _DROPPED:
                    found.append(entry)
            return found

        return False, build

    def _object(self, given: dict[str, Any], where: str) -> tuple[bool, Any]:
        members: list[tuple[str, bool, Any]] = []
        for name, entry in given.items():
            at = where + cards.pointer((name,))
            if "${" in name and not name.startswith("${rs:"):
                self._faults.append(Fault(at, "A member's name cannot be an expression: only values are filled."))
            elif name not in _RESERVED:
                members.append((name, *self.value(entry, at)))
        plain = all(constant for _, constant, _ in members)
        if plain and not {"$when", "$data"} & given.keys():
            return True, {name: made for name, _, made in members}
        build = _members(members)
        if "$when" in given:
            build = self._when(given["$when"], where + "/$when", build)
        if "$data" in given:
            build = _scoped(*self._given(given["$data"], where + "/$data"), build, top=where == self._root)
        return False, build

    def _when(self, condition: Any, where: str, build: _Build) -> _Build:
        """Leave an element out unless a condition is true; whatever is no condition is not, as in the SDKs."""
        constant, made = self._given(condition, where)
        if constant:
            return build if made is True else _always(_DROPPED)

        def conditioned(scope: Scope) -> Any:
            try:
                kept = made(scope) is True
            except TemplateError:
                kept = False
            return build(scope) if kept else _DROPPED

        return conditioned


def _single(expression: Expression, where: str) -> _Build:
    left = f"${{{expression.source}}}"

    def build(scope: Scope) -> Any:
        value = _value(expression, where, scope)
        if value is MISSING:
            value = left
        scope.budget.emit(weight(value, scope.budget.output))
        return value

    return build


def _mixed(parts: list[str | Expression], where: str) -> _Build:
    def build(scope: Scope) -> str:
        texts = []
        for part in parts:
            if isinstance(part, str):
                texts.append(part)
            else:
                value = _value(part, where, scope)
                texts.append(f"${{{part.source}}}" if value is MISSING else written(scope, value))
        made = "".join(texts)
        scope.budget.emit(len(made))
        return made

    return build


def _value(expression: Expression, where: str, scope: Scope) -> Any:
    try:
        return expression.value(scope)
    except LimitError:
        raise
    except ExpressionError as error:
        raise TemplateError(_fault(where, expression.source, error)) from None


def _fault(where: str, source: str, error: ExpressionError) -> Fault:
    shown = source if len(source) <= _SHOWN else f"{source[:_SHOWN]}…"
    return Fault(where, f"The expression ${{{shown}}} cannot be used: {error.args[0]}.")


def _members(members: list[tuple[str, bool, Any]]) -> _Build:
    static = 2 + sum(len(name) + 4 + (weight(made, _NO_LIMIT) if constant else 0) for name, constant, made in members)
    # What is the same for everybody is shared, and counts wherever it is repeated.
    whole = {name: made for name, _, made in members} if all(constant for _, constant, _ in members) else None

    def build(scope: Scope) -> dict[str, Any]:
        scope.budget.emit(static)
        if whole is not None:
            return whole
        found: dict[str, Any] = {}
        for name, constant, made in members:
            entry = made if constant else made(scope)
            if entry is not _DROPPED:
                found[name] = entry
        return found

    return build


def _scoped(constant: bool, data: Any, build: _Build, *, top: bool) -> _Build:
    """Give an object data of its own; repeat it for an array; leave it out where there are none."""

    def scoped(scope: Scope) -> Any:
        given = data if constant else data(scope)
        if given is None or given is MISSING:
            return _DROPPED
        if not isinstance(given, list):
            inner = scope.within(given, scope.index)
            if top:
                inner.root = given  # data that stand in the card itself take the place of those beside it
            return build(inner)
        found = _Several()
        for index, item in enumerate(given):
            scope.budget.step(2)
            entry = build(scope.within(item, index))
            if type(entry) is _Several:
                found.extend(entry)
            elif entry is not _DROPPED:
                found.append(entry)
        return found

    return scoped
