"""People who lack the bot, and people whom storage has forgotten, reached through a real host with Graph."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from azure.data.tables.aio import TableClient

from local.graph import GraphFault, GraphStandIn, Organisation, TeamsApp, TellTeams, User
from local.graph.organisation import TEAMS_APP
from local.teams import Person
from local.teams.people import CONTOSO
from tests.stack import Stack, codes, ids, until

INSTALL = {"ifBotNotInstalled": "install"}


@dataclass
class Company:
    """A stack with Graph, and people in the tenant of whom nobody has the bot."""

    stack: Stack
    graph: GraphStandIn
    organisation: Organisation
    people: list[Person]

    def some(self, count: int) -> list[Person]:
        """Return people whom no other test has."""
        taken, self.people[:count] = self.people[:count], []
        return taken

    async def forgotten(self) -> None:
        """Have storage lose all that the bot knows of people and tenants, and the process its memory."""
        await self.stack.kill()
        async with TableClient.from_connection_string(self.stack.storage, "conversations") as table:
            async for entity in table.list_entities(select=["PartitionKey", "RowKey"]):
                await table.delete_entity(entity["PartitionKey"], entity["RowKey"])
        await self.stack.start()


@pytest.fixture(scope="module")
async def company() -> AsyncIterator[Company]:
    async with Stack.running(hosts=0) as stack:
        people = stack.strangers(60)
        stack.teams.enrol(people)
        organisation = Organisation()
        organisation.enrol(people)
        tellers: list[TellTeams] = []

        async def told(tenant: str, user: User, app: TeamsApp) -> None:
            tellers.append(TellTeams(stack.teams, people, await stack.crowd()))
            await tellers[-1](tenant, user, app)

        async with GraphStandIn(organisation, on_install=told) as graph:
            stack.settings |= {
                "PROACTIVE_GRAPH_URL": graph.url,
                "PROACTIVE_TEAMS_URL": stack.teams.service_url,
                "PROACTIVE_TEAMS_APP_ID": TEAMS_APP,
                "MicrosoftAppTenantId": CONTOSO,
            }
            await stack.start()
            yield Company(stack, graph, organisation, list(people))


async def test_who_lacks_the_bot_gets_it_and_the_message(company: Company) -> None:
    stack, (ada, alan, grace) = company.stack, company.some(3)
    company.organisation.blocked.add(grace.object_id)
    await (await stack.crowd()).install(alan)

    outcome = (await stack.deliver(ids([ada, alan, grace]), options=INSTALL)).ok()  # 200: the run does not fail

    assert codes(outcome) == {
        ada.object_id: (200, None),
        alan.object_id: (200, None),
        grace.object_id: (100, "blockedByPolicy"),
    }
    assert (outcome["statusCode"], outcome["succeeded"]) == (207, False)
    assert [len(stack.got(person)) for person in (ada, alan, grace)] == [1, 1, 0]
    await stack.learnt(ada)  # the bot has heard of the install, and looked her up
    assert (await stack.deliver([ada.mail])).status == 200


async def test_who_removed_the_bot_gets_it_again_only_when_asked_to(company: Company) -> None:
    stack, (ada,) = company.stack, company.some(1)
    crowd = await stack.crowd()
    await crowd.install(ada)
    await crowd.uninstall(ada)

    without = (await stack.deliver(ids([ada]))).ok(424)
    with_it = (await stack.deliver(ids([ada]), options=INSTALL)).ok()

    assert codes(without) == {ada.object_id: (100, "notInstalled")}
    assert codes(with_it) == {ada.object_id: (200, None)}
    assert len(stack.got(ada)) == 1


async def test_who_blocked_the_bot_is_left_alone(company: Company) -> None:
    stack, (ada,) = company.stack, company.some(1)
    await (await stack.crowd()).install(ada)
    stack.teams.uninstall(ada, "ConversationBlockedByUser")
    before = company.graph.stats.requests

    assert codes((await stack.deliver(ids([ada]), options=INSTALL)).ok()) == {ada.object_id: (100, "blocked")}
    assert company.graph.stats.requests == before


async def test_graph_may_take_its_time_with_one_of_them(company: Company) -> None:
    stack, people = company.stack, company.some(4)
    company.graph.fault(GraphFault(kind="install", about=people[1].object_id, status=429, retry_after=6, times=1))

    outcome = (await stack.deliver(ids(people), options=INSTALL)).ok()

    assert outcome["counts"]["delivered"] == 4
    assert [len(stack.got(person)) for person in people] == [1] * 4


async def test_a_dry_run_tells_who_would_get_it(company: Company) -> None:
    stack, (ada, alan) = company.stack, company.some(2)
    await (await stack.crowd()).install(alan)

    async def told(**options: Any) -> dict[str, str]:
        body = {"recipients": ids([ada, alan]), "message": "x", "dryRun": True, "options": options}
        return {row["userId"]: row["state"] for row in (await stack.post(body)).ok()["recipients"]}

    assert await told(**INSTALL) == {ada.object_id: "wouldInstall", alan.object_id: "wouldSend"}
    assert await told() == {ada.object_id: "wouldAsk", alan.object_id: "wouldSend"}
    assert stack.got(ada) == []


async def test_who_has_the_bot_is_reached_by_object_id_after_storage_was_lost(company: Company) -> None:
    stack, people = company.stack, company.some(12)
    crowd = await stack.crowd()
    await crowd.each(crowd.install, people[:10])
    await company.forgotten()

    lost = (await stack.deliver(ids(people))).ok(424)

    assert codes(lost) == {
        person.object_id: (200, None) if n < 10 else (100, "notInstalled") for n, person in enumerate(people)
    }
    assert [len(stack.got(person)) for person in people] == [1] * 10 + [0] * 2
    stack.teams.clear()
    again = (await stack.deliver(ids(people))).ok(424)
    assert codes(again) == codes(lost)
    assert stack.teams.stats().operations == {"send": 10}  # the references are kept, and who lacks the bot too

    async def known() -> bool:
        await (await stack.crowd()).write(people[0], "hello")
        return (await stack.user(people[0].mail))["installed"] is True

    await until(known)  # and the names come back with what people do


async def test_without_the_app_s_id_it_is_refused_with_the_setting_that_is_missing(stack: Stack) -> None:
    reply = await stack.post({"recipients": ["ada@contoso.com"], "message": "Hello", "options": INSTALL})
    assert reply.status == 400
    assert reply.pointers == ["/options/ifBotNotInstalled"]
    assert "PROACTIVE_GRAPH_CLIENT_ID" in reply.text
