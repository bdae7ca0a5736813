"""Groups and names of the directory, through a real host and a stand-in for Microsoft Graph."""

import json
from collections.abc import AsyncIterator

import pytest

from local.graph import GraphStandIn, Organisation
from local.teams import Person
from local.teams.people import CONTOSO
from tests.stack import Stack, codes, until

STRANGER = Person.named("Quinn Outside")


@pytest.fixture(scope="module")
async def contoso() -> Organisation:
    return Organisation(CONTOSO)


@pytest.fixture(scope="module")
async def stack(contoso: Organisation) -> AsyncIterator[Stack]:
    async with GraphStandIn(contoso, repeats=True) as graph:
        settings = {"PROACTIVE_BOT_NAME": "groups", "PROACTIVE_GRAPH_URL": graph.url}
        async with Stack.running(settings=settings) as running:
            yield running


async def test_a_group_within_a_group_a_person_and_a_stranger_get_what_they_must(stack, contoso):
    people = await stack.join(12)
    contoso.enrol([*people, STRANGER])
    inner = contoso.group("Inner", *people[:6], STRANGER)
    contoso.group("Outer", inner, *people[4:10], mail="outer@contoso.com")

    outcome = (await stack.deliver([{"group": "outer@contoso.com"}, people[0].mail, people[11].name])).ok(424)

    reached = [*people[:10], people[11]]
    assert [len(stack.got(person)) for person in people] == [1] * 10 + [0, 1]
    assert outcome["counts"]["total"] == 12
    assert outcome["counts"]["delivered"] == 11
    found = codes(outcome)
    assert found[STRANGER.upn][0] == 100
    by_address = {person.upn for person in reached} & set(found)
    assert len(by_address) >= 9, "members are named by their principal names"


async def test_over_the_queue_and_by_an_event_a_team_is_reached(stack, contoso):
    people = await stack.join(5)
    contoso.enrol(people)
    team = contoso.group("Canteen", *people, team=True)
    send = {"recipients": [{"team": team.id}], "message": "Noon"}

    await stack.put(json.dumps({"specversion": "1.0", "id": "1", "source": "/canteen", "type": "t", "data": send}))

    async def reached() -> bool:
        return all(stack.got(person) for person in people)

    await until(reached, 20)
    assert [stack.texts(person) for person in people] == [["Noon"]] * 5


async def test_what_is_not_in_the_directory_is_said_with_its_reason_and_nobody_gets_anything(stack, contoso):
    twins = [Person.named("Robin Twin", mail=f"robin{n}@contoso.com", object_id=f"twin-{n}") for n in range(2)]
    gone = Person.named("Former Colleague")
    contoso.enrol(twins)
    contoso.enrol([gone], enabled=False)
    recipients = ["Robin Twin", gone.mail, "nobody@contoso.com", {"group": "No such group"}]

    outcome = (await stack.deliver(recipients)).ok(424)

    assert codes(outcome) == {
        "Robin Twin": (404, "ambiguousRecipient: Robin Twin <robin0@contoso.com>, Robin Twin <robin1@contoso.com>"),
        gone.mail: (404, "accountDisabled"),
        "nobody@contoso.com": (404, "unknownRecipient"),
        "No such group": (404, "unknownGroup"),
    }


async def test_a_dry_run_counts_the_people_of_a_group(stack, contoso):
    people = await stack.join(3)
    others = [Person.named(f"Not Here {n}") for n in range(2)]
    contoso.enrol([*people, *others])
    contoso.group("Five", *people, *others)

    told = (await stack.post({"recipients": [{"group": "Five"}], "message": "x", "dryRun": True})).ok()

    assert told["groups"] == [{"group": "Five", "total": 5, "notInstalled": 2, "complete": True, "reason": None}]
    assert [stack.got(person) for person in people] == [[]] * 3
