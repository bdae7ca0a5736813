"""What a bot sends: is it a well-formed activity, whom does it want to talk to, and how large is it."""

import json
from typing import Any, NamedTuple

ADAPTIVE_CARD = "application/vnd.microsoft.card.adaptive"
MAX_MESSAGE_BYTES = 100 * 1024


def check_activity(body: bytes, app_id: str) -> str | None:
    """Return what is wrong with an activity that the bot with this app id sends, as a sentence, or None.

    Text and an attachment in one activity are refused, where Teams would split it into two messages, count both
    against the limits and return the id of only one.
    """
    activity = _parse(body)
    if activity is None:
        return "The body is not a JSON object."
    sender = activity.get("from")
    if isinstance(sender, dict):
        sender_app = str(sender.get("id", "")).removeprefix("28:").lower()
        if sender_app not in ("", app_id.lower()):
            return "Failed to decrypt conversation id"
    kind = activity.get("type")
    if not isinstance(kind, str):
        return "Activity must have a type."
    text, attachments = activity.get("text"), activity.get("attachments")
    if text is not None and not isinstance(text, str):
        return "Property text must be a string."
    if attachments is not None and not isinstance(attachments, list):
        return "Property attachments must be an array."
    if activity.get("textFormat") not in (None, "markdown", "plain", "xml"):
        return "Property textFormat must be markdown, plain or xml."
    if not isinstance(activity.get("channelData", {}), dict | None):
        return "Property channelData must be an object."
    if text and attachments:
        return "An activity with text and attachments would be split into two messages."
    if kind == "message" and not text and not attachments:
        return "A message needs text or an attachment."
    return next((wrong for attachment in attachments or () if (wrong := _check_attachment(attachment))), None)


class Create(NamedTuple):
    """With whom a conversation is wanted: `member_id` is the Entra object id or the `29:` id."""

    app_id: str
    tenant_id: str
    member_id: str


def read_create(body: bytes) -> Create | str:
    """Return whom a conversation is wanted with, or what is wrong, as a sentence."""
    wanted = _parse(body)
    if wanted is None:
        return "The body is not a JSON object."
    bot, members = wanted.get("bot"), wanted.get("members")
    channel_data = wanted.get("channelData")
    tenant = channel_data.get("tenant") if isinstance(channel_data, dict) else None
    tenant_id = (tenant.get("id") if isinstance(tenant, dict) else None) or wanted.get("tenantId")
    if wanted.get("isGroup"):
        return "Only personal conversations can be created."
    if not isinstance(bot, dict) or not isinstance(bot.get("id"), str):
        return "Property bot.id is missing."
    if not isinstance(members, list) or len(members) != 1 or not isinstance(members[0], dict):
        return "A personal conversation has exactly one member."
    member_id = members[0].get("id")
    if not isinstance(member_id, str) or not member_id or "@" in member_id:
        return "Failed to decrypt pairwise id"
    if not isinstance(tenant_id, str) or not tenant_id:
        return "Property channelData.tenant.id is missing."
    if "activity" in wanted:
        return "The stand-in takes no initial activity: send it to the new conversation."
    return Create(bot["id"].removeprefix("28:"), tenant_id, member_id)


def utf16_bytes(body: bytes) -> int:
    """Return the size of a payload as Teams counts it. No limit is exceeded while twice the UTF-8 size is below it."""
    return len(body.decode("utf-8", "replace").encode("utf-16-le"))


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _check_attachment(attachment: object) -> str | None:
    if not isinstance(attachment, dict) or not isinstance(attachment.get("contentType"), str):
        return "An attachment must have a contentType."
    content = attachment.get("content")
    if attachment["contentType"] != ADAPTIVE_CARD:
        return None if content or attachment.get("contentUrl") else "An attachment must have content or a contentUrl."
    if not isinstance(content, dict) or content.get("type") != "AdaptiveCard":
        return "The content of the attachment must be an object of type AdaptiveCard."
    if not isinstance(content.get("version"), str):
        return "The Adaptive Card must have a version."
    return None
