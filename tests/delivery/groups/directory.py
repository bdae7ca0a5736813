"""Sends to groups and names, and what their plans have come to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from local.graph import GraphFault, Sample
from local.teams import Person, TeamsStandIn
from local.teams.people import CONTOSO
from proactive.accept import accept
from proactive.model import Result, Send, State
from proactive.people import Planned
from proactive.settings import GraphAccess
from proactive.store.account import QUEUES
from tests.delivery.conftest import Clock, House

AWAY = GraphFault(status=503, retry_after=60)
NOBODY = "11111111-2222-4333-8444-555555555555"
PAT = Person.named("Pat Known")


@asynccontextmanager
async def opened(storage: str, teams: TeamsStandIn, clock: Clock, graph: GraphAccess | None) -> AsyncIterator[House]:
    """Open a house whose bot is used in the tenant: only Pat, who is in no group, has it."""
    built = House(storage, teams, clock, graph=graph)
    await built.service.account.ensure()
    for queue in QUEUES:
        await built.service.account._queues.get_queue_client(queue).clear_messages()
    await built.knows([PAT], name=PAT.name)
    await learn(built, PAT)
    try:
        yield built
    finally:
        for instance in built.instances:
            await instance.close()


async def learn(house: House, person: Person) -> None:
    names = {"name": person.name, "mail": person.mail, "principalName": person.upn}
    await house.service.conversations.learn_aliases(house.bot, CONTOSO, person.object_id, names, {})


async def send_to(house: House, *recipients: Any, operator: bool = False, **body: Any) -> Send:
    return await accept(house.service, {"recipients": list(recipients), "message": "hello", **body}, operator=operator)


async def planned(house: House, send: Send) -> list[Planned]:
    """Return everybody in the plan of a send, with the result that they have by now."""
    now = await house.kept(send)
    assert now.plan
    chunks = [chunk async for chunk in house.service.chunks.read(now.id, now.plan)]
    assert [chunk.number for chunk in chunks] == list(range(now.chunks))
    found: list[Planned] = [
        (recipient, chunk.results.get(n)) for chunk in chunks for n, recipient in enumerate(chunk.people)
    ]
    assert len(found) == now.total
    return found


async def users(house: House, send: Send) -> list[str]:
    """Return the keys of all in the plan of a send, in order of their keys."""
    return sorted(recipient.user or "" for recipient, _ in await planned(house, send))


async def codes(house: House, send: Send) -> dict[str, tuple[int | None, str]]:
    """Return the codes and reasons of a plan, by the names that the sender gave."""
    found: dict[str, tuple[int | None, str]] = {}
    for recipient, result in await planned(house, send):
        outcome = result or Result(State.PENDING)
        found[recipient.name] = (outcome.code, outcome.reason)
    return found


def ids(people: list[Person]) -> list[str]:
    return sorted(person.object_id for person in people)


def crowd(contoso: Sample) -> list[Person]:
    """Return whom the group `everyone` reaches."""
    return [*contoso.people, contoso.guest]
