"""The script that confirms a deployment, as far as its calls can be judged without Azure."""

import re

from tests.infra.bicep import ROOT

SCRIPT = (ROOT / "infra" / "confirm.sh").read_text("utf-8")
CALLS: list[str] = re.findall(r"\bask ((?:[^\n\\]|\\\n)+)", SCRIPT)


def options(call: str) -> dict[str, str]:
    """Return what stands behind each option of a call."""
    return dict(re.findall(r"(--[a-z-]+)[\s\\]+([^\s\\]+)", call))


def test_a_resource_within_another_is_named_so_that_the_cli_finds_it() -> None:
    # With a parent the CLI takes the type as it is, and does not look for a namespace in it.
    # https://learn.microsoft.com/azure/app-service/configure-basic-auth-disable
    within = [options(call) for call in CALLS if "--parent" in call]

    assert within
    for each in within:
        assert "/" not in each["--resource-type"], each
        assert each["--namespace"] == "Microsoft.Web"


def test_roles_are_asked_for_as_every_version_of_the_cli_can() -> None:
    # `list` knows --assignee-object-id since 2025 only: https://github.com/Azure/azure-cli/pull/30469
    roles = [call for call in CALLS if call.startswith("role assignment list")]

    assert roles
    assert not [call for call in roles if "--assignee" in call]


def test_no_call_waits_for_an_answer_that_nobody_sees_asked_for() -> None:
    # What the CLI says on standard error is thrown away, so its question about an extension is, too.
    # https://learn.microsoft.com/cli/azure/azure-cli-extensions-overview
    setting = SCRIPT.find("\nexport AZURE_EXTENSION_USE_DYNAMIC_INSTALL=yes_without_prompt\n")

    assert 0 < setting < SCRIPT.find("monitor app-insights")


def test_storage_is_asked_at_its_own_address_in_every_cloud() -> None:
    assert "core.windows.net" not in SCRIPT
