"""Whether the service can work: for monitors, open to all, and cheap however often it is asked.

Whoever asks also has the queues looked at, once in a while: a monitor asks when nothing else happens any more.
"""

import asyncio
import contextlib

import azure.functions as func

from proactive.doors.answers import answer, problem
from proactive.problems import ProblemError
from proactive.rooms import room
from proactive.service import Service
from proactive.store.errors import StorageError

_KEPT = 5.0  # seconds for which an answer is given again
_PATIENCE = 3.0  # seconds in which storage must answer
_LOOK_EVERY = 50.0  # seconds between two looks at the queues: telemetry goes out once a minute

_last: tuple[float, bool] = (0.0, False)
_looked_at = 0.0
_looking = asyncio.Lock()


async def door(service: Service, request: func.HttpRequest) -> func.HttpResponse:
    """Answer `GET /api/health`: 200 when storage answers, else 503."""
    global _last  # noqa: PLW0603 - one answer for the process, whoever asks
    if request.method not in ("GET", "HEAD"):
        return problem(ProblemError(405, "This address takes GET.", headers={"Allow": "GET, HEAD"}))
    async with _looking:
        now = asyncio.get_running_loop().time()
        if now - _last[0] > _KEPT or not _last[0]:
            _last = (now, await _storage_answers(service))
            if _last[1] and service.settings.insights:
                await _look(service, now)
    healthy = _last[1]
    return answer(200 if healthy else 503, {"status": "healthy" if healthy else "storage does not answer"})


async def _look(service: Service, now: float) -> None:
    global _looked_at  # noqa: PLW0603 - as above
    if now - _looked_at < _LOOK_EVERY and _looked_at:
        return
    _looked_at = now
    with contextlib.suppress(StorageError, TimeoutError):  # the next look tells
        async with asyncio.timeout(_PATIENCE):
            await (await room("proactive.backlog")).look(service)


async def _storage_answers(service: Service) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            await service.account.get("sends", "health", "health")
            await service.account.depth("sends")
    except (StorageError, TimeoutError):
        return False
    return True
