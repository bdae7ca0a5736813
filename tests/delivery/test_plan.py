"""A plan of any size: in parts, gone on with after a crash, and nobody in it twice."""

import asyncio

import pytest

from local.teams import Person, TeamsStandIn
from local.teams.people import people as crowd_of
from proactive import plan
from proactive.accept import accept
from proactive.model import Send
from proactive.store.conversations import Conversation, person_partition
from proactive.store.drafts import Drafts
from tests.delivery.conftest import CrashError, House, crash_at

MANY = 150


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let some people be what hundreds are, so that a plan has many parts."""
    monkeypatch.setattr("proactive.accept._FEW", 0)
    monkeypatch.setattr("proactive.accept._FEW_IDS", 0)
    monkeypatch.setattr("proactive.plan.SIZE", 7)
    monkeypatch.setattr("proactive.recipients.SIZE", 7)
    monkeypatch.setattr("proactive.plan.ROWS", 4)


async def known(house: House, people: list[Person]) -> None:
    """Let the bot be installed for many people, in few writes."""
    partitions: dict[str, list[Person]] = {}
    for person in people:
        partitions.setdefault(person_partition(house.bot, person.tenant_id, person.object_id), []).append(person)
    for partition, some in partitions.items():
        rows = [
            {"PartitionKey": partition, "RowKey": person.object_id, "user": person.object_id, "installed": True,
             "conversation_id": person.conversation_id, "service_url": house.teams.service_url}
            for person in some
        ]  # fmt: skip
        await house.service.account.transaction("conversations", [("insert", row) for row in rows])
    await house.service.conversations.seen_in(house.bot, people[0].tenant_id)
    house.teams.enrol(people, installed=True)


async def to_everyone(house: House, *named: Person) -> Send:
    recipients = [*(person.object_id for person in named), {"everyone": True}]
    return await accept(house.service, {"recipients": recipients, "message": "hello"}, operator=True)


async def planned(house: House, send: Send) -> list[str]:
    """Return everybody in the plan of a send."""
    now = await house.kept(send)
    chunks = [chunk async for chunk in house.service.chunks.read(now.id, now.plan)]
    assert [chunk.number for chunk in chunks] == list(range(now.chunks))
    people = [recipient.user or "" for chunk in chunks for recipient in chunk.people]
    assert len(people) == now.total
    return people


async def test_everyone_is_in_the_plan_once(house: House) -> None:
    crowd = crowd_of(MANY)
    await known(house, crowd)
    stranger = Person.numbered(900)
    send = await to_everyone(house, crowd[3], stranger, crowd[3])

    await plan.plan(house.service, send.id)

    assert sorted(await planned(house, send)) == sorted(person.object_id for person in (*crowd, stranger))


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("nth", [1, 2, 3, 5])
@pytest.mark.parametrize("named", [0, 40])
async def test_a_plan_that_was_cut_short_is_gone_on_with(house: House, nth: int, after: bool, named: int) -> None:
    crowd = crowd_of(MANY)
    await known(house, crowd)
    send = await to_everyone(house, *crowd[:named], *[Person.numbered(900)] * bool(named))
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Drafts, "grow", nth, after=after)
        with pytest.raises(CrashError):
            await plan.plan(house.instance(), send.id)

    # WHEN somebody else goes on, and there are new people among the old ones
    await known(house, crowd_of(MANY + 30)[MANY:])
    await plan.plan(house.service, send.id)

    # THEN nobody is there twice, and nobody who was there at the start is missing
    there = await planned(house, send)
    assert len(set(there)) == len(there)
    assert {person.object_id for person in crowd} <= set(there)


async def test_two_who_plan_at_once_make_one_plan(house: House, teams: TeamsStandIn) -> None:
    crowd = crowd_of(MANY)
    await known(house, crowd)
    send = await to_everyone(house)

    await asyncio.gather(*(plan.plan(house.instance(), send.id) for _ in range(3)))
    await house.drain()

    assert sorted(await planned(house, send)) == sorted(person.object_id for person in crowd)
    assert {len(teams.delivered(person)) for person in crowd} == {1}


async def test_a_long_plan_hands_itself_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proactive.plan._TURN", -1.0)
    crowd = crowd_of(MANY)
    await known(house, crowd)
    send = await to_everyone(house)

    await plan.plan(house.service, send.id)
    assert not (await house.kept(send)).plan
    await house.advance(300)

    assert sorted(await planned(house, send)) == sorted(person.object_id for person in crowd)


async def test_a_plan_of_nobody_completes(house: House) -> None:
    gone = Person.numbered(1)
    await house.knows([gone])

    def removed(conversation: Conversation) -> bool:
        conversation.installed = False
        return True

    await house.service.conversations.change(house.bot, gone.tenant_id, gone.object_id, removed)
    send = await to_everyone(house)

    await house.advance(5)

    assert ((await house.kept(send)).completed_at or 0) > 0
    assert await house.states(send) == []
