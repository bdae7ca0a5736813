"""An HTTP server of our own on loopback, as every stand-in is one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


async def listen(app: web.Application, port: int = 0, *, auto_decompress: bool = True) -> tuple[web.AppRunner, int]:
    """Serve `app` on a port of 127.0.0.1, a free one for 0; return the port, and the runner that ends it by `cleanup`.

    Without `auto_decompress` bodies reach the app as they came.
    """
    # A person in a hurry to stop the demo does not wait for a slow answer.
    runner = web.AppRunner(app, access_log=None, auto_decompress=auto_decompress, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner, int(runner.addresses[0][1])


@asynccontextmanager
async def serving(app: web.Application, port: int = 0) -> AsyncIterator[int]:
    """Serve `app` as `listen` does and give the port; end it at the end."""
    runner, port = await listen(app, port)
    try:
        yield port
    finally:
        await runner.cleanup()
