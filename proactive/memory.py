"""What Teams tells of a person while a message is under way is kept in the person's row.

Where the person was found need not be looked for again, and who cannot be reached is not asked about again until that
person acts, or for a while. Of somebody whom no activity has told of, the row holds only what Teams has answered.
"""

import logging
from collections.abc import Callable

from proactive.service import Service
from proactive.store.conversations import Conversation
from proactive.store.errors import StorageError

log = logging.getLogger(__name__)

ABSENT = "notInstalled"

# Teams tells nobody when a person unblocks the bot or an administrator enables it again: now and then it is asked.
_REFUSAL_KEPT = 3600.0  # seconds
# To believe in an install that is not there costs one request, to overlook one costs a person.
_CLOCKS_APART = 5.0  # seconds by which Teams' clock may be behind ours


def refused(person: Conversation | None, now: float, *, asks: bool) -> str:
    """Return why a message to a person is not worth a request, or an empty string. `now`: seconds since the epoch.

    Somebody without a conversation can be reached where the service `asks` Teams for one.
    """
    if person is None or (person.conversation_id and not person.installed):
        return ABSENT
    if person.refusal and now - person.refused_at < _REFUSAL_KEPT:
        return person.refusal
    return "" if person.conversation_id or (asks and has_object_id(person.user)) else ABSENT


def has_object_id(user: str) -> bool:
    """Whether a person's key is an Entra object id, by which alone Teams creates conversations and Graph installs."""
    return not user.startswith("29:")


class Memory:
    """The row of the person to whom a message goes that begins now.

    What the person has done since the message began counts more than what Teams told of the time before.
    """

    def __init__(self, service: Service, bot: str, tenant: str, person: Conversation) -> None:
        self._conversations = service.conversations
        self._key = (bot, tenant, person.user)
        self._person = person
        self.began = service.clock()
        self._place = (person.conversation_id, person.service_url)  # as the row has it, as far as is known
        self._refused = ""  # what this message has found out

    async def look(self) -> Conversation | None:
        """Return what is known by now."""
        known = await self._conversations.get(*self._key)
        if known:
            self._place = (known.conversation_id, known.service_url)
        return known

    async def keep(self, conversation: str, service_url: str, *, created: bool = False) -> None:
        """Keep where the person was found, unless that is known or something newer is.

        That a conversation could be created shows that the bot is installed.
        """
        found, before = (conversation, service_url), self._place
        if not conversation or (found == before and not created):
            return

        def move(known: Conversation) -> bool:
            if (known.conversation_id, known.service_url) != before:
                return False
            if created:
                if not known.installed and known.installed_at > self.began:
                    return False
                known.installed, known.refusal = True, ""
                known.installed_at = max(known.installed_at, self.began - _CLOCKS_APART)
            known.conversation_id, known.service_url = found
            known.referenced_at = max(known.referenced_at, self.began - _CLOCKS_APART)
            return True

        self._place, self._refused = found, ""
        if await self._change(move) and not self._person.conversation_id:
            await self._seen()

    async def refuse(self, reason: str) -> None:
        """Keep why the person cannot be reached."""
        if reason == self._refused:
            return

        def refuse(known: Conversation) -> bool:
            if known.installed_at > self.began:
                return False
            if not known.conversation_id:
                known.installed = False
                known.refusal, known.refused_at = reason, self.began
            elif not known.installed:
                return False
            elif reason == ABSENT:
                known.installed = False
                known.installed_at = max(known.installed_at, self.began - _CLOCKS_APART)
            else:
                known.refusal, known.refused_at = reason, self.began
            return True

        self._refused = reason
        await self._change(refuse)

    async def forget_refusal(self) -> None:
        """Forget a refusal that is over."""

        def forget(known: Conversation) -> bool:
            if not known.refusal or known.refused_at > self.began:
                return False
            known.refusal = ""
            return True

        if self._person.refusal:
            await self._change(forget)

    async def _change(self, change: Callable[[Conversation], bool]) -> bool:
        # Whoever was known and is not any more was erased, and must not come back by this.
        known_only = bool(self._person.conversation_id)
        try:
            _, changed = await self._conversations.change(*self._key, change, known_only=known_only)
        except StorageError as error:
            # What became of the message is certain, and must not be lost over what was learnt by the way.
            log.warning("what Teams told of a person could not be kept: %s", type(error).__name__)
            return False
        return changed

    async def _seen(self) -> None:
        try:
            await self._conversations.seen_in(*self._key[:2])
        except StorageError as error:
            log.warning("that a bot is used in a tenant could not be kept: %s", type(error).__name__)
