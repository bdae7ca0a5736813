"""A send goes out: what reaches Teams, what is written down, and what is tried again."""

import pytest

from local.teams import Fault, Person, TeamsStandIn
from proactive import report
from proactive.cancel import cancel
from proactive.deliver import give_up
from proactive.store.account import LANES, TIMERS
from tests.delivery.conftest import Clock, House


async def test_everybody_gets_one_copy_and_a_result(house: House, teams: TeamsStandIn, people: list[Person]) -> None:
    await house.knows(people)
    send = await house.accept(people)

    await house.drain()

    assert [len(teams.delivered(person)) for person in people] == [1] * len(people)
    outcome = await report.outcome(house.service, await house.kept(send))
    assert outcome
    assert not outcome.failed
    assert outcome.body["counts"] == {
        "total": 60, "pending": 0, "delivered": 60, "notInstalled": 0, "chatActive": 0, "failed": 0, "unknown": 0,
        "cancelled": 0, "responded": 0,
    }  # fmt: skip
    assert {result["messageId"] for result in outcome.body["results"]} == {
        received.activity_id for received in teams.received
    }


@pytest.mark.parametrize("parallelism", [1, 7, 25, 50])
async def test_parallelism_is_never_exceeded_and_is_used(
    house: House, storage: str, people: list[Person], parallelism: int
) -> None:
    async with TeamsStandIn(people, rate=None, latency=0.02) as slow:
        house.teams = slow
        await house.knows(people)
        await house.accept(people, options={"parallelism": parallelism})

        await house.drain()

        assert slow.stats().peak == min(parallelism, len(people))


async def test_a_duplicated_lane_message_doubles_nobody(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    await house.knows(people)
    send = await house.accept(people)
    for _ in range(3):
        await house.service.account.put(LANES, {"send": send.id})

    await house.drain()

    assert max(len(teams.delivered(person)) for person in people) == 1
    assert await house.states(send) == ["delivered"] * len(people)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429, retry_after=3, times=1),
        Fault(status=412, times=1),
        Fault(status=503, times=1),
        Fault(cut="reset", times=1),
    ],
    ids=["429", "412", "503", "reset"],
)
async def test_what_teams_has_not_taken_is_tried_again_and_arrives_once(
    house: House, teams: TeamsStandIn, people: list[Person], clock: Clock, fault: Fault
) -> None:
    await house.knows(people[:3])
    teams.fault(fault)
    send = await house.accept(people[:3])

    await house.drain()
    assert sorted(await house.states(send)) == ["delivered", "delivered", "pending"]
    assert (await house.kept(send)).completed_at is None
    clock.ahead += 60
    await house.service.account.put(LANES, {"send": send.id})
    await house.drain()

    assert await house.states(send) == ["delivered"] * 3
    assert [len(teams.delivered(person)) for person in people[:3]] == [1, 1, 1]
    assert (await house.kept(send)).completed_at


async def test_a_retry_has_a_timer_of_its_own(
    house: House, teams: TeamsStandIn, people: list[Person], clock: Clock
) -> None:
    await house.knows(people[:1])
    teams.fault(Fault(status=429, retry_after=2, times=1))
    send = await house.accept(people[:1])
    await house.drain()

    clock.ahead += 30  # what the storage service hides goes by its own clock, so the timer is rung by hand
    watchdog, timer = await house.pending(TIMERS)

    assert watchdog["body"] == {"send": send.id}
    assert timer["body"] == {**watchdog["body"], "watch": timer["body"]["watch"]}
    assert 1 <= timer["at"] - (clock() - 30) <= 6


async def test_deliver_within_ends_the_retries(
    house: House, teams: TeamsStandIn, people: list[Person], clock: Clock
) -> None:
    await house.knows(people[:2])
    teams.fault(Fault(status=503, code="ServiceUnavailable", person=people[0].object_id, times=None))
    send = await house.accept(people[:2], options={"deliverWithin": "PT1M"})
    await house.drain()

    clock.ahead += 120
    await house.service.account.put(LANES, {"send": send.id})
    await house.drain()

    outcome = await report.outcome(house.service, await house.kept(send))
    assert outcome
    assert outcome.failed
    first, second = outcome.body["results"]
    assert (first["state"], first["statusCode"], first["attempts"]) == ("failed", 502, 1)
    assert (second["state"], second["statusCode"]) == ("delivered", 200)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("BotNotInConversationRoster", "notInstalled"),
        ("MessageWritesBlocked", "blocked"),
        ("ConversationBlockedByUser", "blocked"),
        ("BotDisabledByAdmin", "disabledByAdmin"),
        ("NotEnoughPermissions", "noPermission"),
    ],
)
async def test_who_cannot_be_reached_is_told_apart(
    house: House, teams: TeamsStandIn, people: list[Person], code: str, reason: str
) -> None:
    await house.knows(people[:1])
    teams.uninstall(people[0], code)
    send = await house.accept(people[:1])

    await house.drain()

    outcome = await report.outcome(house.service, await house.kept(send))
    assert outcome
    assert (outcome.body["statusCode"], outcome.body["results"][0]["reason"]) == (100, reason)


async def test_one_failing_recipient_keeps_nobody_else_from_the_message(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    await house.knows(people)
    teams.fault(Fault(status=400, code="BadArgument", person=people[7].object_id))
    send = await house.accept(people)

    await house.drain()

    states = await house.states(send)
    assert states.count("delivered") == len(people) - 1
    assert states[7] == "failed"


async def test_cancelling_stops_what_is_not_sent_yet(house: House, teams: TeamsStandIn, people: list[Person]) -> None:
    await house.knows(people)
    send = await house.accept(people)
    await cancel(house.service, send.id, told=True)

    await house.drain()

    assert await house.states(send) == ["cancelled"] * len(people)
    assert not teams.received
    outcome = await report.outcome(house.service, await house.kept(send))
    assert outcome
    assert (outcome.body["outcome"], outcome.failed) == ("cancelled", False)


async def test_cancelling_after_the_end_changes_nothing(house: House, people: list[Person]) -> None:
    await house.knows(people[:1])
    send = await house.accept(people[:1])
    await house.drain()

    await cancel(house.service, send.id, told=True)
    await house.drain()

    assert await house.states(send) == ["delivered"]
    assert (await house.kept(send)).cancelled_at is None


async def test_what_the_host_gave_up_on_ends_as_unknown_or_failed(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    await house.knows(people)
    send = await house.accept(people)
    chunk = await house.service.chunks.get(send.id, send.plan, 0)
    assert chunk
    chunk.marked = 5
    await house.service.chunks.save(chunk)

    await give_up(house.service, send.id)

    assert await house.states(send) == ["unknown"] * 5 + ["failed"] * (len(people) - 5)
    assert (await house.kept(send)).completed_at
    assert not teams.received


async def test_a_large_send_is_divided_into_chunks(house: House, teams: TeamsStandIn) -> None:
    crowd = [Person.numbered(1000 + n) for n in range(1200)]
    teams.enrol(crowd)
    await house.knows(crowd[:3])
    send = await house.accept(crowd, options={"parallelism": 50, "ifBotNotInstalled": "succeedWithStatusCode"})

    await house.drain()

    kept = await house.kept(send)
    assert (kept.total, kept.chunks) == (1200, 3)
    states = await house.states(send)
    assert (states.count("delivered"), states.count("notInstalled")) == (3, 1197)
    assert kept.completed_at


async def test_however_short_its_turn_is_a_lane_gets_on(
    house: House, teams: TeamsStandIn, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a machine so slow that a turn is over before it has begun, and some chunks in which there is nothing to send
    monkeypatch.setattr("proactive.deliver._TURN", -1.0)
    monkeypatch.setattr("proactive.plan.SIZE", 2)
    absent = [Person.numbered(9_000 + number) for number in range(6)]
    await house.knows(people)
    send = await house.accept([*absent, *people], options={"parallelism": 2})

    # WHEN each turn hands the send on to the next one
    await house.advance(300)

    # THEN it comes to its end all the same
    assert (await house.kept(send)).completed_at
    assert {len(teams.delivered(person)) for person in people} == {1}


async def test_a_lane_that_teams_holds_back_waits_on_a_timer_and_not_in_a_function(
    house: House, teams: TeamsStandIn, people: list[Person], clock: Clock
) -> None:
    await house.knows(people)
    send = await house.accept(people, options={"parallelism": 5})
    for conversation in ("ada", "alan"):
        await house.service.pace.throttled(send.bot, send.tenant, conversation, 120)

    await house.drain()

    assert not teams.received
    _, timer = await house.pending(TIMERS)
    assert 100 < timer["at"] - clock() <= 121
    clock.ahead += 125
    await house.service.account.put(LANES, timer["body"])
    await house.drain()
    assert await house.states(send) == ["delivered"] * len(people)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=502, accepted=True, times=1),
        Fault(status=504, times=1),
        Fault(cut="reset", times=1),
        Fault(cut="close", accepted=True, times=1),
    ],
    ids=["502 after accepting", "504", "reset", "closed after accepting"],
)
async def test_under_leave_what_teams_may_have_taken_is_unknown_and_not_sent_again(
    house: House, teams: TeamsStandIn, people: list[Person], fault: Fault
) -> None:
    await house.knows(people[:3])
    number = teams.fault(fault)
    send = await house.accept(people[:3], options={"ifOutcomeUnknown": "leave"})

    await house.advance(600)

    assert teams.hits(number) == 1
    assert sorted(await house.states(send)) == ["delivered", "delivered", "unknown"]
    assert max(len(teams.delivered(person)) for person in people[:3]) == 1
    outcome = await report.outcome(house.service, await house.kept(send))
    assert outcome
    assert not outcome.failed
    (unknown,) = [result for result in outcome.body["results"] if result["state"] == "unknown"]
    assert (unknown["statusCode"], unknown["succeeded"], unknown["attempts"]) == (504, False, 1)


async def test_under_leave_what_teams_has_surely_not_taken_is_tried_again(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    await house.knows(people[:3])
    for status in (412, 429, 503):
        teams.fault(Fault(status=status, times=1))
    send = await house.accept(people[:3], options={"ifOutcomeUnknown": "leave"})

    await house.advance(600)

    assert await house.states(send) == ["delivered"] * 3
    assert [len(teams.delivered(person)) for person in people[:3]] == [1] * 3


async def test_who_may_have_it_when_the_send_is_cancelled_is_unknown(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada, bob, eve = people[:3]
    await house.knows(people[:3])
    teams.fault(Fault(status=502, accepted=True, person=ada.object_id, times=1))
    teams.fault(Fault(status=503, person=bob.object_id, times=1))
    send = await house.accept([ada, bob, eve])
    await house.drain()
    results, _ = await report.results(house.service, await house.kept(send))
    assert [(row["state"], row["statusCode"]) for row in results][:2] == [("pending", None)] * 2

    await cancel(house.service, send.id, told=True)
    await house.advance(60)

    assert await house.states(send) == ["unknown", "cancelled", "delivered"]
    assert [len(teams.delivered(person)) for person in (ada, bob, eve)] == [1, 0, 1]
