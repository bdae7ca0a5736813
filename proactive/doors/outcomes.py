"""The address of an outcome, which opens itself: flows do not repeat their key when they follow `Location`."""

import hmac

import azure.functions as func

from proactive import report
from proactive.doors.answers import answer, guarded
from proactive.model import Send
from proactive.problems import ProblemError
from proactive.service import Service

_SOONEST, _LATEST = 5, 600  # seconds between two polls that we ask for
_GROWTH = 20  # the pause grows to a twentieth of what the caller has waited already


async def door(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """Answer `GET /api/outcomes/{id}/{secret}`."""
    return await guarded(lambda: _outcome(service, request))


async def _outcome(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    if request.method != "GET":
        raise ProblemError(405, "This address takes GET.", headers={"Allow": "GET"})
    send_id, secret = request.route_params.get("id", ""), request.route_params.get("secret", "")
    well_formed = len(send_id) == 26 and send_id.isascii() and send_id.isalnum() and secret.isascii()
    send = await service.sends.get(send_id) if well_formed else None
    if send is None or not hmac.compare_digest(send.secret.encode(), secret.encode()):
        raise ProblemError(404, "There is nothing at this address.")
    outcome = await report.outcome(service, send)
    if outcome:
        return answer(424 if outcome.failed else 200, outcome.body)
    headers = {"Location": report.outcome_url(service, send), "Retry-After": str(_pause(service, send))}
    status = await report.status(service, send)
    return answer(202, {"id": send.id, "status": status["status"], "counts": status["counts"]}, headers)


def _pause(service: Service, send: Send) -> int:
    """Return the seconds until the next poll makes sense: a poll every 20 s for 30 days would be 129,600 calls."""
    now = service.clock()
    if send.begins_at > now:
        return int(min(_LATEST, max(_SOONEST, send.begins_at - now)))
    return int(min(_LATEST, max(_SOONEST, (now - send.begins_at) / _GROWTH)))
