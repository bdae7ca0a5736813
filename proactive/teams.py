"""The Bot Connector of Teams: one pooled client for the whole process, and a verdict for every answer.

botbuilder's own sending builds credentials, an MSAL app, a pipeline and a connection for every message
(docs/decisions/0004); here a message is one HTTP request on a connection that stays.
"""

import json
import logging
import time
from collections.abc import Collection
from typing import Any, NamedTuple
from urllib.parse import quote

from proactive import telemetry
from proactive.hosts import check_service_url
from proactive.settings import Bot
from proactive.tokens import BotCredentials, TokenError, Tokens
from proactive.verdicts import Kind, Verdict, judge
from proactive.wire import LostError, NotWrittenError, Wire, origin

log = logging.getLogger(__name__)
_UNAUTHORIZED = 401
_COMPLAINT_EVERY = 30.0  # seconds
_JSON = "Content-Type: application/json\r\n"


class Presence(NamedTuple):
    """A bot in a tenant: what Teams' ceiling is for."""

    bot: Bot
    tenant: str


class _Asked(NamedTuple):
    method: str
    service_url: str
    path: str
    body: bytes | None


class Teams:
    """Speaks to the Bot Connector for all bots of this deployment."""

    def __init__(self, tokens: Tokens, hosts: Collection[str], *, allow_loopback: bool, clock: Any) -> None:
        self._tokens = tokens
        self._hosts = hosts
        self._allow_loopback = allow_loopback
        self._clock = clock
        self._wire = Wire()
        self._complained_at = 0.0

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    async def send(self, who: Presence, service_url: str, conversation: str, activity: bytes) -> Verdict:
        """Post an activity, given as JSON, to a conversation."""
        path = f"v3/conversations/{quote(conversation, safe=':@')}/activities"
        verdict, _ = await self._call(who, "POST", service_url, path, activity)
        return verdict

    async def create(self, who: Presence, service_url: str, object_id: str, bot_id: str = "") -> tuple[Verdict, str]:
        """Create the personal conversation with a person, or find it: there is one for each bot and person.

        `bot_id` (28:…) counts for a bot without an app id of its own, as local ones are, where an activity has told it.
        Delivered means there it is.
        """
        wanted = {
            "bot": {"id": (not who.bot.app_id and bot_id) or f"28:{who.bot.app_id}"},
            "members": [{"id": object_id}],
            "channelData": {"tenant": {"id": who.tenant}},
            "tenantId": who.tenant,
            "isGroup": False,
        }
        body = json.dumps(wanted).encode()
        verdict, _ = await self._call(who, "POST", service_url, "v3/conversations", body)
        if verdict.kind is Kind.DELIVERED and not verdict.message_id:
            return Verdict(Kind.RETRY, "unreadable conversation"), ""
        return verdict, verdict.message_id

    async def update(
        self, who: Presence, service_url: str, conversation: str, message: str, activity: bytes
    ) -> Verdict:
        """Replace a message by an activity, given as JSON."""
        path = f"v3/conversations/{quote(conversation, safe=':@')}/activities/{quote(message, safe=':@')}"
        verdict, _ = await self._call(who, "PUT", service_url, path, activity)
        return verdict

    async def delete(self, who: Presence, service_url: str, conversation: str, message: str) -> Verdict:
        """Delete a message."""
        path = f"v3/conversations/{quote(conversation, safe=':@')}/activities/{quote(message, safe=':@')}"
        verdict, _ = await self._call(who, "DELETE", service_url, path, None)
        return verdict

    async def member(self, who: Presence, service_url: str, conversation: str, member: str) -> dict[str, Any] | Verdict:
        """Return a member of a conversation's roster (`member` is a 29: id, object id or principal name)."""
        path = f"v3/conversations/{quote(conversation, safe=':@')}/members/{quote(member, safe=':@')}"
        verdict, body = await self._call(who, "GET", service_url, path, None)
        if verdict.kind is not Kind.DELIVERED:
            return verdict
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        return found if isinstance(found, dict) else Verdict(Kind.REFUSED, "unreadable roster")

    async def _call(
        self, who: Presence, method: str, service_url: str, path: str, body: bytes | None
    ) -> tuple[Verdict, bytes]:
        """Make one request, and a second one with a fresh token where Teams does not know the first one's any more.

        A token goes to allow-listed hosts only: asked here as well, at the time of use.
        """
        if not check_service_url(service_url, self._hosts, self._allow_loopback):
            return Verdict(Kind.REFUSED, "serviceUrlNotAllowed"), b""
        asked, bot = _Asked(method, service_url, path, body), who.bot
        credentials = BotCredentials(bot.app_id, bot.app_type, bot.tenant_id, bot.password) if bot.app_id else None
        if credentials is None:
            _, verdict, said = await self._request(who, asked, _JSON)
            return verdict, said
        token = ""
        while True:
            try:
                former, token = token, await self._tokens.bot_token(credentials)
            except TokenError as error:
                self._complain(f"no token for bot {bot.name}: {error}")
                return Verdict(Kind.RETRY, "noToken"), b""
            fields = f"{_JSON}Authorization: Bearer {token}\r\n"
            status, verdict, said = await self._request(who, asked, fields)
            if status != _UNAUTHORIZED or former:
                return verdict, said
            self._tokens.forget(credentials)

    async def _request(self, who: Presence, asked: _Asked, fields: str) -> tuple[int, Verdict, bytes]:
        """Make one request; return its status (0 for none), what it means, and what was said."""
        began, status = time.monotonic(), 0
        try:
            status, told, said = await self._wire.request(
                origin(asked.service_url), asked.method, asked.path, fields, asked.body
            )
        except NotWrittenError as error:
            return 0, Verdict(Kind.RETRY, str(error)), b""
        except LostError as error:
            return 0, Verdict(Kind.DOUBT, str(error)), b""
        finally:
            telemetry.asked_teams(time.monotonic() - began, status, who.bot.name, who.tenant)
        return status, judge(status, told, said, self._clock()), said

    def _complain(self, sentence: str) -> None:
        """Log an error that every message of a broadcast would meet, once in a while only."""
        now = self._clock()
        if now - self._complained_at > _COMPLAINT_EVERY:
            self._complained_at = now
            log.error("%s", sentence)
