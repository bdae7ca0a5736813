"""Routes for flows and other senders: translation only."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import azure.functions as func
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.http import parse_accept_header
from werkzeug.routing import Map, Rule

from proactive import cancel as cancelling
from proactive import report
from proactive.accept import accept, callback_key, idempotency_key, send_id
from proactive.doors import connector, paging
from proactive.doors.accepted import accepted, preferred_wait
from proactive.doors.answers import answer, guarded, read_json
from proactive.doors.lookup import kept_send, well_formed
from proactive.doors.users import find_user, read_user
from proactive.model import State
from proactive.pause import paused_in
from proactive.preview import preview
from proactive.problems import FieldError, ProblemError
from proactive.service import Service

type Handler = Callable[..., Awaitable[func.HttpResponse]]

_MOST_ROWS = 100_000


async def door(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """Answer a request at `/api/v1/…`."""
    return await guarded(lambda: dispatch(service, request, ROUTES, operator=False))


async def dispatch(service: Service, request: func.HttpRequest, routes: Map, *, operator: bool) -> func.HttpResponse:
    """Find the route of a request and answer it. Raises `ProblemError` 404 or 405."""
    path = "/" + request.route_params.get("path", "")
    try:
        handler, values = routes.bind("").match(path, request.method)
    except NotFound:
        raise ProblemError(404, "There is nothing at this address.") from None
    except MethodNotAllowed as error:
        allowed = ", ".join(sorted(error.valid_methods or []))
        raise ProblemError(405, f"This address takes {allowed}.", headers={"Allow": allowed}) from None
    if handler in (create_send, cancel_send, list_bots):
        values = {**values, "operator": operator}
    response: func.HttpResponse = await handler(service, request, **values)
    return response


async def create_send(service: Service, request: func.HttpRequest, *, operator: bool) -> func.HttpResponse:
    """`POST /sends`."""
    paging.refuse_unknown(request.params, set())
    key, body = idempotency_key(request.headers), read_json(request)
    if isinstance(body, Mapping) and body.get("dryRun") is True:
        return answer(200, await preview(service, body, operator=operator))
    seconds = preferred_wait(request)
    send = await accept(service, body, key=key, operator=operator, hold=seconds)
    return await accepted(service, send, seconds)


async def get_send(service: Service, request: func.HttpRequest, send: str) -> func.HttpResponse:
    """`GET /sends/{id}`."""
    paging.refuse_unknown(request.params, set())
    return answer(200, await report.status(service, await kept_send(service, send)))


async def list_results(service: Service, request: func.HttpRequest, send: str) -> func.HttpResponse:
    """`GET /sends/{id}/recipients`: a page as JSON; as CSV the whole table unless `top` is given."""
    params = request.params
    paging.refuse_unknown(params, {"state", "top", "continuation"})
    states = [State(word) for word in paging.one_of(params, "state", [state.value for state in State])]
    as_csv, top = _form(request)
    place = paging.continuation(params)
    place = [0, 0] if place is None else place
    if not (isinstance(place, list) and [type(part) for part in place] == [int, int] and min(place) >= 0
            and max(place) < _MOST_ROWS):  # fmt: skip
        raise paging.broken_continuation()
    kept = await kept_send(service, send)
    rows, following = await report.results(service, kept, states=states, top=top, start=(place[0], place[1]))
    token = paging.token(following)
    if not as_csv:
        return answer(200, {"results": rows, "continuation": token})
    url = f"{report.status_url(service, kept)}/recipients"
    return _table(report.table(rows), url, {**params, "continuation": token or ""})


async def list_responses(service: Service, request: func.HttpRequest, send: str) -> func.HttpResponse:
    """`GET /sends/{id}/responses`: the answers, a page as JSON; as CSV all of them unless `top` is given."""
    params = request.params
    paging.refuse_unknown(params, {"top", "continuation"})
    as_csv, top = _form(request)
    after = paging.continuation(params)
    after = "" if after is None else after
    if not isinstance(after, str) or not paging.KEY.fullmatch(after):
        raise paging.broken_continuation()
    kept = await kept_send(service, send)
    rows, following = await report.responses(service, kept, top=min(top, 1000), after=after)
    while as_csv and following and len(rows) < top:
        more, following = await report.responses(service, kept, top=min(top - len(rows), 1000), after=following)
        rows += more
    token = paging.token(following)
    if not as_csv:
        return answer(200, {"responses": rows, "continuation": token})
    url = f"{report.status_url(service, kept)}/responses"
    return _table(report.table(rows, report.RESPONSE_COLUMNS), url, {**params, "continuation": token or ""})


def _form(request: func.HttpRequest) -> tuple[bool, int]:
    """Return whether a table is asked for, and of how many rows at the most."""
    accepted = parse_accept_header(request.headers.get("accept", ""), MIMEAccept)
    as_csv = accepted.best_match(("application/json", "text/csv")) == "text/csv"
    most = _MOST_ROWS if as_csv else 1000
    return as_csv, paging.top(request.params, default=_MOST_ROWS if as_csv else 100, most=most)


def _table(text: str, url: str, following: Mapping[str, str]) -> func.HttpResponse:
    headers = {"Cache-Control": "no-store"}
    if following["continuation"]:
        headers["Link"] = f'<{url}?{urlencode(following)}>; rel="next"'
    return func.HttpResponse(text, status_code=200, headers=headers, mimetype="text/csv")


async def cancel_send(service: Service, request: func.HttpRequest, send: str, *, operator: bool) -> func.HttpResponse:
    """`DELETE /sends/{id}`: a flow thereby unsubscribes; of what an operator cancels the flow is told."""
    paging.refuse_unknown(request.params, set())
    if await cancelling.cancel(service, well_formed(send), told=operator) is None:
        raise ProblemError(404, "There is no such send.")
    return answer(204)


async def unsubscribe(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """`POST /unsubscribe`: cancel the send that has this callback URL."""
    body = read_json(request)
    if not isinstance(body, Mapping) or set(body) != {"callbackUrl"} or not isinstance(body["callbackUrl"], str):
        error = FieldError("/callbackUrl", "Give the callback URL of the send, and nothing else.")
        raise ProblemError(400, "The request has errors.", [error])
    send = await service.sends.led_to(send_id(callback_key(body["callbackUrl"])))
    if await cancelling.cancel(service, send, told=False) is None:
        raise ProblemError(404, "There is no send with this callback URL.")
    return answer(204)


async def list_bots(service: Service, request: func.HttpRequest, *, operator: bool) -> func.HttpResponse:
    """`GET /bots`; operators see where a bot is held."""
    paging.refuse_unknown(request.params, set())
    bots: list[dict[str, Any]] = []
    for bot in service.settings.bots:
        tenants = await service.tenants(bot)
        held = {"paused": await paused_in(service, bot.name, tenants)} if operator else {}
        bots.append({"name": bot.name, "appId": bot.app_id or None, "tenants": sorted(tenants), **held})
    return answer(200, {"bots": bots})


async def get_user(service: Service, request: func.HttpRequest, bot: str, user: str) -> func.HttpResponse:
    """`GET /bots/{bot}/users/{user}`."""
    paging.refuse_unknown(request.params, {"tenant"})
    _, tenant, known = await find_user(service, bot, user, request.params.get("tenant", ""))
    return answer(200, read_user(service, user, tenant, known))


def rules() -> list[Rule]:
    """Return the routes that senders have, for this door and for the operators'."""
    return [
        Rule("/sends", methods=["POST"], endpoint=create_send),
        Rule("/sends/<send>", methods=["GET"], endpoint=get_send),
        Rule("/sends/<send>", methods=["DELETE"], endpoint=cancel_send),
        Rule("/sends/<send>/recipients", methods=["GET"], endpoint=list_results),
        Rule("/sends/<send>/responses", methods=["GET"], endpoint=list_responses),
        Rule("/unsubscribe", methods=["POST"], endpoint=unsubscribe),
        Rule("/bots", methods=["GET"], endpoint=list_bots),
        Rule("/bots/<bot>/users/<user>", methods=["GET"], endpoint=get_user),
    ]


def connector_rules() -> list[Rule]:
    """Return the routes of the connector that a flow's key opens."""
    return [
        Rule("/connector/messages", methods=["POST"], endpoint=connector.post_message),
        Rule("/connector/cards", methods=["POST"], endpoint=connector.post_card),
        Rule("/connector/questions", methods=["POST"], endpoint=connector.ask),
        Rule("/connector/subscriptions/<send>", methods=["DELETE"], endpoint=cancel_send),
        Rule("/connector/sends/<send>", methods=["GET"], endpoint=get_send),
        Rule("/connector/sends/<send>", methods=["DELETE"], endpoint=connector.cancel_send),
        Rule("/connector/sends/<send>/results", methods=["GET"], endpoint=list_results),
        Rule("/connector/bots", methods=["GET"], endpoint=connector.pick_bot),
        Rule("/connector/schemas/response", methods=["POST"], endpoint=connector.response_schema),
    ]


ROUTES = Map([*rules(), *connector_rules()], strict_slashes=False, merge_slashes=False)
