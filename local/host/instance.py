"""The stack as a child process, for everything that needs a running service: tests, the demo, the benchmark."""

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.processes import Child

_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Instance:
    """A running service: `url` is where it answers, `child` its process, whose `tail` has its latest output."""

    url: str
    child: Child


@contextlib.asynccontextmanager
async def instance(
    storage: str,
    *,
    app_directory: Path | None = None,
    settings: Mapping[str, str] | None = None,
    arguments: tuple[str, ...] = (),
    port: int = 0,
) -> AsyncIterator[Instance]:
    """Run `python -m local up` on the account `storage`, with `settings` added to the environment.

    Several on one account are several instances of the service. At the end the process is stopped gracefully.

    Raises:
        StartError: it did not become ready; the text has what it said.

    """
    command = [sys.executable, "-m", "local", "up", "--no-playground", "--storage", storage, "--port", str(port)]
    if app_directory:
        command += ["--app", str(app_directory)]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), **(settings or {})}
    child = await Child.start("the service", *command, *arguments, env=environment)
    try:
        ready = await child.expect(r"^ready (http\S+)", _START_SECONDS)
        child.drain()
        yield Instance(ready[1], child)
    finally:
        await child.stop(seconds=35)
