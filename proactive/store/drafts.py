"""Plans in the making: chunks are kept as they are made, each time together with how far the plan has come.

<id>   draft   the plan's name, its chunks and people so far, and where among the recipients to go on

What is kept is one transaction under the draft's ETag: two who plan the same send cannot both go on, and whoever takes
over after a crash goes on behind the last chunk, so that nobody is planned twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from proactive.model import Send
from proactive.store.account import Account, Change, Row
from proactive.store.pack import pack, unpack

_TABLE, _ROW = "sends", "draft"
# A transaction holds 100 operations and 4 MiB; binary values travel as base64, which takes a third more.
ROWS, BYTES = 90, 2_500_000


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan in the making; `cursor` says where among the recipients to go on, None for the start.

    The first `named` of its chunks hold those whom the send names, by themselves or through groups; it is 0 until they
    are all there.
    """

    send: str
    name: str
    chunks: int = 0
    total: int = 0
    named: int = 0
    cursor: Any = None
    etag: str = ""


class Drafts:
    """The drafts in the table `sends`."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def get(self, send: str) -> Draft | None:
        """Return the draft of a send's plan, or None."""
        row = await self._account.get(_TABLE, send, _ROW)
        if row is None:
            return None
        return Draft(send, row["name"], row["chunks"], row["total"], row["named"], unpack("cursor", row), row["etag"])

    async def grow(self, draft: Draft, chunks: Sequence[Row]) -> Draft:
        """Keep more chunks together with the draft. Raises `Conflict` or `Stale` when somebody else plans as well."""
        row = {
            "PartitionKey": draft.send,
            "RowKey": _ROW,
            "name": draft.name,
            "chunks": draft.chunks,
            "total": draft.total,
            "named": draft.named,
            **pack("cursor", draft.cursor),
        }
        own: Change = ("update", row, draft.etag) if draft.etag else ("insert", row)
        etags = await self._account.transaction(_TABLE, [own, *(("insert", chunk) for chunk in chunks)])
        return replace(draft, etag=etags[0])

    async def commit(self, send: Send, draft: Draft, chunks: Sequence[Row]) -> Send:
        """Keep the last chunks and let the plan count, all or nothing. Raises `Conflict` or `Stale` like `grow`."""
        plan: Row = {"plan": draft.name, "total": draft.total, "chunks": draft.chunks}
        changes: list[Change] = [("update", {"PartitionKey": send.id, "RowKey": "send", **plan}, send.etag)]
        if draft.etag:
            changes.append(("delete", {"PartitionKey": send.id, "RowKey": _ROW}))
        changes += [("insert", chunk) for chunk in chunks]
        etags = await self._account.transaction(_TABLE, changes)
        return replace(send, etag=etags[0], **plan)


def weight(row: Row) -> int:
    """Return about how many bytes a row takes in a transaction."""
    return sum(len(value) for value in row.values() if isinstance(value, bytes)) + 1_000
