"""What is wrong with a request, as RFC 9457 problem details."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple


class FieldError(NamedTuple):
    """One thing wrong: a JSON pointer (RFC 6901) to the field, and a sentence with the remedy."""

    pointer: str
    detail: str


TITLES = {
    400: "The request is not valid",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Idempotency key used for another request",
    424: "Not delivered",
    429: "Too many requests",
    500: "Internal error",
    502: "No good answer from the bot behind",
    503: "Not available",
    504: "No answer from the bot behind in time",
}


_FIELD = re.compile(
    r"/(bot|tenant|recipients|message|card|summary|wait|callbackUrl|sendAt|options|dryRun|id|data|data_base64)(?=/|$)"
)


class ProblemError(Exception):
    """A request that is refused: the HTTP status, one sentence, and the fields at fault."""

    def __init__(
        self, status: int, detail: str, errors: Sequence[FieldError] = (), headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.headers = headers or {}

    def as_json(self) -> dict[str, Any]:
        """Return the body of an `application/problem+json` answer."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": TITLES[self.status],
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [error._asdict() for error in self.errors]
        return body

    @property
    def reasons(self) -> str:
        """What is wrong, without any word of the sender's: fit for a log."""
        fields = {match[0] for error in self.errors if (match := _FIELD.match(error.pointer))}
        return f"{self.status}, {len(self.errors)} errors in {', '.join(sorted(fields)) or 'the whole'}"

    @property
    def sentence(self) -> str:
        """The problem in one line, for a log or a list of rejected messages."""
        return " ".join([self.detail, *(f"{error.pointer or '/'}: {error.detail}" for error in self.errors)])


def pointer(*parts: str | int) -> str:
    """Return the JSON pointer made of these parts, escaped by RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
