"""The part of OData that Graph's callers use here: comparisons with `eq`, joined by `or`."""

import re
from collections.abc import Callable

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>[A-Za-z0-9_/.]+))")

type Comparison = tuple[str, str]  # a field, folded text; the field is empty for a comparison that is always true


def read_filter(text: str) -> list[Comparison]:
    """Return the comparisons of a filter, one of which has to hold. Raises ValueError for what Graph would not take.

    What compares no field at all, as `1 eq 1`, is taken too: so whoever can smuggle that in has everybody.
    """
    tokens, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError("there is an unterminated string literal or an unexpected character in the filter")
        tokens.append(match["text"] or match["word"])
        place = match.end()
    if len(tokens) % 4 != 3:
        raise ValueError("a comparison is incomplete")
    found: list[Comparison] = []
    for at in range(0, len(tokens), 4):
        left, operator, right = tokens[at : at + 3]
        if operator != "eq" or (at and tokens[at - 1] != "or"):
            raise ValueError("only eq and or are known")
        if _is_field(left) and right.startswith("'"):
            found.append((left, right[1:-1].replace("''", "'").casefold()))
        elif not _is_field(left) and not _is_field(right):
            found += [("", "")] if left == right else []
        else:
            raise ValueError("a field has to be compared with a text")
    return found


def any_of[T](comparisons: list[Comparison], find: Callable[[str, str], list[T]]) -> list[T]:
    """Return what at least one comparison finds, each once and in the order in which it was found."""
    found: list[T] = []
    for field, text in comparisons:
        found += [one for one in find(field, text) if one not in found]
    return found


def _is_field(token: str) -> bool:
    return not token.startswith("'") and not token.isdecimal()
