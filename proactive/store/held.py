"""Sends that wait for something which somebody may bring about: a bot that goes on, a person whose chat ends.

Rows in the table `pace`, so that whoever brings it about finds them in one query:

<bot>|<tenant>            held-<send>   while the bot is paused
<bot>|<tenant>|<person>   held-<send>   while the person chats (`postpone`)
"""

import asyncio
import hashlib
from collections.abc import Sequence

from proactive.store.account import Account, quoted

_TABLE, _ROW = "pace", "held-"


class Held:
    """Who waits, in the table `pace`. `person` is empty for what holds a whole bot."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def add(self, bot: str, tenant: str, person: str, send: str) -> None:
        """Remember that a send waits."""
        row = {"PartitionKey": _partition(bot, tenant, person), "RowKey": f"{_ROW}{send}"}
        await self._account.upsert(_TABLE, row)

    async def remove(self, bot: str, tenant: str, person: str, send: str) -> None:
        """Forget that a send waits."""
        await self._account.delete(_TABLE, _partition(bot, tenant, person), f"{_ROW}{send}")

    async def waiting(self, bot: str, tenant: str, person: str) -> list[str]:
        """Return the sends that wait."""
        within = f"PartitionKey eq {quoted(_partition(bot, tenant, person))}"
        rows = await self._account.rows(_TABLE, f"{within} and RowKey ge '{_ROW}' and RowKey lt 'held.'", ("RowKey",))
        return [row["RowKey"].removeprefix(_ROW) for row in rows]

    async def forget(self, bot: str, tenant: str, person: str, sends: Sequence[str]) -> None:
        """Forget sends that have been told to go on."""
        await asyncio.gather(*(self.remove(bot, tenant, person, send) for send in sends))


def _partition(bot: str, tenant: str, person: str) -> str:
    # Ids of people may hold characters that a key must not have.
    return f"{bot}|{tenant}|{hashlib.sha256(person.encode()).hexdigest()[:32]}" if person else f"{bot}|{tenant}"
