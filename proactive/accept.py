"""A request becomes a stored send on a queue.

The send's row is the point at which a send exists: what it needs is written before, what starts it after, and the
answer goes out last. A repeated request with the same key finds the row and starts the send again, which does nothing
to one that runs:

    request ─▶ check ─▶ inputs or chunk ─┬▶ insert send ─▶ index ─▶ queue ─▶ 202
                                         └▶ Conflict: same content? ─▶ queue ─▶ 202 · other content ─▶ 422
"""

import asyncio
import base64
import dataclasses
import hashlib
import secrets
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from proactive import content, telemetry
from proactive import request as requests
from proactive.demands import demand_errors, sender
from proactive.filling import Filling, try_out
from proactive.jsontext import canonical
from proactive.model import Entry, Recipient, Request, Send
from proactive.outbound import url_error
from proactive.people import is_id, is_person, resolve_at_once
from proactive.plan import divide, start
from proactive.problems import FieldError, ProblemError
from proactive.recipients import in_order
from proactive.retention import arm
from proactive.service import Service
from proactive.settings import Bot
from proactive.store.chunks import FIRST_PLAN, Chunk, row_of
from proactive.store.errors import Conflict, InDoubt
from proactive.store.pack import weight
from proactive.tickets import LONGEST

_INVALID = 400
_FEW = 1000  # recipients that are looked up before the answer goes out
_FEW_IDS = 12_000  # recipients by id, of whom nothing has to be looked up
_LITTLE = 1_000_000  # bytes of recipients' own data
_SAMPLES = 10  # recipients for whom a template is tried out before the answer goes out


class Checked(NamedTuple):
    """A request that may be carried out: who speaks, where, and the activity that it becomes."""

    request: Request
    bot: Bot
    tenant: str
    activity: dict[str, Any]


async def accept(
    service: Service, body: Any, *, key: str | None = None, operator: bool = False, hold: float = 0
) -> Send:
    """Keep the send that `body` asks for, put it on its way, and return it.

    `key` is the idempotency key; `hold` the seconds for which the answer may be held back. Raises `ProblemError`: 400
    and 413 for what is wrong with the body, 403 for `everyone` where only operators may, 422 for a key that was used
    with another body.
    """
    checked = await check(service, body, operator=operator)
    request, now = checked.request, service.clock()
    if request.dry_run:
        detail = "Nobody would read the answer to a message on the queue: ask over HTTP, or leave it out."
        raise ProblemError(_INVALID, "The request has errors.", [FieldError("/dryRun", detail)])
    if request.callback_url:
        key = key or callback_key(request.callback_url)
    send = Send(
        id=send_id(key),
        secret=secrets.token_urlsafe(32),
        content_hash=hashlib.sha256(canonical(body)).hexdigest(),
        bot=checked.bot.name,
        tenant=checked.tenant,
        created_at=now,
        send_at=request.send_at,
        options=request.options,
        activity=checked.activity,
        entries=len(request.recipients),
        marked=request.wait is not None,
        wait=request.wait,
        data=request.data,
        callback_url=request.callback_url,
        held_until=now + hold if request.callback_url and hold else None,
    )
    found = None
    if send.begins_at <= send.created_at and _few(request.recipients):
        found = await resolve_at_once(service, send.bot, send.tenant, request.recipients)
    if found is None:
        await service.sends.add_inputs(send, request.recipients)
        return await keep(service, send)
    people = in_order(found)
    send.plan = FIRST_PLAN
    chunks = divide(send.id, send.plan, people)
    send.total, send.chunks = len(people), len(chunks)
    return await keep(service, send, chunks, [recipient for recipient, _ in people])


async def keep(
    service: Service, send: Send, chunks: Sequence[Chunk] = (), people: Sequence[Recipient] | None = None
) -> Send:
    """Keep a send with the `chunks` of its plan, put it on its way, and return it; its `people` where they are known.

    One that is kept already is put on its way again. Raises `ProblemError` 422 when that one has other content.
    """
    with telemetry.step("accept", send):
        opening = [service.answers.opening(send.id)] if send.wait else []
        try:
            kept = await service.sends.add(send, [*opening, *map(row_of, chunks)])
        except (Conflict, InDoubt):
            kept, people = await _repeated(service, send), None
            if kept.completed_at or kept.cancelled_at:
                return kept
        else:
            telemetry.accepted()
            telemetry.delivered(result for chunk in chunks for result in chunk.results.values())
        await asyncio.gather(
            service.sends.list_in_index(kept, people), start(service, kept), _lead(service, kept), arm(service)
        )
        return kept


async def check(service: Service, body: Any, *, operator: bool) -> Checked:
    """Return what `body` asks for, with the bot and tenant that it means. Raises `ProblemError` 400, 403 or 413."""
    settings = service.settings
    largest = settings.max_message_bytes
    allowed = partial(url_error, hosts=settings.callback_hosts, allow_loopback=settings.local)
    try:
        request = requests.read(body, now=service.clock(), largest=largest, url_error=allowed)
    except ProblemError as problem:
        if problem.status == _INVALID and isinstance(body, Mapping):
            problem.errors += await demand_errors(service, body)
        raise
    if any(entry.kind == "everyone" for entry in request.recipients):
        _check_everyone(service, operator=operator)
    if errors := await demand_errors(service, body):
        raise ProblemError(_INVALID, "The request has errors: each is listed with its field.", errors)
    bot, tenant = await sender(service, request.bot, request.tenant)
    activity = content.activity(request, f"28:{bot.app_id}")
    if request.data is not None:
        samples = [(entry.value, entry.data) for entry in request.recipients[:_SAMPLES]]
        request, activity = filled(service, request, activity, samples)
    if request.data is None:
        check_size(service, request, activity, marked=request.wait is not None)
    return Checked(request, bot, tenant, activity)


def filled(
    service: Service, request: Request, activity: dict[str, Any], samples: Sequence[tuple[str, dict[str, Any] | None]]
) -> tuple[Request, dict[str, Any]]:
    """Try a template out for some people. Where there is nothing to fill, leave the data and return it as it is shown.

    Raises `ProblemError` 400 or 413 where it can be filled for none of them.
    """
    largest = service.settings.max_message_bytes
    filling = Filling(activity, request.data or {}, max(service.clock(), request.send_at or 0.0), largest)
    if filling.dynamic:
        # Who has no data of their own get the same: one of them stands for all.
        distinct = {name if own is not None else "": (name, own) for name, own in samples}
        try_out(filling, request, distinct.values(), "x" * LONGEST if request.wait else "")
        return request, activity
    try_out(filling, request, samples[:1], "x" * LONGEST if request.wait else "")
    plain = [entry if entry.data is None else dataclasses.replace(entry, data=None) for entry in request.recipients]
    return dataclasses.replace(request, recipients=plain, data=None), filling.fill({}, {})


def check_size(service: Service, request: Request, activity: dict[str, Any], *, marked: bool) -> None:
    """Raise `ProblemError` 413 for an activity that is too large, once its card is `marked` if it is to be."""
    shown = content.with_marks(activity, "x" * LONGEST) if marked else activity
    where = "/card" if request.card else "/message"
    if error := content.size_error(where, shown, service.settings.max_message_bytes):
        raise ProblemError(413, "The message is too large for Teams.", [error])


async def _lead(service: Service, send: Send) -> None:
    """Let a callback URL lead to its send where another key has made the send's id."""
    if send.callback_url and (alias := send_id(callback_key(send.callback_url))) != send.id:
        await service.sends.lead(alias, send.id)


def _few(recipients: Sequence[Entry]) -> bool:
    """Whether the plan is made so fast that the answer can wait for it, which saves the hop over `plans`."""
    if not all(is_person(entry) for entry in recipients):
        return False
    if len(recipients) > _FEW:
        few = len(recipients) <= _FEW_IDS and all(is_id(entry.value) for entry in recipients)
    else:
        few = True
    # What one transaction cannot hold, a plan keeps in several.
    return few and sum(weight(entry.data) for entry in recipients) <= _LITTLE


async def _repeated(service: Service, send: Send) -> Send:
    kept = await service.sends.get(send.id)
    if kept is None or kept.content_hash != send.content_hash:
        detail = "This idempotency key belongs to a send with other content: use a new key for a new send."
        raise ProblemError(422, detail)
    return kept


def send_id(key: str | None) -> str:
    """Return an id of 26 letters and digits: the same for the same key, since the row's key is what reserves it."""
    digest = hashlib.sha256(key.encode()).digest()[:16] if key else uuid.uuid4().bytes
    return base64.b32encode(digest).decode().rstrip("=").lower()


def _check_everyone(service: Service, *, operator: bool) -> None:
    if not operator and not service.settings.allow_everyone:
        detail = "Only operators may send to everyone, unless PROACTIVE_ALLOW_EVERYONE is true."
        raise ProblemError(403, detail, [FieldError("/recipients", detail)])


def callback_key(url: str) -> str:
    """Return the idempotency key that a callback URL is: it is unique to one action of one run of a flow."""
    return "callback:" + url


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """Return the key that a request's header `Idempotency-Key` holds. Raises `ProblemError` 400 when it is unusable."""
    value = headers.get("idempotency-key")
    if value is None:
        return None
    if not 1 <= len(value.strip()) <= 256:
        raise ProblemError(400, "The header Idempotency-Key must have 1 to 256 characters.")
    return "key:" + value.strip()
