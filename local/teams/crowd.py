"""People at work: they install the bot, write to it and press its buttons, and the bot's endpoint hears of it."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import aiohttp

from local.teams import activities, cards
from local.teams.activities import Activity
from local.teams.directory import UNINSTALLED
from local.teams.people import Group, Person
from local.teams.remote import RemoteTeams
from local.teams.server import TeamsStandIn

if TYPE_CHECKING:
    from local.teams.tokens import TokenIssuer

ENDPOINT = "http://localhost:7071/api/messages"
BOT_NAME = "Proactive"

InstallEvent = Literal["installationUpdate", "conversationUpdate"]
_BOTH: tuple[InstallEvent, ...] = ("installationUpdate", "conversationUpdate")

PATIENCE = 15.0
"""Seconds that Teams gives a bot, about, before it posts the activity again."""


@dataclass(frozen=True, slots=True)
class Posted:
    """An activity that was posted to the bot, and its answer: status, JSON body if any, and how long it took."""

    activity: Activity
    status: int
    body: Any
    seconds: float


class Crowd:
    """Acts for people against the bot's endpoint, as Teams does: `async with Crowd(teams) as crowd:`.

    Where an action changes something in Teams (an install), the stand-in `teams` learns of it first. `tokens` signs
    the activities; without it they carry no token. `at` is the activity's timestamp (with a time zone), now by default.
    `patience` is how long, in seconds, the bot may take for an answer.
    """

    def __init__(
        self,
        teams: TeamsStandIn | RemoteTeams,
        endpoint: str = ENDPOINT,
        *,
        bot_name: str = BOT_NAME,
        tokens: "TokenIssuer | None" = None,
        patience: float = PATIENCE,
    ) -> None:
        self._patience = aiohttp.ClientTimeout(total=patience)
        self._teams = teams
        self.endpoint = endpoint
        self._bot_name = bot_name
        self._issuer = tokens
        self._issued: dict[tuple[str, str, str], str] = {}
        self._message_ids: dict[str, int] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._patience, connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def install(
        self,
        person: Person,
        *,
        events: Sequence[InstallEvent] = _BOTH,
        at: datetime | None = None,
        group: Group | None = None,
    ) -> list[Posted]:
        """Install the bot. Teams tells it by one event or the other or both, in an order that cannot be relied on."""
        await _settled(self._teams.enrol_group(group) if group else self._teams.install(person))
        at = at or datetime.now(UTC)
        posted = []
        for place, event in enumerate(events):
            what = {"action": "add"} if event == "installationUpdate" else self._joined(person)
            later = at + timedelta(milliseconds=place)
            posted.append(await self.post(await self.activity(person, event, at=later, group=group, **what)))
        return posted

    async def uninstall(self, person: Person, code: str = UNINSTALLED, *, at: datetime | None = None) -> Posted:
        """Remove the bot. From then on its requests are refused with `code`."""
        await _settled(self._teams.uninstall(person, code))
        return await self.post(await self.activity(person, "installationUpdate", at=at, action="remove"))

    async def upgrade(
        self,
        person: Person,
        action: Literal["add-upgrade", "remove-upgrade"] = "add-upgrade",
        *,
        at: datetime | None = None,
    ) -> Posted:
        """Tell the bot that a new version of it comes, or that the old one goes. The bot stays installed."""
        return await self.post(await self.activity(person, "installationUpdate", at=at, action=action))

    async def write(
        self, person: Person, text: str, *, at: datetime | None = None, group: Group | None = None
    ) -> Posted:
        """Write a message to the bot, in the personal chat or in a group."""
        bot = {"id": f"28:{person.app_id}", "name": self._bot_name}
        fields = activities.text_fields(text, bot=bot, group=group)
        return await self.post(await self.activity(person, "message", at=at, group=group, **fields))

    async def end_of_conversation(self, person: Person, *, at: datetime | None = None) -> Posted:
        """End the conversation."""
        return await self.post(await self.activity(person, "endOfConversation", at=at, code="completedSuccessfully"))

    async def press(
        self,
        person: Person,
        title: str,
        inputs: Mapping[str, str] | None = None,
        *,
        message: Activity | None = None,
        at: datetime | None = None,
        group: Group | None = None,
    ) -> Posted:
        """Press the button with this title, on `message` or on the newest card in the chat that has it.

        Inputs that are not given keep the values they have on the card. Raises LookupError where there is no such
        button, and ValueError for inputs that a client would not let pass.
        """
        chat = group.id if group else await _settled(self._teams.conversation_id(person))
        there = [message] if message else reversed(await _settled(self._teams.in_chat(chat)))
        for activity in there:
            for card in cards.cards_in(activity):
                if button := cards.find_button(card, title):
                    filled = cards.values(button, inputs)
                    press = self.execute if button.action["type"] == "Action.Execute" else self.submit
                    return await press(person, activity, button.action, filled, at=at, group=group)
        raise LookupError(f"no card in the chat has a button {title!r}")

    async def submit(
        self,
        person: Person,
        message: Activity,
        action: Activity,
        inputs: Mapping[str, str] | None = None,
        *,
        at: datetime | None = None,
        group: Group | None = None,
    ) -> Posted:
        """Send what pressing an Action.Submit on this message sends, whether or not the button is still there."""
        text, value = cards.submission(action, inputs or {})
        fields: Activity = {"replyToId": message["id"]}
        if text is not None:
            fields |= {"text": text, "textFormat": "plain"}
        if value is not None:
            fields["value"] = value
        return await self.post(await self.activity(person, "message", at=at, group=group, **fields))

    async def execute(
        self,
        person: Person,
        message: Activity,
        action: Activity,
        inputs: Mapping[str, str] | None = None,
        *,
        at: datetime | None = None,
        group: Group | None = None,
    ) -> Posted:
        """Send what pressing an Action.Execute on this message sends; the body of the answer is the invoke response."""
        fields = {"name": "adaptiveCard/action", "value": activities.execution(action, dict(inputs or {}))}
        invoke = await self.activity(person, "invoke", at=at, group=group, replyToId=message["id"], **fields)
        return await self.post(invoke)

    async def activity(
        self, person: Person, kind: str, *, at: datetime | None = None, group: Group | None = None, **fields: object
    ) -> Activity:
        """Return an activity from this person, complete as Teams sends it, with these fields on top. Posts nothing."""
        at = at or datetime.now(UTC)
        chat = group.id if group else await self._conversation_id(person)
        built = activities.envelope(
            person,
            kind,
            at,
            service_url=self._teams.service_url,
            conversation_id=chat,
            bot_name=self._bot_name,
            group=group,
        )
        if kind == "message" and "value" not in fields:
            built["id"] = self._message_id(chat, at)
        return built | fields

    async def post(self, activity: Activity, *, token: str | None = None) -> Posted:
        """Post an activity, made here or by hand; the same one again is what Teams does when a bot is slow.

        Raises aiohttp.ClientError where the endpoint cannot be reached and TimeoutError where it takes too long.
        """
        if self._session is None:
            raise RuntimeError("a crowd acts only inside `async with`")
        token = token or self._token(activity)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        start = time.perf_counter()
        async with self._session.post(self.endpoint, json=activity, headers=headers) as response:
            is_json = response.content_type.endswith("json") and response.content_length != 0
            body = await response.json() if is_json else None
            return Posted(activity, response.status, body, time.perf_counter() - start)

    async def repeat(self, posted: Posted) -> Posted:
        """Post the very same activity again."""
        return await self.post(posted.activity)

    async def each[T](
        self, act: Callable[[Person], Awaitable[T]], people: Iterable[Person], *, at_once: int = 32
    ) -> list[T]:
        """Let many people act, so many of them at once; return the results in their order."""
        room = asyncio.Semaphore(at_once)

        async def one(person: Person) -> T:
            async with room:
                return await act(person)

        return await asyncio.gather(*(one(person) for person in people))

    def _joined(self, person: Person) -> Activity:
        return {"membersAdded": activities.members_added(person)}

    def _message_id(self, chat: str, at: datetime) -> str:
        # Milliseconds, unique within the chat only: two people may well write under the same id.
        number = max(int(at.timestamp() * 1000), self._message_ids.get(chat, 0) + 1)
        self._message_ids[chat] = number
        return str(number)

    def _token(self, activity: Activity) -> str | None:
        if self._issuer is None:
            return None
        to = (activity["recipient"]["id"].removeprefix("28:"), activity["serviceUrl"])
        # Signing takes a millisecond, so one token serves until the key changes.
        known = (*to, self._issuer.keys[-1].kid)
        if known not in self._issued:
            self._issued[known] = self._issuer.issue(*to)
        return self._issued[known]

    async def _conversation_id(self, person: Person) -> str:
        try:
            return await _settled(self._teams.conversation_id(person))
        except LookupError:
            return person.conversation_id


async def _settled[T](given: T | Awaitable[T]) -> T:
    """Return what the stand-in says, whether it is in this process or not."""
    return await given if inspect.isawaitable(given) else given
