"""A crew never has more in flight than its width, and tells when there is room."""

import asyncio
import time
from collections.abc import Iterable

import pytest

from local.teams import Person, TeamsStandIn
from proactive.crew import Crew
from proactive.store.chunks import Chunk, Chunks
from tests.delivery.conftest import House


async def test_no_more_jobs_at_once_than_the_width() -> None:
    crew = Crew(3, until=1e12, stopped=False)
    at_once = most = done = 0

    async def job() -> None:
        nonlocal at_once, most, done
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.001)
        at_once -= 1
        done += 1

    for _ in range(20):
        crew.add(job)
    while done < 20:
        await asyncio.sleep(0.001)

    assert most == 3


async def test_it_is_low_when_the_workers_would_run_dry_and_tells_so() -> None:
    crew = Crew(2, until=1e12, stopped=False)
    gate = asyncio.Semaphore(0)

    async def job() -> None:
        await gate.acquire()

    for _ in range(4):
        crew.add(job)
    assert not crew.low
    waiting = asyncio.create_task(crew.changed(30))
    gate.release()
    await asyncio.sleep(0.01)
    assert not waiting.done()
    gate.release()
    await asyncio.wait_for(waiting, 1)

    assert crew.low
    gate.release()
    gate.release()
    await asyncio.sleep(0.01)


async def test_a_job_that_fails_does_not_cost_a_place() -> None:
    crew = Crew(1, until=1e12, stopped=False)
    done = asyncio.Event()

    async def broken() -> None:
        raise asyncio.CancelledError

    async def job() -> None:
        done.set()

    crew.add(broken)
    await asyncio.sleep(0.01)
    crew.add(job)

    await asyncio.wait_for(done.wait(), 1)


async def test_a_job_that_is_handed_in_while_the_last_worker_leaves_is_done() -> None:
    crew = Crew(1, until=1e12, stopped=False)

    for _ in range(100):
        done = asyncio.Event()

        async def job(done: asyncio.Event = done) -> None:
            done.set()

        crew.add(job)
        await asyncio.wait_for(done.wait(), 1)


async def test_over_all_chunks_no_more_than_twice_the_parallelism_is_ever_in_doubt(
    house: House, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proactive.plan.SIZE", 7)
    width = 5
    await house.knows(people)
    send = await house.accept(people, options={"parallelism": width})
    assert send.chunks > 5
    real, doubts = Chunks.save, []

    async def save(self: Chunks, chunk: Chunk, new: Iterable[int] = ()) -> None:
        await real(self, chunk, new)
        stored = [one async for one in self.read(send.id, send.plan)]
        doubts.append(sum(len(one.in_doubt()) for one in stored))

    monkeypatch.setattr(Chunks, "save", save)
    started = time.monotonic()
    await house.drain()

    assert set(await house.states(send)) == {"delivered"}
    assert max(doubts) <= 2 * width
    assert time.monotonic() - started < 15, "a window has waited for somebody to tell it that there is room"


async def test_while_one_chunk_comes_to_its_end_the_next_one_has_begun(
    house: House, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proactive.plan.SIZE", 7)
    async with TeamsStandIn(people, rate=None, latency=0.3) as slow:
        house.teams = slow
        await house.knows(people)
        await house.accept(people, options={"parallelism": 14})

        await house.drain()

        assert slow.stats().peak > 7
        assert slow.stats().peak <= 14
