"""The whole stack on one machine: storage, the Functions host with the app, and a Teams client."""

import argparse
import asyncio
import contextlib
import importlib
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TextIO

from local import config, processes
from local.azurite import LocationInUseError, azurite, free_ports
from local.host import http, log, runner
from local.host.errors import StartError
from local.playground import DEFAULT_PORT, playground

_ROOT = Path(__file__).resolve().parent.parent
_logger = logging.getLogger("local.host")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options `up` has."""
    parser.add_argument("--port", type=_port, default=7071, help="port of the service; 0: any free one (default: 7071)")
    parser.add_argument("--storage", metavar="CONNECTION_STRING", help="use this storage account, start no Azurite")
    parser.add_argument("--no-playground", action="store_true", help="start no Teams client")
    parser.add_argument(
        "--playground-port", type=_port, default=DEFAULT_PORT, help="port of the Teams client (default: 56150)"
    )
    parser.add_argument("--verbose", action="store_true", help="log every invocation")
    parser.add_argument("--app", type=Path, default=_ROOT, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Run the stack until SIGTERM or SIGINT; 0 when it ended well, 1 when it could not start."""
    # Standard output is for the addresses alone; what the app prints belongs to the log.
    with contextlib.redirect_stdout(sys.stderr):
        log.set_up(verbose=args.verbose)
        try:
            return asyncio.run(_Stack(args, sys.__stdout__ or sys.stderr).run())
        except StartError as error:
            print(error, file=sys.stderr)
            return 1


class _Stack:
    def __init__(self, args: argparse.Namespace, out: TextIO) -> None:
        self._args = args
        self._app: Path = args.app.resolve()
        self._out = out
        self._stop = asyncio.Event()
        self._started = False
        self._emulator = ""

    async def run(self) -> int:
        self._watch_signals()
        try:
            async with contextlib.AsyncExitStack() as children:
                finished = await self._run(children)
        except asyncio.CancelledError:
            if not self._stop.is_set():
                raise
            return 0
        if not finished:
            # Threads of synchronous functions would hold up an ordinary exit.
            logging.shutdown()
            os._exit(0)
        # The app's sessions have no hook to be closed by; as in Azure they end with the process.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        return 0

    def _watch_signals(self) -> None:
        starting = asyncio.current_task()
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if self._stop.is_set():
                processes.kill_all()
                os._exit(1)
            self._stop.set()
            if not self._started and starting:
                starting.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)

    async def _run(self, children: contextlib.AsyncExitStack) -> bool:
        sockets = http.listen(self._args.port)
        port = sockets[0].getsockname()[1]
        storage = self._args.storage or config.own_storage(self._app) or await self._azurite(children)
        os.environ[config.STORAGE] = storage
        config.apply(self._app)
        os.environ.setdefault("PROACTIVE_PUBLIC_URL", f"http://localhost:{port}")
        os.environ.setdefault("PROACTIVE_LOCAL", "true")
        client = ""
        if not self._args.no_playground:
            client = await children.enter_async_context(playground(port, self._args.playground_port))

        def ready() -> None:
            self._started = True
            print(f"ready http://localhost:{port}", file=self._out, flush=True)
            print(_addresses(port, client, self._emulator), file=self._out, flush=True)

        return await runner.run(self._app, sockets, ready, self._stop, self._prepare)

    async def _azurite(self, children: contextlib.AsyncExitStack) -> str:
        location = self._app / ".local" / "azurite"
        try:
            storage = await children.enter_async_context(azurite(location=location, ports=free_ports()))
        except LocationInUseError:
            _logger.warning("another stack keeps its data in %s: this one keeps its own in memory", location)
            storage = await children.enter_async_context(azurite(in_memory=True))
        self._emulator = storage
        return storage

    async def _prepare(self) -> None:
        """Create the app's queues and tables, which in Azure its deployment does."""
        if not (self._app / "proactive" / "store" / "__init__.py").exists():
            return
        ensure = getattr(importlib.import_module("proactive.store"), "ensure", None)
        if ensure:
            try:
                await ensure()
            except Exception as error:
                _logger.debug("preparing storage failed", exc_info=True)
                reason = str(error).partition("\n")[0]
                raise StartError(f"the queues and tables cannot be prepared: {reason}") from None


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text} is no port: 0 to 65535")
    return int(text)


def _addresses(port: int, client: str, emulator: str) -> str:
    service = f"http://localhost:{port}/api"
    example = '{"recipients": ["Alex Wilber"], "message": "Your order *4711* is ready"}'
    lines = {
        "service": service,
        "Teams": f"{client} (open it: the bot is installed for Alex Wilber)" if client else "",
        "storage": emulator,
        "try": f"curl {service}/health",
        "or": f"curl {service}/v1/sends -H 'Content-Type: application/json' -d '{example}'" if client else "",
    }
    return "\n".join(f"  {name:<8} {text}" for name, text in lines.items() if text)
