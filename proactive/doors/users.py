"""One person and one bot, as the doors show them."""

from typing import Any

from proactive.entries import MAX_NAME
from proactive.memory import refused
from proactive.model import Entry
from proactive.people import resolve
from proactive.problems import FieldError, ProblemError
from proactive.service import Service
from proactive.settings import Bot
from proactive.store.conversations import Conversation
from proactive.times import write_moment


async def find_user(service: Service, bot_name: str, name: str, tenant: str) -> tuple[Bot, str, Conversation | None]:
    """Return the bot, the tenant, and what is known of a person by any of the names that recipients may have.

    Nothing may be known of somebody who was found: the bot has not `met` that person.
    Raises `ProblemError` 404 for an unknown bot, 400 where a tenant must be named, 409 for a name of several people.
    """
    bot, tenant, user = await find_key(service, bot_name, name, tenant)
    if not user:
        return bot, tenant, None
    return bot, tenant, await service.conversations.get(bot.name, tenant, user) or Conversation(user)


async def find_key(service: Service, bot_name: str, name: str, tenant: str) -> tuple[Bot, str, str]:
    """Return the bot, the tenant, and the key of a person, empty where the name leads to nobody. Raises as `find_user`.

    An id is a key, also of somebody whom the bot never met.
    """
    bot = service.settings.bot(bot_name)
    if bot is None:
        raise ProblemError(404, "There is no such bot.")
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise ProblemError(404, "There is no such person.")
    tenants = await service.tenants(bot, tenant.lower())
    if not tenant and len(tenants) > 1:
        detail = "This bot is used in several tenants: name one of them."
        raise ProblemError(400, detail, [FieldError("?tenant", detail)])
    tenant = tenant.lower() or next(iter(tenants), "")
    if tenant not in tenants:
        return bot, tenant, ""
    ((recipient, result),) = await resolve(service, bot.name, tenant, [Entry("user", name.strip())])
    if result and result.reason == "ambiguousRecipient":
        raise ProblemError(409, "Several people have this name: give an object id or a mail address.")
    return bot, tenant, recipient.user or ""


def read_user(service: Service, name: str, tenant: str, known: Conversation | None) -> dict[str, Any]:
    """Return what is known of a person; somebody the bot never met just does not have it.

    `reason` is why a message would not be sent to them, None where it would, or where Teams would be asked.
    """
    now = service.clock()
    return {
        "user": name,
        "userId": known.user if known and known.met else None,
        "installed": known is not None and known.installed,
        "chatActive": known is not None and known.active(now, service.settings.active_chat_minutes),
        "lastActivityAt": write_moment(known.last_message_at) if known else None,
        "reason": refused(known, now, asks=service.asks(tenant)) or None,
    }
