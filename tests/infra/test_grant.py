"""The script that grants Graph's permissions, run as it stands against a stand-in for `az` with a directory of its own.

The stand-in takes exactly the commands and queries that the script is meant to use; anything else fails the script.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.infra.bicep import ROOT

SCRIPT = ROOT / "infra" / "grant-graph-permissions.sh"
ME = "11111111-0000-0000-0000-000000000001"
CLIENT = "11111111-0000-0000-0000-000000000002"
GRAPH = "22222222-0000-0000-0000-000000000001"
OTHER = "22222222-0000-0000-0000-000000000002"
PEOPLE, GROUPS, INSTALL = "User.Read.All", "GroupMember.Read.All", "TeamsAppInstallation.ReadWriteSelfForUser.All"
MAIL = "Mail.Send"
ROLES = {name: f"33333333-0000-0000-0000-00000000000{n}" for n, name in enumerate((PEOPLE, GROUPS, INSTALL, MAIL))}

AZ = r"""
import json, os, re, sys
from pathlib import Path

state = Path(os.environ["AZ_STATE"])
known = json.loads(state.read_text())
words = sys.argv[1:]
command = words[:2] if words[0] == "cloud" else words[:1]
rest = words[len(command):]
options = dict(zip(rest[::2], rest[1::2], strict=True))


def fail(sentence):
    sys.exit(f"ERROR: {sentence}")


if command == ["cloud", "show"]:
    if options != {"--query": "endpoints.microsoftGraphResourceId", "--output": "tsv"}:
        fail(f"unexpected: {options}")
    print(known["graph"])
    sys.exit()
if command != ["rest"] or options.keys() - {"--method", "--url", "--query", "--output", "--headers", "--body"}:
    fail(f"unexpected: {words}")
base = known["graph"].rstrip("/") + "/v1.0/servicePrincipals"
path = options["--url"].removeprefix(base)
principals = known["principals"]
one = re.fullmatch(r"\(appId='([0-9a-f-]+)'\)\?\$select=(id|appRoles)", path)
assignments = re.fullmatch(r"/([0-9a-f-]+)/appRoleAssignments", path)
if options["--method"] == "post" and assignments:
    body = json.loads(options["--body"])
    if options["--headers"] != "Content-Type=application/json" or body["principalId"] != assignments[1]:
        fail("Bad Request")
    entry = [body["resourceId"], body["appRoleId"]]
    if entry in known["assigned"]:
        fail("Permission being assigned already exists on the object")
    known["assigned"].append(entry)
    known["posts"] += 1
    state.write_text(json.dumps(known))
elif options["--method"] == "get" and one:
    if one[1] not in principals:
        fail("Not Found: Resource does not exist")
    asked = (one[2], options["--query"])
    if asked == ("id", "id"):
        print(principals[one[1]])
    elif asked == ("appRoles", "appRoles[?contains(allowedMemberTypes, 'Application')].[value, id]"):
        print("\n".join(f"{name}\t{role}" for name, role in known["roles"].items()))
    else:
        fail(f"unexpected query: {asked}")
elif options["--method"] == "get" and assignments:
    if options["--query"] != "value[].[resourceId, appRoleId]":
        fail("unexpected query")
    print("\n".join("\t".join(entry) for entry in known["assigned"]))
else:
    fail(f"unexpected: {words}")
"""


class Directory:
    """What the stand-in knows, and the script run against it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state = path / "state.json"
        self.write(
            graph="https://graph.microsoft.com/",
            principals={"00000003-0000-0000-c000-000000000000": GRAPH, CLIENT: ME},
            roles=ROLES,
            assigned=[],
            posts=0,
        )
        (path / "az.py").write_text(AZ)
        az = path / "bin" / "az"
        az.parent.mkdir()
        az.write_text(f'#!/bin/sh\nexec {sys.executable} {path / "az.py"} "$@"\n')
        az.chmod(0o755)

    def read(self) -> dict[str, Any]:
        known: dict[str, Any] = json.loads(self._state.read_text())
        return known

    def write(self, **changes: Any) -> None:
        known = self.read() if self._state.exists() else {}
        self._state.write_text(json.dumps(known | changes))

    @property
    def granted(self) -> set[str]:
        names = {role: name for name, role in ROLES.items()}
        return {names[role] for resource, role in self.read()["assigned"] if resource == GRAPH}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "PATH": f"{self.path / 'bin'}:{os.environ['PATH']}",
            "AZ_STATE": str(self._state),
        }
        return subprocess.run(
            ["bash", str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, timeout=30, check=False
        )


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory(tmp_path)


@pytest.mark.parametrize(
    ("capabilities", "granted"),
    [
        (["people"], {PEOPLE}),
        (["groups"], {GROUPS, PEOPLE}),
        (["install"], {INSTALL}),
        (["people", "groups", "install"], {PEOPLE, GROUPS, INSTALL}),
    ],
)
def test_what_is_enabled_is_granted_and_nothing_else(
    directory: Directory, capabilities: list[str], granted: set[str]
) -> None:
    ran = directory.run("--principal", ME, *capabilities)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert directory.granted == granted


def test_each_permission_is_one_of_the_documentation() -> None:
    table = (ROOT / "docs" / "graph.md").read_text().split("## What is asked")[0]

    for name in re.findall(r"want ([A-Z][\w.]+)", SCRIPT.read_text()):
        assert f"`{name}`" in table


def test_a_second_run_grants_nothing_again(directory: Directory) -> None:
    directory.run("--principal", ME, "people", "groups")
    ran = directory.run("--principal", ME, "people", "groups")

    assert ran.returncode == 0, ran.stderr
    assert directory.read()["posts"] == 2
    assert ran.stdout.splitlines() == [f"there     {PEOPLE}", f"there     {GROUPS}"]


def test_the_same_role_of_another_resource_does_not_count(directory: Directory) -> None:
    directory.write(assigned=[[OTHER, ROLES[PEOPLE]]])

    assert directory.run("--principal", ME, "people").returncode == 0
    assert directory.granted == {PEOPLE}


def test_a_dry_run_tells_and_changes_nothing(directory: Directory) -> None:
    directory.write(assigned=[[GRAPH, ROLES[PEOPLE]], [GRAPH, ROLES[MAIL]]])
    ran = directory.run("--dry-run", "--principal", ME, "groups")

    assert ran.returncode == 0, ran.stderr
    assert directory.read()["posts"] == 0
    assert ran.stdout.splitlines() == [
        f"missing   {GROUPS}",
        f"there     {PEOPLE}",
        f"besides   {MAIL}: not needed for what was named",
    ]


@pytest.mark.parametrize(
    "outputs",
    [
        f'GRAPH_CLIENT_ID="{CLIENT}"\nGRAPH_PRINCIPAL_ID=""\n',
        f'GRAPH_CLIENT_ID="{OTHER}"\nGRAPH_PRINCIPAL_ID="{ME}"\n',
    ],
)
def test_the_outputs_of_a_deployment_say_to_whom(directory: Directory, tmp_path: Path, outputs: str) -> None:
    file = tmp_path / "deployed.env"
    file.write_text(outputs)

    assert directory.run(str(file), "people").returncode == 0
    assert directory.granted == {PEOPLE}


def test_another_cloud_has_another_graph(directory: Directory) -> None:
    directory.write(graph="https://graph.microsoft.us/")

    assert directory.run("--app", CLIENT, "people").returncode == 0
    assert directory.granted == {PEOPLE}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "usage"),
        (["--principal", ME], "usage"),
        (["people"], "usage"),
        (["--principal", ME, "peopel"], "peopel is neither a capability nor a file"),
        (["--principal", "me'); drop", "people"], "is no GUID"),
        (["--everything", "people"], "--everything is unknown"),
        (["--app", OTHER, "people"], "Not Found"),
        (["/dev/null/x", "people"], "neither a capability nor a file"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_granted(
    directory: Directory, arguments: list[str], sentence: str
) -> None:
    ran = directory.run(*arguments)

    assert ran.returncode != 0
    assert sentence in ran.stderr
    assert directory.read()["posts"] == 0


def test_a_deployment_without_graph_is_told(directory: Directory, tmp_path: Path) -> None:
    file = tmp_path / "deployed.env"
    file.write_text('GRAPH_CLIENT_ID=""\nGRAPH_PRINCIPAL_ID=""\n')

    assert "names nobody whom Graph knows" in directory.run(str(file), "people").stderr


def test_nothing_is_granted_where_one_of_the_permissions_is_unknown(directory: Directory) -> None:
    directory.write(roles={PEOPLE: ROLES[PEOPLE]})
    ran = directory.run("--principal", ME, "people", "groups")

    assert ran.returncode == 1
    assert f"no application permission {GROUPS}" in ran.stderr
    assert directory.granted == set()
