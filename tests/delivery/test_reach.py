"""One message to one person: what is healed on the way, what is remembered of it, and how often Teams is asked."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.teams import BOT, Crowd, Fault, Person, TeamsStandIn
from proactive import bot, report
from proactive.memory import refused
from proactive.model import Send
from proactive.reach import Reached, post
from proactive.store.conversations import Conversation, Conversations
from proactive.store.errors import StorageAway
from proactive.verdicts import Kind, Verdict
from tests.delivery.conftest import Clock, House

CONTENT = b'{"type": "message", "text": "hello"}'
WRONG_CLOUD = Fault(status=403, code="InvalidBotApiHost")


@pytest.fixture
async def ada(house: House, people: list[Person]) -> Person:
    await house.knows(people[:2], bot_id=f"28:{BOT}")
    return people[0]


@pytest.fixture
async def abroad(people: list[Person]) -> AsyncIterator[TeamsStandIn]:
    """Give the host of another cloud, in which everybody has the bot as well."""
    async with TeamsStandIn(people, rate=None) as other:
        other.enrol(people, installed=True)
        yield other


async def known(house: House, person: Person) -> Conversation:
    row = await house.service.conversations.get(house.bot, person.tenant_id, person.object_id)
    assert row
    return row


async def change(house: House, person: Person, **values: Any) -> None:
    def alter(row: Conversation) -> bool:
        for name, value in values.items():
            setattr(row, name, value)
        return True

    await house.service.conversations.change(house.bot, person.tenant_id, person.object_id, alter)


async def reach(house: House, person: Person, row: Conversation | None = None) -> Reached:
    row = row or await known(house, person)
    return await post(house.service, house.bot, person.tenant_id, row, CONTENT)


async def result(house: House, send: Send) -> Any:
    outcome = await report.outcome(house.service, await house.kept(send))
    assert outcome
    return outcome.body["results"][0]


def asked(teams: TeamsStandIn) -> dict[str, int]:
    return dict(teams.stats().operations)


# --- a lost conversation


async def test_a_lost_conversation_is_created_again_and_kept(house: House, teams: TeamsStandIn, ada: Person) -> None:
    new = teams.renew_conversation(ada)

    first = await reach(house, ada)
    second = await reach(house, ada)

    assert (first.verdict.kind, first.conversation_id) == (Kind.DELIVERED, new)
    assert (second.verdict.kind, second.conversation_id) == (Kind.DELIVERED, new)
    assert (await known(house, ada)).conversation_id == new
    assert asked(teams) == {"send": 3, "create": 1}
    assert len(teams.delivered(ada)) == 2


async def test_a_send_tells_the_new_conversation_and_counts_one_attempt(
    house: House, teams: TeamsStandIn, ada: Person
) -> None:
    new = teams.renew_conversation(ada)
    send = await house.accept([ada])

    await house.drain()

    told = await result(house, send)
    assert (told["statusCode"], told["conversationId"], told["attempts"]) == (200, new, 1)
    assert told["messageId"] == teams.delivered(ada)[0]["id"]


async def test_messages_that_meet_at_a_lost_conversation_create_it_once(
    house: House, teams: TeamsStandIn, ada: Person
) -> None:
    new = teams.renew_conversation(ada)
    row = await known(house, ada)

    reached = await asyncio.gather(*(reach(house, ada, row) for _ in range(5)))

    assert {(one.verdict.kind, one.conversation_id) for one in reached} == {(Kind.DELIVERED, new)}
    assert asked(teams) == {"send": 10, "create": 1}


async def test_a_conversation_of_another_bot_id_is_created_again(
    house: House, teams: TeamsStandIn, ada: Person
) -> None:
    teams.fault(Fault(status=400, code="BadArgument", message="Failed to decrypt conversation id", times=1))

    assert (await reach(house, ada)).verdict.kind is Kind.DELIVERED
    assert asked(teams) == {"send": 2, "create": 1}


async def test_a_conversation_that_stays_lost_is_refused_after_one_try(
    house: House, teams: TeamsStandIn, ada: Person
) -> None:
    teams.fault(Fault(status=404, operation="send"))

    assert (await reach(house, ada)).verdict == Verdict(Kind.REFUSED, "ConversationNotFound")
    assert asked(teams) == {"send": 2, "create": 1}


async def test_without_an_object_id_nothing_can_be_created(house: House, teams: TeamsStandIn, ada: Person) -> None:
    row = Conversation(ada.teams_id, "a:1lost", teams.service_url, ada.teams_id, f"28:{BOT}", installed=True)

    assert (await reach(house, ada, row)).verdict == Verdict(Kind.REFUSED, "ConversationNotFound")
    assert asked(teams) == {"send": 1}


async def test_a_404_that_is_not_of_the_conversation_creates_nothing(
    house: House, teams: TeamsStandIn, ada: Person
) -> None:
    teams.fault(Fault(status=404, code="ActivityNotFoundInConversation", times=1))
    teams.fault(Fault(status=404, body="", times=1))

    assert (await reach(house, ada)).verdict == Verdict(Kind.REFUSED, "ActivityNotFoundInConversation")
    assert (await reach(house, ada)).verdict == Verdict(Kind.REFUSED, "HTTP 404")
    assert asked(teams) == {"send": 2}


async def test_a_refused_creation_shows_that_the_bot_is_not_there(
    house: House, teams: TeamsStandIn, ada: Person
) -> None:
    teams.renew_conversation(ada)
    teams.uninstall(ada)

    assert (await reach(house, ada)).verdict == Verdict(Kind.NOT_INSTALLED, "notInstalled")
    assert (await known(house, ada)).installed is False
    assert asked(teams) == {"send": 1, "create": 1}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429, retry_after=3, operation="create", times=1),
        Fault(status=412, operation="create", times=1),
        Fault(status=502, operation="create", times=1, accepted=True),
        Fault(status=201, body="{}", operation="create", times=1),
        Fault(cut="close", operation="create", times=1),
    ],
    ids=["429", "412", "502", "unreadable", "cut"],
)
async def test_a_creation_that_fails_for_now_leaves_nobody_in_doubt(
    house: House, teams: TeamsStandIn, ada: Person, fault: Fault
) -> None:
    new = teams.renew_conversation(ada)
    teams.fault(fault)

    first = await reach(house, ada)

    assert first.verdict.kind is Kind.RETRY
    assert first.verdict.retry_after == (3 if fault.status == 429 else 0)
    assert first.verdict.throttled is (fault.status == 429)
    assert teams.delivered(ada) == []
    assert (await reach(house, ada)) == (first.verdict._replace(
        kind=Kind.DELIVERED, reason="", retry_after=0, throttled=False, message_id=teams.delivered(ada)[0]["id"]
    ), new)  # fmt: skip


async def test_a_reference_that_came_in_the_meantime_is_not_overwritten(
    house: House, teams: TeamsStandIn, ada: Person
) -> None:
    row = await known(house, ada)
    new = teams.renew_conversation(ada)
    await change(house, ada, conversation_id=new, referenced_at=house.clock())

    reached = await reach(house, ada, row)

    assert (reached.verdict.kind, reached.conversation_id) == (Kind.DELIVERED, new)
    assert asked(teams) == {"send": 2}


async def test_a_late_activity_does_not_bring_the_lost_conversation_back(
    house: House, teams: TeamsStandIn, ada: Person
) -> None:
    chat = {"id": ada.conversation_id, "conversationType": "personal", "tenantId": ada.tenant_id}
    late = datetime.now(UTC) - timedelta(minutes=1)
    activity = await Crowd(teams).activity(ada, "message", at=late, text="hi", conversation=chat)
    new = teams.renew_conversation(ada)
    await reach(house, ada)

    await bot.take(house.service, house.settings.bots[0], activity)

    row = await known(house, ada)
    assert row.conversation_id == new
    assert row.last_message_at > house.clock() - 70


async def test_healing_takes_slots_of_the_bots_pace(house: House, teams: TeamsStandIn, ada: Person) -> None:
    teams.renew_conversation(ada)
    for conversation in ("one", "another"):
        await house.service.pace.throttled(house.bot, ada.tenant_id, conversation, 120)

    reached = await reach(house, ada)

    assert (reached.verdict.kind, reached.verdict.reason) == (Kind.RETRY, "ConversationNotFound")
    assert 100 < reached.verdict.retry_after <= 120
    assert asked(teams) == {"send": 1}


# --- the wrong cloud


async def test_who_is_in_another_cloud_is_found_where_others_are_and_stays_there(
    house: House, teams: TeamsStandIn, abroad: TeamsStandIn, people: list[Person], ada: Person
) -> None:
    await change(house, people[1], service_url=abroad.service_url)
    await reach(house, people[1])
    teams.fault(WRONG_CLOUD)

    assert (await reach(house, ada)).verdict.kind is Kind.DELIVERED
    assert (await reach(house, ada)).verdict.kind is Kind.DELIVERED

    assert (await known(house, ada)).service_url == abroad.service_url
    assert len(abroad.delivered(ada)) == 2
    assert asked(teams) == {"send": 1}


async def test_a_conversation_may_be_lost_in_the_other_cloud_as_well(
    house: House, teams: TeamsStandIn, abroad: TeamsStandIn, ada: Person
) -> None:
    house.service.homes[house.bot, ada.tenant_id] = abroad.service_url
    teams.fault(WRONG_CLOUD)
    new = abroad.renew_conversation(ada)

    assert (await reach(house, ada))[1] == new

    row = await known(house, ada)
    assert (row.conversation_id, row.service_url) == (new, abroad.service_url)
    assert len(abroad.delivered(ada)) == 1


async def test_only_the_creation_may_meet_the_wrong_cloud(
    house: House, teams: TeamsStandIn, abroad: TeamsStandIn, ada: Person
) -> None:
    house.service.homes[house.bot, ada.tenant_id] = abroad.service_url
    teams.renew_conversation(ada)
    teams.fault(Fault(status=403, code="InvalidBotApiHost", operation="create"))

    assert (await reach(house, ada)).verdict.kind is Kind.DELIVERED
    assert len(abroad.delivered(ada)) == 1


@pytest.mark.parametrize("homes", [True, False])
async def test_where_no_host_knows_the_person_the_message_is_refused(
    house: House, teams: TeamsStandIn, abroad: TeamsStandIn, ada: Person, homes: bool
) -> None:
    if homes:
        house.service.homes[house.bot, ada.tenant_id] = abroad.service_url
    teams.fault(WRONG_CLOUD)
    abroad.fault(WRONG_CLOUD)

    assert (await reach(house, ada)).verdict == Verdict(Kind.REFUSED, "InvalidBotApiHost")
    assert (await known(house, ada)).service_url == teams.service_url
    assert asked(abroad) == ({"send": 1} if homes else {})


async def test_other_clouds_are_tried_once_and_the_one_that_works_is_kept(
    house: House, teams: TeamsStandIn, abroad: TeamsStandIn, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    clouds = [teams.service_url.replace("teams/", "gone/"), abroad.service_url]
    monkeypatch.setattr("proactive.reach.other_clouds", lambda *_: clouds)
    teams.fault(WRONG_CLOUD)

    assert (await reach(house, ada)).verdict.kind is Kind.DELIVERED
    assert (await known(house, ada)).service_url == house.service.homes[house.bot, ada.tenant_id] == abroad.service_url


async def test_clouds_that_know_nobody_are_left_alone_for_a_while(
    house: House, teams: TeamsStandIn, abroad: TeamsStandIn, ada: Person, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proactive.reach.other_clouds", lambda *_: [abroad.service_url])
    teams.fault(WRONG_CLOUD)
    abroad.fault(Fault(status=401))
    for _ in range(3):
        assert (await reach(house, ada)).verdict == Verdict(Kind.REFUSED, "InvalidBotApiHost")
    assert asked(abroad) == {"send": 1}

    clock.ahead += 301
    abroad.clear_faults()
    assert (await reach(house, ada)).verdict.kind is Kind.DELIVERED


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(status=429, retry_after=5), Kind.RETRY),
        (Fault(status=503), Kind.RETRY),
        (Fault(status=504), Kind.DOUBT),
        (Fault(status=413), Kind.TOO_LARGE),
        (Fault(status=403, code="ConversationBlockedByUser"), Kind.NOT_INSTALLED),
        (Fault(status=401), Kind.REFUSED),
    ],
    ids=["429", "503", "504", "413", "blocked", "401"],
)
async def test_what_the_other_cloud_says_counts(
    house: House, teams: TeamsStandIn, abroad: TeamsStandIn, ada: Person, fault: Fault, kind: Kind
) -> None:
    house.service.homes[house.bot, ada.tenant_id] = abroad.service_url
    teams.fault(WRONG_CLOUD)
    abroad.fault(fault)

    assert (await reach(house, ada)).verdict.kind is kind
    found = kind in (Kind.TOO_LARGE, Kind.NOT_INSTALLED)
    assert (await known(house, ada)).service_url == (abroad if found else teams).service_url


# --- who cannot be reached


@pytest.mark.parametrize("shape", ["error", "legacy", "text"])
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("ConversationBlockedByUser", "blocked"),
        ("MessageWritesBlocked", "blocked"),
        ("BotDisabledByAdmin", "disabledByAdmin"),
        ("NotEnoughPermissions", "noPermission"),
        ("BotNotInConversationRoster", "notInstalled"),
    ],
)
async def test_a_refusal_is_remembered_and_costs_no_second_request(
    house: House, teams: TeamsStandIn, ada: Person, code: str, reason: str, shape: Any
) -> None:
    teams.uninstall(ada, code, shape)
    sends = []
    for _ in range(2):
        sends.append(await house.accept([ada]))
        await house.drain()

    assert asked(teams) == {"send": 1}
    told = [await result(house, send) for send in sends]
    assert [(one["statusCode"], one["reason"], one["attempts"]) for one in told] == [(100, reason, 1), (100, reason, 0)]
    assert refused(await known(house, ada), house.clock(), asks=False) == reason


async def test_a_refusal_is_asked_about_again_after_an_hour_and_forgotten_when_it_is_over(
    house: House, teams: TeamsStandIn, ada: Person, clock: Clock
) -> None:
    teams.uninstall(ada, "ConversationBlockedByUser")
    await reach(house, ada)
    teams.install(ada)
    assert refused(await known(house, ada), clock(), asks=False) == "blocked"

    clock.ahead += 3601
    row = await known(house, ada)
    assert (row.refusal, refused(row, clock(), asks=False)) == ("blocked", "")
    assert (await reach(house, ada)).verdict.kind is Kind.DELIVERED

    assert (await known(house, ada)).refusal == ""


@pytest.mark.parametrize("kind", ["message", "installationUpdate"])
@pytest.mark.parametrize("code", ["ConversationBlockedByUser", "BotNotInConversationRoster"])
async def test_whatever_the_person_does_clears_a_refusal(
    house: House, teams: TeamsStandIn, ada: Person, kind: str, code: str
) -> None:
    teams.uninstall(ada, code)
    await reach(house, ada)
    teams.install(ada)
    fields = {"text": "hi"} if kind == "message" else {"action": "add"}
    a_little_slow = datetime.now(UTC) - timedelta(seconds=2)  # as Teams' clock may be
    activity = await Crowd(teams).activity(ada, kind, at=a_little_slow, **fields)

    status, _ = await bot.take(house.service, house.settings.bots[0], activity)

    assert status == 200
    row = await known(house, ada)
    assert (row.installed, row.refusal, refused(row, house.clock(), asks=False)) == (True, "", "")


@pytest.mark.parametrize("code", ["ConversationBlockedByUser", "BotNotInConversationRoster"])
async def test_what_the_person_did_while_the_message_was_under_way_counts_more(
    house: House, teams: TeamsStandIn, ada: Person, code: str
) -> None:
    teams.uninstall(ada, code)
    row = await known(house, ada)
    await change(house, ada, installed_at=house.clock() + 1)

    assert (await reach(house, ada, row)).verdict.kind is Kind.NOT_INSTALLED

    assert refused(await known(house, ada), house.clock(), asks=False) == ""


async def test_who_is_not_known_any_more_does_not_come_back_with_a_refusal(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    teams.install(people[5])
    teams.uninstall(people[5], "ConversationBlockedByUser")
    row = Conversation(people[5].object_id, people[5].conversation_id, teams.service_url, installed=True)

    await reach(house, people[5], row)

    assert await house.service.conversations.get(house.bot, people[5].tenant_id, people[5].object_id) is None


async def test_a_delivered_message_writes_nothing_about_the_person(
    house: House, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await known(house, ada)
    calls: list[object] = []
    monkeypatch.setattr(house.service.account, "_call", lambda *args: calls.append(args))

    assert (await reach(house, ada, row)).verdict.kind is Kind.DELIVERED

    assert calls == []


def test_nobody_and_who_has_no_conversation_does_not_have_the_bot() -> None:
    assert refused(None, 0, asks=False) == refused(Conversation("u", installed=True), 0, asks=False) == "notInstalled"
    assert refused(Conversation("u", "a:1"), 0, asks=False) == "notInstalled"
    assert refused(Conversation("u", "a:1", installed=True), 0, asks=False) == ""


def test_who_has_no_conversation_is_asked_about_where_teams_can_be_asked_unless_it_was_lately() -> None:
    lately = Conversation("u", refusal="notInstalled", refused_at=100)
    assert refused(Conversation("u"), 0, asks=True) == refused(Conversation("u", installed=True), 0, asks=True) == ""
    assert (refused(lately, 3699, asks=True), refused(lately, 3700, asks=True)) == ("notInstalled", "")
    assert refused(lately, 3700, asks=False) == "notInstalled"
    assert refused(None, 0, asks=True) == refused(Conversation("29:1x"), 0, asks=True) == "notInstalled"
    assert refused(Conversation("u", "a:1"), 0, asks=True) == "notInstalled"


# --- storage goes away on the way


async def test_what_became_of_a_message_is_not_lost_over_what_could_not_be_kept(
    house: House, teams: TeamsStandIn, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StorageAway("gone")

    row = await known(house, ada)
    teams.renew_conversation(ada)
    monkeypatch.setattr(Conversations, "change", away)

    assert (await reach(house, ada, row)).verdict.kind is Kind.DELIVERED
    assert len(teams.delivered(ada)) == 1


async def test_a_message_that_could_not_be_healed_for_lack_of_storage_is_tried_again(
    house: House, teams: TeamsStandIn, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StorageAway("gone")

    row = await known(house, ada)
    teams.renew_conversation(ada)
    monkeypatch.setattr(Conversations, "get", away)

    assert (await reach(house, ada, row)).verdict == Verdict(Kind.RETRY, "storageAway")


# --- the limits of a conversation


async def test_ten_messages_at_once_to_one_person_all_arrive_without_a_429(
    house: House, teams: TeamsStandIn, ada: Person
) -> None:
    reached = await asyncio.gather(*(reach(house, ada) for _ in range(10)))

    assert {one.verdict.kind for one in reached} == {Kind.DELIVERED}
    assert teams.stats().throttled == {}
    assert len(teams.delivered(ada)) == 10


async def test_who_would_have_to_wait_long_comes_back_without_a_request(
    house: House, teams: TeamsStandIn, ada: Person
) -> None:
    start = house.clock() - 20
    for n in range(57):
        assert house.service.limits.admit(ada.conversation_id, start + n * 0.3) == 0

    reached = await reach(house, ada)

    assert (reached.verdict.kind, reached.verdict.reason) == (Kind.RETRY, "conversationLimit")
    assert 5 < reached.verdict.retry_after <= 10.1
    assert asked(teams) == {}
