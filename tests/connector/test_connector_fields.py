"""What makers fill in becomes the body of a send, and what is wrong is told by the names that they see."""

import json

import pytest

from proactive import request
from proactive.doors import connector_fields as fields
from proactive.problems import FieldError, ProblemError

CARD = '{"type": "AdaptiveCard", "version": "1.5", "actions": [{"type": "Action.Submit", "title": "Yes"}]}'
HELLO = {"recipient": "ada@contoso.com", "messageBody": "Hello"}


def body(form, given):
    made, wrong = fields.read(form, given)
    assert wrong == []
    return made


def refusal(form, given):
    """Return the fields at fault, and why, as the maker is told."""
    made, wrong = fields.read(form, given)
    try:
        request.read(made, now=0, largest=102_400)
    except ProblemError as problem:
        return {error.pointer: error.detail for error in fields.named(form, problem.errors, wrong)}
    return {error.pointer: error.detail for error in wrong}


def test_the_fields_stand_in_their_places():
    given = {**HELLO, "bot": "orders", "tenant": "t", "messageFormat": "Plain text", "labelAsNotification": True,
             "ifChatIsActive": "Don't send and fail", "ifBotNotInstalled": "Succeed with status code",
             "ifOutcomeUnknown": "Leave", "parallelism": 5, "deliverWithin": "PT1H",
             "sendAt": "2026-12-01T08:00:00Z"}  # fmt: skip
    assert body(fields.MESSAGE, given) == {
        "bot": "orders", "tenant": "t", "recipients": "ada@contoso.com", "sendAt": "2026-12-01T08:00:00Z",
        "message": {"text": "Hello", "format": "plain"},
        "options": {"labelAsNotification": True, "ifChatIsActive": "dontSendAndFail", "parallelism": 5,
                    "ifBotNotInstalled": "succeedWithStatusCode", "ifOutcomeUnknown": "leave", "deliverWithin": "PT1H"},
    }  # fmt: skip


def test_a_question_waits_even_where_nothing_is_said_about_it():
    given = {"recipient": "a", "messageBody": CARD}
    assert body(fields.QUESTION, given) == {"recipients": "a", "card": CARD, "wait": {}}
    more = {"updateMessage": "Thanks", "timeout": "P7D", "completeWhen": "All responses"}
    assert body(fields.QUESTION, given | more)["wait"] == {"updateMessage": "Thanks", "timeout": "P7D",
                                                           "completeWhen": "all"}  # fmt: skip


@pytest.mark.parametrize(
    ("recipient", "recipients"),
    [
        ("a@b.c; Ada Allen;", "a@b.c; Ada Allen;"),
        (["a@b.c", "Ada Allen"], ["a@b.c", "Ada Allen"]),
        ('["a@b.c", {"user": "x"}]', ["a@b.c", {"user": "x"}]),
        ([{"group": "g"}], [{"group": "g"}]),
    ],
    ids=str,
)
def test_recipients_come_as_designers_hand_them_over(recipient, recipients):
    assert body(fields.MESSAGE, {**HELLO, "recipient": recipient})["recipients"] == recipients


@pytest.mark.parametrize("recipient", ["g1; g2;", ["g1", " g2 "], '["g1", "g2"]'], ids=str)
@pytest.mark.parametrize("kind", ["Group", "Team"])
def test_recipients_may_be_groups_or_teams(recipient, kind):
    made = body(fields.MESSAGE, {**HELLO, "recipient": recipient, "sendTo": kind})
    assert made["recipients"] == [{kind.lower(): "g1"}, {kind.lower(): "g2"}]


@pytest.mark.parametrize("data", [{"name": "Ada"}, '{"name": "Ada"}'], ids=str)
def test_the_data_of_a_template_are_an_object_or_its_json(data):
    given = {"recipient": "a", "messageBody": CARD, "templateData": data}
    assert body(fields.CARD, given)["data"] == {"name": "Ada"}
    _, (error,) = fields.read(fields.CARD, {**given, "templateData": "{"})
    assert error.pointer == "/templateData"


def test_what_was_not_filled_in_is_left_out():
    empty = dict.fromkeys(set(fields.MESSAGE) - set(HELLO), "") | {"tenant": None}
    assert body(fields.MESSAGE, {**HELLO, **empty}) == body(fields.MESSAGE, HELLO)


@pytest.mark.parametrize(
    ("given", "at_fault"),
    [
        ({}, {"/recipient", "/messageBody"}),
        ({"recipient": "a"}, {"/messageBody"}),
        ({**HELLO, "recipients": ["a"]}, {"/recipients"}),
        ({**HELLO, "message": "b", "dryRun": True}, {"/message", "/dryRun"}),
        ({**HELLO, "ifChatIsActive": "Perhaps", "parallelism": 0}, {"/ifChatIsActive", "/parallelism"}),
        ({**HELLO, "recipient": '["a", '}, {"/recipient"}),
        ({**HELLO, "recipient": ["", {"user": 5}]}, {"/recipient/0", "/recipient/1/user"}),
        ({**HELLO, "recipient": 5}, {"/recipient"}),
        ({**HELLO, "messageBody": {"text": 5}}, {"/messageBody"}),
        ({**HELLO, "deliverWithin": "soon", "sendAt": "later"}, {"/deliverWithin", "/sendAt"}),
        ({**HELLO, "sendTo": 5, "labelAsNotification": "x"}, {"/sendTo", "/labelAsNotification"}),
    ],
    ids=str,
)
def test_what_is_wrong_has_the_name_that_makers_see(given, at_fault):
    assert set(refusal(fields.MESSAGE, given)) == at_fault


@pytest.mark.parametrize("given", [None, 5, "x", []])
def test_what_is_no_object_is_refused(given):
    _, (error,) = fields.read(fields.MESSAGE, given)
    assert error.pointer == ""


def test_a_fault_inside_a_card_is_pointed_at():
    card = {"type": "AdaptiveCard", "version": "1.5", "actions": [{"type": "Submit"}]}
    for text in (card, json.dumps(card)):
        assert set(refusal(fields.CARD, {"recipient": "a", "messageBody": text})) == {"/messageBody/actions/0/type"}


def test_the_card_of_the_documentation_is_refused_with_line_and_column():
    broken = CARD.replace('"Yes"}', '"Yes",}').replace(", ", ",\n")
    found = refusal(fields.QUESTION, {"recipient": "a", "messageBody": broken})
    assert "line 4, column" in found["/messageBody"]


def test_nobody_can_answer_a_card_without_buttons():
    card = '{"type": "AdaptiveCard", "version": "1.5"}'
    assert set(refusal(fields.QUESTION, {"recipient": "a", "messageBody": card, "timeout": "P99D"})) == {
        "/messageBody",
        "/timeout",
    }


def test_each_field_is_told_once_the_first_thing_first():
    errors = [FieldError("/message", "second"), FieldError("/message/text", "third"), FieldError("/options/x", "else")]
    told = fields.named(fields.MESSAGE, errors, [FieldError("/messageBody", "first")])
    assert told == [FieldError("/messageBody", "first"), FieldError("/options/x", "else")]


@pytest.mark.parametrize(
    ("given", "content"),
    [
        ({"messageBody": "New"}, {"message": "New"}),
        ({"messageBody": f"  {CARD}", "summary": "Done"}, {"card": f"  {CARD}", "summary": "Done"}),
        ({"messageBody": {"type": "AdaptiveCard"}}, {"card": {"type": "AdaptiveCard"}}),
    ],
)
def test_new_content_is_a_text_or_a_card(given, content):
    assert fields.read_content(given) == (content, [])


def test_new_content_is_all_that_an_update_takes():
    _, wrong = fields.read_content({**HELLO, "card": "x"})
    assert {error.pointer for error in wrong} == {"/recipient", "/card"}
    assert fields.read_content([])[1]
