"""What is old goes: rows of sends and of rejected messages; and who sees to it, one row that names the next sweep.

retention   sweep   next_at   the one sweep that counts; a message for any other moment is left over
"""

from collections.abc import Callable

from proactive.store.account import Account, quoted
from proactive.store.errors import Conflict, Stale

_TABLE = "sends"
_NEXT = {"PartitionKey": "retention", "RowKey": "sweep"}
_AT_ONCE = 100  # changes of a transaction
_LAST_SECOND = 99_999_999_999.0  # the keys of rejected messages count down from here


class Retention:
    """Removes rows, in transactions. `go_on` is asked before each whether there is time for it."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._looked: str = ""

    def looked(self, day: str) -> bool:
        """Return whether this was asked for a day before, in this process."""
        before, self._looked = self._looked, day
        return before == day

    async def next_sweep(self) -> tuple[float, str]:
        """Return when the next sweep is due (0: there never was one), and the ETag under which that may be changed."""
        row = await self._account.get(_TABLE, _NEXT["PartitionKey"], _NEXT["RowKey"])
        return (row["next_at"], row["etag"]) if row else (0.0, "")

    async def set_next(self, at: float, etag: str) -> bool:
        """Let the sweep due `at` a moment be the one that counts; return whether nobody else did so in between."""
        row = {**_NEXT, "next_at": at}
        try:
            if etag:
                await self._account.update(_TABLE, row, etag)
            else:
                await self._account.insert(_TABLE, row)
        except (Conflict, Stale):
            return False
        return True

    async def remove_alias(self, alias: str, send: str) -> None:
        """Remove what leads from a callback URL to a send, unless it leads to another by now."""
        row = await self._account.get(_TABLE, alias, "alias")
        if row and row["send"] == send:
            await self._account.delete(_TABLE, alias, "alias")

    async def remove_send(self, send: str, go_on: Callable[[], bool]) -> bool:
        """Remove all rows of a send, the one by which it is found first; return whether nothing is left."""
        await self._account.delete(_TABLE, send, "send")
        return await self._remove(_TABLE, f"PartitionKey eq {quoted(send)}", go_on)

    async def remove_rejected(self, before: float, go_on: Callable[[], bool]) -> bool:
        """Remove what is kept of messages that were rejected before a moment; return whether nothing is left."""
        oldest = quoted(f"{_LAST_SECOND - before:018.6f}")
        return await self._remove("rejected", f"PartitionKey eq 'sends' and RowKey gt {oldest}", go_on)

    async def _remove(self, table: str, query: str, go_on: Callable[[], bool]) -> bool:
        """Remove the rows of one partition that fit a query."""
        async for rows, _ in self._account.pages(table, query, select=("PartitionKey", "RowKey")):
            for at in range(0, len(rows), _AT_ONCE):
                if not go_on():
                    return False
                keys = [{name: row[name] for name in ("PartitionKey", "RowKey")} for row in rows[at : at + _AT_ONCE]]
                try:
                    await self._account.transaction(table, [("delete", key) for key in keys])
                except Stale:
                    # Somebody else removes the same: one by one it does not matter which of them are gone.
                    for key in keys:
                        await self._account.delete(table, key["PartitionKey"], key["RowKey"])
        return True
