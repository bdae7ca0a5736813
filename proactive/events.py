"""Event sources drop sends on the public queue: plain or base64, bare, or as the data of an event.

What is no valid send is not lost: it moves to `sends-poison`, where it waits for a person, and its reason is listed.
"""

import base64
import json
import logging
from typing import Any

from proactive.accept import accept
from proactive.jsontext import parse
from proactive.problems import FieldError, ProblemError
from proactive.service import Service
from proactive.store.account import SENDS

log = logging.getLogger(__name__)


async def take(service: Service, message: bytes, message_id: str) -> None:
    """Accept the send in a queue message. `message_id` is the storage message's own."""
    try:
        key: str | None
        body, key = read(message, message_id)
        if key == f"message:{message_id}" and isinstance(body, dict) and body.get("callbackUrl"):
            key = None  # nobody gave a key: the callback URL is a better one than storage's own id
        await accept(service, body, key=key)
    except ProblemError as problem:
        # Pointers hold names of the sender's choice: what stands in the log is only what we say ourselves.
        log.warning("message %s on the queue sends was rejected: %s", message_id, problem.reasons)
        kept = await service.account.put(f"{SENDS}-poison", message.decode(errors="replace"))
        await service.rejected.add(service.clock(), message_id, problem.as_json(), problem.sentence, kept.id)


def read(message: bytes, message_id: str) -> tuple[Any, str]:
    """Return the body of a send and its idempotency key. Raises `ProblemError` 400.

    The key is the message's `id`, else the event's source (Event Grid: topic) and id, else the storage message's id.
    """
    value = _json(message)
    if isinstance(value, list) and len(value) == 1:
        (value,) = value  # Event Grid's schema wraps events in an array
    key = f"message:{message_id}"
    if isinstance(value, dict) and ("specversion" in value or "eventType" in value):
        source = value.get("source") if "specversion" in value else value.get("topic")
        if value.get("id"):
            key = f"event:{json.dumps([source, value['id']])}"
        value = _data(value)
    if isinstance(value, dict) and "id" in value:
        given = value["id"]
        value = {name: member for name, member in value.items() if name != "id"}
        if given is None:  # as good as left out, like any field
            return value, key
        if not isinstance(given, str) or not 1 <= len(given.strip()) <= 256:
            raise ProblemError(400, "The message has errors.", [FieldError("/id", "It should be 1 to 256 characters.")])
        key = f"key:{given.strip()}"
    return value, key


def _json(message: bytes) -> Any:
    """Return the JSON of a message, which may be base64 as many queue clients write it."""
    text = message.strip()
    if text[:1] not in (b"{", b"["):
        try:
            # Tools wrap base64 into lines.
            return parse(base64.b64decode(b"".join(text.split()), validate=True))
        except ValueError:
            pass  # then it is plain text, and what is wrong with it is said in those terms
    return parse(message)


def _data(event: dict[str, Any]) -> Any:
    """Return what an event carries: JSON, or a text that holds JSON, or base64 of it."""
    encoded = event.get("data_base64")
    try:
        if isinstance(encoded, str):
            return parse(base64.b64decode(encoded, validate=True), "/data_base64")
    except ValueError:
        raise ProblemError(400, "The event has errors.", [FieldError("/data_base64", "It is no base64.")]) from None
    data = event.get("data")
    return parse(data, "/data") if isinstance(data, str) else data
