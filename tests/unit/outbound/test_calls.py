"""Calls to real servers: what they are sent, and that none of them can hold or harm us."""

import asyncio
import base64
import hmac
import logging
import socket
import time
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest

from proactive import outbound
from proactive.outbound import Answer
from proactive.rooms import room
from tests.unit.outbound.receivers import FLOW, SECRET, Flow, http_server, raw_server

# --- calls to real servers


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
