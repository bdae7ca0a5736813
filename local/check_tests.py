"""The tests, in several pytest processes side by side: one alone waits for most of its time."""

import asyncio
import contextlib
import re
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from xml.etree import ElementTree

from local.processes import die_with_parent

AT_ONCE = 3
PARTS = ("e2e", "delivery", "cli connector flows upstream", "browser docs", "infra telemetry", "waiting store")
"""Directories of `tests` that have a process of their own, what takes longest first. The others share the first one."""

_TELL_SECONDS = 30.0
_END_SECONDS = 45.0  # a stack may take 35
_PYTEST = ("-m", "pytest", "-rfEs", "-p", "no:cacheprovider")


@dataclass(frozen=True, slots=True)
class Part:
    """Tests that run in one process, with what this pytest is to be told."""

    name: str
    arguments: tuple[str, ...]

    @classmethod
    def all(cls, tests: Path, parts: Sequence[str] = PARTS) -> list[Self]:
        """Divide the directory `tests`. What is in none of `parts` is in the first one, so that nothing is left out."""
        named = [str(tests / name) for part in parts for name in part.split()]
        rest = cls("the rest", (str(tests), *(f"--ignore={path}" for path in named)))
        return [rest, *(cls(part, tuple(str(tests / name) for name in part.split())) for part in parts)]


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a part, and what it `said`; `skipped` names each test that was skipped."""

    part: Part
    passed: bool
    said: str
    skipped: tuple[str, ...]

    @property
    def closing(self) -> str:
        """How many tests there were, and below that which of them failed or were skipped."""
        _, _, summary = self.said.rpartition(" short test summary info =")
        named = [line for line in summary.splitlines() if line.startswith(("FAILED", "ERROR", "SKIPPED"))]
        return "\n  ".join([self.said.rstrip().rpartition("\n")[2], *named])


def run_parts(root: Path, parts: Sequence[Part], *arguments: str, at_once: int = AT_ONCE) -> list[Ran]:
    """Run these parts, so many at once, with more arguments for each pytest; tell from time to time how far they are.

    What a part says is printed where it failed, in one piece. An interrupt ends them all, as pytest ends at Ctrl-C.

    Raises:
        KeyboardInterrupt: there was an interrupt, and all have ended.

    """
    with tempfile.TemporaryDirectory() as directory:
        return asyncio.run(_run([_Process(root, part, arguments, Path(directory)) for part in parts], at_once))


def skipped(report: Path) -> list[str]:
    """Return the name of each test that was skipped, from a JUnit report; expected failures are none of these."""
    cases = ElementTree.parse(report).iter("testcase")  # noqa: S314 - our own pytest wrote it a moment ago
    return [
        f"{case.get('classname')}::{case.get('name')}"
        for case in cases
        if any(skip.get("type") != "pytest.xfail" for skip in case.iter("skipped"))
    ]


class _Process:
    """The pytest of a part. What it says goes to a file: a line may be longer than a pipe's reader takes."""

    def __init__(self, root: Path, part: Part, arguments: Sequence[str], directory: Path) -> None:
        self.part = part
        self._root = root
        self._said = directory / f"{part.name}.txt"
        self._report = directory / f"{part.name}.xml"
        self._command = (sys.executable, *_PYTEST, f"--junit-xml={self._report}", *part.arguments, *arguments)
        self.state = ""

    async def run(self) -> Ran:
        """Run it to its end."""
        with self._said.open("wb") as said:
            # In a session of its own, so that an interrupt reaches it once, from us, however we got it.
            process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self._root,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        self.state = "0 %"
        try:
            code = await process.wait()
        finally:
            await _end(process)
        self.state = "passed" if code == 0 else "FAILED"
        # A pytest that could not begin, or died, has left no report.
        names = skipped(self._report) if code == 0 else []
        return Ran(self.part, code == 0, self._read(), tuple(names))

    def look(self) -> None:
        """Find out how far it is, while it runs."""
        if self.state.endswith("%") and (found := re.findall(r"\[ *(\d+)%\]$", self._read(), re.MULTILINE)):
            self.state = f"{found[-1]} %"

    def _read(self) -> str:
        return self._said.read_text(encoding="utf-8", errors="replace")


async def _run(processes: Sequence[_Process], at_once: int) -> list[Ran]:
    room = asyncio.Semaphore(at_once)

    async def one(process: _Process) -> Ran:
        async with room:
            ran = await process.run()
        if not ran.passed:
            print(f"\n{ran.said}\n{ran.part.name}: FAILED\n", flush=True)
        return ran

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(process)) for process in processes]
        telling = group.create_task(_tell(processes))
        await asyncio.wait(tasks)
        telling.cancel()
    return [task.result() for task in tasks]


async def _tell(processes: Sequence[_Process]) -> None:
    start = time.monotonic()
    while True:
        await asyncio.sleep(_TELL_SECONDS)
        for process in processes:
            process.look()
        states = ", ".join(f"{process.part.name} {process.state}" for process in processes if process.state)
        print(f"{time.monotonic() - start:4.0f} s: {states}", flush=True)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a pytest that still runs as Ctrl-C does: its stacks, which nobody else would stop, end with it."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _END_SECONDS)
    if process.returncode is None:
        process.kill()
        await process.wait()
