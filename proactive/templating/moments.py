"""Functions of dates and times. A timestamp without a zone is in UTC; results are, unless a zone is asked for."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from proactive.templating.values import ExpressionError, Functions, Scope, is_number, number, text, whole

_STANDARD: Final[Mapping[str, str]] = {
    "d": "M/d/yyyy",
    "D": "dddd, MMMM d, yyyy",
    "t": "h:mm tt",
    "T": "h:mm:ss tt",
    "f": "dddd, MMMM d, yyyy h:mm tt",
    "F": "dddd, MMMM d, yyyy h:mm:ss tt",
    "g": "M/d/yyyy h:mm tt",
    "G": "M/d/yyyy h:mm:ss tt",
    "M": "MMMM d",
    "m": "MMMM d",
    "y": "MMMM yyyy",
    "Y": "MMMM yyyy",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ssZ",
    "R": "ddd, dd MMM yyyy HH:mm:ss GMT",
}
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PIECE: Final = re.compile(
    r"(?P<run>y{1,5}|Y{1,5}|M{1,4}|d{1,4}|D{1,4}|H{1,2}|h{1,2}|m{1,2}|s{1,2}|f{1,7}|t{1,2}|z{1,3}|K)"
    r"|'(?P<quoted>[^']*)'|\"(?P<double>[^\"]*)\"|\\(?P<escaped>.)|(?P<other>.)",
    re.DOTALL,
)
_SLASHED: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: (\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_SECONDS: Final[Mapping[str, int]] = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ERA: Final = datetime(1, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
# Names that Windows gives to zones, for those that makers know from flows; the others are known by IANA's names.
_WINDOWS: Final[Mapping[str, str]] = {
    "UTC": "UTC",
    "GMT Standard Time": "Europe/London",
    "W. Europe Standard Time": "Europe/Berlin",
    "Romance Standard Time": "Europe/Paris",
    "Central Europe Standard Time": "Europe/Budapest",
    "Central European Standard Time": "Europe/Warsaw",
    "E. Europe Standard Time": "Europe/Chisinau",
    "FLE Standard Time": "Europe/Kyiv",
    "GTB Standard Time": "Europe/Bucharest",
    "Turkey Standard Time": "Europe/Istanbul",
    "Russian Standard Time": "Europe/Moscow",
    "Eastern Standard Time": "America/New_York",
    "Central Standard Time": "America/Chicago",
    "Mountain Standard Time": "America/Denver",
    "Pacific Standard Time": "America/Los_Angeles",
    "E. South America Standard Time": "America/Sao_Paulo",
    "India Standard Time": "Asia/Kolkata",
    "China Standard Time": "Asia/Shanghai",
    "Tokyo Standard Time": "Asia/Tokyo",
    "Singapore Standard Time": "Asia/Singapore",
    "Arabian Standard Time": "Asia/Dubai",
    "AUS Eastern Standard Time": "Australia/Sydney",
    "New Zealand Standard Time": "Pacific/Auckland",
}


def moment(value: Any) -> datetime:
    """Return a timestamp: ISO 8601, or month/day/year as in the examples of the language."""
    given = text(value, "a date function").strip()
    try:
        if slashed := _SLASHED.fullmatch(given):
            month, day, year, hour, minute, second = (int(part or 0) for part in slashed.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        read = datetime.fromisoformat(given)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise ExpressionError(f"{given[:40]!r} is no timestamp such as 2026-12-01T08:00:00Z") from error


def shown(scope: Scope, at: datetime, pattern: Any = None, locale: Any = None) -> str:
    """Return a moment by a pattern of .NET's, in ISO 8601 unless given; names of days and months are English."""
    if locale and not text(locale, "a locale").lower().startswith("en"):
        raise ExpressionError("dates are written in English alone: give a pattern such as 'dd.MM.yyyy', and no locale")
    given = text(pattern, "a format")
    if not given:
        return at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    scope.budget.text(len(given) * 4)
    given = _STANDARD.get(given, given)
    return "".join(_piece(found, at) for found in _PIECE.finditer(given))


def _piece(found: re.Match[str], at: datetime) -> str:
    run = found["run"]
    if run is None:
        return next(part for part in found.groups()[1:] if part is not None)
    sign, count = run[0].replace("Y", "y").replace("D", "d"), len(run)
    match sign:
        case "y":
            return f"{at.year % 100:0{count}}" if count < 3 else f"{at.year:0{count}}"
        case "M":
            name = _MONTHS[at.month - 1]
            return f"{at.month:0{count}}" if count < 3 else name[:3] if count == 3 else name
        case "d":
            name = _DAYS[at.weekday()]
            return f"{at.day:0{count}}" if count < 3 else name[:3] if count == 3 else name
        case "f":
            return f"{at.microsecond:06}0"[:count]
        case "t":
            return ("AM" if at.hour < 12 else "PM")[:count]
        case "z" | "K":
            return _offset(at, run)
    value = {"H": at.hour, "h": at.hour % 12 or 12, "m": at.minute, "s": at.second}[sign]
    return f"{value:0{count}}"


def _offset(at: datetime, run: str) -> str:
    offset = at.utcoffset()
    if run == "K":
        return "" if offset is None else "Z" if not offset else f"{at:%:z}"
    hours, rest = divmod(int((offset or timedelta()).total_seconds()) // 60, 60)
    return {1: f"{hours:+d}", 2: f"{hours:+03d}"}.get(len(run), f"{hours:+03d}:{rest:02}")


def _moved(at: datetime, count: int, unit: str) -> datetime:
    name = unit.lower().removesuffix("s")
    try:
        if name in _SECONDS:
            return at + timedelta(seconds=count * _SECONDS[name])
        if name not in ("month", "year"):
            raise ExpressionError("the unit has to be Second, Minute, Hour, Day, Week, Month or Year")
        months = at.year * 12 + at.month - 1 + count * (12 if name == "year" else 1)
        year, month = months // 12, months % 12 + 1
        following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        return at.replace(year=year, month=month, day=min(at.day, (following - timedelta(days=1)).day))
    except (OverflowError, ValueError) as error:
        raise ExpressionError("a date lies outside the years 1 to 9999") from error


def _adding(unit: str) -> Callable[..., str]:
    return lambda scope, at, count, pattern=None, locale=None: shown(
        scope, _moved(moment(at), whole(count, "a date function"), unit), pattern, locale
    )


def _to_time(direction: int) -> Callable[..., str]:
    def run(scope: Scope, at: Any, count: Any, unit: Any, *how: Any) -> str:
        many = direction * whole(count, "an interval")
        return shown(scope, _moved(moment(at), many, text(unit, "a unit of time")), *how)

    return run


def _from_now(direction: int) -> Callable[..., str]:
    def run(scope: Scope, count: Any, unit: Any, *how: Any) -> str:
        many = direction * whole(count, "an interval")
        return shown(scope, _moved(scope.now, many, text(unit, "a unit of time")), *how)

    return run


def _start(cut: Callable[[datetime], datetime]) -> Callable[..., str]:
    return lambda scope, at, pattern=None, locale=None: shown(scope, cut(moment(at)), pattern, locale)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _part(read: Callable[[datetime], Any]) -> Callable[[Scope, Any], Any]:
    return lambda _, at: read(moment(at))


def _epoch(scope: Scope, seconds: Any, pattern: Any = None, locale: Any = None) -> str:
    try:
        at = _EPOCH + timedelta(seconds=number(seconds, "formatEpoch"))
    except OverflowError as error:
        raise ExpressionError("a date lies outside the years 1 to 9999") from error
    return shown(scope, at, pattern, locale)


def _ticks(at: datetime) -> int:
    return (at - _ERA) // _TICK * 10


def _from_ticks(scope: Scope, ticks: Any, pattern: Any = None, locale: Any = None) -> str:
    try:
        at = _ERA + timedelta(microseconds=whole(ticks, "formatTicks") // 10)
    except OverflowError as error:
        raise ExpressionError("a date lies outside the years 1 to 9999") from error
    return shown(scope, at, pattern, locale)


def _zone(value: Any) -> ZoneInfo:
    name = text(value, "a time zone")
    try:
        return ZoneInfo(_WINDOWS.get(name, name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ExpressionError(f"there is no time zone {name[:40]!r}: give one such as Europe/Berlin") from error


def _from_utc(scope: Scope, at: Any, zone: Any, pattern: Any = None, locale: Any = None) -> str:
    try:
        local = moment(at).astimezone(_zone(zone))
    except OverflowError as error:
        raise ExpressionError("a date lies outside the years 1 to 9999") from error
    return shown(scope, local.replace(tzinfo=None) if not pattern else local, pattern or "o", locale)


def _to_utc(scope: Scope, at: Any, zone: Any, pattern: Any = None, locale: Any = None) -> str:
    try:
        return shown(scope, moment(at).replace(tzinfo=_zone(zone)).astimezone(UTC), pattern, locale)
    except OverflowError as error:
        raise ExpressionError("a date lies outside the years 1 to 9999") from error


def _time_of_day(at: datetime) -> str:
    minutes = at.hour * 60 + at.minute
    ends = ((1, "midnight"), (720, "morning"), (1080, "afternoon"), (1321, "evening"), (1441, "night"))
    return next(name for end, name in ends if minutes < end)


def _is_moment(_: Scope, value: Any) -> bool:
    try:
        return isinstance(value, str) and "T" in value and bool(moment(value))
    except ExpressionError:
        return False


TABLE: Final[Functions] = {
    "utcNow": (lambda scope, pattern=None, locale=None: shown(scope, scope.now, pattern, locale), 0, 2),
    "formatDateTime": (lambda s, at, pattern=None, locale=None: shown(s, _at(at), pattern, locale), 1, 3),
    "formatEpoch": (_epoch, 1, 3),
    "formatTicks": (_from_ticks, 1, 3),
    "addDays": (_adding("day"), 2, 4),
    "addHours": (_adding("hour"), 2, 4),
    "addMinutes": (_adding("minute"), 2, 4),
    "addSeconds": (_adding("second"), 2, 4),
    "addToTime": (_to_time(1), 3, 5),
    "subtractFromTime": (_to_time(-1), 3, 5),
    "getFutureTime": (_from_now(1), 2, 4),
    "getPastTime": (_from_now(-1), 2, 4),
    "startOfDay": (_start(_midnight), 1, 3),
    "startOfHour": (_start(lambda at: at.replace(minute=0, second=0, microsecond=0)), 1, 3),
    "startOfMonth": (_start(lambda at: _midnight(at).replace(day=1)), 1, 3),
    "dayOfMonth": (_part(lambda at: at.day), 1, 1),
    "dayOfWeek": (_part(lambda at: at.isoweekday() % 7), 1, 1),
    "dayOfYear": (_part(lambda at: at.timetuple().tm_yday), 1, 1),
    "month": (_part(lambda at: at.month), 1, 1),
    "year": (_part(lambda at: at.year), 1, 1),
    "date": (_part(lambda at: f"{at.month}/{at.day:02}/{at.year:04}"), 1, 1),
    "getTimeOfDay": (_part(_time_of_day), 1, 1),
    "ticks": (_part(_ticks), 1, 1),
    "ticksToDays": (lambda _, ticks: whole(ticks, "ticksToDays") / 864_000_000_000, 1, 1),
    "ticksToHours": (lambda _, ticks: whole(ticks, "ticksToHours") / 36_000_000_000, 1, 1),
    "ticksToMinutes": (lambda _, ticks: whole(ticks, "ticksToMinutes") / 600_000_000, 1, 1),
    "dateTimeDiff": (lambda _, one, other: _ticks(moment(one)) - _ticks(moment(other)), 2, 2),
    "convertFromUTC": (_from_utc, 2, 4),
    "convertToUTC": (_to_utc, 2, 4),
    "isDateTime": (_is_moment, 1, 1),
}


def _at(value: Any) -> datetime:
    return _EPOCH + timedelta(seconds=min(max(value, -6e10), 2e11)) if is_number(value) else moment(value)
