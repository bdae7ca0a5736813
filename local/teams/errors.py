"""What Teams says when it refuses: status, code and sentence, in each of the shapes that its bodies come in.

Codes and sentences follow Microsoft Learn, "Send and receive messages with a bot", table "Status codes from bot
conversational APIs"; the shape `legacy` is what older regions still send for a bot that was blocked or uninstalled.
"""

import json
from typing import Literal, NamedTuple

Shape = Literal["error", "legacy", "text", "empty"]

JSON_TYPE = "application/json; charset=utf-8"


class Answer(NamedTuple):
    """What goes back to the bot. `retry_after` is in seconds."""

    status: int
    body: bytes = b""
    content_type: str = JSON_TYPE
    retry_after: int | None = None


ERRORS: dict[str, tuple[int, str]] = {
    "BadArgument": (400, "The request payload is invalid."),
    "BotNotRegistered": (401, "No registration found for this bot."),
    "BotDisabledByAdmin": (403, "The tenant admin disabled this bot"),
    "BotNotInConversationRoster": (403, "The bot is not part of the conversation roster."),
    "ConversationBlockedByUser": (403, "User blocked the conversation with the bot."),
    "ForbiddenOperationException": (403, "Bot is not installed in user's personal scope"),
    "InvalidBotApiHost": (403, "Invalid bot api host. Use the service URL of the cloud that the tenant is in."),
    "MessageWritesBlocked": (403, "Message writes are blocked: the user blocked or uninstalled the bot."),
    "NotEnoughPermissions": (403, "The bot does not have the permissions that this operation needs."),
    "ActivityNotFoundInConversation": (404, "The activity was not found in the conversation."),
    "ConversationNotFound": (404, "Conversation not found."),
    "MemberNotFoundInConversation": (404, "The member was not found in the conversation."),
    "PreconditionFailed": (412, "Precondition failed, please try again."),
    "MessageSizeTooBig": (413, "Message size too large."),
    "RequestEntityTooLarge": (413, "Request entity too large."),
    "Throttled": (429, "Too many requests."),
    "ServiceError": (500, "An error occurred in the service."),
    "BadGateway": (502, "Service dependency issue."),
    "ServiceUnavailable": (503, "The service is unavailable."),
    "GatewayTimeout": (504, "Gateway timeout."),
}

# Where a status has several codes, the one that says least.
_USUAL = {403: "BotNotInConversationRoster", 404: "ConversationNotFound", 413: "MessageSizeTooBig"}
_BY_STATUS = {status: code for code, (status, _) in reversed(ERRORS.items())} | _USUAL

_MESSAGE_WRITES_BLOCKED = 209


def usual_code(status: int) -> str:
    """Return the code that commonly comes with an HTTP status; one we have no record of is a ServiceError."""
    return _BY_STATUS.get(status, "ServiceError")


def refuse(
    code: str,
    message: str | None = None,
    *,
    shape: Shape = "error",
    status: int | None = None,
    retry_after: int | None = None,
) -> Answer:
    """Return the refusal with this code. `status` and `message` default to what is documented for the code."""
    documented_status, documented_message = ERRORS.get(code, ERRORS["ServiceError"])
    status = status or documented_status
    message = message or documented_message
    match shape:
        case "error":
            inner = {"statusCode": status, "body": {}}
            body: object = {"error": {"code": code, "message": message, "innerHttpError": inner}}
        case "legacy":
            text = json.dumps({"subCode": code, "details": None, "errorCode": None, "errorSubCode": None}, indent=2)
            body = {"errorCode": _MESSAGE_WRITES_BLOCKED if status == 403 else status, "message": text}
        case "text":
            return Answer(status, f"{code}: {message}".encode(), "text/plain; charset=utf-8", retry_after)
        case "empty":
            return Answer(status, b"", "text/plain; charset=utf-8", retry_after)
    return Answer(status, json.dumps(body).encode(), JSON_TYPE, retry_after)
