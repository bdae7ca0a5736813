"""What Microsoft Graph says when it refuses: status, code and sentence.

Codes and sentences are as Graph gives them (Microsoft Learn, "Microsoft Graph error responses"; the ones for installs
as people report them: the outer code of a policy's refusal is the same as that of a missing permission).
"""

import uuid
from datetime import UTC, datetime
from typing import Any, NamedTuple

JSON = dict[str, Any]


class Answer(NamedTuple):
    """What goes back to the caller. `retry_after` is in seconds."""

    status: int
    body: JSON | None = None
    retry_after: int | None = None


ERRORS: dict[str, tuple[int, str]] = {
    "BadRequest": (400, "The request is malformed or incorrect."),
    "Directory_ExpiredPageToken": (400, "The specified page token value has expired."),
    "Request_BadRequest": (400, "Invalid filter clause."),
    "Request_UnsupportedQuery": (400, "The specified query is not supported."),
    "InvalidAuthenticationToken": (401, "Access token is empty or not known."),
    "AccessDenied": (403, "App is blocked by app permission policy."),
    "Authorization_RequestDenied": (403, "Insufficient privileges to complete the operation."),
    "Forbidden": (403, "Missing role permissions on the request."),
    "NotFound": (404, "The requested item was not found."),
    "Request_ResourceNotFound": (404, "Resource does not exist or one of its queried objects are not present."),
    "Conflict": (409, "App entitlement already exists."),
    "TooManyRequests": (429, "Too many requests."),
    "generalException": (500, "An unexpected error occurred."),
    "BadGateway": (502, "Bad gateway."),
    "serviceNotAvailable": (503, "The service is temporarily unavailable."),
    "GatewayTimeout": (504, "Gateway timeout."),
}
_BY_STATUS = {status: code for code, (status, _) in reversed(ERRORS.items())} | {403: "Authorization_RequestDenied"}


def usual_code(status: int) -> str:
    """Return the code that commonly comes with an HTTP status."""
    return _BY_STATUS.get(status, "generalException")


def refuse(
    code: str,
    message: str | None = None,
    *,
    inner: str | None = None,
    status: int | None = None,
    retry_after: int | None = None,
) -> Answer:
    """Return the refusal with this code, and with an inner code where there is one."""
    documented_status, documented_message = ERRORS.get(code, ERRORS["generalException"])
    request_id = str(uuid.uuid4())
    inner_error: JSON = {
        "date": datetime.now(UTC).isoformat(timespec="seconds").removesuffix("+00:00"),
        "request-id": request_id,
        "client-request-id": request_id,
    }
    if inner:
        inner_error = {"code": inner, "message": message or documented_message, **inner_error}
    error = {"code": code, "message": message or documented_message, "innerError": inner_error}
    return Answer(status or documented_status, {"error": error}, retry_after)
