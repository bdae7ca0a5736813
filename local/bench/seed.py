"""Makes people known to the service at once: what the installs of a hundred thousand would have left in storage."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import batched

from local.teams.people import Person
from proactive.settings import StorageAccount
from proactive.store.account import Account
from proactive.store.conversations import Conversation, Conversations, person_partition

BOT_NAME = "bench"
_ROWS = 100  # of one transaction: the most that Table Storage takes
_AT_ONCE = 8


async def seed(storage: str, service_url: str, people: Sequence[Person]) -> None:
    """Write a row for each person, who has had the bot for an hour and has not written to it."""
    then = time.time() - 3600
    account = Account(StorageAccount(connection_string=storage))
    try:
        await account.ensure()
        for tenant in {person.tenant_id for person in people}:
            await Conversations(account).seen_in(BOT_NAME, tenant)
        partitions: dict[str, list[dict[str, object]]] = {}
        for person in people:
            partition = person_partition(BOT_NAME, person.tenant_id, person.object_id)
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
