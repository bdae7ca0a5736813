"""One message reaches one person: within the limits of the conversation, and healed where that can be.

    post ──┬─ taken, or not to be taken ──────────────────────────────────────────▶ verdict
           ├─ wrong cloud ──▶ post at the other hosts, until one knows the person ──▶ …
           ├─ conversation lost, or never known ──▶ create it, keep it ──▶ post there ──▶ …
           └─ not installed, and to be ──▶ install through Graph ──▶ create, post ──▶ verdict

All that comes before the last post can be done twice: there is one conversation for each bot and person, and an app is
installed or not. So only the post itself can be in doubt.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from proactive.hosts import other_clouds
from proactive.memory import ABSENT, Memory, has_object_id, refused
from proactive.service import Service
from proactive.store.conversations import Conversation
from proactive.store.errors import StorageError
from proactive.teams import Presence
from proactive.verdicts import Kind, Verdict

_PATIENCE = 2.5  # seconds for which a conversation's turn is waited for; whoever has to wait longer comes back
# A bot that no cloud knows must not cost a broadcast several requests, and a fresh token for each of them, a person.
_SEARCH_AGAIN = 300.0  # seconds
_UNTIL_TEAMS_KNOWS = (0.0, 0.5, 1.5)  # seconds before each look whether Teams has heard of an install
_ABSENT = Verdict(Kind.NOT_INSTALLED, ABSENT)
_INSTALLED = Verdict(Kind.RETRY, "installed")


class Reached(NamedTuple):
    """What became of a message, and the conversation that it went to: a new one where there was none, or a lost one.

    The verdict is never of `Kind.GONE` or `Kind.ELSEWHERE`: what could not be healed is refused.
    """

    verdict: Verdict
    conversation_id: str


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


async def post(
    service: Service, bot: str, tenant: str, person: Conversation, content: bytes, *, install: bool = False
) -> Reached:
    """Post an activity, given as JSON, to a person; with `install` have the bot installed for who lacks it.

    The first slot of the bot's pace is the caller's affair; what is asked of Teams on top takes slots of its own.
    """
    message = _Message(service, bot, tenant, person, content, install=install)
    memory = message.memory
    try:
        verdict = await message.deliver()
    except StorageError:
        # Storage is asked only while Teams has taken nothing.
        verdict = Verdict(Kind.RETRY, "storageAway")
    await memory.keep(message.conversation, message.url)
    if message.heard.kind is Kind.NOT_INSTALLED:
        await memory.refuse(message.heard.reason)
    match verdict.kind:
        case Kind.DELIVERED:
            await memory.forget_refusal()
        case Kind.GONE | Kind.ELSEWHERE:
            verdict = verdict._replace(kind=Kind.REFUSED)
    return Reached(verdict, message.conversation)


class _Message:
    def __init__(
        self, service: Service, bot: str, tenant: str, person: Conversation, content: bytes, *, install: bool
    ) -> None:
        self._service = service
        self._who = Presence(service.bot(bot), tenant)
        self._key = (bot, tenant, person.user)
        self._person = person
        self._content = content
        self._install = install
        self._paid = True  # the caller's slot is there to be used
        self._lost = person.conversation_id  # where it is of no use to look again
        self.memory = Memory(service, bot, tenant, person)
        self.heard = Verdict(Kind.RETRY)  # what Teams said last
        self.url = person.service_url
        self.conversation = person.conversation_id

    async def deliver(self) -> Verdict:
        """Post the message; where there is no conversation create it, where there is no bot install it if asked to."""
        verdict = self._unasked() or await self._reach()
        if verdict == _ABSENT and self._install:
            verdict = await self._install_and_reach()
        if verdict.kind is Kind.DELIVERED:
            self._service.homes[self._key[:2]] = self.url
        return verdict

    def _unasked(self) -> Verdict | None:
        """Return that the bot is not there where that is known. Without `install` the caller has looked already."""
        if not self._install:
            return None
        asks = self._service.asks(self._key[1])
        if refused(self._person, self.memory.began, asks=asks) != ABSENT:
            return None
        self._lost = ""  # a conversation that is known by now to be of use may be the same one
        return _ABSENT

    async def _reach(self) -> Verdict:
        if not self.conversation and (held := await self._find(_ABSENT)):
            return held
        verdict = await self._at_some_host(self._post)
        if verdict.kind is Kind.GONE:
            self._lost = self.conversation
            verdict = await self._find(verdict) or await self._at_some_host(self._post)
        return verdict

    async def _install_and_reach(self) -> Verdict:
        """Have the app installed, and begin again. Teams may hear of it a moment later than we do."""
        user = self._person.user
        if not has_object_id(user):
            return _ABSENT
        known = await self.memory.look()
        there = known and known.installed and known.conversation_id not in ("", self._lost)  # by another message
        if not there and (held := await self._service.installs.install(*self._who, user, self.memory.began)):
            return held
        late = self._service.clock() - self.memory.began > _PATIENCE
        for pause in _UNTIL_TEAMS_KNOWS:
            await asyncio.sleep(pause)
            self.heard = _INSTALLED
            verdict = await self._find(_ABSENT, installed=True)
            if verdict is None:
                # After a while the send may have been cancelled: the next attempt looks, and finds the conversation.
                verdict = _INSTALLED if late else await self._at_some_host(self._post)
            if verdict != _ABSENT:
                return verdict
        return _ABSENT._replace(reason="stillNotInstalled")

    async def _post(self, url: str) -> Verdict:
        if held := await turn(self._service, self.conversation):
            return held
        return await self._service.teams.send(self._who, url, self.conversation, self._content)

    async def _create(self, url: str) -> Verdict:
        user = self._person.user
        if held := await turn(self._service, self.conversation or user):
            return held
        verdict, conversation = await self._service.teams.create(self._who, url, user, self._person.bot_id)
        if conversation and conversation != self.conversation:
            self._service.limits.admit(conversation, self._service.clock())  # it counts there, as we know now
            self.conversation = conversation
        return verdict

    async def _find(self, lost: Verdict, *, installed: bool = False) -> Verdict | None:
        """Find or create the conversation that is lost or was never known. Return a verdict where there is none.

        Messages to one person take turns here: who comes second finds what the first has created, or has heard.
        """
        lock = self._service.renewals.setdefault(self._key, asyncio.Lock())
        async with lock:
            known = await self.memory.look()
            if known and known.installed and known.conversation_id not in ("", self._lost):
                self.conversation, self.url = known.conversation_id, known.service_url
                return None
            if known and not installed and (reason := refused(known, self.memory.began, asks=True)):
                return Verdict(Kind.NOT_INSTALLED, reason)
            # Teams creates conversations with Entra object ids; of this person only the Teams id is known.
            if not has_object_id(self._key[2]):
                return lost
            self.url = self.url or await self._service.home(*self._key[:2])
            verdict = await self._at_some_host(self._create)
            if verdict.kind is Kind.DELIVERED:
                await self.memory.keep(self.conversation, self.url, created=True)
                return None
            if verdict.kind is Kind.NOT_INSTALLED:
                await self.memory.refuse(verdict.reason)  # before the next one looks
        # Nothing was sent, so nothing is in doubt.
        return verdict._replace(kind=Kind.RETRY) if verdict.kind is Kind.DOUBT else verdict

    async def _at_some_host(self, request: Callable[[str], Awaitable[Verdict]]) -> Verdict:
        """Make a request at the person's host and, where that is of another cloud, once at each of the others.

        A host of the wrong cloud says so itself, or does not know the bot: any other answer is of the right one.
        """
        if held := await self._slot():
            return held
        verdict = self.heard = await request(self.url)
        if verdict.kind is not Kind.ELSEWHERE:
            return verdict
        later = None
        for url in self._other_hosts():
            if held := await self._slot():
                return held
            answer = await request(url)
            if answer.kind is Kind.RETRY:
                later = answer
            elif answer.kind is Kind.DOUBT:
                return answer
            elif answer.kind not in (Kind.ELSEWHERE, Kind.REFUSED):
                self.url, self.heard = url, answer
                return answer
        if later is None:
            self._service.homeless[self._key[:2]] = self._service.clock()
        return later or verdict

    def _other_hosts(self) -> list[str]:
        """Return where else the person may be: first where others of this bot and tenant were reached."""
        service, whose = self._service, self._key[:2]
        urls = [service.homes.get(whose, "")]
        if service.clock() - service.homeless.get(whose, 0.0) > _SEARCH_AGAIN:
            urls += other_clouds(self.url, service.settings.service_hosts)
        return [url for url in dict.fromkeys(urls) if url not in ("", self.url)]

    async def _slot(self) -> Verdict | None:
        """Take a slot of the bot's pace for one more request; where it is far ahead, the message comes back then."""
        if self._paid:
            self._paid = False
            return None
        pace = self._service.pace
        slots = await pace.reserve(*self._key[:2], 1)
        if not slots.taken:
            return Verdict(Kind.RETRY, self.heard.reason, retry_after=slots.start - self._service.clock())
        await pace.reached(slots.start)
        return None
