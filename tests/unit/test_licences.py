"""What is deployed: pinned with hashes, and under licences that let everybody run, change and pass it on.

The licences are what the installed packages say of themselves, so nothing is asked of the network.
"""

import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# SPDX. All but one ask for no more than their notice. MPL-2.0 (certifi) concerns its own files, and we change none.
ALLOWED = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0"}
# Older packages tell theirs by a classifier or in words of their own.
CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: Python Software Foundation License": "PSF-2.0",
}


def pinned(file: str) -> dict[str, tuple[str, list[str]]]:
    """Return version and hashes of each package of a lock file."""
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            package = re.match(r"([a-z0-9-]+)==(\S+)", line)
            assert package, f"{file}: {line[:80]}"
            found[package[1]] = (package[2], re.findall(r"--hash=sha256:([0-9a-f]{64})\b", line))
    return found


DEPLOYED = pinned("requirements.txt")


def licence(package: str) -> list[str]:
    """Return what a package says it is under, as SPDX expressions where it can be told."""
    about = metadata.metadata(package)
    if expression := about.get("License-Expression"):
        return [expression]
    told = [name for name in about.get_all("Classifier", []) if name.startswith("License ::")]
    return [CLASSIFIERS.get(name, name) for name in told] or [about.get("License") or "nothing"]


def allowed(expressions: Iterable[str]) -> bool:
    """Tell whether each expression holds: of those joined by AND all, of those joined by OR one has to be allowed."""
    return all(
        any(all(part.strip(" ()") in ALLOWED for part in choice.split(" AND ")) for choice in expression.split(" OR "))
        for expression in expressions
    )


@pytest.mark.parametrize("package", DEPLOYED)
def test_the_licence_of_what_is_deployed_is_allowed(package: str) -> None:
    found = licence(package)

    assert found
    assert allowed(found), f"{package} is under {found}: see ALLOWED"


@pytest.mark.parametrize(
    ("expressions", "expected"),
    [
        (["MIT"], True),
        (["Apache-2.0 OR GPL-3.0-only"], True),
        (["Apache-2.0 AND GPL-3.0-only"], False),
        (["GPL-3.0-or-later"], False),
        (["MIT", "Other/Proprietary License"], False),
        (["nothing"], False),
    ],
)
def test_a_licence_that_is_not_allowed_is_found(expressions: list[str], expected: bool) -> None:
    assert allowed(expressions) is expected


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_package_is_pinned_with_hashes(file: str) -> None:
    assert {package for package, (_, hashes) in pinned(file).items() if not hashes} == set()


def test_what_is_deployed_is_what_is_tested() -> None:
    tested = pinned("requirements-dev.txt")

    assert {package: tested.get(package) for package in DEPLOYED} == DEPLOYED
    assert {package: metadata.version(package) for package in DEPLOYED} == {
        package: version for package, (version, _) in DEPLOYED.items()
    }


def test_our_own_licence_is_the_one_that_the_readme_names() -> None:
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License\n")
