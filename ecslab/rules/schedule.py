"""When a schedule expression runs: at(...), rate(...), cron(...).

Theory. `at` is one moment, `rate` a fixed distance from a start, `cron` six fields:
minutes, hours, day of month, month, day of week, year. Exactly one of the two day
fields is `?`. Fields take numbers, names, `*`, lists, ranges and steps; the day of
month also L (last), nW (nearest weekday) and LW, the day of week nL (last one of
the month) and n#k (the k-th). Sunday is 1. `at` and `cron` read the clock of an IANA
time zone, UTC unless told otherwise.

Choices of ours, where AWS documents none: a local time that daylight saving skips
does not happen, one that it repeats happens once; a `rate` without a start time
counts from the action's creation.

Sources: Application Auto Scaling User Guide, "Schedule recurring scaling actions
using cron expressions", "Example schedule expressions"; API Reference, PutScheduledAction.
"""
from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, timezone as fixed_zone
from functools import lru_cache
from typing import Callable, Iterable, Mapping
from zoneinfo import ZoneInfo

from .errors import EcsError


def refused(message: str) -> EcsError:
    return EcsError("ValidationException", message)


_MONTHS = {name.upper(): n for n, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: n for n, name in enumerate("SUN MON TUE WED THU FRI SAT".split(), start=1)}
_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_SCHEDULE = re.compile(r"(at|rate|cron)\((.*)\)")

DayTest = Callable[[date], bool]


@dataclass(frozen=True, slots=True)
class Cron:
    """cron(minutes hours day-of-month month day-of-week year)."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...]
    years: tuple[int, ...]
    falls_on: DayTest

    def days(self, first: date) -> Iterable[date]:
        """The matching days from `first` on."""
        for year in self.years:
            for month in self.months:
                if (year, month) >= (first.year, first.month):
                    every = (date(year, month, d + 1) for d in range(calendar.monthrange(year, month)[1]))
                    yield from (day for day in every if day >= first and self.falls_on(day))


def next_occurrence(
    schedule: str,
    after: float,
    timezone: str = "UTC",
    start: float | None = None,
    end: float | None = None,
    created: float = 0.0,
) -> float | None:
    """The first time later than `after` (epoch seconds) at which the schedule runs, between `start` and `end`.

    `at` and `cron` read the clock of `timezone`; `rate` counts from `start`, or from `created`.
    """
    kind, value = _parse_schedule(schedule)
    zone = _zone(timezone)
    if start is not None and after < start:
        after = start - 1e-6
    when = {"at": _next_at, "rate": _next_rate, "cron": _next_cron}[kind](
        value, after, zone, created if start is None else start
    )
    return None if when is None or (end is not None and when > end) else when


def check_schedule(schedule: str, timezone: str = "UTC") -> None:
    """EcsError unless the expression and the time zone are valid."""
    _parse_schedule(schedule)
    _zone(timezone)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise refused(f"Invalid time zone '{name}'. Use a name of the IANA time zone database.") from None


@lru_cache(maxsize=256)
def _parse_schedule(schedule: str) -> tuple[str, object]:
    found = _SCHEDULE.fullmatch(schedule.strip())
    try:
        if not found:
            raise ValueError("use at(...), rate(...) or cron(...)")
        return found[1], {"at": _at, "rate": _rate, "cron": _cron}[found[1]](found[2].strip())
    except ValueError as error:
        raise refused(f"Invalid schedule expression '{schedule}': {error}.") from None


def _at(text: str) -> datetime:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text):
        raise ValueError("use at(yyyy-mm-ddThh:mm:ss)")
    return datetime.fromisoformat(text)


def _rate(text: str) -> int:
    found = re.fullmatch(r"([1-9]\d*) (minute|hour|day)s?", text)
    if not found:
        raise ValueError("use rate(1 minute), rate(5 minutes), rate(1 hour), ...")
    return int(found[1]) * _UNITS[found[2]]


def _cron(text: str) -> Cron:
    fields = text.upper().split()
    if len(fields) != 6:
        raise ValueError("cron takes six fields: minutes, hours, day of month, month, day of week, year")
    minutes, hours, day_of_month, month, day_of_week, year = fields
    if (day_of_month == "?") == (day_of_week == "?"):
        raise ValueError("exactly one of day of month and day of week must be '?'")
    return Cron(
        minutes=_values(minutes, 0, 59),
        hours=_values(hours, 0, 23),
        months=_values(month, 1, 12, _MONTHS),
        years=_values(year, 1970, 2199),
        falls_on=_in_month(day_of_month) if day_of_week == "?" else _in_week(day_of_week),
    )


def _number(text: str, low: int, high: int, names: Mapping[str, int] | None = None) -> int:
    value = (names or {}).get(text)
    if value is None:
        if not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"'{text}' is not between {low} and {high}")
        value = int(text)
    return value


def _values(text: str, low: int, high: int, names: Mapping[str, int] | None = None) -> tuple[int, ...]:
    """Every value a field of numbers, lists, ranges and steps stands for."""
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            begin, end = low, high
        else:
            begin = _number(first, low, high, names)
            end = _number(last, low, high, names) if dash else (high if step else begin)
        if begin > end or ("/" in part and not re.fullmatch(r"[1-9]\d*", step)):
            raise ValueError(f"'{part}' is not a range of values")
        values.update(range(begin, end + 1, int(step or 1)))
    return tuple(sorted(values))


def _in_month(text: str) -> DayTest:
    """Day of month: numbers, L (the last day), nW (the weekday nearest to n), LW (the last weekday)."""
    if text == "L":
        return lambda day: day.day == _length(day)
    if text == "LW":
        return lambda day: day.day == _nearest_weekday(day, _length(day))
    if text.endswith("W"):
        near = _number(text[:-1], 1, 31)
        return lambda day: near <= _length(day) and day.day == _nearest_weekday(day, near)
    days = set(_values(text, 1, 31))
    return lambda day: day.day in days


def _in_week(text: str) -> DayTest:
    """Day of week, 1 is Sunday: numbers and names, nL (the last one of the month), n#k (the k-th one)."""
    if text.endswith("L"):
        last = _number(text[:-1] or "7", 1, 7, _DAYS)
        any_week = text == "L"
        return lambda day: _weekday(day) == last and (any_week or day.day > _length(day) - 7)
    if "#" in text:
        name, _, which = text.partition("#")
        wanted, nth = _number(name, 1, 7, _DAYS), _number(which, 1, 5)
        return lambda day: _weekday(day) == wanted and (day.day - 1) // 7 + 1 == nth
    days = set(_values(text, 1, 7, _DAYS))
    return lambda day: _weekday(day) in days


def _weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1


def _length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(month: date, number: int) -> int:
    """Never leaves the month: a Saturday the 1st means the 3rd, a Sunday at the end the Friday before."""
    weekday = _weekday(month.replace(day=number))
    if weekday == 7:
        return number - 1 if number > 1 else number + 2
    if weekday == 1:
        return number + 1 if number < _length(month) else number - 2
    return number


def _next_at(when: datetime, after: float, zone: ZoneInfo, anchor: float) -> float | None:
    moment = when.replace(tzinfo=zone).timestamp()
    return moment if moment > after else None


def _next_rate(seconds: int, after: float, zone: ZoneInfo, anchor: float) -> float:
    if after < anchor:
        return anchor
    return anchor + ((after - anchor) // seconds + 1) * seconds


def _next_cron(cron: Cron, after: float, zone: ZoneInfo, anchor: float) -> float | None:
    for day in cron.days(datetime.fromtimestamp(after, zone).date()):
        for hour in cron.hours:
            for minute in cron.minutes:
                local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                if local.timestamp() > after and _exists(local):
                    return local.timestamp()
    return None


def _exists(local: datetime) -> bool:
    there_and_back = local.astimezone(fixed_zone.utc).astimezone(local.tzinfo)
    return there_and_back.replace(tzinfo=None) == local.replace(tzinfo=None)
