"""A small app for the host's tests. `SAMPLE_FAULT` makes its import fail."""

import asyncio
import json
import logging
import os
import threading

import azure.functions as func


class SettingsError(Exception):
    """Named as the service's own error for a missing or malformed setting."""


match os.environ.get("SAMPLE_FAULT"):
    case "settings":
        raise SettingsError("the setting SAMPLE_FAULT is wrong: leave it out")
    case "bug":
        raise ZeroDivisionError("the app's own mistake")

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

if os.environ.get("SAMPLE_FAULT") == "timer":

    @app.timer_trigger("timer", "0 0 * * * *")
    async def nightly(timer: func.TimerRequest) -> None:
        """Need what the local host does not have."""


seen: list[dict[str, object]] = []
running: set[str] = set()
most = [0]
_answered = threading.Event()


@app.route("echo/{name?}", methods=["GET", "POST", "PUT", "HEAD"])
async def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answer with everything that the host handed over."""
    body = req.get_body()
    told = {
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers),
        "params": dict(req.params),
        "route": dict(req.route_params),
        "length": len(body),
        "body": body.decode("latin-1") if len(body) < 1000 else "",
        "function": context.function_name,
    }
    return func.HttpResponse(json.dumps(told), mimetype="application/json", headers={"X-Sample": "yes"})


@app.route("echo/literal", methods=["GET"])
async def literal(req: func.HttpRequest) -> str:
    """Be preferred to `echo/{name?}`, and answer with plain text."""
    return "literal"


@app.route("files/{number:int}", methods=["GET"])
async def number(req: func.HttpRequest) -> func.HttpResponse:
    """Be preferred to `files/{*path}` for numbers."""
    return func.HttpResponse(f"number {req.route_params['number']}")


@app.route("files/{*path}", methods=["GET"])
async def files(req: func.HttpRequest) -> func.HttpResponse:
    """Take everything below `files`, and `files` itself."""
    return func.HttpResponse(f"path {req.route_params.get('path')}")


@app.route("cookies", methods=["GET"])
async def cookies(req: func.HttpRequest) -> func.HttpResponse:
    """Set two cookies."""
    response = func.HttpResponse(status_code=201)
    response.headers.add("Set-Cookie", "a=1; Path=/; HttpOnly; SameSite=Lax")
    response.headers.add("Set-Cookie", "b=2; Max-Age=60")
    return response


@app.route("fail")
async def fail(req: func.HttpRequest) -> func.HttpResponse:
    """Raise."""
    raise RuntimeError("as the test wants it")


@app.route("sync", methods=["GET"])
def sync(req: func.HttpRequest) -> func.HttpResponse:
    """Block a thread, which must not block the loop, until somebody else has been answered."""
    logging.getLogger("sample").info("blocks a thread")
    assert _answered.wait(20)
    logging.getLogger("sample").info("logged by a thread")
    print("printed")
    return func.HttpResponse("sync")


@app.route("answered", methods=["GET"])
async def answer(req: func.HttpRequest) -> func.HttpResponse:
    """Let `sync` go on."""
    _answered.set()
    return func.HttpResponse()


@app.route("slow", methods=["GET"])
async def slow(req: func.HttpRequest) -> func.HttpResponse:
    """Take a second."""
    logging.getLogger("sample").info("slow begins")
    await asyncio.sleep(1)
    return func.HttpResponse("slow")


@app.route("seen", methods=["GET"])
async def show(req: func.HttpRequest) -> func.HttpResponse:
    """Tell what the queue functions saw."""
    return func.HttpResponse(json.dumps({"seen": seen, "most": most[0]}), mimetype="application/json")


@app.queue_trigger("message", "work", "AzureWebJobsStorage")
async def work(message: func.QueueMessage) -> None:
    """Record a message; `{"sleep": s}` takes s seconds, `{"fail": n}` raises the first n times."""
    job = json.loads(message.get_body())
    running.add(message.id)
    most[0] = max(most[0], len(running))
    try:
        await asyncio.sleep(job.get("sleep", 0))
    finally:
        running.discard(message.id)
    failing = message.dequeue_count <= job.get("fail", 0)
    seen.append(
        {
            "function": "work",
            "job": job.get("id"),
            "id": message.id,
            "count": message.dequeue_count,
            "inserted": message.insertion_time.isoformat(),
            "expires": message.expiration_time.isoformat(),
            "next": message.time_next_visible.isoformat(),
            "receipt": message.pop_receipt,
            "failed": failing,
        }
    )
    if failing:
        raise RuntimeError("as the message wants it")


@app.queue_trigger("message", "%SAMPLE_QUEUE%", "SampleStorage")
def threaded(message: func.QueueMessage) -> None:
    """Record a message from a thread."""
    seen.append({"function": "threaded", "job": message.get_body().decode(), "count": message.dequeue_count})


@app.queue_trigger("message", "work-poison", "AzureWebJobsStorage")
async def buried(message: func.QueueMessage) -> None:
    """Fail on a poison queue."""
    seen.append({"function": "buried", "job": json.loads(message.get_body()).get("id"), "count": message.dequeue_count})
    raise RuntimeError("a poison function that raises")
