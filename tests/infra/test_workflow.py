"""The workflow for GitHub: what it must not lose. Only GitHub itself can run it."""

import re
from typing import Any

import pytest
import yaml

from tests.infra.bicep import ROOT

FILE = ROOT / ".github" / "workflows" / "ci.yml"
TEXT = FILE.read_text(encoding="utf-8")
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, Any] = WORKFLOW["jobs"]
TRIGGERS = WORKFLOW[True]  # YAML 1.1 takes `on` for a truth value


def steps(job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = JOBS[job]["steps"]
    return found


def commands(job: str) -> str:
    return "\n".join(step.get("run", "") for step in steps(job))


def test_each_change_is_checked_as_at_home() -> None:
    assert {"push", "pull_request"} <= TRIGGERS.keys()
    assert ".ci/run" in commands("test").splitlines()


def test_the_real_compiler_sees_every_bicep_file() -> None:
    said = commands("bicep")

    assert "az bicep build --file infra/main.bicep" in said
    assert "az bicep build-params --file infra/main.bicepparam" in said
    assert "for file in infra/main.bicep infra/modules/*.bicep" in said
    assert "az bicep lint --file" in said
    assert {file.relative_to(ROOT).parent.as_posix() for file in (ROOT / "infra").rglob("*.bicep")} == {
        "infra",
        "infra/modules",
    }


def test_it_deploys_by_hand_only_and_after_all_checks() -> None:
    deploy = JOBS["deploy"]

    assert deploy["if"].startswith("github.event_name == 'workflow_dispatch' && inputs.deploy && ")
    assert TRIGGERS["workflow_dispatch"]["inputs"]["deploy"]["default"] is False
    assert set(deploy["needs"]) == JOBS.keys() - {"deploy"}
    assert deploy["environment"] == "production"
    assert [job for job in JOBS if "azd " in commands(job)] == ["deploy"]


def test_it_signs_in_without_a_secret_and_only_to_deploy() -> None:
    assert "secrets." not in TEXT
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert {job: JOBS[job]["permissions"] for job in JOBS if "permissions" in JOBS[job]} == {
        "deploy": {"contents": "read", "id-token": "write"}
    }
    assert "--federated-credential-provider github" in commands("deploy")


@pytest.mark.parametrize("job", JOBS)
def test_a_job_ends_and_keeps_no_token_in_the_working_copy(job: str) -> None:
    checkout = next(step for step in steps(job) if step.get("uses", "").startswith("actions/checkout@"))

    assert checkout["with"] == {"persist-credentials": False}
    assert JOBS[job]["timeout-minutes"] <= 60


def test_actions_are_pinned_by_commit_with_the_version_beside_it() -> None:
    used = re.findall(r"uses: (.+)", TEXT)

    assert len(used) == sum("uses" in step for job in JOBS for step in steps(job)) > 0
    assert {each for each in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)} == {
        "azure/setup-azd@v2.3.0"
    }
    assert len(set(used)) == len({each.partition("@")[0] for each in used}), "one action in two versions"


def test_what_make_test_may_skip_is_done_here() -> None:
    assert "make audit" in commands("vulnerabilities").splitlines()
    assert "make checkov" in commands("bicep").splitlines()


def test_no_command_is_put_together_from_outside() -> None:
    # An expression in a script is text before it is a command: it has to come through the environment.
    assert [job for job in JOBS if "${{" in commands(job)] == []


def test_what_it_reads_is_told_to_whoever_sets_it_up() -> None:
    page = (ROOT / "infra" / "README.md").read_text(encoding="utf-8")

    for name in re.findall(r"\bvars\.(\w+)", TEXT):
        assert f"`{name}`" in page


def test_dependabot_watches_every_place_that_pins() -> None:
    watched = {
        (each["package-ecosystem"], each["directory"])
        for each in yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    }

    assert watched == {("pip", "/"), ("npm", "/local"), ("github-actions", "/")}
    assert (ROOT / "requirements.txt").is_file()
    assert (ROOT / "local" / "package-lock.json").is_file()
