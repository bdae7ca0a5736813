"""The command line as its users run it: a process, its output and its exit code."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.stack import ROOT, Stack, environment

type Cli = Callable[..., Awaitable["Said"]]


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    def ok(self, code: int = 0) -> str:
        assert self.code == code, (self.code, self.out, self.err)
        return self.out

    @property
    def body(self) -> Any:
        return json.loads(self.out)


async def run(*arguments: str, stdin: str | bytes = "", env: Mapping[str, str] | None = None) -> Said:
    """Run a command without a terminal."""
    # As if somebody had typed it in a bare shell: what we run under must not decide what is printed.
    bare = {
        name: value for name, value in environment({}).items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "proactive",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**bare, **(env or {})},
        cwd=ROOT,
    )
    out, err = await process.communicate(stdin.encode() if isinstance(stdin, str) else stdin)
    assert process.returncode is not None
    said = Said(process.returncode, out.decode(), err.decode())
    assert "Traceback" not in said.err, said.err
    return said


async def on_a_terminal(*arguments: str, env: Mapping[str, str]) -> Said:
    """Run a command on a terminal of 100 columns, on which both kinds of output arrive together."""
    leader, follower = os.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "proactive",
        *arguments,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**environment({}), "TERM": "xterm-256color", "COLUMNS": "100", **env},
        cwd=ROOT,
    )
    os.close(follower)

    def read() -> bytes:
        parts = []
        while True:
            try:
                part = os.read(leader, 65_536)
            except OSError:  # Linux says so when the last one who could write is gone
                break
            if not part:
                break
            parts.append(part)
        return b"".join(parts)

    out = await asyncio.to_thread(read)
    os.close(leader)
    return Said(await process.wait(), out.decode(), "")


@pytest.fixture(scope="session")
def cli(stack: Stack) -> Cli:
    """Return what runs a command against the stack."""

    async def against(*arguments: str, **more: Any) -> Said:
        env = {"PROACTIVE_URL": stack.url, **more.pop("env", {})}
        return await run(*arguments, env=env, **more)

    return against
