"""Where a call may lead, whatever its name resolves to, and to whom it is told."""

import asyncio
import socket
import ssl
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from proactive.addresses import Resolve
from proactive.outbound import Answer
from tests.certificates import certificate, server_side
from tests.unit.outbound.receivers import FLOW, Flow, http_server


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
