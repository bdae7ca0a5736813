"""The arithmetic of lanes and times, and the words of the contract."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proactive.model import FINAL_STATES, OPEN_STATES, Options, Result, Send, SendStatus, State, lanes_for


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


@pytest.mark.parametrize("chunks", range(1, 11))
def test_all_lanes_together_never_exceed_the_parallelism_and_use_it_well(chunks: int) -> None:
    for parallelism in range(1, 51):
        lanes = lanes_for(parallelism, chunks)
        window = send(options=Options(parallelism=parallelism), lanes=lanes, chunks=chunks).window
        assert 1 <= lanes <= chunks, parallelism
        assert window >= 1, parallelism
        assert parallelism - lanes < lanes * window <= parallelism, parallelism


@pytest.mark.parametrize(
    ("parallelism", "chunks", "lanes", "window"),
    [(1, 10, 1, 1), (20, 10, 1, 20), (25, 10, 1, 25), (26, 10, 2, 13), (50, 10, 2, 25), (50, 1, 1, 50), (49, 2, 2, 24)],
)
def test_there_is_a_lane_for_each_25_in_flight(parallelism: int, chunks: int, lanes: int, window: int) -> None:
    assert lanes_for(parallelism, chunks) == lanes
    assert send(options=Options(parallelism=parallelism), lanes=lanes).window == window


def test_a_send_to_nobody_has_a_lane_that_finds_out() -> None:
    assert lanes_for(20, 0) == 1
    assert send(lanes=0).window == 20


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
