"""What goes out to Teams: the activity that a request becomes, and how large Teams finds it."""

import json
from typing import Any

from proactive.cards import utf16_size
from proactive.marks import mark
from proactive.model import Request
from proactive.problems import FieldError

CARD_TYPE = "application/vnd.microsoft.card.adaptive"
MESSAGE_TYPE = "application/vnd.microsoft.activity.message"


def activity(request: Request, bot_id: str) -> dict[str, Any]:
    """Return the activity that delivers `request`: text or a card, never both, since Teams splits such a message."""
    result = activity_of(request.message or "" if request.card is None else request.card, request.text_format)
    if request.summary:
        result["summary"] = request.summary
    if request.options.label_as_notification:
        # No documented field of an ordinary bot yields exactly "Notification via <bot>": `alert` raises it in the
        # activity feed, `onBehalfOf` renders "<displayName> via <bot>". docs/decisions/0006 says what is known.
        result["channelData"] = {
            "notification": {"alert": True},
            "onBehalfOf": [{"itemid": 0, "mentionType": "person", "mri": bot_id, "displayName": "Notification"}],
        }
    return result


def activity_of(shown: str | dict[str, Any], text_format: str = "markdown") -> dict[str, Any]:
    """Return the activity that shows a text or a card."""
    if isinstance(shown, str):
        return {"type": "message", "text": shown, "textFormat": text_format}
    return {"type": "message", "attachments": [{"contentType": CARD_TYPE, "content": shown}]}


def card_of(content: dict[str, Any]) -> dict[str, Any]:
    """Return the card that an activity shows."""
    card: dict[str, Any] = content["attachments"][0]["content"]
    return card


def card_showing(text: str) -> dict[str, Any]:
    """Return a card that shows a text."""
    body = [{"type": "TextBlock", "text": text, "wrap": True}]
    return {"type": "AdaptiveCard", "version": "1.5", "body": body}


def with_marks(content: dict[str, Any], ticket: str) -> dict[str, Any]:
    """Return an activity whose card has its submitting actions marked with `ticket`."""
    attachment = {**content["attachments"][0], "content": mark(card_of(content), ticket)}
    return {**content, "attachments": [attachment]}


def encode(content: dict[str, Any]) -> bytes:
    """Return an activity as the JSON that is posted."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def size_error(where: str, content: dict[str, Any], most: int) -> FieldError | None:
    """Return what is wrong when `content` is more than `most` bytes, counted as Teams does: UTF-16, all of it."""
    size = utf16_size(encode(content).decode())
    if size <= most:
        return None
    return FieldError(
        where, f"It is too large: {size} bytes as Teams counts them (UTF-16), of {most} that are allowed."
    )
