"""Answers: whose they are, and what they say."""

import asyncio
import copy
import json
import re
import uuid

import pytest

from local.teams import Person
from tests.e2e.flow import BODY, CLOSED, DONE, EXECUTE, THANKS, buttons, question, together

pytest_plugins = ["tests.e2e.flow"]
pytestmark = pytest.mark.timeout(120)


# Whose answer it is


@together
async def test_only_the_recipient_can_answer(asking):
    ada, eve = await asking.stack.join(2)
    send = await asking.ask([ada])
    card = await asking.card(ada)
    crowd = await asking.stack.crowd()
    namesake = Person.named("Ada of elsewhere", object_id=ada.object_id, tenant_id=str(uuid.uuid4()))

    for stranger in (eve, namesake):
        posted = await crowd.submit(stranger, card, buttons(card)[0], {"note": "mine"})
        assert posted.status == 200
    spoofed = await crowd.activity(eve, "message", replyToId=card["id"], value=buttons(card)[0]["data"])
    spoofed["conversation"]["id"] = asking.stack.teams.conversation_id(ada)
    assert (await crowd.post(spoofed)).status == 200
    await asking.stack.teams.wait_delivered(eve)  # the stranger hears something

    assert await asking.responses(send) == []
    assert (await asking.stack.get(send["outcomeUrl"])).status == 202
    assert asking.stack.got(ada)[0] == card, "a stranger's press leaves the card as it is"
    await asking.press(ada)
    assert (await asking.outcome(send))["responder"]["objectId"] == ada.object_id


@together
async def test_an_execute_of_a_stranger_is_answered_in_line_with_a_message(asking):
    ada, eve = await asking.stack.join(2)
    send = await asking.ask([ada], EXECUTE)
    card = await asking.card(ada)
    posted = await (await asking.stack.crowd()).execute(eve, card, buttons(card)[0], {})
    assert (posted.status, posted.body["statusCode"]) == (200, 200)
    assert posted.body["type"] == "application/vnd.microsoft.activity.message"
    assert isinstance(posted.body["value"], str)
    assert await asking.responses(send) == []


def _spoilt(name, mark, other):
    """Return the data that somebody sends who has looked at the card's marks, `mark` being their own."""
    ((key, text),) = mark.items()
    return {
        "cut": {key: text[:-1]},
        "longer": {key: text + "0"},
        "another send's": dict(other),
        "another action": {key: re.sub(r"\d+$", "99999", text)},
        "a negative action": {key: re.sub(r"\d+$", "-1", text)},
        "Unicode digits": {key: re.sub(r"\d+$", "\u0661", text)},
        "another place": {key: re.sub(r"^([a-z2-7]+-\d+-)\d+", r"\g<1>1", text)},
        "a place beyond": {key: re.sub(r"^([a-z2-7]+-\d+-)\d+", r"\g<1>999", text)},
        "a chunk beyond": {key: re.sub(r"^([a-z2-7]+-)\d+", r"\g<1>77777", text)},
        "upper case": {key: text.upper()},
        "quotes": {key: "' or RowKey gt '"},
        "a number": {key: 1},
        "null": {key: None},
        "a list": {key: [text]},
        "nested": {"data": mark},
        "huge": {key: text * 2000},
        "none": {},
        "text": "hello",
        "list": [mark],
        "true": True,
    }[name]


@pytest.mark.parametrize("kind", ["submit", "execute"])
@together
async def test_forged_marks_change_nothing_and_are_no_server_error(asking, kind):
    ada, alan = await asking.stack.join(2)
    card = question(
        {"type": "Action.Submit" if kind == "submit" else "Action.Execute", "title": "Approve", "verb": "x"},
    )
    if kind == "submit":
        del card["actions"][0]["verb"]
    send, other = await asking.ask([ada, alan], card, completeWhen="all"), await asking.ask([alan], card)
    mine = await asking.card(ada)
    (mark,), others = (
        [button["data"] for button in buttons(message)] for message in (mine, asking.stack.got(alan)[-1])
    )
    crowd = await asking.stack.crowd()
    names = (
        "cut", "longer", "another send's", "another action", "a negative action", "Unicode digits", "another place",
        "a place beyond", "a chunk beyond", "upper case", "quotes", "a number", "null", "a list", "nested", "huge",
        "none", "text", "list", "true",
    )  # fmt: skip
    for name in names:
        value = _spoilt(name, mark, others[0])
        if kind == "submit":
            posted = await crowd.post(await crowd.activity(ada, "message", replyToId=mine["id"], value=value))
        else:
            action = {"action": {"type": "Action.Execute", "verb": "x", "data": value}, "trigger": "manual"}
            posted = await crowd.post(
                await crowd.activity(ada, "invoke", name="adaptiveCard/action", replyToId=mine["id"], value=action)
            )
            assert posted.body["statusCode"] == 200, name
        assert posted.status == 200, name
        assert await asking.responses(send) == [], name
    assert await asking.responses(other) == []
    assert asking.stack.got(ada)[0] == mine

    await asking.press(ada, message=mine)
    assert len(await asking.responses(send)) == 1


@together
async def test_teams_may_post_an_answer_again(asking):
    (ada,) = await asking.stack.join(1)
    send = await asking.ask([ada])
    posted = await asking.press(ada)
    crowd = await asking.stack.crowd()
    repeated = await asyncio.gather(*(crowd.repeat(posted) for _ in range(5)))
    assert {again.status for again in repeated} == {200}
    assert len(await asking.responses(send)) == 1
    await asking.shows(ada, THANKS)
    assert (await asking.outcome(send))["counts"]["responded"] == 1


# What the answer says


@together
async def test_every_button_can_be_told_apart(asking):
    nested = {"type": "AdaptiveCard", "body": [{"type": "Input.Text", "id": "more"}],
              "actions": [{"type": "Action.Submit", "title": "Inner", "data": {"deep": True}}]}  # fmt: skip
    card = question(
        {"type": "Action.Submit", "title": "Same", "id": "one"},
        {"type": "Action.Submit", "title": "Same", "id": "two"},
        {"type": "Action.Submit", "id": "untitled", "data": {"a": 1}},
        {"type": "Action.Submit", "title": "Text", "id": "text", "data": "just words"},
        {"type": "Action.Submit", "title": "List", "data": [1, {"x": 2}]},
        {"type": "Action.Submit", "title": "Overlaid", "data": {"note": "the action's", "kept": 1.5}},
        {"type": "Action.Submit", "title": "Alone", "associatedInputs": "none", "data": {"alone": True}},
        {"type": "Action.Submit", "title": "Back", "id": "back", "data": {"msteams": {
            "type": "messageBack", "displayText": "I clicked", "text": "clicked", "value": {"order": 1}}}},
        {"type": "Action.ShowCard", "title": "More", "card": nested},
    )  # fmt: skip
    card["body"] += [
        {"type": "Input.Toggle", "id": "agreed", "title": "Agreed"},
        {"type": "ActionSet", "actions": [{"type": "Action.Submit", "title": "In a set"}]},
        {"type": "Container", "items": [{"type": "TextBlock", "text": "press me"}],
         "selectAction": {"type": "Action.Submit", "title": "The container"}},
        {"type": "Input.Text", "id": "search", "inlineAction": {"type": "Action.Submit", "title": "Find"}},
    ]  # fmt: skip
    inputs = {"note": "my note", "agreed": "false", "search": ""}
    expected = {
        "one": ("Same", "one", inputs),
        "two": ("Same", "two", inputs),
        "untitled": ("untitled", "untitled", {"a": 1, **inputs}),
        "Text": ("Text", "text", {"data": "just words", **inputs}),
        "List": ("List", None, {"data": [1, {"x": 2}], **inputs}),
        "Overlaid": ("Overlaid", None, {"kept": 1.5, **inputs}),
        "Alone": ("Alone", None, {"alone": True}),
        "Back": ("Back", "back", {"order": 1, **inputs}),
        "Inner": ("Inner", None, {"deep": True, "more": "", **inputs}),
        "In a set": ("In a set", None, inputs),
        "The container": ("The container", None, inputs),
        "Find": ("Find", None, inputs),
    }
    people = dict(zip(expected, await asking.stack.join(len(expected)), strict=True))
    send = await asking.ask(list(people.values()), json.dumps(card), completeWhen="all", updateMessage=DONE)
    crowd = await asking.stack.crowd()

    for name, person in people.items():
        message = await asking.card(person)
        if name in ("one", "two"):
            (action,) = [action for action in buttons(message) if action.get("id") == name]
            await crowd.submit(person, message, action, inputs)
        else:
            await asking.press(person, name, {} if name == "Alone" else {"note": "my note"}, message=message)

    outcome = await asking.outcome(send)
    by_user = {answer["responder"]["objectId"]: answer for answer in outcome["responses"]}
    found = {name: by_user[person.object_id] for name, person in people.items()}
    assert {n: (a["submitActionId"], a["actionId"], a["data"]) for n, a in found.items()} == expected
    for person in people.values():
        await asking.shows(person, "All is done")


@together
async def test_the_card_looks_the_same(asking):
    (ada,) = await asking.stack.join(1)
    link = {"type": "Action.OpenUrl", "title": "Look", "url": "https://contoso.com"}
    talk = {"type": "Action.Submit", "title": "Say", "data": {"msteams": {"type": "imBack", "value": "hello"}}}
    sent = question(*question()["actions"], link, talk)
    await asking.ask([ada], sent)
    shown = copy.deepcopy((await asking.card(ada))["attachments"][0]["content"])
    assert shown["actions"][2:] == [link, talk]
    marks = []
    for action, original in zip(shown["actions"][:2], sent["actions"][:2], strict=True):
        (mark,) = set(action["data"]) - set(original.get("data", {}))
        marks.append(action["data"].pop(mark))
        if not action["data"]:
            del action["data"]
    assert shown == sent
    assert marks[0] != marks[1]


@together
async def test_an_execute_is_answered_in_line(asking):
    ada, alan = await asking.stack.join(2)
    send = await asking.ask([ada, alan], EXECUTE, updateMessage="Approved, *thanks*")
    stale = await asking.card(alan)
    await asking.delivered(send)

    posted = await asking.press(ada, "Approve", {"note": "go"})
    late = await (await asking.stack.crowd()).execute(alan, stale, buttons(stale)[0], {"note": "me too"})

    assert posted.seconds < 8, "Teams waits ten seconds"
    for answer, text in ((posted.body, "Approved, *thanks*"), (late.body, CLOSED)):
        assert set(answer) == {"statusCode", "type", "value"}
        assert (answer["statusCode"], answer["type"]) == (200, "application/vnd.microsoft.card.adaptive")
        assert answer["value"]["type"] == "AdaptiveCard"
        assert text in json.dumps(answer["value"])
        assert "Action." not in json.dumps(answer["value"])
    outcome = await asking.outcome(send)
    assert outcome["data"] == {"days": 3, "note": "go"}
    assert (outcome["submitActionId"], outcome["responder"]["objectId"]) == ("Approve", ada.object_id)
    await asking.shows(ada, "Approved, *thanks*")
    await asking.shows(alan, CLOSED)


@together
async def test_an_update_card_comes_back_in_line_as_it_is(asking):
    (ada,) = await asking.stack.join(1)
    await asking.ask([ada], EXECUTE, updateMessage=json.dumps(DONE))
    posted = await asking.press(ada)
    assert posted.body == {"statusCode": 200, "type": "application/vnd.microsoft.card.adaptive", "value": DONE}
    await asking.shows(ada, "All is done")
    assert asking.stack.got(ada)[0]["attachments"][0]["content"] == DONE


@together
async def test_other_invokes_and_messages_answer_no_question(asking):
    (ada,) = await asking.stack.join(1)
    send = await asking.ask([ada])
    crowd = await asking.stack.crowd()
    invokes = [
        {"name": "adaptiveCard/action", "value": None},
        {"name": "adaptiveCard/action", "value": {"action": "x"}},
        {"name": "adaptiveCard/action"},
        {"name": "composeExtension/query", "value": {"commandId": "x"}},
        {"name": "task/fetch", "value": {"data": {}}},
        {},
        {"name": 5, "value": 5},
    ]
    for fields in invokes:
        assert (await crowd.post(await crowd.activity(ada, "invoke", **fields))).status < 500, fields
    await crowd.write(ada, "Approve")
    assert await asking.responses(send) == []
    assert BODY in json.dumps(asking.stack.got(ada)[0])
