"""The fake people: who they are to Entra, and what one bot knows them as."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Literal, Self

CONTOSO = "5f2c1f4e-8a0b-4d57-9a3c-6a0f5f0d9b11"
BOT = "0d6f3c52-77b1-4b0e-9d0a-2f1f6f6a4c33"

# fmt: off
_GIVEN = (
    "Ada", "Alan", "Anita", "Barbara", "Claude", "Edsger", "Fran", "Grace", "Hedy", "Jean", "Joan", "Katherine",
    "Leslie", "Lynn", "Margaret", "Niklaus", "Radia", "Robin", "Shafi", "Vint",
)
_SURNAMES = (
    "Allen", "Backus", "Bartik", "Borg", "Cerf", "Codd", "Conway", "Floyd", "Hamilton", "Hoare", "Hopper", "Johnson",
    "Kay", "Knuth", "Lamport", "Liskov", "Lovelace", "Perlman", "Spärck", "Turing",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Person:
    """One human, as one bot sees them.

    `object_id` is the Entra object id. `teams_id` (`29:…`) and `conversation_id` (`a:1…`, the personal chat) belong to
    the pair of bot and human: the same human seen by another bot is another Person with the same `object_id`.
    `mail` and `upn` may be empty.
    """

    object_id: str
    teams_id: str
    conversation_id: str
    name: str
    mail: str
    upn: str
    tenant_id: str = CONTOSO
    app_id: str = BOT
    role: Literal["user", "guest"] = "user"

    @classmethod
    def numbered(cls, index: int, *, tenant_id: str = CONTOSO, app_id: str = BOT) -> Self:
        """Return the person with this number: always the same one."""
        given = _GIVEN[index % len(_GIVEN)]
        surname = _SURNAMES[index // len(_GIVEN) % len(_SURNAMES)]
        local = f"{given}.{surname}".lower().replace("ä", "ae")
        return cls(
            object_id=_guid(f"{tenant_id}/{index}"),
            teams_id=_teams_id(f"{app_id}/{tenant_id}/{index}"),
            conversation_id=_conversation_id(f"{app_id}/{tenant_id}/{index}"),
            name=f"{given} {surname}",
            mail=f"{local}.{index}@contoso.com",
            upn=f"{local[0]}{index}@contoso.onmicrosoft.com",
            tenant_id=tenant_id,
            app_id=app_id,
        )

    @classmethod
    def named(
        cls,
        name: str,
        *,
        object_id: str | None = None,
        mail: str | None = None,
        upn: str | None = None,
        tenant_id: str = CONTOSO,
        app_id: str = BOT,
        role: Literal["user", "guest"] = "user",
    ) -> Self:
        """Return somebody of your own making; what is left out follows from the name."""
        local = ".".join(name.lower().split())
        object_id = object_id or _guid(f"{tenant_id}/{name}")
        mail = f"{local}@contoso.com" if mail is None else mail
        return cls(
            object_id=object_id,
            teams_id=_teams_id(f"{app_id}/{tenant_id}/{object_id}"),
            conversation_id=_conversation_id(f"{app_id}/{tenant_id}/{object_id}"),
            name=name,
            mail=mail,
            upn=mail if upn is None else upn,
            tenant_id=tenant_id,
            app_id=app_id,
            role=role,
        )

    @property
    def given_name(self) -> str:
        """The first word of the name."""
        return self.name.partition(" ")[0]

    @property
    def surname(self) -> str:
        """The name without its first word."""
        return self.name.partition(" ")[2]

    def answers_to(self, name: str) -> bool:
        """Tell whether this is the object id, Teams id, user principal name or mail address of the person."""
        name = name.casefold()
        return name != "" and name in {
            self.object_id.casefold(),
            self.teams_id.casefold(),
            self.upn.casefold(),
            self.mail.casefold(),
        }


@dataclass(frozen=True, slots=True)
class Group:
    """A group chat or a channel that the bot is in, with the people of its roster."""

    id: str
    kind: Literal["groupChat", "channel"]
    name: str
    members: tuple[Person, ...]

    @classmethod
    def of(cls, name: str, kind: Literal["groupChat", "channel"], *members: Person) -> Self:
        """Return the group chat or channel with this name; there must be at least one member."""
        thread = hashlib.shake_128(f"{kind}/{name}".encode()).hexdigest(16)
        return cls(f"19:{thread}@thread.{'v2' if kind == 'groupChat' else 'tacv2'}", kind, name, members)


def people(count: int, *, start: int = 0, tenant_id: str = CONTOSO, app_id: str = BOT) -> list[Person]:
    """Return so many people, numbered from `start`."""
    return [Person.numbered(i, tenant_id=tenant_id, app_id=app_id) for i in range(start, start + count)]


def renewed(person: Person, generation: int) -> str:
    """Return the conversation id that replaces the person's chat when it was lost for the n-th time."""
    return _conversation_id(f"{person.conversation_id}/{generation}")


def _guid(of: str) -> str:
    h = hashlib.shake_128(of.encode()).hexdigest(16)
    # Version 4, variant 1: strict GUID parsers look.
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


def _teams_id(of: str) -> str:
    return "29:1" + base64.urlsafe_b64encode(hashlib.shake_128(b"29" + of.encode()).digest(48)).decode()


def _conversation_id(of: str) -> str:
    return "a:1" + base64.urlsafe_b64encode(hashlib.shake_128(b"a" + of.encode()).digest(72)).decode()
