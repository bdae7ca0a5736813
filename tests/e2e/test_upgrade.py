"""A new build takes the place of an old one in the middle of a large send, and everybody gets it once.

Both builds are this code: a deployment ends processes and starts others on the same storage. Azure does so in one of
two ways (docs/upgrade.md): it lets what is under way end, or it does not. A stop by SIGTERM is the first, a kill the
second.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from azure.storage.queue.aio import QueueClient

from local.bench.seed import seed
from local.teams import Person, people
from tests.stack import Stack, ids, until

BOT = "upgraded"
PEOPLE = 5_000
PARALLELISM = 50
RATE = 1_000  # requests a second: the send takes five seconds at least, however fast the machine


@asynccontextmanager
async def under_way() -> AsyncIterator[tuple[Stack, list[Person], Any]]:
    """Run the old build, which has sent to some two fifths of all."""
    settings = {"PROACTIVE_BOT_NAME": BOT, "PROACTIVE_REQUESTS_PER_SECOND": str(RATE)}
    async with Stack.running(settings=settings, latency=0.02) as stack:
        everybody = people(PEOPLE)
        stack.teams.enrol(everybody, installed=True)
        await seed(stack.storage, stack.teams.service_url, everybody, bot=BOT)
        send = await stack.accepted(ids(everybody), options={"parallelism": PARALLELISM})

        async def begun() -> bool:
            return sent(stack) >= 2 * PEOPLE // 5

        await until(begun, every=0.01)
        yield stack, everybody, send


def sent(stack: Stack) -> int:
    return stack.teams.stats().accepted


def copies(stack: Stack, everybody: list[Person]) -> Counter[int]:
    return Counter(len(stack.got(person)) for person in everybody)


async def test_an_old_build_that_is_let_end_and_a_new_one_deliver_to_everybody_once():
    async with under_way() as (stack, everybody, send):
        (old,) = stack.hosts
        before = sent(stack)
        stack.hosts.clear()
        stopping = asyncio.create_task(old.stop())
        await stack.start()
        assert await stopping == 0, "it was stopped before it was done"
        one = await stack.accepted([everybody[0].object_id], message="From the new build")

        assert (await stack.outcome(one)).ok()["succeeded"] is True
        counts = (await stack.outcome(send)).ok()["counts"]

        assert before < PEOPLE
        assert counts["delivered"] == counts["total"] == PEOPLE
        assert copies(stack, everybody) == {1: PEOPLE - 1, 2: 1}
        assert stack.texts(everybody[0]) == ["Hello", "From the new build"]


async def test_behind_a_pause_even_an_old_build_that_is_cut_off_leaves_nobody_in_doubt():
    async with under_way() as (stack, everybody, send):
        (await stack.request("POST", "/api/ops/pause", json_body={"bot": BOT})).ok()
        await until(lambda: at_rest(stack, send["id"]))
        at_the_cut = sent(stack)
        await stack.kill()
        await stack.start()
        assert (await stack.status(send["id"]))["counts"]["delivered"] == at_the_cut < PEOPLE
        (await stack.request("POST", "/api/ops/resume", json_body={"bot": BOT})).ok()

        counts = (await stack.outcome(send)).ok()["counts"]

        assert counts["delivered"] == counts["total"] == PEOPLE
        assert copies(stack, everybody) == {1: PEOPLE}


# Nothing happens until the watchdog comes, 75 seconds after the cut.
@pytest.mark.long
@pytest.mark.timeout(170)
async def test_an_old_build_that_is_cut_off_loses_nobody():
    async with under_way() as (stack, everybody, send):
        await stack.kill()
        await stack.start()

        counts = (await stack.outcome(send, 120)).ok()["counts"]

        assert counts["delivered"] == counts["total"] == PEOPLE
        found = copies(stack, everybody)
        assert set(found) <= {1, 2}
        assert found[2] <= 2 * PARALLELISM, "only who was in doubt may have a second copy"


async def at_rest(stack: Stack, send: str) -> bool:
    """Whether nothing goes out any more, and all that went out is recorded, as an operator can see it."""
    before = sent(stack)
    await asyncio.sleep(1)
    delivered: int = (await stack.status(send))["counts"]["delivered"]
    async with QueueClient.from_connection_string(stack.storage, "lanes") as lanes:
        walked = (await lanes.get_queue_properties()).approximate_message_count
    return not walked and sent(stack) == before == delivered
