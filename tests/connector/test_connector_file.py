"""The connector's files are what Power Platform takes, and tell what is there: no more, no less."""

import json
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from local import connector, connector_fields, openapi
from local.openapi_schemas import ANSWERS
from proactive import request
from proactive.doors import connector_fields as fields
from proactive.doors.connector_outputs import of_card
from tests.connector.swagger import SWAGGER

DOCUMENT = json.loads((connector.FOLDER / "apiDefinition.swagger.json").read_text(encoding="utf-8"))
PROPERTIES = json.loads((connector.FOLDER / "apiProperties.json").read_text(encoding="utf-8"))["properties"]
README = (connector.FOLDER / "readme.md").read_text(encoding="utf-8")
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if not method.startswith("x-")
}
FORMS = {
    "PostMessageRequest": fields.MESSAGE,
    "PostCardRequest": fields.CARD,
    "PostCardAndWaitRequest": fields.QUESTION,
}
NOW = 1_790_000_000.0
MADE = connector.files()


def walk(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a document, with the path that leads to it."""
    if isinstance(node, dict):
        yield path, node
        for name, inner in node.items():
            if name not in ("example", "enum", "default"):
                yield from walk(inner, f"{path}/{name}")
    elif isinstance(node, list):
        for number, inner in enumerate(node):
            yield from walk(inner, f"{path}/{number}")


def properties() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every property of every schema: where it stands, its name, and its schema."""
    for path, node in walk(DOCUMENT):
        if path.endswith("/properties"):
            for name, schema in node.items():
                yield path, name, schema


def inputs(name: str) -> dict[str, Any]:
    schema = DOCUMENT["definitions"][name]
    return schema["properties"].get("body", schema)


# One source


@pytest.mark.parametrize("name", list(MADE))
def test_each_file_is_what_would_be_written(name):
    assert (connector.FOLDER / name).read_bytes() == MADE[name], "run python -m local.connector"


def test_the_file_and_the_routes_are_the_same():
    routes = {
        (method.lower(), f"/api/{door}" + re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for door, routes in openapi.DOORS.items()
        for rule in routes.iter_rules()
        if "/connector/" in rule.rule
        for method in rule.methods - {"HEAD"}
    }
    assert {(method, path) for method, path, _ in OPERATIONS.values()} == routes


def test_each_operation_that_is_described_stands_behind_a_door():
    behind = {rule.endpoint for routes in openapi.DOORS.values() for rule in routes.iter_rules()}
    assert set(connector.OPERATIONS) <= behind


@pytest.mark.parametrize("name", list(FORMS))
def test_the_fields_are_those_that_the_route_takes(name):
    not_yet = {"sendTo", "templateData"}  # there as soon as a send can name groups and carry data
    assert set(inputs(name)["properties"]) | not_yet == set(FORMS[name]) | not_yet


def test_each_field_of_a_send_can_be_filled_in():
    reached = {place.split("/")[1] for form in FORMS.values() for place in form.values()}
    body = set(openapi.requests()["SendBody"]["properties"])
    assert body - reached <= {"callbackUrl", "dryRun"}, "a new field of a send has no field of the connector"
    options = {place.split("/")[2] for place in fields.MESSAGE.values() if place.startswith("/options/")}
    assert options == set(openapi.requests()["Options"]["properties"])


@pytest.mark.parametrize("name", list(FORMS))
def test_each_choice_and_default_is_taken(name):
    schema = inputs(name)
    plain = {"recipient": "a@b.c", "messageBody": connector_fields.CARD_EXAMPLE}
    for field, kind in schema["properties"].items():
        assert kind.get("default", ...) in (*kind.get("enum", ()), kind.get("default", ...))
        for value in [*kind.get("enum", ()), *([kind["default"]] if "default" in kind else [])]:
            body, wrong = fields.read(FORMS[name], {**plain, field: value})
            assert wrong == []
            read(body)


def read(body):
    return request.read(body, now=NOW, largest=102_400)


def test_the_defaults_are_those_of_a_send():
    for name, form in FORMS.items():
        plain = {"recipient": "a@b.c", "messageBody": connector_fields.CARD_EXAMPLE}
        defaults = {field: kind["default"] for field, kind in inputs(name)["properties"].items() if "default" in kind}
        left_out, filled = (read(fields.read(form, given)[0]) for given in (plain, plain | defaults))
        assert left_out == filled


def test_each_label_stands_for_a_word_of_the_model():
    parts = openapi.requests()
    for name, words in fields.LABELS.items():
        if name != "sendTo":
            part = {"messageFormat": ("Message", "format"), "completeWhen": ("Wait", name)}.get(name, ("Options", name))
            known = set(parts[part[0]]["properties"][part[1]]["enum"]) - {"each"}  # the first call ends the action
            assert known <= set(words.values())
            told = inputs("PostCardAndWaitRequest")["properties"] | inputs("PostMessageRequest")["properties"]
            assert {words[label] for label in told[name]["enum"]} == known


def test_the_outputs_are_those_that_are_given():
    for name, source in (("AnsweredOutcome", "Outcome"), ("Result", "Result"), ("Send", "Send"), ("Counts", "Counts")):
        assert set(DOCUMENT["definitions"][name]["properties"]) == set(ANSWERS[source]["properties"])


# Swagger 2.0


def faults(document: dict[str, Any]) -> list[str]:
    errors = jsonschema_rs.Draft202012Validator(SWAGGER).iter_errors(document)
    return [f"{list(error.instance_path)}: {str(error)[:200]}" for error in errors]


def test_the_document_is_swagger():
    assert faults(DOCUMENT) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("/swagger", "3.0.0"),
        ("/host", "https://x"),
        ("/paths/~api~v1~connector~messages/post/responses/200", {}),
        ("/paths/~api~v1~connector~messages/post/responses", {}),
        ("/paths/~api~v1~connector~messages/post/requestBody", {}),
        ("/paths/~api~v1~connector~messages/post/parameters", [{"name": "a", "in": "query", "schema": {}}]),
        ("/paths/~api~v1~connector~sends~{send}/get/parameters", [{"name": "send", "in": "path", "type": "string"}]),
        ("/definitions/Counts", {"oneOf": []}),
        ("/definitions/Counts/type", ["object", "null"]),
        ("/definitions/Counts/properties/total/$ref", "#/components/schemas/Count"),
        ("/definitions/Counts/properties/total/nullable", True),
    ],
)
def test_what_is_no_swagger_would_be_noticed(place, value):
    broken = json.loads(json.dumps(DOCUMENT))
    *path, last = [part.replace("~", "/") for part in place.split("/")[1:]]
    node = broken
    for part in path:
        node = node[part]
    node[last] = value
    assert faults(broken)


def test_each_reference_leads_somewhere_and_no_definition_is_left_over():
    used = set(re.findall(r'"#/definitions/(\w+)"', json.dumps(DOCUMENT)))
    assert used == set(DOCUMENT["definitions"])


def test_what_is_required_is_a_property():
    for path, node in walk(DOCUMENT["definitions"]):
        if isinstance(node.get("required"), list) and isinstance(node.get("properties"), dict):
            assert set(node["required"]) <= set(node["properties"]), path


def test_each_schema_is_a_schema_and_each_array_says_of_what():
    for name, schema in DOCUMENT["definitions"].items():
        jsonschema_rs.Draft4Validator({**schema, "definitions": DOCUMENT["definitions"]})
        for path, node in walk(schema, name):
            assert node.get("type") != "array" or "items" in node, path


def test_each_example_and_default_is_valid():
    examples = 0
    for path, node in walk(DOCUMENT["definitions"]):
        for key in ("example", "default"):
            if key in node and not path.endswith("/properties"):
                examples += key == "example"
                schema = {**node, "definitions": DOCUMENT["definitions"]}
                assert [str(e) for e in jsonschema_rs.Draft4Validator(schema).iter_errors(node[key])] == [], path
    assert examples >= 5


@pytest.mark.parametrize("name", list(FORMS))
def test_each_example_of_a_post_is_taken(name):
    schema = DOCUMENT["definitions"][name]
    example = schema["example"].get("body", schema["example"])
    body, wrong = fields.read(FORMS[name], example)
    assert wrong == []
    assert len(read(body).recipients) == 2


def test_each_path_parameter_is_declared():
    for _, path, operation in OPERATIONS.values():
        declared = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path))


# The rules of Power Platform


def test_the_file_is_small_and_indented_as_usual():
    text = (connector.FOLDER / "apiDefinition.swagger.json").read_text(encoding="utf-8")
    assert len(text.encode()) < 1_000_000
    assert not re.search(r"[ \t]$|\t", text, re.MULTILINE)
    assert text.splitlines()[1].startswith('    "')
    order = ["swagger", "info", "host", "schemes", "consumes", "produces", "paths", "definitions", "parameters"]
    assert [name for name in DOCUMENT if name in order] == order


def test_the_title_and_description_are_as_they_have_to_be():
    title, description = DOCUMENT["info"]["title"], DOCUMENT["info"]["description"]
    assert 1 <= len(title) <= 30
    assert not re.search("api|connector", title, re.IGNORECASE)
    assert title[-1].isalnum()
    assert 30 <= len(description) <= 500
    assert description.endswith(".")


def test_the_names_of_operations_are_in_pascal_case():
    assert len(OPERATIONS) == sum(not name.startswith("x-") for item in DOCUMENT["paths"].values() for name in item)
    for name in OPERATIONS:
        assert re.fullmatch(r"([A-Z][a-z]+)+", name)


def check_title(text: str, description: str) -> None:
    assert len(text) <= 80
    assert "/" not in text
    assert text[-1].isalnum(), text
    assert text.strip().rstrip(".") != description.strip().rstrip(".")
    check_description(description)


def check_description(text: str) -> None:
    assert text.endswith("."), text
    assert text == text.strip()
    assert len(text) > 5


def test_each_summary_is_short_and_differs_from_its_description():
    for _, _, operation in OPERATIONS.values():
        check_title(operation["summary"], operation["description"])
    summaries = [operation["summary"] for _, _, operation in OPERATIONS.values()]
    assert len(set(summaries)) == len(summaries)


def test_each_parameter_and_property_has_a_title_and_a_description():
    for path, name, schema in properties():
        if "$ref" not in schema:
            assert {"x-ms-summary", "description"} <= set(schema), (path, name)
            check_title(schema["x-ms-summary"], schema["description"])
    for _, _, operation in OPERATIONS.values():
        for parameter in operation["parameters"]:
            if parameter["in"] != "body":
                check_title(parameter["x-ms-summary"], parameter["description"])


def test_each_description_ends_with_a_full_stop():
    for path, node in walk(DOCUMENT):
        if "description" in node and not path.endswith("/properties"):
            check_description(node["description"])


def test_only_the_answer_of_success_has_a_schema():
    for name, (_, _, operation) in OPERATIONS.items():
        with_schema = [status for status, answer in operation["responses"].items() if "schema" in answer]
        good = [status for status in operation["responses"] if status in ("200", "201", "204")]
        assert len(good) == 1, name
        assert with_schema == [status for status in good if status != "204"], name
        assert {"400", "401", "503"} <= set(operation["responses"]), name


def test_what_is_internal_and_required_has_a_default():
    for path, node in walk(DOCUMENT):
        for name in node["required"] if isinstance(node.get("required"), list) else ():
            schema = node["properties"][name]
            if schema.get("x-ms-visibility") == "internal":
                # The address of the waiting flow is filled in by the platform itself.
                assert "default" in schema or schema.get("x-ms-notification-url"), (path, name)


def test_visibility_has_one_of_three_values_and_options_are_advanced():
    for path, node in walk(DOCUMENT):
        assert node.get("x-ms-visibility", "internal") in ("important", "advanced", "internal"), path
    for name in FORMS:
        told = inputs(name)["properties"]
        assert {told[option]["x-ms-visibility"] for option in fields.OPTIONS} == {"advanced"}
        assert told["recipient"]["x-ms-visibility"] == told["messageBody"]["x-ms-visibility"] == "important"


def test_the_options_have_the_labels_that_makers_know():
    told = inputs("PostMessageRequest")["properties"]
    labels = {
        name: told[name]["x-ms-summary"] for name in ("labelAsNotification", "ifChatIsActive", "ifBotNotInstalled")
    }
    assert list(labels.values()) == ["Label as notification", "If chat is active", "If bot is not installed"]
    assert told["ifChatIsActive"]["enum"][:3] == ["Send", "Don't send and succeed", "Don't send and fail"]
    assert told["ifBotNotInstalled"]["enum"][:2] == ["Fail", "Succeed with status code"]


def test_the_actions_are_named_as_those_of_the_teams_connector():
    for name in ("PostMessageToConversation", "PostCardToConversation", "PostCardAndWaitForResponse"):
        _, _, operation = OPERATIONS[name]
        schema = inputs(operation["parameters"][-1]["schema"]["$ref"].rpartition("/")[2])
        assert {"recipient", "messageBody", "bot"} <= set(schema["properties"])
    assert inputs("PostCardAndWaitRequest")["properties"]["updateMessage"]["default"] == "Thanks for your response!"


def test_waiting_for_a_response_is_a_webhook_action():
    _, path, operation = OPERATIONS["PostCardAndWaitForResponse"]
    content = DOCUMENT["paths"][path]["x-ms-notification-content"]
    assert set(content) == {"description", "schema"}
    assert not any("x-ms-trigger" in item for _, item in walk(DOCUMENT))
    schema = DOCUMENT["definitions"]["PostCardAndWaitRequest"]
    assert sorted(schema["required"]) == sorted(schema["properties"]) == ["body", "notificationUrl"]
    url = schema["properties"]["notificationUrl"]
    assert (url["x-ms-notification-url"], url["x-ms-visibility"]) == (True, "internal")
    assert "Location" in operation["responses"]["201"]["headers"]
    method, path, unsubscribe = OPERATIONS["UnsubscribeFromResponse"]
    assert (method, unsubscribe["x-ms-visibility"]) == ("delete", "internal")
    assert "424" in operation["responses"]


def test_posting_is_a_long_running_operation():
    for name in ("PostMessageToConversation", "PostCardToConversation", "UpdateMessages", "RecallMessages"):
        answers = OPERATIONS[name][2]["responses"]
        assert {"Location", "Retry-After"} == set(answers["202"]["headers"])
        assert {"200", "424"} <= set(answers)


def test_each_call_of_the_designer_leads_to_an_internal_operation():
    calls = [(key, node[key]) for _, node in walk(DOCUMENT) for key in node if key.startswith("x-ms-dynamic-")]
    assert {key for key, _ in calls} == {"x-ms-dynamic-values", "x-ms-dynamic-list", "x-ms-dynamic-schema",
                                         "x-ms-dynamic-properties"}  # fmt: skip
    for key, call in calls:
        _, _, operation = OPERATIONS[call["operationId"]]
        assert operation["x-ms-visibility"] == "internal"
        schema = DOCUMENT["definitions"][operation["responses"]["200"]["schema"]["$ref"].rpartition("/")[2]]
        assert "parameters" in call
        path = call.get("value-collection") or call.get("itemsPath") or call.get("value-path") or call["itemValuePath"]
        assert path in schema["properties"], key


def test_each_dynamic_extension_has_its_twin():
    for path, node in walk(DOCUMENT):
        assert ("x-ms-dynamic-values" in node) == ("x-ms-dynamic-list" in node), path
        assert ("x-ms-dynamic-schema" in node) == ("x-ms-dynamic-properties" in node), path
    dynamic = [path for path, node in walk(DOCUMENT) if "x-ms-dynamic-schema" in node]
    assert dynamic == ["/definitions/AnsweredOutcome/properties/data"]


def test_what_the_designer_hands_to_the_schema_is_the_card():
    data = DOCUMENT["definitions"]["AnsweredOutcome"]["properties"]["data"]
    ((target, reference),) = data["x-ms-dynamic-properties"]["parameters"].items()
    assert target == "body/messageBody"
    where = DOCUMENT["definitions"]["PostCardAndWaitRequest"]
    for part in reference["parameterReference"].split("/")[1:]:
        where = where["properties"][part]
    assert where["x-ms-summary"] == "Adaptive Card"
    assert data["x-ms-dynamic-schema"]["parameters"] == {"messageBody": {"parameter": "messageBody"}}


# The other files


def test_a_connection_asks_for_a_host_and_a_secret_key():
    key, host = PROPERTIES["connectionParameters"]["api_key"], PROPERTIES["connectionParameters"]["host"]
    assert (key["type"], host["type"]) == ("securestring", "string")
    assert key["uiDefinition"]["constraints"]["clearText"] is False
    (policy,) = PROPERTIES["policyTemplateInstances"]
    assert policy["templateId"] == "dynamichosturl"
    assert "@connectionParameters('host')" in policy["parameters"]["x-ms-apimTemplateParameter.urlTemplate"]
    assert DOCUMENT["basePath"] == "/"  # so that the policy's host takes nothing away from the paths
    (security,) = DOCUMENT["securityDefinitions"].values()
    assert (security["in"], security["name"]) == ("header", "x-functions-key")


def test_the_icon_is_a_picture_of_the_right_size_on_the_brand_colour():
    data = (connector.FOLDER / "icon.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (230, 230)
    assert len(data) < 1_000_000
    colour = PROPERTIES["iconBrandColor"]
    assert re.fullmatch("#[0-9a-f]{6}", colour)
    assert colour not in ("#007ee5", "#ffffff")
    begins = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[begins - 4 : begins])
    rows = zlib.decompress(data[begins + 4 : begins + 4 + length])
    assert rows[1:4].hex() == colour.removeprefix("#")
    assert len({rows[i : i + 3] for i in range(1, 690, 3)}) == 1


HEADINGS = ("## Publisher: ", "## Prerequisites", "## Supported Operations", "## Obtaining Credentials",
            "## Getting Started", "## Known Issues and Limitations", "## Frequently Asked Questions",
            "## Deployment Instructions")  # fmt: skip


def test_the_readme_has_the_usual_headings_in_their_order():
    assert README.startswith("# Proactive Messages\n")
    places = [README.index("\n" + heading) for heading in HEADINGS]
    assert places == sorted(places)


def test_the_readme_tells_of_each_action():
    told = set(re.findall(r"^### (.+)$", README.partition("## Supported Operations")[2].partition("\n## ")[0], re.M))
    shown = {op["summary"] for _, _, op in OPERATIONS.values() if op["x-ms-visibility"] != "internal"}
    assert told == shown


# The schema of a card


def test_the_inputs_of_a_card_become_tokens():
    card = {
        "type": "AdaptiveCard", "version": "1.5",
        "body": [
            {"type": "Input.Text", "id": "note", "label": "Your note"}, {"type": "Input.Number", "id": "count"},
            {"type": "Container", "items": [{"type": "Input.Toggle", "id": "agreed", "title": "Agreed"}]},
            {"type": "Input.Text"}, {"type": "Input.Text", "id": 5},
        ],
        "actions": [
            {"type": "Action.Submit", "title": "A", "data": {"order": 4711, "deep": {}, "list": [], "none": None}},
            {"type": "Action.Submit", "title": "B", "data": "text"},
            {"type": "Action.OpenUrl", "url": "https://x", "data": {"no": 1}},
        ],
    }  # fmt: skip
    for given in (card, json.dumps(card)):
        schema = of_card(given, 100_000)
        kinds = {name: inner.get("type") for name, inner in schema["properties"].items()}
        assert kinds == {"note": "string", "count": None, "agreed": "string", "order": "integer", "deep": "object",
                         "list": "array", "none": None}  # fmt: skip
        assert schema["properties"]["note"]["x-ms-summary"] == "Your note"
        jsonschema_rs.Draft4Validator(schema)


@pytest.mark.parametrize(
    "card", [None, "", "{", "@{triggerBody()}", 5, [], "[]", "null", '{"a": 1', {"type": 5}, "9" * 9999]
)
def test_a_card_that_cannot_be_read_has_no_inputs(card):
    assert of_card(card, 1000) == {"type": "object", "properties": {}}
