"""What makers fill in, as Swagger 2.0: kinds, defaults and choices are the model's, the words are these."""

from collections.abc import Mapping
from typing import Any

from local import openapi
from proactive.doors.connector_fields import CARD, CONTENT, LABELS, MESSAGE, QUESTION, Form

type Json = dict[str, Any]

# The field's label, what it is for, and where the designer shows it. The options have the Teams connector's labels.
_WORDS: Mapping[str, tuple[str, str, str]] = {
    "bot": ("Bot", "The bot that speaks. It may be left empty where there is only one.", "important"),
    "recipient": (
        "Recipient",
        "Mail addresses, user principal names, object ids or display names, with ; between them.",
        "important",
    ),
    "sendTo": ("Send to", "What the recipient is: people, or the members of a group or team, by its id.", "advanced"),
    "tenant": ("Tenant ID", "The Entra tenant. It is needed where the bot is used in several.", "advanced"),
    "messageBody": ("Message", "The text of the message, in Markdown unless another format is chosen.", "important"),
    "messageFormat": ("Message Format", "How the text is written.", "advanced"),
    "summary": ("Summary", "What the notification and the activity feed show for the card.", "advanced"),
    "templateData": ("Template Data", "What fills the card where it is a template, as JSON.", "advanced"),
    "updateMessage": (
        "Update Message",
        "The text, or the JSON of an adaptive card, that stands in the card's place after the response.",
        "important",
    ),
    "timeout": (
        "Wait At Most",
        "How long to wait for a response, as ISO 8601 duration from PT1M to P30D. Then the outcome is timedOut.",
        "advanced",
    ),
    "completeWhen": ("Complete When", "Which responses the flow waits for where there are several people.", "advanced"),
    "labelAsNotification": ("Label as notification", "Show the message as a notification of the bot.", "advanced"),
    "ifChatIsActive": (
        "If chat is active",
        "What to do when the person is talking to the bot. What is not sent has status code 300.",
        "advanced",
    ),
    "ifBotNotInstalled": (
        "If bot is not installed",
        "What to do when the person does not have the bot. The status code is 100.",
        "advanced",
    ),
    "ifOutcomeUnknown": (
        "If outcome is unknown",
        "What to do when nobody can tell whether Teams took the message. What is left has status code 504.",
        "advanced",
    ),
    "parallelism": ("Degree of Parallelism", "How many messages of this action are under way at a time.", "advanced"),
    "deliverWithin": (
        "Deliver Within",
        "How long to go on trying, as ISO 8601 duration from PT1M to P7D.",
        "advanced",
    ),
    "sendAt": (
        "Send At",
        "The moment, with its zone, before which nothing is sent. At most 30 days ahead.",
        "advanced",
    ),
}
_CARD_WORDS = ("Adaptive Card", "The JSON of the adaptive card.", "important")
_CONTENT_WORDS = ("Message", "The new text in Markdown, or the JSON of the new adaptive card.", "important")

_PICK_A_BOT: Json = {
    "x-ms-dynamic-values": {
        "operationId": "ListBots", "parameters": {}, "value-collection": "value", "value-path": "name",
        "value-title": "name",
    },
    "x-ms-dynamic-list": {
        "operationId": "ListBots", "parameters": {}, "itemsPath": "value", "itemValuePath": "name",
        "itemTitlePath": "name",
    },
}  # fmt: skip

CARD_EXAMPLE = (
    '{"type": "AdaptiveCard", "version": "1.5", '
    '"body": [{"type": "TextBlock", "text": "Is the order right?"}, '
    '{"type": "Input.Text", "id": "note", "label": "Anything else"}], '
    '"actions": [{"type": "Action.Submit", "title": "Submit Order"}, {"type": "Action.Submit", "title": "Edit Order"}]}'
)
NOTIFICATION_URL = "https://prod-01.westeurope.logic.azure.com/workflows/1/runs/2/actions/3/run?sig=x"
_PERSON = {"recipient": "ada@contoso.com; alan@contoso.com"}


def definitions() -> Json:
    """Return the schemas of what the actions take."""
    question = _form(QUESTION, _CARD_WORDS, {**_PERSON, "messageBody": CARD_EXAMPLE, "timeout": "P7D"})
    return {
        "PostMessageRequest": _form(MESSAGE, None, {**_PERSON, "messageBody": "Your order *4711* is ready"}),
        "PostCardRequest": _form(CARD, _CARD_WORDS, {**_PERSON, "messageBody": CARD_EXAMPLE}),
        "PostCardAndWaitRequest": {
            "type": "object",
            "properties": {
                "notificationUrl": {
                    "type": "string", "format": "uri", "description": "The address of the flow that waits.",
                    "x-ms-summary": "Notification URL", "x-ms-visibility": "internal", "x-ms-notification-url": True,
                },
                "body": {**question, "x-ms-summary": "Body", "description": "The card and who is to answer it."},
            },
            "required": ["notificationUrl", "body"],
            "additionalProperties": False,
            "example": {"notificationUrl": NOTIFICATION_URL, "body": question.pop("example")},
        },
        "UpdateRequest": _form(CONTENT, _CONTENT_WORDS, {"messageBody": "The canteen opens at *eleven*"}),
        "CardRequest": {
            "type": "object",
            "properties": {"messageBody": _described(_CARD_WORDS, {"type": "string"})},
            "example": {"messageBody": CARD_EXAMPLE},
        },
    }  # fmt: skip


def _form(form: Form, body_words: tuple[str, str, str] | None, example: Json) -> Json:
    words = {**_WORDS, "messageBody": body_words or _WORDS["messageBody"]}
    kinds = {name: _kind(name, place) for name, place in form.items()}
    required = [name for name in ("recipient", "messageBody") if name in form]
    return {
        "type": "object",
        "properties": {name: _described(words[name], kind) for name, kind in kinds.items() if kind},
        "required": required,
        "additionalProperties": False,
        "example": example,
    }


def _described(words: tuple[str, str, str], kind: Json) -> Json:
    title, description, visibility = words
    return {**kind, "x-ms-summary": title, "description": description, "x-ms-visibility": visibility}


def _kind(name: str, place: str) -> Json:
    """Return what a field may hold, as the model has it; nothing where there is only one choice."""
    if name in ("recipient", "messageBody"):
        return {"type": "string", "minLength": 1}
    if name == "sendTo":
        kinds = ["People", *(label for label, kind in LABELS[name].items() if kind in _entry_kinds())]
        return {"type": "string", "enum": kinds, "default": "People"} if len(kinds) > 1 else {}
    if name == "templateData":
        return {"type": "string"} if "data" in openapi.requests()["SendBody"]["properties"] else {}
    schema = _model(place)
    kind = {"type": "string", **{key: schema[key] for key in _KEPT if key in schema}}
    if name in LABELS:
        labels = {word: label for label, word in LABELS[name].items()}
        kind["enum"] = [labels[word] for word in schema["enum"] if word in labels]
        kind["default"] = labels[schema["default"]]
    return kind | (_PICK_A_BOT if name == "bot" else {})


_KEPT = ("type", "default", "minimum", "maximum", "minLength", "maxLength")


def _model(place: str) -> Json:
    """Return the schema of the place in the body of a send."""
    first, _, second = place.removeprefix("/").partition("/")
    parts = openapi.requests()
    schema = parts[first.title()]["properties"][second] if second else parts["SendBody"]["properties"][first]
    *others, last = [kind for kind in schema.get("anyOf", [{}]) if kind.get("type") != "null"]
    return {**(others[0] if others else last), **schema}


def _entry_kinds() -> set[str]:
    """Return the kinds of recipients that are available."""
    entries = openapi.requests()["SendBody"]["properties"]["recipients"]["anyOf"][1]["items"]["anyOf"]
    return {name for entry in entries for name in entry.get("required", ())}
