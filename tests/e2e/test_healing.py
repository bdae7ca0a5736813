"""What goes wrong between the bot and one person is put right, or remembered, and the sender is told which."""

import asyncio

import pytest

from local.teams import Fault
from tests.stack import ids


async def test_a_lost_conversation_is_found_again(stack):
    (ada,) = await stack.join(1)
    new = stack.teams.renew_conversation(ada)
    creations = stack.teams.stats().operations.get("create", 0)

    first = (await stack.deliver([ada.object_id])).ok(200)
    second = (await stack.deliver([ada.object_id])).ok(200)

    for outcome in (first, second):
        (result,) = outcome["results"]
        assert (result["statusCode"], result["conversationId"], result["attempts"]) == (200, new, 1)
    assert len(stack.got(ada)) == 2
    assert stack.teams.stats().operations["create"] == creations + 1


async def test_a_card_is_asked_for_and_answered_in_the_new_conversation(stack):
    (ada,) = await stack.join(1)
    stack.teams.renew_conversation(ada)
    card = {"type": "AdaptiveCard", "version": "1.4", "actions": [{"type": "Action.Submit", "title": "Yes"}]}
    accepted = await stack.accepted([ada.object_id], card=card, wait={})
    await stack.teams.wait_delivered(ada)

    assert (await (await stack.crowd()).press(ada, "Yes")).status == 200

    outcome = (await stack.outcome(accepted)).ok(200)
    assert (outcome["outcome"], outcome["submitActionId"]) == ("responded", "Yes")


@pytest.mark.parametrize(
    ("code", "reason"),
    [("ConversationBlockedByUser", "blocked"), ("BotDisabledByAdmin", "disabledByAdmin")],
)
async def test_who_refuses_the_bot_is_shown_and_asked_again_only_after_they_acted(stack, code, reason):
    (ada,) = await stack.join(1)
    assert (await stack.user(ada.object_id))["reason"] is None
    stack.teams.uninstall(ada, code)
    number = stack.teams.fault(Fault(delay=0.01, person=ada.object_id, operation="send"))

    for _ in range(2):
        (result,) = (await stack.deliver([ada.object_id])).ok(424)["results"]
        assert (result["statusCode"], result["reason"]) == (100, reason)
    assert stack.teams.hits(number) == 1
    user = await stack.user(ada.object_id)
    assert (user["installed"], user["reason"]) == (True, reason)

    stack.teams.install(ada)
    await (await stack.crowd()).write(ada, "I want you back")
    assert (await stack.user(ada.object_id))["reason"] is None
    assert (await stack.deliver([ada.object_id])).ok(200)["statusCode"] == 200


async def test_who_has_lost_the_bot_without_a_word_is_shown_without_it(stack):
    (ada,) = await stack.join(1)
    stack.teams.uninstall(ada)
    (await stack.deliver([ada.object_id])).ok(424)
    user = await stack.user(ada.object_id)
    assert (user["installed"], user["reason"]) == (False, "notInstalled")


async def test_many_messages_at_once_to_one_person_keep_the_limits_of_the_conversation(stack):
    (ada,) = await stack.join(1)
    before = stack.teams.stats().throttled.get("conversation", 0)

    outcomes = await asyncio.gather(*(stack.deliver(ids([ada])) for _ in range(10)))

    assert [outcome.status for outcome in outcomes] == [200] * 10
    assert len(stack.got(ada)) == 10
    assert stack.teams.stats().throttled.get("conversation", 0) == before
