"""Values packed into binary properties of a row."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proactive.store.pack import compress, decompress, pack, unpack

PROPERTY = 64 * 1024  # bytes: the most that a binary property of a table's row holds

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def noise(size: int) -> str:
    """Return text of `size` characters that hardly can be compressed."""
    return random.Random(7).randbytes(size // 2).hex()


@given(json_values)
def test_a_value_survives_being_packed(value: Any) -> None:
    assert unpack("content", {"other": 1, **pack("content", value)}) == value
    assert decompress(compress(value)) == value


@pytest.mark.parametrize("size", [0, 1_000, 100_000, 131_072, 600_000])
def test_a_large_value_stands_in_several_properties_none_larger_than_a_row_may_have(size: int) -> None:
    value = noise(size)
    row = pack("p", value)
    assert list(row) == [f"p{number}" for number in range(len(row))]
    assert all(0 < len(part) <= PROPERTY for part in row.values())
    assert len(row) == -(-len(compress(value)) // PROPERTY)
    assert unpack("p", row) == value


def test_what_repeats_itself_takes_little_room() -> None:
    value = [{"recipient": f"person{number}@contoso.com", "installed": True} for number in range(500)]
    assert len(compress(value)) < len(json.dumps(value)) / 4


def test_two_values_share_a_row_without_mixing() -> None:
    row = {**pack("a", noise(200_000)), **pack("b", [1])}
    assert unpack("b", row) == [1]
    assert unpack("a", row) == noise(200_000)
