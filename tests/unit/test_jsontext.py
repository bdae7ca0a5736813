"""JSON from strangers: a value, or one sentence with the place at fault."""

import json
import math
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proactive.jsontext import canonical, parse
from proactive.problems import ProblemError

CARDS = Path(__file__).parent.parent / "cards"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def refusal(data: bytes | str, pointer: str = "") -> str:
    with pytest.raises(ProblemError) as caught:
        parse(data, pointer)
    assert caught.value.status == 400
    (error,) = caught.value.errors
    assert error.pointer == pointer
    assert error.detail.endswith(".")
    return error.detail


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"{}", {}),
        ("{}", {}),
        (b' [1, 2.5, "x", null, true] \n', [1, 2.5, "x", None, True]),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('"\\ud83d\\ude00"', "😀"),
        ('"😀"', "😀"),
        (b"1e10", 1e10),
        (b"-0", 0),
        (b'{"a": {"b": 1}, "c": {"b": 2}}', {"a": {"b": 1}, "c": {"b": 2}}),
        (str(2**64), 2**64),
    ],
)
def test_json_is_read_as_bytes_and_as_text(data: bytes | str, value: object) -> None:
    assert parse(data) == value


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, 1),
        ("   ", 1, 4),
        ("{", 1, 2),
        ('{"a": 1,\n "b" 2}', 2, 6),
        ('{"a": 1}\n}', 2, 1),
        ('{\n\n  "a": tru\n}', 3, 8),
        ("{'a': 1}", 1, 2),
        ('"a\nb"', 1, 3),
    ],
)
def test_what_is_malformed_is_named_by_line_and_column(text: str, line: int, column: int) -> None:
    assert f"line {line}, column {column}." in refusal(text)


def test_a_trailing_comma_in_a_card_is_named_where_it_stands() -> None:
    # GIVEN the second card of Microsoft's article as it is printed there, with a comma too many
    text = (CARDS / "order-confirmation.as-printed.json").read_text()
    line = next(number for number, content in enumerate(text.splitlines(), 1) if '"Edit Order",' in content)
    column = text.splitlines()[line - 1].index(",") + 1
    # WHEN it is read
    detail = refusal(text, "/card")
    # THEN the sentence leads to the comma
    assert f"line {line}, column {column}." in detail


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"a": 1, "b": 2, "a": 3}', '"a" stands twice'),
        (b'{"deep": [{"x": 1, "x": 1}]}', '"x" stands twice'),
        (b"NaN", "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b"[-Infinity]", "-Infinity"),
        (b'"\xff"', "UTF-8 at byte 1"),
        (b'"\xed\xa0\x80"', "UTF-8 at byte 1"),
        (b"{\x00}", "line 1"),
        ('"\\ud800"', "surrogate"),
        ('{"\\udfff": 1}', "surrogate"),
        ('"\ud800"', "surrogate"),
        (b"[" * 100_000, "deep"),
        (b'{"a":' * 100_000, "deep"),
    ],
)
def test_what_json_readers_disagree_about_is_refused(data: bytes | str, said: str) -> None:
    assert said in refusal(data)


@pytest.mark.parametrize(
    "number", ["1e999", "-1E999", "1" * 400 + ".0", "-" + "9" * 400 + ".5"], ids=["1e999", "-1E999", "long", "-long"]
)
def test_a_number_too_large_for_a_float_is_refused_however_it_is_written(number: str) -> None:
    refusal(f"[{number}]")


def test_a_whole_number_of_thousands_of_digits_is_refused_in_our_words() -> None:
    assert "sys." not in refusal("1" * 5_000)


def test_a_long_name_is_not_repeated_in_full() -> None:
    name = "n" * 10_000
    assert len(refusal(f'{{"{name}": 1, "{name}": 2}}')) < 200


def test_finding_a_twin_among_many_names_is_quick() -> None:
    # A body may have 16 MB: what takes a time that grows with the square of its names would stall every other request.
    text = "{" + ",".join(f'"{number}":1' for number in range(15_000)) + ',"twin":1,"twin":2}'
    began = time.process_time()
    assert '"twin"' in refusal(text)
    assert time.process_time() - began < 1


@given(json_values)
def test_whatever_is_json_comes_through(value: Any) -> None:
    assert parse(json.dumps(value)) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


def value_or_problem(data: bytes) -> Any:
    try:
        return parse(data)
    except ProblemError as problem:
        return problem


@given(
    st.binary(max_size=40)
    | st.lists(
        st.sampled_from(
            ["{", "}", "[", "]", ",", ":", '"a"', "1", "1e9", "99e999", "\\ud800", '"\\ud8', "null", "N", "é"]
        )
    ).map(lambda parts: "".join(parts).encode())
)
@example(b"")
@example(b"\xef\xbb\xbf")
@example(b"[1e999]")
def test_whatever_comes_there_is_a_value_or_a_problem(data: bytes) -> None:
    value = value_or_problem(data)
    if isinstance(value, ProblemError):
        assert value.status == 400
        assert value.errors
    else:
        assert parse(canonical(value)) == value


def shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        members = list(value.items())
        order.shuffle(members)
        return {name: shuffled(member, order) for name, member in members}
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


@given(json_values, st.randoms(use_true_random=False))
def test_the_canonical_form_does_not_depend_on_the_order_of_members(value: Any, order: random.Random) -> None:
    assert canonical(shuffled(value, order)) == canonical(value)


@given(json_values)
def test_the_canonical_form_is_json_of_the_same_value(value: Any) -> None:
    assert json.loads(canonical(value)) == value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": "1"}),
        ({"a": None}, {}),
        ([], {}),
        (True, 1),
        ("é", "e"),
        ({"a": 1}, {"b": 1}),
    ],
)
def test_other_values_have_another_canonical_form(one: Any, other: Any) -> None:
    assert canonical(one) != canonical(other)


def test_no_number_that_is_read_is_infinite() -> None:
    assert all(math.isfinite(number) for number in parse("[1e308, -1e308, 1e-400]"))
