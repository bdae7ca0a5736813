"""People of whom no activity has told: with Graph they are reached by object id, without it they are not tried."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from local.graph import GraphStandIn
from local.teams import Crowd, Fault, Person, TeamsStandIn
from local.teams.people import CONTOSO
from proactive import bot, report
from proactive.deliver import run_lane
from proactive.doors.users import read_user
from proactive.erase import erase
from proactive.model import Send
from proactive.pace import Pace, Slots
from proactive.preview import preview
from proactive.service import Service
from proactive.settings import GraphAccess
from proactive.store.conversations import Conversation, Conversations
from proactive.store.errors import StorageAway
from proactive.teams import Teams
from tests.delivery.conftest import Clock, House, standing
from tests.delivery.cuts import cut

pytestmark = pytest.mark.usefixtures("graph")


async def act(house: House, teams: TeamsStandIn, person: Person, kind: str, **fields: Any) -> None:
    """Let the bot hear of something that a person does."""
    activity = await Crowd(teams).activity(person, kind, **fields)
    status, _ = await bot.take(house.service, house.settings.bots[0], activity)
    assert status == 200


async def wipe(house: House) -> None:
    """Lose all that is kept of people and tenants, and the process with what it remembers."""
    account = house.service.account
    async for rows, _ in account.pages(
        "conversations", f"PartitionKey ge '{house.bot}' and PartitionKey lt '{house.bot}~'"
    ):
        for row in rows:
            await account.delete("conversations", row["PartitionKey"], row["RowKey"])
    await account.delete("conversations", "tenants", f"{house.bot}|{CONTOSO}")
    house.service = house.instance()
    await house.service.account.ensure()


async def row(house: House, person: Person) -> Conversation | None:
    return await house.service.conversations.get(house.bot, CONTOSO, person.object_id)


async def results(house: House, send: Send) -> list[tuple[int | None, str | None]]:
    outcome = await report.outcome(house.service, await house.kept(send))
    assert outcome
    return [(one["statusCode"], one["reason"]) for one in outcome.body["results"]]


async def everyone(house: House) -> set[str]:
    return {user async for users, _ in house.service.conversations.everyone(house.bot, CONTOSO) for user in users}


def asked(teams: TeamsStandIn) -> dict[str, int]:
    return dict(teams.stats().operations)


# --- storage was lost


async def test_who_installed_the_bot_before_storage_was_lost_is_reached_and_kept(
    connected: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    house = connected
    for person in people:
        teams.install(person)
        await act(house, teams, person, "installationUpdate", action="add")
    await house.drain()
    await wipe(house)
    teams.clear()
    assert await everyone(house) == set()

    first = await house.accept(people)
    await house.drain()

    assert await house.states(first) == ["delivered"] * len(people)
    assert asked(teams) == {"create": len(people), "send": len(people)}
    assert await everyone(house) == {person.object_id for person in people}
    assert await house.service.conversations.tenants(house.bot) == {CONTOSO}

    teams.clear()
    second = await house.accept(people)
    await house.drain()

    assert await house.states(second) == ["delivered"] * len(people)
    assert asked(teams) == {"send": len(people)}
    assert {len(teams.delivered(person)) for person in people} == {1}


async def test_a_row_without_a_conversation_is_filled(
    connected: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada = people[0]
    await connected.knows([ada], conversation_id="", service_url="", name="Ada", last_message_at=5.0)

    send = await connected.accept([ada])
    await connected.drain()

    assert await results(connected, send) == [(200, None)]
    known = await row(connected, ada)
    assert known
    assert (known.conversation_id, known.service_url) == (ada.conversation_id, teams.service_url)
    assert (known.name, known.last_message_at, known.installed) == ("Ada", 5.0, True)


async def test_a_result_tells_the_conversation_that_was_created(
    connected: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    teams.install(people[0])
    send = await connected.accept(people[:1])
    await connected.drain()

    outcome = await report.outcome(connected.service, await connected.kept(send))

    assert outcome
    (told,) = outcome.body["results"]
    assert (told["conversationId"], told["attempts"]) == (people[0].conversation_id, 1)
    assert told["messageId"] == teams.delivered(people[0])[0]["id"]


async def test_the_first_activity_of_who_was_reached_so_is_looked_up_in_the_roster(
    connected: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada = people[0]
    teams.install(ada)
    await connected.accept([ada])
    await connected.drain()

    for text in ("hello", "again"):
        await act(connected, teams, ada, "message", text=text)
        await connected.drain()

    assert asked(teams)["member"] == 1
    known = await row(connected, ada)
    assert known
    assert (known.mail, known.principal_name, known.member_id) == (ada.mail, ada.upn, ada.teams_id)


async def test_guests_are_reached_as_far_as_teams_lets_them(
    connected: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    here, elsewhere = (replace(person, role="guest") for person in people[:2])
    teams.enrol([here], installed=True)

    send = await connected.accept([here, elsewhere])
    await connected.drain()

    assert await results(connected, send) == [(200, None), (100, "notInstalled")]


async def test_each_request_takes_a_slot_of_its_own(
    connected: House, teams: TeamsStandIn, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 0
    real = Pace.reserve

    async def reserve(self: Pace, *args: Any, **more: Any) -> Slots:
        nonlocal taken
        slots = await real(self, *args, **more)
        taken += slots.size
        return slots

    monkeypatch.setattr(Pace, "reserve", reserve)
    teams.enrol(people[:20], installed=True)
    send = await connected.accept(people[:30])
    await connected.drain()

    assert await connected.states(send) == ["delivered"] * 20 + ["notInstalled"] * 10
    assert asked(teams) == {"create": 30, "send": 20}
    assert taken >= 50


async def test_people_whom_nobody_knows_do_not_wait_for_each_other(
    connected: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    teams.enrol(people, installed=True)
    send = await connected.accept(people, options={"parallelism": 50})
    await run_lane(connected.service, send.id)

    assert await connected.states(send) == ["delivered"] * len(people)


# --- who does not have it


async def test_who_does_not_have_the_bot_is_asked_about_once_an_hour(
    connected: House, teams: TeamsStandIn, people: list[Person], clock: Clock
) -> None:
    for _ in range(2):
        send = await connected.accept(people)
        await connected.drain()
        assert await results(connected, send) == [(100, "notInstalled")] * len(people)
    assert asked(teams) == {"create": len(people)}

    clock.ahead += 3601
    teams.install(people[0])
    send = await connected.accept(people[:2])
    await connected.drain()

    assert await results(connected, send) == [(200, None), (100, "notInstalled")]
    assert asked(teams) == {"create": len(people) + 2, "send": 1}


async def test_who_was_asked_about_in_vain_counts_as_nobody_whom_the_bot_knows(
    connected: House, people: list[Person]
) -> None:
    house, ada = connected, people[0]
    await house.accept([ada])
    await house.drain()

    known = await row(house, ada)
    assert known
    assert (known.met, known.installed, known.refusal) == (False, False, "notInstalled")
    assert await everyone(house) == set()
    assert await house.service.conversations.tenants(house.bot) == set()
    assert read_user(house.service, ada.object_id, CONTOSO, known) == {
        "user": ada.object_id, "userId": None, "installed": False, "chatActive": False, "lastActivityAt": None,
        "reason": "notInstalled",
    }  # fmt: skip
    unknown = read_user(house.service, "x", CONTOSO, Conversation(people[1].object_id))
    assert (unknown["installed"], unknown["reason"]) == (False, None)


async def test_whoever_installs_it_meanwhile_is_reached_at_once(
    connected: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada = people[0]
    await connected.accept([ada])
    await connected.drain()
    teams.install(ada)
    await act(connected, teams, ada, "installationUpdate", action="add")

    send = await connected.accept([ada])
    await connected.drain()

    assert await results(connected, send) == [(200, None)]
    assert asked(teams) == {"create": 1, "send": 1, "member": 1}


@pytest.mark.parametrize(
    ("code", "reason"),
    [("ConversationBlockedByUser", "blocked"), ("BotDisabledByAdmin", "disabledByAdmin"),
     ("NotEnoughPermissions", "noPermission")],
)  # fmt: skip
async def test_why_teams_creates_no_conversation_is_told_and_remembered(
    connected: House, teams: TeamsStandIn, people: list[Person], code: str, reason: str
) -> None:
    teams.uninstall(people[0], code)
    for _ in range(2):
        send = await connected.accept(people[:1])
        await connected.drain()
        assert await results(connected, send) == [(100, reason)]
    assert asked(teams) == {"create": 1}
    assert await everyone(connected) == set()


async def test_who_removed_the_bot_is_not_asked_about(
    connected: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    teams.install(people[0])
    await act(connected, teams, people[0], "installationUpdate", action="add")
    await act(connected, teams, people[0], "installationUpdate", action="remove")
    await connected.drain()
    teams.clear()

    send = await connected.accept(people[:1])
    await connected.drain()

    assert await results(connected, send) == [(100, "notInstalled")]
    assert asked(teams) == {}


async def test_of_whom_only_the_teams_id_is_known_nothing_can_be_created(
    connected: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    send = await connected.accept([replace(people[0], object_id=people[0].teams_id)])
    await connected.drain()

    assert await results(connected, send) == [(100, "notInstalled")]
    assert asked(teams) == {}


# --- without Graph


@pytest.mark.parametrize("access", [None, GraphAccess("http://127.0.0.1:1", tenant_id="another")])
async def test_without_graph_for_the_tenant_nobody_is_asked_about(
    storage: str, teams: TeamsStandIn, people: list[Person], clock: Clock, access: GraphAccess | None
) -> None:
    settings = {"graph": access, "teams_url": teams.service_url}
    async with standing(House(storage, teams, clock, bot={"tenant_id": CONTOSO}, **settings)) as house:
        await house.knows(people[:1])
        teams.enrol(people, installed=True)
        send = await house.accept(people[:2], tenant=CONTOSO)
        await house.drain()

        assert await results(house, send) == [(200, None), (100, "notInstalled")]
        assert asked(teams) == {"send": 1}
        assert await row(house, people[1]) is None


# --- where it is created


async def test_it_is_created_where_others_of_the_tenant_are(
    storage: str, teams: TeamsStandIn, graph: GraphStandIn, people: list[Person], clock: Clock
) -> None:
    settings = {"graph": GraphAccess(graph.url), "teams_url": "http://127.0.0.1:1/teams/"}
    async with standing(House(storage, teams, clock, bot={"tenant_id": CONTOSO}, **settings)) as house:
        await house.knows(people[:1])
        teams.install(people[1])

        send = await house.accept([people[1]])
        await house.drain()

        assert await results(house, send) == [(200, None)]
        assert house.service.homes[house.bot, CONTOSO] == teams.service_url


async def test_a_stored_address_that_may_have_no_token_is_passed_over(
    connected: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    await connected.knows(people[:1], service_url="https://smba.example.com/teams/")
    teams.install(people[1])

    send = await connected.accept([people[1]])
    await connected.drain()

    assert await results(connected, send) == [(200, None)]


async def test_where_it_is_is_looked_up_once(
    connected: House, teams: TeamsStandIn, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    real = Conversations.some_service_url

    async def look(self: Conversations, *args: str) -> str:
        nonlocal looks
        looks += 1
        return await real(self, *args)

    monkeypatch.setattr(Conversations, "some_service_url", look)
    teams.enrol(people, installed=True)
    await connected.accept(people)
    await connected.drain()

    assert looks == 1


# --- doubts, crashes and races


@pytest.fixture
async def one(connected: House, teams: TeamsStandIn, people: list[Person]) -> tuple[House, Person]:
    teams.install(people[0])
    return connected, people[0]


@pytest.mark.parametrize("option", ["resend", "leave"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=502, accepted=True, operation="create", times=1),
        Fault(cut="close", accepted=True, operation="create", times=1),
        Fault(status=429, retry_after=3, operation="create", times=1),
        Fault(status=201, body="{}", operation="create", times=1),
    ],
    ids=["502", "cut", "429", "unreadable"],
)
async def test_a_creation_in_doubt_is_repeated_and_doubles_nothing(
    one: tuple[House, Person], teams: TeamsStandIn, fault: Fault, option: str
) -> None:
    house, ada = one
    teams.fault(fault)

    send = await house.accept([ada], options={"ifOutcomeUnknown": option})
    await house.advance(30)

    assert await house.states(send) == ["delivered"]
    assert len(teams.delivered(ada)) == 1
    assert asked(teams) == {"create": 2, "send": 1}


async def test_only_the_post_can_be_in_doubt(one: tuple[House, Person], teams: TeamsStandIn) -> None:
    house, ada = one
    teams.fault(Fault(cut="close", operation="send", times=1))

    send = await house.accept([ada], options={"ifOutcomeUnknown": "leave"})
    await house.advance(30)

    assert await house.states(send) == ["unknown"]
    known = await row(house, ada)
    assert known
    assert known.conversation_id == ada.conversation_id


async def test_a_crash_at_any_point_loses_nobody(connected: House, teams: TeamsStandIn, people: list[Person]) -> None:
    teams.enrol(people, installed=True)
    points = []
    for nth, person in enumerate(people, 1):
        send = await connected.accept([person])
        point = await cut(connected, send, nth)
        await connected.advance(200)

        assert await connected.states(send) == ["delivered"], point
        # Only a crash between the post and its record leaves a doubt that nobody can settle.
        points.append(point)
        doubtful = "after Teams send" in points and point
        assert len(teams.delivered(person)) in ((1, 2) if doubtful else (1,)), point
        if not point:
            break

    assert {"before Teams create", "after Teams create", "before Teams send"} <= set(points)
    assert "after insert conversations/person" in points
    assert points[-1] == ""  # the last one was not cut any more


async def test_sends_that_meet_at_somebody_unknown_create_one_conversation(
    one: tuple[House, Person], teams: TeamsStandIn
) -> None:
    house, ada = one
    sends = [await house.accept([ada]) for _ in range(4)]

    await asyncio.gather(*(run_lane(house.service, send.id) for send in sends))

    assert [await house.states(send) for send in sends] == [["delivered"]] * 4
    assert asked(teams) == {"create": 1, "send": 4}


async def test_sends_that_meet_at_somebody_without_the_bot_ask_once(
    connected: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    sends = [await connected.accept(people[:1]) for _ in range(4)]

    await asyncio.gather(*(run_lane(connected.service, send.id) for send in sends))

    assert {state for send in sends for state in await connected.states(send)} == {"notInstalled"}
    assert asked(teams) == {"create": 1}


async def test_an_activity_that_comes_meanwhile_is_not_overwritten(
    one: tuple[House, Person], teams: TeamsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, ada = one
    real = Teams.create

    async def create(self: Teams, *args: Any) -> Any:
        answer = await real(self, *args)
        await act(house, teams, ada, "message", text="hi")
        return answer

    monkeypatch.setattr(Teams, "create", create)
    send = await house.accept([ada])
    await run_lane(house.service, send.id)

    assert await house.states(send) == ["delivered"]
    known = await row(house, ada)
    assert known
    assert known.member_id == ada.teams_id
    assert known.last_message_at > house.clock() - 60


async def test_what_cannot_be_kept_does_not_undo_the_delivery(
    one: tuple[House, Person], teams: TeamsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, ada = one

    async def away(*_: object, **__: object) -> None:
        raise StorageAway("gone")

    send = await house.accept([ada])
    monkeypatch.setattr(Conversations, "change", away)
    await run_lane(house.service, send.id)

    assert await house.states(send) == ["delivered"]
    assert len(teams.delivered(ada)) == 1


async def test_who_was_erased_does_not_stay_for_what_teams_was_asked(
    one: tuple[House, Person], people: list[Person]
) -> None:
    house, ada = one
    await house.accept([ada, people[1]])
    await house.drain()

    # As when a message was under way while the person was erased: storage was written after that moment.
    for person in (ada, people[1]):
        await house.service.conversations.forget(house.bot, CONTOSO, person.object_id, (), house.clock() - 60)
        assert await row(house, person) is None


async def test_an_erasure_takes_what_was_found_out(one: tuple[House, Person]) -> None:
    house, ada = one
    await house.accept([ada])
    await house.drain()
    assert await erase(house.service, house.bot, CONTOSO, ada.object_id, [])
    assert await row(house, ada) is None


# --- around it


async def test_a_preview_tells_of_whom_only_teams_can_tell(
    connected: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    await connected.knows(people[:3])
    await connected.knows(people[3:4], installed=False)
    body: dict[str, Any] = {"recipients": [person.object_id for person in people[:10]], "message": "x", "dryRun": True}

    told = await preview(connected.service, body, operator=False)
    other = await preview(connected.service, {**body, "options": {"ifBotNotInstalled": "install"}}, operator=False)

    rest = {"postponed": 0, "chatActive": 0, "failed": 0}
    assert told["counts"] == {"total": 10, "wouldSend": 3, "wouldAsk": 6, "wouldInstall": 0, "notInstalled": 1, **rest}
    assert other["counts"] == {"total": 10, "wouldSend": 3, "wouldAsk": 0, "wouldInstall": 7, "notInstalled": 0, **rest}
    assert asked(teams) == {}


async def test_who_was_reached_so_can_be_updated_and_is_among_everyone(
    one: tuple[House, Person], teams: TeamsStandIn
) -> None:
    from proactive import verbs
    from proactive.accept import accept

    house, ada = one
    send = await house.accept([ada])
    await house.drain()
    await verbs.update(house.service, await house.kept(send), {"message": "better"}, key=None)
    await house.drain()
    await accept(house.service, {"recipients": [{"everyone": True}], "message": "all"}, operator=True)
    await house.drain()

    assert [activity["text"] for activity in teams.delivered(ada)] == ["better", "all"]


@pytest.mark.parametrize(
    ("own", "wanted", "found"),
    [("", "", {"graphs"}), ("own", "", {"own"}), ("own", "graphs", {"own", "graphs"}), ("", "other", {"graphs"})],
)
async def test_the_tenant_of_graph_counts_where_it_is_named_or_there_is_no_other(
    connected: House, own: str, wanted: str, found: set[str]
) -> None:
    one = replace(connected.settings.bots[0], tenant_id=own)
    graph = GraphAccess("http://127.0.0.1:1", tenant_id="graphs")
    service = Service(replace(connected.settings, bots=(one,), graph=graph))

    assert await service.tenants(one, wanted) == found

    await service.close()
