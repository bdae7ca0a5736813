"""The doors as an OpenAPI 3.1 document, made of what they are made of: `SendBody` and the maps of routes.

`python -m local.openapi` writes `docs/openapi.json`; with `--check` it fails where that file is not what it would
write. What a route takes and answers stands in `OPERATIONS`, by its handler: a new route needs one entry there.
"""

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from werkzeug.routing import Map

from local.openapi_schemas import ACTIVITY, ANSWERS, COUNT, ID, TEXT, URL, Json, members, ref
from proactive.body import SendBody
from proactive.doors import health, messages, ops, outcomes, persons, ui, v1, verbs
from proactive.problems import TITLES
from proactive.verbs import CONTENT

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "openapi.json"
DOORS: Mapping[str, Map] = {"v1": v1.ROUTES, "ops": ops.ROUTES}
CONNECTOR = "/connector/"  # what begins like this is told by connector/apiDefinition.swagger.json


class _Untitled(GenerateJsonSchema):
    """A schema without the titles that pydantic makes of the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def requests() -> Json:
    """Return the schemas of what is sent, as `SendBody` has them."""
    whole = SendBody.model_json_schema(schema_generator=_Untitled, ref_template="#/components/schemas/{model}")
    parts = json.loads(json.dumps(whole.pop("$defs")).replace('"#/components/schemas/_', '"#/components/schemas/'))
    send = json.loads(json.dumps(whole).replace('"#/components/schemas/_', '"#/components/schemas/'))
    found = {"SendBody": send} | {name.removeprefix("_"): schema for name, schema in parts.items()}
    for schema in found.values():
        del schema["title"]
        for member in schema["properties"].values():
            if member.get("default", ...) in (None, ""):
                del member["default"]
    send["oneOf"] = [{"required": ["message"]}, {"required": ["card"]}]
    found["Content"] = {
        "type": "object",
        "properties": {name: send["properties"][name] for name in CONTENT},
        "additionalProperties": False,
        "oneOf": send["oneOf"],
    }
    send["examples"] = [
        {"recipients": ["ada@contoso.com"], "message": "Your order *4711* is ready"},
        {"recipients": "ada@contoso.com; Alan Turing", "summary": "Order 4711 is ready",
         "card": {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "Order 4711"}]}},
    ]  # fmt: skip
    return found


# Answers

_HEADERS: Json = {
    "Location": {"description": "The outcome's address, which opens itself", "schema": URL},
    "Retry-After": {"description": "Seconds", "schema": COUNT},
    "Preference-Applied": {"description": "`wait=N`, where the answer was held", "schema": TEXT},
    "Link": {"description": "The next page of a table", "schema": TEXT},
}
_POLLED = {name: {**ref(name, "headers"), "required": True} for name in ("Location", "Retry-After")}
_SUBSCRIBED = {"Location": {"description": "What a DELETE unsubscribes", "schema": URL, "required": True}}
_HELD = {"Preference-Applied": ref("Preference-Applied", "headers")}
_WHY = {
    400: "The request is not valid",
    401: "No key, or a wrong one",
    403: "Not allowed",
    404: "There is no such thing",
    409: "It cannot be done as things stand, or a name fits several people",
    413: "The body, or the message, is too large",
    415: "The body is not JSON",
    422: "The idempotency key belongs to a send with other content",
    502: "Only with a bot behind: it gave no answer to an invoke that could be handed on",
    503: "Storage does not answer",
    504: "Only with a bot behind: it did not answer an invoke in time",
}


def _answer(description: str, schema: str = "", **more: Json) -> Json:
    body: Json = {"content": {"application/json": {"schema": ref(schema)}}} if schema else {}
    return {"description": description, **body, **more}


def _table(description: str, schema: str) -> Json:
    content = {"application/json": {"schema": ref(schema)}, "text/csv": {"schema": TEXT}}
    return _answer(description, headers={"Link": ref("Link", "headers")}, content=content)


def _refusals(*statuses: int) -> Json:
    return {str(status): ref(TITLES[status].title().replace(" ", ""), "responses") for status in statuses}


def _refusal(status: int) -> Json:
    told = {} if status == 401 else {"content": {"application/problem+json": {"schema": ref("Problem")}}}
    again = {"headers": {"Retry-After": ref("Retry-After", "headers")}} if status == 503 else {}
    return {"description": _WHY[status], **again, **told}  # 401 is the Functions host's own, without a body


# Operations


@dataclass(frozen=True, slots=True)
class Operation:
    """What a route takes and answers; its path, method and path parameters stand in the map of routes."""

    name: str
    summary: str
    answers: Json
    query: Mapping[str, Json] = field(default_factory=dict)
    headers: Mapping[str, Json] = field(default_factory=dict)
    body: Json | None = None


_PATH: Mapping[str, Json] = {
    "send": ID,
    "bot": TEXT,
    "user": {**TEXT, "description": "Any name that a recipient may have"},
    "id": ID,
    "secret": TEXT,
}
_TOP: Json = {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
_CONTINUATION: Json = {**TEXT, "description": "What the page before gave"}
_TENANT: Mapping[str, Json] = {"tenant": {**TEXT, "description": "Needed where the bot is used in several"}}
_LINKS: Json = {
    name: {"operationId": name, "parameters": {"send": "$response.body#/id"}}
    for name in ("getSend", "listResults", "listResponses", "cancelSend")
}
_SEVERAL = "one or more, with `,` between"

_HOLD: Mapping[str, Json] = {
    "Prefer": {"type": "string", "pattern": "^wait=[0-9]{1,3}$", "description": "Hold the answer: seconds"}
}
_KEYED: Mapping[str, Json] = {"Idempotency-Key": {"type": "string", "minLength": 1, "maxLength": 256}}
_ACCEPTED: Json = {
    "202": _answer("Accepted", "Accepted", links=_LINKS, headers=_POLLED | _HELD),
    "424": _answer("The outcome of a run that is to be marked as failed, where it was held", "Outcome", headers=_HELD),
}
_HELD_OUTCOME = _answer("The outcome, where the answer was held for it", "Outcome", headers=_HELD)
_WHOM = {
    **members(("bot", "tenant"), bot=TEXT, tenant={**TEXT, "description": "All tenants where it is left out"}),
    "additionalProperties": False,
}

OPERATIONS: Mapping[Callable[..., Any], Operation] = {
    v1.create_send: Operation(
        "createSend",
        "Send a message or a card to people",
        {
            **_ACCEPTED,
            "201": _answer("Subscribed, with `callbackUrl`", "Accepted", links=_LINKS, headers=_SUBSCRIBED | _HELD),
            "200": {
                **_answer("The outcome, where the answer was held for it; with `dryRun` what would become of it"),
                "content": {"application/json": {"schema": {"anyOf": [ref("Outcome"), ref("Preview")]}}},
                "headers": _HELD,
            },
            **_refusals(400, 401, 403, 413, 415, 422, 503),
        },
        headers={**_KEYED, **_HOLD},
        body=ref("SendBody"),
    ),
    v1.get_send: Operation(
        "getSend", "Where a send stands", {"200": _answer("The send", "Send"), **_refusals(400, 401, 404, 503)}
    ),
    v1.list_results: Operation(
        "listResults",
        "What became of each recipient",
        {
            "200": _table("A page of results; as CSV the whole table unless `top` is given", "Results"),
            **_refusals(400, 401, 404, 503),
        },
        query={"state": {**TEXT, "description": _SEVERAL, "examples": ["delivered,failed"]}, "top": _TOP,
               "continuation": _CONTINUATION},
    ),
    v1.list_responses: Operation(
        "listResponses",
        "The answers to a card that waits",
        {
            "200": _table("A page of answers; as CSV all of them unless `top` is given", "Responses"),
            **_refusals(400, 401, 404, 503),
        },
        query={"top": _TOP, "continuation": _CONTINUATION},
    ),
    v1.cancel_send: Operation(
        "cancelSend", "Cancel what is not sent yet", {"204": _answer("Done"), **_refusals(400, 401, 404, 503)}
    ),
    v1.unsubscribe: Operation(
        "unsubscribe", "Cancel the send that has this callback URL",
        {"204": _answer("Done"), **_refusals(400, 401, 404, 413, 415, 503)},
        body={**members(callbackUrl=TEXT), "additionalProperties": False},
    ),
    v1.list_bots: Operation("listBots", "The bots", {"200": _answer("The bots", "Bots"), **_refusals(400, 401, 503)}),
    v1.get_user: Operation(
        "getUser", "What a bot knows of a person",
        {"200": _answer("The person", "User"), **_refusals(400, 401, 404, 409, 503)},
        query=_TENANT,
    ),
    ops.list_sends: Operation(
        "listSends",
        "The sends, newest first",
        {"200": _answer("A page of sends", "Sends"), **_refusals(400, 401, 503)},
        query={
            "from": {**TEXT, "description": "A day or a moment", "examples": ["2026-12-01"]},
            "to": {**TEXT, "description": "A day or a moment", "examples": ["2026-12-01T08:00:00Z"]},
            "status": {**TEXT, "description": _SEVERAL, "examples": ["completed,cancelled"]},
            "top": _TOP, "continuation": _CONTINUATION,
        },
    ),
    ops.list_rejected: Operation(
        "listRejected", "Messages on the queue that were no valid send",
        {"200": _answer("A page of reasons", "Rejected"), **_refusals(400, 401, 503)},
        query={"top": _TOP, "continuation": _CONTINUATION},
    ),
    ops.get_content: Operation(
        "getContent", "What a send was to deliver",
        {"200": _answer("The content", "SentContent"), **_refusals(400, 401, 404, 503)},
    ),
    ops.end_chat: Operation(
        "endChat", "End the active chat of a person",
        {"204": _answer("Done"), **_refusals(400, 401, 404, 409, 503)},
        query=_TENANT,
    ),
    persons.list_messages: Operation(
        "listMessages", "What a person was sent, newest first",
        {"200": _answer("A page of messages", "Messages"), **_refusals(400, 401, 404, 409, 503)},
        query={
            **_TENANT,
            "from": {**TEXT, "description": "A day or a moment", "examples": ["2026-12-01"]},
            "to": {**TEXT, "description": "A day or a moment", "examples": ["2026-12-01T08:00:00Z"]},
            "top": _TOP, "continuation": _CONTINUATION,
        },
    ),
    persons.export_data: Operation(
        "exportData", "All that is kept about a person",
        {"200": _answer("The data, with the newest 1,000 messages", "Data"), **_refusals(400, 401, 404, 409, 503)},
        query={**_TENANT, "continuation": _CONTINUATION},
    ),
    persons.erase_data: Operation(
        "eraseData", "Erase all that is kept about a person",
        {"204": _answer("Done"), "202": _answer("Begun; the rest goes on by itself", "Begun"),
         **_refusals(400, 401, 404, 409, 503)},
        query=_TENANT,
    ),
    verbs.retry_send: Operation(
        "retrySend", "Send again to those it failed for",
        {**_ACCEPTED, "200": _HELD_OUTCOME, **_refusals(400, 401, 404, 409, 413, 415, 422, 503)},
        headers=_HOLD,
    ),
    verbs.update_send: Operation(
        "updateSend", "Replace what was delivered",
        {**_ACCEPTED, "200": _HELD_OUTCOME, **_refusals(400, 401, 404, 409, 413, 415, 422, 503)},
        headers={**_KEYED, **_HOLD}, body=ref("Content"),
    ),
    verbs.recall_send: Operation(
        "recallSend", "Delete what was delivered",
        {**_ACCEPTED, "200": _HELD_OUTCOME, **_refusals(400, 401, 404, 409, 413, 415, 422, 503)},
        headers=_HOLD,
    ),
    verbs.pause_bot: Operation(
        "pauseBot", "Hold a bot's sends, on all instances",
        {"200": _answer("It is held", "Held"), **_refusals(400, 401, 409, 413, 415, 503)}, body=_WHOM,
    ),
    verbs.resume_bot: Operation(
        "resumeBot", "Let a bot's sends go on",
        {"200": _answer("It goes on", "Held"), **_refusals(400, 401, 409, 413, 415, 503)}, body=_WHOM,
    ),
    outcomes.door: Operation(
        "getOutcome",
        "How a send ended",
        {
            "202": _answer("Not over", "Progress", headers=_POLLED),
            "200": _answer("Over", "Outcome"),
            "424": _answer("Over, and the flow's run is to be marked as failed", "Outcome"),
            **_refusals(404, 503),
        },
    ),
    messages.door: Operation(
        "takeActivity", "What Teams tells the bot",
        {"200": _answer("Taken"), **_refusals(400, 403, 413, 415, 502, 503, 504),
         "401": {**_refusal(403), "description": "No Bot Framework token, or a wrong one"}},
        body=ACTIVITY,
    ),
    health.door: Operation(
        "getHealth", "Whether the service can work",
        {"200": _answer("It can", "Health"), "503": _answer("Storage does not answer", "Health")},
    ),
    ui.door: Operation(
        "getPage", "The operators' page",
        {"200": {"description": "The page", "content": {"text/html": {"schema": TEXT}}}},
    ),
}  # fmt: skip

_ALONE: tuple[tuple[str, str, Callable[..., Any], list[Json]], ...] = (  # doors that are one address each
    ("get", "/api/outcomes/{id}/{secret}", outcomes.door, []),
    ("post", "/api/messages", messages.door, [{"botFramework": []}]),
    ("get", "/api/health", health.door, []),
    ("get", "/api/ui", ui.door, []),
)
_NAMES = re.compile(r'("operationId": ")(\w+)')
_KEY: list[Json] = [{"functionKey": []}, {"functionKeyInQuery": []}]


def document() -> Json:
    """Return the document. Raises `KeyError` for a route whose handler is not among `OPERATIONS`."""
    paths: dict[str, Json] = {}
    for door, routes in DOORS.items():
        for rule in routes.iter_rules():
            if rule.rule.startswith(CONNECTOR):
                continue
            path = f"/api/{door}" + re.sub(r"<(\w+)>", r"{\1}", rule.rule)
            (method,) = {method.lower() for method in rule.methods or ()} - {"head"}
            operation = _operation(OPERATIONS[rule.endpoint], path, _KEY)
            if door != "v1":  # each name stands once in the document, links to it included
                operation = json.loads(_NAMES.sub(rf"\1{door}_\2", json.dumps(operation)))
            paths.setdefault(path, {})[method] = operation | {"tags": [door]}
    for method, path, handler, security in _ALONE:
        paths.setdefault(path, {})[method] = _operation(OPERATIONS[handler], path, security)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Proactive messages in Teams", "version": project["version"],
                 "description": project["description"]},
        "servers": [{"url": "http://localhost:7071", "description": "make run; no key is asked for"},
                    {"url": "https://{app}.azurewebsites.net", "variables": {"app": {"default": "my-function-app"}}}],
        "tags": [{"name": "v1", "description": "For flows and other senders"},
                 {"name": "ops", "description": "For operators: all of v1, and what can harm"}],
        "paths": paths,
        "components": {
            "schemas": requests() | ANSWERS,
            "headers": _HEADERS,
            "responses": {
                _refusals(status)[str(status)]["$ref"].rpartition("/")[2]: _refusal(status) for status in _WHY
            },
            "securitySchemes": {
                "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
                "functionKeyInQuery": {"type": "apiKey", "in": "query", "name": "code"},
                "botFramework": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
    }  # fmt: skip


def _operation(operation: Operation, path: str, security: list[Json]) -> Json:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _PATH[name]} for name in re.findall(r"{(\w+)}", path)
    ]
    for place, given in (("query", operation.query), ("header", operation.headers)):
        parameters += [{"name": name, "in": place, "schema": schema} for name, schema in given.items()]
    body: Json = {}
    if operation.body:
        body = {"requestBody": {"required": True, "content": {"application/json": {"schema": operation.body}}}}
    return {
        "operationId": operation.name, "summary": operation.summary, "parameters": parameters, **body,
        "responses": operation.answers, "security": security,
    }  # fmt: skip


def text() -> str:
    """Return the document as it is kept."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the document, or compare it with what is there."""
    parser = argparse.ArgumentParser(prog="python -m local.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the file is out of date")
    if not parser.parse_args().check:
        FILE.write_text(text(), encoding="utf-8")
    elif not FILE.is_file() or FILE.read_text(encoding="utf-8") != text():
        print(f"{FILE.relative_to(ROOT)} is out of date: run python -m local.openapi", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
