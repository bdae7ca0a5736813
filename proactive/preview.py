"""A send that is only thought through: who would get it, who lacks the bot, how large it is, how long it takes.

Nothing is kept and nothing is sent. People are looked at some hundreds at a time, and only counts and the first of them
are held, so that a preview for everyone takes no more memory than one for a few. It ends early where it would outlast
the call, and says so.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from proactive.accept import Checked, check
from proactive.groups import PAGES, distinct, read_page
from proactive.inquiry import Inquiry
from proactive.memory import refused
from proactive.model import Entry, Options, Recipient, Result
from proactive.people import Planned, is_person, resolve
from proactive.recipients import in_order
from proactive.seen import Seen
from proactive.service import Service
from proactive.settle import unsent
from proactive.store.conversations import Conversation
from proactive.trial import Trial

type Settled = tuple[Recipient, str, Result | None]

_BATCH = 500  # people looked at together
_MOST = 200_000  # people looked at in all
_LONGEST = 40.0  # seconds after which nothing more is begun: a call may last 230 at most
_FIRST = 100
_SECONDS_EACH = 0.3  # what Teams takes for a message, about
_SENDS = ("wouldSend", "wouldAsk", "wouldInstall")  # what becomes of those to whom something is sent
_STATES = (*_SENDS, "postponed", "notInstalled", "chatActive", "failed")


async def preview(service: Service, body: Any, *, operator: bool) -> dict[str, Any]:
    """Return what would become of the send in `body`. Raises `ProblemError` like `accept`."""
    checked = await check(service, body, operator=operator)
    now, most = service.clock(), service.settings.max_message_bytes
    trial = Trial(checked.request, checked.activity, now=now, most=most)
    look = _Look(service, checked, trial, now + _LONGEST)
    await look.at_all()
    options, counts = checked.request.options, look.counts
    seconds = _seconds(service, options, counts)
    return {
        "dryRun": True,
        "bot": checked.bot.name,
        "tenant": checked.tenant,
        "counts": {"total": counts.total(), **{state: counts[state] for state in _STATES}},
        "complete": look.complete,
        "recipients": look.first,
        "groups": look.groups,
        "message": trial.message(),
        "seconds": seconds,
        "inTime": seconds <= options.deliver_within,
    }


@dataclass
class _Look:
    """A look at the people of a request: those it names, those of its groups, then everyone else if it is for everyone.

    Nobody is counted twice in `counts`; somebody in two groups is one of the people of each.
    """

    service: Service
    checked: Checked
    trial: Trial
    until: float
    counts: Counter[str] = field(default_factory=Counter)
    first: list[dict[str, Any]] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=list)
    complete: bool = True
    seen: Seen = field(default_factory=Seen)

    async def at_all(self) -> None:
        """Look until everybody was looked at, or it took too long or was too many."""
        tenant, entries = self.checked.tenant, self.checked.request.recipients
        graph = self.service.graph_of(tenant)
        asked = Inquiry(graph, tenant, self.service.clock) if graph else None
        await self._at_names([entry for entry in entries if is_person(entry)], asked)
        for group in distinct(entries):
            if not self.complete:
                break
            await self._at_group(group, asked)
        if self.complete and any(entry.kind == "everyone" for entry in entries):
            await self._at_everyone()

    async def _at_names(self, entries: Sequence[Entry], asked: Inquiry | None) -> None:
        bot, tenant = self.checked.bot.name, self.checked.tenant
        for some in batched(entries, _BATCH, strict=False):
            if self._over():
                return
            await self._count(await resolve(self.service, bot, tenant, some, seen=self.seen, inquiry=asked))

    async def _at_group(self, group: Entry, asked: Inquiry | None) -> None:
        """Look at a group, some pages at a time, so that people stand close together in storage."""
        told: dict[str, Any] = {group.kind: group.value, "total": 0, "notInstalled": 0, "complete": True}
        reason: str | None = None
        own, page, more = Seen(), "", True
        while more and not self._over():
            people: list[Planned] = []
            for _ in range(PAGES):
                some, page = await read_page(asked, group, page)
                if isinstance(some, Result):
                    reason = some.reason
                    self._add([(Recipient(group.value, None), some.state.value, some)])
                else:
                    people += [(recipient, None) for recipient in some if own.add(recipient.user or "")]
                more = bool(page)
                if not more:
                    break
            told["total"] += len(people)
            told["notInstalled"] += await self._count(in_order(people), known_to=self.seen)
        told |= {"complete": not more and reason is None, "reason": reason}
        if len(self.groups) < _FIRST:
            self.groups.append(told)

    async def _at_everyone(self) -> None:
        bot, tenant = self.checked.bot.name, self.checked.tenant
        async for users, _ in self.service.conversations.everyone(bot, tenant):
            if self._over():
                return
            await self._count([(Recipient(user, user), None) for user in users if user not in self.seen])

    def _over(self) -> bool:
        if self.counts.total() >= _MOST or self.service.clock() > self.until:
            self.complete = False
        return not self.complete

    async def _count(self, people: Sequence[Planned], known_to: Seen | None = None) -> int:
        """Count people, but for those who are `known_to` have been counted. Return how many of all lack the bot."""
        lacking = 0
        for some in batched(people, _BATCH, strict=False):
            known = await self._load(some)
            lacking += sum(not (known.get(r.user or "") and known[r.user or ""].installed) for r, _ in some)
            new = [one for one in some if known_to is None or known_to.add(one[0].user or "")]
            room = _MOST - self.counts.total()
            self.complete = self.complete and len(new) <= room
            self._add([self._settled(known, recipient, result) for recipient, result in new[:room]])
        return lacking

    async def _load(self, people: Sequence[Planned]) -> dict[str, Conversation]:
        users = [recipient.user for recipient, result in people if recipient.user and result is None]
        bot, tenant = self.checked.bot.name, self.checked.tenant
        return await self.service.conversations.load(bot, tenant, users, names=self.trial.personal)

    def _settled(self, known: dict[str, Conversation], recipient: Recipient, planned: Result | None) -> Settled:
        """Return what would become of somebody, and the result of who would get nothing."""
        options, minutes = self.checked.request.options, self.service.settings.active_chat_minutes
        now, asks = self.service.clock(), self.service.asks(self.checked.tenant)
        person = known.get(recipient.user or "") or (Conversation(recipient.user) if recipient.user else None)
        result = planned or unsent(person, options, now, minutes, asks=asks) or self.trial.unfilled(recipient, person)
        if result:
            return recipient, result.state.value, result
        if person and (not person.conversation_id or refused(person, now, asks=asks)):
            return recipient, "wouldInstall" if options.if_bot_not_installed == "install" else "wouldAsk", None
        return recipient, "wouldSend", None

    def _add(self, settled: Sequence[Settled]) -> None:
        for recipient, state, result in settled:
            self.counts[state] += 1
            if len(self.first) < _FIRST:
                self.first.append(_shown(recipient, state, result))


def _shown(recipient: Recipient, state: str, result: Result | None) -> dict[str, Any]:
    return {
        "recipient": recipient.name,
        "userId": recipient.user,
        "state": state,
        "statusCode": result.code if result else None,
        "reason": result.reason if result else None,
    }


def _seconds(service: Service, options: Options, counts: Counter[str]) -> float:
    """Return about how long it takes to send to so many: bound by Teams' ceiling, or by what may be in flight.

    A conversation that has to be created costs a request more. Installing is as fast as Graph is, and not counted.
    """
    requests = sum(counts[state] for state in _SENDS) + counts["wouldAsk"] + counts["wouldInstall"]
    at_the_ceiling = requests / service.settings.requests_per_second
    return round(max(at_the_ceiling, requests * _SECONDS_EACH / options.parallelism), 1)
