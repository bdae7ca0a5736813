"""One message reaches one person: within the limits of the conversation, and healed where that can be.

    post ──┬─ taken, or not to be taken ──────────────────────────────────────────▶ verdict
           ├─ wrong cloud ──▶ post at the other hosts, until one knows the person ──▶ …
           └─ conversation lost ──▶ create it again, keep it ──▶ post there ──────▶ verdict

What Teams tells on the way stays in the person's row: the conversation, the host, and why it refuses. Whoever cannot be
reached is not asked for again until that person acts, or for a while.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from proactive.hosts import other_clouds
from proactive.service import Service
from proactive.store.conversations import Conversation
from proactive.store.errors import StorageError
from proactive.verdicts import Kind, Verdict

log = logging.getLogger(__name__)

# Teams tells nobody when a person unblocks the bot or an administrator enables it again: now and then it is asked.
_REFUSAL_KEPT = 3600.0  # seconds
_PATIENCE = 2.5  # seconds for which a conversation's turn is waited for; whoever has to wait longer comes back
# To believe in an install that is not there costs one request, to overlook one costs a person.
_CLOCKS_APART = 5.0  # seconds by which Teams' clock may be behind ours
# A bot that no cloud knows must not cost a broadcast several requests, and a fresh token for each of them, a person.
_SEARCH_AGAIN = 300.0  # seconds
_NOT_INSTALLED = "notInstalled"


class Reached(NamedTuple):
    """What became of a message, and the conversation that it went to: a new one where the old one was lost.

    The verdict is never of `Kind.GONE` or `Kind.ELSEWHERE`: what could not be healed is refused.
    """

    verdict: Verdict
    conversation_id: str


def refused(person: Conversation | None, now: float) -> str:
    """Return why a message to a person is not worth a request, or an empty string. `now`: seconds since the epoch."""
    if person is None or not person.installed or not person.conversation_id:
        return _NOT_INSTALLED
    return person.refusal if now - person.refused_at < _REFUSAL_KEPT else ""


async def turn(service: Service, conversation: str) -> Verdict | None:
    """Wait until the limits of a conversation let one more request through, and count it.

    Return, instead of waiting for long, the verdict of a message that has to come back.
    """
    patience = _PATIENCE
    while wait := service.limits.admit(conversation, service.clock()):
        if wait > patience:
            return Verdict(Kind.RETRY, "conversationLimit", retry_after=wait)
        patience -= wait
        await asyncio.sleep(wait)
    return None


async def post(service: Service, bot: str, tenant: str, person: Conversation, content: bytes) -> Reached:
    """Post an activity, given as JSON, to a person whom a bot knows.

    The slot of the bot's pace is the caller's affair; what healing asks of Teams on top takes slots of its own.
    """
    began = service.clock()
    message = _Message(service, bot, tenant, person, content)
    try:
        verdict = await message.deliver()
    except StorageError:
        # Storage is asked only while Teams has taken nothing.
        verdict = Verdict(Kind.RETRY, "storageAway")
    await message.keep(began)
    match verdict.kind:
        case Kind.DELIVERED:
            await message.forget_refusal(began)
        case Kind.NOT_INSTALLED:
            await message.remember_refusal(verdict.reason, began)
        case Kind.GONE | Kind.ELSEWHERE:
            verdict = verdict._replace(kind=Kind.REFUSED)
    return Reached(verdict, message.conversation)


class _Message:
    def __init__(self, service: Service, bot: str, tenant: str, person: Conversation, content: bytes) -> None:
        self._service = service
        self._bot = service.bot(bot)
        self._key = (bot, tenant, person.user)
        self._person = person
        self._content = content
        self._url = person.service_url
        self._kept = (person.conversation_id, person.service_url)
        self.conversation = person.conversation_id

    async def deliver(self) -> Verdict:
        """Post the message; where its conversation is lost, create that again and post once more."""
        verdict = await self._at_some_host(self._post)
        if verdict.kind is Kind.GONE:
            held = await self._renew(verdict) or await self._slot(verdict)
            verdict = held or await self._at_some_host(self._post)
        if verdict.kind is Kind.DELIVERED:
            self._service.homes[self._key[:2]] = self._url
        return verdict

    async def _post(self, url: str) -> Verdict:
        if held := await turn(self._service, self.conversation):
            return held
        return await self._service.teams.send(self._bot, url, self.conversation, self._content)

    async def _create(self, url: str) -> Verdict:
        if held := await turn(self._service, self.conversation):
            return held
        _, tenant, user = self._key
        verdict, conversation = await self._service.teams.create(self._bot, url, tenant, user, self._person.bot_id)
        self.conversation = conversation or self.conversation
        return verdict

    async def _renew(self, lost: Verdict) -> Verdict | None:
        """Find or create the conversation that takes the place of the lost one. Return a verdict where there is none.

        Messages to one person take turns here: who comes second finds the conversation that the first has created.
        """
        lock = self._service.renewals.setdefault(self._key, asyncio.Lock())
        async with lock:
            known = await self._service.conversations.get(*self._key)
            if known and known.conversation_id not in ("", self.conversation):
                self._kept = self.conversation, self._url = known.conversation_id, known.service_url
                return None
            # Teams creates conversations with Entra object ids; of this person only the Teams id is known.
            if self._key[2].startswith("29:"):
                return lost
            if held := await self._slot(lost):
                return held
            began = self._service.clock()
            verdict = await self._at_some_host(self._create)
            if verdict.kind is Kind.DELIVERED:
                await self.keep(began)
                return None
        # Nothing was sent, so nothing is in doubt.
        return verdict._replace(kind=Kind.RETRY) if verdict.kind is Kind.DOUBT else verdict

    async def _at_some_host(self, request: Callable[[str], Awaitable[Verdict]]) -> Verdict:
        """Make a request at the person's host and, where that is of another cloud, once at each of the others.

        A host of the wrong cloud says so itself, or does not know the bot: any other answer is of the right one.
        """
        verdict = await request(self._url)
        if verdict.kind is not Kind.ELSEWHERE:
            return verdict
        later = None
        for url in self._other_hosts():
            if held := await self._slot(verdict):
                return held
            answer = await request(url)
            if answer.kind is Kind.RETRY:
                later = answer
            elif answer.kind is Kind.DOUBT:
                return answer
            elif answer.kind not in (Kind.ELSEWHERE, Kind.REFUSED):
                self._url = url
                return answer
        if later is None:
            self._service.homeless[self._key[:2]] = self._service.clock()
        return later or verdict

    def _other_hosts(self) -> list[str]:
        """Return where else the person may be: first where others of this bot and tenant were reached."""
        service, whose = self._service, self._key[:2]
        urls = [service.homes.get(whose, "")]
        if service.clock() - service.homeless.get(whose, 0.0) > _SEARCH_AGAIN:
            urls += other_clouds(self._url, service.settings.service_hosts)
        return [url for url in dict.fromkeys(urls) if url not in ("", self._url)]

    async def _slot(self, verdict: Verdict) -> Verdict | None:
        """Take a slot of the bot's pace for one more request; where it is far ahead, the message comes back then."""
        pace = self._service.pace
        slots = await pace.reserve(*self._key[:2], 1)
        if not slots.taken:
            return Verdict(Kind.RETRY, verdict.reason, retry_after=slots.start - self._service.clock())
        await pace.reached(slots.start)
        return None

    async def keep(self, began: float) -> None:
        """Keep where the person was found, unless that is known or something newer is."""
        found, before = (self.conversation, self._url), self._kept
        if found == before:
            return

        def move(known: Conversation) -> bool:
            if (known.conversation_id, known.service_url) != before:
                return False
            known.conversation_id, known.service_url = found
            known.referenced_at = max(known.referenced_at, began - _CLOCKS_APART)
            return True

        self._kept = found
        await self._change(move)

    async def remember_refusal(self, reason: str, began: float) -> None:
        """Keep why the person cannot be reached, unless the person has acted since the message began."""

        def refuse(known: Conversation) -> bool:
            if not known.installed or known.installed_at > began:
                return False
            if reason == _NOT_INSTALLED:
                known.installed = False
                known.installed_at = max(known.installed_at, began - _CLOCKS_APART)
            else:
                known.refusal, known.refused_at = reason, began
            return True

        await self._change(refuse)

    async def forget_refusal(self, began: float) -> None:
        """Forget a refusal that is over."""

        def forget(known: Conversation) -> bool:
            if not known.refusal or known.refused_at > began:
                return False
            known.refusal = ""
            return True

        if self._person.refusal:
            await self._change(forget)

    async def _change(self, change: Callable[[Conversation], bool]) -> None:
        try:
            await self._service.conversations.change(*self._key, change, known_only=True)
        except StorageError as error:
            # What became of the message is certain, and must not be lost over what was learnt by the way.
            log.warning("what Teams told of a person could not be kept: %s", type(error).__name__)
