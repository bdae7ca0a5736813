"""Brings the host up and, when told to, down: no more requests and messages, then those under way, then the end."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from local.host import http, log, worker
from local.host.host_json import HostJson, read
from local.host.protos import TypedData
from local.host.queues import Accounts, Execute, Listener

STOP_SECONDS = 30.0
"""How long invocations under way may still take when the host is told to stop."""

_logger = logging.getLogger("local.host")


async def run(
    app_directory: Path,
    sockets: list[socket.socket],
    ready: Callable[[], None],
    stop: asyncio.Event,
    prepare: Callable[[], Awaitable[None]],
) -> bool:
    """Run the app in `app_directory` on `sockets` until `stop` is set; False when something had to be left unfinished.

    `prepare` is awaited once the app is imported and before anything is answered, `ready` called once requests are.

    Raises:
        StartError: the app, its `host.json` or its settings are not fit to run.

    """
    host_json = read(app_directory)
    functions = await worker.load(app_directory)
    accounts = Accounts()
    try:
        listeners = [
            Listener(*accounts.queue(function), _executor(function, host_json), host_json.queues)
            for function in functions
            if function.trigger["type"] == "queueTrigger"
        ]
        await prepare()
        web = [function for function in functions if function.trigger["type"] == "httpTrigger"]
        # Longer than we wait ourselves, so that a request that is late is told apart from one that is done.
        server = await http.serve(web, host_json, sockets, 2 * STOP_SECONDS)
        for listener in listeners:
            listener.start()
        ready()
        await stop.wait()
        return await _stop(server.cleanup(), *(listener.stop() for listener in listeners))
    finally:
        await accounts.close()


def _executor(function: worker.Function, host_json: HostJson) -> Execute:
    async def execute(value: TypedData, metadata: dict[str, TypedData]) -> bool:
        outcome = await worker.invoke(function, value, metadata, host_json.function_timeout)
        return outcome.succeeded

    return execute


async def _stop(*endings: Awaitable[None]) -> bool:
    if log.running:
        _logger.info("stopping: waiting for %d invocations, at most %d s", len(log.running), STOP_SECONDS)
    tasks = [asyncio.ensure_future(ending) for ending in endings]
    _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
    if late or log.running:
        _logger.warning("stopped before these were done: %s", ", ".join(sorted(set(log.running.values()))))
        return False
    worker.close()
    return True
