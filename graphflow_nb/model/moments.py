"""Moments and durations as people write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

__all__ = ["Moment", "parse_duration", "parse_moment"]

#: A time as a person writes it; ``parse_moment`` reads it.
Moment = datetime | date | timedelta | str

_UNITS: Final = {
    "us": timedelta(microseconds=1),
    "µs": timedelta(microseconds=1),  # the micro sign
    "μs": timedelta(microseconds=1),  # the Greek letter, as which it is often written
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "sec": timedelta(seconds=1),
    "second": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "minute": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "hour": timedelta(hours=1),
    "d": timedelta(days=1),
    "day": timedelta(days=1),
    "w": timedelta(weeks=1),
    "week": timedelta(weeks=1),
}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zµμ]+)[\s,]*")
_WORDS: Final = '"2 days", "36 hours", "15 min", "1.5 h"'


def parse_duration(value: str | timedelta) -> timedelta:
    """Return a duration that a person wrote.

    Example:
        >>> parse_duration("2 days") == parse_duration("1 day 24 h") == timedelta(days=2)
        True

    Args:
        value: Numbers with a unit each (µs, ms, s, min, hours, days, weeks), or a timedelta.

    Raises:
        ValueError: It is not a duration >= 0, and how one is written.
    """
    if isinstance(value, timedelta):
        duration = value
    else:
        duration, place = timedelta(0), 0
        text = value.strip().lower() if isinstance(value, str) else ""
        while (found := _PART.match(text, place)) is not None:
            unit = _UNITS.get(found[2]) or _UNITS.get(found[2].removesuffix("s"))
            if unit is None:
                break
            try:
                duration += float(found[1]) * unit
            except OverflowError as error:
                raise ValueError(f"{value!r} is longer than any time that is stored") from error
            place = found.end()
        if not text or place < len(text):
            raise ValueError(f"{value!r} is not a duration: write {_WORDS}")
    if duration < timedelta(0):
        raise ValueError(f"a duration is not negative: {value!r}")
    return duration


def parse_moment(value: object, now: datetime | None = None) -> datetime:
    """Return the moment that a person wrote, as an aware datetime.

    What has no time zone is read as UTC, as all times are shown.

    Example:
        >>> parse_moment("2026-11-24")
        datetime.datetime(2026, 11, 24, 0, 0, tzinfo=datetime.timezone.utc)
        >>> parse_moment("2 days ago", now=datetime(2026, 11, 24, tzinfo=UTC)).day
        22

    Args:
        value: A datetime, a date (its first moment), a time of ISO 8601 as text, or a duration,
            as text or timedelta, which is counted back from now.
        now: The time from which a duration is counted back. Default: the time of this call.

    Raises:
        ValueError: It is none of these.
    """
    if isinstance(value, datetime):
        if value != value:  # NaT of pandas
            raise ValueError(f"{value!r} is not a time")
        return value if value.utcoffset() is not None else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, timedelta):
        return _count_back(parse_duration(value), now)
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a time: write {_MOMENTS}")
    text = value.strip()
    try:
        return parse_moment(datetime.fromisoformat(text))
    except ValueError:
        pass
    try:
        return _count_back(parse_duration(re.sub(r"\s+ago$", "", text)), now)
    except ValueError as error:
        raise ValueError(f"{value!r} is not a time: write {_MOMENTS}") from error


_MOMENTS: Final = (
    'a datetime, "2026-11-24", "2026-11-24 10:00", "2026-11-24 10:00+01:00" (without a time zone '
    'it is UTC), or how long ago: "2 days", timedelta(hours=3)'
)


def _count_back(duration: timedelta, now: datetime | None) -> datetime:
    try:
        return (now or datetime.now(UTC)) - duration
    except OverflowError as error:
        raise ValueError(f"{duration!r} ago is before the year 1") from error
