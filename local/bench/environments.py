"""The peers' own environments, made once from pinned requirements, and their loops run in them as child processes."""

import asyncio
import hashlib
import json
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from local.bench.peers.loop import Job
from local.teams.people import BOT, Person

ROOT = Path(__file__).parents[2]
_SCRIPTS = Path(__file__).parent / "peers"
_HOMES = ROOT / ".local" / "bench"
_INSTALL_SECONDS = 300.0
_RUN_SECONDS = 240.0
_TAIL = 300  # characters of what a peer said when it failed


class PeerError(Exception):
    """A peer could not be measured; the text says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Something that sends: its script's `name`, what to call it, and the package whose version is shown.

    Peers with a `home` have an environment of their own; the others run in ours. `slow` ones get a tenth of the
    messages. An `inner` one is a client within an SDK, which its documentation does not send proactive messages with.
    """

    name: str
    title: str
    package: str
    home: str = ""
    slow: bool = False
    inner: bool = False


PLAIN = Peer("plain_aiohttp", "plain aiohttp: the limit", "aiohttp")
CONTINUE = Peer("continue_conversation", "botbuilder `continue_conversation`", "botbuilder-core", slow=True)
PEERS = (
    PLAIN,
    CONTINUE,
    Peer("framework_adapter", "botbuilder's older `BotFrameworkAdapter`", "botbuilder-core", slow=True),
    Peer("connector_client", "botbuilder `ConnectorClient`, shared, 64 threads", "botframework-connector", inner=True),
    Peer("agents_sdk", "Agents SDK `continue_conversation`", "microsoft-agents-hosting-core", home="agents"),
    Peer(
        "agents_client",
        "Agents SDK `ConnectorClient`, shared",
        "microsoft-agents-hosting-core",
        home="agents",
        inner=True,
    ),
    Peer("teams_sdk", "teams.py `App.send`", "microsoft-teams-apps", home="teams"),
)


def version_of(peer: Peer) -> str:
    """Return the version that is measured."""
    if not peer.home:
        return version(peer.package)
    found = re.search(rf"^{peer.package}==(\S+)", _requirements(peer).read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else "?"


async def environment(peer: Peer) -> str:
    """Return the Python that has the peer, making its environment where there is none.

    Raises:
        PeerError: its packages cannot be installed.

    """
    if not peer.home:
        return sys.executable
    home = _HOMES / peer.home
    python, stamp = home / "bin" / "python", home / "requirements.sha256"
    wanted = hashlib.sha256(_requirements(peer).read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return str(python)
    await _do("making its environment", sys.executable, "-m", "venv", "--clear", str(home))
    install = ("install", "--quiet", "--disable-pip-version-check", "-r", str(_requirements(peer)))
    await _do("installing it", str(python), "-m", "pip", *install)
    stamp.write_text(wanted, encoding="utf-8")
    return str(python)


async def measure(peer: Peer, service_url: str, people: Sequence[Person], text: str, in_flight: int) -> dict[str, Any]:
    """Let a peer send `text` to each of these people; return what its loop printed.

    Raises:
        PeerError: it could not be installed, or failed.

    """
    python = await environment(peer)
    job = Job(service_url, [person.conversation_id for person in people], text, BOT, in_flight)
    child = await asyncio.create_subprocess_exec(
        *(python, "-W", "ignore", "-m", f"local.bench.peers.{peer.name}"),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OTEL_SDK_DISABLED": "true"},
    )
    try:
        async with asyncio.timeout(_RUN_SECONDS):
            said, complaint = await child.communicate(json.dumps(asdict(job)).encode())
    except TimeoutError:
        raise PeerError(f"it did not end within {_RUN_SECONDS:.0f} s") from None
    finally:
        await _ended(child)
    if child.returncode or not said.strip():
        raise PeerError(f"it failed: {complaint.decode(errors='replace').strip()[-_TAIL:]}")
    figures: dict[str, Any] = json.loads(said.splitlines()[-1])
    return figures


async def _do(what: str, *command: str) -> None:
    child = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
    try:
        async with asyncio.timeout(_INSTALL_SECONDS):
            said, _ = await child.communicate()
    except TimeoutError:
        raise PeerError(f"{what} did not end within {_INSTALL_SECONDS:.0f} s") from None
    finally:
        await _ended(child)
    if child.returncode:
        raise PeerError(f"{what} failed: {said.decode(errors='replace').strip()[-_TAIL:]}")


async def _ended(child: Process) -> None:
    if child.returncode is None:
        child.kill()
        await child.wait()


def _requirements(peer: Peer) -> Path:
    return _SCRIPTS / f"{peer.home}.txt"
