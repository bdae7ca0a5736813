"""HTTP/1.1 requests on connections that are kept: no more of HTTP than posting a message takes.

Whoever sends has to know whether a request that failed was written: if not, it can be made again; if so, the other side
may have acted on it. Nothing is repeated here. docs/decisions/0021 tells what this saves over a general client.
"""

import asyncio
import functools
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

from proactive.reply import LARGEST, MalformedReplyError, Reply, ReplyReader

_CONNECT_TIMEOUT = 5.0  # seconds, for name, connection and TLS together
_TIMEOUT = 60.0  # seconds from the request to the end of its answer
_KEPT = 30.0  # seconds for which an unused connection is kept
_SECOND_ADDRESS_AFTER = 0.25  # seconds, as RFC 8305 recommends


class WireError(Exception):
    """There is no answer; the message is a word that tells why, and quotes nothing."""


class NotWrittenError(WireError):
    """Nothing of the request left: `dns`, `connection`, `tls` or `connectTimeout`."""


class LostError(WireError):
    """The request may have arrived, and no whole answer came: `connectionLost`, `timeout` or `malformedAnswer`."""


class Origin(NamedTuple):
    """Where requests go, and what their paths begin with."""

    host: str
    port: int
    tls: bool
    path: str
    authority: str


@functools.lru_cache(maxsize=256)  # asked for each message, and there are few of them
def origin(url: str) -> Origin:
    """Take the base of an API apart; its host has been checked (hosts.py)."""
    parts = urlsplit(url)
    tls = parts.scheme.lower() == "https"
    return Origin(parts.hostname or "", parts.port or (443 if tls else 80), tls, parts.path.rstrip("/"), parts.netloc)


class Wire:
    """The connections of one process. Serves one event loop. Of an answer's body, `largest` bytes are kept."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._kept: dict[Origin, list[_Connection]] = {}
        self._tls: ssl.SSLContext | None = None
        self._sweep: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        if self._sweep:
            self._sweep.cancel()
            self._sweep = None
        for connection in self._forget():
            await connection.close()

    async def request(self, to: Origin, method: str, path: str, fields: str, body: bytes | None) -> Reply:
        """Make a request and return its answer; redirects are answers like others.

        `path` goes behind the origin's own and is percent-encoded; `fields` are header fields, a line each. Raises
        `NotWrittenError` and `LostError`.
        """
        length = f"Content-Length: {len(body)}\r\n" if body is not None else ""
        head = (
            f"{method} {to.path}/{path} HTTP/1.1\r\nHost: {to.authority}\r\nUser-Agent: proactive\r\n"
            f"Accept-Encoding: identity\r\n{fields}{length}\r\n"
        )
        connection = self._take(to) or await self._connect(to)
        try:
            return await connection.ask(head.encode("ascii") + (body or b""))
        finally:
            if connection.usable:
                self._keep(to, connection)

    def _take(self, to: Origin) -> "_Connection | None":
        kept = self._kept.get(to)
        while kept:
            connection = kept.pop()  # the latest one: the others may come to be of no use, and are closed then
            if connection.usable:
                return connection
        return None

    def _keep(self, to: Origin, connection: "_Connection") -> None:
        connection.kept_at = asyncio.get_running_loop().time()
        self._kept.setdefault(to, []).append(connection)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(_KEPT, self._close_unused)

    def _close_unused(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep = None
        for connection in self._forget(before=loop.time() - _KEPT):
            connection.abort()
        if any(self._kept.values()):
            self._sweep = loop.call_later(_KEPT, self._close_unused)

    def _forget(self, before: float = float("inf")) -> "list[_Connection]":
        old = [connection for kept in self._kept.values() for connection in kept if connection.kept_at < before]
        self._kept = {to: [one for one in kept if one.kept_at >= before] for to, kept in self._kept.items()}
        return old

    async def _connect(self, to: Origin) -> "_Connection":
        if to.tls and self._tls is None:
            self._tls = await asyncio.to_thread(_tls)  # reading the authorities takes a while
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                _, connection = await asyncio.get_running_loop().create_connection(
                    functools.partial(_Connection, self._largest),
                    to.host,
                    to.port,
                    ssl=self._tls if to.tls else None,
                    happy_eyeballs_delay=_SECOND_ADDRESS_AFTER,
                )
        except OSError as error:
            raise NotWrittenError(_word(error)) from None
        return connection


class _Connection(asyncio.Protocol):
    """One connection, with at most one request under way."""

    def __init__(self, largest: int) -> None:
        self.kept_at = 0.0
        self._largest = largest
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Reply] | None = None
        self._reader = ReplyReader(largest)
        self._closed = self._loop.create_future()

    @property
    def usable(self) -> bool:
        """Whether another request can be made on it."""
        return self._answer is None and self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes) -> Reply:
        """Write a request and wait for its answer. Raises `LostError`."""
        assert self._transport is not None  # noqa: S101 - it was made before anybody could ask
        self._reader = ReplyReader(self._largest)
        self._answer = self._loop.create_future()
        late = self._loop.call_later(_TIMEOUT, self._fail, "timeout")
        try:
            self._transport.write(request)
            return await self._answer
        finally:
            late.cancel()
            self._answer = None
            if not self._reader.reusable:
                self.abort()

    def abort(self) -> None:
        """Give the connection up, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Give the connection up, and wait until that is done."""
        self.abort()
        await self._closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's is one
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take a piece of the answer."""
        if self._answer is None or self._answer.done():
            self.abort()  # nobody asked: it could be taken for the next answer
            return
        try:
            reply = self._reader.feed(data)
        except MalformedReplyError:
            self._fail("malformedAnswer")
            return
        if reply is not None:
            self._answer.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Complete an answer that ends with its connection, or tell that it was lost."""
        self._closed.set_result(None)
        reply = self._reader.end() if exc is None else None
        if reply is None:
            self._fail("connectionLost")
        elif self._answer is not None and not self._answer.done():
            self._answer.set_result(reply)

    def _fail(self, word: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(LostError(word))


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _word(error: OSError) -> str:
    """Return why there is no connection."""
    import socket

    if isinstance(error, TimeoutError):
        return "connectTimeout"
    if isinstance(error, ssl.SSLError):
        return "tls"
    return "dns" if isinstance(error, socket.gaierror) else "connection"
