"""Calls to callback URLs: what may be called, how it is signed, and that a receiver can neither hold nor harm us."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import logging
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from proactive import outbound
from proactive.addresses import Resolve
from proactive.outbound import Answer, Outbound, sign, url_error
from proactive.rooms import room
from tests.certificates import certificate, server_side

HOSTS = (".logic.azure.com", "hooks.Contoso.com", "10.0.0.5", ".0.0.1", "localhost")
FLOW = "https://prod-01.westeurope.logic.azure.com"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT

# --- which URLs


@pytest.mark.parametrize(
    "url",
    [
        FLOW,
        f"{FLOW}/",
        f"{FLOW}?sig=x",
        f"{FLOW}:443/workflows/a1/runs/0858/actions/Ask/run?api-version=2016-10-01&sp=%2Fruns%2F0858&sv=1.0&sig=a-b_c",
        "HTTPS://PROD-01.WestEurope.Logic.Azure.COM/x",
        "https://a.logic.azure.com/a/../b//c;d=1,2!$'()*~",
        "https://xn--e1afmkfd.logic.azure.com/",
        "https://a.logic.azure.com/?to=https://evil.com/@x",
        "https://hooks.contoso.com/",
        "https://HOOKS.contoso.com:443/",
        f"{FLOW}/{'a' * (4096 - len(FLOW) - 1)}",
    ],
)
@pytest.mark.parametrize("allow_loopback", [False, True])
def test_a_listed_host_may_be_called_back(url, allow_loopback):
    assert url_error(url, HOSTS, allow_loopback=allow_loopback) is None


LOOPBACK = [
    "http://localhost:8080/x",
    "http://LocalHost/x",
    "https://localhost:1/x",
    "http://127.0.0.1:56150/x?y=z",
    "https://127.0.0.1/x",
    "http://127.255.1.2:65535/x",
    "http://[::1]:8080/x",
    "http://[0:0:0:0:0:0:0:1]/x",
]


@pytest.mark.parametrize("url", LOOPBACK)
def test_loopback_may_be_called_back_where_it_is_allowed(url):
    assert url_error(url, (), allow_loopback=True) is None


@pytest.mark.parametrize("url", [url for url in LOOPBACK if not url.startswith("https://localhost")])
def test_loopback_may_not_be_called_back_elsewhere(url):
    assert url_error(url, HOSTS, allow_loopback=False)


@pytest.mark.parametrize("allow_loopback", [False, True])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        # other hosts, and hosts that only look like listed ones
        ("https://evil.com/", "not among"),
        ("https://logic.azure.com/", "not among"),
        ("https://evillogic.azure.com/", "not among"),
        ("https://a.logic.azure.com.evil.com/", "not among"),
        ("https://a.logic.azure.com.evil.com:443/", "not among"),
        ("https://a.hooks.contoso.com/", "not among"),
        ("https://evilhooks.contoso.com/", "not among"),
        ("https://evil.com/?x=.logic.azure.com", "not among"),
        ("https://evil.com/a.logic.azure.com", "not among"),
        ("https://evil.com?.logic.azure.com", "not among"),
        ("https://localhost.evil.com/", "not among"),
        # names that parsers read in several ways
        ("https://a.logic.azure.com./", "malformed"),
        ("https://localhost./", "malformed"),
        ("https://.logic.azure.com/", "malformed"),
        ("https://a..logic.azure.com/", "malformed"),
        ("https://-a.logic.azure.com/", "malformed"),
        ("https://a%2elogic.azure.com/", "malformed"),
        ("https://%31%32%37.0.0.1/", "malformed"),
        ("https://evil.com%2f.logic.azure.com/", "malformed"),
        ("https://evil.com;.logic.azure.com/", "malformed"),
        ("https://evil.com,a.logic.azure.com/", "malformed"),
        (f"https://{'a' * 64}.logic.azure.com/", "malformed"),
        (f"https://{'a.' * 120}logic.azure.com/", "malformed"),
        ("https:///a.logic.azure.com/", "malformed"),
        ("https://", "malformed"),
        ("https://?x", "malformed"),
        ("https://[a.logic.azure.com]/", "malformed"),
        ("https://[127.0.0.1]/", "malformed"),
        ("https://[fe80::1%25eth0]/", "malformed"),
        # user info
        ("https://user@a.logic.azure.com/", "user"),
        ("https://user:pass@a.logic.azure.com/", "user"),
        ("https://a.logic.azure.com@evil.com/", "user"),
        ("https://a.logic.azure.com:443@evil.com/", "user"),
        ("https://@a.logic.azure.com/", "user"),
        ("https://evil.com#@a.logic.azure.com/", "fragment"),
        # addresses, in all their forms; two of them even stand in the list
        ("https://10.0.0.5/", "address"),
        ("https://126.0.0.1/", "address"),
        ("https://20.50.1.1/", "address"),
        ("https://168.63.129.16/", "address"),
        ("https://2130706433/", "address"),
        ("https://0x7f.1/", "address"),
        ("https://0X7F000001/", "address"),
        ("https://127.1/", "address"),
        ("https://0177.0.0.1/", "address"),
        ("https://256.256.256.256/", "address"),
        ("https://[::ffff:127.0.0.1]/", "address"),
        ("https://[::]/", "address"),
        ("https://[2606:4700:4700::1111]/", "address"),
        ("https://[::1:]/", "address"),
        # scheme and port
        ("http://a.logic.azure.com/", "https"),
        ("http://a.logic.azure.com:443/", "https"),
        ("https://a.logic.azure.com:80/", "443"),
        ("https://a.logic.azure.com:8443/", "443"),
        ("https://a.logic.azure.com:0443/", "malformed"),
        ("https://a.logic.azure.com:/", "malformed"),
        ("https://a.logic.azure.com:443:443/", "malformed"),
        ("https://a.logic.azure.com:+443/", "malformed"),
        ("http://127.0.0.1:0/", "malformed"),
        ("ftp://a.logic.azure.com/", "https"),
        ("file:///etc/passwd", "https"),
        ("//a.logic.azure.com/", "https"),
        ("/api/v1", "https"),
        ("a.logic.azure.com", "https"),
        ("https:/a.logic.azure.com/", "https"),
        ("https:a.logic.azure.com", "https"),
        ("", "https"),
        # characters
        (f"{FLOW}/#top", "fragment"),
        (f"{FLOW}/a b", "white space"),
        (f" {FLOW}", "white space"),
        (f"{FLOW}/\n", "white space"),
        (f"{FLOW}/\r\nX-Evil: 1", "white space"),
        ("https://a.logic.azure.com\t/", "white space"),
        ("ht\ttps://a.logic.azure.com/", "white space"),
        (f"{FLOW}/\x00", "white space"),
        (f"{FLOW}/\x7f", "white space"),
        ("https://evil.com\\.logic.azure.com/", "white space"),
        ("https:\\\\a.logic.azure.com/", "white space"),
        ("https://а.logic.azure.com/", "ASCII"),
        ("https://a.logic.azure.com/ü", "ASCII"),
        ("https://evil.com\uff0f.logic.azure.com/", "ASCII"),
        ("https://a。logic.azure.com/", "ASCII"),
        ("httpſ://a.logic.azure.com/", "ASCII"),
        (f"{FLOW}/{{x}}", "percent-encoded"),
        (f"{FLOW}/%zz", "percent-encoded"),
        (f"{FLOW}/?a=<b>", "percent-encoded"),
        (f"{FLOW}/{'a' * (4096 - len(FLOW))}", "4096"),
    ],
)
def test_what_may_not_be_called_back_is_told_without_being_quoted(url, said, allow_loopback):
    error = url_error(url, HOSTS, allow_loopback=allow_loopback)

    assert error is not None
    assert said in error
    assert "evil" not in error
    assert "azure" not in error


def test_a_port_beyond_the_last_is_refused_on_loopback_too():
    assert url_error("http://127.0.0.1:65536/", (), allow_loopback=True)


@pytest.mark.parametrize("url", ["https://" + "a" * 4000, "https://" + "a." * 2000, "https://" + "0." * 2000 + "x"])
def test_a_long_and_odd_url_is_told_at_once(url):
    start = time.process_time()
    assert url_error(url, HOSTS, allow_loopback=True)
    assert time.process_time() - start < 0.5


# --- how it is signed


def test_the_signature_is_the_one_of_standard_webhooks():
    # The reference vector that the specification's own libraries are tested with.
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}') == expected


@pytest.mark.parametrize("size", [24, 25, 26, 32, 64])
def test_a_secret_of_any_length_signs_with_or_without_its_padding(size):
    key = bytes(range(200, 200 + size % 56)) * 2
    secret = "whsec_" + base64.b64encode(key).decode()
    body = '{"name": "Zoë", "n": 100%, "nul": "\0"}'.encode()
    wanted = base64.b64encode(hmac.new(key, b"id.1800000000." + body, hashlib.sha256).digest()).decode()

    assert sign(secret, "id", 1_800_000_000, body) == f"v1,{wanted}"
    assert sign(secret.rstrip("="), "id", 1_800_000_000, body) == f"v1,{wanted}"


# --- calls to real servers


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


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[Outbound] = []

    def make(**options: Any) -> Outbound:
        made.append(Outbound(HOSTS, **({"allow_loopback": True, "clock": lambda: NOW} | options)))
        return made[-1]

    yield make
    for each in made:
        await each.close()


@pytest.fixture
def line(make: Make) -> Outbound:
    return make()


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that waits for a time-out does not wait long; others end well before it."""
    monkeypatch.setattr(outbound, "_TIMEOUT", 20)


async def test_a_call_is_a_signed_post_of_the_body_as_it_is(make):
    flow, body = Flow(status=202), '{"event": "completed", "name": "Zoë"}'.encode()
    async with http_server(flow) as port:
        answer = await make(secret=SECRET).post(f"http://127.0.0.1:{port}/run?sp=%2Fa%2fb&sig=x+y%20z", "msg_1", body)

    assert answer == Answer(202)
    (request,) = flow.requests
    assert (request.method, request.raw_path, flow.bodies) == ("POST", "/run?sp=%2Fa%2fb&sig=x+y%20z", [body])
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"] == "proactive"
    assert request.headers["webhook-id"] == "msg_1"
    assert request.headers["webhook-timestamp"] == "1800000000"
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    wanted = base64.b64encode(hmac.new(key, b"msg_1.1800000000." + body, "sha256").digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{wanted}"


async def test_without_a_secret_a_call_is_not_signed(line):
    flow = Flow()
    async with http_server(flow) as port:
        await line.post(f"http://localhost:{port}/", "msg_1", b"{}")

    assert flow.requests[0].headers["webhook-id"] == "msg_1"
    assert "webhook-signature" not in flow.requests[0].headers


@pytest.mark.parametrize("status", [200, 204, 301, 302, 307, 308, 400, 404, 410, 429, 500, 503])
async def test_any_status_is_an_answer_and_redirects_are_not_followed(line, status):
    flow = Flow(status=status, headers={"Location": "/elsewhere"})
    async with http_server(flow) as port:
        assert await line.post(f"http://127.0.0.1:{port}/", "msg_1", b"{}") == Answer(status)

    assert len(flow.requests) == 1


async def test_calls_share_a_connection_but_no_cookies(line):
    flow = Flow(headers={"Set-Cookie": "session=1"})
    async with http_server(flow) as port:
        for _ in range(3):
            await line.post(f"http://localhost:{port}/", "msg_1", b"{}")

    assert len(set(flow.peers)) == 1
    assert not any("Cookie" in request.headers for request in flow.requests)


async def test_many_first_calls_at_once_share_one_session(line, monkeypatch):
    async def slow_room(name: str) -> Any:
        await asyncio.sleep(0.01)
        return await room(name)

    sessions = []
    make_session = aiohttp.ClientSession
    monkeypatch.setattr(outbound, "room", slow_room)
    monkeypatch.setattr(aiohttp, "ClientSession", lambda **options: sessions.append(1) or make_session(**options))
    flow = Flow()
    async with http_server(flow) as port:
        answers = await asyncio.gather(*(line.post(f"http://127.0.0.1:{port}/", f"msg_{n}", b"{}") for n in range(50)))

    assert set(answers) == {Answer(200)}
    assert len({request.headers["webhook-id"] for request in flow.requests}) == 50
    assert len(sessions) == 1


async def test_a_proxy_of_the_environment_is_not_used(line, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with http_server(Flow()) as port:
        assert await line.post(f"http://127.0.0.1:{port}/", "msg_1", b"{}") == Answer(200)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Fri, 15 Jan 2027 08:01:30 GMT", 90.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("999999999999", 86_400.0),
        ("soon", 0.0),
        ("-5", 0.0),
    ],
)
async def test_retry_after_is_told_in_seconds(line, text, seconds):
    async with http_server(Flow(status=429, headers={"Retry-After": text})) as port:
        assert await line.post(f"http://127.0.0.1:{port}/", "msg_1", b"{}") == Answer(429, "", seconds)


@pytest.mark.parametrize("text", ["9" * 5000, "Mon, 01 Jan 0001 00:00:00 -0000", "Mon, 32 Jan 2027 00:00:00 GMT", "é"])
async def test_an_odd_retry_after_does_not_cost_the_status(line, text):
    async with http_server(Flow(status=429, headers={"Retry-After": text})) as port:
        assert (await line.post(f"http://127.0.0.1:{port}/", "msg_1", b"{}")).status == 429


# --- receivers that are broken or mean no good


async def test_of_an_endless_answer_only_the_beginning_is_read(line):
    async with raw_server(says=b"HTTP/1.1 200 OK\r\n\r\n", then=b"x" * 32_768) as port:
        start = time.perf_counter()
        answer = await line.post(f"http://127.0.0.1:{port}/", "msg_1", b"{}")

    assert answer == Answer(200)
    assert time.perf_counter() - start < 10


async def test_an_answer_that_trickles_counts_by_its_status_when_time_is_up(line, monkeypatch):
    monkeypatch.setattr(outbound, "_TIMEOUT", 0.5)
    async with raw_server(says=b"HTTP/1.1 503 Busy\r\nRetry-After: 9\r\n\r\n", then=b"x") as port:
        start = time.perf_counter()
        answer = await line.post(f"http://127.0.0.1:{port}/", "msg_1", b"{}")

    assert answer == Answer(503, "", 9.0)
    assert 0.4 < time.perf_counter() - start < 10


async def test_an_answer_that_is_cut_off_counts_by_its_status(line):
    async with raw_server(says=b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx", hangs=False) as port:
        assert await line.post(f"http://127.0.0.1:{port}/", "msg_1", b"{}") == Answer(200)


async def test_an_answer_before_the_body_was_read_counts_in_time(line, monkeypatch):
    monkeypatch.setattr(outbound, "_TIMEOUT", 2)
    async with raw_server(says=b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n") as port:
        answer = await line.post(f"http://127.0.0.1:{port}/", "msg_1", b"x" * 20_000_000)

    assert answer == Answer(413)


@pytest.mark.parametrize(
    "behaviour",
    [
        {"says": b""},
        {"says": b"HTTP/1.1 200 OK\r\n"},
        {"says": b"HTTP/1.1 200 OK\r\n", "then": b"x: y\r\n"},
        {"says": b"HTTP/1.1 100 Continue\r\n\r\n"},
        {"reads": False},
    ],
)
async def test_who_does_not_answer_is_given_up_in_time(line, monkeypatch, behaviour):
    monkeypatch.setattr(outbound, "_TIMEOUT", 0.4)
    async with raw_server(**behaviour) as port:
        answer = await line.post(f"http://127.0.0.1:{port}/", "msg_1", b"x" * 10_000_000)

    assert answer.status is None
    assert answer.error in (("timeout", "protocol") if "then" in behaviour else ("timeout",))


async def test_a_name_that_does_not_resolve_in_time_is_given_up(make, monkeypatch):
    monkeypatch.setattr(outbound, "_CONNECT_TIMEOUT", 0.2)

    async def resolve(_host: str) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    start = time.perf_counter()
    assert await make(resolve=resolve).post(f"{FLOW}/", "msg_1", b"{}") == Answer(None, "timeout")
    assert time.perf_counter() - start < 10


async def test_where_nobody_listens_there_is_no_connection(line):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        assert await line.post(url, "msg_1", b"{}") == Answer(None, "connection")


async def test_a_connection_lost_before_the_answer_is_told(line):
    async with raw_server(hangs=False) as port:
        assert await line.post(f"http://127.0.0.1:{port}/", "msg_1", b"{}") == Answer(None, "connection")


@pytest.mark.parametrize("says", [b"SSH-2.0-OpenSSH_9.9\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"])
async def test_what_is_no_http_is_told(line, says):
    async with raw_server(says=says) as port:
        assert await line.post(f"http://127.0.0.1:{port}/", "msg_1", b"{}") == Answer(None, "protocol")


async def test_a_call_can_be_cancelled(line):
    async with raw_server() as port:
        call = asyncio.create_task(line.post(f"http://127.0.0.1:{port}/", "msg_1", b"{}"))
        await asyncio.sleep(0.2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_no_log_holds_the_url_whatever_happens(make, caplog):
    async def resolve(_host: str) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    caplog.set_level(logging.DEBUG)
    good, unresolved, unsigned = make(), make(resolve=resolve), make(secret="whsec_A")
    async with http_server(Flow(status=500)) as port, raw_server(says=b"?\r\n\r\n") as odd:
        answers = [
            await good.post(f"http://127.0.0.1:{port}/canary?sig=canary", "msg_1", b"{}"),
            await good.post(f"http://127.0.0.1:{odd}/canary?sig=canary", "msg_1", b"{}"),
            await good.post("ftp://canary", "msg_1", b"{}"),
            await unresolved.post(f"{FLOW}/canary?sig=canary", "msg_1", b"{}"),
            await unsigned.post(f"http://127.0.0.1:{port}/canary?sig=canary", "msg_1", b"{}"),
        ]

    assert [answer.error for answer in answers] == ["", "protocol", "refusedUrl", "dns", "unexpected"]
    assert "unexpected" in caplog.text
    assert "canary" not in caplog.text


# --- where it may lead


@pytest.fixture
async def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were to be connected to; nothing leaves the machine."""
    loop = asyncio.get_running_loop()
    tried: list[str] = []
    connect = loop.sock_connect

    async def sock_connect(sock: socket.socket, address: Any) -> None:
        tried.append(address[0])
        if address[0] != "127.0.0.1":
            raise ConnectionRefusedError
        await connect(sock, address)

    monkeypatch.setattr(loop, "sock_connect", sock_connect)
    return tried


def resolving(*rounds: Sequence[str]) -> Resolve:
    """Resolve every name to the next of these each time."""
    left = iter(rounds)

    async def resolve(_host: str) -> Sequence[str]:
        return next(left)

    return resolve


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "168.63.129.16", "::1", "fd00::1"])
async def test_a_listed_name_that_leads_inwards_is_not_connected_to(make, dialled, address):
    answer = await make(resolve=resolving([address])).post(f"{FLOW}/", "msg_1", b"{}")

    assert answer == Answer(None, "refusedAddress")
    assert dialled == []


async def test_of_mixed_addresses_only_public_ones_are_connected_to(make, dialled):
    mixed = ["10.0.0.1", "20.50.1.1", "127.0.0.1", "20.50.1.2"]

    assert await make(resolve=resolving(mixed)).post(f"{FLOW}/", "msg_1", b"{}") == Answer(None, "connection")
    assert set(dialled) == {"20.50.1.1", "20.50.1.2"}


async def test_a_name_that_turns_inwards_after_its_first_call_is_refused(make, dialled):
    line = make(resolve=resolving(["20.50.1.1"], ["169.254.169.254"]))

    answers = [await line.post(f"{FLOW}/", "msg_1", b"{}") for _ in range(2)]

    assert [answer.error for answer in answers] == ["connection", "refusedAddress"]
    assert dialled == ["20.50.1.1"]


async def test_localhost_that_turns_outwards_is_refused(make, dialled):
    line, flow = make(resolve=resolving(["127.0.0.1"], ["10.0.0.1"])), Flow(headers={"Connection": "close"})
    async with http_server(flow) as port:
        answers = [await line.post(f"http://localhost:{port}/", "msg_1", b"{}") for _ in range(2)]

    assert answers == [Answer(200), Answer(None, "refusedAddress")]
    assert len(flow.requests) == 1
    assert dialled == ["127.0.0.1"]


async def test_a_url_is_checked_again_when_it_is_used(make):
    flow = Flow()
    async with http_server(flow) as port:
        for url in (f"http://127.0.0.1:{port}/", f"http://localhost:{port}/", "https://evil.com/"):
            assert await make(allow_loopback=False).post(url, "msg_1", b"{}") == Answer(None, "refusedUrl")

    assert flow.requests == []


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(FLOW.removeprefix("https://"), tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(authority: Path) -> ssl.SSLContext:
    return server_side(authority)


@pytest.fixture
async def diverted(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, int], int]:
    """Public addresses that are on this machine, by the loopback ports that stand for them."""
    loop = asyncio.get_running_loop()
    ports: dict[tuple[str, int], int] = {}
    connect = loop.sock_connect

    async def sock_connect(sock: socket.socket, address: Any) -> None:
        await connect(sock, ("127.0.0.1", ports[address[:2]]))

    monkeypatch.setattr(loop, "sock_connect", sock_connect)
    return ports


async def test_a_flow_is_called_over_tls_on_port_443(make, diverted, tls, authority, monkeypatch):
    trusting = ssl.create_default_context(cafile=str(authority))
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
    flow = Flow(status=202)
    async with http_server(flow, tls) as port:
        diverted["20.50.1.1", 443] = port
        answer = await make(resolve=resolving(["20.50.1.1"])).post(f"{FLOW}:443/run", "msg_1", b"{}")

    assert answer == Answer(202)
    assert flow.requests[0].host.removesuffix(":443") == FLOW.removeprefix("https://")


async def test_who_cannot_prove_its_name_is_not_told_anything(make, line, diverted, tls):
    flow = Flow()
    async with http_server(flow, tls) as secure, http_server(flow) as plain:
        diverted |= {("20.50.1.1", 443): secure, ("127.0.0.1", plain): plain}
        answers = [
            await make(resolve=resolving(["20.50.1.1"])).post(f"{FLOW}/run", "msg_1", b"{}"),
            await line.post(f"https://127.0.0.1:{plain}/", "msg_1", b"{}"),
        ]

    assert answers == [Answer(None, "tls")] * 2
    assert flow.requests == []


def test_importing_it_does_not_import_aiohttp():
    code = "import sys, proactive.outbound; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
