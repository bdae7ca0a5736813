"""The rules of the Bot Connector: what is accepted, what is refused, and in which order it is looked at.

Nothing here knows of HTTP servers or injected faults, so the rules can be read, and tested, on their own.
"""

import json
import time
from typing import Literal, NamedTuple

from local.teams.directory import UNINSTALLED, Chat, Directory
from local.teams.errors import Answer, Shape, refuse
from local.teams.faults import Operation
from local.teams.limits import ROSTER_LIMITS, SEND_LIMITS, Ceiling, Clock, SlidingWindows, retry_after
from local.teams.payload import check_activity, read_create, utf16_bytes
from local.teams.people import Person
from local.teams.records import Records

RosterField = Literal["objectId", "aadObjectId"]


class Request(NamedTuple):
    """One request to the connector. `target` is the activity id or the member id at the end of the path."""

    operation: Operation
    conversation_id: str = ""
    target: str = ""
    body: bytes = b""


class Connector:
    """Answers requests by the documented rules and records what it accepts.

    Requests count against the ceiling of the bot in its tenant whatever becomes of them; against the limits of their
    conversation only if they get through. Updates and deletes count as sends.
    """

    def __init__(
        self,
        directory: Directory,
        records: Records,
        *,
        rate: float | None,
        burst: int,
        max_bytes: int,
        shape: Shape,
        roster_field: RosterField,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._records = records
        self._max_bytes = max_bytes
        self._shape: Shape = shape
        self._roster_field = roster_field
        self._clock = clock
        self._ceiling = Ceiling(rate, burst, clock) if rate else None
        self._sends = SlidingWindows(SEND_LIMITS, clock)
        self._creates = SlidingWindows(SEND_LIMITS, clock)
        self._rosters = SlidingWindows(ROSTER_LIMITS, clock)
        self._last_id = 0

    def locate(self, request: Request) -> Chat | None:
        """Return the chat that a request is about, if there is one."""
        if request.operation != "create":
            return self._directory.chat(request.conversation_id)
        wanted = read_create(request.body)
        if isinstance(wanted, str):
            return None
        return self._directory.personal(wanted.app_id, wanted.tenant_id, wanted.member_id)

    def throttle(self, chat: Chat) -> Answer | None:
        """Return a 429 where the bot has reached its ceiling in the chat's tenant."""
        if self._ceiling and (wait := self._ceiling.admit((chat.app_id, chat.tenant_id))):
            self._records.throttled("ceiling")
            return self._refuse("Throttled", after=wait)
        return None

    def perform(self, request: Request, chat: Chat | None) -> Answer:
        """Answer a request for the chat that `locate` found."""
        if request.operation == "create":
            return self._create(request, chat)
        if chat is None:
            return self._refuse("ConversationNotFound")
        if chat.refusal is not None:
            return self._refuse(chat.refusal, shape=chat.shape)
        match request.operation:
            case "send" | "update":
                return self._write(request, chat)
            case "delete":
                return self._delete(request, chat)
            case "member" | "members":
                return self._roster(request, chat)

    def forget_rates(self) -> None:
        """Start counting requests against the limits from nothing."""
        for limit in (self._sends, self._creates, self._rosters):
            limit.clear()
        if self._ceiling:
            self._ceiling.clear()

    def _write(self, request: Request, chat: Chat) -> Answer:
        body = request.body
        # No character takes more bytes in UTF-16 than twice what it takes in UTF-8.
        if len(body) * 2 > self._max_bytes and utf16_bytes(body) > self._max_bytes:
            return self._refuse("MessageSizeTooBig")
        if wrong := check_activity(body, chat.app_id):
            return self._refuse("BadArgument", wrong)
        if request.operation == "update" and request.target not in chat.activities:
            return self._refuse("ActivityNotFoundInConversation")
        if wait := self._sends.admit(chat):
            return self._too_fast(wait)
        if request.operation == "update":
            taken = self._records.took(self._clock(), "update", chat.id, request.target, body)
            chat.activities[request.target] = taken
            return Answer(200, b'{"id": "%s"}' % request.target.encode())
        activity_id = self._next_id()
        taken = self._records.took(self._clock(), "send", chat.id, activity_id, body)
        chat.activities[activity_id] = taken
        chat.sends += 1
        self._records.stats.accepted += 1
        return Answer(201, b'{"id": "%s"}' % activity_id.encode())

    def _delete(self, request: Request, chat: Chat) -> Answer:
        if request.target not in chat.activities:
            return self._refuse("ActivityNotFoundInConversation")
        if wait := self._sends.admit(chat):
            return self._too_fast(wait)
        del chat.activities[request.target]
        self._records.took(self._clock(), "delete", chat.id, request.target, None)
        return Answer(200)

    def _create(self, request: Request, chat: Chat | None) -> Answer:
        wanted = read_create(request.body)
        if isinstance(wanted, str):
            return self._refuse("BadArgument", wanted)
        if chat is None or chat.refusal == UNINSTALLED:
            return self._refuse("ForbiddenOperationException", shape=chat.shape if chat else None)
        if chat.refusal is not None:
            return self._refuse(chat.refusal, shape=chat.shape)
        if wait := self._creates.admit(chat):
            return self._too_fast(wait)
        return Answer(201, json.dumps({"id": chat.id}).encode())

    def _roster(self, request: Request, chat: Chat) -> Answer:
        if wait := self._rosters.admit(chat):
            return self._too_fast(wait)
        if request.operation == "members":
            return Answer(200, json.dumps([self._account(person) for person in chat.members]).encode())
        member = chat.member(request.target)
        if member is None:
            return self._refuse("MemberNotFoundInConversation")
        return Answer(200, json.dumps(self._account(member)).encode())

    def _account(self, person: Person) -> dict[str, str]:
        account = {
            "id": person.teams_id,
            self._roster_field: person.object_id,
            "givenName": person.given_name,
            "surname": person.surname,
            "name": person.name,
            "email": person.mail,
            "userPrincipalName": person.upn,
            "tenantId": person.tenant_id,
            "userRole": person.role,
        }
        return {name: value for name, value in account.items() if value}

    def _too_fast(self, wait: float) -> Answer:
        self._records.throttled("conversation")
        return self._refuse("Throttled", after=wait)

    def _refuse(
        self, code: str, message: str | None = None, *, shape: Shape | None = None, after: float | None = None
    ) -> Answer:
        seconds = None if after is None else retry_after(after)
        return refuse(code, message, shape=shape or self._shape, retry_after=seconds)

    def _next_id(self) -> str:
        self._last_id = max(self._last_id + 1, int(time.time() * 1000))
        return str(self._last_id)
