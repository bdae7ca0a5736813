from hypothesis import given
from hypothesis import strategies as st

from local.teams.limits import ROSTER_LIMITS, SEND_LIMITS, Ceiling, SlidingWindows, retry_after
from tests.teams.botside import Clock


def admitted(limiter, clock, times, key="chat"):
    taken = []
    for at in times:
        clock.now = at
        if not limiter.admit(key):
            taken.append(at)
    return taken


def test_seven_in_one_second_then_the_eighth_waits_until_the_first_is_a_second_old():
    clock = Clock(0.0)
    sends = SlidingWindows(SEND_LIMITS, clock)
    assert len(admitted(sends, clock, [0.0] * 20)) == 7
    assert sends.admit("chat") == 1.0
    assert admitted(sends, clock, [0.999, 1.0, 1.0]) == [1.0]


def test_eight_in_two_seconds():
    clock = Clock(0.0)
    sends = SlidingWindows(SEND_LIMITS, clock)
    assert len(admitted(sends, clock, [0.0] * 7 + [1.5])) == 8
    clock.now = 1.6
    assert round(sends.admit("chat"), 6) == 0.4


def test_sixty_in_thirty_seconds_and_1800_in_an_hour():
    clock = Clock(0.0)
    sends = SlidingWindows(SEND_LIMITS, clock)
    half_seconds = [i * 0.4 for i in range(75)]
    assert len(admitted(sends, clock, half_seconds)) == 60
    sends = SlidingWindows(SEND_LIMITS, clock)
    an_hour = [i * 1.0 for i in range(3600)]
    assert len(admitted(sends, clock, an_hour)) == 1800
    clock.now = 3599.0
    assert sends.admit("chat") == 1.0


def test_the_roster_has_twice_the_room():
    clock = Clock(0.0)
    assert len(admitted(SlidingWindows(ROSTER_LIMITS, clock), clock, [0.0] * 30)) == 14
    assert len(admitted(SlidingWindows(ROSTER_LIMITS, clock), clock, [0.0] * 14 + [1.0] * 14)) == 16
    assert len(admitted(SlidingWindows(ROSTER_LIMITS, clock), clock, [i * 0.2 for i in range(149)])) == 120
    assert len(admitted(SlidingWindows(ROSTER_LIMITS, clock), clock, [i * 0.5 for i in range(7200)])) == 3600


def test_conversations_do_not_disturb_one_another():
    clock = Clock(0.0)
    sends = SlidingWindows(SEND_LIMITS, clock)
    assert len(admitted(sends, clock, [0.0] * 9, "a")) == 7
    assert len(admitted(sends, clock, [0.0] * 9, "b")) == 7


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=200), st.sampled_from([((2, 10), (3, 30)), ((7, 10), (8, 20))])
)
def test_a_request_is_refused_exactly_when_a_window_is_full(gaps, limits):
    clock = Clock(0.0)
    windows = SlidingWindows(limits, clock)
    at, taken = 0, []
    for gap in gaps:
        at += gap // 40
        clock.now = at
        full = any(sum(1 for t in taken if t > at - seconds) >= count for count, seconds in limits)
        wait = windows.admit("chat")
        assert (wait > 0) == full
        if not full:
            taken.append(at)


def test_the_wait_that_is_told_is_long_enough_and_not_longer():
    clock = Clock(0.0)
    sends = SlidingWindows(SEND_LIMITS, clock)
    admitted(sends, clock, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    wait = sends.admit("chat")
    assert admitted(sends, clock, [0.6 + wait - 0.001, 0.6 + wait]) == [0.6 + wait]


def test_the_ceiling_forgives_a_burst_and_then_lets_fifty_a_second_through():
    clock = Clock(0.0)
    ceiling = Ceiling(50, 10, clock)
    assert len(admitted(ceiling, clock, [0.0] * 30)) == 10
    assert round(ceiling.admit("chat"), 6) == 0.02
    assert len(admitted(ceiling, clock, [0.001 * i for i in range(1, 10_001)])) == 500


def test_a_steady_fifty_a_second_never_meets_the_ceiling():
    clock = Clock(0.0)
    ceiling = Ceiling(50, 1, clock)
    assert len(admitted(ceiling, clock, [i / 50 for i in range(5000)])) == 5000


def test_a_bot_has_a_ceiling_in_each_tenant():
    clock = Clock(0.0)
    ceiling = Ceiling(50, 10, clock)
    assert len(admitted(ceiling, clock, [0.0] * 15, ("bot", "a"))) == 10
    assert len(admitted(ceiling, clock, [0.0] * 15, ("bot", "b"))) == 10
    assert len(admitted(ceiling, clock, [0.0] * 15, ("other", "a"))) == 10


def test_retry_after_is_whole_seconds_and_never_zero():
    assert [retry_after(s) for s in (0.001, 1.0, 1.2, 30)] == [1, 1, 2, 30]
