"""What the actions give, as Swagger 2.0: made of the OpenAPI document's schemas, with the labels that makers see."""

import re
from collections.abc import Mapping
from typing import Any

from local import openapi
from local.openapi_schemas import ANSWERS, RESPONSE

type Json = dict[str, Any]

# What stands behind each name. A member that is new has to be told here.
_DESCRIPTIONS: Mapping[str, str] = {
    "actionId": "The id of the chosen action.",
    "at": "When it was tried.",
    "attempts": "How often it was tried.",
    "bot": "The bot that speaks.",
    "callback": "How far the flow has been told.",
    "callbacks": "How far the flow has been told of each answer.",
    "cancelled": "How many were cancelled.",
    "cancelledAt": "When it was cancelled.",
    "chatActive": "How many were in an active chat with the bot.",
    "completedAt": "When it was over.",
    "continuation": "Where the next page begins. It is empty at the end.",
    "conversationId": "The chat with the person.",
    "counts": "How many stand where.",
    "createdAt": "When it was accepted.",
    "data": "The inputs of the card and the data of the chosen action.",
    "delivered": "How many have got it.",
    "deliveredAt": "When the person got it.",
    "deliverUntil": "When trying to deliver ends.",
    "deliverWithin": "How long to go on trying.",
    "displayName": "The display name of the person.",
    "email": "The mail address of the person.",
    "error": "What went wrong.",
    "event": "What the call tells of.",
    "failed": "For how many it failed.",
    "id": "The id of the send.",
    "ifBotNotInstalled": "What was to be done without the bot.",
    "ifChatIsActive": "What was to be done in an active chat.",
    "ifOutcomeUnknown": "What was to be done where nobody can tell.",
    "labelAsNotification": "Whether it is shown as a notification.",
    "messageId": "The id of the message in Teams.",
    "messageLink": "The address of the message in Teams.",
    "notInstalled": "How many do not have the bot.",
    "objectId": "The Entra object id of the person.",
    "of": "The send that this one repeats, updates or recalls.",
    "options": "How it is delivered.",
    "outcome": "How it ended.",
    "outcomeUrl": "The address of the outcome.",
    "parallelism": "How many messages are under way at a time.",
    "pending": "How many are still to get it.",
    "reason": "Why it did not arrive.",
    "recipient": "The recipient as the flow named it.",
    "responded": "How many have answered.",
    "responder": "Who answered.",
    "response": "The answer of the person.",
    "responses": "The answers, the first hundred.",
    "responseTime": "When the answer came.",
    "results": "What became of each recipient.",
    "resultsUrl": "The address of all results.",
    "sendAt": "Before when it is not sent.",
    "state": "Where it stands.",
    "status": "Where the send stands.",
    "statusCode": "200 is delivered, 100 is no bot, 300 is an active chat, 207 is not everybody.",
    "statusUrl": "The address of the send.",
    "submitActionId": "The title of the chosen action.",
    "succeeded": "Whether everybody meant has got it.",
    "tenant": "The Entra tenant.",
    "tenantId": "The Entra tenant of the person.",
    "total": "How many were meant.",
    "unknown": "Of how many nobody can tell.",
    "userId": "The Entra object id of the recipient.",
    "userPrincipalName": "The user principal name of the person.",
    "verb": "What the send does to another one.",
    "waitUntil": "When the wait is over at the latest.",
}
_SHARED = ("Counts", "Result", "Results", "Send", "Response")
_ANSWERED = {"responses", *RESPONSE} - {"messageId"}


def definitions(dynamic: Json) -> Json:
    """Return the schemas of what the actions give; `dynamic` tells how the designer asks for the data of an answer."""
    outcome = ANSWERS["Outcome"]
    plain = {name: schema for name, schema in outcome["properties"].items() if name not in _ANSWERED}
    found = {name: swagger(ANSWERS[name]) for name in _SHARED}
    found["Subscription"] = swagger(ANSWERS["Accepted"])
    found["Outcome"] = swagger({**outcome, "properties": plain})
    found["AnsweredOutcome"] = swagger(outcome)
    found["AnsweredOutcome"]["properties"]["data"].update({"type": "object", **dynamic})
    found["Bots"] = _list_of_bots()
    found["ResponseSchema"] = {
        "type": "object",
        "properties": {
            "schema": {"type": "object", "x-ms-summary": "Schema", "description": "The schema of the data."}
        },
        "required": ["schema"],
    }
    return found


def swagger(schema: Json) -> Json:
    """Return an OpenAPI 3.1 schema as Swagger 2.0 has it: no unions, and null by `x-nullable`."""
    shown = {key: value for key, value in schema.items() if key not in ("anyOf", "const", "examples")}
    if "description" in shown:
        shown["description"] = shown["description"].replace("`", "").removesuffix(".") + "."
    if "anyOf" in schema:
        (kind,) = [kind for kind in schema["anyOf"] if kind != {"type": "null"}]
        shown |= swagger(ANSWERS[_target(kind)] if "$ref" in kind else kind)
        shown["x-nullable"] = True
    if "$ref" in schema:
        return _reference(_target(schema))
    if isinstance(shown.get("type"), list):
        shown["type"] = shown["type"][0]
        shown["x-nullable"] = True
    if "const" in schema:
        shown["enum"] = [schema["const"]]
    if "enum" in shown:
        if None in shown["enum"]:
            shown["x-nullable"] = True
        shown["enum"] = [value for value in shown["enum"] if value is not None]
        shown.setdefault("type", "integer" if isinstance(shown["enum"][0], int) else "string")
    if "items" in shown:
        shown["items"] = swagger(shown["items"])
    if "properties" in shown:
        shown["properties"] = {name: _labelled(name, swagger(inner)) for name, inner in shown["properties"].items()}
        shown["required"] = [name for name in shown.get("required", ()) if name in shown["properties"]]
        if not shown["required"]:
            del shown["required"]
    return shown


def title(name: str) -> str:
    """Return the label of a member: `submitActionId` is shown as Submit Action ID."""
    words = re.findall(r"[A-Z]?[a-z]+", name)
    return " ".join({"id": "ID", "url": "URL"}.get(word.lower(), word.title()) for word in words)


def _labelled(name: str, schema: Json) -> Json:
    if "$ref" in schema:
        return schema
    return {**schema, "x-ms-summary": title(name), "description": _DESCRIPTIONS[name]}


def _target(reference: Json) -> str:
    return str(reference["$ref"].rpartition("/")[2])


def _reference(name: str) -> Json:
    if name in _SHARED:
        return {"$ref": f"#/definitions/{name}"}
    return swagger(openapi.requests()["Options"] if name == "Options" else ANSWERS[name])


def _list_of_bots() -> Json:
    name = {"type": "string", "x-ms-summary": "Name", "description": "The name of the bot."}
    bot = {"type": "object", "properties": {"name": name}, "required": ["name"]}
    bots = {"type": "array", "items": bot, "x-ms-summary": "Bots", "description": "The bots that can speak."}
    return {"type": "object", "properties": {"value": bots}, "required": ["value"]}
