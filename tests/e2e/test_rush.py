"""A rush: many answers at one instant, on several instances, and one that dies."""

import asyncio
import contextlib
import json

import pytest

from local.teams import Crowd
from tests.e2e.flow import BODY, EXECUTE, THANKS, Asking, Run, Says, in_the_background, question, together
from tests.stack import PATIENCE, SENDS, Stack, until

pytest_plugins = ["tests.e2e.flow"]
pytestmark = pytest.mark.timeout(120)


@contextlib.asynccontextmanager
async def crowds(stack):
    """Give the hands of the people on each of two instances."""
    one, other = (Crowd(stack.teams, f"{host.url}/api/messages", patience=PATIENCE) for host in stack.hosts)
    async with one, other:
        yield one, other


@pytest.mark.parametrize("action", ["Action.Submit", "Action.Execute"])
@together
async def test_fifty_presses_at_one_instant_on_two_instances_are_one_answer(asking, action):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run()
    card = question({"type": action, "title": "Approve"}, {"type": action, "title": "Reject"})
    send = await asking.ask([ada], card, run=run)
    message = await asking.card(ada)
    async with crowds(asking.stack) as (one, other):
        pairs = [(one, "Approve"), (other, "Reject"), (one, "Reject"), (other, "Approve"), (other, "Approve")]
        posted = await asyncio.gather(*(crowd.press(ada, title, message=message) for crowd, title in pairs * 10))

    assert {answer.status for answer in posted} == {200}
    if action == "Action.Execute":
        assert {answer.body["statusCode"] for answer in posted} == {200}
    told = await run.called_once()
    (answer,) = await asking.responses(send)
    assert told["submitActionId"] == answer["submitActionId"]
    assert told["counts"]["responded"] == 1
    await asking.shows(ada, THANKS)


@pytest.mark.parametrize("when", ["first", "all"])
@together
async def test_twenty_people_at_one_instant_on_two_instances_are_one_callback(asking, when):
    people = await asking.stack.join(20)
    run = asking.flows.run()
    send = await asking.ask(people, run=run, completeWhen=when)
    await asking.delivered(send)
    cards = {person: await asking.card(person) for person in people}
    async with crowds(asking.stack) as (one, other):
        posted = await asyncio.gather(
            *(crowd.press(p, "Approve", message=cards[p]) for crowd, p in zip([one, other] * 10, people, strict=True))
        )
    assert {answer.status for answer in posted} == {200}
    told = await run.called_once()
    expected = 20 if when == "all" else 1
    assert (told["outcome"], told["counts"]["responded"]) == ("responded", expected)
    assert len(await asking.responses(send)) == expected

    async def replaced():
        shown = [json.dumps(asking.stack.got(person)) for person in people]
        return sum(THANKS in text for text in shown) == expected and not any(BODY in text for text in shown)

    await until(replaced)


@in_the_background
async def test_an_instance_that_dies_right_after_an_answer_was_taken_loses_no_callback(asking):
    async with Stack.running(settings={"PROACTIVE_BOT_NAME": "dying"}) as stack:
        mortal = Asking(stack, asking.flows)
        people = await stack.join(12)
        runs: list[Run] = [asking.flows.run() for _ in people]
        dead = asyncio.Event()
        runs[0].answers.append(Says(after=dead))  # is being called when the instance dies
        asked = [
            await mortal.ask([person], EXECUTE if n == 2 else None, run=run)
            for n, (person, run) in enumerate(zip(people, runs, strict=True))
        ]
        await mortal.press(people[0])
        await runs[0].called()
        posted = await asyncio.gather(*(mortal.press(person) for person in people[1:]))
        await stack.kill()
        dead.set()
        assert {answer.status for answer in posted} == {200}
        assert len(runs[0].got) == 1
        assert not all(run.got for run in runs), "it died before it had called them all"
        await stack.start()

        for run in runs[1:]:
            await run.called(1, 100)  # at the latest by its watchdog, which comes after 75 s
        await runs[0].called(2, 100)
        await asyncio.sleep(5)

        for send, run, person in zip(asked, runs, people, strict=True):
            assert len({call.id for call in run.got}) == 1
            assert not any("webhook-signature" in call.headers for call in run.got), "there is no secret to sign with"
            told = [json.loads(call.raw) for call in run.got]
            assert {body["id"] for body in told} == {send["id"]}
            assert {body["responder"]["objectId"] for body in told} == {person.object_id}
            await mortal.handed_over(send)
            await mortal.shows(person, THANKS)
            await mortal.outcome(send)
            assert len(await mortal.responses(send)) == 1


async def test_a_hundred_people_who_answer_together_do_not_have_to_wait(scenes):
    await scenes.all_ended()
    asking = scenes.asking
    people = await asking.stack.join(110)
    send = (await asking.post(people, EXECUTE, completeWhen="all")).ok(202)
    await asking.delivered(send)
    cards = {person: await asking.card(person) for person in people}
    crowd = await asking.stack.crowd()

    posted = await crowd.each(
        lambda person: crowd.press(person, "Approve", {"note": person.name}, message=cards[person]), people, at_once=50
    )

    assert {answer.status for answer in posted} == {200}
    assert max(answer.seconds for answer in posted) < 10, "Teams shows an error after ten seconds"
    outcome = await asking.outcome(send)
    assert (outcome["outcome"], outcome["statusCode"], outcome["succeeded"]) == ("responded", 200, True)
    assert (outcome["counts"]["delivered"], outcome["counts"]["responded"]) == (110, 110)
    assert (len(outcome["responses"]), len(outcome["results"])) == (100, 100)
    rows = (await asking.stack.get(f"{SENDS}/{send['id']}/responses?top=1000")).ok()["responses"]
    assert {row["responder"]["objectId"]: row["data"]["note"] for row in rows} == {
        person.object_id: person.name for person in people
    }
    for person in people:
        await asking.shows(person, THANKS)


test_a_hundred_people_who_answer_together_do_not_have_to_wait.after_all = True  # type: ignore[attr-defined]
