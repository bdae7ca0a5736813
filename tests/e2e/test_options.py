"""What a sender can choose: active chats, people without the bot."""

from datetime import UTC, datetime, timedelta

import pytest

from local.teams import Fault
from tests.stack import REPLY, card, codes, until

SKIPPED = {"ifChatIsActive": "dontSendAndSucceed"}


async def chatting(stack, minutes_ago: float = 0):
    """Return a person who wrote to the bot so long ago."""
    (person,) = await stack.join(1)
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    assert (await (await stack.crowd()).write(person, "hi", at=at)).status == 200
    return person


async def test_an_active_chat_is_written_to_unless_said_otherwise(stack):
    ada = await chatting(stack)
    assert (await stack.user(ada.object_id))["chatActive"] is True
    (await stack.deliver([ada.object_id], options={"ifChatIsActive": "send"})).ok(200)
    (await stack.deliver([ada.object_id])).ok(200)
    assert len(stack.got(ada)) == 2


async def test_an_active_chat_can_be_left_alone_and_the_run_succeeds(stack):
    ada = await chatting(stack)
    outcome = (await stack.deliver([ada.object_id], options=SKIPPED)).ok(200)
    assert outcome["outcome"] == "completed"
    assert (outcome["statusCode"], outcome["succeeded"]) == (300, False)
    (result,) = outcome["results"]
    assert (result["state"], result["statusCode"], result["succeeded"]) == ("chatActive", 300, False)
    assert result["attempts"] == 0
    assert outcome["counts"]["chatActive"] == 1
    assert stack.got(ada) == []


async def test_an_active_chat_can_fail_the_run(stack):
    ada = await chatting(stack)
    outcome = (await stack.deliver([ada.object_id], options={"ifChatIsActive": "dontSendAndFail"})).ok(424)
    assert (outcome["statusCode"], outcome["succeeded"]) == (300, False)
    assert stack.got(ada) == []


async def test_one_active_chat_does_not_keep_the_others_from_the_message(stack):
    ada = await chatting(stack)
    (alan,) = await stack.join(1)
    outcome = (await stack.deliver([ada.object_id, alan.object_id], options=SKIPPED)).ok(200)
    assert codes(outcome) == {ada.object_id: (300, "chatActive"), alan.object_id: (200, None)}
    assert (outcome["statusCode"], outcome["succeeded"]) == (207, False)
    assert len(stack.got(alan)) == 1


@pytest.mark.parametrize(("minutes", "status_code"), [(29, 300), (31, 200)])
async def test_a_chat_is_active_for_30_minutes(stack, minutes, status_code):
    ada = await chatting(stack, minutes)
    assert (await stack.user(ada.object_id))["chatActive"] is (status_code == 300)
    assert (await stack.deliver([ada.object_id], options=SKIPPED)).body["statusCode"] == status_code


async def test_end_of_conversation_ends_an_active_chat_until_the_person_writes_again(stack):
    ada = await chatting(stack, 1)
    crowd = await stack.crowd()
    await crowd.end_of_conversation(ada, at=datetime.now(UTC) - timedelta(seconds=30))
    assert (await stack.deliver([ada.object_id], options=SKIPPED)).body["statusCode"] == 200
    await crowd.write(ada, "one more thing")
    assert (await stack.deliver([ada.object_id], options=SKIPPED)).body["statusCode"] == 300


async def test_an_operator_ends_an_active_chat_and_a_sender_cannot(stack):
    ada = await chatting(stack)
    path = f"bots/default/users/{ada.object_id}/idle"
    (await stack.request("POST", f"/api/v1/{path}")).is_problem(404)
    assert (await stack.deliver([ada.object_id], options=SKIPPED)).body["statusCode"] == 300
    reply = await stack.request("POST", f"/api/ops/{path}")
    assert reply.status in (200, 204)
    assert (await stack.user(ada.object_id))["chatActive"] is False
    assert (await stack.deliver([ada.object_id], options=SKIPPED)).body["statusCode"] == 200


async def test_only_a_persons_own_words_make_a_chat_active(stack):
    (ada,) = await stack.join(1)
    crowd = await stack.crowd()
    await crowd.upgrade(ada)
    await stack.deliver([ada.object_id], card=card("order-confirmation"))
    pressed = await crowd.press(ada, "Submit Order")
    assert pressed.status == 200
    user = await stack.user(ada.object_id)
    assert user["chatActive"] is False
    assert (await stack.deliver([ada.object_id], options=SKIPPED)).body["statusCode"] == 200


async def test_who_does_not_have_the_bot_fails_the_run_or_not_as_chosen(stack):
    (ada,) = stack.strangers(1)
    failing = (await stack.deliver([ada.object_id])).ok(424)
    going_on = (await stack.deliver([ada.object_id], options={"ifBotNotInstalled": "succeedWithStatusCode"})).ok(200)
    for outcome in (failing, going_on):
        assert (outcome["statusCode"], outcome["succeeded"]) == (100, False)
        (result,) = outcome["results"]
        assert (result["state"], result["reason"]) == ("notInstalled", "notInstalled")
        assert result["attempts"] == 0


async def test_success_with_a_code_does_not_hide_other_failures(stack):
    (ada,) = stack.strangers(1)
    names = [ada.object_id, "Nobody At All"]
    await stack.join(1)
    outcome = (await stack.deliver(names, options={"ifBotNotInstalled": "succeedWithStatusCode"})).ok(424)
    assert codes(outcome) == {names[0]: (100, "notInstalled"), names[1]: (404, "unknownRecipient")}


@pytest.mark.parametrize(
    ("code", "reasons"),
    [
        ("BotNotInConversationRoster", {"notInstalled"}),
        ("ForbiddenOperationException", {"notInstalled"}),
        ("ConversationBlockedByUser", {"blocked"}),
        ("MessageWritesBlocked", {"blocked", "notInstalled"}),
        ("BotDisabledByAdmin", {"disabledByAdmin"}),
        ("NotEnoughPermissions", {"noPermission"}),
    ],
)
@pytest.mark.parametrize("shape", ["error", "legacy"])
async def test_what_teams_says_of_people_without_the_bot_is_told_apart(stack, code, reasons, shape):
    (ada,) = await stack.join(1)
    stack.teams.uninstall(ada, code, shape)
    outcome = (await stack.deliver([ada.object_id])).ok(424)
    (result,) = outcome["results"]
    assert (result["state"], result["statusCode"]) == ("notInstalled", 100)
    assert result["reason"] in reasons
    assert result["attempts"] == 1


async def test_the_bot_answers_a_written_message_with_one_line(stack):
    ada = await chatting(stack)

    async def answered():
        return [activity["text"] for activity in stack.teams.delivered(ada)] == [REPLY]

    await until(answered)


@pytest.mark.parametrize(
    ("fault", "status_code", "reason"),
    [
        (Fault(status=413, code="MessageSizeTooBig"), 413, None),
        (Fault(status=413, code="RequestEntityTooLarge"), 413, None),
        (Fault(status=403, code="InvalidBotApiHost"), 502, "InvalidBotApiHost"),
        (Fault(status=400, code="BadArgument"), 502, "BadArgument"),
        (Fault(status=401, code="BotNotRegistered"), 502, "BotNotRegistered"),
    ],
    ids=lambda value: value.code if isinstance(value, Fault) else None,
)
async def test_what_teams_refuses_for_good_is_not_tried_again(stack, fault, status_code, reason):
    ada, alan = await stack.join(2)
    number = stack.teams.fault(Fault(status=fault.status, code=fault.code, person=ada.object_id, operation="send"))
    outcome = (await stack.deliver([ada.object_id, alan.object_id])).ok(424)
    found = codes(outcome)
    assert found[alan.object_id] == (200, None)
    assert found[ada.object_id][0] == status_code
    assert reason in (None, found[ada.object_id][1])
    failed = next(result for result in outcome["results"] if result["recipient"] == ada.object_id)
    assert (failed["state"], failed["succeeded"], failed["attempts"]) == ("failed", False, 1)
    assert stack.teams.hits(number) == 1


async def test_a_postponed_message_goes_out_as_soon_as_the_chat_is_ended(stack):
    ada, (alan,) = await chatting(stack), await stack.join(1)
    send = await stack.accepted([ada.object_id, alan.object_id], options={"ifChatIsActive": "postpone"})
    await stack.teams.wait_delivered(alan)

    async def postponed():
        return [result["state"] for result in await stack.results(send["id"])] == ["postponed", "delivered"]

    await until(postponed)
    assert (await stack.status(send["id"]))["counts"]["pending"] == 1
    assert stack.got(ada) == []

    (await stack.request("POST", f"/api/ops/bots/default/users/{ada.object_id}/idle")).ok(204)

    outcome = (await stack.outcome(send)).ok(200)
    assert codes(outcome) == {ada.object_id: (200, None), alan.object_id: (200, None)}
    assert [len(stack.got(person)) for person in (ada, alan)] == [1, 1]


async def test_an_end_of_conversation_lets_a_postponed_message_go_too(stack):
    ada = await chatting(stack)
    send = await stack.accepted([ada.object_id], options={"ifChatIsActive": "postpone"})

    async def postponed():
        return [result["state"] for result in await stack.results(send["id"])] == ["postponed"]

    await until(postponed)
    assert (await (await stack.crowd()).end_of_conversation(ada)).status == 200

    (await stack.outcome(send)).ok(200)
    assert len(stack.got(ada)) == 1


@pytest.mark.parametrize("fault", [{"status": 504, "accepted": True}, {"cut": "reset"}], ids=["504", "reset"])
async def test_under_leave_nobody_gets_a_second_copy_and_the_run_does_not_fail(stack, fault):
    ada, alan = await stack.join(2)
    stack.teams.fault(Fault(person=ada.object_id, operation="send", times=1, **fault))

    outcome = (await stack.deliver([ada.object_id, alan.object_id], options={"ifOutcomeUnknown": "leave"})).ok(200)

    states = {result["recipient"]: (result["state"], result["statusCode"]) for result in outcome["results"]}
    assert states == {ada.object_id: ("unknown", 504), alan.object_id: ("delivered", 200)}
    assert (outcome["statusCode"], outcome["succeeded"], outcome["counts"]["unknown"]) == (207, False, 1)
    assert len(stack.got(ada)) <= 1
