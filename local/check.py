"""What `make test` and CI run: format, lint, size of modules, layers and types; the tests when all of these passed."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

_ROOT = Path(__file__).resolve().parents[1]
_LONGEST_MODULE = 400  # lines

type Step = tuple[str, Callable[[], bool]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options `check` has."""
    parser.add_argument("--all", action="store_true", help="run the long tests as well: chaos and scale")


def run(args: argparse.Namespace) -> int:
    """Run every check and return 0 when all passed, else 1.

    What takes seconds is run to its end, so that everything it finds is there at once. The tests come last, so that
    their closing line is among the last ones.
    """
    quick: list[Step] = [
        ("format", lambda: _module("ruff", "format", "--check", ".")),
        ("lint", lambda: _module("ruff", "check", ".")),
        ("size of modules", _sizes),
        ("layers", lambda: _command(str(Path(sys.executable).with_name("lint-imports")), "--no-logo")),
        ("types", lambda: _module("mypy")),
    ]
    start = time.monotonic()
    failed = [name for name, check in quick if not _step(name, check)]
    if failed:
        _say(f"\ncheck failed: {', '.join(failed)}; the tests were not run")
        return 1
    passed = _step("tests", lambda: _tests(long=args.all))
    _say(f"check {'passed' if passed else 'failed: tests'}, after {time.monotonic() - start:.0f} s")
    return 0 if passed else 1


def too_long(root: Path) -> list[str]:
    """Return a sentence for each module of ours below `root` that nobody would want to read in one go."""
    modules = [root / "function_app.py", *(root / "proactive").rglob("*.py"), *(root / "local").rglob("*.py")]
    lengths = {
        module.relative_to(root): len(module.read_text(encoding="utf-8").splitlines())
        for module in modules
        if "node_modules" not in module.parts
    }
    return [
        f"{module} has {length} lines, more than {_LONGEST_MODULE}: divide it"
        for module, length in sorted(lengths.items())
        if length > _LONGEST_MODULE
    ]


def skipped(report: Path) -> list[str]:
    """Return the name of each test that was skipped, from a JUnit report; expected failures are none of these."""
    cases = ElementTree.parse(report).iter("testcase")  # noqa: S314 - our own pytest wrote it a moment ago
    return [
        f"{case.get('classname')}::{case.get('name')}"
        for case in cases
        if any(skip.get("type") != "pytest.xfail" for skip in case.iter("skipped"))
    ]


def _step(name: str, check: Callable[[], bool]) -> bool:
    _say(f"\n── {name} {'─' * (60 - len(name))}")
    start = time.monotonic()
    passed = check()
    _say(f"{name}: {'passed' if passed else 'FAILED'} in {time.monotonic() - start:.1f} s")
    return passed


def _sizes() -> bool:
    found = too_long(_ROOT)
    for sentence in found:
        _say(sentence)
    return not found


def _tests(*, long: bool) -> bool:
    ci = bool(os.environ.get("CI"))
    chromium = Path(os.environ.get("CHROMIUM") or "/usr/bin/chromium")
    if not chromium.is_file():
        _say(f"There is no {chromium}: the browser tests {'fail, as this is CI' if ci else 'are skipped'}.")
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "tests.xml"
        passed = _module("pytest", "-rs", f"--junit-xml={report}", *([] if long else ["-m", "not long"]))
        if not (ci and passed):
            return passed
        names = skipped(report)
    if names:
        _say(f"CI allows no skipped tests, and there are {len(names)}: {', '.join(names)}")
    return not names


def _module(*arguments: str) -> bool:
    return _command(sys.executable, "-m", *arguments)


def _command(*command: str) -> bool:
    return subprocess.run(command, cwd=_ROOT, check=False).returncode == 0


def _say(text: str) -> None:
    # At once, or it would come after what the tools print.
    print(text, flush=True)
