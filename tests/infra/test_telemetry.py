"""What operators are shown, and what telemetry must not keep. Each rule is shown to fail once it is broken."""

import json
import re
from typing import Any

import pytest

from tests.infra.bicep import ROOT, WORKBOOK, Deployment, words
from tests.infra.kql import faults, metrics
from tests.infra.rules import Rules

MAIN = "main.bicep"
FUNCTIONS = "modules/functions.bicep"
SHEET = "modules/workbook.bicep"
REDACTION = "modules/redaction.bicep"
SPACE = "modules/workspace.bicep"
PAGES = ("docs/operations.md", "docs/confirm.md", "docs/security.md", "docs/telemetry.md", "infra/README.md")

# What an operator is shown, and the metrics that it is made of; none: what the platform writes.
SHOWN: dict[str, set[str]] = {
    "delivered": {"proactive.deliveries"},
    "outcomes": {"proactive.deliveries"},
    "reasons": {"proactive.deliveries"},
    "rate": {"proactive.teams.requests", "proactive.ceiling"},
    "throttled": {"proactive.teams.requests"},
    "latency": {"proactive.teams.requests", "proactive.teams.seconds"},
    "doubt": {"proactive.in_doubt"},
    "retries": {"proactive.retries"},
    "queue-age": {"proactive.queue.age"},
    "queue-length": {"proactive.queue.length"},
    "poison": {"proactive.queue.length"},
    "callbacks": {"proactive.callbacks"},
    "answers": {"proactive.answers"},
    "exceptions": set(),
    "instances": set(),
}

RULES = Rules()
rule = RULES.rule


def items(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Return what stands on the workbook, by name."""
    found = json.loads(deployment.beside[WORKBOOK])["items"]
    assert len({item["name"] for item in found}) == len(found)
    return {item["name"]: item for item in found}


def panels(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Return the workbook's queries with all that belongs to them, by name."""
    return {name: item["content"] for name, item in items(deployment).items() if item["type"] == 3}


# The workbook


@rule(
    (WORKBOOK, '"version": "Notebook/1.0"', '"version": "1.0"'),
    (WORKBOOK, '"name": "retries"', '"name": "doubt"'),
    (WORKBOOK, '"name": "poison"', '"name": "poisoned"'),
    (WORKBOOK, '"name": "TimeRange"', '"name": "Range"'),
    (WORKBOOK, "| where name == 'proactive.answers'", "| where name == 'proactive.callbacks'"),
    (WORKBOOK, "where name == 'proactive.ceiling'", "where name == 'proactive.retries'"),
)
def the_workbook_shows_what_an_operator_has_to_see(deployment: Deployment) -> None:
    assert json.loads(deployment.beside[WORKBOOK])["version"] == "Notebook/1.0"
    assert {item["type"] for item in items(deployment).values()} == {1, 3, 9}
    asked = panels(deployment)
    assert {name: metrics(asked[name]["query"]) for name in SHOWN if name in asked} == SHOWN
    (parameter,) = items(deployment)["parameters"]["content"]["parameters"]
    assert (parameter["name"], parameter["type"]) == ("TimeRange", 4)
    for name, panel in asked.items():
        assert panel["version"] == "KqlItem/1.0", name
        assert panel["timeContextFromParameter"] == "TimeRange", name
        assert (panel["queryType"], panel["resourceType"]) == (0, "microsoft.insights/components"), name
        assert panel["title"], name


@rule(
    (WORKBOOK, "dcount(cloud_RoleInstance)", "dcount(cloud_RoleInstance"),
    (WORKBOOK, "exceptions\\n| summarize", "errors\\n| summarize"),
    (WORKBOOK, "max(requests) / 300.0", "max(request) / 300.0"),
    (WORKBOOK, "customDimensions['door']", "customDimensions['gate']"),
    (WORKBOOK, "tostring(customDimensions['of'])", "tostring(customDimensions.of)"),
    (WORKBOOK, "'proactive.retries'\\n", "'proactive.retry'\\n"),
)
def the_workbook_asks_for_what_the_app_tells(deployment: Deployment) -> None:
    for name, panel in panels(deployment).items():
        assert faults(panel["query"]) == [], name


@rule(
    (SHEET, "kind: 'shared'", "kind: 'user'"),
    (SHEET, "guid(insightsId, 'workbook')", "'workbook'"),
    (SHEET, "sourceId: insightsId", ""),
    (SHEET, "'../workbook.json'", "'../main.json'"),
    (SHEET, "'<insights>', insightsId)", "'<insights>', title)"),
    (WORKBOOK, '"<insights>"', '"insights"'),
    (MAIN, "    insightsId: monitoring.outputs.insightsId\n  }\n", "    insightsId: ''\n  }\n"),
)
def the_workbook_belongs_to_the_component(deployment: Deployment) -> None:
    workbook = deployment.resource("Microsoft.Insights/workbooks")
    assert workbook.at("kind") == "shared"
    assert {"guid", "insightsId"} <= set(words(workbook.at("name")))
    assert workbook.at("properties.sourceId") == "insightsId"
    filled = workbook.at("properties.serializedData")["function"]["parameters"]
    assert filled["original_string"]["function"]["parameters"]["file_path"] == "../workbook.json"
    assert (filled["old_string"], filled["new_string"]) == ("<insights>", "insightsId")
    assert json.loads(deployment.beside[WORKBOOK])["fallbackResourceIds"] == ["<insights>"]
    given = deployment.modules()["workbook"].at("params.insightsId")
    assert {"monitoring", "insightsId"} <= set(words(given))


# What the platform writes


@rule(
    (REDACTION, "kind: 'WorkspaceTransforms'", "kind: 'Linux'"),
    (REDACTION, "['Name', 'OperationName', 'Url']", "['Name', 'OperationName']"),
    (REDACTION, "    name: 'AppRequests'", "    name: 'AppEvents'"),
    (REDACTION, "['Message', 'OperationName']", "['OperationName']"),
    (REDACTION, '"/api/outcomes/", ${column} contains', "${column}, ${column} contains"),
    (REDACTION, '${column} contains "/users/", "/users/", ', ""),
    (REDACTION, "), [end]), ' | ')", ")), ' | ')"),
    (REDACTION, 'tostring(split(Url, "?")[0])', "Url"),
    (REDACTION, "dataSources: {}", ""),
    (SPACE, "empty(ruleId) ? null : ruleId", "null"),
    (MAIN, "    ruleId: redaction.outputs.id\n", "    ruleId: ''\n"),
    (MAIN, "    workspaceId: redacted.outputs.id\n", "    workspaceId: workspace.outputs.id\n"),
    (
        MAIN,
        "    retentionDays: logRetentionDays\n    ruleId: redaction",
        "    retentionDays: 30\n    ruleId: redaction",
    ),
)
def no_secret_of_a_path_is_kept_with_the_platforms_requests(deployment: Deployment) -> None:
    made = deployment.resource("Microsoft.Insights/dataCollectionRules")
    assert made.at("kind") == "WorkspaceTransforms"
    assert made.at("properties.dataSources") == {}
    tables = {table["name"]: table for table in deployment.variable(REDACTION, "tables")}
    assert set(tables) == {"AppRequests", "AppTraces"}
    assert tables["AppRequests"]["columns"] == ["Name", "OperationName", "Url"]
    assert tables["AppRequests"]["begin"] == 'source | extend Url = tostring(split(Url, "?")[0])'
    assert tables["AppTraces"]["columns"] == ["Message", "OperationName"]
    flow = made.at("properties.dataFlows")
    assert flow["loop_type"]["detail"]["array_name"] == "tables"
    said = [word for word in words(flow["config"]["transformKql"]) if isinstance(word, str)]
    cut = next(word for word in said if word.startswith("extend ${column}"))
    for place in ("/api/outcomes/", "/users/"):
        assert f'${{column}} contains "{place}", "{place}", ' in cut
        assert f'tostring(Properties) contains "{place}"' in deployment.variable(REDACTION, "end")
    assert "end" in said
    workspace = deployment.resource("Microsoft.OperationalInsights/workspaces")
    assert "ruleId" in set(words(workspace.at("properties.defaultDataCollectionRuleResourceId")))
    modules = deployment.modules()
    first, second = (dict(modules[name].at("params")) for name in ("workspace", "redacted"))
    assert first.pop("ruleId") == ""
    assert "redaction" in set(words(second.pop("ruleId")))
    assert first == second, "the second deployment of the workspace would change it"
    assert "redacted" in set(words(modules["monitoring"].at("params.workspaceId")))


@rule(
    # With either the host would no longer write the app's log lines: docs/decisions/0026-telemetry.md.
    (FUNCTIONS, "  PROACTIVE_REPLY_TEXT: replyText", "  PYTHON_ENABLE_OPENTELEMETRY: 'true'"),
    (FUNCTIONS, "  PROACTIVE_REPLY_TEXT: replyText", "  PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'"),
    (MAIN, "@allowed(['0', '0.01', ", "@allowed(['0', '2', "),
    (MAIN, "param tracedShare string = '1'", "param tracedShare string = '0'"),
    (MAIN, "PROACTIVE_TRACED_SHARE: tracedShare", "PROACTIVE_TRACED_SHARE: botName"),
)
def the_app_sends_spans_and_counts_and_the_host_log_lines(deployment: Deployment) -> None:
    settings = deployment.settings()
    assert not {"PYTHON_ENABLE_OPENTELEMETRY", "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY"} & set(settings)
    assert settings["PROACTIVE_TRACED_SHARE"] == "tracedShare"
    parameter = deployment.main["parameters"]["tracedShare"]
    allowed = next(each["argument"] for each in parameter["decorators"] if each["type"] == "allowed")
    assert all(0 <= float(share) <= 1 for share in allowed)
    assert parameter["default"] == "1"


test_the_deployment_keeps_the_rule, test_a_change_that_breaks_the_rule_is_found = RULES.tests()


def kusto(page: str) -> list[str]:
    """Return the queries of a page."""
    path = ROOT / page
    return re.findall(
        r"^```kusto\n(.*?)^```", path.read_text("utf-8") if path.exists() else "", re.DOTALL | re.MULTILINE
    )


@pytest.mark.parametrize(("page", "query"), [(page, query) for page in PAGES for query in kusto(page)])
def test_a_query_of_a_page_can_be_pasted(page: str, query: str) -> None:
    assert faults(query) == []


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("customMetrics | where name == 'proactive.answer'", "proactive.answer is no metric of the app"),
        ("customMetrics | where name == 'proactive.answers' | where (valueSum > 1", "( is not closed"),
        ("metrics | where timestamp > ago(1d)", "metrics is no table"),
        (
            "customMetrics | where name == 'proactive.answers' | where valueMax > 1",
            "proactive.answers has no largest or smallest value: ask valueSum",
        ),
        ("requests | summarize times = count() by operation_Name", "requests has HTTP calls only: ask traces"),
        ("traces | where valueSum > 1", "valueSum is neither column nor word"),
        ("traces | summarise times = count()", "summarise is neither column nor word"),
    ],
)
def test_a_query_that_would_fail_is_found(query: str, fault: str) -> None:
    assert fault in faults(query)
