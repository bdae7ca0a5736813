"""Routes by which operators repeat, replace and delete what was sent, and hold a bot: translation only."""

from collections.abc import Mapping
from typing import Any

import azure.functions as func
from werkzeug.routing import Rule

from proactive import pause as pausing
from proactive import verbs
from proactive.accept import idempotency_key
from proactive.demands import sender_errors
from proactive.doors import paging
from proactive.doors.accepted import accepted, preferred_wait
from proactive.doors.answers import answer, read_json
from proactive.doors.lookup import kept_send
from proactive.problems import FieldError, ProblemError, pointer
from proactive.service import Service

_ERRORS = "The request has errors: each is listed with its field."


async def retry_send(service: Service, request: func.HttpRequest, send: str) -> func.HttpResponse:
    """`POST /sends/{id}/retry`."""
    seconds = _without_body(request)
    return await accepted(service, await verbs.retry(service, await kept_send(service, send)), seconds)


async def update_send(service: Service, request: func.HttpRequest, send: str) -> func.HttpResponse:
    """`POST /sends/{id}/update`."""
    paging.refuse_unknown(request.params, set())
    key, seconds = idempotency_key(request.headers), preferred_wait(request)
    other = await kept_send(service, send)
    return await accepted(service, await verbs.update(service, other, read_json(request), key=key), seconds)


async def recall_send(service: Service, request: func.HttpRequest, send: str) -> func.HttpResponse:
    """`POST /sends/{id}/recall`."""
    seconds = _without_body(request)
    return await accepted(service, await verbs.recall(service, await kept_send(service, send)), seconds)


async def pause_bot(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """`POST /pause`."""
    bot, tenants = await _whom(service, request)
    for tenant in tenants:
        await pausing.pause(service, bot, tenant)
    return answer(200, {"bot": bot, "tenants": tenants, "paused": True})


async def resume_bot(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """`POST /resume`."""
    bot, tenants = await _whom(service, request)
    for tenant in tenants:
        await pausing.resume(service, bot, tenant)
    return answer(200, {"bot": bot, "tenants": tenants, "paused": False})


def _without_body(request: func.HttpRequest) -> int:
    """Refuse what a call takes nothing of; return how many seconds its answer may be held."""
    paging.refuse_unknown(request.params, set())
    if request.get_body().strip() and read_json(request) != {}:
        raise ProblemError(400, _ERRORS, [FieldError("", "This takes no body.")])
    return preferred_wait(request)


async def _whom(service: Service, request: func.HttpRequest) -> tuple[str, list[str]]:
    """Return the bot and the tenants that a body names. Raises `ProblemError` 400, or 409 for a bot not used yet."""
    paging.refuse_unknown(request.params, set())
    body = read_json(request) if request.get_body().strip() else {}
    if not isinstance(body, Mapping):
        raise ProblemError(400, _ERRORS, [FieldError("", "Give an object with bot and tenant.")])
    given: dict[str, Any] = {name: value for name, value in body.items() if value is not None}
    errors = [
        FieldError(pointer(name), "It should be a text." if name in ("bot", "tenant") else "There is no such field.")
        for name, value in given.items()
        if name not in ("bot", "tenant") or not isinstance(value, str)
    ]
    bot, tenant = given.get("bot") or "", given.get("tenant") or ""
    errors = errors or await sender_errors(service, bot, tenant, all_tenants=True)
    if errors:
        raise ProblemError(400, _ERRORS, errors[:100])
    speaker = service.settings.bot(bot) or service.settings.bots[0]
    tenants = [tenant.lower()] if tenant else sorted(await service.tenants(speaker))
    if not tenants:
        raise ProblemError(409, f"The bot {speaker.name} is not used in any tenant yet.")
    return speaker.name, tenants


def rules() -> list[Rule]:
    """Return the routes that operators alone have."""
    return [
        Rule("/sends/<send>/retry", methods=["POST"], endpoint=retry_send),
        Rule("/sends/<send>/update", methods=["POST"], endpoint=update_send),
        Rule("/sends/<send>/recall", methods=["POST"], endpoint=recall_send),
        Rule("/pause", methods=["POST"], endpoint=pause_bot),
        Rule("/resume", methods=["POST"], endpoint=resume_bot),
    ]
