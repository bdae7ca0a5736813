"""Groups, teams and names that only the directory knows: from the request through Microsoft Graph to the messages."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from local.graph import GraphFault, GraphStandIn, Organisation, Sample, sample
from local.teams import Person, TeamsStandIn
from local.teams.people import CONTOSO
from local.teams.people import people as crowd_of
from proactive import events, plan
from proactive.accept import accept
from proactive.cancel import cancel
from proactive.erase import erase
from proactive.graph import Graph
from proactive.model import Result, Send, State
from proactive.people import Planned
from proactive.preview import preview
from proactive.problems import ProblemError
from proactive.settings import GraphAccess
from proactive.store.account import PLANS, QUEUES
from proactive.store.drafts import Drafts
from proactive.verbs import retry
from tests.delivery.conftest import Clock, CrashError, House, crash_at

AWAY = GraphFault(status=503, retry_after=60)
NOBODY = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def contoso() -> Sample:
    return sample(60)


@pytest.fixture
def people(contoso: Sample) -> list[Person]:
    return contoso.everybody


@pytest.fixture
async def graph(contoso: Sample) -> AsyncIterator[GraphStandIn]:
    async with GraphStandIn(contoso.organisation, repeats=True) as there:
        yield there


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


@pytest.fixture
async def house(storage: str, teams: TeamsStandIn, clock: Clock, graph: GraphStandIn) -> AsyncIterator[House]:
    async with opened(storage, teams, clock, GraphAccess(graph.url)) as built:
        yield built


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let some people be what thousands are, so that there are many pages and parts."""
    monkeypatch.setattr("proactive.graph._PAGE", 7)
    monkeypatch.setattr("proactive.groups.PAGES", 2)
    monkeypatch.setattr("proactive.plan.SIZE", 7)
    monkeypatch.setattr("proactive.recipients.SIZE", 7)
    monkeypatch.setattr("proactive.plan.ROWS", 4)


PAT = Person.named("Pat Known")


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


# --- Who is in a group


async def test_a_group_of_ten_thousand_is_planned_in_few_calls_and_nobody_is_there_twice(
    storage: str, teams: TeamsStandIn, clock: Clock
) -> None:
    many = crowd_of(10_000)
    made = Organisation(CONTOSO)
    made.enrol(many)
    inner = made.group("Inner", *many[:4_000])
    middle = made.group("Middle", inner, *many[3_000:7_000])
    outer = made.group("Outer", middle, *many[6_500:], inner)
    async with (
        GraphStandIn(made, repeats=True) as graph,
        opened(storage, teams, clock, GraphAccess(graph.url)) as house,
    ):
        send = await send_to(house, {"group": outer.id}, many[3].object_id)
        assert graph.stats.requests == 0

        start = time.perf_counter()
        await plan.plan(house.service, send.id)

        assert time.perf_counter() - start < 30
        assert graph.stats.requests < 40
        assert await users(house, send) == ids(many)


async def test_the_people_of_groups_get_one_message_each_whatever_else_names_them(
    house: House, teams: TeamsStandIn, contoso: Sample
) -> None:
    await house.knows(crowd(contoso))
    one = contoso.people[0]

    send = await send_to(
        house,
        {"group": contoso.everyone.id},
        {"team": "orders@contoso.com"},
        {"group": "West"},
        {"group": "west"},
        one.mail,
        {"user": one.object_id},
        {"everyone": True},
        operator=True,
    )
    await house.drain()

    assert await users(house, send) == ids([*crowd(contoso), PAT])
    assert {len(teams.delivered(person)) for person in (*crowd(contoso), PAT)} == {1}
    assert (await house.kept(send)).completed_at


async def test_a_member_is_named_by_principal_name_else_mail_else_id(house: House, contoso: Sample) -> None:
    bare = [
        Person.named("With mail", mail="with@contoso.com", upn=""),
        Person.named("With nothing", mail="", upn=""),
    ]
    contoso.organisation.enrol(bare)
    group = contoso.organisation.group("Bare", contoso.people[0], *bare)
    send = await send_to(house, {"group": group.id})
    await plan.plan(house.service, send.id)

    names = {recipient.name for recipient, _ in await planned(house, send)}

    assert names == {contoso.people[0].upn, "with@contoso.com", bare[1].object_id}


async def test_who_may_not_sign_in_is_left_out_of_a_group_and_guests_are_not(house: House, contoso: Sample) -> None:
    send = await send_to(house, {"group": contoso.everyone.id})
    await plan.plan(house.service, send.id)

    there = await users(house, send)

    assert contoso.disabled.object_id not in there
    assert contoso.guest.object_id in there


async def test_a_group_that_cannot_be_read_is_one_result_and_the_others_get_the_message(
    house: House, teams: TeamsStandIn, contoso: Sample
) -> None:
    contoso.organisation.group("Twin", mail="a@contoso.com")
    contoso.organisation.group("Twin", mail="b@contoso.com")
    await house.knows(contoso.people[:5])
    made = contoso.organisation.group("Five", *contoso.people[:5])

    send = await send_to(
        house, {"group": NOBODY}, {"group": "Nobodies"}, {"team": "No team"}, {"group": "Twin"}, {"group": made.id}
    )
    await house.drain()

    found = await codes(house, send)
    assert found[NOBODY] == found["Nobodies"] == (404, "unknownGroup")
    assert found["No team"] == (404, "unknownTeam")
    assert found["Twin"] == (404, "ambiguousGroup")
    assert len(found) == 9
    assert {len(teams.delivered(person)) for person in contoso.people[:5]} == {1}


async def test_a_group_of_nobody_completes(house: House, contoso: Sample) -> None:
    group = contoso.organisation.group("Empty")
    send = await send_to(house, {"group": group.id})
    await house.drain()

    assert await planned(house, send) == []
    assert (await house.kept(send)).completed_at


# --- Who is meant by a name


async def test_names_that_the_bot_does_not_know_are_found_in_the_directory_some_at_a_time(
    house: House, contoso: Sample, graph: GraphStandIn
) -> None:
    wanted = contoso.people[:45]
    names = [p.mail for p in wanted[:15]] + [p.upn for p in wanted[15:30]] + [p.name for p in wanted[30:]]
    send = await send_to(house, *names)
    assert graph.stats.requests == 0, "nobody waits for Graph before the answer goes out"
    await plan.plan(house.service, send.id)

    found = {recipient.name: recipient.user for recipient, _ in await planned(house, send)}

    assert found == {name: person.object_id for name, person in zip(names, wanted, strict=True)}
    assert graph.stats.calls == {"batch": 3}


async def test_a_name_is_found_or_a_result_that_says_why_not(house: House, contoso: Sample) -> None:
    for number in range(7):
        contoso.organisation.enrol([Person.named("Kim Lee", mail=f"kim{number}@contoso.com", object_id=str(number))])
    names = ["Sam Smith", "sales@contoso.com", "Kim Lee", "Nobody", "no@contoso.com", {"user": "Sam Smith"}]
    send = await send_to(
        house, *names, contoso.disabled.mail, contoso.disabled.name, contoso.guest.name, contoso.quoted.name, PAT.mail
    )
    await plan.plan(house.service, send.id)

    found = await codes(house, send)

    north, south = contoso.one_mail
    first, second = contoso.namesakes
    assert found["sales@contoso.com"] == (
        404,
        f"ambiguousRecipient: {north.name} <{north.mail}>, {south.name} <{south.mail}>",
    )
    assert found["Sam Smith"] == (
        404,
        f"ambiguousRecipient: {first.name} <{first.mail}>, {second.name} <{second.mail}>",
    )
    kims = ", ".join(f"Kim Lee <kim{number}@contoso.com>" for number in range(5))
    assert found["Kim Lee"] == (404, f"ambiguousRecipient: {kims}, …")
    assert found["Nobody"] == found["no@contoso.com"] == (404, "unknownRecipient")
    assert found[contoso.disabled.mail] == found[contoso.disabled.name] == (404, "accountDisabled")
    assert found[contoso.guest.name] == found[contoso.quoted.name] == found[PAT.mail] == (None, "")


async def test_a_display_name_of_one_whom_the_bot_knows_may_be_that_of_several(house: House, contoso: Sample) -> None:
    """GIVEN the bot has met one of two namesakes THEN the name is nobody's, and not the one's whom it has met."""
    first, second = contoso.namesakes
    await house.knows([first], name=first.name)
    await learn(house, first)

    send = await send_to(house, first.name, PAT.name)
    await plan.plan(house.service, send.id)

    found = await codes(house, send)
    assert found[first.name][0] == 404
    assert second.mail in found[first.name][1]
    # whom only the bot knows it finds by its own knowledge
    assert found[PAT.name] == (None, "")


async def test_who_is_erased_is_no_longer_listed_as_one_of_several(house: House, contoso: Sample) -> None:
    first, _ = contoso.namesakes
    send = await send_to(house, first.name, "sales@contoso.com", PAT.mail)
    await house.drain()

    assert await erase(house.service, house.bot, CONTOSO, first.object_id, [first.mail])

    found = await codes(house, send)
    assert found[first.name] == (404, "ambiguousRecipient")
    assert found["sales@contoso.com"][1].startswith("ambiguousRecipient: ")
    assert found[PAT.mail] == (200, "")


async def test_whom_the_bot_knows_by_address_is_planned_at_once_without_graph(
    house: House, teams: TeamsStandIn, graph: GraphStandIn
) -> None:
    send = await send_to(house, PAT.mail, NOBODY)
    assert send.plan
    await house.drain()

    assert len(teams.delivered(PAT)) == 1
    assert graph.stats.requests == 0


# --- Throttling, crashes


@pytest.mark.usefixtures("small_pages")
async def test_throttled_in_the_middle_it_goes_on_where_it_was(
    house: House, teams: TeamsStandIn, contoso: Sample, graph: GraphStandIn
) -> None:
    await house.knows(crowd(contoso))
    plain = await send_to(house, {"group": contoso.everyone.id})
    await house.drain()
    needed = graph.stats.requests
    graph.clear()
    teams.clear()
    graph.fault(GraphFault(kind="members", status=429, retry_after=90, nth=4, times=2))

    send = await send_to(house, {"group": contoso.everyone.id})
    await house.drain()
    assert not (await house.kept(send)).plan
    assert graph.stats.requests == 4
    await house.advance(80)
    assert graph.stats.requests == 4, "Graph is left alone for as long as it said"
    await house.advance(120)

    assert graph.stats.requests == needed + 2
    assert await users(house, send) == await users(house, plain) == ids(crowd(contoso))
    assert {len(teams.delivered(person)) for person in crowd(contoso)} == {1}


@pytest.mark.usefixtures("small_pages")
async def test_pages_that_have_grown_too_old_are_read_again_and_nobody_is_there_twice(
    house: House, contoso: Sample, graph: GraphStandIn
) -> None:
    graph.fault(GraphFault(kind="members", status=429, retry_after=90, nth=7, times=1))
    send = await send_to(house, {"group": contoso.everyone.id}, PAT.mail)
    await house.drain()
    assert not (await house.kept(send)).plan

    graph.rules.expire_cursors()
    await house.advance(120)

    assert await users(house, send) == ids([*crowd(contoso), PAT])


@pytest.mark.usefixtures("small_pages")
async def test_pages_that_are_always_too_old_end_as_a_result(
    house: House, contoso: Sample, graph: GraphStandIn
) -> None:
    graph.fault(GraphFault(kind="members", about="skiptoken", status=400, code="Directory_ExpiredPageToken"))
    send = await send_to(house, {"group": contoso.everyone.id}, options={"deliverWithin": "PT5M"})
    await house.advance(330)

    found = await codes(house, send)

    assert found[contoso.everyone.id] == (502, "graphAway: Directory_ExpiredPageToken")
    assert len(found) == 8, "whoever was on the first page is there"


POINTS = [
    *((Graph, "members", nth, after) for nth in (1, 2, 4, 8) for after in (False, True)),
    *((Drafts, "grow", nth, after) for nth in (1, 2, 3) for after in (False, True)),
    (Drafts, "commit", 1, False),
    (Drafts, "commit", 1, True),
    (Graph, "look_up", 1, True),
]


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(
    ("owner", "name", "nth", "after"),
    POINTS,
    ids=[f"{'after' if after else 'before'} {name} {nth}" for _, name, nth, after in POINTS],
)
async def test_a_plan_of_groups_that_was_cut_short_is_gone_on_with(
    house: House, contoso: Sample, owner: type, name: str, nth: int, after: bool
) -> None:
    others = [Person.numbered(500 + number) for number in range(20)]
    await house.knows(others[:5])
    recipients = [{"group": contoso.everyone.id}, contoso.namesakes[0].mail, {"team": contoso.team.id}, {"group": "No"}]
    send = await send_to(
        house, *recipients, *(other.object_id for other in others[:15]), {"everyone": True}, operator=True
    )
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, owner, name, nth, after=after)
        with pytest.raises(CrashError):
            await plan.plan(house.instance(), send.id)

    await plan.plan(house.service, send.id)

    there = await planned(house, send)
    assert [recipient.name for recipient, result in there if result] == ["No"]
    wanted = [*crowd(contoso), contoso.namesakes[0], *others[:15], PAT]
    assert sorted(recipient.user for recipient, _ in there if recipient.user) == ids(wanted)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("nth", [1, 3, 5])
async def test_who_takes_over_after_a_kill_delivers_to_everybody_once(
    house: House, teams: TeamsStandIn, contoso: Sample, nth: int
) -> None:
    await house.knows(crowd(contoso))
    send = await send_to(house, {"group": contoso.everyone.id})
    (message,) = await house.pending(PLANS)
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Graph, "members", nth, after=True)
        with pytest.raises(CrashError):
            await house.step(PLANS, service=house.instance())
    assert message["send"] == send.id

    await house.advance(100)

    assert {len(teams.delivered(person)) for person in crowd(contoso)} == {1}
    assert (await house.kept(send)).completed_at


@pytest.mark.usefixtures("small_pages")
async def test_many_names_are_looked_up_in_steps_each_of_which_is_kept(
    house: House, contoso: Sample, graph: GraphStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proactive.store.sends._ENTRIES_PER_ROW", 10)
    graph.fault(GraphFault(kind="batch", status=429, retry_after=90, nth=4, times=1))
    send = await send_to(house, *(person.mail for person in contoso.people), {"group": "West"}, "nobody@contoso.com")
    await house.drain()
    assert not (await house.kept(send)).plan

    draft = await house.service.drafts.get(send.id)
    assert draft
    assert draft.cursor == ["names", 3]
    await plan.plan(house.instance(), send.id)

    assert await users(house, send) == sorted(["", *ids(contoso.people)])
    assert graph.stats.calls["batch"] == 4 + 4


# --- Where Graph does not answer


async def test_a_permission_that_is_missing_is_named_in_one_result_an_entry(
    house: House, teams: TeamsStandIn, contoso: Sample, graph: GraphStandIn
) -> None:
    graph.grant("TeamsAppInstallation.ReadWriteSelfForUser.All")
    send = await send_to(
        house, {"group": contoso.everyone.id}, {"team": contoso.team.id}, contoso.people[0].mail, "Sam Smith", PAT.name
    )
    await house.drain()

    found = await codes(house, send)

    missing = 502, "graphPermissionMissing: GroupMember.Read.All"
    assert found[contoso.everyone.id] == found[contoso.team.id] == missing
    assert found[contoso.people[0].mail] == found["Sam Smith"] == (502, "graphPermissionMissing: User.Read.All")
    assert len(teams.delivered(PAT)) == 1, "what the bot itself knows goes on working"


async def test_graph_may_be_away_until_it_is_too_late_and_the_others_get_the_message(
    house: House, teams: TeamsStandIn, contoso: Sample, graph: GraphStandIn
) -> None:
    graph.fault(AWAY)
    send = await send_to(
        house,
        {"group": contoso.everyone.id},
        "Sam Smith",
        contoso.people[0].mail,
        PAT.mail,
        options={"deliverWithin": "PT20M"},
    )
    await house.advance(17 * 60)
    assert not (await house.kept(send)).plan
    calls = graph.stats.requests

    await house.advance(3 * 60)

    found = await codes(house, send)
    away = 502, "graphAway: serviceNotAvailable"
    assert found[contoso.everyone.id] == found["Sam Smith"] == found[contoso.people[0].mail] == away
    assert len(teams.delivered(PAT)) == 1
    assert 15 <= calls <= 20
    assert (await house.kept(send)).completed_at


async def test_a_send_that_is_cancelled_does_not_wait_for_graph(
    house: House, teams: TeamsStandIn, contoso: Sample, graph: GraphStandIn
) -> None:
    graph.fault(AWAY)
    send = await send_to(house, {"group": contoso.everyone.id}, "Sam Smith", PAT.mail)
    await house.drain()

    await cancel(house.service, send.id, told=True)
    await house.advance(5)

    assert (await house.kept(send)).completed_at
    assert set((await codes(house, send)).values()) == {(409, "cancelled")}
    assert not teams.delivered(PAT)


async def test_a_retry_asks_graph_again_about_names_and_groups_that_led_nowhere(
    house: House, teams: TeamsStandIn, contoso: Sample, graph: GraphStandIn
) -> None:
    await house.knows(crowd(contoso))
    graph.grant("TeamsAppInstallation.ReadWriteSelfForUser.All")
    late = Person.named("Late Comer")
    first = contoso.people[0]
    send = await send_to(house, {"group": "Everyone"}, {"team": "Orders"}, late.name, first.object_id, {"user": "x y"})
    await house.drain()
    assert len(await planned(house, send)) == 5

    graph.grant("User.Read.All", "GroupMember.Read.All")
    contoso.organisation.enrol([late])
    await house.knows([late])
    again = await retry(house.service, await house.kept(send))
    await house.drain()

    there = await planned(house, again)
    failed = [(recipient.name, result.code) for recipient, result in there if result and not recipient.user]
    assert failed == [("x y", 404)]
    wanted = [person for person in (*crowd(contoso), late) if person is not first]
    assert sorted(recipient.user for recipient, _ in there if recipient.user) == ids(wanted)
    assert {len(teams.delivered(person)) for person in (*crowd(contoso), late)} == {1}


# --- The doors


async def test_a_message_to_a_group_may_come_over_the_queue(house: House, teams: TeamsStandIn, contoso: Sample) -> None:
    await house.knows(crowd(contoso))
    body = {"recipients": [{"group": "everyone@contoso.com"}], "message": "hello"}

    await events.take(house.service, json.dumps(body).encode(), "m1")
    await house.drain()

    assert {len(teams.delivered(person)) for person in crowd(contoso)} == {1}


@pytest.mark.parametrize("access", [None, GraphAccess("http://127.0.0.1:9", tenant_id=NOBODY)], ids=["none", "other"])
async def test_without_graph_a_group_is_refused_at_the_door_and_on_the_queue(
    storage: str, teams: TeamsStandIn, clock: Clock, access: GraphAccess | None
) -> None:
    body = {"recipients": [PAT.object_id, {"group": "Everyone"}, {"team": "Orders"}], "message": "hello"}
    async with opened(storage, teams, clock, access) as house:
        with pytest.raises(ProblemError) as refusal:
            await accept(house.service, body)
        await events.take(house.service, json.dumps(body).encode(), "m2")

        assert refusal.value.status == 400
        assert [error.pointer for error in refusal.value.errors] == ["/recipients/1", "/recipients/2"]
        setting = "PROACTIVE_GRAPH_TENANT_ID" if access else "PROACTIVE_GRAPH_CLIENT_ID"
        assert all(setting in error.detail for error in refusal.value.errors)
        assert await house.pending("sends-poison")
        await house.drain()
        assert not teams.delivered(PAT)


# --- A dry run


async def dry(house: House, *recipients: Any) -> dict[str, Any]:
    body = {"recipients": list(recipients), "message": "hello", "dryRun": True}
    return await preview(house.service, body, operator=False)


async def test_a_dry_run_tells_how_many_a_group_has_and_how_many_of_them_lack_the_bot(
    house: House, contoso: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.knows(contoso.people[:40])
    for name in ("add", "add_inputs"):
        monkeypatch.setattr(f"proactive.store.sends.Sends.{name}", None)

    told = await dry(house, {"group": "Everyone"}, {"team": contoso.team.id}, {"group": "No"}, "Sam Smith", PAT.mail)

    assert told["groups"] == [
        {"group": "Everyone", "total": 61, "notInstalled": 21, "complete": True, "reason": None},
        {"team": contoso.team.id, "total": 13, "notInstalled": 5, "complete": True, "reason": None},
        {"group": "No", "total": 0, "notInstalled": 0, "complete": False, "reason": "unknownGroup"},
    ]
    assert (told["counts"]["total"], told["counts"]["failed"], told["complete"]) == (64, 2, True)


async def test_a_dry_run_ends_in_time(
    house: House, contoso: Sample, graph: GraphStandIn, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proactive.graph._PAGE", 7)
    monkeypatch.setattr("proactive.preview.PAGES", 2)
    real = Graph.members

    async def slow(self: Graph, *args: Any) -> Any:
        clock.ahead += 15
        return await real(self, *args)

    monkeypatch.setattr(Graph, "members", slow)
    told = await dry(house, {"group": "Everyone"}, {"group": "West"})

    (group,) = told["groups"]
    assert group["complete"] is told["complete"] is False
    assert 7 <= group["total"] <= 28


async def test_a_dry_run_says_when_graph_is_away(house: House, graph: GraphStandIn) -> None:
    graph.fault(AWAY)

    told = await dry(house, {"group": "Everyone"}, "Sam Smith", PAT.mail)

    assert told["groups"][0]["reason"] == "graphAway: serviceNotAvailable"
    shown = {row["recipient"]: row["reason"] for row in told["recipients"]}
    assert shown == {"Everyone": "graphAway: serviceNotAvailable", "Sam Smith": "graphAway: serviceNotAvailable",
                     PAT.mail: None}  # fmt: skip
