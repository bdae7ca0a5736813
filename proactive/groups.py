"""The people of groups and teams, as Microsoft Graph lists them: page by page, however many they are."""

from collections.abc import AsyncIterator, Sequence
from typing import Literal, cast

from proactive.graph import Account, GraphAway
from proactive.inquiry import NO_GRAPH, Inquiry
from proactive.model import Entry, Recipient, Result
from proactive.people import Planned
from proactive.seen import Seen
from proactive.store.persons import user_key

PAGES = 5  # read together: so many people that sorting them makes it cheap to look for them in storage


def is_group(entry: Entry) -> bool:
    """Whether an entry names a group or a team."""
    return entry.kind in ("group", "team")


def distinct(entries: Sequence[Entry]) -> list[Entry]:
    """Return the groups and teams among entries, each once, in order."""
    found: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        if is_group(entry):
            found.setdefault((entry.kind, entry.value.casefold()), entry)
    return list(found.values())


async def members(
    inquiry: Inquiry | None, groups: Sequence[Entry], number: int, page: str, seen: Seen
) -> AsyncIterator[tuple[list[Planned], int, str]]:
    """Yield the people of groups, from a page of the group with this number on, without those in `seen`.

    With each some thousand of them comes where to go on: the number of a group, which is that behind the last one at
    the end, and the page. A group that cannot be read is one recipient with a result. Raises `GraphAway` once what was
    read before has been yielded.
    """
    people: list[Planned] = []
    read = 0
    away: GraphAway | None = None
    while number < len(groups):
        try:
            some, page = await read_page(inquiry, groups[number], page)
        except GraphAway as error:
            away = error
            break
        if isinstance(some, Result):
            people.append((Recipient(groups[number].value, None), some))
        else:
            people += [(recipient, None) for recipient in some if seen.add(recipient.user or "")]
        read += 1
        if not page:
            number += 1
        if read == PAGES:
            yield people, number, page
            people, read = [], 0
    if read:
        yield people, number, page
    if away:
        raise away


async def read_page(inquiry: Inquiry | None, group: Entry, page: str) -> tuple[list[Recipient] | Result, str]:
    """Return the people on a page of a group, or the group's result, and where the next page is. Raises `GraphAway`."""
    if inquiry is None:
        return NO_GRAPH, ""
    told = await inquiry.members(cast(Literal["group", "team"], group.kind), group.value, page)
    if isinstance(told, Result):
        return told, ""
    accounts, following = told
    return [_recipient(account, group) for account in accounts], following


def _recipient(account: Account, group: Entry) -> Recipient:
    key = user_key(account.id)
    return Recipient(account.principal_name or account.mail or key, key, data=group.data)
