"""Routes for operators: all that senders have, and what can harm."""

import asyncio
from datetime import timedelta
from typing import Any

import azure.functions as func
from werkzeug.routing import Map, Rule

from proactive import report
from proactive.doors import connector, paging, verbs
from proactive.doors.answers import answer, guarded
from proactive.doors.lookup import kept_send
from proactive.doors.persons import erase_data, export_data, list_messages
from proactive.doors.users import find_user
from proactive.doors.v1 import dispatch, rules
from proactive.model import SendStatus
from proactive.problems import ProblemError
from proactive.relay import wake
from proactive.service import Service
from proactive.store.conversations import Conversation
from proactive.transcript import about, content_of

_MOST_LOOKED_AT = 500  # sends that one page may look at while it filters by status


async def door(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """Answer a request at `/api/ops/…`."""
    return await guarded(lambda: dispatch(service, request, ROUTES, operator=True))


async def list_sends(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """`GET /sends`: newest first, by the moment of acceptance."""
    params = request.params
    paging.refuse_unknown(params, {"from", "to", "status", "top", "continuation"})
    wanted = paging.one_of(params, "status", [status.value for status in SendStatus])
    now = service.clock()
    last = paging.instant(params, "to")
    first = paging.instant(params, "from")
    until = min(last.timestamp(), now) if last else now
    since = max(first.timestamp() if first else 0.0, now - (service.settings.retention_days + 1) * 86_400)
    top = paging.top(params)
    at, after = _place(paging.continuation(params), until)
    found: list[dict[str, Any]] = []
    looked_at = 0
    while at >= since - 86_400 and len(found) < top and looked_at < _MOST_LOOKED_AT:
        day = _day(at)
        listed = await service.sends.newest(day, after, top)
        for (key, _), body in zip(listed, await _bodies(service, [send for _, send in listed]), strict=True):
            after = key
            looked_at += 1
            if body and since <= body[0] <= until and (not wanted or body[1]["status"] in wanted):
                found.append(body[1])
                if len(found) == top:
                    break
        else:
            if len(listed) < top:
                at, after = at - 86_400, ""
    more = at >= since - 86_400
    return answer(200, {"sends": found, "continuation": paging.token([at, after] if more else None)})


def _place(place: Any, until: float) -> tuple[float, str]:
    """Return the moment and the key in the index from which a page goes on."""
    if place is None:
        return until, ""
    if isinstance(place, list) and [type(part) for part in place] == [float, str]:
        at, after = place
        if 0 <= at <= until and paging.KEY.fullmatch(after):
            return at, after
    raise paging.broken_continuation()


def _day(at: float) -> str:
    return (paging.EPOCH + timedelta(seconds=at)).strftime("%Y-%m-%d")


async def _bodies(service: Service, ids: list[str]) -> list[tuple[float, dict[str, Any]] | None]:
    async def body(send_id: str) -> tuple[float, dict[str, Any]] | None:
        send = await service.sends.get(send_id)
        return (send.created_at, {**await report.status(service, send), "about": about(send)}) if send else None

    return await asyncio.gather(*(body(send_id) for send_id in ids))


async def get_content(service: Service, request: func.HttpRequest, send: str) -> func.HttpResponse:
    """`GET /sends/{id}/content`."""
    paging.refuse_unknown(request.params, set())
    kept = await kept_send(service, send)
    return answer(200, content_of(kept.activity) | ({} if kept.data is None else {"data": kept.data}))


async def list_rejected(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """`GET /rejected`."""
    paging.refuse_unknown(request.params, {"top", "continuation"})
    place = paging.continuation(request.params)
    place = "" if place is None else place
    if not isinstance(place, str) or not paging.KEY.fullmatch(place):
        raise paging.broken_continuation()
    items, following = await service.rejected.newest(paging.top(request.params), place)
    return answer(200, {"rejected": items, "continuation": paging.token(following)})


async def end_chat(service: Service, request: func.HttpRequest, bot: str, user: str) -> func.HttpResponse:
    """`POST /bots/{bot}/users/{user}/idle`."""
    paging.refuse_unknown(request.params, {"tenant"})
    speaker, tenant, known = await find_user(service, bot, user, request.params.get("tenant", ""))
    if known is None or not known.met:
        raise ProblemError(404, "This bot never met such a person.")
    now = service.clock()

    def idle(conversation: Conversation) -> bool:
        conversation.idle_at = max(conversation.idle_at, now)
        return True

    await service.conversations.change(speaker.name, tenant, known.user, idle)
    await wake(service, speaker.name, tenant, known.user)
    return answer(204)


ROUTES = Map(
    [
        *rules(),
        *verbs.rules(),
        Rule("/connector/sends/<send>/update", methods=["POST"], endpoint=connector.update_send),
        Rule("/connector/sends/<send>/recall", methods=["POST"], endpoint=connector.recall_send),
        Rule("/sends", methods=["GET"], endpoint=list_sends),
        Rule("/sends/<send>/content", methods=["GET"], endpoint=get_content),
        Rule("/rejected", methods=["GET"], endpoint=list_rejected),
        Rule("/bots/<bot>/users/<user>/idle", methods=["POST"], endpoint=end_chat),
        Rule("/bots/<bot>/users/<user>/messages", methods=["GET"], endpoint=list_messages),
        Rule("/bots/<bot>/users/<user>/data", methods=["GET"], endpoint=export_data),
        Rule("/bots/<bot>/users/<user>/data", methods=["DELETE"], endpoint=erase_data),
    ],
    strict_slashes=False,
    merge_slashes=False,
)
