"""Who is there: people, their chats with the bot, and whether the bot may write to them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from local.teams.errors import ERRORS, Shape
from local.teams.people import Group, Person, renewed

if TYPE_CHECKING:
    from local.teams.records import Received

UNINSTALLED = "BotNotInConversationRoster"


@dataclass(slots=True, eq=False)
class Chat:
    """A conversation that the bot is, was or could be in.

    `refusal` is the error code that every request for the chat is refused with; None: the bot is installed.
    `shape` is the form of that error's body; None: whatever the stand-in uses. `activities` are what stands in the
    chat now, in the order in which it came; `sends` counts what was ever accepted, deleted or not.
    """

    id: str
    kind: Literal["personal", "groupChat", "channel"]
    app_id: str
    tenant_id: str
    members: tuple[Person, ...]
    refusal: str | None = UNINSTALLED
    shape: Shape | None = None
    generation: int = 0
    sends: int = 0
    activities: "dict[str, Received]" = field(default_factory=dict)

    @property
    def installed(self) -> bool:
        """Whether the bot may write here."""
        return self.refusal is None

    def member(self, name: str) -> Person | None:
        """Return the member with this Teams id, object id, user principal name or mail."""
        return next((person for person in self.members if person.answers_to(name)), None)


class Directory:
    """All chats, by conversation id and by bot and person."""

    def __init__(self) -> None:
        self._by_id: dict[str, Chat] = {}
        self._personal: dict[tuple[str, str], Chat] = {}
        self._by_teams_id: dict[str, Chat] = {}
        self._by_object_id: dict[tuple[str, str], list[Chat]] = {}

    def enrol(self, people: Iterable[Person], *, installed: bool = False) -> None:
        """Make people known. Somebody who is known already keeps their chat and only changes `installed`."""
        refusal = None if installed else UNINSTALLED
        for person in people:
            key = (person.app_id.lower(), person.object_id.lower())
            chat = self._personal.get(key)
            if chat is None:
                chat = Chat(person.conversation_id, "personal", person.app_id, person.tenant_id, (person,))
                self._personal[key] = self._by_id[chat.id] = self._by_teams_id[person.teams_id] = chat
                whose = (person.tenant_id.lower(), person.object_id.lower())
                self._by_object_id.setdefault(whose, []).append(chat)
            chat.refusal = refusal

    def enrol_group(self, group: Group) -> None:
        """Make a group chat or channel known, with the bot in it."""
        first = group.members[0]
        self._by_id[group.id] = Chat(group.id, group.kind, first.app_id, first.tenant_id, group.members, refusal=None)

    def refuse(self, person: Person | str, code: str | None, shape: Shape | None = None) -> None:
        """Refuse everything for this person's chat with an error code, or, with None, nothing.

        Raises LookupError for a person or a code that is not known.
        """
        if code is not None and code not in ERRORS:
            raise LookupError(f"Teams has no error code {code!r}")
        chat = self.find(person)
        chat.refusal, chat.shape = code, shape

    def renew(self, person: Person | str) -> str:
        """Lose the person's conversation: its id is unknown from now on; creating it again gives the returned one."""
        chat = self.find(person)
        del self._by_id[chat.id]
        chat.generation += 1
        chat.id = renewed(chat.members[0], chat.generation)
        self._by_id[chat.id] = chat
        return chat.id

    def chat(self, conversation_id: str) -> Chat | None:
        """Return the chat with this conversation id."""
        return self._by_id.get(conversation_id)

    def personal(self, app_id: str, tenant_id: str, member_id: str) -> Chat | None:
        """Return the chat of a bot with a person, by object id or `29:` id.

        Without an app id, which a bot on a laptop has none of, it is the chat with the only bot that the person has.
        """
        if not app_id:
            chats = self._by_object_id.get((tenant_id.lower(), member_id.lower()), ())
            return chats[0] if len(chats) == 1 else None
        chat = self._personal.get((app_id.lower(), member_id.lower())) or self._by_teams_id.get(member_id)
        if chat is None or chat.tenant_id.lower() != tenant_id.lower() or chat.app_id.lower() != app_id.lower():
            return None
        return chat

    def find(self, person: Person | str) -> Chat:
        """Return the person's chat; a string may be any of their ids and is looked for among the people of all bots.

        Raises LookupError for somebody who is not known.
        """
        if isinstance(person, Person):
            chat = self._personal.get((person.app_id.lower(), person.object_id.lower()))
        else:
            chat = next((c for c in self._personal.values() if c.members[0].answers_to(person)), None)
        if chat is None:
            raise LookupError("nobody by that name is enrolled")
        return chat

    def __iter__(self) -> Iterator[Chat]:
        return iter(self._by_id.values())
