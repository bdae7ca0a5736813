"""The Power Platform custom connector, made of what its routes are made of.

`python -m local.connector` writes `connector/`; with `--check` it fails where a file there is not what it would write.
What a route takes and answers stands in `OPERATIONS`, by its handler: a new route needs one entry there.
"""

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import connector_fields, connector_icon, connector_schemas, openapi
from proactive.doors import connector, v1
from proactive.model import State

type Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "connector"
COLOUR = "#3a4fb0"
_PLACEHOLDER = "your-app.azurewebsites.net"


@dataclass(frozen=True, slots=True)
class Operation:
    """What a route takes and answers; its path, method and path parameters stand in the map of routes."""

    name: str
    summary: str
    description: str
    answers: Json
    visibility: str = "important"
    body: str = ""
    query: tuple[Json, ...] = ()
    keyed: bool = False
    notification: str = ""


def _ref(name: str) -> Json:
    return {"$ref": f"#/definitions/{name}"}


_WHY = {
    202: "It goes on: the flow asks at the address in Location.",
    204: "It is done.",
    400: "The request is not valid. The answer names each field at fault.",
    401: "There is no key, or it is a wrong one.",
    403: "It is not allowed.",
    404: "There is no such send.",
    409: "It cannot be done as things stand.",
    413: "The message is too large.",
    415: "The body is not JSON.",
    422: "The idempotency key belongs to another request.",
    424: "It was not delivered. The answer tells what became of each recipient.",
    503: "Storage does not answer.",
}
_LOCATION = {"Location": {"type": "string", "description": "Where to ask, or what to delete."}}
_HEADERS: Mapping[int, Json] = {
    202: {**_LOCATION, "Retry-After": {"type": "integer", "description": "The seconds to wait before asking."}},
    503: {"Retry-After": {"type": "integer", "description": "The seconds to wait before trying again."}},
}


def _answers(good: int, schema: str, *others: int, description: str = "It is done.") -> Json:
    found: Json = {str(good): {"description": description, **({"schema": _ref(schema)} if schema else {})}}
    if good == 201:
        found["201"]["headers"] = _LOCATION
    for status in others:
        headers = {"headers": _HEADERS[status]} if status in _HEADERS else {}
        found[str(status)] = {"description": _WHY[status], **headers}
    return found


def _posted(*more: int) -> Json:
    others = (202, 400, 401, *more, 413, 415, 422, 424, 503)
    return _answers(200, "Outcome", *others, description="What became of the messages.")


_STATE: Json = {
    "name": "state", "in": "query", "type": "string", "x-ms-summary": "State", "x-ms-visibility": "important",
    "description": "Only results in these states, with commas between them. All of them where it is empty.",
    "x-example": ",".join((State.FAILED, State.NOT_INSTALLED)),
}  # fmt: skip
_TOP: Json = {
    "name": "top", "in": "query", "type": "integer", "minimum": 1, "maximum": 1000, "default": 100,
    "x-ms-summary": "Top", "description": "How many results a page has.", "x-ms-visibility": "advanced",
}  # fmt: skip
_CONTINUATION: Json = {
    "name": "continuation", "in": "query", "type": "string", "x-ms-summary": "Continuation",
    "description": "What the page before gave.", "x-ms-visibility": "advanced",
}  # fmt: skip
_KEY: Json = {
    "name": "Idempotency-Key", "in": "header", "type": "string", "minLength": 1, "maxLength": 256,
    "x-ms-summary": "Idempotency Key", "x-ms-visibility": "advanced",
    "description": "What makes a repeated call the same one. It has to differ in each round of Apply to each.",
}  # fmt: skip
_SEND: Json = {
    "name": "send", "in": "path", "required": True, "type": "string", "x-ms-summary": "Send ID",
    "description": "The id that posting gave.", "x-ms-url-encoding": "single",
}  # fmt: skip

OPERATIONS: Mapping[Callable[..., Any], Operation] = {
    connector.post_message: Operation(
        "PostMessageToConversation",
        "Post message in a chat",
        "Posts a message in the chats of people with a bot, and waits until it is delivered.",
        _posted(403), body="PostMessageRequest", keyed=True,
    ),
    connector.post_card: Operation(
        "PostCardToConversation",
        "Post adaptive card in a chat",
        "Posts an adaptive card in the chats of people with a bot, and waits until it is delivered.",
        _posted(403), body="PostCardRequest", keyed=True,
    ),
    connector.ask: Operation(
        "PostCardAndWaitForResponse",
        "Post adaptive card and wait for a response",
        "Posts an adaptive card in the chats of people with a bot, and waits until somebody has chosen an action.",
        _answers(201, "Subscription", 400, 401, 403, 413, 415, 422, 424, 503, description="The card is delivered."),
        body="PostCardAndWaitRequest", notification="AnsweredOutcome",
    ),
    v1.cancel_send: Operation(
        "UnsubscribeFromResponse",
        "Stop waiting for a response",
        "Withdraws a card that nobody waits for any more.",
        _answers(204, "", 400, 401, 404, 503), visibility="internal",
    ),
    v1.get_send: Operation(
        "GetSendStatus",
        "Get status",
        "Tells where a send stands, and how many people have got it.",
        _answers(200, "Send", 400, 401, 404, 503, description="Where the send stands."),
    ),
    v1.list_results: Operation(
        "ListResults",
        "List results",
        "Lists what became of each recipient of a send, a page at a time.",
        _answers(200, "Results", 400, 401, 404, 503, description="A page of results."),
        query=(_STATE, _TOP, _CONTINUATION),
    ),
    connector.cancel_send: Operation(
        "CancelSend",
        "Cancel",
        "Cancels what is not sent yet, and ends the wait. A flow that waits goes on with the outcome cancelled.",
        _answers(204, "", 400, 401, 404, 503),
    ),
    connector.pick_bot: Operation(
        "ListBots",
        "List bots",
        "Lists the bots that can speak.",
        _answers(200, "Bots", 400, 401, 503, description="The bots."), visibility="internal",
    ),
    connector.response_schema: Operation(
        "GetResponseSchema",
        "Get the schema of a response",
        "Tells the designer which inputs a card has.",
        _answers(200, "ResponseSchema", 400, 401, 413, 415, 503, description="The schema."),
        visibility="internal", body="CardRequest",
    ),
    connector.update_send: Operation(
        "UpdateMessages",
        "Update messages",
        "Replaces what a send has posted, for all who got it. It needs a connection with an operator's key.",
        _posted(404, 409), body="UpdateRequest", keyed=True,
    ),
    connector.recall_send: Operation(
        "RecallMessages",
        "Recall messages",
        "Deletes what a send has posted, for all who got it. It needs a connection with an operator's key.",
        _posted(404, 409),
    ),
}  # fmt: skip

DYNAMIC: Json = {
    "x-ms-dynamic-schema": {
        "operationId": "GetResponseSchema",
        "parameters": {"messageBody": {"parameter": "messageBody"}},
        "value-path": "schema",
    },
    "x-ms-dynamic-properties": {
        "operationId": "GetResponseSchema",
        "parameters": {"body/messageBody": {"parameterReference": "body/body/messageBody"}},
        "itemValuePath": "schema",
    },
}


def document() -> Json:
    """Return the Swagger document. Raises `KeyError` for a route whose handler is not among `OPERATIONS`."""
    paths: dict[str, Json] = {}
    for door, routes in openapi.DOORS.items():
        for rule in routes.iter_rules():
            if not rule.rule.startswith(openapi.CONNECTOR):
                continue
            path = f"/api/{door}" + re.sub(r"<(\w+)>", r"{\1}", rule.rule)
            (method,) = {method.lower() for method in rule.methods or ()} - {"head"}
            operation = OPERATIONS[rule.endpoint]
            item = paths.setdefault(path, {})
            if operation.notification:
                item["x-ms-notification-content"] = {
                    "description": "What became of the card.", "schema": _ref(operation.notification),
                }  # fmt: skip
            item[method] = _operation(operation, path)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "swagger": "2.0",
        "info": {
            "title": "Proactive Messages",
            "description": "A bot of your own speaks first in Microsoft Teams: it posts messages and adaptive cards to"
            " many people at once, waits for responses, and tells what became of each of them.",
            "version": project["version"],
        },
        "host": _PLACEHOLDER,
        "basePath": "/",
        "schemes": ["https"],
        "consumes": ["application/json"],
        "produces": ["application/json", "application/problem+json"],
        "paths": paths,
        "definitions": connector_fields.definitions() | connector_schemas.definitions(DYNAMIC),
        "parameters": {},
        "responses": {},
        "securityDefinitions": {"api_key": {"type": "apiKey", "in": "header", "name": "x-functions-key"}},
        "security": [{"api_key": []}],
        "tags": [],
    }


def _operation(operation: Operation, path: str) -> Json:
    parameters: list[Json] = [_SEND] if "{send}" in path else []
    parameters += [*operation.query, *([_KEY] if operation.keyed else [])]
    if operation.body:
        described = {"description": "What the action takes.", "schema": _ref(operation.body)}
        parameters.append({"name": "body", "in": "body", "required": True, **described})
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.description,
        "x-ms-visibility": operation.visibility,
        "parameters": parameters,
        "responses": operation.answers,
    }


def properties() -> Json:
    """Return what a connection needs: where the service is, and the key that opens it."""

    def shown(name: str, description: str, number: int) -> Json:
        constraints = {"required": "true", "tabIndex": number, "clearText": number == 2}
        return {"displayName": name, "description": description, "tooltip": description, "constraints": constraints}

    key = shown("Function key", "The key of the function v1; for Update and Recall the key of the function ops.", 3)
    host = shown("Host", f"The host of the app without https, for example {_PLACEHOLDER}.", 2)
    return {
        "properties": {
            "connectionParameters": {
                "api_key": {"type": "securestring", "uiDefinition": key},
                "host": {"type": "string", "uiDefinition": host},
            },
            "iconBrandColor": COLOUR,
            "capabilities": ["actions"],
            "policyTemplateInstances": [
                {
                    "templateId": "dynamichosturl",
                    "title": "Speak to the host of the connection",
                    "parameters": {
                        "x-ms-apimTemplateParameter.urlTemplate": "https://@connectionParameters('host')",
                    },
                }
            ],
        }
    }


def files() -> dict[str, bytes]:
    """Return the files that are made, by name."""

    def text(document: Json) -> bytes:
        return (json.dumps(document, indent=4, ensure_ascii=False) + "\n").encode()

    return {
        "apiDefinition.swagger.json": text(document()),
        "apiProperties.json": text(properties()),
        "icon.png": connector_icon.png(COLOUR),
    }


def main() -> int:
    """Write the files, or compare them with what is there."""
    parser = argparse.ArgumentParser(prog="python -m local.connector", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is out of date")
    check = parser.parse_args().check
    for name, content in files().items():
        file = FOLDER / name
        if not check:
            file.write_bytes(content)
        elif not file.is_file() or file.read_bytes() != content:
            print(f"{file.relative_to(ROOT)} is out of date: run python -m local.connector", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
