"""Routes for operators about one person: what the person was sent, and all that is kept, to be exported or erased."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import azure.functions as func

from proactive import transcript
from proactive.doors import paging
from proactive.doors.answers import answer
from proactive.doors.users import find_key
from proactive.erase import erase, names_of
from proactive.problems import ProblemError
from proactive.service import Service
from proactive.store.conversations import Conversation
from proactive.store.days import Position
from proactive.times import write_moment

_EXPORTED = 1000  # messages of one document


async def list_messages(service: Service, request: func.HttpRequest, bot: str, user: str) -> func.HttpResponse:
    """`GET /bots/{bot}/users/{user}/messages`: newest first, by the moment of acceptance."""
    params = request.params
    paging.refuse_unknown(params, {"tenant", "from", "to", "top", "continuation"})
    top, after = paging.top(params), _place(params)
    first, last = paging.instant(params, "from"), paging.instant(params, "to")
    now = service.clock()
    speaker, tenant, key = await find_key(service, bot, user, params.get("tenant", ""))
    known = await service.conversations.get(speaker.name, tenant, key) if key else None
    page = await transcript.messages(
        service,
        speaker.name,
        tenant,
        transcript.subject_of(key, known, user),
        top=top,
        since=max(0.0, first.timestamp()) if first else 0.0,
        until=max(0.0, min(last.timestamp(), now)) if last else now,
        after=after,
    )
    return answer(200, {"messages": page.messages, "continuation": paging.token(page.more)})


async def export_data(service: Service, request: func.HttpRequest, bot: str, user: str) -> func.HttpResponse:
    """`GET /bots/{bot}/users/{user}/data`: one document; with more than `_EXPORTED` messages there is a next one."""
    paging.refuse_unknown(request.params, {"tenant", "continuation"})
    after = _place(request.params)
    speaker, tenant, key = await find_key(service, bot, user, request.params.get("tenant", ""))
    known = await service.conversations.get(speaker.name, tenant, key) if key else None
    subject = transcript.subject_of(key, known, user)
    page = await transcript.messages(
        service, speaker.name, tenant, subject, top=_EXPORTED, until=service.clock(), after=after
    )
    if known is None and not page.messages and page.more is None and after is None:
        raise ProblemError(404, "Nothing is kept about such a person.")
    body = {
        "user": user,
        "userId": key or None,
        "bot": speaker.name,
        "tenant": tenant,
        "conversation": _conversation(known) if known else None,
        "aliases": await _aliases(service, speaker.name, tenant, known) if known else [],
        "messages": page.messages,
        "continuation": paging.token(page.more),
    }
    return answer(200, body)


async def erase_data(service: Service, request: func.HttpRequest, bot: str, user: str) -> func.HttpResponse:
    """`DELETE /bots/{bot}/users/{user}/data`: once and for all; twice is fine."""
    paging.refuse_unknown(request.params, {"tenant"})
    speaker, tenant, key = await find_key(service, bot, user, request.params.get("tenant", ""))
    known = await service.conversations.get(speaker.name, tenant, key) if key else None
    if await erase(service, speaker.name, tenant, key, [*names_of(known), user]):
        return answer(204)
    detail = "The person is forgotten; erasing what was sent to the person goes on by itself."
    return answer(202, {"detail": detail})


def _place(params: Mapping[str, str]) -> Position | None:
    """Return the position in the index from which a page goes on."""
    given = paging.continuation(params)
    if given is None:
        return None
    if isinstance(given, list) and [type(part) for part in given] == [str, str]:
        day, key = given
        if re.fullmatch(r"20\d\d-\d\d-\d\d", day, re.ASCII) and paging.KEY.fullmatch(key):
            try:
                date.fromisoformat(day)
            except ValueError:
                raise paging.broken_continuation() from None
            return Position(day, key)
    raise paging.broken_continuation()


def _conversation(known: Conversation) -> dict[str, Any]:
    return {
        "conversationId": known.conversation_id or None,
        "serviceUrl": known.service_url or None,
        "memberId": known.member_id or None,
        "botId": known.bot_id or None,
        "installed": known.installed,
        "installedAt": write_moment(known.installed_at),
        "referencedAt": write_moment(known.referenced_at),
        "lastMessageAt": write_moment(known.last_message_at),
        "idleAt": write_moment(known.idle_at),
        "refusal": known.refusal or None,
        "refusedAt": write_moment(known.refused_at),
        "rosterAskedAt": write_moment(known.asked_at),
        "displayName": known.name or None,
        "email": known.mail or None,
        "userPrincipalName": known.principal_name or None,
        "activities": known.seen.split(),
    }


async def _aliases(service: Service, bot: str, tenant: str, known: Conversation) -> list[dict[str, Any]]:
    """Return the names that lead to a person, and what each of them is."""
    found = await service.conversations.find(bot, tenant, names_of(known))
    return [
        {"name": name, "kinds": sorted(match.kinds)}
        for name, matches in found.items()
        for match in matches
        if match.user == known.user
    ]
