"""Recipients become people: ids, mail addresses, user principal names and display names lead to whom the bot knows."""

import re
from collections.abc import Sequence

from proactive.model import NO_SUCH_PERSON, NOT_INSTALLED, Entry, Recipient, Result, State
from proactive.service import Service
from proactive.store.conversations import Match
from proactive.store.persons import user_key

type Planned = tuple[Recipient, Result | None]

# An Entra object id, or a Teams id. The Playground's object ids have one digit too many for a GUID.
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12,13}|29:.+", re.IGNORECASE)
_BEST_FIRST = ("principalName", "mail", "name")


def is_id(name: str) -> bool:
    """Whether a recipient is named by an id, so that nothing has to be looked up."""
    return _ID.fullmatch(name) is not None


async def resolve(
    service: Service, bot: str, tenant: str, entries: Sequence[Entry], seen: set[str] | None = None
) -> list[Planned]:
    """Return one recipient for each person behind `entries`, without those in `seen`, which it adds them to.

    Someone who cannot be found comes with the result that says so: a name that nobody or several people have is 404,
    an id or address that the bot never met is 100, since with no Graph to ask the bot just is not installed there.
    """
    seen = set() if seen is None else seen
    named = [entry for entry in entries if entry.kind != "everyone"]
    found = await _find(service, bot, tenant, [entry.value for entry in named if not is_id(entry.value)])
    people: list[Planned] = []
    for entry in named:
        recipient, result = _planned(entry, found.get(entry.value, []))
        identity = recipient.user or f"?{recipient.name.casefold()}"
        if identity not in seen:
            seen.add(identity)
            people.append((recipient if entry.data is None else recipient._replace(data=entry.data), result))
    return people


async def _find(service: Service, bot: str, tenant: str, names: Sequence[str]) -> dict[str, list[Match]]:
    if not names:
        return {}
    found = await service.conversations.find(bot, tenant, names)
    # What is no alias may be an id of an unusual form, such as stand-ins for Teams give.
    odd = {name: user_key(name) for name in names if not found[name] and "@" not in name}
    known = await service.conversations.load(bot, tenant, odd.values()) if odd else {}
    by_id = {name: [Match(key, frozenset({"principalName"}))] for name, key in odd.items() if key in known}
    return {**found, **by_id}


def _planned(entry: Entry, matches: Sequence[Match]) -> Planned:
    if is_id(entry.value):
        key = user_key(entry.value)
        # One text for both where they are the same: a plan may hold a hundred thousand of them.
        return Recipient(key if key == entry.value else entry.value, key), None
    for kind in _BEST_FIRST:
        users = sorted({match.user for match in matches if kind in match.kinds})
        if len(users) == 1:
            return Recipient(entry.value, users[0]), None
        if users:
            return Recipient(entry.value, None), Result(State.FAILED, NO_SUCH_PERSON, "ambiguousRecipient")
    if entry.kind == "person" and "@" not in entry.value:
        return Recipient(entry.value, None), Result(State.FAILED, NO_SUCH_PERSON, "unknownRecipient")
    return Recipient(entry.value, None), Result(State.NOT_INSTALLED, NOT_INSTALLED, "notInstalled")
