"""A send that is only thought through: who would get it, who lacks the bot, how large it is, how long it takes.

Nothing is kept and nothing is sent. People are looked at some hundreds at a time, and only counts and the first of them
are held, so that a preview for everyone takes no more memory than one for a few.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from proactive.accept import Checked, check
from proactive.cards import utf16_size
from proactive.content import encode, with_marks
from proactive.filling import TEMPLATE_ERROR, TOO_LARGE, Filling, about
from proactive.model import REFUSED, Options, Recipient, Result, State
from proactive.model import TOO_LARGE as TOO_LARGE_CODE
from proactive.people import Planned, resolve
from proactive.service import Service
from proactive.settle import unsent
from proactive.store.conversations import Conversation
from proactive.templating.template import FilledTooLargeError, TemplateError
from proactive.tickets import LONGEST

_BATCH = 500  # people looked at together
_MOST = 200_000  # people looked at in all: more would outlast the call
_FIRST = 100
_FILLED = 1_000  # people whose message is filled: some tenths of a second
_FILLING = 2.0  # seconds after which no more are
_SECONDS_EACH = 0.3  # what Teams takes for a message, about
_STATES = ("wouldSend", "postponed", "notInstalled", "chatActive", "failed")


async def preview(service: Service, body: Any, *, operator: bool) -> dict[str, Any]:
    """Return what would become of the send in `body`. Raises `ProblemError` like `accept`."""
    checked = await check(service, body, operator=operator)
    counts: Counter[str] = Counter()
    first: list[dict[str, Any]] = []
    complete = True
    draft = _Draft(service, checked)
    async for people in _people(service, checked):
        room = _MOST - counts.total()
        complete = len(people) <= room
        for recipient, result in await _settled(service, draft, people[:room]):
            state = result.state.value if result else "wouldSend"
            counts[state] += 1
            if len(first) < _FIRST:
                first.append(_shown(recipient, state, result))
        if not complete:
            break
    seconds = _seconds(service, checked.request.options, counts["wouldSend"])
    return {
        "dryRun": True,
        "bot": checked.bot.name,
        "tenant": checked.tenant,
        "counts": {"total": counts.total(), **{state: counts[state] for state in _STATES}},
        "complete": complete,
        "recipients": first,
        "message": draft.message(),
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


async def _settled(service: Service, draft: "_Draft", people: list[Planned]) -> list[Planned]:
    """Return people with the state that each would be in now without a message; None for who would get it."""
    checked = draft.checked
    users = [recipient.user for recipient, result in people if recipient.user and result is None]
    known = await service.conversations.load(checked.bot.name, checked.tenant, users, names=draft.personal)
    now, minutes = service.clock(), service.settings.active_chat_minutes
    settled: list[Planned] = []
    for recipient, result in people:
        person = known.get(recipient.user or "")
        found = result or unsent(person, checked.request.options, now, minutes)
        settled.append((recipient, found or draft.unfilled(recipient, person)))
    return settled


def _shown(recipient: Recipient, state: str, result: Result | None) -> dict[str, Any]:
    return {
        "recipient": recipient.name,
        "userId": recipient.user,
        "state": state,
        "statusCode": result.code if result else None,
        "reason": result.reason if result else None,
    }


class _Draft:
    """The message as it would be sent: as it is, or filled for those who would get it, as far as that is affordable."""

    def __init__(self, service: Service, checked: Checked) -> None:
        self.checked = checked
        self._most = service.settings.max_message_bytes
        self._ticket = "x" * LONGEST if checked.request.wait else ""
        data, at = checked.request.data, max(service.clock(), checked.request.send_at or 0.0)
        self._filling = None if data is None else Filling(checked.activity, data, at, self._most)
        self._left, self._until = _FILLED, time.monotonic() + _FILLING
        self._bytes = 0
        if self._filling is None:
            sent = with_marks(checked.activity, self._ticket) if self._ticket else checked.activity
            self._bytes = utf16_size(encode(sent).decode())

    @property
    def personal(self) -> bool:
        return self._filling is not None and self._filling.personal

    def unfilled(self, recipient: Recipient, person: Conversation | None) -> Result | None:
        """Return what becomes of somebody whose data make no message; None where they do, or are not looked at."""
        if self._filling is None or not self._left or time.monotonic() > self._until:
            return None
        self._left -= 1
        names = (person.mail, person.principal_name, person.name) if person else ("", "", "")
        who = about(recipient.name, recipient.user, *names)
        try:
            content = self._filling.encoded(recipient.data, who, self._ticket)
        except TemplateError:
            return Result(State.FAILED, REFUSED, TEMPLATE_ERROR)
        except FilledTooLargeError:
            return Result(State.FAILED, TOO_LARGE_CODE, TOO_LARGE)
        self._bytes = max(self._bytes, utf16_size(content.decode()))
        return None

    def message(self) -> dict[str, Any]:
        """Return what the message is and how large: a filled one, as large as the largest."""
        request = self.checked.request
        return {
            "format": "card" if request.card else request.text_format,
            "bytes": self._bytes,
            "most": self._most,
        }


def _seconds(service: Service, options: Options, count: int) -> float:
    """Return about how long it takes to send to so many: bound by Teams' ceiling, or by what may be in flight."""
    at_the_ceiling = count / service.settings.requests_per_second
    return round(max(at_the_ceiling, count * _SECONDS_EACH / options.parallelism), 1)
