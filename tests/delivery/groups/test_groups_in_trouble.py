"""Groups and names where Graph throttles, is away or forbids it, and where a process ends in the middle."""

import pytest

from local.graph import GraphFault, GraphStandIn, Sample
from local.teams import Person, TeamsStandIn
from proactive import plan
from proactive.cancel import cancel
from proactive.graph import Graph
from proactive.store.account import PLANS
from proactive.store.drafts import Drafts
from proactive.verbs import retry
from tests.delivery.conftest import CrashError, House, crash_at
from tests.delivery.groups.directory import AWAY, PAT, codes, crowd, ids, planned, send_to, users

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
