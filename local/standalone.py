"""A stand-in as a process of its own: it prints one line, its address, once it listens, and ends by a signal."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def stop_signal() -> asyncio.Event:
    """Return what is set once somebody asks this process to end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    return stop


@asynccontextmanager
async def spawned(module: str, *arguments: str) -> AsyncIterator[str]:
    """Start `python -m <module>` with these arguments, give the address that it prints, and stop it at the end.

    Raises `RuntimeError` where it ends without an address.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE, cwd=_ROOT
    )
    try:
        assert process.stdout is not None  # noqa: S101 - for the type checker: it was asked for above
        address = (await process.stdout.readline()).decode().strip()
        if not address:
            raise RuntimeError("the stand-in did not start; its reason stands on standard error")
        yield address
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
