"""Receivers of calls: flows that keep what they were sent, and servers that are broken or mean no good."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web

from proactive.outbound import Outbound

HOSTS = (".logic.azure.com", "hooks.Contoso.com", "10.0.0.5", ".0.0.1", "localhost")
FLOW = "https://prod-01.westeurope.logic.azure.com"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


class Flow:
    """A receiver that keeps what it was sent."""

    def __init__(self, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.peers: list[Any] = []
        self.status = status
        self.headers = headers or {}

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        self.bodies.append(await request.read())
        self.peers.append(request.transport.get_extra_info("peername") if request.transport else None)
        return web.Response(status=self.status, headers=self.headers)


@contextlib.asynccontextmanager
async def http_server(flow: Flow, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Give a flow's port on 127.0.0.1."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", flow.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def raw_server(
    *, reads: bool = True, says: bytes = b"", then: bytes = b"", hangs: bool = True
) -> AsyncIterator[int]:
    """Read a request or not, say something, then say something again and again, and hang or hang up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if reads:
                await reader.readuntil(b"\r\n\r\n")
            writer.write(says)
            while then:
                writer.write(then)
                await writer.drain()
                await asyncio.sleep(0.01)
            await asyncio.sleep(60 if hangs else 0)
        except ConnectionError:
            pass
        finally:
            if hangs:
                writer.transport.abort()
            else:
                writer.close()

    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


type Make = Callable[..., Outbound]
