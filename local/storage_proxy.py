"""A reverse proxy in front of the storage emulator: it counts every call, and a hook can hold one up.

Azurite checks signatures over path and headers but not over the host, so that requests can be handed on as they came.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from local.loopback import listen

type Hook = Callable[["Call"], Awaitable[None]]

_LARGEST_BODY = 16 * 1024 * 1024  # bytes; a table transaction may have 4 MiB
_HOP_BY_HOP = ("Host", "Connection", "Keep-Alive", "Transfer-Encoding", "Expect")
_OF_ONE_ROW = re.compile(r"\(.+\)$")
_NO_MESSAGES = re.compile(rb"<QueueMessagesList\s*/>|<QueueMessagesList>\s*</QueueMessagesList>")


class Call(NamedTuple):
    """One storage transaction: `table` or `queue`, the HTTP method, and its path without names of rows and messages.

    `kind` is `sends(…)` for a row, `sends()` for a query, `sends` for an insert, `$batch` for a transaction of up to
    100 rows; for queues `lanes/messages` and `lanes/messages/…`.
    """

    service: str
    method: str
    kind: str


class StorageProxy:
    """A proxy for tables and queues of a storage account: `async with StorageProxy(account) as proxy:`.

    `connection_string`  the account as it is reached through the proxy
    `calls`              all calls that were answered, in order; receives of an empty queue are not among them
    `idle`               receives of an empty queue, by queue
    `before`, `after`    awaited before a call is handed on, and when its answer is there but not handed back yet; a
                         ConnectionError from them cuts the caller's connection
    """

    def __init__(self, connection_string: str) -> None:
        self._account = connection_string
        self._runners: list[web.AppRunner] = []
        self._web: aiohttp.ClientSession | None = None
        self.connection_string = ""
        self.calls: list[Call] = []
        self.idle: Counter[str] = Counter()
        self.before: Hook | None = None
        self.after: Hook | None = None

    def clear(self) -> None:
        """Forget what was counted."""
        self.calls.clear()
        self.idle.clear()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(self._close)
            # Bodies go through as they came: compressed, and with the headers that were signed.
            self._web = aiohttp.ClientSession(
                auto_decompress=False,
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            )
            parts = dict(part.split("=", 1) for part in self._account.split(";") if part)
            for service in ("table", "queue"):
                name = f"{service.capitalize()}Endpoint"
                there = URL({key.lower(): value for key, value in parts.items()}[name.lower()])
                parts = {key: value for key, value in parts.items() if key.lower() != name.lower()}
                parts[name] = str(there.with_port(await self._listen(service, there.origin())))
            self.connection_string = "".join(f"{name}={value};" for name, value in parts.items())
            undo.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        if self._web:
            await self._web.close()

    async def _listen(self, service: str, origin: URL) -> int:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", partial(self._hand_on, service, origin))
        runner, port = await listen(app, auto_decompress=False)
        self._runners.append(runner)
        return port

    async def _hand_on(self, service: str, origin: URL, request: web.Request) -> web.Response:
        call = Call(service, request.method, _kind(service, request.path))
        try:
            return await self._answer(call, origin, request)
        except (aiohttp.ClientError, ConnectionError):
            # Storage is away or a hook wants it to seem so: whoever calls loses the connection.
            if request.transport:
                request.transport.abort()
            return web.Response(status=503)

    async def _answer(self, call: Call, origin: URL, request: web.Request) -> web.Response:
        if self.before:
            await self.before(call)
        assert self._web  # noqa: S101 - there while the proxy listens
        body = await request.read()
        address = URL(f"{origin}{request.raw_path}", encoded=True)
        headers = _end_to_end(request.headers)
        async with self._web.request(
            request.method, address, headers=headers, data=body or None, allow_redirects=False
        ) as answer:
            said = await answer.read()
        if call.service == "queue" and call.method == "GET" and _NO_MESSAGES.search(said):
            self.idle[call.kind.partition("/")[0]] += 1
        else:
            self.calls.append(call)
        if self.after:
            await self.after(call)
        return web.Response(status=answer.status, headers=_end_to_end(answer.headers), body=said)


def _kind(service: str, path: str) -> str:
    """Return a path without the account in front and without what names a row or a message."""
    _, _, rest = path.lstrip("/").partition("/")
    if service == "table":
        return _OF_ONE_ROW.sub("(…)", rest)
    queue, *more = rest.split("/")
    return "/".join([queue, *more[:1], *("…" for _ in more[1:2])])


def _end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    kept = CIMultiDict(headers)
    for name in (*_HOP_BY_HOP, "Content-Length"):
        kept.popall(name, None)
    return kept
