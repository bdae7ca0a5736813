"""`ifBotNotInstalled: install`: who lacks the bot gets it through Graph, and then the message, once."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from local.graph import GraphFault, GraphStandIn, Organisation, TeamsApp, User
from local.graph.organisation import TEAMS_APP
from local.teams import Crowd, Fault, Person, TeamsStandIn
from local.teams.people import CONTOSO
from proactive import bot, report
from proactive.cancel import cancel
from proactive.deliver import run_lane
from proactive.model import Send
from proactive.problems import ProblemError
from proactive.settings import GraphAccess
from proactive.store.conversations import Conversation
from tests.delivery.conftest import Clock, House, standing
from tests.delivery.cuts import cut

INSTALL = {"ifBotNotInstalled": "install"}
PERMISSION = "TeamsAppInstallation.ReadWriteSelfForUser.All"


@pytest.fixture
def house(connected: House) -> House:
    return connected


async def row(house: House, person: Person) -> Conversation | None:
    return await house.service.conversations.get(house.bot, CONTOSO, person.object_id)


async def outcome(house: House, send: Send) -> report.Outcome:
    told = await report.outcome(house.service, await house.kept(send))
    assert told
    return told


async def results(house: House, send: Send) -> list[tuple[int | None, str | None]]:
    return [(one["statusCode"], one["reason"]) for one in (await outcome(house, send)).body["results"]]


async def installing(house: House, people: list[Person], **options: Any) -> Send:
    return await house.accept(people, options={**INSTALL, **options})


def asked(teams: TeamsStandIn) -> dict[str, int]:
    return dict(teams.stats().operations)


# --- it is installed


async def test_who_lacks_the_bot_gets_it_and_the_message(
    house: House, teams: TeamsStandIn, graph: GraphStandIn, people: list[Person]
) -> None:
    """Of one the store tells, of one Teams, when it is asked to post, of one Teams, when it is asked for the chat."""
    removed, lost, unknown, there = people[:4]
    await house.knows([removed, lost, there])
    await house.knows([removed], installed=False)
    teams.uninstall(removed)
    teams.uninstall(lost)

    send = await installing(house, people[:4])
    await house.drain()

    assert await results(house, send) == [(200, None)] * 4
    assert [len(teams.delivered(person)) for person in people[:4]] == [1] * 4
    assert graph.stats.calls == {"install": 3}
    assert asked(teams) == {"create": 4, "send": 5}  # those of the unknown and of the lost one were refused once
    for person in (removed, lost, unknown):
        known = await row(house, person)
        assert known
        assert (known.installed, known.refusal, known.conversation_id) == (True, "", person.conversation_id)

    teams.clear()
    again = await installing(house, people[:4])
    await house.drain()
    assert await results(house, again) == [(200, None)] * 4
    assert asked(teams) == {"send": 4}
    assert graph.stats.calls == {"install": 3}


async def test_who_was_asked_about_lately_is_installed_without_asking_again(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    await house.accept(people[:1])
    await house.drain()

    send = await installing(house, people[:1])
    await house.drain()

    assert await results(house, send) == [(200, None)]
    assert asked(teams) == {"create": 2, "send": 1}


async def test_what_is_installed_already_is_fine(
    house: House, teams: TeamsStandIn, graph: GraphStandIn, organisation: Organisation, people: list[Person]
) -> None:
    """The bot has not heard of an install, or the answer of one was lost."""
    missed, cut_off = people[:2]
    await house.knows([missed], installed=False)
    organisation.installed[missed.object_id, TEAMS_APP] = "there"
    graph.fault(GraphFault(kind="install", about=cut_off.object_id, cut="close", accepted=True, times=1))

    send = await installing(house, [missed, cut_off])
    await house.drain()

    assert await results(house, send) == [(200, None)] * 2
    assert graph.stats.statuses[409] == 2
    assert [len(teams.delivered(person)) for person in (missed, cut_off)] == [1, 1]


async def test_guests_get_it_too(house: House, teams: TeamsStandIn, people: list[Person]) -> None:
    guest = replace(people[0], role="guest")
    send = await installing(house, [guest])
    await house.drain()
    assert await results(house, send) == [(200, None)]


async def test_teams_may_hear_of_an_install_a_moment_later(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    teams.fault(Fault(status=403, code="ForbiddenOperationException", operation="create", nth=1, times=2))
    teams.fault(Fault(status=403, code="BotNotInConversationRoster", operation="send", nth=1, times=1))

    send = await installing(house, people[:1])
    await house.drain()

    assert await results(house, send) == [(200, None)]
    assert (await row(house, people[0])).installed  # type: ignore[union-attr]
    assert len(teams.delivered(people[0])) == 1


async def test_an_install_that_takes_long_is_followed_by_a_fresh_attempt(
    house: House, teams: TeamsStandIn, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proactive.reach._PATIENCE", -1.0)
    send = await installing(house, people[:1], ifOutcomeUnknown="leave")
    await run_lane(house.service, send.id)
    assert await house.states(send) == ["pending"]
    assert teams.delivered(people[0]) == []

    monkeypatch.undo()
    await house.advance(10)

    assert await results(house, send) == [(200, None)]
    assert asked(teams) == {"create": 2, "send": 1}


async def test_who_is_cancelled_meanwhile_gets_the_app_and_no_message(
    house: House, teams: TeamsStandIn, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proactive.reach._PATIENCE", -1.0)
    send = await installing(house, people[:1])
    await run_lane(house.service, send.id)

    await cancel(house.service, send.id, told=True)
    await house.advance(100)

    assert await house.states(send) == ["cancelled"]
    assert teams.delivered(people[0]) == []


# --- it cannot be installed


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        ("policy", "blockedByPolicy"),
        ("permission", f"graphPermissionMissing: {PERMISSION}"),
        ("app", "NotFound"),
        ("foreign", "notOwnApp"),
        ("teams", "stillNotInstalled"),
    ],
)
async def test_who_cannot_get_it_ends_in_100_with_the_reason_and_the_run_goes_on(
    house: House, teams: TeamsStandIn, graph: GraphStandIn, organisation: Organisation, people: list[Person],
    cause: str, reason: str,
) -> None:  # fmt: skip
    await house.knows(people[:1])
    match cause:
        case "policy":
            organisation.blocked.add(people[1].object_id)
        case "permission":
            graph.grant("User.Read.All")
        case "app":
            organisation.apps.clear()
        case "foreign":
            words = "The app is not allowed to manage the Teams app."
            graph.fault(GraphFault(kind="install", status=403, code="Forbidden", message=words))
        case "teams":
            organisation.installed[people[1].object_id, TEAMS_APP] = "there"

    send = await installing(house, people[:2])
    await house.drain()

    told = await outcome(house, send)
    assert [(one["statusCode"], one["reason"]) for one in told.body["results"]] == [(200, None), (100, reason)]
    assert told.body["counts"]["notInstalled"] == 1
    assert told.failed is False
    assert len(teams.delivered(people[0])) == 1


async def test_a_missing_permission_is_asked_about_once_for_many(
    house: House, graph: GraphStandIn, people: list[Person], clock: Clock
) -> None:
    graph.grant()
    send = await installing(house, people)
    await house.advance(60)

    assert await results(house, send) == [(100, f"graphPermissionMissing: {PERMISSION}")] * len(people)
    assert graph.stats.calls["install"] <= 4

    graph.grant(PERMISSION)
    clock.ahead += 61
    again = await installing(house, people[:1])
    await house.drain()
    assert await results(house, again) == [(200, None)]


@pytest.mark.parametrize(
    ("code", "reason"),
    [("ConversationBlockedByUser", "blocked"), ("BotDisabledByAdmin", "disabledByAdmin"),
     ("NotEnoughPermissions", "noPermission")],
)  # fmt: skip
@pytest.mark.parametrize("known", [False, True])
async def test_who_has_blocked_it_or_may_not_use_it_is_no_case_for_graph(
    house: House, teams: TeamsStandIn, graph: GraphStandIn, people: list[Person], known: bool, code: str, reason: str
) -> None:
    if known:
        await house.knows(people[:1])
    teams.uninstall(people[0], code)
    for _ in range(2):
        send = await installing(house, people[:1])
        await house.drain()
        assert await results(house, send) == [(100, reason)]
    assert graph.stats.requests == 0
    assert len(teams.stats().operations) == 1


async def test_of_whom_only_the_teams_id_is_known_nothing_can_be_installed(
    house: House, teams: TeamsStandIn, graph: GraphStandIn, people: list[Person]
) -> None:
    send = await installing(house, [replace(people[0], object_id=people[0].teams_id)])
    await house.drain()
    assert await results(house, send) == [(100, "notInstalled")]
    assert (graph.stats.requests, asked(teams)) == (0, {})


# --- Graph has no time


async def test_graph_is_given_time_and_nobody_else_waits_for_it(
    house: House, teams: TeamsStandIn, graph: GraphStandIn, people: list[Person]
) -> None:
    there, absent = people[:10], people[10:40]
    await house.knows(there)
    graph.fault(GraphFault(kind="install", status=429, retry_after=120, nth=8, times=1))

    send = await installing(house, [*absent, *there], parallelism=10)
    await run_lane(house.service, send.id)

    states = await house.states(send)
    assert states[30:] == ["delivered"] * 10
    assert "pending" in states[:30]
    before = graph.stats.calls["install"]
    assert before <= 8 + 4

    await house.advance(100)
    assert graph.stats.calls["install"] == before  # Graph has asked for two minutes
    await house.advance(600)

    assert await results(house, send) == [(200, None)] * 40
    assert [len(teams.delivered(person)) for person in people[:40]] == [1] * 40
    assert graph.stats.calls["install"] == 31


async def test_where_graph_stays_away_until_the_end_it_is_100_with_its_reason(
    house: House, teams: TeamsStandIn, graph: GraphStandIn, people: list[Person]
) -> None:
    graph.fault(GraphFault(kind="install", status=429, retry_after=50))

    send = await installing(house, people[:3], deliverWithin="PT2M")
    await house.advance(200)

    told = await outcome(house, send)
    assert [(one["statusCode"], one["reason"]) for one in told.body["results"]] == [(100, "TooManyRequests")] * 3
    assert told.failed is False
    assert teams.stats().accepted == 0


async def test_only_a_few_are_installed_at_once_and_the_others_come_back(
    storage: str, teams: TeamsStandIn, organisation: Organisation, people: list[Person], clock: Clock
) -> None:
    async def told(_tenant: str, user: User, _app: TeamsApp) -> None:
        teams.install(next(person for person in people if person.object_id == user.id))

    async with GraphStandIn(organisation, latency=0.2, on_install=told) as graph:
        settings = {"graph": GraphAccess(graph.url), "teams_url": teams.service_url}
        of_bot = {"tenant_id": CONTOSO, "teams_app_id": TEAMS_APP}
        async with standing(House(storage, teams, clock, bot=of_bot, **settings)) as house:
            there, absent = people[:20], people[20:]
            await house.knows(there)
            send = await installing(house, [*absent, *there])
            await run_lane(house.service, send.id)
            states = await house.states(send)
            assert states[40:] == ["delivered"] * 20
            assert "pending" in states[:40]

            await house.advance(300)

            assert await results(house, send) == [(200, None)] * 60
            assert graph.stats.peak <= 4
            assert graph.stats.calls == {"install": 40}
            assert [len(teams.delivered(person)) for person in people] == [1] * 60


# --- races and crashes


async def test_sends_that_meet_at_one_person_install_once(
    house: House, teams: TeamsStandIn, graph: GraphStandIn, people: list[Person]
) -> None:
    graph.fault(GraphFault(kind="install", delay=0.5))
    sends = [await installing(house, people[:1]) for _ in range(4)]

    await asyncio.gather(*(run_lane(house.service, send.id) for send in sends))

    assert [await house.states(send) for send in sends] == [["delivered"]] * 4
    assert graph.stats.calls == {"install": 1}
    assert len(teams.delivered(people[0])) == 4


async def test_sends_that_meet_at_one_person_hear_one_refusal(
    house: House, graph: GraphStandIn, organisation: Organisation, people: list[Person]
) -> None:
    organisation.blocked.add(people[0].object_id)
    graph.fault(GraphFault(kind="install", delay=0.5))
    sends = [await installing(house, people[:1]) for _ in range(4)]

    await asyncio.gather(*(run_lane(house.service, send.id) for send in sends))

    assert [await results(house, send) for send in sends] == [[(100, "blockedByPolicy")]] * 4
    assert graph.stats.calls == {"install": 1}


@pytest.mark.parametrize("known", [False, True])
async def test_what_the_bot_hears_of_the_install_meanwhile_is_not_lost(
    storage: str, teams: TeamsStandIn, organisation: Organisation, people: list[Person], clock: Clock, known: bool
) -> None:
    ada = people[0]
    houses: list[House] = []

    async def heard(*_: object) -> None:
        teams.install(ada)
        for kind, more in (("installationUpdate", {"action": "add"}), ("message", {"text": "hi"})):
            activity = await Crowd(teams).activity(ada, kind, **more)
            await bot.take(houses[0].service, houses[0].settings.bots[0], activity)

    async with GraphStandIn(organisation, on_install=heard) as graph:
        settings = {"graph": GraphAccess(graph.url), "teams_url": teams.service_url}
        of_bot = {"tenant_id": CONTOSO, "teams_app_id": TEAMS_APP}
        async with standing(House(storage, teams, clock, bot=of_bot, **settings)) as house:
            houses.append(house)
            if known:
                await house.knows([ada], installed=False)
                teams.uninstall(ada)
            send = await installing(house, [ada])
            await run_lane(house.service, send.id)

            assert await house.states(send) == ["delivered"]
            # For somebody who was known to have removed it, the chat that the bot has heard of will do.
            assert asked(teams).get("create", 0) == (0 if known else 1)
            one = await row(house, ada)
            assert one
            assert (one.installed, one.member_id, one.refusal) == (True, ada.teams_id, "")
            assert one.last_message_at > clock() - 60
            assert len(one.seen.split()) == 2


async def test_who_removes_it_meanwhile_stays_without_it(
    house: House, teams: TeamsStandIn, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = people[0]
    real = house.service.teams.create

    async def create(*args: Any) -> Any:
        answer = await real(*args)
        teams.uninstall(ada)
        activity = await Crowd(teams).activity(ada, "installationUpdate", action="remove")
        await bot.take(house.service, house.settings.bots[0], activity)
        return answer

    monkeypatch.setattr(house.service.teams, "create", create)
    send = await installing(house, [ada])
    await house.drain()

    assert await results(house, send) == [(100, "stillNotInstalled")]
    known = await row(house, ada)
    assert known
    assert known.installed is False


@pytest.mark.parametrize("known", [False, True], ids=["unknown", "removed"])
async def test_a_crash_at_any_point_installs_and_delivers_all_the_same(
    house: House, teams: TeamsStandIn, people: list[Person], known: bool
) -> None:
    points = []
    for nth, person in enumerate(people, 1):
        if known:
            await house.knows([person], installed=False)
            teams.uninstall(person)
        send = await installing(house, [person])
        point = await cut(house, send, nth)
        await house.advance(200)

        assert await house.states(send) == ["delivered"], point
        points.append(point)
        posted = "after Teams send" in points and point
        assert len(teams.delivered(person)) in ((1, 2) if posted else (1,)), point
        if not point:
            break

    assert {"before Graph install", "after Graph install", "after Teams create", "before Teams send"} <= set(points)
    assert points[-1] == ""


async def test_under_leave_a_crash_doubles_nobody(house: House, teams: TeamsStandIn, people: list[Person]) -> None:
    for nth, person in enumerate(people, 1):
        send = await installing(house, [person], ifOutcomeUnknown="leave")
        point = await cut(house, send, nth)
        await house.advance(200)

        (state,) = await house.states(send)
        assert state in ("delivered", "unknown"), point
        assert len(teams.delivered(person)) <= 1, point
        if not point:
            return
    pytest.fail("every lane was cut")


# --- the door


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"graph": None}, "PROACTIVE_GRAPH_CLIENT_ID"),
        ({"graph": GraphAccess("http://127.0.0.1:1", tenant_id="another")}, "PROACTIVE_GRAPH_TENANT_ID"),
        ({"bots": True}, "PROACTIVE_TEAMS_APP_ID"),
    ],
)
@pytest.mark.parametrize("also", [{}, {"summary": 5}])
async def test_what_can_never_work_is_refused_at_the_door(
    house: House, people: list[Person], change: dict[str, Any], setting: str, also: dict[str, Any]
) -> None:
    if "bots" in change:
        change = {"bots": tuple(replace(one, teams_app_id="") for one in house.settings.bots)}
    house.settings = replace(house.settings, **change)
    house.service = house.instance()

    with pytest.raises(ProblemError) as refused:
        await house.accept(people[:1], options=INSTALL, tenant=CONTOSO, **also)

    assert refused.value.status == 400
    errors = {error.pointer: error.detail for error in refused.value.errors}
    assert errors.keys() == {"/options/ifBotNotInstalled", *(f"/{name}" for name in also)}
    assert setting in errors["/options/ifBotNotInstalled"]


async def test_what_was_accepted_before_graph_was_taken_away_ends_in_100(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    await house.knows(people[:1])
    send = await installing(house, people[:2])
    house.service.settings = replace(house.settings, graph=None)
    await house.drain()

    assert await results(house, send) == [(200, None), (100, "graphNotConfigured")]
    assert asked(teams) == {"send": 1}
