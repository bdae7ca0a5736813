"""A request becomes a stored send on a queue.

The send's row is the point at which a send exists: what it needs is written before, what starts it after, and the
answer goes out last. A repeated request with the same key finds the row and starts the send again, which does nothing
to one that runs:

    request ─▶ check ─▶ inputs or chunk ─┬▶ insert send ─▶ index ─▶ queue ─▶ 202
                                         └▶ Conflict: same content? ─▶ queue ─▶ 202 · other content ─▶ 422
"""

import asyncio
import base64
import hashlib
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from proactive import content
from proactive import request as requests
from proactive.jsontext import canonical
from proactive.model import Request, Send, lanes_for
from proactive.people import Planned, resolve
from proactive.plan import divide, start
from proactive.problems import FieldError, ProblemError
from proactive.service import Service
from proactive.settings import Bot
from proactive.store.chunks import row_of
from proactive.store.errors import Conflict

_FEW = 1000  # so many recipients are looked up before the answer goes out, which saves the hop over `plans`


async def accept(service: Service, body: Any, *, key: str | None = None, operator: bool = False) -> Send:
    """Keep the send that `body` asks for, put it on its way, and return it.

    `key` is the idempotency key. Raises `ProblemError`: 400 and 413 for what is wrong with the body, 403 for
    `everyone` where only operators may, 422 for a key that was used with another body.
    """
    now = service.clock()
    largest = service.settings.max_message_bytes
    request = requests.read(body, now=now, largest=largest)
    if any(entry.kind == "everyone" for entry in request.recipients):
        _check_everyone(service, operator=operator)
    bot, tenant = await _sender(service, request)
    activity = content.activity(request, f"28:{bot.app_id}")
    if error := content.size_error("/card" if request.card else "/message", activity, largest):
        raise ProblemError(413, "The message is too large for Teams.", [error])
    send = Send(
        id=send_id(key),
        secret=secrets.token_urlsafe(32),
        content_hash=hashlib.sha256(canonical(body)).hexdigest(),
        bot=bot.name,
        tenant=tenant,
        created_at=now,
        send_at=request.send_at,
        options=request.options,
        activity=activity,
        entries=len(request.recipients),
    )
    try:
        kept = await _keep(service, send, request)
    except Conflict:
        kept = await _repeated(service, send)
        if kept.completed_at or kept.cancelled_at:
            return kept
    await asyncio.gather(service.sends.list_in_index(kept), start(service, kept))
    return kept


async def _keep(service: Service, send: Send, request: Request) -> Send:
    at_once = send.begins_at <= send.created_at and send.entries <= _FEW
    if not at_once or any(entry.kind == "everyone" for entry in request.recipients):
        await service.sends.add_inputs(send, request.recipients)
        return await service.sends.add(send)
    people: list[Planned] = []
    async for batch in resolve(service, send.bot, send.tenant, request.recipients):
        people += batch
    send.plan = "0"
    chunks = divide(send.id, send.plan, people, send.options.parallelism)
    send.total, send.chunks = len(people), len(chunks)
    send.lanes = lanes_for(send.options.parallelism, len(chunks))
    return await service.sends.add(send, [row_of(chunk) for chunk in chunks])


async def _repeated(service: Service, send: Send) -> Send:
    kept = await service.sends.get(send.id)
    if kept is None or kept.content_hash != send.content_hash:
        raise ProblemError(
            422,
            "This idempotency key belongs to a send with other content: use a new key for a new send.",
            headers={},
        )
    return kept


def send_id(key: str | None) -> str:
    """Return an id of 26 letters and digits: the same for the same key, since the row's key is what reserves it."""
    digest = hashlib.sha256(key.encode()).digest()[:16] if key else uuid.uuid4().bytes
    return base64.b32encode(digest).decode().rstrip("=").lower()


def _check_everyone(service: Service, *, operator: bool) -> None:
    if not operator and not service.settings.allow_everyone:
        detail = "Only operators may send to everyone, unless PROACTIVE_ALLOW_EVERYONE is true."
        raise ProblemError(403, detail, [FieldError("/recipients", detail)])


async def _sender(service: Service, request: Request) -> tuple[Bot, str]:
    """Return the bot that speaks and the tenant it speaks in; either may be left out when there is only one."""
    bots = service.settings.bots
    bot = service.settings.bot(request.bot) if request.bot else bots[0] if len(bots) == 1 else None
    names = ", ".join(bot.name for bot in bots)
    if bot is None:
        detail = f"There is no such bot; there are: {names}." if request.bot else f"Name one of the bots: {names}."
        raise ProblemError(400, "The request has errors.", [FieldError("/bot", detail)])
    tenants = await service.conversations.tenants(bot.name) | ({bot.tenant_id.lower()} - {""})
    if request.tenant and request.tenant not in tenants:
        detail = f"The bot {bot.name} is not used in this tenant."
        raise ProblemError(400, "The request has errors.", [FieldError("/tenant", detail)])
    if not request.tenant and len(tenants) > 1:
        detail = f"The bot {bot.name} is used in several tenants: name one of them."
        raise ProblemError(400, "The request has errors.", [FieldError("/tenant", detail)])
    return bot, request.tenant or next(iter(tenants), "")


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
