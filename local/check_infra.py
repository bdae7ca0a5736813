"""What checkov says of infra/: it does what is asked for there, or `infra/.checkov.yaml` says why it does not.

checkov has an environment of its own, with close to a hundred packages, all pinned with hashes. `make checkov` has to
get it. `make test` goes on without where it is not there yet and cannot be fetched.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
INFRA = ROOT / "infra"
REASONS = INFRA / ".checkov.yaml"

_HOME = ROOT / ".local" / "checkov"
_UV = Path(sys.executable).with_name("uv")
_FETCH_SECONDS = 300.0
_FETCH_SECONDS_AT_MOST = 40.0  # in `make test`
_RUN_SECONDS = 60.0


def reasons(text: str) -> dict[str, str]:
    """Return the reason beside each check that `infra/.checkov.yaml` names, empty where there is none."""
    return dict(re.findall(r"^  - (CKV\w+)(?: # (\S.*))?$", text, re.MULTILINE))


def judge(report: Mapping[str, Any], excused: Mapping[str, str], files: Iterable[str]) -> list[str]:
    """Return a sentence for all that checkov asks for and has no reason, and for each reason that nothing asks for.

    `report` is checkov's JSON, written with none of these checks left out. A file that it could not read is told too.
    """
    failed = report["results"]["failed_checks"]
    unread = report["summary"]["parsing_errors"]
    seen = {each["check_id"] for each in failed}
    return [
        *(f"checkov could not read {unread} of {', '.join(sorted(files))}" for _ in range(bool(unread))),
        *(
            f"{each['check_id']}: {each['check_name']}: {each['resource']} in {each['file_path']}"
            for each in failed
            if not excused.get(each["check_id"])
        ),
        *(f"{name} is named in {REASONS.name} for nothing: take it out" for name in sorted(excused.keys() - seen)),
    ]


def check(*, strict: bool) -> bool:
    """Run checkov, say what it found, and return whether it may pass; without checkov that is when not `strict`."""
    if problem := _fetched(_FETCH_SECONDS if strict else _FETCH_SECONDS_AT_MOST):
        print(f"{'FAILED' if strict else 'skipped'}: checkov is not here and cannot be fetched ({problem})")
        return not strict
    files = sorted(str(file.relative_to(ROOT)) for file in INFRA.rglob("*.bicep"))
    # Files by name, not the folder: with that checkov would read .checkov.yaml, and nobody would see an idle reason.
    command = [str(_HOME / "bin" / "checkov"), "--framework", "bicep", "--skip-download", "--file", *files]
    try:
        done = subprocess.run(
            [*command, "--output", "json"], cwd=ROOT, capture_output=True, text=True, timeout=_RUN_SECONDS, check=False
        )
        report = json.loads(done.stdout)
        excused = reasons(REASONS.read_text(encoding="utf-8"))
        found = judge(report, excused, files)
    except subprocess.TimeoutExpired:
        print(f"{'FAILED' if strict else 'skipped'}: checkov took more than {_RUN_SECONDS:.0f} s")
        return not strict
    except (ValueError, LookupError, TypeError) as error:
        print(f"checkov gave no report that could be read: {error!r}")
        return False
    summary = report["summary"]
    print("\n".join(found) or f"{summary['passed']} passed, {summary['failed']} with a reason, of {len(files)} files")
    return not found


def _fetched(seconds: float) -> str:
    """Make checkov's environment what its lock file says, and return why it cannot be; takes no time when it is."""
    lock = INFRA / "checkov" / "requirements.txt"
    python = _HOME / "bin" / "python"
    commands: list[list[str | Path]] = [[_UV, "pip", "sync", "--quiet", "--require-hashes", "--python", python, lock]]
    if not python.exists():
        commands.insert(0, [_UV, "venv", "--quiet", "--python", sys.executable, _HOME])
    try:
        for command in commands:
            subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=True)
    except subprocess.CalledProcessError as error:
        return str(error.stderr).strip().rpartition("\n")[2].strip()
    except subprocess.TimeoutExpired:
        return f"it took more than {seconds:.0f} s"
    except OSError as error:
        return str(error)
    return ""


def main(arguments: list[str]) -> int:
    """Check, and return 0 when all may pass."""
    parser = argparse.ArgumentParser(prog="python -m local.check_infra", description=__doc__)
    parser.add_argument("--strict", action="store_true", help="fail where checkov cannot be had")
    return 0 if check(strict=parser.parse_args(arguments).strict) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
