"""The arithmetic of times, and the words of the contract."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proactive.model import FINAL_STATES, OPEN_STATES, Options, Result, Send, SendStatus, State


def send(**changes: Any) -> Send:
    fields: dict[str, Any] = {
        "id": "s1",
        "secret": "secret",
        "content_hash": "hash",
        "bot": "default",
        "tenant": "t",
        "created_at": 1_000.0,
        "send_at": None,
        "options": Options(),
        "activity": {},
        "entries": 1,
    }
    return Send(**{**fields, **changes})


@pytest.mark.parametrize(
    ("send_at", "begins_at"), [(None, 1_000.0), (500.0, 1_000.0), (1_000.0, 1_000.0), (2_000.0, 2_000.0)]
)
def test_time_limits_count_from_the_later_of_acceptance_and_send_at(send_at: float | None, begins_at: float) -> None:
    one = send(send_at=send_at, options=Options(deliver_within=60))
    assert one.begins_at == begins_at
    assert one.deadline == begins_at + 60


def test_the_states_are_the_contracts() -> None:
    assert [state.value for state in OPEN_STATES] == ["pending", "postponed", "sending"]
    final = {"delivered", "notInstalled", "chatActive", "failed", "unknown", "cancelled"}
    assert {state.value for state in FINAL_STATES} == final
    assert {status.value for status in SendStatus} == {
        "scheduled",
        "accepted",
        "delivering",
        "waiting",
        "completed",
        "cancelled",
    }


@given(st.sampled_from(State), st.integers(0, 9))
def test_a_result_is_final_in_a_final_state_however_often_it_was_tried(state: State, attempts: int) -> None:
    assert Result(state, attempts=attempts).final == (state not in OPEN_STATES)
