"""Who the bots know: one row per bot, tenant and person, and alias rows that lead from a name to the person.

Partitions are spread by a hash of the person's id (or of the alias), so that a point read is one call, reading
everyone is a bounded set of partition scans, and no partition is hot:

    <bot>|<tenant>|p00 … p31   <person>              the person's reference, install, activity and names
    <bot>|<tenant>|a00 … a31   <hash of alias>!<person>   which person a mail, user principal or display name is
    tenants                    <bot>|<tenant>        where a bot was seen
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from proactive.store.account import Account, Row, quoted
from proactive.store.errors import Conflict, Stale
from proactive.store.persons import SPREAD, alias_key, partition_number, row_key

_TABLE = "conversations"
# A filter may hold about fifteen comparisons, one of which is the partition's: fourteen keys, or seven ranges.
_KEYS_PER_FILTER = 14
_RANGES_PER_FILTER = 7
_SCANS_AT_ONCE = 8
_TENANTS_KEPT = 600.0  # seconds
# What it takes to reach somebody: the rest of a row, names and the activities seen, is most of it.
_TO_REACH = (
    "user", "conversation_id", "service_url", "bot_id", "installed", "last_message_at", "idle_at", "refusal",
    "refused_at",
)  # fmt: skip
_NAMES = ("name", "mail", "principal_name")


@dataclass(slots=True)
class Conversation:
    """What is known of one person and one bot. Times are in seconds since the epoch, taken from the activities.

    `user` is the person's key: the Entra object id, or the Teams id (29:…) where no activity told the object id.
    `refusal` is why Teams last refused messages for somebody who has the bot (`blocked`, …), as of `refused_at`; of
    somebody without a conversation, why Teams refused to create one (`notInstalled`, …).
    """

    user: str
    conversation_id: str = ""
    service_url: str = ""
    member_id: str = ""
    bot_id: str = ""
    installed: bool = False
    installed_at: float = 0.0
    referenced_at: float = 0.0
    last_message_at: float = 0.0
    idle_at: float = 0.0
    asked_at: float = 0.0
    refusal: str = ""
    refused_at: float = 0.0
    name: str = ""
    mail: str = ""
    principal_name: str = ""
    seen: str = ""

    @property
    def met(self) -> bool:
        """Whether the bot has had to do with the person; else the row tells only what Teams was asked in vain."""
        return self.conversation_id != "" or self.installed_at > 0

    def active(self, now: float, minutes: float) -> bool:
        """Whether the person has written to the bot in the last `minutes` and nothing ended the chat since."""
        return now < self.idle_from(minutes)

    def idle_from(self, minutes: float) -> float:
        """Return when the chat is idle: so many minutes after the last message unless it was ended; 0 when it is."""
        return self.last_message_at + minutes * 60 if self.last_message_at > self.idle_at else 0.0


class Match(NamedTuple):
    """A person whom an alias leads to; `kinds` are the names it is: `principalName`, `mail`, `name`."""

    user: str
    kinds: frozenset[str]


class Conversations:
    """The table `conversations`."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._tenants_read: dict[str, tuple[float, set[str]]] = {}
        self._tenants_written: set[tuple[str, str]] = set()

    async def get(self, bot: str, tenant: str, user: str) -> Conversation | None:
        """Return what is known of a person, or None."""
        row = await self._account.get(_TABLE, person_partition(bot, tenant, user), row_key(user))
        return _conversation(row) if row else None

    async def change(
        self,
        bot: str,
        tenant: str,
        user: str,
        change: Callable[[Conversation], bool],
        first: Callable[[], Awaitable[None]] | None = None,
        *,
        known_only: bool = False,
    ) -> tuple[Conversation, bool]:
        """Let `change` alter what is known of a person; it returns whether there is anything to write.

        It is called again on the newer row when somebody else wrote in between, so that no change is lost; `first` is
        awaited before each attempt to write. With `known_only` nothing is written of somebody who is not known, or
        not any more: what the person's own activities tell makes somebody known, not what comes after them.
        """
        partition, key = person_partition(bot, tenant, user), row_key(user)
        while True:
            row = await self._account.get(_TABLE, partition, key)
            known = _conversation(row) if row else Conversation(user)
            if (known_only and row is None) or not change(known):
                return known, False
            if first:
                await first()
            entity = {"PartitionKey": partition, "RowKey": key, **asdict(known)}
            try:
                if row:
                    await self._account.update(_TABLE, entity, row["etag"])
                else:
                    await self._account.insert(_TABLE, entity)
            except (Conflict, Stale):
                continue
            return known, True

    async def forget(self, bot: str, tenant: str, user: str, aliases: Iterable[str], before: float) -> None:
        """Remove a person's row and the rows that lead to it, unless the person came back after `before`.

        `aliases` are the keys of the person's names: they are removed whether the row is there still or not.
        """
        partition, key = person_partition(bot, tenant, user), row_key(user)
        row = await self._account.get(_TABLE, partition, key)
        keys = set(aliases)
        if row:
            # What no activity has told, but Teams when it was asked, is no coming back.
            if row["member_id"] and max(row["installed_at"], row["referenced_at"], row["last_message_at"]) > before:
                return
            keys |= {alias_key(name) for name in (row["name"], row["mail"], row["principal_name"]) if name}
            await self._account.delete(_TABLE, partition, key)
        await asyncio.gather(
            *(self._account.delete(_TABLE, _alias_partition(bot, tenant, a), f"{a}!{key}") for a in keys)
        )

    async def learn_aliases(
        self, bot: str, tenant: str, user: str, names: dict[str, str], former: dict[str, str]
    ) -> None:
        """Let the names lead to a person and the former ones no more. Both map a kind (`mail`, …) to a name."""
        kinds: dict[str, set[str]] = {}
        for kind, name in names.items():
            if name:
                kinds.setdefault(alias_key(name), set()).add(kind)
        gone = {alias_key(name) for name in former.values() if name} - kinds.keys()
        await asyncio.gather(
            *(
                self._account.upsert(
                    _TABLE,
                    {
                        "PartitionKey": _alias_partition(bot, tenant, key),
                        "RowKey": f"{key}!{row_key(user)}",
                        "user": user,
                        "kinds": ",".join(sorted(kinds[key])),
                    },
                )
                for key in kinds
            ),
            *(
                self._account.delete(_TABLE, _alias_partition(bot, tenant, key), f"{key}!{row_key(user)}")
                for key in gone
            ),
        )

    async def find(self, bot: str, tenant: str, names: Iterable[str]) -> dict[str, list[Match]]:
        """Return for each name the persons it leads to, with far fewer storage calls than there are names."""
        keys = {name: alias_key(name) for name in names}
        found: dict[str, list[Match]] = {}

        def take(row: Row) -> None:
            match = Match(row["user"], frozenset(row["kinds"].split(",")))
            found.setdefault(row["RowKey"].partition("!")[0], []).append(match)

        partitions: dict[str, set[str]] = {}
        for key in keys.values():
            partitions.setdefault(_alias_partition(bot, tenant, key), set()).add(key)
        await self._collect(partitions, ("user", "kinds"), take, exact=False)
        return {name: found.get(key, []) for name, key in keys.items()}

    async def load(
        self, bot: str, tenant: str, users: Iterable[str], *, names: bool = False
    ) -> dict[str, Conversation]:
        """Return what it takes to reach each of these persons, with far fewer storage calls than there are persons.

        Their `names` cost more to read, and are left out unless they are asked for.
        """
        found: dict[str, Conversation] = {}

        def take(row: Row) -> None:
            found[row["user"]] = _conversation(row)

        partitions: dict[str, set[str]] = {}
        for user in users:
            partitions.setdefault(person_partition(bot, tenant, user), set()).add(row_key(user))
        await self._collect(partitions, (*_TO_REACH, *_NAMES) if names else _TO_REACH, take, exact=True)
        return found

    async def everyone(
        self, bot: str, tenant: str, after: tuple[int, str] = (0, "")
    ) -> AsyncIterator[tuple[list[str], tuple[int, str]]]:
        """Yield, page by page, the keys of all who have the bot installed, and where to go on `after` the page."""
        first, key = after
        for number in range(first, SPREAD):
            within = f"PartitionKey eq {quoted(f'{bot}|{tenant}|p{number:02}')} and installed eq true"
            query = f"{within} and RowKey gt {quoted(key)}" if key else within
            async for rows, _ in self._account.pages(_TABLE, query, select=("RowKey", "user")):
                if rows:
                    yield [row["user"] for row in rows], (number, rows[-1]["RowKey"])
            key = ""

    async def some_service_url(self, bot: str, tenant: str) -> str:
        """Return the service URL of anybody who has the bot installed, an empty string where there is nobody."""
        partitions = (f"{bot}|{tenant}|p", f"{bot}|{tenant}|q")
        within = f"PartitionKey ge {quoted(partitions[0])} and PartitionKey lt {quoted(partitions[1])}"
        query = f"{within} and installed eq true and service_url ne ''"
        async for rows, _ in self._account.pages(_TABLE, query, select=("service_url",), top=1):
            if rows:
                return str(rows[0]["service_url"])
        return ""

    async def tenants(self, bot: str, wanted: str = "") -> set[str]:
        """Return the tenants in which a bot was seen: as of some minutes ago once the `wanted` one is known."""
        read_at, known = self._tenants_read.get(bot, (0.0, set()))
        if known and wanted in known | {""} and time.monotonic() - read_at < _TENANTS_KEPT:
            return known
        query = f"PartitionKey eq 'tenants' and RowKey ge {quoted(bot + '|')} and RowKey lt {quoted(bot + '}')}"
        rows = await self._account.rows(_TABLE, query, ("RowKey",))
        known = {row["RowKey"].partition("|")[2] for row in rows}
        self._tenants_read[bot] = (time.monotonic(), known)
        return known

    async def seen_in(self, bot: str, tenant: str) -> None:
        """Remember that a bot is used in a tenant."""
        if (bot, tenant) not in self._tenants_written:
            await self._account.upsert(_TABLE, {"PartitionKey": "tenants", "RowKey": f"{bot}|{tenant}"})
            self._tenants_written.add((bot, tenant))
            self._tenants_read.pop(bot, None)

    async def _collect(
        self,
        partitions: dict[str, set[str]],
        select: Sequence[str] | None,
        take: Callable[[Row], None],
        *,
        exact: bool,
    ) -> None:
        """Hand to `take` every row whose key is wanted (or, unless `exact`, begins with a wanted one and `!`)."""
        places = asyncio.Semaphore(_SCANS_AT_ONCE)

        async def collect(partition: str, keys: list[str]) -> None:
            async with places:
                await self._collect_partition(partition, keys, select, take, exact=exact)

        await asyncio.gather(*(collect(partition, sorted(keys)) for partition, keys in partitions.items()))

    async def _collect_partition(
        self, partition: str, keys: list[str], select: Sequence[str] | None, take: Callable[[Row], None], *, exact: bool
    ) -> None:
        """Read pages where the wanted rows stand close together, and filters of several keys where they don't.

        The first page tells: it goes on being pages as long as one page brings us further than one filter would.
        """
        wanted = set(keys)
        per_filter = _KEYS_PER_FILTER if exact else _RANGES_PER_FILTER
        select = select and (*select, "RowKey")
        within = f"PartitionKey eq {quoted(partition)}"
        at, scan = 0, len(keys) > per_filter
        while at < len(keys):
            if not scan or len(keys) - at <= per_filter:
                some = keys[at : at + per_filter]
                tests = (_is(key) if exact else f"({_begins(key)})" for key in some)
                for row in await self._account.rows(_TABLE, f"{within} and ({' or '.join(tests)})", select):
                    take(row)
                at += len(some)
                continue
            ends = f"RowKey ge {quoted(keys[at])} and RowKey lt {quoted(keys[-1] + chr(34))}"
            rows, more = await anext(self._account.pages(_TABLE, f"{within} and {ends}", select=select))
            for row in rows:
                if (row["RowKey"] if exact else row["RowKey"].partition("!")[0]) in wanted:
                    take(row)
            if more is None:
                return
            reached, before = rows[-1]["RowKey"] if rows else keys[at], at
            while at < len(keys) and keys[at] <= reached and (exact or keys[at] != reached.partition("!")[0]):
                at += 1
            scan = at - before > per_filter


def person_partition(bot: str, tenant: str, user: str) -> str:
    """Return the partition that holds a person's row."""
    return f"{bot}|{tenant}|p{partition_number(user)}"


def _alias_partition(bot: str, tenant: str, key: str) -> str:
    return f"{bot}|{tenant}|a{int(key[:2], 16) % SPREAD:02}"


def _is(key: str) -> str:
    return f"RowKey eq {quoted(key)}"


def _begins(key: str) -> str:
    # '"' is the character after '!': between the two stand just the rows `<key>!<person>`.
    return f"RowKey ge {quoted(key + '!')} and RowKey lt {quoted(key + chr(34))}"


def _conversation(row: Row) -> Conversation:
    return Conversation(**{name: row[name] for name in Conversation.__slots__ if name in row})
