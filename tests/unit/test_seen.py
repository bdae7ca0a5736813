"""A set for a million people."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from proactive.seen import Seen


@given(st.lists(st.text(max_size=5)))
def test_it_holds_what_was_added_and_nothing_else(texts: list[str]) -> None:
    seen, plain = Seen(), set()
    for text in texts:
        assert (text in seen) == (text in plain)
        assert seen.add(text) == (text not in plain)
        plain.add(text)
    assert len(seen) == len(plain)
    assert all(text in seen for text in plain)


def test_it_grows() -> None:
    ids = [str(uuid.UUID(int=number)) for number in range(20_000)]
    seen = Seen()
    assert sum(seen.add(one) for one in ids) == len(ids)
    assert sum(seen.add(one) for one in ids) == 0
    assert len(seen) == len(ids)
    assert str(uuid.UUID(int=20_000)) not in seen
