"""What was tried to hand an outcome over: one row for each callback, in the partition of its send.

callback-completed                the outcome
callback-response-00000-000       one answer (`each`)
"""

from dataclasses import dataclass, field

from proactive.store.account import Account, Row, quoted
from proactive.store.pack import pack, unpack

_TABLE = "sends"
COMPLETED = "completed"  # the event of the outcome
PENDING, ACCEPTED, GIVEN_UP = "pending", "accepted", "givenUp"


@dataclass(slots=True)
class Callback:
    """A callback and its attempts: `[seconds since the epoch, status or None, error]` each.

    `busy_until` keeps two workers from calling at the same time; nothing is tried before `next_at`.
    """

    send: str
    event: str
    state: str = PENDING
    attempts: list[tuple[float, int | None, str]] = field(default_factory=list)
    busy_until: float = 0.0
    next_at: float = 0.0
    etag: str = ""


class Callbacks:
    """The callbacks in the table `sends`."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def get(self, send: str, event: str) -> Callback:
        """Return a callback as far as it has come; a new one if nothing was tried yet."""
        row = await self._account.get(_TABLE, send, f"callback-{event}")
        return _callback(row) if row else Callback(send, event)

    async def save(self, callback: Callback) -> None:
        """Write a callback. Raises `Conflict` or `Stale` when somebody else did in between."""
        row = {
            "PartitionKey": callback.send,
            "RowKey": f"callback-{callback.event}",
            "state": callback.state,
            "busy_until": callback.busy_until,
            "next_at": callback.next_at,
            **pack("attempts", callback.attempts),
        }
        if callback.etag:
            callback.etag = await self._account.update(_TABLE, row, callback.etag)
        else:
            callback.etag = await self._account.insert(_TABLE, row)

    async def all(self, send: str, most: int) -> list[Callback]:
        """Return the callbacks of a send, the first `most` of them."""
        query = f"PartitionKey eq {quoted(send)} and RowKey gt 'callback-' and RowKey lt 'callback.'"
        rows, _ = await anext(self._account.pages(_TABLE, query, top=most))
        return [_callback(row) for row in rows]


def _callback(row: Row) -> Callback:
    return Callback(
        send=row["PartitionKey"],
        event=row["RowKey"].removeprefix("callback-"),
        state=row["state"],
        attempts=[tuple(attempt) for attempt in unpack("attempts", row)],
        busy_until=row["busy_until"],
        next_at=row["next_at"],
        etag=row["etag"],
    )
