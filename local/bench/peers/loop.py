"""What all peers share: the job on standard input, the loop with so many messages in flight, the figures at the end.

Only the standard library: each peer runs in an environment of its own.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

_WARM_UP = 20  # messages: imports made late, connections, caches


@dataclass(frozen=True, slots=True)
class Job:
    """So many messages with `text`, one to each conversation, `in_flight` at once."""

    service_url: str
    conversations: list[str]
    text: str
    bot_id: str
    in_flight: int


def read_job() -> Job:
    """Return the job from standard input."""
    return Job(**json.load(sys.stdin))


async def run(job: Job, send: Callable[[str], Awaitable[object]]) -> None:
    """Send to every conversation and print one JSON line: messages, seconds, cpu_seconds, peak_rss_mb.

    The first few are sent ahead of the clock. An error ends the process: a peer that loses messages has no rate.
    """
    first, rest = job.conversations[:_WARM_UP], job.conversations[_WARM_UP:]
    await asyncio.gather(*map(send, first))
    waiting = iter(rest)
    cpu, start = time.process_time(), time.perf_counter()

    async def hand() -> None:
        for conversation in waiting:
            await send(conversation)

    await asyncio.gather(*(hand() for _ in range(job.in_flight)))
    _report(len(rest), time.perf_counter() - start, time.process_time() - cpu)


def run_threads(job: Job, send: Callable[[str], object], threads: int) -> None:
    """Do the same with a blocking `send` on so many threads."""
    first, rest = job.conversations[:_WARM_UP], job.conversations[_WARM_UP:]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(send, first))
        cpu, start = time.process_time(), time.perf_counter()
        list(pool.map(send, rest))
        _report(len(rest), time.perf_counter() - start, time.process_time() - cpu)


def _report(messages: int, seconds: float, cpu_seconds: float) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    figures = {"messages": messages, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_rss_mb": peak}
    print(json.dumps(figures))
