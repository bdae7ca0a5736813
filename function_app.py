"""The map of the app: every door and every queue, a few lines each. What they do is in `proactive/`.

Heavy imports happen in a thread, at the first use of a room: a cold instance answers sooner, and the loop is not held.
"""

import asyncio
import json
import logging
import os
from typing import Any

import azure.functions as func

from proactive.rooms import room
from proactive.service import Service
from proactive.settings import load

app = func.FunctionApp()
settings = load(os.environ)
logging.getLogger("azure.core").setLevel(logging.WARNING)  # it logs every request's address

_HEAVY = ("proactive.doors.v1", "proactive.doors.messages", "proactive.deliver", "proactive.bot", "msal")
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]  # doors answer 405 themselves, and say why
_service: Service | None = None
_warming: asyncio.Future[Any] | None = None


def service() -> Service:
    """Return the adapters of this process."""
    global _service  # noqa: PLW0603 - one a process: its connections are what makes it fast
    if _service is None:
        _service = Service(settings)
    return _service


async def proactive(name: str) -> Any:
    """Return a room of `proactive`; the first call has the heavy ones imported meanwhile."""
    global _warming  # noqa: PLW0603 - once a process
    if _warming is None:
        _warming = asyncio.gather(*(room(heavy) for heavy in _HEAVY))
    return await room(f"proactive.{name}")


async def answered(door: str, request: func.HttpRequest) -> func.HttpResponse:
    """Return what a door answers."""
    response: func.HttpResponse = await (await proactive(f"doors.{door}")).door(service(), request)
    return response


@app.route("v1/{*path}", methods=_METHODS, auth_level=func.AuthLevel.FUNCTION)
async def v1(req: func.HttpRequest) -> func.HttpResponse:
    """Flows and other senders."""
    return await answered("v1", req)


@app.route("ops/{*path}", methods=_METHODS, auth_level=func.AuthLevel.FUNCTION)
async def ops(req: func.HttpRequest) -> func.HttpResponse:
    """Operators."""
    return await answered("ops", req)


@app.route("outcomes/{id}/{secret}", methods=_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
async def outcomes(req: func.HttpRequest) -> func.HttpResponse:
    """Whoever polls an outcome."""
    return await answered("outcomes", req)


@app.route("messages", methods=_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
async def messages(req: func.HttpRequest) -> func.HttpResponse:
    """Teams."""
    return await answered("messages", req)


@app.route("health", methods=_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
async def health(req: func.HttpRequest) -> func.HttpResponse:
    """Monitors."""
    return await answered("health", req)


@app.route("ui/{*path}", methods=_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
async def ui(req: func.HttpRequest) -> func.HttpResponse:
    """Operators in a browser: the page alone, which asks `ops` for all that it shows."""
    return await answered("ui", req)


@app.queue_trigger("message", "sends", "AzureWebJobsStorage")
async def sends(message: func.QueueMessage) -> None:
    """Event sources."""
    await (await proactive("events")).take(service(), message.get_body(), message.id or "")


@app.queue_trigger("message", "plans", "AzureWebJobsStorage")
async def plans(message: func.QueueMessage) -> None:
    """Recipients become people, people become chunks."""
    plan = _read(message)
    await (await proactive("plan")).plan(service(), plan["send"], plan.get("watch", ()))


@app.queue_trigger("message", "lanes", "AzureWebJobsStorage")
async def lanes(message: func.QueueMessage) -> None:
    """A send's chunks go out to Teams."""
    lane = _read(message)
    deliver = await proactive("deliver")
    watch, woken = lane.get("watch", ()), lane.get("woken", False)
    await deliver.run_lane(service(), lane["send"], watch, woken=woken)


@app.queue_trigger("message", "timers", "AzureWebJobsStorage")
async def timers(message: func.QueueMessage) -> None:
    """What is due goes to the queue it names."""
    await (await proactive("timers")).ring(service(), _read(message))


@app.queue_trigger("message", "errands", "AzureWebJobsStorage")
async def errands(message: func.QueueMessage) -> None:
    """What the bot has to do in Teams after an activity."""
    await (await proactive("errands")).run(service(), _read(message))


@app.queue_trigger("message", "waits", "AzureWebJobsStorage")
async def waits(message: func.QueueMessage) -> None:
    """What a wait needs behind the scenes."""
    await (await proactive("chores")).run(service(), _read(message))


@app.queue_trigger("message", "callbacks", "AzureWebJobsStorage")
async def callbacks(message: func.QueueMessage) -> None:
    """An outcome is handed to the flow."""
    callback = _read(message)
    await (await proactive("callback")).call(service(), callback["send"], callback["event"], callback.get("watch", ()))


@app.queue_trigger("message", "plans-poison", "AzureWebJobsStorage")
async def plans_poison(message: func.QueueMessage) -> None:
    """A send that could not be planned ends."""
    await (await proactive("poison")).plan(service(), message.get_body())


@app.queue_trigger("message", "lanes-poison", "AzureWebJobsStorage")
async def lanes_poison(message: func.QueueMessage) -> None:
    """What could not be delivered ends."""
    await (await proactive("poison")).lane(service(), message.get_body())


@app.queue_trigger("message", "timers-poison", "AzureWebJobsStorage")
async def timers_poison(message: func.QueueMessage) -> None:
    """A timer that failed is set again."""
    await (await proactive("poison")).timer(service(), message.get_body())


@app.queue_trigger("message", "errands-poison", "AzureWebJobsStorage")
async def errands_poison(message: func.QueueMessage) -> None:
    """An errand that failed is reported."""
    await (await proactive("poison")).errand(service(), message.get_body())


@app.queue_trigger("message", "waits-poison", "AzureWebJobsStorage")
async def waits_poison(message: func.QueueMessage) -> None:
    """What a wait needs has failed, and is repeated."""
    await (await proactive("poison")).repeated("waits", message.get_body())


@app.queue_trigger("message", "callbacks-poison", "AzureWebJobsStorage")
async def callbacks_poison(message: func.QueueMessage) -> None:
    """A callback could not even be tried, and is repeated."""
    await (await proactive("poison")).repeated("callbacks", message.get_body())


def _read(message: func.QueueMessage) -> Any:
    return json.loads(message.get_body())
