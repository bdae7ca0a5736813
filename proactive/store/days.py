"""The index of sends by UTC day, as those read it who look for what is old, or for one person.

    day-2026-12-01   <newest first>-<id>     send, bot, tenant, created_at
                     people                  fingerprints of the people, where they are few (see persons.py)
                     look_at                 not worth a look before, for those who look for what is old

All days stand side by side in storage: what was listed before a day is one range, however long the system was off.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple

from proactive.store.account import Account, Row, quoted
from proactive.store.errors import Stale
from proactive.store.persons import Subject

_TABLE = "sends"
_DAY = "day-"


class Position(NamedTuple):
    """A place in the index: a UTC day and a key in it. Keys of a day begin with its newest send."""

    day: str = ""
    key: str = ""


class Listed(NamedTuple):
    """What the index tells of a send. `people` is None where they are not few."""

    position: Position
    send: str
    bot: str
    tenant: str
    created_at: float
    people: str | None
    look_at: float
    etag: str

    def may_hold(self, bot: str, tenant: str, subject: Subject) -> bool:
        """Whether a person may be among the recipients of the send, which this bot sent in this tenant."""
        if (self.bot, self.tenant) != (bot, tenant):
            return False
        return self.people is None or subject.without(self.people) != self.people


class Days:
    """The index in the table `sends`."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def walk(self, after: Position, before: str = "") -> AsyncIterator[list[Listed]]:
        """Yield page by page, the oldest day first, what is listed behind a position and before a day, if one is given.

        The newest sends of a day come first.
        """
        if after.key:
            async for page in self.of_day(after.day, after.key):
                yield page
        first = f"PartitionKey gt {quoted(_DAY + after.day)}" if after.day else f"PartitionKey ge {quoted(_DAY)}"
        last = f"PartitionKey lt {quoted(_DAY + (before or '~'))}"
        async for rows, _ in self._account.pages(_TABLE, f"{first} and {last}"):
            yield [_listed(row) for row in rows]

    async def of_day(self, day: str, after: str = "") -> AsyncIterator[list[Listed]]:
        """Yield page by page, newest first, the sends of a day that are listed behind a key."""
        query = f"PartitionKey eq {quoted(_DAY + day)} and RowKey gt {quoted(after)}"
        async for rows, _ in self._account.pages(_TABLE, query):
            yield [_listed(row) for row in rows]

    async def oldest(self) -> str | None:
        """Return the oldest day of which a send is kept, or None."""
        async for page in self.walk(Position()):
            if page:
                return page[0].position.day
        return None

    async def get(self, position: Position) -> Listed | None:
        """Return what stands at a position, or None."""
        row = await self._account.get(_TABLE, _DAY + position.day, position.key)
        return _listed(row) if row else None

    async def look_later(self, listed: Listed, at: float) -> None:
        """Note that a send is not worth a look before a moment, in seconds since the epoch."""
        try:
            await self._account.update(_TABLE, {**_key(listed), "look_at": at}, listed.etag, merge=True)
        except Stale:
            return  # it was listed again, or is gone: then the next look tells the same

    async def hide(self, listed: Listed, people: str) -> None:
        """Leave just these fingerprints. Raises `Stale` when the row was changed in between."""
        await self._account.update(_TABLE, {**_key(listed), "people": people}, listed.etag, merge=True)

    async def remove(self, listed: Listed) -> None:
        """Take a send off the index."""
        key = _key(listed)
        await self._account.delete(_TABLE, key["PartitionKey"], key["RowKey"])


def _key(listed: Listed) -> Row:
    return {"PartitionKey": _DAY + listed.position.day, "RowKey": listed.position.key}


def _listed(row: Row) -> Listed:
    return Listed(
        Position(row["PartitionKey"].removeprefix(_DAY), row["RowKey"]),
        row["send"],
        row["bot"],
        row["tenant"],
        row["created_at"],
        row.get("people"),
        row.get("look_at", 0.0),
        row["etag"],
    )
