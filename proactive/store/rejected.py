"""Messages on `sends` that were no valid send: why each was refused, for operators to read.

The message itself stands on `sends-poison`; here is the reason, newest first.
"""

import uuid
from typing import Any

from proactive.store.account import Account, quoted
from proactive.times import write_moment

_TABLE = "rejected"
_PARTITION = "sends"
_LAST_SECOND = 99_999_999_999.0
_LONGEST_REASON = 8_000  # characters


class Rejected:
    """The table `rejected`."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def add(self, at: float, message_id: str, problem: dict[str, Any], reason: str, poison_id: str) -> None:
        """Keep why a message was refused, and its id on `sends-poison`. `at` is in seconds since the epoch."""
        await self._account.upsert(
            _TABLE,
            {
                "PartitionKey": _PARTITION,
                "RowKey": f"{_LAST_SECOND - at:018.6f}-{message_id or uuid.uuid4().hex}",
                "at": at,
                "message_id": message_id,
                "poison_id": poison_id,
                "status": problem["status"],
                "reason": reason[:_LONGEST_REASON],
            },
        )

    async def newest(self, top: int, after: str = "") -> tuple[list[dict[str, Any]], str | None]:
        """Return refused messages, newest first, from behind the key `after`, and where the next page begins."""
        query = f"PartitionKey eq '{_PARTITION}' and RowKey gt {quoted(after)}"
        rows, more = await anext(self._account.pages(_TABLE, query, top=top))
        items = [
            {
                "rejectedAt": write_moment(row["at"]),
                "messageId": row["message_id"],
                "poisonMessageId": row.get("poison_id"),
                "statusCode": row["status"],
                "reason": row["reason"],
            }
            for row in rows
        ]
        return items, rows[-1]["RowKey"] if more else None
