"""Teams misbehaves, and everybody still ends in exactly one state."""

import asyncio
import time
from dataclasses import replace

from local.teams import Fault, bad_weather
from tests.stack import codes, ids


# The first of this file, since a 429 of a second conversation within 5 s would rightly hold up everybody.
async def test_one_person_who_has_to_wait_does_not_hold_up_the_others(stack):
    patience = {429: 6, 503: 7, 412: 8}
    late = dict(zip(patience, await stack.join(3), strict=True))
    others = await stack.join(20)
    for status, seconds in patience.items():
        person = late[status].object_id
        stack.teams.fault(Fault(person=person, operation="send", times=1, status=status, retry_after=seconds))
    start = time.monotonic()
    sends = [await stack.accepted(ids([person, *others]), options={"parallelism": 5}) for person in late.values()]
    for send in sends:
        (await stack.outcome(send)).ok(200)
    arrived = {entry.conversation_id: entry.at - start for entry in stack.teams.received if entry.operation == "send"}
    waited = {status: arrived[stack.teams.conversation_id(person)] for status, person in late.items()}
    assert max(arrived[stack.teams.conversation_id(person)] for person in others) < min(waited.values())
    assert all(seconds - 0.1 < waited[status] < seconds + 20 for status, seconds in patience.items()), waited
    assert [len(stack.got(person)) for person in (*late.values(), *others)] == [1] * 3 + [3] * 20


async def test_what_passes_is_tried_again_until_it_is_delivered(stack):
    faults = [
        {"status": 429, "retry_after": 1},
        {"status": 429},
        {"status": 412},
        {"status": 502},
        {"status": 503},
        {"status": 504},
        {"cut": "reset"},
        {"cut": "close"},
    ]
    people = await stack.join(len(faults))

    async def delivered(person, fault):
        number = stack.teams.fault(Fault(person=person.object_id, operation="send", times=1, **fault))
        (alan,) = await stack.join(1)
        outcome = (await stack.deliver([person.object_id, alan.object_id])).ok(200)
        attempts = [result["attempts"] for result in outcome["results"]]
        return codes(outcome), stack.teams.hits(number), attempts, [len(stack.got(one)) for one in (person, alan)]

    met = await asyncio.gather(*map(delivered, people, faults))

    for fault, (ended, hits, attempts, copies) in zip(faults, met, strict=True):
        assert set(ended.values()) == {(200, None)}, fault
        assert (hits, attempts, copies) == (1, [2, 1], [1, 1]), fault


async def test_in_bad_weather_nobody_is_lost_and_every_state_is_true(stack):
    people = await stack.join(60)
    weather = bad_weather(seed=7)
    # Each kind twice, at chosen requests: by chance alone somebody is now and then unlucky for half a minute.
    numbers = [
        stack.teams.fault(replace(f, operation="send", probability=1, nth=2 * n + 1, times=2))
        for n, f in enumerate(weather)
    ]
    try:
        accepted = await stack.accepted(ids(people), options={"parallelism": 20})
        outcome = (await stack.outcome(accepted, 50)).ok(200)
    finally:
        stack.teams.clear_faults()
    assert outcome["counts"]["delivered"] == outcome["counts"]["total"] == 60
    assert [stack.teams.hits(number) for number in numbers] == [2] * len(weather)
    accepted_in_doubt = 2 * sum(fault.accepted for fault in weather)
    copies = [len(stack.got(person)) for person in people]
    assert min(copies) == 1
    assert sum(copies) == 60 + accepted_in_doubt


async def test_who_could_only_be_tried_again_after_the_deadline_has_failed_with_teams_own_code(stack):
    ada, alan = await stack.join(2)
    stack.teams.fault(Fault(person=ada.object_id, operation="send", status=503, retry_after=90, times=1))
    outcome = (await stack.deliver([ada.object_id], options={"deliverWithin": "PT1M"})).ok(424)
    (result,) = outcome["results"]
    assert (result["state"], result["statusCode"], result["reason"]) == ("failed", 502, "ServiceUnavailable")
    assert stack.got(ada) == []
    # and nobody else has to wait for that person
    await stack.accepted([alan.object_id])
    await stack.teams.wait_delivered(alan)
