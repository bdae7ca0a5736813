"""What is refused in an Adaptive Card, and what is not."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proactive import cards

CARDS = Path(__file__).parent.parent / "cards"
VALID = sorted(path for path in CARDS.glob("*.json") if "as-printed" not in path.name)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "id",
                    "body",
                    "actions",
                    "items",
                    "columns",
                    "fallback",
                    "selectAction",
                    "card",
                    "data",
                    "msteams",
                ]
            )
            | st.text(max_size=4),
            inner | st.sampled_from(["Container", "ColumnSet", "Action.Submit", "Action.ShowCard", "Input.Text"]),
            max_size=6,
        )
    ),
    max_leaves=40,
)


def card(*body, **more):
    return {"type": "AdaptiveCard", "version": "1.5", "body": list(body), "actions": [], **more}


def submit(**more):
    return {"type": "Action.Submit", **more}


def pointers(refused):
    return [problem.pointer for problem in cards.check(refused)]


def nested(levels):
    """A card with so many levels of objects and arrays, the card itself being the first."""
    inner = [] if levels % 2 == 0 else [{"type": "Container"}]
    for _ in range((levels - 2) // 2 if levels % 2 == 0 else (levels - 3) // 2):
        inner = [{"type": "Container", "items": inner}]
    return {"type": "AdaptiveCard", "version": "1.5", "body": inner}


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_given_a_card_that_teams_renders_when_checked_then_there_is_no_problem(path):
    content = json.loads(path.read_text())
    assert cards.check(content) == []
    assert cards.templated(content) == []


def test_given_a_checked_card_then_it_is_unchanged():
    content = json.loads((CARDS / "canteen-menu.json").read_text())
    before = copy.deepcopy(content)
    cards.check(content)
    cards.templated(content)
    list(cards.actions(content))
    assert content == before


@pytest.mark.parametrize(
    "accepted",
    [
        card(),
        {"type": "AdaptiveCard", "version": "1.0"},
        card(body=None, actions=None, selectAction=None, fallback=None),
        card({"type": "HoloDeck", "items": "as it likes", "actions": {"too": True}, "columns": 3}),
        card(actions=[{"type": "Action.Beam", "fallback": "drop"}, submit(fallback={"type": "Action.OpenUrl"})]),
        card({"type": "ColumnSet", "columns": [{"items": [{"type": "TextBlock"}]}, {"fallback": {"width": "auto"}}]}),
        card({"type": "Table", "rows": [{"cells": [{"items": [{"type": "TextBlock"}]}]}]}),
        card({"type": "ImageSet", "images": [{"url": "https://example.com/a.png"}]}),
        card({"type": "RichTextBlock", "inlines": ["a", {"text": "b"}, {"type": "TextRun", "text": "c"}]}),
        card(actions=[{"type": "Action.ShowCard", "card": {"body": []}}]),
        card(
            {"type": "Input.Toggle", "id": "t", "requires": {"x": "1"}, "fallback": {"type": "Input.Text", "id": "t"}}
        ),
        card(actions=[submit(data={"type": "AdaptiveCard", "body": 3, "actions": [{}], "id": "Input.Text"})]),
        card(actions=[submit(data=[{"type": "Input.Text"}])]),
        card(msteams={"entities": [{"type": "Input.Text"}]}, metadata={"body": 1}),
        card(resources={"strings": {"selectAction": {"defaultValue": "x"}, "fallback": {"defaultValue": "y"}}}),
    ],
)
def test_given_what_teams_takes_when_checked_then_it_passes(accepted):
    assert cards.check(accepted) == []


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        ({}, ["/type", "/version"]),
        ({"type": "adaptiveCard", "version": "1.5", "body": {}}, ["/type", "/body"]),
        (card(body="x", actions=7), ["/body", "/actions"]),
        (card("text", None, [], {"type": ""}, {}), ["/body/0", "/body/1", "/body/2", "/body/3/type", "/body/4/type"]),
        (card(actions=[{"title": "Go"}]), ["/actions/0/type"]),
        (card(actions=[submit(), {"type": "Submit"}]), ["/actions/1/type"]),
        (card(actions=[{"type": "Action."}]), ["/actions/0/type"]),
        (card(actions=["Action.Submit"]), ["/actions/0"]),
        (card(selectAction={}), ["/selectAction/type"]),
        (card(selectAction=[submit()]), ["/selectAction"]),
        (card({"type": "Thing", "selectAction": {"type": "Submit"}}), ["/body/0/selectAction/type"]),
        (card({"type": "Container", "items": {"type": "TextBlock"}}), ["/body/0/items"]),
        (card({"type": "ColumnSet", "columns": [{"items": 1}, 2]}), ["/body/0/columns/1", "/body/0/columns/0/items"]),
        (card({"type": "ActionSet", "actions": submit()}), ["/body/0/actions"]),
        (
            card({"type": "ColumnSet", "columns": [{"type": "New", "fallback": {"items": 1}}]}),
            ["/body/0/columns/0/fallback/items"],
        ),
        (card({"type": "FactSet", "facts": ["a"]}), ["/body/0/facts/0"]),
        (card({"type": "ImageSet", "images": "a"}), ["/body/0/images"]),
        (card({"type": "RichTextBlock", "inlines": [1]}), ["/body/0/inlines/0"]),
        (card({"type": "Carousel", "pages": [{"items": [{}]}]}), ["/body/0/pages/0/items/0/type"]),
        (card({"type": "Table", "rows": [{"cells": [{"items": 5}]}]}), ["/body/0/rows/0/cells/0/items"]),
        (card({"type": "Table", "rows": [{"cells": 5}]}), ["/body/0/rows/0/cells"]),
        (card({"type": "Input.ChoiceSet", "id": "c", "choices": {"a": 1}}), ["/body/0/choices"]),
        (card({"type": "Input.Text", "id": "t", "inlineAction": {"type": 3}}), ["/body/0/inlineAction/type"]),
        (card({"type": "Input.Text", "id": "t", "valueChangedAction": 3}), ["/body/0/valueChangedAction"]),
        (card(actions=[submit(menuActions=submit())]), ["/actions/0/menuActions"]),
        (card(actions=[{"type": "Action.ShowCard", "card": []}]), ["/actions/0/card"]),
        (card(actions=[{"type": "Action.ShowCard", "card": {"body": [1]}}]), ["/actions/0/card/body/0"]),
        (card(actions=[{"type": "Action.Popover", "content": [{}]}]), ["/actions/0/content"]),
        (card({"type": "New", "fallback": 3}), ["/body/0/fallback"]),
        (card({"type": "New", "fallback": {}}), ["/body/0/fallback/type"]),
        (card(actions=[{"type": "Action.New", "fallback": {"type": "New"}}]), ["/actions/0/fallback/type"]),
        (card({"type": "Input.Date"}), ["/body/0/id"]),
        (card({"type": "Input.Date", "id": ""}, {"type": "Input.New", "id": 7}), ["/body/0/id", "/body/1/id"]),
        (card({"type": "A~B/C", "kept/in~": [{"type": "Input.Date"}]}), ["/body/0/kept~1in~0/0/id"]),
    ],
)
def test_given_a_mistake_when_checked_then_each_is_named_by_its_pointer(refused, expected):
    assert pointers(refused) == expected


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.5.0"])
def test_given_a_version_that_teams_renders_when_checked_then_it_passes(version):
    assert cards.check(card(version=version)) == []


@pytest.mark.parametrize(
    "version", [None, "", "1", "v1.5", "1.x", "1.5 ", " 1.5", 1.5, "0.5", ["1.5"], "1." + "9" * 5000, "1.५"]
)
def test_given_no_version_when_checked_then_the_pointer_says_so(version):
    assert pointers(card(version=version)) == ["/version"]


@pytest.mark.parametrize("version", ["1.6", "1.10", "2.0", "1.6.1"])
def test_given_a_version_above_what_teams_renders_when_checked_then_the_one_to_use_is_named(version):
    (problem,) = cards.check(card(version=version))
    assert problem.pointer == "/version"
    assert '"1.5"' in problem.detail


def text(name):
    return {"type": "Input.Text", "id": name}


def show(*body, **more):
    return {"type": "Action.ShowCard", "card": {"type": "AdaptiveCard", "body": list(body), **more}}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (card(text("a"), text("b")), []),
        (card(text("a"), text("b"), text("a"), text("a")), ["/body/2/id", "/body/3/id"]),
        (card({"type": "Container", "items": [text("a")]}, text("a")), ["/body/1/id"]),
        (card(actions=[show(text("a")), show(text("a"))]), []),
        (card(actions=[{"type": "Action.Popover", "content": text("a")} for _ in range(2)]), []),
        (card(actions=[show(text("a"), text("a"))]), ["/actions/0/card/body/1/id"]),
        (card(text("a"), actions=[show(text("a"))]), ["/actions/0/card/body/0/id"]),
        (card(text("a"), actions=[show(actions=[show(text("a"))])]), ["/actions/0/card/actions/0/card/body/0/id"]),
        ({"type": "AdaptiveCard", "version": "1.5", "actions": [show(text("a"))], "body": [text("a")]}, ["/body/0/id"]),
        (card(actions=[show(text("a"), actions=[show(text("b"))]), show(text("b"))]), []),
        (card({**text("a"), "fallback": {**text("a"), "fallback": text("a")}}), []),
        (card({"type": "New", "items": [text("a")], "fallback": {"type": "Container", "items": [text("a")]}}), []),
        (card({"type": "TextBlock", "id": "a"}, text("a")), []),
        (card(text("a"), actions=[{"type": "Action.Popover", "content": text("a")}]), ["/actions/0/content/id"]),
    ],
)
def test_given_inputs_of_one_id_when_checked_then_only_those_that_one_button_sends_are_a_problem(content, expected):
    assert pointers(content) == expected


def test_given_a_duplicate_input_id_when_checked_then_the_other_input_is_named():
    (problem,) = cards.check(card(text("a"), {"type": "Container", "items": [text("a")]}))
    assert "/body/0" in problem.detail


def test_given_nesting_up_to_the_limit_when_checked_then_it_passes():
    assert cards.check(nested(cards.MAX_DEPTH)) == []


def test_given_one_level_too_many_when_checked_then_its_place_is_named():
    (problem,) = cards.check(nested(cards.MAX_DEPTH + 1))
    assert problem.pointer.count("/") == cards.MAX_DEPTH
    assert "nested too deeply" in problem.detail


def test_given_an_action_in_the_last_level_when_listed_then_it_is_there_and_none_below_it():
    inner = submit(fallback=submit())
    for _ in range(cards.MAX_DEPTH - 2):
        inner = [inner]
    content = {"type": "AdaptiveCard", "version": "1.5", "future": inner}
    assert [len(path) for path, _ in cards.actions(content)] == [cards.MAX_DEPTH - 1]


def test_given_too_deep_data_of_an_action_when_checked_then_it_is_found_too():
    data = []
    for _ in range(cards.MAX_DEPTH):
        data = [data]
    assert len(pointers(card(actions=[submit(data=data)]))) == 1


def test_given_nesting_beyond_the_stack_when_walked_then_nothing_breaks():
    deep = nested(100_001)
    assert [problem.detail for problem in cards.check(deep)] == ["is nested too deeply: 64 levels are allowed"]
    assert cards.templated(deep) == []
    assert list(cards.actions(deep)) == []


def test_given_the_template_language_when_looked_for_then_every_text_and_name_is_found():
    content = card(
        {"type": "TextBlock", "text": "Hello ${name}"},
        {"type": "FactSet", "facts": [{"title": "a", "value": "${$root.x}"}], "$when": "${x > 1}"},
        actions=[submit(title="Go", data={"deep": ["ok", {"${key}": 1}]}), submit(data="${id}")],
        msteams={"width": "${width}"},
    )
    found = cards.templated(content)
    assert [problem.pointer for problem in found] == [
        "/body/0/text",
        "/body/1/facts/0/value",
        "/body/1/$when",
        "/actions/0/data/deep/1/${key}",
        "/actions/1/data",
        "/msteams/width",
    ]
    assert all("`data`" in problem.detail for problem in found)
    assert cards.check(content) == []


@pytest.mark.parametrize(
    "plain", ["5 $", "$5 {a}", "{{DATE(2026-01-01T00:00:00Z)}}", "{name}", "$name", "${rs:greeting}"]
)
def test_given_text_that_is_no_template_when_looked_for_then_nothing_is_found(plain):
    assert cards.templated(card({"type": "TextBlock", "text": plain})) == []


def test_given_a_reference_and_a_template_in_one_text_when_looked_for_then_the_template_is_found():
    assert len(cards.templated(card({"type": "TextBlock", "text": "${rs:hello} ${name}"}))) == 1


@pytest.mark.parametrize("sample", ["", "abc", "Grüße", "日本", "😀", "a😀b", "\ud800"])
def test_given_text_when_measured_then_it_is_its_size_as_utf16(sample):
    assert cards.utf16_size(sample) == sum(4 if ord(letter) > 0xFFFF else 2 for letter in sample)


def test_given_actions_in_payloads_when_listed_then_only_the_real_ones_are():
    look_alike = submit(title="no")
    content = card(
        {"type": "Chart.Pie", "data": [{"legend": "a", "onClick": submit(title="1")}]},
        {"type": "Future", "hidden": {"deeper": [[submit(title="2")]]}},
        actions=[
            submit(title="3", data={"a": look_alike, "actions": [look_alike]}, msteams={"a": look_alike}),
            {"type": "Action.Execute", "title": "4", "data": [look_alike]},
            {"type": "Action.OpenUrl", "title": "5", "fallback": submit(title="6"), "menuActions": [submit(title="7")]},
        ],
        msteams={"entities": [look_alike]},
        metadata={"x": look_alike},
        refresh={"action": {"type": "Action.Execute", "title": "8"}},
    )
    assert [action["title"] for _, action in cards.actions(content)] == ["1", "2", "3", "4", "5", "6", "7", "8"]
    for path, action in cards.actions(content):
        value = content
        for key in path:
            value = value[key]
        assert value is action


@given(json_values.filter(lambda value: isinstance(value, dict)))
def test_given_any_object_when_checked_then_it_never_breaks_and_every_pointer_leads_into_the_card(content):
    for problem in [*cards.check(content), *cards.templated(content)]:
        *parents, last = problem.pointer.split("/")[1:] or [""]
        value = content
        for key in parents:
            value = value[int(key)] if isinstance(value, list) else value[key.replace("~1", "/").replace("~0", "~")]
        # A missing member is named by where it should stand.
        assert isinstance(value, dict) or int(last) < len(value)
