"""Functions of texts."""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from proactive.templating.operators import add, joined
from proactive.templating.values import ExpressionError, Functions, Scope, same, text, whole, written

_DATA_URI: Final = "data:text/plain;charset=utf-8;base64,"


def _made(scope: Scope, made: str) -> str:
    """Count a text that was made and is no longer than a few times what it was made of."""
    scope.budget.text(len(made))
    return made


def _length(_: Scope, value: Any) -> int:
    return len(text(value, "length"))


def _replace(scope: Scope, value: Any, old: Any, new: Any) -> str:
    given, part, instead = text(value, "replace"), text(old, "replace"), text(new, "replace")
    if not part:
        raise ExpressionError("replace needs a text that is to be replaced")
    scope.budget.text(len(given) + given.count(part) * len(instead))
    return given.replace(part, instead)


def _replace_ignore_case(scope: Scope, value: Any, old: Any, new: Any) -> str:
    given, part, instead = (text(each, "replaceIgnoreCase") for each in (value, old, new))
    if not 0 < len(part) <= 1000:
        raise ExpressionError("replaceIgnoreCase needs a text of 1 to 1000 characters that is to be replaced")
    pattern = re.compile(re.escape(part), re.IGNORECASE)  # only of written characters: nothing to go back for
    scope.budget.text(len(given) + sum(1 for _ in pattern.finditer(given)) * len(instead) + 10 * len(part))
    return pattern.sub(lambda _: instead, given)


def _split(scope: Scope, value: Any, delimiter: Any = "") -> list[str]:
    given, between = text(value, "split"), text(delimiter, "split")
    scope.budget.text(len(given))
    scope.budget.step(given.count(between) if between else len(given))
    return given.split(between) if between else list(given)


def _substring(scope: Scope, value: Any, start: Any, length: Any = None) -> str:
    given, first = text(value, "substring"), whole(start, "substring")
    count = len(given) - first if length is None else whole(length, "substring")
    if not (0 <= first <= len(given) and 0 <= count <= len(given) - first):
        raise ExpressionError(f"substring goes beyond a text of {len(given)} characters")
    return _made(scope, given[first : first + count])


def _changed(name: str, change: Callable[[str], str]) -> Callable[..., str]:
    return lambda scope, value, _locale=None: _made(scope, change(text(value, name)))


def _sentence(value: str) -> str:
    return value[:1].upper() + value[1:].lower()


def _title(value: str) -> str:
    return " ".join(_sentence(word) for word in value.split(" "))


def _ordinal(_: Scope, value: Any) -> str:
    given = whole(value, "addOrdinal")
    last = abs(given) % 100
    ending = "th" if 11 <= last <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(last % 10, "th")
    return f"{given}{ending}"


def _ends(_: Scope, value: Any, end: Any) -> bool:
    return text(value, "endsWith").lower().endswith(text(end, "endsWith").lower())


def _starts(_: Scope, value: Any, start: Any) -> bool:
    return text(value, "startsWith").lower().startswith(text(start, "startsWith").lower())


def _words(_: Scope, value: Any) -> int:
    return len(text(value, "countWord").split())


def _concat(scope: Scope, *values: Any) -> Any:
    given = [value for value in values if value is not None]
    if given and all(isinstance(value, list) for value in given):
        scope.budget.step(sum(map(len, given)))
        return [item for value in given for item in value]
    return _made(scope, "".join(written(scope, value) for value in given))


def _add(scope: Scope, *values: Any) -> Any:
    total = values[0]
    for value in values[1:]:
        total = add(scope, total, value)
    return joined(scope, total, "") if len(values) == 1 and not isinstance(total, int | float) else total


def _found(name: str, *, last: bool) -> Callable[[Scope, Any, Any], int]:
    def find(scope: Scope, value: Any, sought: Any) -> int:
        if isinstance(value, list):
            scope.budget.step(len(value))
            places = range(len(value) - 1, -1, -1) if last else range(len(value))
            return next((at for at in places if same(scope, value[at], sought)), -1)
        given, part = text(value, name).lower(), text(sought, name).lower()
        scope.budget.text(len(given))
        return given.rfind(part) if last else given.find(part)

    return find


def _reverse(scope: Scope, value: Any) -> Any:
    if isinstance(value, list):
        scope.budget.step(len(value))
        return value[::-1]
    return _made(scope, text(value, "reverse")[::-1])


def _base64(scope: Scope, value: Any) -> str:
    return _made(scope, base64.b64encode(text(value, "base64").encode()).decode())


def _from_base64(scope: Scope, value: Any) -> str:
    try:
        return _made(scope, base64.b64decode(text(value, "base64ToString"), validate=True).decode())
    except (binascii.Error, ValueError) as error:
        raise ExpressionError("that is no text in base64") from error


def _data_uri(scope: Scope, value: Any) -> str:
    return _made(scope, _DATA_URI + _base64(scope, value))


def _from_data_uri(scope: Scope, value: Any) -> str:
    head, found, encoded = text(value, "dataUriToString").partition(";base64,")
    if not found or not head.startswith("data:"):
        raise ExpressionError("that is no data URI in base64")
    return _from_base64(scope, encoded)


def _uri_component(scope: Scope, value: Any) -> str:
    return _made(scope, quote(text(value, "uriComponent"), safe="!'()*-._~"))


def _from_uri_component(scope: Scope, value: Any) -> str:
    return _made(scope, unquote(text(value, "uriComponentToString")))


def _uri(name: str) -> Callable[[Scope, Any], Any]:
    def part(scope: Scope, value: Any) -> Any:
        given = _made(scope, text(value, name))
        try:
            uri = urlsplit(given)
            port = uri.port or {"https": 443, "http": 80}.get(uri.scheme, -1)
        except ValueError as error:
            raise ExpressionError(f"{name} needs an absolute URI") from error
        if not uri.scheme:
            raise ExpressionError(f"{name} needs an absolute URI")
        query = f"?{uri.query}" if uri.query else ""
        found: dict[str, Any] = {
            "uriHost": uri.hostname or "",
            "uriPath": uri.path,
            "uriPathAndQuery": uri.path + query,
            "uriPort": port,
            "uriQuery": query,
            "uriScheme": uri.scheme,
        }
        return found[name]

    return part


TABLE: Final[Functions] = {
    "length": (_length, 1, 1),
    "replace": (_replace, 3, 3),
    "replaceIgnoreCase": (_replace_ignore_case, 3, 3),
    "split": (_split, 1, 2),
    "substring": (_substring, 2, 3),
    "toLower": (_changed("toLower", str.lower), 1, 2),
    "toUpper": (_changed("toUpper", str.upper), 1, 2),
    "trim": (_changed("trim", str.strip), 1, 1),
    "sentenceCase": (_changed("sentenceCase", _sentence), 1, 2),
    "titleCase": (_changed("titleCase", _title), 1, 2),
    "addOrdinal": (_ordinal, 1, 1),
    "endsWith": (_ends, 2, 2),
    "startsWith": (_starts, 2, 2),
    "countWord": (_words, 1, 1),
    "concat": (_concat, 1, -1),
    "add": (_add, 2, -1),
    "indexOf": (_found("indexOf", last=False), 2, 2),
    "lastIndexOf": (_found("lastIndexOf", last=True), 2, 2),
    "reverse": (_reverse, 1, 1),
    "EOL": (lambda _: "\n", 0, 0),
    "base64": (_base64, 1, 1),
    "base64ToString": (_from_base64, 1, 1),
    "dataUri": (_data_uri, 1, 1),
    "dataUriToString": (_from_data_uri, 1, 1),
    "uriComponent": (_uri_component, 1, 1),
    "uriComponentToString": (_from_uri_component, 1, 1),
    **{
        name: (_uri(name), 1, 1)
        for name in ("uriHost", "uriPath", "uriPathAndQuery", "uriPort", "uriQuery", "uriScheme")
    },
}
