"""The proxy in front of Azurite: the SDKs work through it as without it, and every call is counted."""

import asyncio
import uuid
from collections import Counter

import pytest

from local.storage_proxy import Call, StorageProxy
from proactive.settings import StorageAccount
from proactive.store.account import LANES, Account
from proactive.store.errors import Conflict, Stale, StorageAway


async def test_tables_work_through_the_proxy_and_each_call_is_counted(storage: str) -> None:
    partition = uuid.uuid4().hex
    async with StorageProxy(storage) as proxy:
        account = Account(StorageAccount(connection_string=proxy.connection_string))
        await account.ensure()
        proxy.clear()
        row = {"PartitionKey": partition, "RowKey": "it's one", "text": "ä" * 3000}
        await account.insert("sends", row)
        with pytest.raises(Conflict):
            await account.insert("sends", row)
        more = [{"PartitionKey": partition, "RowKey": f"n{n}"} for n in range(100)]
        await account.transaction("sends", [("insert", one) for one in more])
        found = await account.get("sends", partition, "it's one")
        rows = await account.rows("sends", f"PartitionKey eq '{partition}'")
        with pytest.raises(Stale):
            await account.update("sends", row, "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\"")
        await account.close()

    assert found
    assert found["text"] == "ä" * 3000
    assert len(rows) == 101
    assert Counter(proxy.calls) == {
        Call("table", "POST", "sends"): 2,
        Call("table", "POST", "$batch"): 1,
        Call("table", "GET", "sends(…)"): 1,
        Call("table", "GET", "sends()"): 1,
        Call("table", "PUT", "sends(…)"): 1,
    }


async def test_queues_work_through_the_proxy_and_empty_receives_stand_apart(storage: str) -> None:
    async with StorageProxy(storage) as proxy:
        account = Account(StorageAccount(connection_string=proxy.connection_string))
        await account.ensure()
        queue = account._queues.get_queue_client(LANES)
        await queue.clear_messages()
        proxy.clear()
        assert [m async for m in queue.receive_messages(messages_per_page=32)] == []
        receipt = await account.put(LANES, {"text": "ä"}, 60)
        await account.take_back(receipt)
        await account.close()

    assert Counter(proxy.calls) == {
        Call("queue", "POST", "lanes/messages"): 1,
        Call("queue", "DELETE", "lanes/messages/…"): 1,
    }
    assert proxy.idle == {"lanes": 1}


async def test_a_hook_holds_a_call_up_before_it_reaches_storage_and_after(storage: str) -> None:
    partition, seen, go = uuid.uuid4().hex, [], asyncio.Event()

    async def before(call: Call) -> None:
        seen.append(("before", call.method))
        await go.wait()

    async def after(call: Call) -> None:
        seen.append(("after", call.method))

    direct = Account(StorageAccount(connection_string=storage))
    async with StorageProxy(storage) as proxy:
        account = Account(StorageAccount(connection_string=proxy.connection_string))
        await account.ensure()
        proxy.before, proxy.after = before, after
        writing = asyncio.create_task(account.insert("sends", {"PartitionKey": partition, "RowKey": "1"}))
        async with asyncio.timeout(10):
            while not seen:
                await asyncio.sleep(0.01)
        assert await direct.get("sends", partition, "1") is None
        go.set()
        await writing
        assert await direct.get("sends", partition, "1")
        await account.close()
    await direct.close()

    assert seen == [("before", "POST"), ("after", "POST")]


@pytest.mark.parametrize("after", [False, True])
async def test_a_hook_loses_a_call_before_it_takes_effect_or_its_answer_after(storage: str, *, after: bool) -> None:
    partition, lost = uuid.uuid4().hex, []

    async def lose(call: Call) -> None:
        if call.method == "POST":
            lost.append(call)
            raise ConnectionResetError

    async with StorageProxy(storage) as proxy:
        account = Account(StorageAccount(connection_string=proxy.connection_string))
        await account.ensure()
        if after:
            proxy.after = lose
        else:
            proxy.before = lose
        with pytest.raises(StorageAway):
            await account.insert("sends", {"PartitionKey": partition, "RowKey": "1"})
        assert (await account.get("sends", partition, "1") is not None) == after
        await account.close()

    assert set(lost) == {Call("table", "POST", "sends")}
