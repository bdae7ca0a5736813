"""What operators are told of. Each rule is shown to fail once the Bicep is changed to break it."""

import re
from typing import Any

from tests.infra.bicep import ROOT, Deployment, words
from tests.infra.kql import faults, metrics
from tests.infra.rules import Rules

MAIN = "main.bicep"
ALERTS = "modules/alerts.bicep"
QUERY_RULES = "Microsoft.Insights/scheduledQueryRules"

# What an operator is told of, and by which metric.
ALERTED = {
    "poison-depth": "proactive.queue.length",
    "queue-age": "proactive.queue.age",
    "throttled": "proactive.teams.requests",
    "in-doubt": "proactive.in_doubt",
    "callbacks-given-up": "proactive.callbacks",
    "token-failures": "proactive.tokens.failed",
    "failed-share": "proactive.deliveries",
}

RULES = Rules()
rule = RULES.rule


def alerts(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Return the rows of which the log alerts are made, by name."""
    return {row["name"]: row for row in deployment.variable(ALERTS, "rules")}


def criterion(deployment: Deployment) -> dict[str, Any]:
    """Return what all log alerts compare."""
    found: dict[str, Any] = deployment.resource(QUERY_RULES).at("properties.criteria.allOf")[0]
    return found


def column(value: Any) -> str:
    """Return the name of `rule.name`."""
    assert isinstance(value, dict), f"{value} is the same for all"
    operands = value["operator"]["operands"]
    assert (value["operator"]["type"], operands["operand_1"]) == ("property_accessor", "rule")
    return str(operands["operand_2"])


def minutes(duration: str) -> int:
    """Return the minutes of `PT15M`."""
    return int(duration.removeprefix("PT").removesuffix("M"))


# Alerts


@rule(
    (ALERTS, "    name: 'in-doubt'", "    name: 'doubt'"),
    (ALERTS, 'where name == "proactive.queue.age"', 'where name == "proactive.queue.wait"'),
    (ALERTS, 'where name == "proactive.tokens.failed"', 'where name == "proactive.answers"'),
    (ALERTS, '      | where outcome == "givenUp"\n', ""),
    (ALERTS, '      | where queue endswith "-poison"\n', ""),
    (ALERTS, 'status == "429"', 'status == "503"'),
    (ALERTS, "[for rule in rules: {", "[for rule in []: {"),
    (ALERTS, "query: rule.query", "query: rule.title"),
    (ALERTS, "scopes: [insightsId]", "scopes: [resourceGroup().id]"),
)
def whatever_wants_a_person_has_an_alert(deployment: Deployment) -> None:
    rows = alerts(deployment)
    assert {name: metrics(row["query"]) for name, row in rows.items()} == {
        name: {metric} for name, metric in ALERTED.items()
    }
    assert 'where queue endswith "-poison"' in rows["poison-depth"]["query"]
    assert 'status == "429"' in rows["throttled"]["query"]
    assert 'where outcome == "givenUp"' in rows["callbacks-given-up"]["query"]
    made = deployment.resource(QUERY_RULES)
    assert made.loop["detail"] == {"item_name": "rule", "array_name": "rules"}
    assert made.at("properties.scopes") == ["insightsId"]
    assert column(criterion(deployment)["query"]) == "query"


@rule(
    (ALERTS, "metricMeasureColumn: rule.column", "metricMeasureColumn: rule.name"),
    (ALERTS, "threshold: rule.threshold", "threshold: 0"),
    (ALERTS, "operator: 'GreaterThan'", "operator: 'LessThan'"),
    (ALERTS, "    column: 'depth'", "    column: 'length'"),
    (ALERTS, "    dimensions: ['whose']", "    dimensions: ['of']"),
    (ALERTS, "| summarize people = sum(valueSum)", "| summarize people = sum(valueSum"),
    (ALERTS, "failed = sumif(valueSum, state", "failed = sumif(valueTotal, state"),
    (ALERTS, 'customDimensions["of"]', 'customDimensions["door"]'),
    (ALERTS, "| project bot, tenant, share", "| project bot, share"),
    (ALERTS, "rule.dimensions, dimension", "[], dimension"),
)
def alerts_ask_for_what_the_app_tells(deployment: Deployment) -> None:
    for name, row in alerts(deployment).items():
        assert faults(row["query"]) == [], name
        last = row["query"].strip().splitlines()[-1]
        for each in (row["column"], *row["dimensions"]):
            assert re.search(rf"\b{each}\b", last), f"{name} ends without {each}"
    compared = criterion(deployment)
    assert column(compared["metricMeasureColumn"]) == "column"
    assert column(compared["threshold"]) == "threshold"
    assert column(compared["timeAggregation"]) == "aggregation"
    assert compared["operator"] == "GreaterThan"
    assert column(compared["dimensions"]["function"]["parameters"]["arg_1"]) == "dimensions"


@rule(
    (ALERTS, "    autoMitigate: true\n    scopes: [insightsId]", "    scopes: [insightsId]"),
    (ALERTS, "description: rule.todo", "description: rule.title"),
    (ALERTS, "severity: 3", "severity: 9"),
    (ALERTS, "    window: 'PT30M'\n    // The", "    window: 'PT5M'\n    // The"),
    (ALERTS, " The workbook has the reasons. Mend the cause, then POST /api/ops/sends/{id}/retry.", ""),
    (ALERTS, "skipQueryValidation: true", ""),
)
def alerts_say_what_to_do_and_end_by_themselves(deployment: Deployment) -> None:
    made = deployment.resource(QUERY_RULES)
    keys = {"displayName": "title", "description": "todo", "severity": "severity"}
    keys |= {"evaluationFrequency": "frequency", "windowSize": "window"}
    assert {key: column(made.at(f"properties.{key}")) for key in keys} == keys
    assert made.at("properties.autoMitigate") is True
    # Validation would refuse a query on a workspace into which nothing has come yet.
    assert made.at("properties.skipQueryValidation") is True
    for name, row in alerts(deployment).items():
        assert row["title"], name
        assert len(row["todo"]) > 80, name
        assert row["severity"] in (1, 2, 3), name
        assert 5 <= minutes(row["frequency"]) <= minutes(row["window"]) <= 30, name


@rule(
    (ALERTS, "empty(emails) ? [] : [people.id]", "[]"),
    (ALERTS, "empty(emails) ? [] : [people.id]", "empty(emails) ? [people.id] : []"),
    (ALERTS, "actionGroups: actionGroups", "actionGroups: []"),
    (ALERTS, "actions: map(actionGroups, id => { actionGroupId: id })", "actions: []"),
    (ALERTS, " = if (!empty(emails)) {", " = {"),
    (ALERTS, "emailAddress: email", "emailAddress: name"),
    (MAIN, "    emails: alertEmails\n", "    emails: []\n"),
    (MAIN, "param alertEmails array = []", "param alertEmails array = ['me@contoso.com']"),
)
def alerts_are_sent_to_people_where_any_are_named(deployment: Deployment) -> None:
    assert deployment.default("alertEmails") == []
    assert deployment.modules()["watch"].at("params.emails") == "alertEmails"
    group = deployment.resource("Microsoft.Insights/actionGroups")
    assert group.condition or "empty" in set(words(deployment.trees[ALERTS]["resources"]["people"]["config"]))
    told = group.at("properties.emailReceivers")
    assert told["loop_type"]["detail"]["array_name"] == "emails"
    assert told["config"]["emailAddress"] == "email"
    groups = deployment.variable(ALERTS, "actionGroups")
    assert groups, "nobody is told"
    groups = groups["operator"]["operands"]
    assert groups["condition"]["function"] == {"type": "empty", "parameters": {"item_to_test": "emails"}}
    assert groups["true_value"] == []
    assert "people" in set(words(groups["false_value"]))
    assert deployment.resource(QUERY_RULES).at("properties.actions.actionGroups") == "actionGroups"
    assert "actionGroups" in set(words(deployment.resource("Microsoft.Insights/metricAlerts").at("properties.actions")))


@rule(
    (MAIN, "param alerts bool = true", "param alerts bool = false"),
    (MAIN, "    enabled: alerts\n", "    enabled: true\n"),
    (ALERTS, "    enabled: enabled\n", "    enabled: true\n"),
    (ALERTS, "enabled: enabled && healthTestSeconds > 0", "enabled: true"),
    (MAIN, "    queueMinutes: alertQueueMinutes\n", "    queueMinutes: 10\n"),
    (ALERTS, "threshold: queueMinutes * 60", "threshold: queueMinutes"),
)
def alerts_are_on_unless_somebody_turns_them_off(deployment: Deployment) -> None:
    watch = deployment.modules()["watch"]
    assert deployment.default("alerts") is True
    assert watch.condition is None
    assert watch.at("params.enabled") == "alerts"
    assert watch.at("params.queueMinutes") == "alertQueueMinutes"
    assert deployment.resource(QUERY_RULES).at("properties.enabled") == "enabled"
    health = deployment.resource("Microsoft.Insights/metricAlerts").at("properties.enabled")
    assert {"enabled", "healthTestSeconds"} <= set(words(health))
    assert {"queueMinutes", 60} <= set(words(alerts(deployment)["queue-age"]["threshold"]))


# The test from outside


@rule(
    (ALERTS, "'${address}/api/health'", "'${address}/api/ui'"),
    (ALERTS, "ExpectedHttpStatusCode: 200", "ExpectedHttpStatusCode: 503"),
    (ALERTS, "HttpVerb: 'GET'", "HttpVerb: 'POST'"),
    (ALERTS, "  kind: 'standard'\n", "  kind: 'ping'\n"),
    (ALERTS, "    Enabled: healthTestSeconds > 0\n", "    Enabled: false\n"),
    (ALERTS, "Frequency: healthTestSeconds == 0 ? 900 : healthTestSeconds", "Frequency: 900"),
    (ALERTS, "tags: union(tags, { 'hidden-link:${insightsId}': 'Resource' })", "tags: tags"),
    (MAIN, "    address: address\n    healthTestSeconds", "    address: publicUrl\n    healthTestSeconds"),
    (MAIN, "param healthTestSeconds int = 900", "param healthTestSeconds int = 0"),
)
def the_app_is_asked_from_outside_whether_it_is_there(deployment: Deployment) -> None:
    test = deployment.resource("Microsoft.Insights/webtests")
    asked = test.at("properties.Request")
    assert (asked["RequestUrl"], asked["HttpVerb"]) == ("${address}/api/health", "GET")
    assert test.at("properties.ValidationRules.ExpectedHttpStatusCode") == 200
    assert test.at("kind") == test.at("properties.Kind") == "standard"
    for key in ("Enabled", "Frequency"):
        assert "healthTestSeconds" in set(words(test.at(f"properties.{key}")))
    # Without it the portal does not know whose test it is.
    assert "'hidden-link:${insightsId}'" in set(words(test.at("tags")))
    watch = deployment.modules()["watch"]
    assert watch.at("params.address") == deployment.modules()["bot"].at("params.endpoint").split("/")[0][2:-1]
    assert watch.at("params.healthTestSeconds") == "healthTestSeconds"
    assert deployment.default("healthTestSeconds") in (300, 600, 900)


@rule(
    (ALERTS, "WebtestLocationAvailabilityCriteria", "SingleResourceMultipleMetricCriteria"),
    (ALERTS, "webTestId: test.id", "webTestId: insightsId"),
    (ALERTS, "(length(places) / 2) + 1", "1"),
    (ALERTS, "severity: 0", "severity: 3"),
    (ALERTS, "    autoMitigate: true\n    scopes: [test.id", "    scopes: [test.id"),
)
def an_app_that_does_not_answer_is_the_worst_alert(deployment: Deployment) -> None:
    health = deployment.resource("Microsoft.Insights/metricAlerts")
    compared = health.at("properties.criteria")
    assert compared["'odata.type'"] == "Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria"
    assert compared["componentId"] == "insightsId"
    assert "test" in set(words(compared["webTestId"]))
    # One place that cannot reach Azure is no alarm.
    assert "places" in set(words(compared["failedLocationCount"]))
    assert health.at("properties.severity") < min(row["severity"] for row in alerts(deployment).values())
    assert health.at("properties.autoMitigate") is True


@rule(
    (ALERTS, "  AzureUSGovernment: ['usgov-va-azr', 'usgov-phx-azr', 'usgov-tx-azr']\n", ""),
    (ALERTS, "'us-va-ash-azr', 'us-ca-sjc-azr', 'apac-sg-sin-azr']", "'us-va-ash-azr']"),
    (ALERTS, "placesByCloud[?environment().name] ?? []", "placesByCloud.AzureCloud"),
    (ALERTS, "webtests@2022-06-15' = if (!empty(places)) {", "webtests@2022-06-15' = {"),
)
def the_places_are_those_of_the_cloud(deployment: Deployment) -> None:
    places = deployment.variable(ALERTS, "placesByCloud")
    assert set(places) == {"AzureCloud", "AzureUSGovernment"}
    assert len(places["AzureCloud"]) >= 5
    assert all(place.startswith("usgov-") == (cloud != "AzureCloud") for cloud in places for place in places[cloud])
    assert {"environment", "name", "coalesce"} <= set(words(deployment.variable(ALERTS, "places")))
    for name in ("test", "health"):
        assert "places" in set(words(deployment.trees[ALERTS]["resources"][name]["config"].get("condition")))


test_the_deployment_keeps_the_rule, test_a_change_that_breaks_the_rule_is_found = RULES.tests()


def test_every_alert_stands_on_the_page_for_operators() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")

    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) >= {*ALERTED, "health"}


def test_the_script_that_confirms_a_deployment_counts_the_alerts() -> None:
    script = (ROOT / "infra" / "confirm.sh").read_text("utf-8")

    assert f"check 'all alerts on counts are on' {len(ALERTED)} " in script
