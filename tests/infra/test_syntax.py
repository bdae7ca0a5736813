"""Two independent parsers accept every Bicep file, and the values of main.bicepparam fit its parameters."""

import json
import re
from typing import Any

import pytest
import yaml

from proactive.settings import Settings
from proactive.settings.callbacks import CALLBACK_HOSTS
from tests.infra.bicep import BICEP, PARAMETERS, ROOT, Deployment, nodes, parameter_values, tree, words
from tests.infra.names import undeclared, unused


@pytest.mark.parametrize("file", BICEP)
def test_pycep_reads_the_file(file: str) -> None:
    assert tree(BICEP[file])


@pytest.mark.parametrize("file", BICEP)
def test_tree_sitter_reads_the_file(file: str) -> None:
    assert [node.start_point for node in nodes(BICEP[file]) if node.is_error or node.is_missing] == []


def test_both_parsers_refuse_what_is_no_bicep() -> None:
    broken = BICEP["modules/storage.bicep"].replace("kind: 'StorageV2'", "kind = 'StorageV2'")

    assert any(node.is_error or node.is_missing for node in nodes(broken))
    with pytest.raises(Exception, match="Unexpected"):
        tree(broken)


@pytest.mark.parametrize("file", BICEP)
def test_every_name_is_declared_and_none_is_there_for_nothing(file: str) -> None:
    assert undeclared(BICEP[file]) == set()
    assert unused(BICEP[file]) == set()


def plain(value: Any) -> Any:
    """Return the default that stands in `int(readEnvironmentVariable(name, default))` and the like."""
    if "function" not in value:
        return value
    function, arguments = value["function"]["type"], list(value["function"]["parameters"].values())
    if function in ("readEnvironmentVariable", "read_environment_variable"):
        return arguments[1] if len(arguments) > 1 else None
    default = plain(arguments[0])
    return json.loads(default) if function in ("json", "bool", "int") else default


def refused(declared: dict[str, Any], given: dict[str, Any]) -> set[str]:
    """Return the parameters of which only some numbers are allowed and that are given a plain int: BCP033.

    `int()` is an int to the compiler, whatever it is called with:
    https://github.com/Azure/bicep/issues/18416, https://github.com/Azure/bicep/issues/10098
    """
    limited = {
        name
        for name, each in declared.items()
        if each["type"] == "int" and "allowed" in {decorator["type"] for decorator in each["decorators"]}
    }
    return {name for name in limited if given[name]["function"]["type"] == "int"}


def test_the_parameter_file_gives_each_parameter_and_repeats_its_default() -> None:
    parameters = Deployment().main["parameters"]
    given = {name: plain(value) for name, value in parameter_values().items()}

    assert given == {name: parameter["default"] for name, parameter in parameters.items()}


def test_numbers_of_which_only_some_are_allowed_are_given_so_that_the_compiler_takes_them() -> None:
    declared, given = Deployment().main["parameters"], parameter_values()
    plain_again = {name: {"function": {"type": "int"}} for name in given}

    assert refused(declared, given) == set()
    assert refused(declared, plain_again) == {"instanceMemoryMB", "healthTestSeconds"}


def test_the_parameter_file_reads_each_setting_under_its_own_name() -> None:
    described = {
        name: next(each["argument"] for each in parameter["decorators"] if each["type"] == "description")
        for name, parameter in Deployment().main["parameters"].items()
    }
    for name, text in described.items():
        for setting in re.findall(r"^(PROACTIVE_\w+):", text):
            assert setting in set(words(parameter_values()[name])), name


def test_no_environment_variable_stands_for_two_parameters() -> None:
    names = re.findall(r"readEnvironmentVariable\('(\w+)'", PARAMETERS)

    assert len(names) == len(set(names)) == len(parameter_values())


def test_the_defaults_are_the_apps_own() -> None:
    fields = {name: each.default for name, each in Settings.__dataclass_fields__.items()}
    default = Deployment().default

    assert default("activeChatMinutes") == fields["active_chat_minutes"]
    assert default("requestsPerSecond") == fields["requests_per_second"]
    assert default("maxMessageBytes") == fields["max_message_bytes"]
    assert default("retentionDays") == fields["retention_days"]
    assert default("allowEveryone") is fields["allow_everyone"]
    assert float(default("tracedShare")) == fields["traced_share"]
    assert default("cloud") == fields["cloud"].name
    assert default("callbackHosts") == [] != CALLBACK_HOSTS
    assert f'"{default("replyText")}"' in (ROOT / "proactive" / "settings" / "__init__.py").read_text("utf-8")


def test_azd_finds_the_infrastructure_and_the_app() -> None:
    project = yaml.safe_load((ROOT / "azure.yaml").read_text("utf-8"))

    assert (ROOT / project["infra"]["path"] / f"{project['infra']['module']}.bicep").is_file()
    assert project["services"] == {"app": {"project": ".", "language": "python", "host": "function"}}
    assert "'azd-service-name': 'app'" in BICEP["modules/functions.bicep"]


def test_an_azd_that_would_deploy_what_is_ignored_is_refused() -> None:
    # 1.18.0: .funcignore (pull 5383), and the environment for main.bicepparam (pull 5446).
    # https://github.com/Azure/azure-dev/blob/main/cli/azd/CHANGELOG.md
    project = yaml.safe_load((ROOT / "azure.yaml").read_text("utf-8"))

    assert project["requiredVersions"] == {"azd": ">= 1.18.0"}


def test_what_stays_at_home_is_not_deployed() -> None:
    ignored = (ROOT / ".funcignore").read_text("utf-8").splitlines()

    assert {"infra/", "tests/", "local/", "local.settings*.json"} <= set(ignored)


def test_the_script_that_confirms_a_deployment_reads_what_the_deployment_tells() -> None:
    script = (ROOT / "infra" / "confirm.sh").read_text("utf-8")
    names = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", script.partition(") declare")[0].partition("case")[2]))
    functions = (ROOT / "function_app.py").read_text("utf-8").count("\n@app.")

    assert names <= set(Deployment().main["outputs"]) | set(re.findall(r"\('(\w+)'", PARAMETERS))
    assert f"check 'all functions are there' {functions} " in script
