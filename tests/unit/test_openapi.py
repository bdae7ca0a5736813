"""The OpenAPI document tells what is there: no more, no less, and not what was there last month."""

import json
import re

import pytest
import schemathesis

from local import openapi
from proactive import request
from proactive.body import SendBody

DOCUMENT = openapi.document()
NOW = 1_790_000_000.0
ADA = {"recipients": ["ada@contoso.com"]}


def read(body):
    return request.read(body, now=NOW, largest=102_400)


def documented() -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}


def routes(door: str) -> set[tuple[str, str]]:
    """Return the routes of a door as werkzeug has them."""
    return {
        (method, f"/api/{door}" + rule.rule.replace("<", "{").replace(">", "}"))
        for rule in openapi.DOORS[door].iter_rules()
        if not rule.rule.startswith(openapi.CONNECTOR)
        for method in rule.methods - {"HEAD"}
    }


def test_the_file_is_what_would_be_written():
    assert openapi.FILE.read_text(encoding="utf-8") == openapi.text(), "run python -m local.openapi"


@pytest.mark.parametrize("door", ["v1", "ops"])
def test_each_route_is_documented_and_nothing_else(door):
    assert {entry for entry in documented() if entry[1].startswith(f"/api/{door}/")} == routes(door)


def test_each_door_of_the_app_is_documented():
    app = (openapi.ROOT / "function_app.py").read_text(encoding="utf-8")
    doors = {"/" + route.partition("{*")[0].rstrip("/") for route in re.findall(r'@app\.route\("([^"]+)"', app)}
    assert len(doors) == 6
    told = {path.removeprefix("/api") for _, path in documented()}
    assert all(any(path.startswith(door) for path in told) for door in doors)
    assert all(any(path.startswith(door) for door in doors) for path in told)


def test_each_handler_that_is_described_stands_behind_a_door():
    behind = {rule.endpoint for routes in openapi.DOORS.values() for rule in routes.iter_rules()}
    assert set(openapi.OPERATIONS) - behind == {handler for _, _, handler, _ in openapi._ALONE}


def test_the_names_of_operations_are_distinct_and_links_lead_to_them():
    names = re.findall(r'"operationId": "(\w+)", "summary"', json.dumps(DOCUMENT))
    assert len(names) == len(set(names)) == len(documented())
    assert set(re.findall(r'"operationId": "(\w+)"', json.dumps(DOCUMENT))) == set(names)


def test_each_reference_leads_somewhere_and_no_part_is_left_over():
    used = set(re.findall(r'"\$ref": "#/components/(\w+/[\w-]+)"', json.dumps(DOCUMENT)))
    kinds = ("schemas", "headers", "responses")
    assert used == {f"{kind}/{name}" for kind in kinds for name in DOCUMENT["components"][kind]}


def test_the_document_is_openapi():
    schemathesis.openapi.from_dict(DOCUMENT).validate()


def test_the_fields_of_a_send_are_those_of_the_model():
    fields = {field.alias or name for name, field in SendBody.model_fields.items()}
    told = DOCUMENT["components"]["schemas"]["SendBody"]["properties"]
    assert set(told) == fields


@pytest.mark.parametrize("example", DOCUMENT["components"]["schemas"]["SendBody"]["examples"])
def test_each_example_of_a_send_is_taken(example):
    assert read(example).recipients


OPTIONS = DOCUMENT["components"]["schemas"]["Options"]["properties"]


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, schema in OPTIONS.items() for value in schema.get("enum", ())]
)
def test_each_value_that_is_documented_is_taken(name, value):
    assert read({**ADA, "message": "x", "options": {name: value}}).options.as_json()[name] == value
