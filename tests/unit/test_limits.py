"""Whatever comes, a conversation never gets more than Teams allows, and what is kept of it stays small."""

import random
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local.teams.limits import SEND_LIMITS
from proactive.limits import Limits

START = 1_790_000_000.0
gaps = st.sampled_from(
    [0.0, 0.01, 0.14, 0.25, 0.5, 1.0, 1.1, 2.0, 2.1, 9.99, 10.0, 10.1, 19.9, 20.0, 30.0, 31.0, 900.0]
)
stretches = st.lists(st.tuples(gaps, st.integers(1, 400)), min_size=1, max_size=12)


def exceeded(times: list[float]) -> list[tuple[int, float]]:
    """Return the limits that these moments break: the plainest model there is."""
    return [
        (count, seconds)
        for count, seconds in SEND_LIMITS
        if any(last - first < seconds for first, last in zip(times, times[count:], strict=False))
    ]


def admitted(limits: Limits, stretches: list[tuple[float, int]], *, patient: bool) -> list[float]:
    """Return when a conversation was sent to by somebody who tries `n` times with a gap; `patient` waits as told."""
    now, times = START, []
    for gap, count in stretches:
        for _ in range(count):
            wait = limits.admit("ada", now)
            if wait and patient:
                now += wait
                wait = limits.admit("ada", now)
            if not wait:
                times.append(now)
            now += gap
    return times


@settings(max_examples=60, deadline=None)
@given(stretches, st.booleans())
@example([(0.0, 8)], True)
@example([(2.1, 14), (0.25, 400)], False)
@example([(10.0, 300), (0.25, 400), (0.25, 400), (0.25, 400), (0.25, 400)], True)
@example([(9.99, 300), (0.5, 400), (0.5, 400), (0.5, 400), (0.5, 400)], True)
@example([(0.0, 7), (31.0, 1)] * 6, True)
def test_no_limit_of_teams_is_ever_exceeded(stretches: list[tuple[float, int]], patient: bool) -> None:
    assert exceeded(admitted(Limits(), stretches, patient=patient)) == []


def test_the_model_finds_what_exceeds_a_limit() -> None:
    assert exceeded([START + 0.9 * n / 7 for n in range(8)]) == [(7, 1)]
    assert exceeded([START + 0.22 * n for n in range(9)]) == [(8, 2)]
    assert exceeded([START + 0.45 * n for n in range(61)]) == [(60, 30)]


def test_seven_go_at_once_and_the_rest_is_told_when() -> None:
    limits = Limits()
    assert [limits.admit("ada", START) for _ in range(7)] == [0.0] * 7
    assert limits.admit("ada", START) == pytest.approx(1.1)
    assert limits.admit("ada", START + 1.11) == 0
    assert limits.admit("ada", START + 1.11) == pytest.approx(0.99)


def test_who_was_refused_takes_no_place() -> None:
    limits = Limits()
    for _ in range(1000):
        limits.admit("ada", START)
    assert limits.admit("ada", START + 1.2) == 0


def test_one_conversation_is_no_other() -> None:
    limits = Limits()
    assert {limits.admit(f"person {n}", START) for n in range(1000)} == {0.0}
    assert [limits.admit(f"person {n}", START) for n in range(6)] == [0.0] * 6


def test_a_steady_stream_is_admitted_for_hours() -> None:
    limits = Limits()
    assert {limits.admit("ada", START + 2.6 * n) for n in range(5000)} == {0.0}


def test_a_hundred_thousand_people_with_a_message_each_leave_next_to_nothing_behind() -> None:
    limits = Limits()
    most = 0
    for n in range(100_000):
        assert limits.admit(f"a:1{n}", START + n / 50) == 0
        most = max(most, len(limits))
    assert most <= 50 * 10 + 4096 + 1
    assert {type(times) for times in limits._times.values()} == {float}


def test_who_got_much_is_forgotten_too() -> None:
    limits = Limits()
    for n in range(2000):
        limits.admit("ada", START + 2.6 * n)
    (times,) = limits._times.values()
    assert isinstance(times, list)
    assert len(times) <= 1440
    for n in range(5000):
        limits.admit("alan" if n % 2 else f"person {n}", START + 20_000 + n / 50)
    assert len(limits) < 4096


def test_an_admission_takes_no_longer_the_more_there_are() -> None:
    """A sweep goes over what is kept once in 4,096 admissions: counted, since time would depend on the machine."""
    limits = Limits()
    sweeps = 0
    real = limits._sweep

    def counted(now: float) -> None:
        nonlocal sweeps
        sweeps += 1
        real(now)

    limits._sweep = counted  # type: ignore[method-assign]
    chance = random.Random(3)
    for _ in range(50_000):
        limits.admit(str(chance.randrange(sys.maxsize)), START)
    assert sweeps == 50_000 // 4096
    assert len(limits) == 50_000
