"""What operators do about a send that is done: repeat it for those it failed for, replace what it posted, or delete it.

Each is a send of its own: planned from the chunks of the other one, paced, safe against crashes, and reported like any.
The id of a retry and of a recall follows from the other's, so that a second click is no second send.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from proactive import content
from proactive import request as requests
from proactive.accept import check_size, filled, keep, send_id
from proactive.jsontext import canonical
from proactive.marks import submit_actions
from proactive.model import Request, Send, State, Verb
from proactive.problems import FieldError, ProblemError, pointer
from proactive.recipients import repeated_states
from proactive.service import Service

_SAMPLES = 10  # people for whom a template is tried out
CONTENT = ("message", "card", "summary", "data")


async def retry(service: Service, other: Send) -> Send:
    """Do what a send was to do again for those it failed for, and return the send that does it.

    Raises `ProblemError` 409 while the other one is still being delivered, or when it failed for nobody.
    """
    failed = await _count(service, other, *repeated_states(other))
    if not failed:
        raise ProblemError(409, "Nobody of this send is in the state failed: there is nothing to repeat.")
    again = _another(service, other, f"retry:{other.id}", other.verb, entries=failed)
    again.whom = "failed"
    again.activity, again.marked, again.wait, again.data = other.activity, other.marked, other.wait, other.data
    return await keep(service, again)


async def update(service: Service, other: Send, body: Any, *, key: str | None) -> Send:
    """Replace what a send posted by the content in `body`, and return the send that does it.

    `key` is the idempotency key. Raises `ProblemError` 400 and 413 for what is wrong with the content, 409 where there
    is nothing to replace (yet), 422 for a key that was used with other content.
    """
    request = replace(_content(service, body), options=other.options)
    activity = content.activity(request, f"28:{service.bot(other.bot).app_id}")
    if request.data is not None:
        request, activity = filled(service, request, activity, await _samples(service, other))
    templated = request.data is not None
    marked = bool(request.card and (templated or submit_actions(request.card))) and await _waits(service, other)
    if not templated:
        check_size(service, request, activity, marked=marked)
    delivered = await _delivered(service, other)
    new = _another(service, other, f"update:{other.id}:{key}" if key else None, "update", entries=delivered)
    new.whom, new.activity, new.marked, new.data = "delivered", activity, marked, request.data
    new.content_hash = hashlib.sha256(canonical(body)).hexdigest()
    return await keep(service, new)


async def recall(service: Service, other: Send) -> Send:
    """Delete what a send posted, and return the send that does it. Raises `ProblemError` 409 like `update`."""
    delivered = await _delivered(service, other)
    new = _another(service, other, f"recall:{other.id}", "recall", entries=delivered)
    new.whom = "delivered"
    return await keep(service, new)


async def _count(service: Service, other: Send, *states: State) -> int:
    if other.completed_at is None:
        detail = "This send is still being delivered: wait until it is done, or cancel what is left of it (DELETE)."
        raise ProblemError(409, detail)
    rows = await service.chunks.counts(other.id, other.plan)
    return sum(row[state.value] for row in rows for state in states)


async def _delivered(service: Service, other: Send) -> int:
    delivered = await _count(service, other, State.DELIVERED)
    if other.verb == "recall":
        raise ProblemError(409, "This send has deleted messages: there is nothing of it left.")
    if not delivered:
        raise ProblemError(409, "This send has reached nobody: there is no message to change.")
    return delivered


def _another(service: Service, other: Send, key: str | None, verb: Verb, *, entries: int) -> Send:
    return Send(
        id=send_id(key),
        secret=secrets.token_urlsafe(32),
        content_hash=other.content_hash,
        bot=other.bot,
        tenant=other.tenant,
        created_at=service.clock(),
        send_at=None,
        options=other.options,
        activity={},
        entries=entries,
        verb=verb,
        of=other.id,
    )


async def _waits(service: Service, other: Send) -> bool:
    """Whether the send that first posted what stands there still waits for answers."""
    first = await service.sends.first(other)
    return bool(first and first.wait and not first.ended_at and service.clock() < first.closes_at)


async def _samples(service: Service, other: Send) -> list[tuple[str, dict[str, Any] | None]]:
    """Return some people of a send with their own data, which fill what replaces its messages as well."""
    chunk = await service.chunks.get(other.id, other.plan, 0)
    return [(recipient.name, recipient.data) for recipient in (chunk.people if chunk else [])[:_SAMPLES]] or [
        ("", None)
    ]


def _content(service: Service, body: Any) -> Request:
    """Return the content in `body`, checked by the rules of a send. Raises `ProblemError` 400 or 413."""
    if not isinstance(body, Mapping):
        raise ProblemError(
            400, "The body must be a JSON object.", [FieldError("", "Give an object with message or card.")]
        )
    detail = "Only the content can be replaced: message or card, summary, and data to fill them."
    errors = [FieldError(pointer(name), detail) for name in body if name not in CONTENT][:100]
    given = {name: value for name, value in body.items() if name in CONTENT}
    try:
        request = requests.read(
            {**given, "recipients": ["-"]}, now=service.clock(), largest=service.settings.max_message_bytes
        )
    except ProblemError as problem:
        if errors and problem.status != 400:
            raise ProblemError(400, "The request has errors: each is listed with its field.", errors) from None
        problem.errors += errors
        raise
    if errors:
        raise ProblemError(400, "The request has errors: each is listed with its field.", errors)
    return request
