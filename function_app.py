"""The map of the app: every door and every queue, a few lines each. What they do is in `proactive/`.

Heavy imports happen in a thread, at the first use of a room: a cold instance answers sooner, and the loop is not held.
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import azure.functions as func

from proactive.rooms import room
from proactive.settings import load

if TYPE_CHECKING:
    from proactive.service import Service

app = func.FunctionApp()
settings = load(os.environ)
logging.getLogger("azure.core").setLevel(logging.WARNING)  # it logs every request's address

_HEAVY = ("proactive.doors.v1", "proactive.doors.messages", "proactive.deliver", "proactive.bot", "msal")
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]  # doors answer 405 themselves, and say why
_service: "Service | None" = None
_warming: asyncio.Future[Any] | None = None
_exporting: asyncio.Future[None] | None = None


def service() -> "Service":
    """Return the adapters of this process."""
    global _service  # noqa: PLW0603 - one a process: its connections are what makes it fast
    if _service is None:
        from proactive.service import Service  # there by now: every room needs it

        _service = Service(settings)
    return _service


async def proactive(name: str) -> Any:
    """Return a room of `proactive`; the first call has the heavy ones imported meanwhile."""
    global _warming, _exporting  # noqa: PLW0603 - once a process
    if _exporting is None:
        _exporting = asyncio.ensure_future(_export())
        _warming = asyncio.gather(*(room(heavy) for heavy in _HEAVY))
    await _exporting  # what is told before would be lost: where little is sent, each first message
    return await room(f"proactive.{name}")


async def answered(door: str, request: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Return what a door answers."""
    at_door = await proactive(f"doors.{door}")
    with (await proactive("telemetry")).invoked(door, context.trace_context.trace_parent):
        response: func.HttpResponse = await at_door.door(service(), request)
        return response


@asynccontextmanager
async def taken(message: func.QueueMessage, context: func.Context) -> AsyncIterator[bytes]:
    """Give the body of a queue message; telemetry is told how long it waited, and of what invocation this is."""
    telemetry = await proactive("telemetry")
    if message.insertion_time and context.function_name != "timers":
        waited = datetime.now(UTC) - message.insertion_time.replace(tzinfo=UTC)
        telemetry.taken(context.function_name.replace("_", "-"), waited.total_seconds())
    with telemetry.invoked(context.function_name, context.trace_context.trace_parent):
        yield message.get_body()


async def _export() -> None:
    """Have telemetry exported, where an operator has said where to. Without it the service works as well."""
    if settings.insights:
        try:
            insights = await room("proactive.insights")
            await asyncio.to_thread(insights.start, settings)
        except Exception:
            logging.getLogger(__name__).exception("telemetry is not exported")


@app.route("v1/{*path}", methods=_METHODS, auth_level=func.AuthLevel.FUNCTION)
async def v1(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Flows and other senders."""
    return await answered("v1", req, context)


@app.route("ops/{*path}", methods=_METHODS, auth_level=func.AuthLevel.FUNCTION)
async def ops(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Operators."""
    return await answered("ops", req, context)


@app.route("outcomes/{id}/{secret}", methods=_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
async def outcomes(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Whoever polls an outcome."""
    return await answered("outcomes", req, context)


@app.route("messages", methods=_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
async def messages(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Teams."""
    return await answered("messages", req, context)


@app.route("health", methods=_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
async def health(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Monitors."""
    return await answered("health", req, context)


@app.route("ui/{*path}", methods=_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
async def ui(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Operators in a browser: the page alone, which asks `ops` for all that it shows."""
    return await answered("ui", req, context)


@app.queue_trigger("message", "sends", "AzureWebJobsStorage")
async def sends(message: func.QueueMessage, context: func.Context) -> None:
    """Event sources."""
    async with taken(message, context) as body:
        await (await proactive("events")).take(service(), body, message.id or "")


@app.queue_trigger("message", "plans", "AzureWebJobsStorage")
async def plans(message: func.QueueMessage, context: func.Context) -> None:
    """Recipients become people, people become chunks."""
    async with taken(message, context) as body:
        plan = json.loads(body)
        await (await proactive("plan")).plan(service(), plan["send"], plan.get("watch", ()))


@app.queue_trigger("message", "lanes", "AzureWebJobsStorage")
async def lanes(message: func.QueueMessage, context: func.Context) -> None:
    """A send's chunks go out to Teams."""
    async with taken(message, context) as body:
        lane = json.loads(body)
        deliver = await proactive("deliver")
        watch, woken = lane.get("watch", ()), lane.get("woken", False)
        await deliver.run_lane(service(), lane["send"], watch, woken=woken)


@app.queue_trigger("message", "timers", "AzureWebJobsStorage")
async def timers(message: func.QueueMessage, context: func.Context) -> None:
    """What is due goes to the queue it names."""
    async with taken(message, context) as body:
        await (await proactive("timers")).ring(service(), json.loads(body))


@app.queue_trigger("message", "errands", "AzureWebJobsStorage")
async def errands(message: func.QueueMessage, context: func.Context) -> None:
    """What the bot has to do in Teams after an activity."""
    async with taken(message, context) as body:
        await (await proactive("errands")).run(service(), json.loads(body))


@app.queue_trigger("message", "waits", "AzureWebJobsStorage")
async def waits(message: func.QueueMessage, context: func.Context) -> None:
    """What a wait needs behind the scenes."""
    async with taken(message, context) as body:
        await (await proactive("chores")).run(service(), json.loads(body))


@app.queue_trigger("message", "callbacks", "AzureWebJobsStorage")
async def callbacks(message: func.QueueMessage, context: func.Context) -> None:
    """An outcome is handed to the flow."""
    async with taken(message, context) as body:
        callback = json.loads(body)
        await (await proactive("callback")).call(
            service(), callback["send"], callback["event"], callback.get("watch", ())
        )


@app.queue_trigger("message", "plans-poison", "AzureWebJobsStorage")
async def plans_poison(message: func.QueueMessage, context: func.Context) -> None:
    """A send that could not be planned ends."""
    async with taken(message, context) as body:
        await (await proactive("poison")).plan(service(), body)


@app.queue_trigger("message", "lanes-poison", "AzureWebJobsStorage")
async def lanes_poison(message: func.QueueMessage, context: func.Context) -> None:
    """What could not be delivered ends."""
    async with taken(message, context) as body:
        await (await proactive("poison")).lane(service(), body)


@app.queue_trigger("message", "timers-poison", "AzureWebJobsStorage")
async def timers_poison(message: func.QueueMessage, context: func.Context) -> None:
    """A timer that failed is set again."""
    async with taken(message, context) as body:
        await (await proactive("poison")).timer(service(), body)


@app.queue_trigger("message", "errands-poison", "AzureWebJobsStorage")
async def errands_poison(message: func.QueueMessage, context: func.Context) -> None:
    """An errand that failed is reported."""
    async with taken(message, context) as body:
        await (await proactive("poison")).errand(service(), body)


@app.queue_trigger("message", "waits-poison", "AzureWebJobsStorage")
async def waits_poison(message: func.QueueMessage, context: func.Context) -> None:
    """What a wait needs has failed, and is repeated."""
    async with taken(message, context) as body:
        await (await proactive("poison")).repeated("waits", body)


@app.queue_trigger("message", "callbacks-poison", "AzureWebJobsStorage")
async def callbacks_poison(message: func.QueueMessage, context: func.Context) -> None:
    """A callback could not even be tried, and is repeated."""
    async with taken(message, context) as body:
        await (await proactive("poison")).repeated("callbacks", body)
