"""Recipients become people: by whom the bot knows, and where Microsoft Graph may be asked by the directory as well.

The directory is asked about names that the bot does not know, and about display names, which several people may have
there though the bot has met only one of them. Object ids are taken as they stand.
"""

import re
from collections.abc import Mapping, Sequence

from proactive.graph import Account, Name
from proactive.inquiry import Inquiry, ambiguous
from proactive.model import NO_SUCH_PERSON, NOT_INSTALLED, Entry, Recipient, Result, State
from proactive.seen import Seen
from proactive.service import Service
from proactive.store.conversations import Match
from proactive.store.persons import user_key

type Planned = tuple[Recipient, Result | None]
type Found = Mapping[str, Sequence[Match]]  # whom the bot knows by each name
type Told = Mapping[Name, Sequence[Account]] | Result  # whom the directory has by each name, or why it does not tell

# An Entra object id, or a Teams id. The Playground's object ids have one digit too many for a GUID.
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12,13}|29:.+", re.IGNORECASE)
_ADDRESSES = ("principalName", "mail")
_BEST_FIRST = (*_ADDRESSES, "name")
_AMBIGUOUS = Result(State.FAILED, NO_SUCH_PERSON, "ambiguousRecipient")
_UNKNOWN = Result(State.FAILED, NO_SUCH_PERSON, "unknownRecipient")
_DISABLED = Result(State.FAILED, NO_SUCH_PERSON, "accountDisabled")
_NEVER_MET = Result(State.NOT_INSTALLED, NOT_INSTALLED, "notInstalled")


def is_id(name: str) -> bool:
    """Whether a recipient is named by an id, so that nothing has to be looked up."""
    return _ID.fullmatch(name) is not None


def is_person(entry: Entry) -> bool:
    """Whether an entry names one person."""
    return entry.kind in ("person", "user")


async def resolve(
    service: Service,
    bot: str,
    tenant: str,
    entries: Sequence[Entry],
    *,
    seen: Seen | None = None,
    inquiry: Inquiry | None = None,
) -> list[Planned]:
    """Return one recipient for each person whom `entries` name, without those in `seen`, which it adds them to.

    Someone who cannot be found comes with the result that says so: a name that nobody or several people have is 404.
    Without `inquiry`, that is with no Graph to ask, an id or address that the bot never met is 100: the bot just is not
    installed there. Raises `GraphAway` where Graph is to be asked again later.
    """
    named = [entry for entry in entries if is_person(entry)]
    found = await _find(service, bot, tenant, named)
    told: Told | None = await inquiry.people(_open(named, found)) if inquiry else None
    return _planned(named, found, told, Seen() if seen is None else seen)


async def resolve_at_once(service: Service, bot: str, tenant: str, entries: Sequence[Entry]) -> list[Planned] | None:
    """Return what `resolve` does, without waiting for Graph; None where Graph has to be asked."""
    named = [entry for entry in entries if is_person(entry)]
    found = await _find(service, bot, tenant, named)
    if service.graph_of(tenant) and _open(named, found):
        return None
    return _planned(named, found, None, Seen())


async def _find(service: Service, bot: str, tenant: str, named: Sequence[Entry]) -> Found:
    names = [entry.value for entry in named if not is_id(entry.value)]
    if not names:
        return {}
    found = await service.conversations.find(bot, tenant, names)
    # What is no alias may be an id of an unusual form, such as stand-ins for Teams give.
    odd = {name: user_key(name) for name in names if not found[name] and "@" not in name}
    known = await service.conversations.load(bot, tenant, odd.values()) if odd else {}
    by_id = {name: [Match(key, frozenset({"principalName"}))] for name, key in odd.items() if key in known}
    return {**found, **by_id}


def _open(named: Sequence[Entry], found: Found) -> list[Name]:
    """Return the names that the directory has to be asked about."""
    return [_name(entry) for entry in named if not is_id(entry.value) and not _known(found[entry.value], _ADDRESSES)]


def _name(entry: Entry) -> Name:
    return entry.kind, entry.value


def _planned(named: Sequence[Entry], found: Found, told: Told | None, seen: Seen) -> list[Planned]:
    people: list[Planned] = []
    for entry in named:
        if is_id(entry.value):
            key = user_key(entry.value)
            # One text for both where they are the same: a plan may hold a hundred thousand of them.
            recipient, result = Recipient(key if key == entry.value else entry.value, key), None
        else:
            user, result = _person(entry, found[entry.value], told)
            recipient = Recipient(entry.value, user)
        if seen.add(identity(recipient)):
            people.append((recipient if entry.data is None else recipient._replace(data=entry.data), result))
    return people


def identity(recipient: Recipient) -> str:
    """Return by what two recipients are known to be the same."""
    return recipient.user or f"?{recipient.name.casefold()}"


def _person(entry: Entry, matches: Sequence[Match], told: Told | None) -> tuple[str, None] | tuple[None, Result]:
    """Return the key of the person whom a name means, or the result where it means nobody or several."""
    accounts: Sequence[Account] = told.get(_name(entry), ()) if isinstance(told, Mapping) else ()
    if len(accounts) > 1:
        return None, ambiguous(accounts)
    for account in accounts:
        return (user_key(account.id), None) if account.enabled else (None, _DISABLED)
    known = _known(matches, _BEST_FIRST)
    if known:
        return known, None
    if isinstance(told, Result):
        return None, told
    if known is not None:
        return None, _AMBIGUOUS
    if told is not None or (entry.kind == "person" and "@" not in entry.value):
        return None, _UNKNOWN
    return None, _NEVER_MET


def _known(matches: Sequence[Match], kinds: Sequence[str]) -> str | None:
    """Return whom the bot knows by the best kind of name: empty where that is several people, None where nobody."""
    for kind in kinds:
        users = {match.user for match in matches if kind in match.kinds}
        if users:
            return users.pop() if len(users) == 1 else ""
    return None
