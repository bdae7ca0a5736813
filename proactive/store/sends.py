"""Sends: the partition of a send holds the send, its inputs and its chunks; an index by UTC day lists sends.

<id>             send                     options, content, how far it has come
<id>             in-<content hash>-00000  recipients as the sender named them, until the plan is made
<id>             chunk-<plan>-00000       some hundreds of people with their results (see chunks.py)
<id>             answer-…, end, …         the answers to a card that waits (see answers.py)
<id>             callback-…               what was tried to hand the outcome over (see callbacks.py)
<alias>          alias                    the send whose callback URL the alias was made of
day-2026-12-01   <newest first>-<id>      the index (see days.py)
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from proactive.model import Entry, Options, Recipient, Send, Wait
from proactive.store.account import Account, Change, Row, quoted
from proactive.store.pack import cut, pack, unpack
from proactive.store.persons import FEW, fingerprints

_TABLE = "sends"
_SEND, _ALIAS = "send", "alias"
_MOMENTS = ("send_at", "cancelled_at", "completed_at", "ended_at", "called_at", "silent_at", "held_until")
_ENTRIES_PER_ROW = 10_000
_DATA_PER_ROW = 400_000  # bytes of recipients' own data
_LAST_SECOND = 99_999_999_999.0  # newest first: keys count down from here


class Sends:
    """The table `sends`, apart from its chunks."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def add(self, send: Send, rows: Sequence[Row] = ()) -> Send:
        """Keep a new send together with other rows of it, all or nothing. Raises `Conflict` when its id is taken."""
        changes: list[Change] = [("insert", _row(send)), *(("insert", row) for row in rows)]
        etags = await self._account.transaction(_TABLE, changes)
        return replace(send, etag=etags[0])

    async def add_inputs(self, send: Send, entries: Sequence[Entry]) -> None:
        """Keep the recipients as the sender named them. Doing it again changes nothing."""
        for number, some in enumerate(cut(entries, [entry.data for entry in entries], _ENTRIES_PER_ROW, _DATA_PER_ROW)):
            key = {"PartitionKey": send.id, "RowKey": f"{_inputs(send)}{number:05}"}
            await self._account.upsert(_TABLE, {**key, **pack_entries(some)})

    async def inputs(self, send: Send) -> AsyncIterator[list[Entry]]:
        """Yield what `add_inputs` kept, some thousands at a time."""
        async for rows, _ in self._account.pages(_TABLE, _between(send.id, _inputs(send)), top=1):
            for row in rows:
                yield unpack_entries(row)

    async def list_in_index(self, send: Send, people: Sequence[Recipient] | None = None) -> None:
        """Let the index by day lead to a send; of few `people` it shows by fingerprints who they are."""
        day, key = index_place(send)
        whose = {"send": send.id, "bot": send.bot, "tenant": send.tenant, "created_at": send.created_at}
        few = {"people": fingerprints(people)} if people is not None and len(people) <= FEW else {}
        await self._account.upsert(_TABLE, {"PartitionKey": f"day-{day}", "RowKey": key, **whose, **few})

    async def get(self, send_id: str) -> Send | None:
        """Return a send, or None."""
        row = await self._account.get(_TABLE, send_id, _SEND)
        return _send(row) if row else None

    async def first(self, send: Send) -> Send | None:
        """Return the send that posted what this one changes: itself, unless it is an update or recall."""
        found: Send | None = send
        while found and found.verb != "send":
            found = await self.get(found.of)
        return found

    async def get_with(self, send_id: str, key: str) -> tuple[Send | None, Row | None]:
        """Return a send, and of the same partition the row with this key, in one call."""
        query = f"PartitionKey eq {quoted(send_id)} and (RowKey eq '{_SEND}' or RowKey eq {quoted(key)})"
        rows = {row["RowKey"]: row for row in await self._account.rows(_TABLE, query)}
        return _send(rows[_SEND]) if _SEND in rows else None, rows.get(key)

    async def stopped(self, send_id: str) -> bool:
        """Return whether a send was cancelled or is answered already, reading no more than that."""
        row = await self._account.get(_TABLE, send_id, _SEND, ("cancelled_at", "ended_at"))
        return bool(row and (row.get("cancelled_at") or row.get("ended_at")))

    async def note(self, send_id: str, **changes: float) -> None:
        """Write moments into a send that nobody competes for, whatever else has changed in it."""
        row = {"PartitionKey": send_id, "RowKey": _SEND, **changes}
        await self._account.transaction(_TABLE, [("touch", row)])

    async def lead(self, alias: str, send_id: str) -> None:
        """Let the id that a callback URL stands for lead to a send that has another."""
        await self._account.upsert(_TABLE, {"PartitionKey": alias, "RowKey": _ALIAS, "send": send_id})

    async def led_to(self, alias: str) -> str:
        """Return the id to which another leads; itself where it is a send's own."""
        row = await self._account.get(_TABLE, alias, _ALIAS)
        return str(row["send"]) if row else alias

    async def update(self, send: Send, **changes: Any) -> Send:
        """Change some fields of a send that is still as it was read; return it. Raises `Stale` when it is not."""
        changed = {"PartitionKey": send.id, "RowKey": _SEND, **changes}
        return replace(send, etag=await self._account.update(_TABLE, changed, send.etag, merge=True), **changes)

    async def complete(self, send: Send, at: float, chunk: tuple[Row, str] | None = None) -> list[str]:
        """Mark a send as completed, once, together with the last write of its only chunk. Raises `Stale`."""
        done = {"PartitionKey": send.id, "RowKey": _SEND, "completed_at": at}
        changes: list[Change] = [("update", done, send.etag)]
        if chunk:
            changes.append(("update", *chunk))
        return await self._account.transaction(_TABLE, changes)

    async def newest(self, day: str, after: str, top: int) -> list[tuple[str, str]]:
        """Return up to `top` sends of one UTC day, newest first, as (key in the index, id), from behind key `after`."""
        query = f"PartitionKey eq {quoted(f'day-{day}')} and RowKey gt {quoted(after)}"
        rows, _ = await anext(self._account.pages(_TABLE, query, select=("RowKey", "send"), top=top))
        return [(row["RowKey"], row["send"]) for row in rows]


def pack_entries(entries: Sequence[Entry]) -> Row:
    """Return the properties of a row that holds recipients as their sender named them."""
    return pack("entries", [[e.kind, e.value, *([] if e.data is None else [e.data])] for e in entries])


def unpack_entries(row: Row) -> list[Entry]:
    """Return what `pack_entries` has put into a row."""
    return [Entry(*entry) for entry in unpack("entries", row)]


def index_place(send: Send) -> tuple[str, str]:
    """Return the UTC day under which a send is listed, and its key there."""
    moment = datetime.fromtimestamp(send.created_at, UTC)
    return f"{moment:%Y-%m-%d}", f"{_LAST_SECOND - send.created_at:018.6f}-{send.id}"


def _inputs(send: Send) -> str:
    return f"in-{send.content_hash[:16]}-"


def _between(partition: str, prefix: str) -> str:
    return (
        f"PartitionKey eq {quoted(partition)} and RowKey ge {quoted(prefix)} and RowKey lt {quoted(prefix + chr(127))}"
    )


def _row(send: Send) -> Row:
    optional = {name: getattr(send, name) for name in _MOMENTS}
    return {
        "PartitionKey": send.id,
        "RowKey": _SEND,
        "secret": send.secret,
        "content_hash": send.content_hash,
        "bot": send.bot,
        "tenant": send.tenant,
        "created_at": send.created_at,
        "entries": send.entries,
        "verb": send.verb,
        "of": send.of,
        "whom": send.whom,
        "marked": send.marked,
        "plan": send.plan,
        "total": send.total,
        "chunks": send.chunks,
        "trace": send.trace,
        **pack("options", [getattr(send.options, name) for name in Options.__slots__]),
        **pack("activity", send.activity),
        **pack("wait", [getattr(send.wait, name) for name in Wait.__slots__] if send.wait else None),
        **pack("callback_url", send.callback_url),
        **({} if send.data is None else pack("data", send.data)),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _send(row: Row) -> Send:
    return Send(
        id=row["PartitionKey"],
        secret=row["secret"],
        content_hash=row["content_hash"],
        bot=row["bot"],
        tenant=row["tenant"],
        created_at=row["created_at"],
        wait=Wait(*waits) if (waits := unpack("wait", row)) else None,
        callback_url=unpack("callback_url", row),
        data=unpack("data", row) if "data0" in row else None,
        options=Options(*unpack("options", row)),
        activity=unpack("activity", row),
        entries=row["entries"],
        verb=row.get("verb", "send"),
        of=row.get("of", ""),
        whom=row.get("whom", ""),
        marked=row.get("marked", bool(waits)),
        plan=row["plan"],
        total=row["total"],
        chunks=row["chunks"],
        trace=row.get("trace", ""),
        **{name: row.get(name) for name in _MOMENTS},
        etag=row["etag"],
    )
