"""Whether a weakness is known in a package that is pinned: https://osv.dev is asked, with names and versions only.

`make audit` has to have an answer, and fails for what is known. `make test` tells what it hears: no network, or a slow
one, may hold nobody up, and no advisory of today may turn a commit of yesterday red.
"""

import argparse
import itertools
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).resolve().parents[1]
LOCK = "requirements-dev.txt"
"""The lock file with what is deployed and what only tests and checks need."""

EXCEPTIONS: Mapping[str, str] = {}
"""Why a weakness does not concern us, or why its mend cannot be taken yet, by its id at OSV or its CVE number."""

_OSV = "https://api.osv.dev/v1"
_SECONDS = 5.0  # for one answer to begin, or to go on
_SECONDS_IN_ALL = 20.0  # in `make test`: a name server that keeps silent counts for no socket's time-out


@dataclass(frozen=True, slots=True)
class Known:
    """A weakness of a package: what it is called (`names`), in a few words, and the versions without it."""

    package: str
    version: str
    names: tuple[str, ...]
    summary: str
    mended: tuple[str, ...]

    def __str__(self) -> str:
        """Say it in a line."""
        mend = f"mended in {', '.join(self.mended)}" if self.mended else "no mend yet"
        return f"{self.package} {self.version}: {self.names[0]}, {mend}: {self.summary}"


class OutOfReachError(Exception):
    """No advisory database answers, or not with what OSV's API says."""


def pinned(file: Path) -> dict[str, str]:
    """Return the version of each package of a lock file."""
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", file.read_text(encoding="utf-8"), re.MULTILINE))


def ask(packages: Mapping[str, str], address: str = _OSV, seconds: float = _SECONDS) -> list[Known]:
    """Return what is known of these versions of packages, each weakness once.

    Raises OutOfReachError.
    """
    try:
        found = _ids(packages, address, seconds)
        told = {each: _call(f"{address}/vulns/{each}", None, seconds) for each in set(itertools.chain(*found.values()))}
        return [
            known
            for package, ids in found.items()
            for known in _merged(package, packages[package], [told[each] for each in sorted(ids)])
        ]
    except (OSError, HTTPException, ValueError, LookupError, TypeError, AttributeError) as error:
        # All but the first two: what answered is not OSV, a network's sign-in page for one.
        raise OutOfReachError(str(error) or type(error).__name__) from error


def judge(
    found: Iterable[Known], exceptions: Mapping[str, str] = EXCEPTIONS, *, strict: bool
) -> tuple[list[str], bool]:
    """Return a line for each weakness, and whether they may pass: all of them do unless `strict` is set.

    What nobody has mended yet is told, and passes.
    """
    lines, passed = [], True
    for known in found:
        reason = next((exceptions[name] for name in known.names if name in exceptions), None)
        fails = strict and bool(known.mended) and reason is None
        passed = passed and not fails
        lines.append(f"{'FAILED' if fails else 'known'}  {known}{f' ({reason})' if reason else ''}")
    return lines, passed


def check(*, strict: bool, address: str = _OSV, seconds: float = _SECONDS) -> bool:
    """Ask about all that is pinned, say what was found, and return whether it may pass."""
    packages = pinned(ROOT / LOCK)
    try:
        found = ask(packages, address, seconds)
    except OutOfReachError as error:
        print(f"{'FAILED' if strict else 'skipped'}: no advisory database within reach ({error})")
        return not strict
    lines, passed = judge(found, strict=strict)
    print("\n".join(lines) or f"nothing is known of {len(packages)} packages")
    return passed


def check_in_time(seconds: float = _SECONDS_IN_ALL) -> bool:
    """Do the same in a process of its own, which is given up after so many seconds: that passes."""
    try:
        done = subprocess.run([sys.executable, "-m", "local.check_known"], cwd=ROOT, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        print(f"skipped: no advisory database answered within {seconds:.0f} s")
        return True
    return done.returncode == 0


def _ids(packages: Mapping[str, str], address: str, seconds: float) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {package: set() for package in packages}
    # https://google.github.io/osv.dev/post-v1-querybatch/: answers stand in the order of the questions, by pages.
    left: list[tuple[str, dict[str, str]]] = [(package, {}) for package in packages]
    while left:
        queries = [
            {"package": {"name": package, "ecosystem": "PyPI"}, "version": packages[package], **page}
            for package, page in left
        ]
        results = _call(f"{address}/querybatch", {"queries": queries}, seconds)["results"]
        following = []
        for (package, _), result in zip(left, results, strict=True):
            found[package] |= {each["id"] for each in result.get("vulns", ())}
            if page_token := result.get("next_page_token"):
                following.append((package, {"page_token": page_token}))
        left = following
    return {package: ids for package, ids in found.items() if ids}


def _call(address: str, body: Any, seconds: float) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})  # noqa: S310 - https, or a test's
    with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
        return json.load(answer)


def _merged(package: str, version: str, told: Iterable[Mapping[str, Any]]) -> Iterable[Known]:
    # Databases tell the same under ids of their own; a CVE number is common to them.
    merged: dict[str, Known] = {}
    for each in told:
        if each.get("withdrawn"):
            continue
        names = [each["id"], *each.get("aliases", ())]
        key = next((name for name in names if name.startswith("CVE-")), each["id"])
        before = merged.get(key)
        merged[key] = Known(
            package,
            version,
            tuple(dict.fromkeys([key, *names, *(before.names if before else ())])),
            each.get("summary") or (before.summary if before else "") or "no summary",
            tuple(sorted({*_mended(each, package, version), *(before.mended if before else ())}, key=Version)),
        )
    return merged.values()


def _mended(told: Mapping[str, Any], package: str, version: str) -> set[str]:
    fixed = {
        event["fixed"]
        for affected in told.get("affected", ())
        if re.sub(r"[-_.]+", "-", affected.get("package", {}).get("name", "")).lower() == package
        for span in affected.get("ranges", ())
        if span.get("type") == "ECOSYSTEM"  # the others tell commits
        for event in span.get("events", ())
        if "fixed" in event
    }
    return {each for each in fixed if _later(each, version)}


def _later(version: str, than: str) -> bool:
    try:
        return Version(version) > Version(than)
    except InvalidVersion:
        return False


def main(arguments: list[str]) -> int:
    """Check, and return 0 when all may pass."""
    parser = argparse.ArgumentParser(prog="python -m local.check_known", description=__doc__)
    parser.add_argument("--strict", action="store_true", help="fail for what is known, and without an answer")
    return 0 if check(strict=parser.parse_args(arguments).strict) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
