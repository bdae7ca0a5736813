"""What Teams tells us: installs, activity and names are kept, per bot, tenant and person.

botbuilder dispatches the activities (its `TeamsActivityHandler`); only this module imports it. Whatever the bot has to
do in Teams after an activity goes on the queue `errands`, so that the endpoint answers at once.
"""

import logging
import re
from collections.abc import Callable
from typing import Any

from botbuilder.core import BotAdapter, TurnContext
from botbuilder.core.teams import TeamsActivityHandler
from botbuilder.schema import Activity, ConversationReference, ResourceResponse

from proactive.content import CARD_TYPE, MESSAGE_TYPE
from proactive.errands import REPLY, ROSTER
from proactive.marks import read
from proactive.problems import FieldError, ProblemError
from proactive.relay import wake
from proactive.respond import Given, respond
from proactive.service import Service
from proactive.settings import Bot
from proactive.store.account import ERRANDS
from proactive.store.conversations import Conversation
from proactive.store.persons import user_key
from proactive.updates import Card, shown_card

log = logging.getLogger(__name__)

_REMEMBERED = 16  # activities of a person by whose ids a repeated one is told
_ROSTER_KEPT = 600.0  # seconds for which a look at the roster counts
_TAKEN = ("message", "installationUpdate", "conversationUpdate", "endOfConversation", "invoke")
_TENANT = re.compile(r"[A-Za-z0-9.-]{0,64}")  # a GUID in Teams; it becomes part of a key
_LONGEST = 512  # characters of an id or name that an activity may bring


class _MalformedError(Exception):
    """An activity is not one; the text says why."""


async def take(service: Service, bot: Bot, body: dict[str, Any], *, ours: bool = True) -> tuple[int, Any]:
    """Take an activity in and return the status and body of the answer. Raises `ProblemError` 400.

    With `ours` false another bot answers it: what it tells is kept, and nothing is said.
    """
    try:
        activity = Activity().deserialize(body)
        who = _who(body)
        _check(body)
    except Exception as error:
        # msrest raises what it likes on values of a wrong type; none of it is worth a 500.
        why = str(error) if isinstance(error, _MalformedError) else "It is no activity as Teams sends them."
        raise ProblemError(400, "The activity is not valid.", [FieldError("", why)]) from None
    if activity.channel_id != "msteams":
        raise ProblemError(400, "Only activities of Microsoft Teams are taken.", [FieldError("/channelId", "msteams")])
    if who is None:
        # Group chats, channels and what has no sender: nothing that a proactive message could use.
        return 200, None
    if activity.type not in _TAKEN:
        return 200, None
    handler = _Handler(service, bot, *who, ours=ours)
    await handler.on_turn(TurnContext(_Queueing(service, bot, who[0]), activity))
    return handler.answer


def _who(body: dict[str, Any]) -> tuple[str, str, str] | None:
    """Return the tenant, person and conversation of a personal chat, or None where an activity is of no such.

    Read from the activity as it came: botbuilder's schema drops `conversation.tenantId`.
    """
    conversation, sender = body.get("conversation"), body.get("from")
    if not isinstance(conversation, dict) or not isinstance(sender, dict):
        return None
    if conversation.get("conversationType", "personal") != "personal" or conversation.get("isGroup"):
        return None
    tenant = conversation.get("tenantId") or ((body.get("channelData") or {}).get("tenant") or {}).get("id") or ""
    person, chat = sender.get("aadObjectId") or sender.get("id"), conversation.get("id")
    if not person or not chat:
        return None
    if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
        raise _MalformedError("The id of its tenant is malformed.")
    for text in (tenant, person, chat, body.get("serviceUrl"), sender.get("id"), sender.get("name") or ""):
        if not isinstance(text, str) or len(text) > _LONGEST:
            raise _MalformedError(f"Its ids, names and serviceUrl should be texts of at most {_LONGEST} characters.")
    return tenant.lower(), user_key(person), chat


def _check(body: dict[str, Any]) -> None:
    """Raise for what botbuilder's dispatch would stumble over."""
    if not body.get("type") or not isinstance(body["type"], str):
        raise _MalformedError("It should have a type.")
    accounts = [body.get(name) or [] for name in ("membersAdded", "membersRemoved")]
    if not all(isinstance(members, list) for members in accounts) or not isinstance(
        body.get("channelData") or {}, dict
    ):
        raise _MalformedError("Its members should be a list, and its channelData an object.")
    if not all(isinstance(member, dict) for members in accounts for member in members):
        raise _MalformedError("Its members should be accounts.")


class _Queueing(BotAdapter):  # type: ignore[misc] # botbuilder is untyped
    """What a turn sends goes on the queue `errands`: nothing is sent while Teams waits for our answer."""

    def __init__(self, service: Service, bot: Bot, tenant: str) -> None:
        super().__init__()
        self._service = service
        self._bot = bot
        self._tenant = tenant

    async def send_activities(self, context: TurnContext, activities: list[Activity]) -> list[ResourceResponse]:
        """Queue texts for the conversation of the turn."""
        reference = TurnContext.get_conversation_reference(context.activity)
        for activity in activities:
            await self._service.account.put(
                ERRANDS,
                {
                    "kind": REPLY,
                    "bot": self._bot.name,
                    "tenant": self._tenant,
                    "serviceUrl": reference.service_url,
                    "conversation": reference.conversation.id,
                    "text": activity.text,
                },
            )
        return [ResourceResponse() for _ in activities]

    async def update_activity(self, context: TurnContext, activity: Activity) -> ResourceResponse:  # noqa: ARG002
        """Refuse: no turn changes a message."""
        raise TypeError("a turn changes no message")

    async def delete_activity(self, context: TurnContext, reference: ConversationReference) -> None:  # noqa: ARG002
        """Refuse: no turn deletes a message."""
        raise TypeError("a turn deletes no message")


class _Handler(TeamsActivityHandler):  # type: ignore[misc] # botbuilder is untyped
    """Keeps what one activity of a personal chat tells."""

    def __init__(self, service: Service, bot: Bot, tenant: str, user: str, conversation: str, *, ours: bool) -> None:
        self._service = service
        self._bot = bot
        self._tenant = tenant
        self._user = user
        self._conversation = conversation
        self._ours = ours
        self.answer: tuple[int, Any] = (200, None)

    async def on_message_activity(self, turn_context: TurnContext) -> None:
        """Keep that the person wrote; answer with one line, since nobody reads it."""
        if turn_context.activity.value is not None:
            # A button of a card, not the person's own words: it makes no chat active.
            if self._ours:
                await self._answered(turn_context)
            else:
                await self._keep(turn_context.activity, _nothing_else)
            return

        def wrote(known: Conversation, at: float) -> None:
            known.last_message_at = max(known.last_message_at, at)

        if await self._keep(turn_context.activity, wrote) and self._ours and self._service.settings.reply_text:
            await turn_context.send_activity(self._service.settings.reply_text)

    async def on_installation_update(self, turn_context: TurnContext) -> None:
        """Keep whether the bot is installed; `remove-upgrade` is half of an upgrade and changes nothing."""
        action = turn_context.activity.action
        if action in ("add", "add-upgrade"):
            await self._installed(turn_context.activity)
        elif action == "remove":
            await self._removed(turn_context.activity)

    async def on_conversation_update_activity(self, turn_context: TurnContext) -> None:
        """Keep the install that a bot's joining is, where Teams sends no `installationUpdate` (it may send either)."""
        activity = turn_context.activity
        me = activity.recipient.id if activity.recipient else None
        if any(member.id == me for member in activity.members_added or []):
            await self._installed(activity)
        elif any(member.id == me for member in activity.members_removed or []):
            await self._removed(activity)
        elif not activity.members_removed:
            await self._keep(activity, _nothing_else)

    async def on_end_of_conversation_activity(self, turn_context: TurnContext) -> None:
        """Keep that the chat is over, and let go what was postponed until then."""

        def ended(known: Conversation, at: float) -> None:
            known.idle_at = max(known.idle_at, at)

        if await self._keep(turn_context.activity, ended):
            await wake(self._service, self._bot.name, self._tenant, self._user)

    async def _answered(self, turn_context: TurnContext) -> None:
        """Keep the answer that a pressed `Action.Submit` is, and have the card replaced.

        The activity is noted as seen last of all: until then Teams may repeat it, and nothing of this counts twice.
        """
        activity = turn_context.activity
        shown = await respond(self._service, self._given(activity, activity.value))
        new = await self._keep(activity, _nothing_else)
        if new and not shown.send:
            await turn_context.send_activity(shown.notice)

    async def on_invoke_activity(self, turn_context: TurnContext) -> None:
        """Keep the answer that an `Action.Execute` is; the card that replaces it goes back in the answer itself."""
        activity = turn_context.activity
        value = activity.value if isinstance(activity.value, dict) else {}
        action = value.get("action")
        if activity.name != "adaptiveCard/action" or not isinstance(action, dict):
            detail = "This bot knows no such invoke: adaptiveCard/action with an action is."
            raise ProblemError(400, "The activity is not valid.", [FieldError("/name", detail)])
        shown = await respond(self._service, self._given(activity, action.get("data")))
        if shown.send is None:
            self.answer = 200, {"statusCode": 200, "type": MESSAGE_TYPE, "value": shown.notice}
            return
        self.answer = 200, {"statusCode": 200, "type": CARD_TYPE, "value": shown_card(shown.send, shown.instead)}

    def _given(self, activity: Activity, value: Any) -> Given:
        return Given(
            bot=self._bot.name,
            tenant=self._tenant,
            user=self._user,
            name=activity.from_property.name or "",
            card=Card(activity.service_url, self._conversation, activity.reply_to_id or ""),
            answer=read(value),
        )

    async def _installed(self, activity: Activity) -> None:
        await self._keep(activity, _nothing_else, install=True)

    async def _removed(self, activity: Activity) -> None:
        def removed(known: Conversation, at: float) -> None:
            known.asked_at = 0.0  # names may have changed by the next install
            if at >= known.installed_at:
                known.installed, known.installed_at = False, at

        await self._keep(activity, removed, present=False)

    async def _keep(
        self,
        activity: Activity,
        change: Callable[[Conversation, float], None],
        *,
        present: bool = True,
        install: bool = False,
    ) -> bool:
        """Write what an activity tells, once; return whether it was new.

        Who installs the bot, or is met for the first time, is looked up in the roster. That goes on its queue before
        anything is written, so that a failure leaves the activity as one that Teams may repeat.

        What is kept only moves forward by the activities' own timestamps, so that an older one that comes late
        overwrites nothing newer. Whatever comes from a person in a chat with the bot shows that the bot is there.
        """
        at = _moment(activity, self._service.clock())
        name = (activity.from_property.name or "").strip()
        former = ""
        ask = False

        async def ask_roster() -> None:
            if ask:
                await self._ask_roster(activity)

        def keep(known: Conversation) -> bool:
            nonlocal former, ask
            former, now = known.name, self._service.clock()
            # An install comes as several activities: one look is enough.
            ask = present and (install or not known.member_id) and now - known.asked_at > _ROSTER_KEPT
            seen = known.seen.split()
            identity = f"{activity.type}:{activity.id}".replace(" ", "_") if activity.id else ""
            if identity in seen:
                return False
            known.seen = " ".join([*seen, identity][-_REMEMBERED:])
            if present:
                # Whoever unblocks the bot may write next. Forgotten too early, a refusal costs one request.
                known.refusal = ""
                if at >= known.installed_at:
                    known.installed, known.installed_at = True, at
                if at >= known.referenced_at:
                    known.conversation_id, known.service_url = self._conversation, activity.service_url
                    known.member_id = activity.from_property.id or ""
                    known.bot_id = (activity.recipient.id if activity.recipient else "") or ""
                    known.referenced_at = at
                    known.name = name or known.name
            known.asked_at = now if ask else known.asked_at
            change(known, at)
            return True

        known, new = await self._service.conversations.change(
            self._bot.name, self._tenant, self._user, keep, ask_roster
        )
        if new:
            await self._service.conversations.seen_in(self._bot.name, self._tenant)
            if known.name != former:
                await self._service.conversations.learn_aliases(
                    self._bot.name, self._tenant, self._user, {"name": known.name}, {"name": former}
                )
        return new

    async def _ask_roster(self, activity: Activity) -> None:
        await self._service.account.put(
            ERRANDS,
            {
                "kind": ROSTER,
                "bot": self._bot.name,
                "tenant": self._tenant,
                "user": self._user,
                "serviceUrl": activity.service_url,
                "conversation": self._conversation,
                "member": activity.from_property.id or self._user,
            },
        )


def _nothing_else(_known: Conversation, _at: float) -> None:
    """Change no more than what every activity of a person changes."""


def _moment(activity: Activity, now: float) -> float:
    """Return when an activity happened. A clock that runs ahead must not outrun what comes after it."""
    return min(activity.timestamp.timestamp(), now) if activity.timestamp else now
