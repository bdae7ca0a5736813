"""What `make test` and CI run: what takes seconds, from the format to checkov; the tests when all of that passed."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from local import check_infra, check_known
from local.check_tests import Part, run_parts

_ROOT = Path(__file__).resolve().parents[1]
_TESTS = Path("tests")
_LONGEST_MODULE = 400  # lines
_INTERRUPTED = 130  # what a shell makes of SIGINT

type Step = tuple[str, Callable[[], bool]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options `check` has."""
    parser.add_argument("--all", action="store_true", help="run the long tests as well: chaos and scale")


def run(args: argparse.Namespace) -> int:
    """Run every check and return 0 when all passed, 130 when the tests were interrupted, else 1.

    What takes seconds is run to its end, so that everything it finds is there at once. The tests come last, so that
    their closing line is among the last ones.
    """
    quick: list[Step] = [
        ("format", lambda: _module("ruff", "format", "--check", ".")),
        ("lint", lambda: _module("ruff", "check", ".")),
        ("size of modules", _sizes),
        ("layers", lambda: _command(str(Path(sys.executable).with_name("lint-imports")), "--no-logo")),
        ("types", lambda: _module("mypy")),
        ("vulnerabilities", check_known.check_in_time),
        ("checkov", lambda: check_infra.check(strict=False)),
    ]
    start = time.monotonic()
    failed = [name for name, check in quick if not _step(name, check)]
    if failed:
        _say(f"\ncheck failed: {', '.join(failed)}; the tests were not run")
        return 1
    try:
        passed = _step("tests", lambda: _tests(long=args.all))
    except KeyboardInterrupt:
        _say("check was interrupted")
        return _INTERRUPTED
    _say(f"check {'passed' if passed else 'failed: tests'}, after {time.monotonic() - start:.0f} s")
    return 0 if passed else 1


def too_long(root: Path) -> list[str]:
    """Return a sentence for each module of ours below `root` that nobody would want to read in one go."""
    folders = (root / folder for folder in ("infra", "local", "proactive"))
    modules = [root / "function_app.py", *(module for folder in folders for module in folder.rglob("*.py"))]
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
    ran = run_parts(_ROOT, Part.all(_TESTS), "-m", "not long")
    if long:
        # Kills of ten stacks at once leave nothing of the machine to others.
        ran += run_parts(_ROOT, [Part("the long ones", (str(_TESTS),))], "-m", "long")
    for one in ran:
        _say(f"{one.part.name}: {one.closing}")
    names = [name for one in ran for name in one.skipped]
    if ci and names:
        _say(f"CI allows no skipped tests, and there are {len(names)}: {', '.join(names)}")
    return all(one.passed for one in ran) and not (ci and names)


def _module(*arguments: str) -> bool:
    return _command(sys.executable, "-m", *arguments)


def _command(*command: str) -> bool:
    return subprocess.run(command, cwd=_ROOT, check=False).returncode == 0


def _say(text: str) -> None:
    # At once, or it would come after what the tools print.
    print(text, flush=True)
