"""Requests over connections that stay: what is written, what is kept, and what is known when it fails."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from local import loopback
from proactive import wire
from proactive.wire import LostError, NotWrittenError, Origin, Wire, origin
from tests.certificates import certificate, server_side

OK = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nhi"
FIELD = "Authorization: Bearer token-of-test-wire\r\n"
type Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Speaks as it is told to on each connection, and counts those on which a test has asked for something.

    Other tests that run on this machine look for a server that is gone, and may find this one in its place.
    """

    def __init__(self) -> None:
        self._asked: list[asyncio.StreamReader] = []
        self.requests: list[bytes] = []
        self.to = Origin("127.0.0.1", 0, False, "/teams", "127.0.0.1:0")

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        if FIELD.encode() not in head:
            raise ConnectionError("this is nobody from here")
        if reader not in self._asked:
            self._asked.append(reader)
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
        self.requests.append(head + await reader.readexactly(length))
        return self.requests[-1]

    @property
    def connections(self) -> int:
        return len(self._asked)


@contextlib.asynccontextmanager
async def serving(talk: Callable[[Server], Talk], tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server()
    said = talk(server)

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await said(reader, writer)
        writer.close()

    listening = await asyncio.start_server(meet, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    server.to = server.to._replace(port=port, authority=f"127.0.0.1:{port}")
    try:
        yield server
    finally:
        listening.close()
        listening.abort_clients()  # or a test that failed would wait for its own connections, and say nothing
        await listening.wait_closed()


def answering(*answers: bytes, close: bool = False) -> Callable[[Server], Talk]:
    """Give each request on a connection the next answer, then go silent or close."""

    def talk(server: Server) -> Talk:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for answer in answers:
                await server.request(reader)
                writer.write(answer)
            if not close:
                await reader.read()

        return speak

    return talk


@pytest.fixture
async def line() -> AsyncIterator[Wire]:
    line = Wire()
    yield line
    await line.close()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def post(line: Wire, server: Server, body: bytes | None = b'{"type": "message"}') -> wire.Reply:
    return await line.request(server.to, "POST", "v3/conversations", FIELD, body)


async def test_a_request_is_written_as_http_has_it(line):
    async with serving(answering(OK, OK)) as server:
        assert await post(line, server) == (201, {"content-length": "2"}, b"hi")
        await post(line, server, None)
    with_body, without = server.requests
    assert with_body.decode() == (
        f"POST /teams/v3/conversations HTTP/1.1\r\nHost: {server.to.authority}\r\nUser-Agent: proactive\r\n"
        f"Accept-Encoding: identity\r\n{FIELD}Content-Length: 19\r\n\r\n"
        '{"type": "message"}'
    )
    assert b"Content-Length" not in without


async def test_a_general_server_understands_it(line, free_port):
    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"path": request.raw_path, "said": await request.text()}, status=201)

    app = web.Application()
    app.router.add_post("/{path:.*}", echo)
    async with loopback.serving(app, free_port):
        to = origin(f"http://127.0.0.1:{free_port}/amer/")
        reply = await line.request(to, "POST", "v3/conversations/a:1%2F2/activities", "", "grüß".encode())
    assert reply.status == 201
    assert b'"/amer/v3/conversations/a:1%2F2/activities"' in reply.body
    assert b"gr\\u00fc\\u00df" in reply.body


async def test_one_connection_serves_one_request_after_another_and_many_serve_many_at_once(line):
    async with serving(answering(*[OK] * 50)) as server:
        for _ in range(5):
            await post(line, server)
        assert server.connections == 1
        await asyncio.gather(*[post(line, server) for _ in range(8)])
        assert server.connections == 8
        await asyncio.gather(*[post(line, server) for _ in range(8)])
        assert server.connections == 8


@pytest.mark.parametrize(
    "first", [OK.replace(b"Content", b"Connection: close\r\nContent"), OK + b"HTTP/1.1 200 OK\r\n\r\n"]
)
async def test_a_connection_that_cannot_be_trusted_is_not_used_again(line, first):
    async with serving(answering(first, OK)) as server:
        assert (await post(line, server)).body == b"hi"
        assert (await post(line, server)).body == b"hi"
        assert server.connections == 2


async def test_a_connection_that_the_other_side_closed_is_not_used_again(line):
    async with serving(answering(OK, close=True)) as server:
        for _ in range(3):
            await post(line, server)
            await asyncio.sleep(0.02)  # in which the end of the connection arrives
        assert server.connections == 3


async def test_an_answer_that_nobody_asked_for_is_never_taken_for_the_next(line):
    def talk(server: Server) -> Talk:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.request(reader)
            writer.write(OK)
            await asyncio.sleep(0.02)
            writer.write(OK.replace(b"hi", b"no"))
            await reader.read()

        return speak

    async with serving(talk) as server:
        await post(line, server)
        await asyncio.sleep(0.06)
        assert (await post(line, server)).body == b"hi"
        assert server.connections == 2


async def test_an_unused_connection_is_closed_after_a_while(line, monkeypatch):
    monkeypatch.setattr(wire, "_KEPT", 0.05)
    gone = asyncio.Event()

    def talk(server: Server) -> Talk:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.request(reader)
            writer.write(OK)
            with contextlib.suppress(ConnectionError):
                await reader.read()
            gone.set()

        return speak

    async with serving(talk) as server:
        await post(line, server)
        await asyncio.wait_for(gone.wait(), 5)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (b"", "connectionLost"),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhi", "connectionLost"),
        (b"220 smtp.contoso.com ESMTP\r\n\r\n", "malformedAnswer"),
    ],
)
async def test_a_written_request_without_a_whole_answer_is_lost(line, answer, word):
    async with serving(answering(answer, close=True)) as server:
        with pytest.raises(LostError, match=f"^{word}$"):
            await post(line, server)
    assert len(server.requests) == 1, "nothing is repeated here"


async def test_an_answer_may_end_with_its_connection(line):
    async with serving(answering(b"HTTP/1.1 502 Bad Gateway\r\n\r\nupstream", close=True)) as server:
        assert await post(line, server) == (502, {}, b"upstream")


async def test_an_answer_that_does_not_come_in_time_is_lost(line, monkeypatch):
    monkeypatch.setattr(wire, "_TIMEOUT", 0.05)
    async with serving(answering(b"HTTP/1.1 201 Created\r\n")) as server:
        with pytest.raises(LostError, match=r"^timeout$"):
            await post(line, server)


async def test_a_request_that_is_given_up_takes_its_connection_along(line):
    async with serving(answering(b"", OK)) as server:
        asked = asyncio.create_task(post(line, server))
        while not server.requests:
            await asyncio.sleep(0.01)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        fresh = asyncio.create_task(post(line, server))
        while len(server.requests) < 2:
            await asyncio.sleep(0.01)
        assert server.connections == 2
        fresh.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await fresh


async def test_nothing_is_written_where_nobody_listens(line, free_port, monkeypatch):
    nobody = Origin("127.0.0.1", free_port, False, "", f"127.0.0.1:{free_port}")
    with pytest.raises(NotWrittenError, match=r"^connection$"):
        await line.request(nobody, "POST", "x", "", b"")
    with pytest.raises(NotWrittenError, match=r"^dns$"):
        await line.request(Origin("nobody.invalid", 80, False, "", "nobody.invalid"), "POST", "x", "", b"")
    monkeypatch.setattr(wire, "_CONNECT_TIMEOUT", 0)
    with pytest.raises(NotWrittenError, match=r"^connectTimeout$"):
        await line.request(nobody, "POST", "x", "", b"")


async def test_a_certificate_is_checked(line, monkeypatch, tmp_path):
    authority = certificate("127.0.0.1", tmp_path)
    async with serving(answering(OK), server_side(authority)) as server:
        to = server.to._replace(tls=True)
        with pytest.raises(NotWrittenError, match=r"^tls$"):
            await line.request(to, "POST", "x", "", b"")
        trusting = Wire()
        monkeypatch.setattr(wire, "_tls", lambda: ssl.create_default_context(cafile=authority))
        assert (await trusting.request(to, "POST", "x", FIELD, b"")).body == b"hi"
        await trusting.close()


def test_an_origin_is_taken_from_a_service_url():
    assert origin("https://smba.trafficmanager.net/teams/") == (
        "smba.trafficmanager.net", 443, True, "/teams", "smba.trafficmanager.net",
    )  # fmt: skip
    assert origin("http://[::1]:3978/") == ("::1", 3978, False, "", "[::1]:3978")
    assert origin("HTTP://LOCALHOST")[:4] == ("localhost", 80, False, "")
