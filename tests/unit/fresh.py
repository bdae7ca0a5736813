"""A fresh interpreter, where nothing is imported yet: there it shows what a script costs and needs."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(script: str, *options: str, **env: str) -> str:
    """Run a script with these options of Python and an environment of its own; return what it printed."""
    finished = attempt(script, *options, **env)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def attempt(script: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script in the same way, however it ends."""
    return subprocess.run(
        [sys.executable, *options, "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
        env={"PATH": "/usr/bin:/bin", **env},
        cwd=ROOT,
    )
