"""A crew never has more in flight than its width, and tells when there is room."""

import asyncio

from proactive.crew import Crew


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
    await crew.end()

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
    await crew.end()


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
    await crew.end()
