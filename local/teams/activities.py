"""Activities as Teams sends them to a bot.

The forms follow Microsoft Learn, "Conversation events in your Teams bot" and "Send and receive messages with a bot".
"""

import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from local.teams.people import Group, Person

Activity = dict[str, Any]

_BERLIN_IN_WINTER = timezone(timedelta(hours=1))


def envelope(
    person: Person,
    kind: str,
    at: datetime,
    *,
    service_url: str,
    conversation_id: str,
    bot_name: str,
    group: Group | None = None,
) -> Activity:
    """Return what all activities from a person to their bot have in common. `at` must know its time zone.

    Only messages and invokes carry the person's name; an install says no more than the ids.
    """
    sender = {"id": person.teams_id, "aadObjectId": person.object_id}
    if kind in ("message", "invoke"):
        sender["name"] = person.name
    conversation: Activity = {
        "conversationType": group.kind if group else "personal",
        "tenantId": person.tenant_id,
        "id": conversation_id,
    }
    channel_data: Activity = {"tenant": {"id": person.tenant_id}, "source": {"name": "message"}}
    if group:
        conversation["isGroup"] = True
        conversation["name"] = group.name
    if group and group.kind == "channel":
        team = {"id": group.id, "name": group.name}
        channel_data |= {"teamsChannelId": group.id, "teamsTeamId": group.id, "channel": {"id": group.id}, "team": team}
        channel_data["settings"] = {"selectedChannel": {"id": group.id}}
    elif kind == "installationUpdate":
        channel_data["settings"] = {"selectedChannel": {"id": conversation_id}}
    return {
        "type": kind,
        "id": f"f:{uuid.uuid4()}",
        "timestamp": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "localTimestamp": at.astimezone(_BERLIN_IN_WINTER).isoformat(timespec="milliseconds"),
        "localTimezone": "Europe/Berlin",
        "channelId": "msteams",
        "serviceUrl": service_url,
        "from": sender,
        "conversation": conversation,
        "recipient": {"id": f"28:{person.app_id}", "name": bot_name},
        "entities": [{"locale": "en-US", "country": "US", "platform": "Web", "type": "clientInfo"}],
        "channelData": channel_data,
        "locale": "en-US",
    }


def members_added(person: Person) -> list[Activity]:
    """Return whom a conversationUpdate names when the bot is installed for a person."""
    return [{"id": person.teams_id, "aadObjectId": person.object_id}, {"id": f"28:{person.app_id}"}]


def text_fields(text: str, *, bot: Activity, group: Group | None) -> Activity:
    """Return what makes an activity a written message. In a group the bot only hears what mentions it."""
    html = {"contentType": "text/html", "content": f"<p>{text}</p>"}
    if group is None:
        return {"text": text, "textFormat": "plain", "attachments": [html]}
    mention = f"<at>{bot['name']}</at>"
    return {
        "text": f"{mention} {text}",
        "textFormat": "plain",
        "attachments": [html],
        "entities": [{"type": "mention", "mentioned": bot, "text": mention}],
    }


def execution(action: Activity, filled: dict[str, str]) -> Activity:
    """Return the value of the invoke that pressing an Action.Execute becomes."""
    data = action.get("data")
    pressed = {"type": "Action.Execute", "data": {**data, **filled} if isinstance(data, dict) else filled}
    pressed |= {name: action[name] for name in ("id", "verb", "title") if name in action}
    return {"action": pressed, "trigger": "manual"}
