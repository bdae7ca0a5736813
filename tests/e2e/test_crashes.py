"""Processes die at the worst moment, and nobody is lost; several share the work."""

import pytest

from tests.stack import Stack, ids, until


# More than a minute of waiting for a watchdog: `make test` cuts processes in tests/chaos instead.
@pytest.mark.long
@pytest.mark.timeout(170)
async def test_killed_in_the_middle_of_a_send_and_right_after_accepting_others(wreck):
    stack = wreck.stack
    assert wreck.at_the_kill < len(wreck.people)

    for _, accepted in wreck.others:
        assert (await stack.outcome(accepted, 100)).ok(200)["succeeded"] is True
    counts = (await stack.outcome(wreck.send, 110)).ok(200)["counts"]

    assert counts["total"] == counts["delivered"] == len(wreck.people)
    copies = [len(stack.got(person)) for person in wreck.people]
    assert set(copies) <= {1, 2}
    assert copies.count(2) <= 2 * wreck.parallelism, "only who was in doubt may have a second copy"
    assert {len(stack.got(person)) for person, _ in wreck.others} <= {1, 2}


async def test_two_instances_share_a_send_within_its_limits_and_one_that_stops_loses_nobody():
    settings = {"PROACTIVE_BOT_NAME": "two", "PROACTIVE_REQUESTS_PER_SECOND": "50"}
    async with Stack.running(settings=settings, hosts=2, rate=50, burst=15) as stack:
        people = await stack.join(100)

        async def quiet():
            return stack.teams.stats().operations.get("member", 0) >= len(people)

        await until(quiet)  # the roster is looked at within the same ceiling
        stack.teams.clear()
        first = await stack.accepted(ids(people), options={"parallelism": 7})
        second = await stack.accepted(ids(people[:30]), options={"parallelism": 3})

        async def begun():
            return stack.teams.stats().accepted >= 30

        await until(begun)
        assert await stack.hosts.pop().stop() == 0
        for send in (first, second):
            assert (await stack.outcome(send, 50)).ok(200)["succeeded"] is True
            assert (await stack.status(send["id"]))["status"] == "completed"

        stats = stack.teams.stats()
        assert stats.peak <= 10
        assert stats.throttled.get("ceiling", 0) == 0
        expected = [2] * 30 + [1] * 70
        assert [len(stack.got(person)) for person in people] == expected, "a clean stop leaves nobody in doubt"
        assert await stack.hosts.pop().stop() == 0
