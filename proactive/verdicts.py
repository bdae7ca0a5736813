"""What the Bot Connector's answers mean, by status and error code: one table for the whole service.

Sources: Microsoft Learn, "Send proactive messages" (status codes and error codes) and "Optimize your bot with rate
limiting in Teams" (which to try again).
"""

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What to do about an answer."""

    DELIVERED = "Teams has it"
    RETRY = "Teams has not taken it; later it may"
    DOUBT = "Teams may have taken it: a send has no idempotency key, so nobody can tell"
    NOT_INSTALLED = "the person cannot be reached by this bot"
    NOT_YET = "the bot is to be installed, and cannot be right now"
    GONE = "the conversation is not there any more: it can be created again"
    ELSEWHERE = "the tenant is in another cloud, which has a host of its own"
    TOO_LARGE = "Teams found it too large"
    REFUSED = "Teams does not want it, and asking again changes nothing"


class Verdict(NamedTuple):
    """An answer, understood. `reason` is ours for people who cannot be reached, else the code of Teams or Graph.

    `retry_after` is in seconds, 0 when Teams named no time; `throttled` for a 429.
    """

    kind: Kind
    reason: str = ""
    retry_after: float = 0.0
    message_id: str = ""
    throttled: bool = False


_BY_CODE = {
    "BotNotInConversationRoster": Verdict(Kind.NOT_INSTALLED, "notInstalled"),
    "ForbiddenOperationException": Verdict(Kind.NOT_INSTALLED, "notInstalled"),
    "ConversationBlockedByUser": Verdict(Kind.NOT_INSTALLED, "blocked"),
    "MessageWritesBlocked": Verdict(Kind.NOT_INSTALLED, "blocked"),
    "209": Verdict(Kind.NOT_INSTALLED, "blocked"),  # how older bodies say MessageWritesBlocked
    "BotDisabledByAdmin": Verdict(Kind.NOT_INSTALLED, "disabledByAdmin"),
    "NotEnoughPermissions": Verdict(Kind.NOT_INSTALLED, "noPermission"),
    "InvalidBotApiHost": Verdict(Kind.ELSEWHERE, "InvalidBotApiHost"),
    "ConversationNotFound": Verdict(Kind.GONE, "ConversationNotFound"),
    "MessageSizeTooBig": Verdict(Kind.TOO_LARGE, "MessageSizeTooBig"),
    "RequestEntityTooLarge": Verdict(Kind.TOO_LARGE, "RequestEntityTooLarge"),
}
_BY_STATUS = {
    200: Kind.DELIVERED,
    201: Kind.DELIVERED,
    202: Kind.DELIVERED,
    408: Kind.DOUBT,
    412: Kind.RETRY,
    413: Kind.TOO_LARGE,
    429: Kind.RETRY,
    502: Kind.DOUBT,
    503: Kind.RETRY,
    504: Kind.DOUBT,
}
_THROTTLED = 429
# A BadArgument for a conversation of another bot id, as after a bot was registered anew.
_FOREIGN_CONVERSATION = b"failed to decrypt conversation id"
_LONGEST_RETRY_AFTER = 86_400.0  # seconds
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def judge(status: int, fields: Mapping[str, str], body: bytes, now: float) -> Verdict:
    """Return what an answer of the Bot Connector means.

    `fields` are its header fields by lower-case name; `now` is in seconds since the epoch.
    """
    kind = _BY_STATUS.get(status, Kind.REFUSED)
    if kind is Kind.DELIVERED:
        return Verdict(kind, message_id=_message_id(body))
    code = error_code(body)
    if kind is Kind.REFUSED and status < 500 and code in _BY_CODE:
        return _BY_CODE[code]
    if kind is Kind.REFUSED and code == "BadArgument" and _FOREIGN_CONVERSATION in body.lower():
        return Verdict(Kind.GONE, code)
    return Verdict(
        kind, code or f"HTTP {status}", retry_after(fields.get("retry-after"), now), throttled=status == _THROTTLED
    )


def error_code(body: bytes) -> str:
    """Return Teams' error code, or an empty string. Its bodies come in several shapes: JSON, JSON in JSON, text."""
    outer = _object(body)
    error = outer.get("error")
    inner = _object(outer.get("message"))
    # The inner of two codes is the exact one: 209 alone stands for several.
    candidates = (
        error.get("code") if isinstance(error, dict) else None,
        inner.get("subCode"),
        inner.get("code"),
        outer.get("code"),
        outer.get("errorCode"),
    )
    texts = (str(code) for code in candidates if isinstance(code, str | int))
    return next((text for text in texts if _CODE.fullmatch(text)), "") or _leading_code(body)


def _leading_code(body: bytes) -> str:
    """Return the code with which a plain text begins. Only one that asks for something counts: other words do not."""
    word = body[:64].lstrip().partition(b":")[0].decode("ascii", "replace")
    return word if not word.isdecimal() and (word in _BY_CODE or word == "BadArgument") else ""


def _object(text: object) -> dict[str, object]:
    if not isinstance(text, str | bytes):
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def retry_after(text: str | None, now: float) -> float:
    """Return the seconds that a `Retry-After` asks for, 0 when it is absent or unreadable."""
    text = (text or "").strip()[:64]
    try:
        seconds = float(text) if text.isdecimal() else parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError):
        return 0.0
    return min(max(0.0, seconds), _LONGEST_RETRY_AFTER)


def _message_id(body: bytes) -> str:
    found = _object(body).get("id")
    return found if isinstance(found, str) else ""
