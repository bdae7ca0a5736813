"""A deployment behind a hold, on the local stack: bots are held meanwhile, and go on whatever became of it."""

import asyncio
import json
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.stack import ROOT, Stack, environment, until

BOT = "deployed"
BOTS = shlex.join([sys.executable, "-m", "proactive", "bots", "--json"])


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with Stack.running(settings={"PROACTIVE_BOT_NAME": BOT}) as running:
        await running.join(1)
        yield running


async def begun(url: str, script: str, *options: str) -> asyncio.subprocess.Process:
    """Begin a deployment by a shell script."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.deploy", "--before", "0", "--after", "0", *options, "--", "sh", "-c", script),
        stderr=asyncio.subprocess.PIPE,
        env={**environment({}), "PROACTIVE_URL": url},
        cwd=ROOT,
    )


async def deployed(url: str, script: str, *options: str) -> tuple[int | None, str]:
    """Deploy by a shell script; return the exit code and what was said."""
    process = await begun(url, script, *options)
    _, said = await process.communicate()
    return process.returncode, said.decode()


async def held(stack: Stack) -> list[str]:
    """Return the tenants in which the bot is held."""
    (bot,) = (await stack.get("/api/ops/bots")).ok()["bots"]
    assert len(bot["tenants"]) == 1
    found: list[str] = bot["paused"]
    return found


async def resume(stack: Stack) -> None:
    (await stack.request("POST", "/api/ops/resume", json_body={"bot": BOT})).ok()


@pytest.mark.parametrize("code", [0, 7])
async def test_bots_are_held_meanwhile_and_go_on_afterwards(stack: Stack, tmp_path: Path, code: int) -> None:
    """GIVEN a deployment, good or failing WHEN it has ended THEN the bots go on, and its exit code is told."""
    seen = tmp_path / "seen"

    ended, said = await deployed(stack.url, f"{BOTS} > {seen}; exit {code}")

    (bot,) = json.loads(seen.read_text())["bots"]
    assert bot["paused"] == bot["tenants"] != []
    assert ended == code, said
    assert await held(stack) == []
    assert "STILL HELD" not in said


async def test_who_was_held_before_stays_held(stack: Stack) -> None:
    (await stack.request("POST", "/api/ops/pause", json_body={"bot": BOT})).ok()
    try:
        ended, _ = await deployed(stack.url, "exit 0")

        assert ended == 0
        assert await held(stack) != []
    finally:
        await resume(stack)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_who_ends_it_from_outside_leaves_no_bot_held(stack: Stack, tmp_path: Path, by: signal.Signals) -> None:
    there = tmp_path / "there"
    process = await begun(stack.url, f"touch {there}; exec sleep 60")
    await until(lambda: exists(there))
    assert await held(stack) != []

    process.send_signal(by)
    await process.communicate()

    assert process.returncode == 130
    assert await held(stack) == []


async def test_what_cannot_be_run_leaves_no_bot_held(stack: Stack) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.deploy", "--before", "0", "--after", "0", "--", "no-such-azd"),
        stderr=asyncio.subprocess.PIPE,
        env={**environment({}), "PROACTIVE_URL": stack.url},
        cwd=ROOT,
    )
    _, said = await process.communicate()

    assert process.returncode == 127
    assert "no-such-azd cannot be run" in said.decode()
    assert await held(stack) == []


async def test_without_the_app_nothing_is_deployed(tmp_path: Path) -> None:
    there = tmp_path / "there"

    ended, said = await deployed("http://127.0.0.1:1", f"touch {there}")

    assert ended == 4
    assert "Nothing is held, nothing was deployed." in said
    assert not there.exists()


class Door:
    """An address of the stack that can be shut, as Azure's is while it replaces instances."""

    def __init__(self, stack: Stack) -> None:
        self._host, self._port = stack.url.removeprefix("http://").split(":")
        self._server: asyncio.Server | None = None
        self._at = 0

    async def open(self) -> str:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self._at)
        self._at = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{self._at}"

    async def shut(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._host, self._port)
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer), return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while part := await reader.read(65_536):
                writer.write(part)
                await writer.drain()
        finally:
            writer.close()


@pytest.mark.parametrize("comes_back", [True, False])
async def test_an_app_that_is_away_is_waited_for_and_bots_that_stay_held_are_told_aloud(
    stack: Stack, tmp_path: Path, comes_back: bool
) -> None:
    there, gone = tmp_path / "there", tmp_path / "gone"
    door = Door(stack)
    url = await door.open()
    script = f"touch {there}; while ! test -e {gone}; do sleep 0.05; done"
    process = await begun(url, script, "--patience", "40" if comes_back else "0.2")
    await until(lambda: exists(there))
    await door.shut()
    gone.touch()
    said = b""
    assert process.stderr is not None
    while comes_back and b"cannot be reached" not in said:
        said += await process.stderr.readline()
    if comes_back:
        await door.open()

    said += (await process.communicate())[1]

    if comes_back:
        await door.shut()
        assert process.returncode == 0
        assert await held(stack) == []
        assert b"STILL HELD" not in said
    else:
        assert process.returncode == 3
        (tenant,) = await held(stack)
        assert b"THESE BOTS ARE STILL HELD" in said
        assert f"proactive resume --bot {BOT} --tenant {tenant}" in said.decode()
        await resume(stack)


async def exists(path: Path) -> bool:
    return path.exists()
