"""Routes of the Power Platform connector: translation to what the other routes do.

`/api/v1/connector/…` is opened by the key of flows. What replaces or deletes messages stands under
`/api/ops/connector/…`: a flow's key opens nothing that an operator's opens.
"""

from collections.abc import Mapping
from typing import Any

import azure.functions as func

from proactive import cancel as cancelling
from proactive import verbs
from proactive.accept import accept, check, idempotency_key
from proactive.doors import connector_fields as fields
from proactive.doors import paging
from proactive.doors.accepted import LONGEST_HOLD, accepted, preferred_wait
from proactive.doors.answers import answer, read_json
from proactive.doors.connector_outputs import of_card
from proactive.doors.lookup import kept_send, well_formed
from proactive.model import Send
from proactive.problems import FieldError, ProblemError, pointer
from proactive.service import Service

_ERRORS = "The request has errors: each is listed with its field."
_QUICK = 5  # seconds in which a message to somebody is out: no flow has to poll for it
_SUBSCRIPTION = ("notificationUrl", "body")


async def post_message(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """`POST /connector/messages`."""
    return await _post(service, request, fields.MESSAGE)


async def post_card(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """`POST /connector/cards`."""
    return await _post(service, request, fields.CARD)


async def _post(service: Service, request: func.HttpRequest, form: fields.Form) -> func.HttpResponse:
    paging.refuse_unknown(request.params, set())
    key, seconds = idempotency_key(request.headers), _held(request, _QUICK)
    body, wrong = fields.read(form, read_json(request))
    try:
        send = await _accept(service, body, wrong, key=key)
    except ProblemError as problem:
        problem.errors = fields.named(form, problem.errors, wrong)
        raise
    return await _answered(service, send, seconds)


async def ask(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """`POST /connector/questions`: a subscription, held until the card is delivered."""
    paging.refuse_unknown(request.params, set())
    seconds = _held(request, LONGEST_HOLD)
    given = read_json(request)
    if not isinstance(given, Mapping):
        raise ProblemError(400, _ERRORS, [FieldError("", "Give an object with notificationUrl and body.")])
    body, wrong = fields.read(fields.QUESTION, given.get("body"))
    outside = [FieldError(pointer(name), "There is no such field.") for name in given if name not in _SUBSCRIPTION]
    url = given.get("notificationUrl")
    if isinstance(url, str) and url:
        body["callbackUrl"] = url
    else:
        outside.append(FieldError("/notificationUrl", "Give the address that is to be called."))
    try:
        send = await _accept(service, body, [*outside, *wrong], hold=seconds)
    except ProblemError as problem:
        outside += [
            FieldError("/notificationUrl", error.detail) for error in problem.errors if error.pointer == "/callbackUrl"
        ]
        inside = [error for error in problem.errors if error.pointer != "/callbackUrl" and error not in outside]
        told = fields.named(fields.QUESTION, inside, wrong)
        problem.errors = [*outside, *(FieldError(f"/body{error.pointer}", error.detail) for error in told)][:100]
        raise
    response = await _answered(service, send, seconds)
    if response.status_code == 201:
        response.headers["Location"] = f"{service.settings.public_url}/api/v1/connector/subscriptions/{send.id}"
    return response


async def _accept(
    service: Service, body: dict[str, Any], wrong: list[FieldError], *, key: str | None = None, hold: float = 0
) -> Send:
    """Keep the send. Raises `ProblemError` as `accept`, or 400 where the translation has found something `wrong`."""
    if not wrong:
        return await accept(service, body, key=key, hold=hold)
    try:
        await check(service, body, operator=False)
    except ProblemError as problem:
        raise ProblemError(400, _ERRORS, problem.errors) from None
    raise ProblemError(400, _ERRORS)


async def cancel_send(service: Service, request: func.HttpRequest, send: str) -> func.HttpResponse:
    """`DELETE /connector/sends/{id}`: a flow that waits is called back, for it need not be the one that cancels."""
    paging.refuse_unknown(request.params, set())
    if await cancelling.cancel(service, well_formed(send), told=True) is None:
        raise ProblemError(404, "There is no such send.")
    return answer(204)


async def pick_bot(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """`GET /connector/bots`: what the picker shows."""
    paging.refuse_unknown(request.params, set())
    return answer(200, {"value": [{"name": bot.name} for bot in service.settings.bots]})


async def response_schema(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """`POST /connector/schemas/response`: what an answer to this card brings."""
    paging.refuse_unknown(request.params, set())
    given = read_json(request)
    card = given.get("messageBody") if isinstance(given, Mapping) else None
    return answer(200, {"schema": of_card(card, service.settings.max_message_bytes)})


async def update_send(service: Service, request: func.HttpRequest, send: str) -> func.HttpResponse:
    """`POST /connector/sends/{id}/update`."""
    paging.refuse_unknown(request.params, set())
    key, seconds = idempotency_key(request.headers), _held(request, _QUICK)
    body, wrong = fields.read_content(read_json(request))
    if wrong:
        raise ProblemError(400, _ERRORS, wrong)
    try:
        new = await verbs.update(service, await kept_send(service, send), body, key=key)
    except ProblemError as problem:
        problem.errors = fields.named(fields.CONTENT, problem.errors)
        raise
    return await accepted(service, new, seconds)


async def recall_send(service: Service, request: func.HttpRequest, send: str) -> func.HttpResponse:
    """`POST /connector/sends/{id}/recall`."""
    paging.refuse_unknown(request.params, set())
    if request.get_body().strip() and read_json(request) != {}:
        raise ProblemError(400, _ERRORS, [FieldError("", "This takes no body.")])
    return await accepted(service, await verbs.recall(service, await kept_send(service, send)), _held(request, _QUICK))


async def _answered(service: Service, send: Send, seconds: int) -> func.HttpResponse:
    """Answer as soon as there is an outcome; what begins later is not worth waiting for."""
    later = send.begins_at > service.clock() + seconds
    return await accepted(service, send, min(seconds, 1) if later else seconds)


def _held(request: func.HttpRequest, usual: int) -> int:
    """Return the seconds for which an answer may be held back: what the caller prefers, or as usual."""
    return preferred_wait(request) if "prefer" in request.headers else usual
