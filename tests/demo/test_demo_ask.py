"""The demo's question: what would be shown when it did not come out as it must."""

import copy
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from local.demo import Cast
from local.demo_ask import CARD, Asked, Callback, check, story
from local.demo_stage import CALLBACK_SECRET, DemoError

ASKED = Cast.of(20).asked
ADA = ASKED[0]
ID = "send.completed"


def outcome(**fields):
    told = {
        "id": "send",
        "outcome": "responded",
        "statusCode": 200,
        "submitActionId": "Edit Order",
        "data": {},
        "responder": {
            "objectId": ADA.object_id,
            "tenantId": ADA.tenant_id,
            "email": ADA.mail,
            "userPrincipalName": ADA.upn,
            "displayName": "Ada Allen",
        },
        "counts": {"total": 5, "delivered": 5, "responded": 1},
    }
    return told | fields


def call(told, *, seconds=3.1, secret=CALLBACK_SECRET):
    """Return a callback as the flow gets it, signed."""
    raw, at = json.dumps(told), datetime.now(UTC)
    signature = Webhook(secret).sign(ID, at, raw)
    headers = {"webhook-id": ID, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
    return Callback(seconds, headers, raw.encode())


def question(**data):
    """Return a chat with the question as it went out, its buttons marked."""
    card = copy.deepcopy(CARD)
    for action in card["actions"]:
        action["data"] = {"mark": "0", **data}
    return [{"type": "message", "attachments": [{"content": card}]}]


def asked(**fields):
    """Return a question that came out as it must, but for these fields."""
    sent = {person: question() for person in ASKED}
    now = {person: [{"text": "This question is closed."}] for person in ASKED}
    now[ADA] = [{"text": "Thanks for your response!"}]
    return Asked(**{"send": "send", "by": ADA, "sent": sent, "now": now, "pressed": 0.04, "replaced": 0.2,
                    "calls": [call(outcome())]} | fields)  # fmt: skip


def test_those_who_are_asked_have_the_bot_and_are_in_no_chat_with_it():
    cast = Cast.of(20)
    assert len(cast.asked) == 5
    assert {cast.codes()[person] for person in cast.asked} == {200}


def test_a_question_that_came_out_as_it_must_passes_and_is_told():
    check(asked())
    told = story(asked())
    assert 'Ada Allen presses "Edit Order"; the bot answers in 40 ms.' in told
    assert 'each of the 4 others "This question is closed."' in told
    assert "3.1 s after it subscribed" in told
    assert f"webhook-id {ID}" in told


@pytest.mark.parametrize(
    "chat",
    [[], question() * 2, [{"text": "Order confirmation"}], [{"attachments": [{"content": {**CARD, "actions": []}}]}]],
    ids=["nothing", "twice", "a text", "no buttons"],
)
def test_a_card_that_went_out_otherwise_is_noticed(chat):
    with pytest.raises(DemoError, match=f"{ASKED[1].mail} did not get the question once"):
        check(asked(sent={**asked().sent, ASKED[1]: chat}))


@pytest.mark.parametrize(
    ("person", "chat"),
    [
        (ADA, [{"text": "This question is closed."}]),
        (ADA, question()),
        (ADA, [{"text": "Thanks for your response!"}] * 2),
        (ASKED[1], [{"text": "Thanks for your response!"}]),
        (ASKED[1], []),
    ],
    ids=["hers is closed", "hers still asks", "hers came twice", "another's says thanks", "another's is gone"],
)
def test_a_card_that_became_something_else_is_noticed(person, chat):
    with pytest.raises(DemoError, match=f"the chat with {person.mail} reads"):
        check(asked(now={**asked().now, person: chat}))


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "another"},
        {"outcome": "timedOut"},
        {"statusCode": 207},
        {"submitActionId": "Submit Order"},
        {"data": {"mark": "0"}},
        {"responder": {"objectId": ASKED[1].object_id}},
        {"counts": {"total": 5, "delivered": 5, "responded": 2}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_flow_that_was_told_something_else_is_noticed(fields):
    with pytest.raises(DemoError, match=f"the flow was told {next(iter(fields))} "):
        check(asked(calls=[call(outcome(**fields))]))


@pytest.mark.parametrize(
    ("calls", "sentence"),
    [
        (list, "called 0 times"),
        (lambda: [call(outcome())] * 2, "called 2 times"),
        (lambda: [call(outcome(), seconds=1.5)], "called 1.5 s after"),
        (lambda: [call(outcome(), secret="whsec_" + "A" * 32)], "signature is wrong"),
        (lambda: [Callback(3.1, {"webhook-id": ID}, b"{}")], "signature is wrong"),
    ],
    ids=["never", "twice", "too soon", "signed by another", "unsigned"],
)
def test_a_callback_that_must_not_be_is_noticed(calls, sentence):
    # Made here and not with the list of cases: a signature holds for five minutes, and a whole run takes longer.
    with pytest.raises(DemoError, match=sentence):
        check(asked(calls=calls()))
