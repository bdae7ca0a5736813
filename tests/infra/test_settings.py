"""The settings of Bicep, proactive/settings, docs/settings.md and local.settings.example.json are the same set."""

import ast
import json
import re

from tests.infra.bicep import ROOT, Deployment, broken

NAME = re.compile(r"(?:PROACTIVE_[A-Z_]+|MicrosoftApp[A-Za-z]+|AzureWebJobsStorage(?:__[A-Za-z]+)?)")
# Read by the Functions host alone.
HOST_ONLY = {"AzureWebJobsStorage__blobServiceUri", "AzureWebJobsStorage__credential"}
# Two other ways to name the storage account, and what Azure refuses.
NOT_IN_AZURE = {"AzureWebJobsStorage", "AzureWebJobsStorage__accountName", "PROACTIVE_LOCAL"}
TELEMETRY = {"APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "APPLICATIONINSIGHTS_CONNECTION_STRING"}


def read_by_the_app() -> set[str]:
    """Return the names that the app asks the environment for, as the first argument of a call."""
    sources = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "proactive" / "settings").glob("*.py")]
    asked = {
        call.args[0].value
        for source in sources
        for call in ast.walk(source)
        if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant)
    }
    return {name for name in asked if isinstance(name, str) and NAME.fullmatch(name)}


def documented() -> set[str]:
    """Return the names in the first column of the tables of docs/settings.md."""
    rows = re.findall(r"^\| ([^|]+)\|", (ROOT / "docs" / "settings.md").read_text("utf-8"), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row) if NAME.fullmatch(name)} - {
        "PROACTIVE_CLOUD_"
    }


def deployed(deployment: Deployment) -> set[str]:
    return set(deployment.settings()) | deployment.settings_from_vault()


def test_what_the_app_reads_is_what_is_documented() -> None:
    assert read_by_the_app() | HOST_ONLY == documented()


def test_what_is_documented_is_what_bicep_can_set() -> None:
    assert deployed(Deployment()) == (documented() - NOT_IN_AZURE) | TELEMETRY


def test_a_setting_that_bicep_lost_is_missed() -> None:
    lost = broken("main.bicep", "  PROACTIVE_CLOUD: cloud\n", "")

    assert deployed(lost) != (documented() - NOT_IN_AZURE) | TELEMETRY


def test_the_local_example_sets_only_settings_that_there_are() -> None:
    values = json.loads((ROOT / "local.settings.example.json").read_text("utf-8"))["Values"]

    assert set(values) - {"FUNCTIONS_WORKER_RUNTIME"} <= documented()
    assert NOT_IN_AZURE & set(values) == {"AzureWebJobsStorage", "PROACTIVE_LOCAL"}
