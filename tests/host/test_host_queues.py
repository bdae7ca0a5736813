import asyncio
import base64
import json
import time
from datetime import datetime

import pytest

from local.azurite import azurite
from local.host.host_json import Queues
from local.host.queues import Listener, _Pause
from local.host.storage import Account, Queue
from tests.host.support import length, put, seen, until


class Function:
    """Stands for a function: records what it was given, sleeps, then succeeds or fails."""

    def __init__(self, sleep: float = 0, fail: int = 0) -> None:
        self.sleep = sleep
        self.fail = fail
        self.texts: list[str] = []

    async def __call__(self, value, metadata) -> bool:
        self.texts.append(value.string)
        await asyncio.sleep(self.sleep)
        return len(self.texts) > self.fail


@pytest.fixture
async def listening(storage):
    """Start listeners on queues of the test's own account; stop them at the end."""
    account = Account(storage)
    listeners = []

    def start(name: str, function: Function, options: Queues, lease: int = 600, poison: bool = True) -> Listener:
        listener = Listener(
            Queue(account, name), Queue(account, f"{name}-poison") if poison else None, function, options, lease
        )
        listener.start()
        listeners.append(listener)
        return listener

    yield start
    await asyncio.gather(*(listener.stop() for listener in listeners))
    await account.close()


def job(**fields: object) -> str:
    return json.dumps(fields)


QUICK = Queues(max_polling_interval=0.1, base64=False)


async def test_a_message_is_handed_over_with_its_metadata_and_then_deleted(storage, host, web):
    await put(storage, "work", job(id="plain"))
    [entry] = await until(lambda: seen(web, host.url, job="plain"))
    assert entry["count"] == 1
    assert datetime.fromisoformat(entry["inserted"]).timestamp() == pytest.approx(time.time(), abs=30)
    assert datetime.fromisoformat(entry["expires"]) > datetime.fromisoformat(entry["inserted"])
    # Hidden for 10 minutes while it runs.
    assert datetime.fromisoformat(entry["next"]).timestamp() == pytest.approx(time.time() + 600, abs=30)
    assert entry["receipt"]

    async def empty() -> bool:
        return await length(storage, "work") == 0

    await until(empty)


async def test_a_failing_message_comes_back_until_it_is_moved_to_the_poison_queue(storage, host, web):
    started = time.monotonic()
    await put(storage, "work", job(id="once", fail=1), job(id="poisonous", fail=99, text="<&>"))
    await until(lambda: seen(web, host.url, job="once", failed=False))
    assert [entry["count"] for entry in await seen(web, host.url, job="once")] == [1, 2]
    # visibilityTimeout is 1 s, maxDequeueCount 3.
    assert time.monotonic() - started >= 1.0
    await until(lambda: seen(web, host.url, function="buried", job="poisonous"))
    assert [entry["count"] for entry in await seen(web, host.url, function="work", job="poisonous")] == [1, 2, 3]
    assert time.monotonic() - started >= 2.0
    assert await length(storage, "work") == 0
    # A failing poison function: the message stays, hidden until its 10 minutes are over.
    await asyncio.sleep(0.5)
    assert len(await seen(web, host.url, function="buried", job="poisonous")) == 1
    assert await length(storage, "work-poison") == 1


async def test_a_queue_that_comes_later_is_noticed_and_its_name_and_account_are_settings(storage, host, web):
    await put(storage, "threaded", "hello")
    [entry] = await until(lambda: seen(web, host.url, function="threaded"))
    assert (entry["job"], entry["count"]) == ("hello", 1)


async def test_no_more_than_batch_and_threshold_are_in_flight(storage, host, web):
    await put(storage, "work", *(job(id="many", sleep=0.2 if number % 4 < 2 else 0.6) for number in range(18)))

    async def all_done() -> bool:
        return len(await seen(web, host.url, job="many")) == 18

    await until(all_done)
    async with web.get(f"{host.url}/api/seen") as answer:
        most = (await answer.json())["most"]
    assert 4 < most <= 4 + 2


async def test_base64_is_decoded_and_what_is_none_goes_to_the_poison_queue_at_once(storage, listening):
    function = Function()
    await put(storage, "encoded", base64.b64encode("grüße".encode()).decode(), "not base64!")
    listening("encoded", function, Queues(max_polling_interval=0.1))

    async def moved() -> bool:
        return await length(storage, "encoded") == 0

    await until(moved)
    assert function.texts == ["grüße"]
    assert await length(storage, "encoded-poison") == 1


async def test_a_message_stays_hidden_while_its_function_runs_longer_than_the_lease(storage, listening):
    function = Function(sleep=2.5)
    await put(storage, "long", "x")
    listening("long", function, QUICK, lease=2)
    await until(lambda: asyncio.sleep(0, function.texts))

    async def deleted() -> bool:
        return await length(storage, "long") == 0

    await until(deleted)
    assert function.texts == ["x"]


async def test_a_message_of_a_poison_queue_is_not_tried_more_often_than_others(storage, listening):
    function = Function(fail=99)
    await put(storage, "bad-poison", "x")
    options = Queues(max_polling_interval=0.1, max_dequeue_count=2, base64=False)
    listening("bad-poison", function, options, lease=1, poison=False)
    await asyncio.sleep(2.6)
    assert function.texts == ["x", "x"]
    assert await length(storage, "bad-poison") == 1


async def test_stopping_finishes_what_runs_and_takes_nothing_more(storage, listening):
    function = Function(sleep=0.5)
    await put(storage, "stopping", *"abc")
    listener = listening("stopping", function, Queues(batch_size=1, new_batch_threshold=0, base64=False))
    await until(lambda: asyncio.sleep(0, function.texts))
    await listener.stop()
    assert len(function.texts) == 1
    assert await length(storage, "stopping") == 2


async def test_when_storage_goes_away_and_comes_back_the_listener_goes_on(listening, caplog):
    caplog.set_level("INFO")
    async with azurite(in_memory=True) as first:
        ports = tuple(int(part.split(":")[2].split("/")[0]) for part in first.split(";") if "Endpoint=" in part)
        account = Account(first)
        function = Function()
        listener = Listener(Queue(account, "away"), None, function, QUICK)
        listener.start()
        await put(first, "away", "before")
        await until(lambda: asyncio.sleep(0, function.texts))
    await asyncio.sleep(0.3)
    blob, queue, table = ports
    async with azurite(in_memory=True, ports=(blob, queue, table)) as second:
        await put(second, "away", "after")

        async def both() -> bool:
            return function.texts == ["before", "after"]

        await until(both)
        await listener.stop()
    await account.close()
    lines = [record.getMessage() for record in caplog.records if "storage at" in record.getMessage()]
    assert [line.split()[3] for line in lines] == ["cannot", "works"]


def test_polling_an_empty_queue_slows_down_to_the_longest_interval_and_starts_again_after_a_find():
    pause = _Pause(longest=2.0)
    waits = [pause.next() for _ in range(8)]
    assert waits[0] == 0.1
    assert waits[:5] == sorted(waits[:5]), "chance alone does not make a later one shorter yet"
    assert max(waits) == 2.0
    pause.found()
    assert pause.next() == 0.1
