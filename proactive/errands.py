"""What the bot has to do in Teams after an activity, and nobody waits for: a reply, a look at the roster."""

import json
import logging
from typing import Any

from proactive.reach import turn
from proactive.relay import call_off, later
from proactive.service import Service
from proactive.store.account import ERRANDS
from proactive.store.conversations import Conversation
from proactive.teams import Presence
from proactive.updates import UPDATE, Card, replace
from proactive.verdicts import Kind, Verdict

log = logging.getLogger(__name__)

REPLY, ROSTER = "reply", "roster"
_MOST_ATTEMPTS = 8
_FIRST_PAUSE = 2.0  # seconds, doubled with each attempt


async def run(service: Service, errand: dict[str, Any]) -> None:
    """Do an errand; what Teams does not take now is tried again later, and given up after some attempts."""
    watch = errand.pop("watch", ())
    await _run(service, errand)
    await call_off(service, watch)


async def _run(service: Service, errand: dict[str, Any]) -> None:
    slots = await service.pace.reserve(errand["bot"], errand["tenant"], 1)
    if not slots.taken:
        await later(service, slots.start, ERRANDS, errand)
        return
    await service.pace.reached(slots.start)
    verdict = await _DO[errand["kind"]](service, errand)
    if verdict is None or verdict.kind is Kind.DELIVERED:
        return
    attempts = errand.get("attempts", 0) + 1
    # A reply that may have arrived is not worth a second copy; to look or to replace again is harmless.
    repeatable = verdict.kind is Kind.RETRY or (verdict.kind is Kind.DOUBT and errand["kind"] != REPLY)
    if not repeatable or attempts >= _MOST_ATTEMPTS:
        log.info("an errand (%s) was given up after %d attempts: %s", errand["kind"], attempts, verdict.reason)
        return
    pause = max(verdict.retry_after, _FIRST_PAUSE * 2**attempts)
    await later(service, service.clock() + pause, ERRANDS, {**errand, "attempts": attempts})


async def _reply(service: Service, errand: dict[str, Any]) -> Verdict:
    if held := await turn(service, errand["conversation"]):
        return held
    content = json.dumps({"type": "message", "text": errand["text"]}).encode()
    return await service.teams.send(_who(service, errand), errand["serviceUrl"], errand["conversation"], content)


async def _replace_card(service: Service, errand: dict[str, Any]) -> Verdict | None:
    """Show, instead of a card, what has become of it."""
    send = await service.sends.get(errand["send"])
    if send is None:
        return None
    return await replace(service, send, errand["instead"], Card(*errand["card"]))


async def _learn_names(service: Service, errand: dict[str, Any]) -> Verdict | None:
    """Keep a person's mail address, user principal name and display name, as the roster has them."""
    bot, tenant, user = errand["bot"], errand["tenant"], errand["user"]
    member = await service.teams.member(
        _who(service, errand), errand["serviceUrl"], errand["conversation"], errand["member"]
    )
    if isinstance(member, Verdict):
        return member
    former: dict[str, str] = {}
    names = {
        "name": _text(member, "name"),
        "mail": _text(member, "email"),
        "principalName": _text(member, "userPrincipalName"),
    }

    def learn(known: Conversation) -> bool:
        former.update({"name": known.name, "mail": known.mail, "principalName": known.principal_name})
        known.name = names["name"] or known.name
        known.mail = names["mail"]
        known.principal_name = names["principalName"]
        return True

    known, learnt = await service.conversations.change(bot, tenant, user, learn, known_only=True)
    if learnt:
        await service.conversations.learn_aliases(bot, tenant, user, {**names, "name": known.name}, former)
    return None


def _who(service: Service, errand: dict[str, Any]) -> Presence:
    return Presence(service.bot(errand["bot"]), errand["tenant"])


def _text(member: dict[str, Any], name: str) -> str:
    value = member.get(name)
    return value.strip()[:256] if isinstance(value, str) else ""


_DO = {REPLY: _reply, ROSTER: _learn_names, UPDATE: _replace_card}
