"""What a request demands of this deployment: a bot, a tenant where it is used, and for some things Microsoft Graph."""

from collections.abc import Mapping
from typing import Any

from proactive.problems import FieldError, pointer
from proactive.service import Service
from proactive.settings import Bot

_MOST_NAMED = 20  # tenants that an error lists
_MOST_ERRORS = 100
_GROUPS = frozenset({"group", "team"})
_OTHER_TENANT = "Microsoft Graph is used for another tenant only: change PROACTIVE_GRAPH_TENANT_ID, or leave it out."


async def sender(service: Service, bot_name: str, tenant: str) -> tuple[Bot, str]:
    """Return the bot that speaks and the tenant it speaks in, once `sender_errors` has found nothing wrong."""
    bot = service.settings.bot(bot_name) or service.settings.bots[0]
    return bot, tenant.lower() or next(iter(await service.tenants(bot)), "")


async def sender_errors(service: Service, bot_name: Any, tenant: Any, *, all_tenants: bool = False) -> list[FieldError]:
    """Return what is wrong with the bot and the tenant; either may be left out when there is only one.

    With `all_tenants` no tenant means all of them.
    """
    bots = service.settings.bots
    bot = service.settings.bot(bot_name) if bot_name else bots[0] if len(bots) == 1 else None
    if bot is None:
        names = ", ".join(bot.name for bot in bots)
        detail = f"There is no such bot; there are: {names}." if bot_name else f"Name one of the bots: {names}."
        return [FieldError("/bot", detail)]
    named = tenant.lower() if isinstance(tenant, str) else ""
    tenants = await service.tenants(bot, named)
    known = ", ".join(sorted(tenants)[:_MOST_NAMED]) or "none yet"
    if tenant and named not in tenants:
        return [FieldError("/tenant", f"The bot {bot.name} is not used in this tenant; it is used in: {known}.")]
    if not tenant and len(tenants) > 1 and not all_tenants:
        return [FieldError("/tenant", f"The bot {bot.name} is used in several tenants: name one of them: {known}.")]
    return []


async def demand_errors(service: Service, body: Mapping[str, Any]) -> list[FieldError]:
    """Return what a request, valid or not, demands in vain: its sender, its groups, and installing the bot."""
    bot_name, tenant = body.get("bot") or "", body.get("tenant") or ""
    errors = await sender_errors(service, bot_name, tenant)
    if errors:
        return [*errors, *_group_errors(service, "", body.get("recipients"))]
    bot, tenant = await sender(service, bot_name, tenant)
    errors = _group_errors(service, tenant, body.get("recipients"))
    options = body.get("options")
    if isinstance(options, Mapping) and options.get("ifBotNotInstalled") == "install":
        errors += _install_errors(service, bot, tenant)
    return errors


def _group_errors(service: Service, tenant: str, recipients: Any) -> list[FieldError]:
    """Return an error for each group or team where Graph cannot tell who is in it; an empty tenant is not known yet."""
    items = enumerate(recipients if isinstance(recipients, list) else ())
    groups = [number for number, item in items if isinstance(item, dict) and not _GROUPS.isdisjoint(item)]
    if not groups:
        return []
    if service.settings.graph is None:
        detail = (
            "Groups and teams need Microsoft Graph: set PROACTIVE_GRAPH_CLIENT_ID, and PROACTIVE_GRAPH_CLIENT_SECRET, "
            "PROACTIVE_GRAPH_CERTIFICATE, or for a managed identity PROACTIVE_GRAPH_TENANT_ID."
        )
    elif tenant and service.graph_of(tenant) is None:
        detail = _OTHER_TENANT
    else:
        return []
    return [FieldError(pointer("recipients", number), detail) for number in groups[:_MOST_ERRORS]]


def _install_errors(service: Service, bot: Bot, tenant: str) -> list[FieldError]:
    detail = ""
    if service.settings.graph is None:
        detail = "install needs Microsoft Graph: set PROACTIVE_GRAPH_CLIENT_ID, or choose another value."
    elif not service.asks(tenant):
        detail = f"install is not possible in this tenant. {_OTHER_TENANT}"
    elif not bot.teams_app_id:
        detail = (
            "install needs the id of the bot's Teams app: set PROACTIVE_TEAMS_APP_ID (teamsAppId in PROACTIVE_BOTS)."
        )
    return [FieldError("/options/ifBotNotInstalled", detail)] if detail else []
