"""The bots that this deployment speaks for."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from proactive.settings.reading import ID, Reader, SettingsError

_BOT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")

type AppType = Literal["UserAssignedMSI", "SingleTenant", "MultiTenant"]


@dataclass(frozen=True)
class Bot:
    """A bot that this deployment speaks for, under Bot Framework's own names."""

    name: str
    app_id: str = ""
    app_type: AppType = "UserAssignedMSI"
    tenant_id: str = ""
    password: str = field(default="", repr=False)
    teams_app_id: str = ""


def read_bots(read: Reader, *, local: bool) -> tuple[Bot, ...]:
    """Return the bot of Bot Framework's own settings, then those of `PROACTIVE_BOTS`.

    Raises `SettingsError` where one is incomplete or malformed, or two have the same name or app.
    """
    app_id = read.text("MicrosoftAppId")
    if not app_id and not local:
        raise SettingsError("MicrosoftAppId is missing: without it nobody could be told from Teams.")
    first = _bot(
        {
            "name": read.text("PROACTIVE_BOT_NAME") or "default",
            "appId": app_id,
            "appType": read.text("MicrosoftAppType"),
            "tenantId": read.text("MicrosoftAppTenantId"),
            "password": read.text("MicrosoftAppPassword"),
            "teamsAppId": read.text("PROACTIVE_TEAMS_APP_ID"),
        },
        {"name": "PROACTIVE_BOT_NAME", "appType": "MicrosoftAppType", "tenantId": "MicrosoftAppTenantId",
         "password": "MicrosoftAppPassword", "teamsAppId": "PROACTIVE_TEAMS_APP_ID"},
    )  # fmt: skip
    try:
        more = json.loads(read.text("PROACTIVE_BOTS") or "[]")
    except (ValueError, RecursionError):
        raise SettingsError("PROACTIVE_BOTS must be a JSON array.") from None
    if not isinstance(more, list) or not all(isinstance(item, dict) for item in more):
        raise SettingsError("PROACTIVE_BOTS must be a JSON array of objects.")
    bots = [first]
    for number, item in enumerate(more):
        where = f"PROACTIVE_BOTS[{number}]"
        known = {"name", "appId", "appType", "tenantId", "password", "teamsAppId"}
        if set(item) - known or not all(isinstance(value, str) for value in item.values()):
            raise SettingsError(f"{where} may hold only the texts {', '.join(sorted(known))}.")
        if not item.get("name") or not item.get("appId"):
            raise SettingsError(f"{where} needs a name and an appId.")
        bots.append(_bot(item, {key: f"{where}.{key}" for key in known}))
    for kind, values in (
        ("name", [bot.name for bot in bots]),
        ("appId", [bot.app_id.lower() for bot in bots if bot.app_id]),
    ):
        if len(set(values)) < len(values):
            raise SettingsError(f"PROACTIVE_BOTS names the same {kind} twice.")
    return tuple(bots)


def _bot(item: Mapping[str, Any], names: Mapping[str, str]) -> Bot:
    name = item["name"]
    if not _BOT_NAME.fullmatch(name):
        raise SettingsError(f"{names['name']} may hold letters, digits, spaces, dots, hyphens and underscores only.")
    app_type = item.get("appType") or "UserAssignedMSI"
    if app_type not in get_args(AppType.__value__):
        raise SettingsError(f"{names['appType']} must be UserAssignedMSI, SingleTenant or MultiTenant.")
    if item.get("appId") and app_type != "UserAssignedMSI" and not item.get("password"):
        raise SettingsError(f"{names['password']} is missing: an app of type {app_type} signs in with it.")
    if item.get("appId") and app_type == "SingleTenant" and not item.get("tenantId"):
        raise SettingsError(f"{names['tenantId']} is missing: an app of type SingleTenant signs in there.")
    if item.get("teamsAppId") and not ID.fullmatch(item["teamsAppId"]):
        raise SettingsError(f"{names['teamsAppId']} must be the id that Teams' app catalogue has given the app.")
    return Bot(
        name=name,
        app_id=item.get("appId", ""),
        app_type=cast("AppType", app_type),
        tenant_id=item.get("tenantId", ""),
        password=item.get("password", ""),
        teams_app_id=item.get("teamsAppId", ""),
    )
