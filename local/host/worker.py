"""The worker's half: Microsoft's library loads `function_app.py` and runs its functions in this process.

The library keeps what it has loaded in module globals, so a process can hold one app.
"""

import asyncio
import json
import os
import re
import secrets
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as library

from local.host import log, protos
from local.host.errors import StartError

TRIGGERS = ("httpTrigger", "queueTrigger")


@dataclass(frozen=True, slots=True)
class Function:
    """An indexed function: `trigger` is its trigger binding as `function.json` would have it."""

    name: str
    id: str
    trigger: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an invocation ended; `value` is what the function returned, converted by its binding."""

    succeeded: bool
    value: protos.TypedData | None = None


_FAILED = Outcome(succeeded=False)
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_RETRY = protos.RetryContext()


async def load(app_directory: Path) -> list[Function]:
    """Import the app in `app_directory` and say which functions it has.

    Raises:
        StartError: the app cannot be imported or indexed, or needs something that only Azure has.

    """
    if not (app_directory / "function_app.py").exists():
        raise StartError(f"there is no function_app.py in {app_directory}")
    if str(app_directory) not in sys.path:
        sys.path.insert(0, str(app_directory))
    os.chdir(app_directory)
    library.start_threadpool_executor()
    init = SimpleNamespace(capabilities={}, function_app_directory=str(app_directory))
    request = SimpleNamespace(
        request=SimpleNamespace(worker_init_request=init), properties={"host": "127.0.0.1", "protos": protos}
    )
    answer = await library.worker_init_request(request)
    if answer.result.status != protos.StatusResult.Success:
        raise StartError(_start_sentence(answer.result.exception))
    indexed = await library.functions_metadata_request(request)
    if not indexed.function_metadata_results:
        raise StartError(f"the function_app.py in {app_directory} has no functions")
    return [_function(metadata) for metadata in indexed.function_metadata_results]


async def invoke(
    function: Function, value: protos.TypedData, metadata: dict[str, protos.TypedData], time_limit: float | None
) -> Outcome:
    """Run `function` once on `value`, for at most `time_limit` seconds. A failure is logged here."""
    invocation_id = str(uuid.uuid4())
    call = protos.InvocationRequest(
        invocation_id,
        function.id,
        [protos.ParameterBinding(function.trigger["name"], value)],
        metadata,
        _trace(value),
        _RETRY,
    )
    started = time.monotonic()
    token = library.invocation_id_cv.set(invocation_id)
    log.running[invocation_id] = function.name
    try:
        async with asyncio.timeout(time_limit):
            answer = await library.invocation_request(SimpleNamespace(request=SimpleNamespace(invocation_request=call)))
        if answer.result.status == protos.StatusResult.Success:
            log.finished(time.monotonic() - started)
            return Outcome(succeeded=True, value=answer.return_value)
        log.failed(answer.result.exception, time.monotonic() - started)
    except TimeoutError:
        log.timed_out(time.monotonic() - started)
    finally:
        del log.running[invocation_id]
        library.invocation_id_cv.reset(token)
    return _FAILED


def _trace(value: protos.TypedData) -> protos.TraceContext:
    """Begin the span of an invocation, within the caller's trace where a request names one."""
    sent = value.http.headers.get("traceparent", "") if value.kind == "http" else ""
    named = _TRACEPARENT.fullmatch(sent)
    return protos.TraceContext(f"00-{named[1] if named else secrets.token_hex(16)}-{secrets.token_hex(8)}-01")


def _function(metadata: protos.RpcFunctionMetadata) -> Function:
    bindings = [json.loads(text) for text in metadata.raw_bindings]
    triggers = [binding for binding in bindings if binding["type"].lower().endswith("trigger")]
    for binding in bindings:
        if binding["type"] not in (*TRIGGERS, "http"):
            kind = "timer triggers" if binding["type"] == "timerTrigger" else f"{binding['type']} bindings"
            raise StartError(f"{kind} are not supported by the local host (function {metadata.name})")
    if len(triggers) != 1:
        raise StartError(f"function {metadata.name} has {len(triggers)} triggers instead of one")
    return Function(metadata.name, metadata.function_id, triggers[0])


def _start_sentence(failure: protos.RpcException) -> str:
    kind, _, text = failure.message.partition(": ")
    # A missing or malformed setting is told in one sentence; where it was noticed helps nobody.
    return text if kind == "SettingsError" else f"{failure.message}\n{failure.stack_trace}".rstrip()


def close() -> None:
    """End the threads of synchronous functions; none may run any more."""
    library.stop_threadpool_executor()
