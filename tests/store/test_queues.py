"""Messages on storage queues come out as they were put, when they should, and can be delayed or taken back."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from proactive.store.account import LONGEST_DELAY, QUEUES, TABLES, TIMERS, Account, QueueReceipt
from proactive.store.errors import StorageAway


@pytest.fixture
async def timers(storage: str) -> AsyncIterator[QueueClient]:
    """Give the SDK's client of an empty queue."""
    async with QueueServiceClient.from_connection_string(storage) as service:
        client = service.get_queue_client(TIMERS)
        await client.clear_messages()
        yield client
        await client.clear_messages()


async def taken(queue: QueueClient) -> list[Any]:
    return [message async for message in queue.receive_messages(visibility_timeout=60)]


@pytest.mark.parametrize(
    "text",
    ["plain", "", "Zoë 😀 \u2028", "<a>&amp; \"b\" 'c'</a> ]]>", "two\nlines\r\n\ttabs ", json.dumps("\0\ud800")],
)
async def test_a_text_comes_out_as_it_was_put(account: Account, timers: QueueClient, text: str) -> None:
    await account.put(TIMERS, text)
    (message,) = await taken(timers)
    assert (message.content or "") == text


async def test_a_message_comes_out_as_json_and_never_expires(account: Account, timers: QueueClient) -> None:
    body = {"send": "x", "name": "Zoë <&>", "at": 1.5}
    receipt = await account.put(TIMERS, body)
    (message,) = await taken(timers)
    assert json.loads(message.content) == body
    assert (receipt.queue, receipt.id) == (TIMERS, message.id)
    assert message.expires_on.year == 9999


async def test_a_large_message_fits(account: Account, timers: QueueClient) -> None:
    await account.put(TIMERS, "x" * 65_536)
    (message,) = await taken(timers)
    assert len(message.content) == 65_536


async def test_a_message_is_hidden_and_can_be_shown_earlier(account: Account, timers: QueueClient) -> None:
    receipt = await account.put(TIMERS, "later", delay=600)
    assert await taken(timers) == []
    shown = await account.postpone(receipt, 0)
    assert shown
    (message,) = await taken(timers)
    assert message.content == "later"  # it kept its text


async def test_a_part_of_a_second_is_hidden_for_a_whole_one(account: Account, timers: QueueClient) -> None:
    await account.put(TIMERS, "soon", delay=0.001)
    assert await taken(timers) == []
    await asyncio.sleep(1.1)
    assert len(await taken(timers)) == 1


async def test_a_delay_is_seven_days_at_most(account: Account, timers: QueueClient) -> None:
    receipt = await account.put(TIMERS, "much later", delay=LONGEST_DELAY * 2)
    await account.take_back(receipt)
    assert await account.depth(TIMERS) == 0


async def test_a_message_can_be_postponed_again_and_again(account: Account, timers: QueueClient) -> None:
    first = await account.put(TIMERS, "x", delay=60)
    second = await account.postpone(first, 600)
    assert second
    assert second.pop_receipt != first.pop_receipt
    assert await account.postpone(second, 600)
    # AND a receipt serves once
    assert await account.postpone(first, 0) is None


async def test_a_message_is_taken_back(account: Account, timers: QueueClient) -> None:
    receipt = await account.put(TIMERS, "x", delay=600)
    assert await account.depth(TIMERS) == 1
    await account.take_back(receipt)
    assert await account.depth(TIMERS) == 0


async def test_the_oldest_message_is_told_with_the_time_since_which_it_stands_there(
    account: Account, timers: QueueClient
) -> None:
    assert await account.oldest(TIMERS) is None
    before = int(time.time())
    await account.put(TIMERS, "hidden", delay=600)
    assert await account.oldest(TIMERS) is None, "nobody could take it"
    await account.put(TIMERS, {"text": '<"&'})
    await account.put(TIMERS, "newer")

    found = await account.oldest(TIMERS)

    assert found is not None
    assert before <= found[0] <= time.time()
    assert json.loads(found[1]) == {"text": '<"&'}
    assert await account.depth(TIMERS) == 3
    await timers.clear_messages()


async def test_what_somebody_has_taken_is_left_to_them(account: Account, timers: QueueClient) -> None:
    receipt = await account.put(TIMERS, "x")
    (message,) = await taken(timers)
    assert await account.postpone(receipt, 0) is None
    await account.take_back(receipt)
    await timers.delete_message(message)
    # AND what is gone is gone
    assert await account.postpone(receipt, 0) is None
    await account.take_back(receipt)
    await account.take_back(QueueReceipt(TIMERS, str(uuid.uuid4()), "AgAAAAMAAAAAAAAA"))


async def test_what_is_missing_is_made_when_it_is_first_used(account: Account, storage: str) -> None:
    # GIVEN an account without one table and one queue
    await account._tables.delete_table("rejected")
    await account._queues.delete_queue("errands")
    # WHEN somebody uses them
    await account.put("errands", "x")
    await account.upsert("rejected", {"PartitionKey": "p", "RowKey": "r"})
    # THEN they are there
    assert await account.depth("errands") == 1
    await account._tables.delete_table("rejected")
    await account.transaction("rejected", [("insert", {"PartitionKey": "p", "RowKey": "r"})])
    await account._tables.delete_table("rejected")
    assert await account.get("rejected", "p", "r") is None
    await account._tables.delete_table("rejected")
    assert await account.rows("rejected", "PartitionKey eq 'p'") == []
    await account._queues.delete_queue("errands")
    assert await account.depth("errands") == 0
    # AND making all of them again harms nothing
    await account.ensure()
    assert {table.name async for table in account._tables.list_tables()} >= set(TABLES)
    found = {queue.name async for queue in account._queues.list_queues()}
    assert found >= {*QUEUES, *(f"{name}-poison" for name in QUEUES)}


async def test_a_queue_that_nobody_makes_stays_away(account: Account) -> None:
    with pytest.raises(StorageAway, match="404 QueueNotFound"):
        await account.put("nobody-makes-this", "x")
