"""Durations and moments as senders write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proactive.times import DAY, read_duration, read_moment, write_duration, write_moment

EIGHT = datetime(2026, 12, 1, 8, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT1M", 60),
        ("PT30M", 1_800),
        ("PT24H", 86_400),
        ("P1D", 86_400),
        ("P7D", 604_800),
        ("P1W", 604_800),
        ("P30D", 30 * 86_400),
        ("P1DT12H", 129_600),
        ("PT1H30M", 5_400),
        ("PT90S", 90),
        ("PT0.5S", 0.5),
        ("P1DT1H1M1S", 90_061),
        ("PT0S", 0),
        ("P0D", 0),
        ("PT1440M", 86_400),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "P1DT",
        "T1H",
        "1D",
        "P1M",  # a month has no length of its own
        "P1Y",
        "-P1D",
        "P-1D",
        "+P1D",
        "p1d",
        "P1H",
        "PT1D",
        "PT1M1H",
        "P1.5D",
        "PT1,5S",
        " PT1M",
        "PT1M\n",
        "PT1M PT1M",
        "P999999999999D",
        "PT\u0661M",  # ARABIC-INDIC DIGIT ONE
        "24:00:00",
        "3600",
    ],
)
def test_what_is_no_duration_is_none(text: str) -> None:
    assert read_duration(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(60, "PT1M"), (90, "PT90S"), (5_400, "PT90M"), (3_600, "PT1H"), (86_400, "PT24H"), (604_800, "P7D")],
)
def test_a_duration_is_written_in_its_largest_whole_unit_and_a_day_in_hours(seconds: float, text: str) -> None:
    assert write_duration(seconds) == text


@given(st.integers(min_value=60, max_value=int(30 * DAY)))
@example(7 * 86_400 - 1)
def test_a_duration_survives_being_written(seconds: int) -> None:
    assert read_duration(write_duration(seconds)) == seconds


@given(st.text(max_size=12) | st.text(alphabet="PTWDHMS0123456789.", max_size=12))
def test_any_text_is_a_duration_or_none(text: str) -> None:
    seconds = read_duration(text)
    assert seconds is None or 0 <= seconds < 1e11


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-12-01T08:00:00Z", EIGHT),
        ("2026-12-01T08:00Z", EIGHT),
        ("2026-12-01t08:00:00Z", EIGHT),
        ("2026-12-01T08:00:00+00:00", EIGHT),
        ("2026-12-01T08:00:00-00:00", EIGHT),
        ("2026-12-01T09:00:00+01:00", EIGHT),
        ("2026-12-01T13:30:00+05:30", EIGHT),
        ("2026-12-01T13:30:00+0530", EIGHT),
        ("2026-11-30T22:00:00-10:00", EIGHT),
        ("2026-12-01T08:00:00.5Z", EIGHT + 0.5),
        ("2026-12-01T08:00:00.123Z", EIGHT + 0.123),
        ("2026-12-01T08:00:00.0000000Z", EIGHT),  # as utcNow() and formatDateTime() of Power Automate write it
        ("2026-12-01T08:00:00.1234567Z", EIGHT + 0.123456),
        ("2028-02-29T00:00:00Z", datetime(2028, 2, 29, tzinfo=UTC).timestamp()),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", -1),
    ],
)
def test_a_moment_is_read_in_seconds_since_the_epoch(text: str, at: float) -> None:
    assert read_moment(text) == pytest.approx(at, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-12-01",
        "08:00:00Z",
        "2026-12-01T08:00:00",  # whose eight o'clock?
        "2026-12-01 08:00:00Z",
        "01/12/2026T08:00:00Z",
        "2026-13-01T08:00:00Z",
        "2026-12-32T08:00:00Z",
        "2027-02-29T08:00:00Z",
        "2026-12-01T25:00:00Z",
        "2026-12-01T08:61:00Z",
        "2026-12-31T23:59:60Z",
        "2026-12-01T08:00:00+24:00",
        "2026-12-01T08:00:00 Europe/Berlin",
        "20261-12-01T08:00:00Z",
        "-2026-12-01T08:00:00Z",
        "1796112000",
        "Tue, 01 Dec 2026 08:00:00 GMT",
        "T" * 5_000,
    ],
)
def test_what_is_no_moment_with_its_zone_is_none(text: str) -> None:
    assert read_moment(text) is None


def test_a_moment_is_written_in_utc_to_the_millisecond() -> None:
    assert write_moment(EIGHT + 0.25) == "2026-12-01T08:00:00.250Z"
    assert write_moment(None) is None


@given(
    st.datetimes(
        min_value=datetime(1980, 1, 1),  # noqa: DTZ001 - hypothesis wants naive limits
        max_value=datetime(2200, 1, 1),  # noqa: DTZ001 - as above
        timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    )
)
def test_a_moment_survives_being_read_and_written(moment: datetime) -> None:
    at = read_moment(moment.isoformat())
    assert at == pytest.approx(moment.timestamp(), abs=1e-6)
    written = write_moment(at)
    assert written is not None
    assert read_moment(written) == pytest.approx(moment.timestamp(), abs=1e-3)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z"])
def test_every_moment_that_is_read_can_be_written(text: str) -> None:
    # `sendAt` comes back in the status of a send: a moment that cannot be written there would be a 500.
    at = read_moment(text)
    assert at is None or write_moment(at)


@given(st.text(max_size=30) | st.text(alphabet="0123456789-:.,TtZz+W ", max_size=30))
def test_any_text_is_a_moment_or_none(text: str) -> None:
    at = read_moment(text)
    assert at is None or isinstance(at, float)
