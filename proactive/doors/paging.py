"""Query parameters of lists: how many, from where, and which."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from proactive.problems import FieldError, ProblemError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEY = re.compile(r"[0-9A-Za-z.-]{0,80}")  # a row key of an index


def refuse_unknown(params: Mapping[str, str], known: set[str]) -> None:
    """Refuse query parameters that a route does not know: a typo must not pass in silence.

    `code` is how Azure Functions takes a key.
    """
    unknown = sorted(set(params) - known - {"code", "clientId"})
    if unknown:
        raise _bad(unknown[0][:64], "There is no such parameter here.")


def top(params: Mapping[str, str], *, default: int = 100, most: int = 1000) -> int:
    """Return how many items a page holds."""
    text = params.get("top", str(default))
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= most:
        raise _bad("top", f"It should be a whole number from 1 to {most}.")
    return int(text)


def continuation(params: Mapping[str, str]) -> Any:
    """Return what `token` was given, or None. Raises `ProblemError` 400 for anything else."""
    text = params.get("continuation")
    if not text:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        raise _bad("continuation", "It should be what the page before gave.") from None


def broken_continuation() -> ProblemError:
    """Return the refusal of a continuation that decodes, but to nothing we gave."""
    return _bad("continuation", "It should be what the page before gave.")


def token(value: Any) -> str | None:
    """Return where the next page begins as a text that callers hand back unread; None at the end."""
    if value is None:
        return None
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


def instant(params: Mapping[str, str], name: str) -> datetime | None:
    """Return a moment or day given as a query parameter, in UTC."""
    text = params.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped + arrives as a space
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _bad(name, "It should be a day or a moment: 2026-12-01 or 2026-12-01T08:00:00Z.") from None


def one_of(params: Mapping[str, str], name: str, known: list[str]) -> list[str]:
    """Return the comma-separated words of a query parameter, each of which must be known."""
    words = [word.strip() for word in params.get(name, "").split(",") if word.strip()]
    if any(word not in known for word in words):
        raise _bad(name, f"It should be one or more of {', '.join(known)}.")
    return words


def _bad(name: str, detail: str) -> ProblemError:
    return ProblemError(400, f"The query parameter {name} is not valid.", [FieldError(f"?{name}", detail)])
