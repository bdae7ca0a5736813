"""Durations and moments as senders write them (ISO 8601), in seconds within."""

import re
from datetime import UTC, datetime

MINUTE, DAY = 60.0, 86_400.0
_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,7})M)?(?:(?P<seconds>\d{1,8}(?:\.\d{1,6})?)S)?)?",
    re.ASCII,
)
_SECONDS = {"weeks": 7 * DAY, "days": DAY, "hours": 3600.0, "minutes": MINUTE, "seconds": 1.0}


def read_duration(text: str) -> float | None:
    """Return the seconds of a duration such as PT30M or P7D, None where it is none.

    Months and years are none: how long they are depends on the calendar.
    """
    match = _DURATION.fullmatch(text)
    parts = {unit: float(number) for unit, number in match.groupdict().items() if number} if match else {}
    return sum(number * _SECONDS[unit] for unit, number in parts.items()) if parts else None


def write_duration(seconds: float) -> str:
    """Return a duration in its largest whole unit; a single day is PT24H."""
    if seconds % MINUTE:
        return f"PT{round(seconds, 6):f}".rstrip("0").rstrip(".") + "S"
    if seconds > DAY and seconds % DAY == 0:
        return f"P{seconds / DAY:.0f}D"
    return f"PT{seconds / 3600:.0f}H" if seconds % 3600 == 0 else f"PT{seconds / MINUTE:.0f}M"


def read_moment(text: str) -> float | None:
    """Return the seconds since the epoch of a moment with its zone, such as 2026-12-01T08:00:00Z; None for others."""
    try:
        moment = datetime.fromisoformat(text.upper())
        return moment.astimezone(UTC).timestamp() if moment.tzinfo and "T" in text.upper() else None
    except (ValueError, OverflowError):
        return None


def write_moment(at: float | None) -> str | None:
    """Return a moment, given in seconds since the epoch, as senders read it; None for none."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def day_of(at: float) -> str:
    """Return the UTC day of a moment, given in seconds since the epoch, as 2026-12-01."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
