"""`postpone` holds a message until the chat is idle, and spends no function time on waiting."""

import pytest

from local.teams import Fault, Person, TeamsStandIn
from proactive import report
from proactive.cancel import cancel
from proactive.model import Send
from proactive.relay import wake
from proactive.store.account import TIMERS
from proactive.store.conversations import Conversation
from tests.delivery.conftest import Clock, House

POSTPONE = {"ifChatIsActive": "postpone"}


async def chatting(house: House, person: Person, minutes_ago: float) -> None:
    """Let a person have written to the bot so long ago."""
    at = house.clock() - minutes_ago * 60

    def wrote(known: Conversation) -> bool:
        known.last_message_at = at
        return True

    await house.service.conversations.change(house.bot, person.tenant_id, person.object_id, wrote)


async def idle(house: House, person: Person) -> None:
    """End a person's chat."""
    now = house.clock()

    def ended(known: Conversation) -> bool:
        known.idle_at = now
        return True

    await house.service.conversations.change(house.bot, person.tenant_id, person.object_id, ended)
    await wake(house.service, house.bot, person.tenant_id, person.object_id)


async def postponed(house: House, *people: Person) -> Send:
    """Return a send that waits for all of them, who wrote a minute ago."""
    await house.knows(list(people))
    for person in people:
        await chatting(house, person, minutes_ago=1)
    send = await house.accept(list(people), options=POSTPONE)
    await house.drain()
    return send


async def test_a_message_waits_until_the_chat_is_idle(house: House, teams: TeamsStandIn, people: list[Person]) -> None:
    ada, *others = people[:5]
    await house.knows(people[:5])
    await chatting(house, ada, minutes_ago=20)
    send = await house.accept(people[:5], options=POSTPONE)

    await house.drain()
    assert await house.states(send) == ["postponed", *["delivered"] * 4]
    assert (await report.status(house.service, await house.kept(send)))["counts"]["pending"] == 1
    _, timer = await house.pending(TIMERS)
    assert 595 <= timer["at"] - house.clock() <= 600

    await house.advance(590)
    assert teams.delivered(ada) == []
    await house.advance(30)
    assert await house.states(send) == ["delivered"] * 5
    assert [len(teams.delivered(person)) for person in (ada, *others)] == [1] * 5
    assert (await house.kept(send)).completed_at


async def test_who_writes_again_is_waited_for_again(house: House, teams: TeamsStandIn, people: list[Person]) -> None:
    ada = people[0]
    await house.knows([ada])
    await chatting(house, ada, minutes_ago=20)
    send = await house.accept([ada], options=POSTPONE)
    await house.drain()
    await chatting(house, ada, minutes_ago=0)

    await house.advance(700)
    assert (await house.states(send), teams.delivered(ada)) == (["postponed"], [])
    await house.advance(1200)
    assert await house.states(send) == ["delivered"]


async def test_a_chat_that_ends_early_lets_the_message_go_at_once(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada, alan = people[:2]
    send = await postponed(house, ada, alan)

    await idle(house, ada)
    await house.drain()

    assert await house.states(send) == ["delivered", "postponed"]
    assert len(await house.pending(TIMERS)) == 2, (
        "with its watchdog: the lane that was woken for one person has set a second timer"
    )
    await house.advance(1800)
    assert await house.states(send) == ["delivered", "delivered"]
    assert [len(teams.delivered(person)) for person in (ada, alan)] == [1, 1]
    assert await house.service.held.waiting(house.bot, ada.tenant_id, alan.object_id) == []


async def test_what_fails_after_a_wake_is_tried_again_in_its_own_time(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada, alan = people[:2]
    send = await postponed(house, ada, alan)
    teams.fault(Fault(status=503, person=ada.object_id, times=1))

    await idle(house, ada)
    await house.drain()
    await house.advance(60)

    assert await house.states(send) == ["delivered", "postponed"]


@pytest.mark.parametrize("minutes_ago", [0, 29.5])
async def test_a_chat_that_outlasts_deliver_within_ends_in_300(
    house: House, teams: TeamsStandIn, people: list[Person], clock: Clock, minutes_ago: float
) -> None:
    ada = people[0]
    await house.knows([ada])
    await chatting(house, ada, minutes_ago)
    send = await house.accept([ada], options={**POSTPONE, "deliverWithin": "PT1M"})
    await house.drain()
    await chatting(house, ada, minutes_ago=0)

    await house.advance(90)

    outcome = await report.outcome(house.service, await house.kept(send))
    assert outcome
    (result,) = outcome.body["results"]
    assert (result["state"], result["statusCode"], result["reason"]) == ("chatActive", 300, "chatActive")
    assert not outcome.failed
    assert teams.delivered(ada) == []


async def test_a_cancelled_send_sends_nothing_that_was_postponed(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada = people[0]
    await house.knows([ada])
    await chatting(house, ada, minutes_ago=1)
    send = await house.accept([ada], options=POSTPONE)
    await house.drain()

    await cancel(house.service, send.id, told=False)
    await house.advance(3600)

    assert (await house.states(send), teams.delivered(ada)) == (["cancelled"], [])
