"""A send that is only thought through: who would get it, who lacks the bot, how large it is, how long it takes.

Nothing is kept and nothing is sent. People are looked at some hundreds at a time, and only counts and the first of them
are held, so that a preview for everyone takes no more memory than one for a few.
"""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from proactive.accept import Checked, check
from proactive.cards import utf16_size
from proactive.content import encode, with_marks
from proactive.memory import refused
from proactive.model import Options, Recipient, Result
from proactive.people import Planned, resolve
from proactive.service import Service
from proactive.settle import unsent
from proactive.store.conversations import Conversation
from proactive.tickets import LONGEST

_BATCH = 500  # people looked at together
_MOST = 200_000  # people looked at in all: more would outlast the call
_FIRST = 100
_SECONDS_EACH = 0.3  # what Teams takes for a message, about
_SENDS = ("wouldSend", "wouldAsk", "wouldInstall")  # what becomes of those to whom something is sent
_STATES = (*_SENDS, "postponed", "notInstalled", "chatActive", "failed")


async def preview(service: Service, body: Any, *, operator: bool) -> dict[str, Any]:
    """Return what would become of the send in `body`. Raises `ProblemError` like `accept`."""
    checked = await check(service, body, operator=operator)
    counts: Counter[str] = Counter()
    first: list[dict[str, Any]] = []
    complete = True
    async for people in _people(service, checked):
        room = _MOST - counts.total()
        complete = len(people) <= room
        for recipient, state, result in await _settled(service, checked, people[:room]):
            counts[state] += 1
            if len(first) < _FIRST:
                first.append(_shown(recipient, state, result))
        if not complete:
            break
    seconds = _seconds(service, checked.request.options, counts)
    return {
        "dryRun": True,
        "bot": checked.bot.name,
        "tenant": checked.tenant,
        "counts": {"total": counts.total(), **{state: counts[state] for state in _STATES}},
        "complete": complete,
        "recipients": first,
        "message": _message(service, checked),
        "seconds": seconds,
        "inTime": seconds <= checked.request.options.deliver_within,
    }


async def _people(service: Service, checked: Checked) -> AsyncIterator[list[Planned]]:
    """Yield the people whom a request names, then everyone else if it is for everyone, some hundreds at a time."""
    bot, tenant, entries = checked.bot.name, checked.tenant, checked.request.recipients
    seen: set[str] = set()
    for start in range(0, len(entries), _BATCH):
        yield await resolve(service, bot, tenant, entries[start : start + _BATCH], seen)
    if any(entry.kind == "everyone" for entry in entries):
        async for users, _ in service.conversations.everyone(bot, tenant):
            others = [user for user in users if user not in seen]
            for start in range(0, len(others), _BATCH):
                yield [(Recipient(user, user), None) for user in others[start : start + _BATCH]]


async def _settled(
    service: Service, checked: Checked, people: list[Planned]
) -> list[tuple[Recipient, str, Result | None]]:
    """Return people with what would become of each, and the result of those to whom nothing would be sent."""
    users = [recipient.user for recipient, result in people if recipient.user and result is None]
    known = await service.conversations.load(checked.bot.name, checked.tenant, users)
    now, minutes = service.clock(), service.settings.active_chat_minutes
    options, asks = checked.request.options, service.asks(checked.tenant)
    settled = []
    for recipient, planned in people:
        person = known.get(recipient.user or "") or (Conversation(recipient.user) if recipient.user else None)
        result = planned or unsent(person, options, now, minutes, asks=asks)
        state = result.state.value if result else "wouldSend"
        if result is None and person and (not person.conversation_id or refused(person, now, asks=asks)):
            state = "wouldInstall" if options.if_bot_not_installed == "install" else "wouldAsk"
        settled.append((recipient, state, result))
    return settled


def _shown(recipient: Recipient, state: str, result: Result | None) -> dict[str, Any]:
    return {
        "recipient": recipient.name,
        "userId": recipient.user,
        "state": state,
        "statusCode": result.code if result else None,
        "reason": result.reason if result else None,
    }


def _message(service: Service, checked: Checked) -> dict[str, Any]:
    request, activity = checked.request, checked.activity
    sent = with_marks(activity, "x" * LONGEST) if request.wait else activity
    return {
        "format": "card" if request.card else request.text_format,
        "bytes": utf16_size(encode(sent).decode()),
        "most": service.settings.max_message_bytes,
    }


def _seconds(service: Service, options: Options, counts: Counter[str]) -> float:
    """Return about how long it takes to send to so many: bound by Teams' ceiling, or by what may be in flight.

    A conversation that has to be created costs a request more. Installing is as fast as Graph is, and not counted.
    """
    requests = sum(counts[state] for state in _SENDS) + counts["wouldAsk"] + counts["wouldInstall"]
    at_the_ceiling = requests / service.settings.requests_per_second
    return round(max(at_the_ceiling, requests * _SECONDS_EACH / options.parallelism), 1)
