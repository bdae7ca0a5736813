"""Route templates as ASP.NET reads them, since Azure's host hands `route` to it.

`v1/sends/{id}`, `orders/{id:int}`, `files/{name?}`, `v1/{*path}`. Literals are matched without regard to case, and a
literal beats a constrained parameter, which beats a parameter, which beats a catch-all.
Source: https://learn.microsoft.com/aspnet/core/fundamentals/routing
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from local.host.errors import StartError

_CONSTRAINTS: dict[str, Callable[[str], object]] = {
    "int": re.compile(r"[+-]?\d{1,10}").fullmatch,
    "long": re.compile(r"[+-]?\d{1,19}").fullmatch,
    "alpha": re.compile(r"[A-Za-z]*").fullmatch,
    "bool": re.compile(r"true|false", re.IGNORECASE).fullmatch,
    "guid": re.compile(r"[{(]?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}[)}]?").fullmatch,
}
_PARAMETER = re.compile(r"\{(\*{0,2})([A-Za-z_]\w*)((?::\w+)*)(\??)\}")
_ESCAPED_SLASH = re.compile(r"(%2[fF])")


@dataclass(frozen=True, slots=True)
class _Segment:
    literal: str
    name: str
    constraints: tuple[Callable[[str], object], ...]
    optional: bool
    catch_all: bool

    @property
    def rank(self) -> int:
        """Its place among segments that could match the same text, the strictest first."""
        if not self.name:
            return 1
        return (4 if self.catch_all else 2) + (not self.constraints)

    def takes(self, text: str) -> bool:
        if not self.name:
            return text.lower() == self.literal
        return all(constraint(text) for constraint in self.constraints)


@dataclass(frozen=True, slots=True)
class Route[T]:
    """A template, the methods it is for (empty: all of them) and what it leads to."""

    template: str
    methods: frozenset[str]
    target: T
    segments: tuple[_Segment, ...]


@dataclass(frozen=True, slots=True)
class Match[T]:
    """Where a request goes: `target` is None when no route of that path takes the method; `allow` says which do."""

    target: T | None
    parameters: dict[str, str]
    allow: frozenset[str]


def route[T](template: str, methods: Iterable[str], target: T) -> Route[T]:
    """Read a template.

    Raises:
        StartError: it uses something that only Azure's host understands.

    """
    texts = [text for text in template.strip("/").split("/") if text]
    segments = tuple(_segment(template, text) for text in texts)
    if any(segment.catch_all for segment in segments[:-1]):
        raise StartError(f"route {template!r}: a catch-all stands at the end")
    return Route(template, frozenset(method.upper() for method in methods), target, segments)


class Table[T]:
    """All routes of an app."""

    def __init__(self, routes: Iterable[Route[T]]) -> None:
        self._routes = sorted(routes, key=lambda known: [segment.rank for segment in known.segments])

    def match(self, method: str, path: str) -> Match[T] | None:
        """Find the route for a request; `path` is still percent-encoded. None: no route has this path."""
        texts = decode(path).removeprefix("/").removesuffix("/").split("/")
        if texts == [""]:
            texts = []
        allow: set[str] = set()
        for known in self._routes:
            parameters = _parameters(known.segments, texts)
            if parameters is None:
                continue
            if not known.methods or method in known.methods:
                return Match(known.target, parameters, frozenset())
            allow |= known.methods
        return Match(None, {}, frozenset(allow)) if allow else None


def decode(path: str) -> str:
    """Undo percent-encoding as Kestrel does: everything but an escaped slash, which must not become a real one."""
    if "%" not in path:
        return path
    return "".join(part if index % 2 else unquote(part) for index, part in enumerate(_ESCAPED_SLASH.split(path)))


def _segment(template: str, text: str) -> _Segment:
    if "{" not in text:
        return _Segment(text.lower(), "", (), optional=False, catch_all=False)
    match = _PARAMETER.fullmatch(text)
    if not match:
        raise StartError(f"route {template!r}: the local host does not understand the segment {text!r}")
    stars, name, constraints, optional = match.groups()
    names = constraints.split(":")[1:]
    for constraint in names:
        if constraint not in _CONSTRAINTS:
            raise StartError(f"route {template!r}: the local host does not know the constraint {constraint!r}")
    checks = tuple(_CONSTRAINTS[constraint] for constraint in names)
    return _Segment("", name, checks, optional=bool(optional), catch_all=bool(stars))


def _parameters(segments: tuple[_Segment, ...], texts: list[str]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for index, segment in enumerate(segments):
        if segment.catch_all:
            rest = "/".join(texts[index:])
            if rest:
                found[segment.name] = rest
            return found if not rest or segment.takes(rest) else None
        if index >= len(texts):
            if segment.optional:
                continue
            return None
        if not texts[index] or not segment.takes(texts[index]):
            return None
        if segment.name:
            found[segment.name] = texts[index]
    return found if len(texts) <= len(segments) else None
