"""Marks survive the way through Teams: card → mark → answer → read → restore gives what the author wrote."""

import copy
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proactive import cards, marks

CARDS = Path(__file__).parent.parent / "cards"
TOKEN = "5f0c-send_0000-SLOT"
ABSENT = object()


# --- Cards: every place where an action may stand ------------------------------------------------------------------


def card(*body, **more):
    return {"type": "AdaptiveCard", "version": "1.5", "body": list(body), **more}


def element(kind, **more):
    return {"type": kind, **more}


def show(content):
    return {"type": "Action.ShowCard", "title": "More", "card": content}


def in_cell(cell):
    return card(element("Table", columns=[{"width": 1}], rows=[element("TableRow", cells=[cell])]))


OPEN = {"type": "Action.OpenUrl", "title": "Open", "url": "https://example.com"}
TEXT = {"type": "TextBlock", "text": "Hello"}
NAME = {"type": "Input.Text", "id": "name"}

PLACES = {
    "actions": lambda a: card(TEXT, actions=[OPEN, a]),
    "overflow menu of the card": lambda a: card(TEXT, actions=[OPEN, {**a, "mode": "secondary"}]),
    "card.selectAction": lambda a: card(TEXT, selectAction=a),
    "ActionSet": lambda a: card(element("ActionSet", actions=[a])),
    "ActionSet in a Column": lambda a: card(
        element("ColumnSet", columns=[element("Column", items=[element("ActionSet", actions=[OPEN, a])])])
    ),
    "Column without type": lambda a: card(element("ColumnSet", columns=[{"items": [], "selectAction": a}])),
    "ShowCard": lambda a: card(actions=[show(card(NAME, actions=[a]))]),
    "ShowCard in a ShowCard": lambda a: card(actions=[show(card(actions=[show(card(actions=[a]))]))]),
    "ShowCard in an ActionSet": lambda a: card(element("ActionSet", actions=[show(card(selectAction=a))])),
    "Popover": lambda a: card(
        actions=[{"type": "Action.Popover", "content": element("Container", items=[element("ActionSet", actions=[a])])}]
    ),
    "Popover of an Icon": lambda a: card(
        element("Icon", selectAction={"type": "Action.Popover", "content": element("Image", selectAction=a)})
    ),
    "menuActions": lambda a: card(actions=[{**OPEN, "menuActions": [OPEN, a]}]),
    "menuActions of a submitting action": lambda a: card(
        actions=[{"type": "Action.Execute", "title": "Other", "menuActions": [a]}]
    ),
    "Container.selectAction": lambda a: card(element("Container", items=[TEXT], selectAction=a)),
    "ColumnSet.selectAction": lambda a: card(element("ColumnSet", columns=[], selectAction=a)),
    "Column.selectAction": lambda a: card(element("ColumnSet", columns=[element("Column", items=[], selectAction=a)])),
    "TableCell.selectAction": lambda a: in_cell(element("TableCell", items=[], selectAction=a)),
    "TableCell without type": lambda a: in_cell({"items": [element("ActionSet", actions=[a])]}),
    "Image in a TableCell": lambda a: in_cell(element("TableCell", items=[element("Image", selectAction=a)])),
    "Image.selectAction": lambda a: card(element("Image", url="https://example.com/a.png", selectAction=a)),
    "Image of an ImageSet": lambda a: card(element("ImageSet", images=[{"url": "a.png", "selectAction": a}])),
    "TextRun.selectAction": lambda a: card(
        element("RichTextBlock", inlines=["Say ", element("TextRun", text="yes", selectAction=a)])
    ),
    "IconRun.selectAction": lambda a: card(element("RichTextBlock", inlines=[element("IconRun", selectAction=a)])),
    "ImageRun.selectAction": lambda a: card(element("RichTextBlock", inlines=[element("ImageRun", selectAction=a)])),
    "Icon.selectAction": lambda a: card(element("Icon", name="Calendar", selectAction=a)),
    "CompoundButton.selectAction": lambda a: card(element("CompoundButton", title="Photos", selectAction=a)),
    "Badge.selectAction": lambda a: card(element("Badge", text="New", selectAction=a)),
    "Rating.selectAction": lambda a: card(element("Rating", value=4, selectAction=a)),
    "Chart": lambda a: card(element("Chart.Donut", data=[{"legend": "a", "value": 1}], selectAction=a)),
    "Chart's data": lambda a: card(element("Chart.VerticalBar", data=[{"x": "a", "y": 1, "selectAction": a}])),
    "Carousel page": lambda a: card(element("Carousel", pages=[element("CarouselPage", items=[TEXT], selectAction=a)])),
    "in a Carousel page": lambda a: card(
        element("Carousel", pages=[element("CarouselPage", items=[element("ActionSet", actions=[a])])])
    ),
    "List": lambda a: card(element("List", items=[element("ListItem", title="One", selectAction=a)])),
    "ListView's swipe actions": lambda a: card(element("ListView", rows=[{"cells": [{"swipe": {"left": [a]}}]}])),
    "Accordion": lambda a: card(element("Accordion", panels=[{"content": [element("ActionSet", actions=[a])]}])),
    "TabSet": lambda a: card(element("TabSet", tabs=[{"items": [element("Container", selectAction=a)]}])),
    "inlineAction": lambda a: card({**NAME, "inlineAction": a}),
    "valueChangedAction": lambda a: card({**NAME, "valueChangedAction": a}),
    "valueChangedAction of a ChoiceSet": lambda a: card(
        element("Input.ChoiceSet", id="pick", choices=[{"title": "a", "value": "a"}], valueChangedAction=a)
    ),
    "fallback of an action": lambda a: card(actions=[{"type": "Action.New", "title": "New", "fallback": a}]),
    "fallback of a fallback": lambda a: card(
        actions=[{"type": "Action.New", "fallback": {"type": "Action.Newer", "fallback": a}}]
    ),
    "fallback of a submitting action": lambda a: card(
        actions=[{"type": "Action.Execute", "title": "Other", "verb": "v", "fallback": a}]
    ),
    "fallback of an element": lambda a: card(element("New", fallback=element("ActionSet", actions=[a]))),
    "fallback of a Column": lambda a: card(
        element("ColumnSet", columns=[{"type": "New", "fallback": {"items": [element("Image", selectAction=a)]}}])
    ),
    "Media": lambda a: card(element("Media", sources=[], captionSources=[], selectAction=a)),
    "CodeBlock's fallback": lambda a: card(element("CodeBlock", fallback=element("Image", selectAction=a))),
    "Component": lambda a: card(element("Component", name="graph.microsoft.com/user", view="compact", selectAction=a)),
    "nested AdaptiveCard": lambda a: card(card(actions=[a])),
    "overflow action": lambda a: card(actions=[{"type": "Action.Overflow", "actions": [a]}]),
    "a member nobody knows yet": lambda a: card(element("Hologram", beams=[{"aim": {"onTouch": [[a]]}}])),
    "deep layout": lambda a: card(
        element(
            "Container",
            items=[element("ColumnSet", columns=[element("Column", items=[element("Container", items=[
                element("Table", rows=[element("TableRow", cells=[element("TableCell", items=[
                    element("ActionSet", actions=[a])])])])])])])],
        )
    ),
}  # fmt: skip

# --- Data: everything that an author may write ----------------------------------------------------------------------

DATA = {
    "absent": ABSENT,
    "empty object": {},
    "object": {"decision": "yes", "n": 1, "deep": {"list": [1, {"a": None}]}},
    "null": None,
    "text": "approve",
    "text that is JSON": '{"decision": "yes"}',
    "empty text": "",
    "array": [1, "two", {"three": 3}],
    "empty array": [],
    "number": 4711,
    "zero": 0,
    "fraction": 0.1,
    "true": True,
    "false": False,
    "a key that is an input's id": {"name": "written", "other": 1},
    "our own name": {marks.MARK: "forged.7", "a": 1},
    "our own name, longer": {marks.MARK: {"x": 1}, marks.MARK + "~~": "forged.7"},
    "look-alikes of actions": {"type": "Action.Submit", "actions": [{"type": "Action.Submit", "title": "Press"}]},
    "msteams without a type": {"msteams": {"feedback": {"hide": True}}, "a": 1},
    "msteams of a type unknown": {"msteams": {"type": "hologram"}, "a": 1},
    "msteams that is none": {"msteams": "messageBack"},
    "surrogates, quotes, tokens": {"a": '"\\ 😀 \ud800', "b": TOKEN},
}
MESSAGE_BACK = {
    "object": {"decision": "yes", "n": 1.50},
    "empty object": {},
    "absent": ABSENT,
    "null": None,
    "text": "approve",
    "empty text": "",
    "JSON text": ' {"decision": "yes", "n": 1.50, "big": 1e400} ',
    "JSON text of an empty object": "{ }",
    "JSON text of an array": "[1, 2]",
    "broken JSON text": '{"a": ',
    "array": ["a"],
    "number": 3,
    "our own name": {marks.MARK: "forged.7"},
    "our own name in JSON text": json.dumps({marks.MARK: "forged.7"}),
}
INPUTS = [{}, {"name": "Ada", "stars": "5"}]


def action(data, kind="Action.Submit"):
    made = {"type": kind, "title": "Press", "id": "press"}
    if kind == "Action.Execute":
        made["verb"] = "press"
    if data is not ABSENT:
        made["data"] = data
    return made


def message_back(value, **more):
    msteams = {"type": "messageBack", "text": "done", "displayText": "Done"}
    if value is not ABSENT:
        msteams["value"] = value
    return {**more, "msteams": msteams}


# --- Teams: what it does with the card that it got ------------------------------------------------------------------


def through_json(value):
    return json.loads(json.dumps(value))


def pressed(sent):
    """The action titled "Press", found as a person would, not as the walker does."""
    found = []

    def look(node):
        if isinstance(node, dict):
            if node.get("title") == "Press" and str(node.get("type")).startswith("Action."):
                found.append(node)
                return
            for child in node.values():
                look(child)
        elif isinstance(node, list):
            for child in node:
                look(child)

    look(sent)
    assert len(found) == 1
    return found[0]


def answer_of(sent_action, inputs):
    """The value that Teams sends when an action is pressed: data with the inputs, which win."""
    data = sent_action["data"]
    # Into anything but an object Teams merges nothing, and text it loses.
    assert isinstance(data, dict)
    return {**data, **inputs}


def expected_of(written, inputs):
    """The rule of the contract, said once more and otherwise."""
    if written is ABSENT:
        return inputs
    if isinstance(written, dict):
        return {**written, **inputs}
    if not inputs:
        return written
    return inputs if written is None else {"data": written, **inputs}


def answered(original, value, slot=TOKEN):
    """What the service makes of an answer."""
    got = marks.read(value)
    assert got is not None
    assert got.token == slot
    chosen = marks.submit_actions(original)[got.number]
    return chosen, marks.restore(chosen, got)


# --- A hundred cards, and some ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Action.Submit", "Action.Execute"])
@pytest.mark.parametrize("place", PLACES)
def test_given_an_action_anywhere_when_pressed_then_its_data_comes_back_as_written(place, kind):
    for name, data in DATA.items():
        original = PLACES[place](action(data, kind))
        stored = copy.deepcopy(original)
        assert cards.check(original) == [], name
        sent = through_json(marks.mark(original, TOKEN))
        assert original == stored, name
        for inputs in INPUTS:
            chosen, restored = answered(stored, through_json(answer_of(pressed(sent), inputs)))
            assert (chosen.title, chosen.id, chosen.type) == ("Press", "press", kind)
            assert restored == expected_of(data, inputs), name
            assert type(restored) is type(expected_of(data, inputs)), name


def test_given_the_places_and_data_then_they_make_far_more_than_a_hundred_cards():
    made = {json.dumps(place(action(data))) for place in PLACES.values() for data in DATA.values()}
    assert len(made) == len(PLACES) * len(DATA) > 1000


@pytest.mark.parametrize("inputs", INPUTS, ids=["no inputs", "inputs"])
@pytest.mark.parametrize("name", MESSAGE_BACK)
def test_given_message_back_when_pressed_then_its_value_comes_back_whatever_the_client_makes_of_it(name, inputs):
    value = MESSAGE_BACK[name]
    data = message_back(value, order=4711)
    original = card(NAME, actions=[OPEN, action(data)])
    marked = through_json(marks.mark(original, TOKEN))["actions"][1]["data"]
    sent = marked["msteams"]["value"]
    assert {**marked, "msteams": {**marked["msteams"], "value": 0}} == {
        **data,
        "msteams": {**data["msteams"], "value": 0},
    }

    # As it is: a client that sends the value on, text as text.
    if not inputs:
        _, restored = answered(original, sent)
        assert restored == ({} if value is ABSENT else value)

    # Parsed, and merged with the inputs.
    members = json.loads(sent) if isinstance(sent, str) else sent
    try:
        parsed = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        parsed = value
    written = parsed if isinstance(parsed, dict) else value
    _, restored = answered(original, {**members, **inputs})
    assert restored == expected_of(written, inputs)

    # Merged with the other data as well.
    _, restored = answered(original, {"order": 4711, **members, **inputs})
    assert restored == expected_of(written, {"order": 4711, **inputs})

    # As any other Action.Submit: the Agents Playground.
    _, restored = answered(original, {**marked, **inputs})
    assert restored == {**data, **inputs}


@pytest.mark.parametrize("kind", ["imBack", "signin", "invoke", "task/fetch"])
def test_given_an_action_that_teams_turns_into_something_else_when_marked_then_it_is_left_alone(kind):
    original = card(actions=[action({"msteams": {"type": kind, "value": {"a": 1}}, "b": 2})])
    assert marks.mark(original, TOKEN) == original
    assert marks.submit_actions(original) == []


@pytest.mark.parametrize(
    "kind", ["Action.OpenUrl", "Action.ToggleVisibility", "Action.ShowCard", "Action.Http", "Action.New"]
)
def test_given_an_action_that_does_not_submit_when_marked_then_it_is_left_alone(kind):
    original = card(actions=[{"type": kind, "title": "Go", "data": {"a": 1}}])
    assert marks.mark(original, TOKEN) == original


def test_given_a_refresh_when_marked_then_it_is_left_alone_since_looking_is_no_answer():
    refresh = {"action": {"type": "Action.Execute", "verb": "view", "fallback": action({})}, "userIds": ["29:a"]}
    original = card(refresh=refresh, actions=[action({})])
    marked = marks.mark(original, TOKEN)
    assert marked["refresh"] == refresh
    assert [found.number for found in marks.submit_actions(original)] == [0]


def test_given_the_cards_of_the_documentation_when_answered_then_the_button_is_told_apart():
    original = json.loads((CARDS / "order-confirmation.json").read_text())
    sent = through_json(marks.mark(original, TOKEN))
    for index, title in enumerate(["Submit Order", "Edit Order"]):
        chosen, data = answered(original, answer_of(sent["actions"][index], {}))
        assert (marks.submit_action_id(chosen), data) == (title, {})


def test_given_a_card_without_actions_when_marked_then_it_stays_the_same():
    original = json.loads((CARDS / "order-summary.json").read_text())
    assert marks.mark(original, TOKEN) == original


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("leave-request", [("Send", ""), ("Send", ""), ("Send", "decline")]),
        (
            "canteen-menu",
            [
                *[("", ""), ("", ""), ("Bread", ""), ("", "water"), ("", "surprise")],
                *[("${rs:order}", ""), ("Order for later", ""), ("Not hungry", "")],
            ],
        ),
    ],
)
def test_given_a_card_when_its_actions_are_listed_then_they_stand_in_document_order(name, expected):
    original = json.loads((CARDS / f"{name}.json").read_text())
    listed = marks.submit_actions(original)
    assert [(found.title, found.id) for found in listed] == expected
    assert [found.number for found in listed] == list(range(len(expected)))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"title": "Yes", "id": "a", "verb": "v"}, "Yes"),
        ({"title": "", "id": "a", "verb": "v"}, "a"),
        ({"id": "a"}, "a"),
        ({"title": 5, "id": ["a"]}, ""),
        ({"verb": "v"}, ""),
    ],
)
def test_given_an_action_when_named_then_it_is_its_title_else_its_id(more, expected):
    (found,) = marks.submit_actions(card(actions=[{"type": "Action.Execute", **more}]))
    assert marks.submit_action_id(found) == expected


# --- The mark itself -------------------------------------------------------------------------------------------------


def test_given_a_marked_card_when_encoded_then_the_token_is_replaced_by_bytes_for_each_person():
    original = card(actions=[action({"a": 1}), action(message_back('{"b": 2}')), action("text")])
    body = json.dumps(marks.mark(original, TOKEN)).encode()
    assert body.count(TOKEN.encode()) == 3
    for slot in ["a" * 128, "0_0-x"]:
        mine = json.loads(body.replace(TOKEN.encode(), slot.encode()))
        for number, sent in enumerate(mine["actions"]):
            chosen, _ = answered(original, answer_of(sent, {}), slot)
            assert chosen.number == number


@pytest.mark.parametrize("token", ["", "a.b", "a b", 'a"', "ä", "a\n", "a" * 129])
def test_given_a_token_that_would_not_stand_in_json_as_it_is_then_it_is_refused(token):
    with pytest.raises(ValueError, match="token"):
        marks.mark(card(), token)


@pytest.mark.parametrize("name", [marks.MARK, marks.MARK + "~", marks.MARK + "~~~"])
@pytest.mark.parametrize("typed", ["", "hello", "other.3", f"{TOKEN}.0"])
def test_given_an_input_that_has_the_marks_name_when_answered_then_mark_and_input_both_arrive(name, typed):
    original = card(element("Input.Text", id=name), actions=[OPEN, action({}), action({marks.MARK: 1, "x": 2})])
    sent = through_json(marks.mark(original, TOKEN))
    for number, written in enumerate([{}, {marks.MARK: 1, "x": 2}]):
        chosen, data = answered(original, answer_of(sent["actions"][number + 1], {name: typed}))
        assert chosen.number == number
        assert data == {**written, name: typed}


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, "", "hello", "{", "[]", "{}", '{"~proactive": 1}', [], [{marks.MARK: "t.1"}], {}, {"a": 1},
        {"msteams": {"type": "messageBack"}}, {"msteams": {"type": "messageBack", "value": 7}},
        {"~proactivex": "t.1"}, {"x~proactive": "t.1"}, {"msteams": {marks.MARK: "t.1"}},
        "[" * 100_000, "{" * 100_000, '{"a":' * 20_000, json.dumps({marks.MARK: "t.1", "a": "x" * 110_000}),
    ],
)  # fmt: skip
def test_given_a_value_without_our_mark_when_read_then_there_is_no_answer(value):
    assert marks.read(value) is None


@pytest.mark.parametrize(
    "damaged",
    [
        None, 1, ["t.1"], {"t": 1}, "", ".", "t", "t.", ".1", "t.x", "t.1.2", "t.-1", "t.+1", "t.01", "t. 1", " t.1",
        "t.1 ", "t.1\n", "t.1e3", "t.999999", "t.१", "tä.1", "t" * 129 + ".1", "t." + "9" * 5000,
    ],
)  # fmt: skip
def test_given_a_damaged_mark_when_read_then_there_is_no_answer(damaged):
    assert marks.read({marks.MARK: damaged, "a": 1}) is None
    assert marks.read(json.dumps({marks.MARK: damaged, "a": 1})) is None


def test_given_a_mark_when_read_then_token_number_and_the_rest_are_told():
    assert marks.read({"a": 1, marks.MARK: "t-1_X.20"}) == ("t-1_X", 20, {"a": 1}, False)
    assert marks.read(json.dumps({"a": 1, marks.MARK: "t-1_X.20"})) == ("t-1_X", 20, {"a": 1}, True)


def test_given_values_nested_beyond_the_stack_when_read_then_nothing_breaks():
    value = {marks.MARK: "t.1"}
    for _ in range(50_000):
        value = {"msteams": {"type": "messageBack", "value": value}}
    assert marks.read(value) is None
    assert marks.read({marks.MARK: "t.1", "deep": value}).number == 1
    for depth in (900, 5_000, 20_000):
        got = marks.read(f'{{"{marks.MARK}":"t.1","a":' + "[" * depth + "]" * depth + "}")
        assert got is None or got.number == 1


# --- Any card ---------------------------------------------------------------------------------------------------------

json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "actions", "title", "msteams", "name", "data", marks.MARK, marks.MARK + "~"])
            | st.text(max_size=3),
            inner | st.sampled_from(["Action.Submit", "messageBack", "Input.Text", "other.1"]),
            max_size=4,
        )
    ),
    max_leaves=8,
)
written_data = (
    st.just(ABSENT)
    | json_data
    | st.builds(message_back, json_data | json_data.map(json.dumps) | st.just(ABSENT), x=json_data)
)
any_action = st.deferred(
    lambda: (
        st.builds(action, written_data, st.sampled_from(["Action.Submit", "Action.Execute"]))
        | st.builds(show, any_card)
        | st.builds(lambda first, second: {**first, "fallback": second}, any_action, any_action)
        | st.builds(lambda inner: {"type": "Action.Popover", "content": inner}, any_element)
        | st.just(OPEN)
    )
)
any_element = st.deferred(
    lambda: (
        st.builds(lambda act: element("Image", selectAction=act), any_action)
        | st.builds(lambda acts: element("ActionSet", actions=acts), st.lists(any_action, max_size=2))
        | st.builds(lambda items: element("Container", items=items), st.lists(any_element, max_size=2))
        | st.builds(lambda inner: element("Future", surprise={"deep": [inner]}), any_element)
        | st.builds(lambda act, name: element("Input.Text", id=name, inlineAction=act), any_action, st.text(min_size=1))
        | st.builds(lambda data: element("Chart.Pie", data=[{"legend": "a", "value": 1}], metadata=data), json_data)
        | st.just(TEXT)
    )
)
any_card = st.builds(
    lambda body, acts: card(*body, actions=acts), st.lists(any_element, max_size=3), st.lists(any_action, max_size=3)
)


def submitting(node):
    """Every action that submits, recursively: the walker's oracle. Its data is no card."""
    if isinstance(node, list):
        return [found for child in node for found in submitting(child)]
    if not isinstance(node, dict):
        return []
    is_action = str(node.get("type")).startswith("Action.")
    found = [node] if node.get("type") in ("Action.Submit", "Action.Execute") else []
    for key, child in node.items():
        if key not in ("msteams", "metadata") and not (is_action and key == "data"):
            found += submitting(child)
    return found


@given(any_card)
def test_given_any_card_when_marked_then_every_submitting_action_is_numbered_and_all_else_stays(original):
    before = copy.deepcopy(original)
    marked = marks.mark(original, TOKEN)
    assert original == before
    theirs, ours = submitting(before), submitting(marked)
    listed = marks.submit_actions(through_json(before))
    assert len(theirs) == len(ours) == len(listed)
    for number, (was, now) in enumerate(zip(theirs, ours, strict=True)):
        got = marks.read(through_json(now["data"]))
        assert (got.token, got.number) == (TOKEN, number)
        assert marks.restore(listed[number], got) == was.get("data", {})
        # Once the data is put back, the card is the same again.
        if "data" in was:
            now["data"] = was["data"]
        else:
            del now["data"]
    assert marked == before


@given(json_data | st.text().map(lambda text: {marks.MARK: text}))
def test_given_any_value_when_read_then_it_never_breaks(value):
    got = marks.read(value)
    assert got is None or got.number >= 0


@given(
    st.sampled_from([{"a": 1}, "text", None, message_back({"a": 1}), message_back('{"a": 1}'), message_back("text")]),
    st.dictionaries(st.text(max_size=4), json_data, max_size=3),
)
def test_given_a_forged_answer_with_a_true_mark_when_restored_then_it_never_breaks(data, forged):
    original = card(actions=[action(data)])
    (chosen,) = marks.submit_actions(original)
    value = {**forged, marks.MARK + "~" * 9: f"{TOKEN}.0"}
    whole = {"msteams": {"type": "messageBack", "value": value}}
    for came in (value, json.dumps(value), whole, json.dumps(whole), {**whole, **value}):
        got = marks.read(came)
        if got is not None:
            marks.restore(chosen, got)


def test_given_a_large_card_when_marked_then_the_mark_is_small():
    original = card(*[PLACES["deep layout"](action({"n": n}))["body"][0] for n in range(60)])
    assert len(json.dumps(original)) > 20_000
    began = time.perf_counter()
    marked = marks.mark(original, TOKEN)
    print(f"marked {len(json.dumps(original))} bytes in {1000 * (time.perf_counter() - began):.2f} ms")
    assert len(json.dumps(marked)) - len(json.dumps(original)) <= 60 * 60
