import asyncio
import gzip
import io
import json
import socket

import aiohttp
import pytest
from yarl import URL

from tests.host.support import until


async def told(response: aiohttp.ClientResponse) -> dict:
    assert response.status == 200
    return await response.json()


async def logged(host, text: str) -> None:
    await until(lambda: asyncio.sleep(0, any(text in line for line in host.child.tail)))


async def test_a_function_gets_the_request_as_azure_would_hand_it_over(host, web):
    url = URL(f"{host.url}/api/echo/J%C3%BCrgen%2FA%20B?q=1&q=2&empty=&x=%26", encoded=True)
    async with web.post(url, data=b"\x00\xff body", headers={"X-Custom": "One", "x-custom-2": ""}) as response:
        got = await told(response)
        assert response.headers["X-Sample"] == "yes"
        assert response.headers["Content-Type"] == "application/json"
    assert got["method"] == "POST"
    assert got["url"] == str(url)
    assert got["route"] == {"name": "Jürgen%2FA B"}
    assert got["params"] == {"q": "1,2", "x": "&"}
    assert got["headers"]["x-custom"] == "One"
    assert got["headers"]["content-length"] == "7"
    assert got["body"] == "\x00\xff body"
    assert got["function"] == "echo"


async def test_head_has_the_headers_and_no_body(host, web):
    async with web.head(f"{host.url}/api/echo") as response:
        assert response.status == 200
        assert int(response.headers["Content-Length"]) > 0
        assert await response.read() == b""


async def test_a_string_is_a_plain_text_response(host, web):
    async with web.get(f"{host.url}/api/echo/literal") as response:
        assert response.content_type == "text/plain"
        assert await response.text() == "literal"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/api/files/12", "number 12"),
        ("/api/files/a/b", "path a/b"),
        ("/api/files/", "path None"),
        ("/api/files", "path None"),
    ],
)
async def test_catch_alls_and_constraints_route_through_the_worker(host, web, path, text):
    async with web.get(host.url + path) as response:
        assert await response.text() == text


async def test_a_path_with_a_line_feed_reaches_the_app(host, web):
    answer = await web.get(host.url + "/api/files/a%0Ab")
    assert (answer.status, await answer.text()) == (200, "path a\nb")


async def test_an_unknown_path_is_404_and_a_wrong_method_405(host, web):
    async with web.get(f"{host.url}/api/nothing") as response:
        assert response.status == 404
    async with web.get(f"{host.url}/echo") as response:
        assert response.status == 404
    async with web.delete(f"{host.url}/api/echo") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET, HEAD, POST, PUT"


async def test_cookies_are_sent_one_header_each(host, web):
    async with web.get(f"{host.url}/api/cookies") as response:
        assert response.status == 201
        first, second = response.headers.getall("Set-Cookie")
    assert {part.strip() for part in first.split(";")} == {"a=1", "Path=/", "HttpOnly", "SameSite=Lax"}
    assert "b=2" in second
    assert "Max-Age=60" in second


async def test_a_failing_function_is_an_empty_500_and_its_trace_is_logged(host, web):
    async with web.get(f"{host.url}/api/fail?secret=hidden") as response:
        assert response.status == 500
        assert await response.read() == b""
    await logged(host, "RuntimeError: as the test wants it")
    log = "\n".join(host.child.tail)
    assert "function_app.py" in log
    assert "ERROR   fail  " in log
    assert "hidden" not in log


async def test_a_blocking_function_runs_in_a_thread(host, web):
    async def blocked() -> None:
        async with web.get(f"{host.url}/api/sync") as response:
            assert await response.text() == "sync"

    waiting = asyncio.create_task(blocked())
    await logged(host, "INFO    sync  blocks a thread")
    async with web.get(f"{host.url}/api/answered") as response:
        assert response.status == 200
    await waiting
    await logged(host, "INFO    sync  logged by a thread")
    await logged(host, "printed")


async def test_large_bodies_pass_and_larger_ones_than_azure_takes_do_not(host, web):
    async with web.post(f"{host.url}/api/echo", data=io.BytesIO(bytes(20_000_000))) as response:
        assert (await told(response))["length"] == 20_000_000
    # Only announced: the host need not read 100 MB to refuse them.
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(host.url).port)
    writer.write(b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 104857601\r\n\r\n")
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()


async def test_a_compressed_body_is_handed_on_as_it_came(host, web):
    body = gzip.compress(b"x" * 500)
    async with web.post(f"{host.url}/api/echo", data=body, headers={"Content-Encoding": "gzip"}) as response:
        assert (await told(response))["body"] == body.decode("latin-1")


async def test_localhost_is_answered_on_ipv4_and_ipv6(host, web):
    port = URL(host.url).port
    addresses = ["127.0.0.1"]
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
            addresses.append("[::1]")
        except OSError:
            pass
    for address in addresses:
        async with web.get(f"http://{address}:{port}/api/echo") as response:
            assert json.loads(await response.read())["url"] == f"http://{address}:{port}/api/echo"
