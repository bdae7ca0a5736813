"""Child processes that never outlive us: stopped with us, and on Linux killed with us."""

import asyncio
import contextlib
import ctypes
import os
import re
import shutil
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from local.host.errors import StartError

NODE_MODULES = Path(__file__).parent / "node_modules"
_PR_SET_PDEATHSIG = 1
_TAIL_LINES = 200
_alive: set["Child"] = set()


class Child:
    """A child process in a session of its own, so that Ctrl-C reaches only us and we stop it when we are ready to."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._drain: asyncio.Task[None] | None = None
        _alive.add(self)

    @classmethod
    async def start(
        cls, name: str, *command: str, env: Mapping[str, str] | None = None, cwd: str | None = None
    ) -> Self:
        """Start `command` with pipes for its standard input and for its output, standard error included."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
        return cls(name, process)

    async def expect(self, pattern: str, seconds: float) -> re.Match[str]:
        """Read output until a line matches `pattern`.

        Raises:
            StartError: the process ended, or `seconds` went by.

        """
        assert self.process.stdout  # noqa: S101 - a pipe was asked for
        try:
            async with asyncio.timeout(seconds):
                async for line in self.process.stdout:
                    text = line.decode(errors="replace").rstrip()
                    self.tail.append(text)
                    if match := re.search(pattern, text):
                        return match
        except TimeoutError:
            raise StartError(f"{self.name} did not start within {seconds:.0f} s{self._said()}") from None
        raise StartError(f"{self.name} ended while it was starting{self._said()}")

    def drain(self) -> None:
        """From now on read the output away, or the process would stop at a full pipe."""
        self._drain = asyncio.create_task(self._read_on())

    async def stop(self, seconds: float = 10.0) -> None:
        """Ask the process to end, and end it after `seconds`."""
        _alive.discard(self)
        if self.process.returncode is None:
            self._signal(signal.SIGTERM)
            if not self._drain:
                self.drain()
            try:
                async with asyncio.timeout(seconds):
                    await self.process.wait()
            except TimeoutError:
                self.kill()
                await self.process.wait()
        if self._drain:
            await self._drain

    def kill(self) -> None:
        """End the process and its own children at once."""
        self._signal(signal.SIGKILL)

    async def _read_on(self) -> None:
        assert self.process.stdout  # noqa: S101 - a pipe was asked for
        async for line in self.process.stdout:
            self.tail.append(line.decode(errors="replace").rstrip())

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _said(self) -> str:
        return "".join(f"\n  {line}" for line in self.tail)


def kill_all() -> None:
    """End every child at once."""
    for child in _alive:
        child.kill()


def node_script(name: str, path: str) -> tuple[str, str]:
    """Give the command for a script below `node_modules`.

    Raises:
        StartError: Node.js or the package is missing.

    """
    node = shutil.which("node")
    if not node:
        raise StartError(f"{name} needs Node.js 20 or newer, and there is no node on the PATH: install it")
    script = NODE_MODULES / path
    if not script.exists():
        raise StartError(f"{name} is not installed: say make setup (or npm ci in {NODE_MODULES.parent})")
    return node, str(script)


def die_with_parent() -> Callable[[], None] | None:
    """Give what a child has to do first so that Linux ends it when we are killed; other systems cannot."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask
