"""Whether the service can work: for monitors, open to all, and cheap however often it is asked."""

import asyncio

import azure.functions as func

from proactive.doors.answers import answer, problem
from proactive.problems import ProblemError
from proactive.service import Service
from proactive.store.errors import StorageError

_KEPT = 5.0  # seconds for which an answer is given again
_PATIENCE = 3.0  # seconds in which storage must answer

_last: tuple[float, bool] = (0.0, False)
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
    healthy = _last[1]
    return answer(200 if healthy else 503, {"status": "healthy" if healthy else "storage does not answer"})


async def _storage_answers(service: Service) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            await service.account.get("sends", "health", "health")
            await service.account.depth("sends")
    except (StorageError, TimeoutError):
        return False
    return True
