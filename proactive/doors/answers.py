"""How every door answers: JSON, problem details, and nothing that a caller sends ever turns into a 500."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import azure.functions as func

from proactive.jsontext import parse
from proactive.problems import ProblemError
from proactive.store.errors import StorageError

log = logging.getLogger(__name__)

MAX_BODY = 16 * 1024 * 1024  # bytes


def answer(status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    """Return a JSON answer, or an empty one."""
    text = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return func.HttpResponse(text, status_code=status, headers=kept, mimetype="application/json")


def problem(error: ProblemError) -> func.HttpResponse:
    """Return the answer that says what is wrong (RFC 9457)."""
    headers = {"Cache-Control": "no-store", **error.headers}
    body = json.dumps(error.as_json(), ensure_ascii=True, separators=(",", ":"))
    return func.HttpResponse(body, status_code=error.status, headers=headers, mimetype="application/problem+json")


async def guarded(handler: Callable[[], Awaitable[func.HttpResponse]]) -> func.HttpResponse:
    """Run a handler; what it refuses, and storage that is away, become problem details."""
    try:
        return await handler()
    except ProblemError as error:
        return problem(error)
    except StorageError as error:
        log.warning("a request was turned away: %s", error)
        away = ProblemError(503, "Storage does not answer: try again.", headers={"Retry-After": "5"})
        return problem(away)


def read_json(request: func.HttpRequest) -> Any:
    """Return the JSON body of a request. Raises `ProblemError` 413, 415 or 400."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise ProblemError(415, "Send JSON, as Content-Type application/json.")
    body = request.get_body()
    if len(body) > MAX_BODY:
        raise ProblemError(413, f"The body has {len(body)} bytes; {MAX_BODY} are allowed.")
    return parse(body)
