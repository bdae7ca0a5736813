"""The bot's endpoint: activities as Teams sends them, authenticated by Bot Framework tokens."""

from typing import Any

import azure.functions as func

from proactive.auth import Forbidden, KeysUnavailable, Unauthorized
from proactive.doors.answers import answer, guarded, read_json
from proactive.hosts import check_service_url
from proactive.problems import FieldError, ProblemError
from proactive.rooms import room
from proactive.service import Service
from proactive.settings import Bot


async def door(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """Answer `POST /api/messages`."""
    return await guarded(lambda: _take(service, request))


async def _take(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    if request.method != "POST":
        raise ProblemError(405, "This address takes POST.", headers={"Allow": "POST"})
    activity = read_json(request)
    if not isinstance(activity, dict):
        raise ProblemError(400, "An activity is a JSON object.")
    bot = await _authenticated(service, request, activity)
    status, body = await (await room("proactive.bot")).take(service, bot, activity)
    return answer(status, body)


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
