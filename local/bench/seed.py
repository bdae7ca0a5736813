"""Storage, looked at past the service: people made known at once, and how much a send leaves behind."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import batched

from local.teams.people import Person
from proactive.settings import StorageAccount
from proactive.store.account import Account, quoted
from proactive.store.conversations import Conversation, Conversations, person_partition

BOT_NAME = "bench"
_ROWS = 100  # of one transaction: the most that Table Storage takes
_AT_ONCE = 8


async def seed(storage: str, service_url: str, people: Sequence[Person], bot: str = BOT_NAME) -> None:
    """Write a row for each person, who has had the bot for an hour and has not written to it."""
    then = time.time() - 3600
    account = Account(StorageAccount(connection_string=storage))
    try:
        await account.ensure()
        for tenant in {person.tenant_id for person in people}:
            await Conversations(account).seen_in(bot, tenant)
        partitions: dict[str, list[dict[str, object]]] = {}
        for person in people:
            partition = person_partition(bot, person.tenant_id, person.object_id)
            known = Conversation(
                person.object_id,
                conversation_id=person.conversation_id,
                service_url=service_url,
                member_id=person.teams_id,
                bot_id=f"28:{person.app_id}",
                installed=True,
                installed_at=then,
                referenced_at=then,
                name=person.name,
                mail=person.mail,
                principal_name=person.upn,
            )
            row = {"PartitionKey": partition, "RowKey": person.object_id, **asdict(known)}
            partitions.setdefault(partition, []).append(row)
        places = asyncio.Semaphore(_AT_ONCE)

        async def write(rows: Sequence[dict[str, object]]) -> None:
            async with places:
                await account.transaction("conversations", [("insert", row) for row in rows])

        await asyncio.gather(
            *(write(rows) for all_of in partitions.values() for rows in batched(all_of, _ROWS, strict=False))
        )
    finally:
        await account.close()


async def stored(storage: str, send: str) -> int:
    """Return the bytes that the rows of a send hold, names and numbers counted as they are billed, roughly."""
    account = Account(StorageAccount(connection_string=storage))
    try:
        rows = await account.rows("sends", f"PartitionKey eq {quoted(send)}")
    finally:
        await account.close()
    return sum(2 * len(name) + _size(value) for row in rows for name, value in row.items())


def _size(value: object) -> int:
    # https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model: text is UTF-16.
    match value:
        case bytes():
            return len(value) + 4
        case str():
            return 2 * len(value) + 4
    return 8
