"""Sends: the partition of a send holds the send, its inputs and its chunks; an index by UTC day lists sends.

<id>             send                     options, content, how far it has come
<id>             in-<content hash>-00000  recipients as the sender named them, until the plan is made
<id>             chunk-<plan>-00000       some hundreds of people with their results (see chunks.py)
day-2026-12-01   <newest first>-<id>      the index
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from proactive.model import Entry, Options, Send
from proactive.store.account import Account, Row, quoted
from proactive.store.pack import pack, unpack

_TABLE = "sends"
_SEND = "send"
_ENTRIES_PER_ROW = 10_000
_LAST_SECOND = 99_999_999_999.0  # newest first: keys count down from here


class Sends:
    """The table `sends`, apart from its chunks."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def add(self, send: Send, chunks: Sequence[Row] = ()) -> Send:
        """Keep a new send together with its chunks, all or nothing. Raises `Conflict` when its id is taken."""
        changes = [("insert", _row(send)), *(("insert", chunk) for chunk in chunks)]
        etags = await self._account.transaction(_TABLE, changes)
        return replace(send, etag=etags[0])

    async def add_inputs(self, send: Send, entries: Sequence[Entry]) -> None:
        """Keep the recipients as the sender named them. Doing it again changes nothing."""
        for number, start in enumerate(range(0, len(entries), _ENTRIES_PER_ROW)):
            some = [[entry.kind, entry.value] for entry in entries[start : start + _ENTRIES_PER_ROW]]
            key = {"PartitionKey": send.id, "RowKey": f"{_inputs(send)}{number:05}"}
            await self._account.upsert(_TABLE, {**key, **pack("entries", some)})

    async def inputs(self, send: Send) -> list[Entry]:
        """Return what `add_inputs` kept."""
        rows = await self._account.rows(_TABLE, _between(send.id, _inputs(send)))
        return [Entry(kind, value) for row in rows for kind, value in unpack("entries", row)]

    async def list_in_index(self, send: Send) -> None:
        """Let the index by day lead to a send."""
        moment = datetime.fromtimestamp(send.created_at, UTC)
        key = f"{_LAST_SECOND - send.created_at:018.6f}-{send.id}"
        await self._account.upsert(_TABLE, {"PartitionKey": f"day-{moment:%Y-%m-%d}", "RowKey": key, "send": send.id})

    async def get(self, send_id: str) -> Send | None:
        """Return a send, or None."""
        row = await self._account.get(_TABLE, send_id, _SEND)
        return _send(row) if row else None

    async def cancelled(self, send_id: str) -> bool:
        """Return whether a send was cancelled, reading no more than that."""
        row = await self._account.get(_TABLE, send_id, _SEND, ("cancelled_at",))
        return bool(row and row.get("cancelled_at"))

    async def update(self, send: Send, **changes: Any) -> Send:
        """Change some fields of a send that is still as it was read; return it. Raises `Stale` when it is not."""
        changed = {"PartitionKey": send.id, "RowKey": _SEND, **changes}
        return replace(send, etag=await self._account.update(_TABLE, changed, send.etag, merge=True), **changes)

    async def complete(self, send: Send, at: float, chunk: tuple[Row, str] | None = None) -> list[str]:
        """Mark a send as completed, once, together with the last write of its only chunk. Raises `Stale`."""
        done = {"PartitionKey": send.id, "RowKey": _SEND, "completed_at": at}
        changes = [("update", done, send.etag), *([("update", *chunk)] if chunk else [])]
        return await self._account.transaction(_TABLE, changes)

    async def newest(self, day: str, after: str, top: int) -> list[tuple[str, str]]:
        """Return up to `top` sends of one UTC day, newest first, as (key in the index, id), from behind key `after`."""
        query = f"PartitionKey eq {quoted(f'day-{day}')} and RowKey gt {quoted(after)}"
        rows, _ = await anext(self._account.pages(_TABLE, query, select=("RowKey", "send"), top=top))
        return [(row["RowKey"], row["send"]) for row in rows]


def _inputs(send: Send) -> str:
    return f"in-{send.content_hash[:16]}-"


def _between(partition: str, prefix: str) -> str:
    return (
        f"PartitionKey eq {quoted(partition)} and RowKey ge {quoted(prefix)} and RowKey lt {quoted(prefix + chr(127))}"
    )


def _row(send: Send) -> Row:
    optional = {"send_at": send.send_at, "cancelled_at": send.cancelled_at, "completed_at": send.completed_at}
    return {
        "PartitionKey": send.id,
        "RowKey": _SEND,
        "secret": send.secret,
        "content_hash": send.content_hash,
        "bot": send.bot,
        "tenant": send.tenant,
        "created_at": send.created_at,
        "entries": send.entries,
        "plan": send.plan,
        "total": send.total,
        "chunks": send.chunks,
        "lanes": send.lanes,
        **pack("options", [getattr(send.options, name) for name in Options.__slots__]),
        **pack("activity", send.activity),
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
        send_at=row.get("send_at"),
        options=Options(*unpack("options", row)),
        activity=unpack("activity", row),
        entries=row["entries"],
        plan=row["plan"],
        total=row["total"],
        chunks=row["chunks"],
        lanes=row["lanes"],
        cancelled_at=row.get("cancelled_at"),
        completed_at=row.get("completed_at"),
        etag=row["etag"],
    )
