"""Routes for flows and other senders: translation only."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import azure.functions as func
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from proactive import cancel as cancelling
from proactive import report
from proactive.accept import accept, callback_key, idempotency_key, send_id
from proactive.doors import paging
from proactive.doors.answers import answer, guarded, read_json
from proactive.doors.users import find_user, read_user
from proactive.model import Send, State
from proactive.problems import FieldError, ProblemError
from proactive.service import Service

type Handler = Callable[..., Awaitable[func.HttpResponse]]

LONGEST_HOLD = 100  # seconds: a synchronous call of a flow may last 120
_FIRST_LOOK, _SLOWEST_LOOK = 0.05, 1.0  # seconds between two looks for the outcome
_RETRY_AFTER = 5  # seconds
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
    if handler in (create_send, cancel_send):
        values = {**values, "operator": operator}
    response: func.HttpResponse = await handler(service, request, **values)
    return response


async def create_send(service: Service, request: func.HttpRequest, *, operator: bool) -> func.HttpResponse:
    """`POST /sends`."""
    paging.refuse_unknown(request.params, set())
    key = idempotency_key(request.headers)
    seconds = _preferred_wait(request.headers.get("prefer", ""))
    send = await accept(service, read_json(request), key=key, operator=operator, hold=seconds)
    applied: dict[str, str] = {}
    if seconds:
        applied = {"Preference-Applied": f"wait={seconds}"}
        outcome = await _hold(service, send, seconds)
        if send.held_until:
            await service.sends.note(send.id, held_until=service.clock())
        if outcome and (outcome.failed or not send.callback_url):
            return answer(424 if outcome.failed else 200, outcome.body, applied)
    outcome_url, status_url = report.outcome_url(service, send), report.status_url(service, send)
    body = {"id": send.id, "status": "accepted", "statusUrl": status_url, "outcomeUrl": outcome_url}
    if send.callback_url:
        # A subscription: `Location` is what a DELETE unsubscribes.
        return answer(201, body, {**applied, "Location": status_url})
    return answer(202, body, {**applied, "Location": outcome_url, "Retry-After": str(_RETRY_AFTER)})


async def _hold(service: Service, send: Send, seconds: int) -> report.Outcome | None:
    """Wait for the outcome of a send, or with a callback for its delivery, at most so many seconds."""
    look = report.delivery if send.callback_url else report.outcome
    loop = asyncio.get_running_loop()
    until, pause = loop.time() + seconds, _FIRST_LOOK
    while (left := until - loop.time()) > 0:
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.3, _SLOWEST_LOOK)
        now = await service.sends.get(send.id)
        if now and (outcome := await look(service, now)):
            return outcome
    return None


def _preferred_wait(header: str) -> int:
    """Return N of `Prefer: wait=N` (RFC 7240), at most `LONGEST_HOLD` seconds; 0 where nothing is preferred."""
    match = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,9})", header, re.IGNORECASE | re.ASCII)
    return min(int(match[1]), LONGEST_HOLD) if match else 0


async def get_send(service: Service, request: func.HttpRequest, send: str) -> func.HttpResponse:
    """`GET /sends/{id}`."""
    paging.refuse_unknown(request.params, set())
    return answer(200, await report.status(service, await _kept(service, send)))


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
    kept = await _kept(service, send)
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
    kept = await _kept(service, send)
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
    as_csv = "text/csv" in request.headers.get("accept", "").lower()
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
    if await cancelling.cancel(service, _id(send), told=operator) is None:
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


async def list_bots(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """`GET /bots`."""
    paging.refuse_unknown(request.params, set())
    bots: list[dict[str, Any]] = []
    for bot in service.settings.bots:
        tenants = await service.tenants(bot)
        bots.append({"name": bot.name, "appId": bot.app_id or None, "tenants": sorted(tenants)})
    return answer(200, {"bots": bots})


async def get_user(service: Service, request: func.HttpRequest, bot: str, user: str) -> func.HttpResponse:
    """`GET /bots/{bot}/users/{user}`."""
    paging.refuse_unknown(request.params, {"tenant"})
    _, _, known = await find_user(service, bot, user, request.params.get("tenant", ""))
    return answer(200, read_user(service, user, known))


async def _kept(service: Service, send: str) -> Send:
    found = await service.sends.get(_id(send))
    if found is None:
        raise ProblemError(404, "There is no such send.")
    return found


def _id(text: str) -> str:
    """Return an id that storage can be asked for; nothing else was ever given out."""
    if not re.fullmatch(r"[a-z2-7]{26}", text):
        raise ProblemError(404, "There is no such send.")
    return text


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


ROUTES = Map(rules(), strict_slashes=False, merge_slashes=False)
