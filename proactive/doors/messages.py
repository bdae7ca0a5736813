"""The bot's endpoint: activities as Teams sends them, authenticated by Bot Framework tokens."""

import asyncio
import contextlib
import logging
from typing import Any

import azure.functions as func

from proactive.auth import Forbidden, KeysUnavailable, Unauthorized
from proactive.doors.answers import answer, guarded, read_json
from proactive.hosts import check_service_url
from proactive.problems import FieldError, ProblemError
from proactive.reply import Reply
from proactive.rooms import room
from proactive.service import Service
from proactive.settings import Bot
from proactive.upstream import PASSED_ON, answers_us, full, passed_on

log = logging.getLogger(__name__)


async def door(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """Answer `POST /api/messages`."""
    return await guarded(lambda: _take(service, request))


async def _take(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    if request.method != "POST":
        raise ProblemError(405, "This address takes POST.", headers={"Allow": "POST"})
    activity = read_json(request)
    if not isinstance(activity, dict):
        raise ProblemError(400, "An activity is a JSON object.")
    began = asyncio.get_running_loop().time()
    bot = await _authenticated(service, request, activity)
    upstream = service.upstream if _passes_on(service, request, bot, activity) else None
    if upstream is None:
        status, body = await (await room("proactive.bot")).take(service, bot, activity)
        return answer(status, body)
    headers = request.headers
    passed = passed_on(activity, request.get_body(), headers.get("authorization"), headers.get("content-type"))
    if passed.kind == "invoke":
        return _handed_on(await upstream.ask(passed))
    under_way = upstream.start(passed)
    with contextlib.suppress(ProblemError):  # what we can make nothing of, the other bot may
        await (await room("proactive.bot")).take(service, bot, activity, ours=False)
    if under_way is None:
        raise full()
    await upstream.settle(under_way, began)
    return answer(200)


def _passes_on(service: Service, request: func.HttpRequest, bot: Bot, activity: dict[str, Any]) -> bool:
    """Tell whether an activity is for the bot behind this one: it shares the app id of the first bot, not of others."""
    if service.upstream is None or bot is not service.settings.bots[0] or activity.get("channelId") != "msteams":
        return False
    if request.headers.get(PASSED_ON):
        log.error("an activity came back from PROACTIVE_UPSTREAM_BOT, which should be another bot's endpoint")
        return False
    return not answers_us(activity)


def _handed_on(reply: Reply) -> func.HttpResponse:
    kind = reply.fields.get("content-type", "application/json")
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return func.HttpResponse(reply.body or None, status_code=reply.status, headers=headers, mimetype=kind)


async def _authenticated(service: Service, request: func.HttpRequest, activity: dict[str, Any]) -> Bot:
    """Return the bot that an activity is for. Raises `ProblemError` 401, 403 or 503."""
    bots = service.settings.bots
    if service.settings.local and not any(bot.app_id for bot in bots):
        url = activity.get("serviceUrl")
        if not isinstance(url, str) or not check_service_url(url, service.settings.service_hosts, allow_loopback=True):
            error = FieldError("/serviceUrl", "It should be on a loopback address, or one of Teams' own hosts.")
            raise ProblemError(400, "The activity is not valid.", [error])
        return bots[0]
    try:
        app_id = await service.authenticator.authenticate(request.headers.get("authorization"), activity)
    except Unauthorized as error:
        raise ProblemError(401, str(error), headers={"WWW-Authenticate": "Bearer"}) from None
    except Forbidden as error:
        raise ProblemError(403, str(error)) from None
    except KeysUnavailable as error:
        raise ProblemError(503, str(error), headers={"Retry-After": "5"}) from None
    return next(bot for bot in bots if bot.app_id == app_id)
