"""A tenant as Entra ID has it: its people, groups within groups, teams, and who has which app."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from local.teams.people import BOT, CONTOSO, Person, people

TEAMS_APP = "6c1e2a70-6f0f-4d6e-8c1f-8a8f4f0a7b21"  # the id in the catalogue
MANIFEST = "b7a9d5de-1c7f-4a68-b1c4-2f8f3f1f9d10"  # the id in the manifest


@dataclass(frozen=True, slots=True)
class User:
    """One account. `mail` may be empty."""

    id: str
    name: str
    mail: str
    upn: str
    enabled: bool = True
    guest: bool = False


@dataclass(slots=True)
class GraphGroup:
    """A group, or, with `team`, a Microsoft 365 group that has a team. `members` are ids of people and of groups."""

    id: str
    name: str
    mail: str = ""
    team: bool = False
    members: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TeamsApp:
    """An app in the tenant's catalogue: its id there, the id in its manifest, and the bot that it brings."""

    id: str = TEAMS_APP
    manifest_id: str = MANIFEST
    bot: str = BOT


class Organisation:
    """All that Graph knows about one tenant.

    `blocked` holds the ids of people whom a policy forbids the apps, `installed` the installation of each person and
    app.
    """

    def __init__(self, tenant: str = CONTOSO, apps: Iterable[TeamsApp] = (TeamsApp(),)) -> None:
        self.tenant = tenant
        self.users: dict[str, User] = {}
        self.groups: dict[str, GraphGroup] = {}
        self.apps = {app.id: app for app in apps}
        self.blocked: set[str] = set()
        self.installed: dict[tuple[str, str], str] = {}
        self._indexes: dict[str, dict[str, list[User]]] = {}

    def enrol(self, people: Iterable[Person], *, enabled: bool = True) -> None:
        """Make people known, or change those who are."""
        for person in people:
            one = User(person.object_id.lower(), person.name, person.mail, person.upn, enabled, person.role == "guest")
            self.users[one.id] = one
        self._indexes.clear()

    def remove(self, person: Person) -> None:
        """Delete an account, from its groups as well."""
        gone = person.object_id.lower()
        del self.users[gone]
        for group in self.groups.values():
            group.members = [member for member in group.members if member != gone]
        self._indexes.clear()

    def group(self, name: str, *members: Person | GraphGroup, mail: str = "", team: bool = False) -> GraphGroup:
        """Make a group of people and of groups; the same name in the same tenant has the same id every time."""
        ids = [member.object_id.lower() if isinstance(member, Person) else member.id for member in members]
        made = GraphGroup(str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.tenant}/{name}/{mail}")), name, mail, team, ids)
        self.groups[made.id] = made
        return made

    def user(self, name: str) -> User | None:
        """Return the person with this object id or user principal name."""
        return self.users.get(name.lower()) or next(
            iter(self.index("userPrincipalName").get(name.casefold(), ())), None
        )

    def index(self, field_name: str) -> dict[str, list[User]]:
        """Return all people by `userPrincipalName`, `mail` or `displayName`, in folded case: Graph compares so."""
        index = self._indexes.get(field_name)
        if index is None:
            index = self._indexes[field_name] = {}
            attribute = {"userPrincipalName": "upn", "mail": "mail", "displayName": "name"}[field_name]
            for user in self.users.values():
                index.setdefault(str(getattr(user, attribute)).casefold(), []).append(user)
        return index

    def people_of(self, group: GraphGroup, *, repeats: bool) -> Iterator[User]:
        """Return everybody in a group and the groups in it: once, or with `repeats` once for each way there."""
        seen: set[str] = set()
        path: set[str] = set()

        def walk(group: GraphGroup) -> Iterator[User]:
            path.add(group.id)
            for member in group.members:
                if member in self.users:
                    if repeats or member not in seen:
                        seen.add(member)
                        yield self.users[member]
                elif member in self.groups and member not in path and (repeats or member not in seen):
                    seen.add(member)
                    yield from walk(self.groups[member])
            path.discard(group.id)

        return walk(group)


@dataclass(frozen=True, slots=True)
class Sample:
    """An organisation with everything in it that is awkward: see `sample`."""

    organisation: Organisation
    people: list[Person]
    everyone: GraphGroup
    team: GraphGroup
    namesakes: tuple[Person, Person]
    one_mail: tuple[Person, Person]
    disabled: Person
    guest: Person
    quoted: Person

    @property
    def everybody(self) -> list[Person]:
        """All of them."""
        return [*self.people, *self.namesakes, *self.one_mail, self.disabled, self.guest, self.quoted]


def sample(count: int = 60, *, tenant: str = CONTOSO, app_id: str = BOT) -> Sample:
    """Return an organisation of so many numbered people and some awkward ones; nobody has the app.

    `everyone`  a group of three overlapping groups, one of them within another: all numbered people, the disabled one
                and the guest
    `team`      a team of every fifth of the numbered people and the guest
    `namesakes` two people of one display name; `one_mail` two people with one mail address
    `disabled`  an account that may not sign in; `guest` one of another tenant; `quoted` one with a quote in each name
    """
    made = Organisation(tenant, (TeamsApp(bot=app_id),))
    numbered = people(count, tenant_id=tenant, app_id=app_id)

    def named(name: str, local: str, mail: str | None = None, *, guest: bool = False) -> Person:
        upn = f"{local}@contoso.onmicrosoft.com"
        address = f"{local}@contoso.com" if mail is None else mail
        return Person.named(
            name, mail=address, upn=upn, object_id=_id(tenant, local), tenant_id=tenant, app_id=app_id,
            role="guest" if guest else "user",
        )  # fmt: skip

    namesakes = (named("Sam Smith", "sam.smith"), named("Sam Smith", "sam.smith2"))
    one_mail = (named("Sales North", "north", "sales@contoso.com"), named("Sales South", "south", "sales@contoso.com"))
    guest = named("Gus Guest", "gus_fabrikam.com#EXT#", "gus@fabrikam.com", guest=True)
    disabled, quoted = named("Dora Gone", "dora.gone"), named("Sinéad O'Brien", "s.o'brien")
    made.enrol([*numbered, *namesakes, *one_mail, guest, quoted])
    made.enrol([disabled], enabled=False)
    third = -(-count // 3)
    north = made.group("North", *numbered[: third + 2], disabled)
    south = made.group("South", *numbered[third : 2 * third + 2], north, guest)
    west = made.group("West", *numbered[2 * third :], *numbered[:5])
    everyone = made.group("Everyone", south, west, *numbered[:3], mail="everyone@contoso.com")
    team = made.group("Orders", *numbered[::5], guest, mail="orders@contoso.com", team=True)
    return Sample(made, numbered, everyone, team, namesakes, one_mail, disabled, guest, quoted)


def _id(tenant: str, name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{tenant}/{name}"))
