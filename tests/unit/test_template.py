"""Cards are filled as the template language is documented, errors name their place, and nothing costs without bound."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from proactive.templating.template import Fault, FilledTooLargeError, TemplateError, read

NOW = datetime(2026, 9, 21, 12, tzinfo=UTC)
WHO = {"name": "ada@contoso.com", "displayName": None}
MOST = 50_000


def fill(template: Any, data: Any = None, most: int = MOST) -> Any:
    faults: list[Fault] = []
    found = read(template, "/card", faults)
    assert faults == []
    return found.fill({} if data is None else data, WHO, NOW, most)


def faults_of(template: Any) -> dict[str, str]:
    faults: list[Fault] = []
    read(template, "/card", faults)
    return dict(faults)


def failure(template: Any, data: Any = None) -> Fault:
    with pytest.raises(TemplateError) as caught:
        fill(template, data)
    return caught.value.fault


def text(content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "TextBlock", "text": content, **more}


CASES: dict[str, tuple[Any, Any, Any]] = {
    "a text with expressions": (text("Hi ${a.b}, ${c}!"), {"a": {"b": "Ada"}, "c": 5}, text("Hi Ada, 5!")),
    "one expression keeps its type": (
        {"value": "${n}", "on": "${yes}", "list": "${l}", "object": "${o}", "nothing": "${none}", "made": "${n*2}"},
        {"n": 120000, "yes": True, "l": [1], "o": {"a": 1}, "none": None},
        {"value": 120000, "on": True, "list": [1], "object": {"a": 1}, "nothing": None, "made": 240000},
    ),
    "one expression with a blank is a text": (text(" ${n}"), {"n": 1}, text(" 1")),
    "what is missing stays as it is written": (
        [text("${first} ${last}"), text("${ a.b.c }")],
        {"first": "David"},
        [text("David ${last}"), text("${ a.b.c }")],
    ),
    "null in a text is nothing": (text("[${none}]"), {"none": None}, text("[]")),
    "an escaped expression is none": (text(r"costs \${5} or ${n}"), {"n": 1}, text("costs ${5} or 1")),
    "only escaped": (text(r"\${n}"), {"n": 1}, text("${n}")),
    "Teams' own references are left to Teams": (text("${rs:hello} ${n}"), {"n": 1}, text("${rs:hello} 1")),
    "braces and quotes within an expression": (
        text("${if(n == 1, '}', \"{\")}${string({a: 1})}"), {"n": 1}, text('}{"a":1}'),
    ),
    "numbers and texts that are no templates": (
        text("5 $ {n} $n {{DATE()}}", size=1.5), {}, text("5 $ {n} $n {{DATE()}}", size=1.5),
    ),
    "data in the card": ({"$data": {"n": 1}, "body": [text("${n} ${$root.n}")]}, None, {"body": [text("1 1")]}),
    "an element with data of its own": (
        {"items": [{"$data": "${sub}", "a": "${n}", "b": "${$root.n}", "c": "${$data.n}"}]},
        {"n": 1, "sub": {"n": 2}},
        {"items": [{"a": 2, "b": 1, "c": 2}]},
    ),
    "inside, only its own data are seen": (
        {"items": [{"$data": "${sub}", "a": "${x}"}]}, {"x": 1, "sub": {"n": 2}}, {"items": [{"a": "${x}"}]},
    ),
    "an array repeats its element": (
        {"facts": [{"$data": "${lines}", "title": "${$index}", "value": "${sku}"}, {"title": "end"}]},
        {"lines": [{"sku": "A"}, {"sku": "B"}]},
        {"facts": [{"title": 0, "value": "A"}, {"title": 1, "value": "B"}, {"title": "end"}]},
    ),
    "an array of texts": ([{"$data": "${l}", "t": "${$data}"}], {"l": ["a", "b"]}, [{"t": "a"}, {"t": "b"}]),
    "an array that stands there": ([{"$data": [{"n": 1}, {"n": 2}], "t": "same"}], {}, [{"t": "same"}, {"t": "same"}]),
    "an array that is made of expressions": ([{"$data": [{"x": "${n}"}], "t": "${x}"}], {"n": 1}, [{"t": 1}]),
    "an empty array": ([{"$data": "${l}", "t": "x"}], {"l": []}, []),
    "data that are missing": ([{"$data": "${nothing}", "t": "x"}, {"$data": "${none}", "t": "x"}], {"none": None}, []),
    "arrays in arrays": (
        [{"$data": "${rows}", "cells": [{"$data": "${cells}", "t": "${$index}${$data}${$root.end}"}]}],
        {"rows": [{"cells": ["a", "b"]}, {"cells": ["c"]}], "end": "!"},
        [{"cells": [{"t": "0a!"}, {"t": "1b!"}]}, {"cells": [{"t": "0c!"}]}],
    ),
    "repeated as a member": ({"x": {"$data": [1, 2], "t": "${$data}"}}, {}, {"x": [{"t": 1}, {"t": 2}]}),
    "when": (
        [text("a", **{"$when": "${n > 1}"}), text("b", **{"$when": "${n <= 1}"})], {"n": 2}, [text("a")],
    ),
    "when, for each item": (
        [{"$data": "${l}", "$when": "${m > 0}", "t": "${m}"}], {"l": [{"m": 10}, {"m": 0}]}, [{"t": 10}],
    ),
    "when it is a literal": ([{"$when": True, "a": 1}, {"$when": False, "a": 2}], {}, [{"a": 1}]),
    "when it is true in no way": (
        [{"$when": when} for when in ("${missing}", "${missing > 1}", "${1}", "${'true'}", "yes", None, "a ${n}")],
        {"n": True}, [],
    ),
    "when a member is left out": ({"selectAction": {"$when": "${no}", "type": "x"}, "b": 1}, {"no": False}, {"b": 1}),
    "who gets it": (text("${recipient.name} ${recipient.displayName}"), {}, text("ada@contoso.com ")),
    "who gets it, in every scope": ([{"$data": [1], "t": "${recipient.name}"}], {}, [{"t": "ada@contoso.com"}]),
    "nothing to fill": ({"a": [1, {"b": None}], "$schema": "x"}, {"n": 1}, {"a": [1, {"b": None}], "$schema": "x"}),
    "elements that come with the data": (
        {"body": "${all}", "actions": ["${one}"]}, {"all": [text("a")], "one": {"type": "Action.Submit"}},
        {"body": [text("a")], "actions": [{"type": "Action.Submit"}]},
    ),
    "expressions in data are none": (text("${a}"), {"a": "${b}", "b": 1}, text("${b}")),
    "the data of an action": (
        {"data": {"id": "${id}", "deep": [{"x": "${id}"}]}}, {"id": 7}, {"data": {"id": 7, "deep": [{"x": 7}]}},
    ),
    "a whole-number float in a text": (text("${n} kg"), {"n": 5.0}, text("5 kg")),
}  # fmt: skip


@pytest.mark.parametrize(("template", "data", "expected"), CASES.values(), ids=CASES)
def test_a_card_is_filled_as_documented(template: Any, data: Any, expected: Any) -> None:
    before = json.dumps([template, data])
    filled = fill(template, data)
    assert filled == expected
    assert json.dumps(filled) == json.dumps(expected)  # 1, 1.0 and true are not the same here
    assert json.dumps([template, data]) == before


def test_all_that_is_malformed_is_found_at_once_with_its_place_and_its_expression() -> None:
    template = {
        "body": [text("${a"), text("ok ${b}"), text("${shout(a)}", **{"$when": "${1 +}"})],
        "a/b": {"$data": "${]}", "${name}": 1},
    }
    found = faults_of(template)
    assert set(found) == {
        "/card/body/0/text", "/card/body/2/text", "/card/body/2/$when", "/card/a~1b/$data", "/card/a~1b/${name}",
    }  # fmt: skip
    assert "${shout(a)}" in found["/card/body/2/text"]
    assert "there is no function 'shout'" in found["/card/body/2/text"]
    assert "${1 +}" in found["/card/body/2/$when"]


def test_a_long_expression_is_quoted_in_part() -> None:
    (detail,) = faults_of(text("${" + "a + " * 500 + "}")).values()
    assert len(detail) < 300


def test_values_that_do_not_fit_are_an_error_that_names_the_place() -> None:
    fault = failure({"body": [text("${formatNumber(price, 2)}")]}, {"price": "dear"})
    assert fault.pointer == "/card/body/0/text"
    assert "${formatNumber(price, 2)}" in fault.detail
    assert "no number" in fault.detail


@pytest.mark.parametrize("template", [{"$when": "${1 > 2}"}, {"$data": []}, {"$data": [1, 2], "a": 1}])
def test_a_card_of_which_not_just_one_is_left_is_an_error(template: Any) -> None:
    assert failure(template).pointer == "/card"


def test_a_card_that_is_one_item_of_an_array_is_that_item() -> None:
    assert fill({"$data": "${l}", "a": "${$data}"}, {"l": [1]}) == {"a": 1}


def test_what_is_not_a_template_is_known_as_such() -> None:
    faults: list[Fault] = []
    assert not read(text("plain"), "/card", faults).dynamic
    assert read(text("${a}"), "/card", faults).dynamic
    assert read([{"$when": False}], "/card", faults).dynamic
    assert not read(text("${a}"), "/card", faults).personal
    assert read(text("${concat('a', `${recipient.name}`)}"), "/card", faults).personal


NESTED: Any = text("${$data}")
for _ in range(20):
    NESTED = {"$data": "${$root.l}", "items": [NESTED]}

HOSTILE: dict[str, tuple[Any, Any, type[Exception]]] = {
    "repetition of repetition": (NESTED, {"l": list(range(100))}, FilledTooLargeError),
    "much of nothing": ([{"$data": "${range(0, 90000)}", "$when": "${$index < 0}"}] * 20, {}, TemplateError),
    "a long text, often": ([text("${a}")] * 2000, {"a": "x" * 60_000}, FilledTooLargeError),
    "a long text, repeated": ([{"$data": "${range(0, 9000)}", "t": "x" * 1000}], {}, FilledTooLargeError),
    "many members": ([{"$data": "${range(0, 9000)}", **{f"m{n}": 1 for n in range(100)}}], {}, FilledTooLargeError),
    "a large value, often": ([text("${a}")] * 2000, {"a": [list(range(100))] * 100}, FilledTooLargeError),
    "large values inside one another": (
        [{"$data": "${createArray($root.a, $root.a, $root.a)}", "x": ["${$data}"] * 50}] * 30,
        {"a": ["x" * 100] * 100}, FilledTooLargeError,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("template", "data", "error"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_card_is_stopped_in_time(template: Any, data: Any, error: type[Exception]) -> None:
    began = time.process_time()
    with pytest.raises(error):
        fill(template, data)
    assert time.process_time() - began < 3


def test_too_many_expressions_are_refused() -> None:
    (detail,) = faults_of([text("${a}${b}")] * 1500).values()
    assert "more than 2000 expressions" in detail


def test_a_text_of_more_than_enough_expressions_is_not_read_to_its_end() -> None:
    began = time.process_time()
    (detail,) = faults_of(text("${a}" * 250_000)).values()
    assert "more than 2000 expressions" in detail
    faults_of([text("${a}" * 1999), text("${b} ${c}"), *[text("${d}" * 1000)] * 500])
    assert time.process_time() - began < 3


def test_no_template_is_filled_twice_as_often_as_it_is_repeated() -> None:
    """What comes with the data is never read as a template: data cannot add expressions."""
    data = {"a": "${b}", "b": "${a}", "l": [{"$data": "${l}", "$when": "${1 > 2}"}]}
    assert fill({"x": "${a}${b}", "y": "${l}"}, data) == {"x": "${b}${a}", "y": data["l"]}
