"""Times as stores keep them: aware datetimes, or microseconds since 1970 UTC.

Columns of times are int64 microseconds, which pandas takes as they are. A store may hold times that
Python's datetime can't: those stay numbers, and ``describe_time`` writes them for people.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = [
    "EPOCH",
    "FINITE",
    "FIRST",
    "LAST",
    "UNKNOWN_TIME",
    "clip_micros",
    "datetime_of",
    "describe_time",
    "is_datetime",
    "micros_of",
    "micros_or_none",
    "micros_or_unknown",
    "time_of",
]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: The smallest int64: an unknown time in a column of microseconds. numpy shows it as NaT.
UNKNOWN_TIME: Final = -(2**63)
#: Microseconds; a time further from 1970 than this represents an infinity of PostgreSQL.
FINITE: Final = 2**63 - 2
#: The first and the last microsecond of Python's datetime.
FIRST: Final = -62_135_596_800_000_000
LAST: Final = 253_402_300_799_999_999


def micros_of(time: datetime) -> int:
    """Return the microseconds since 1970 UTC of an aware datetime, exactly."""
    delta = time - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def micros_or_none(time: datetime | int | None) -> int | None:
    """Return the microseconds of a store's time; None for None and for an infinity."""
    if time is None or isinstance(time, int):
        return time
    return None if time.tzinfo is None else micros_of(time)


def micros_or_unknown(time: datetime | int | None) -> int:
    """Return the microseconds of a store's time for a column.

    None becomes ``UNKNOWN_TIME``, an infinity of PostgreSQL a number beyond ±``FINITE``.
    """
    if time is None:
        return UNKNOWN_TIME
    if isinstance(time, int):
        return clip_micros(time)
    if time.tzinfo is None:
        return FINITE + 1 if time == datetime.max else -FINITE - 1
    return micros_of(time)


def clip_micros(micros: float) -> int:
    """Return a number of microseconds as a column of int64 can hold it; infinities stay."""
    if abs(micros) <= FINITE + 1:
        return int(micros)
    return FINITE if micros > 0 else -FINITE


def is_datetime(micros: float) -> bool:
    """Return whether a number of microseconds since 1970 UTC is a time of Python's datetime."""
    return FIRST <= micros <= LAST


def time_of(micros: int) -> datetime | int:
    """Return the datetime of microseconds since 1970 UTC; the number if no datetime can hold it.

    PostgreSQL's infinities are naive datetimes (``datetime.max``, ``datetime.min``), as asyncpg
    returns them.
    """
    if FIRST <= micros <= LAST:
        return EPOCH + timedelta(microseconds=micros)
    if abs(micros) > FINITE:
        return datetime.max if micros > 0 else datetime.min
    return micros


def datetime_of(time: datetime | int | None) -> datetime | None:
    """Return a store's time as an aware datetime; None where it is unknown, or none can hold it."""
    if isinstance(time, int):
        return EPOCH + timedelta(microseconds=time) if FIRST <= time <= LAST else None
    return time if time is not None and time.tzinfo is not None else None


def describe_time(micros: int) -> str:
    """Return a time for people, as PostgreSQL writes and reads it, whatever its year.

    Example:
        >>> describe_time(-62_200_000_000_000_000)
        '0003-12-17 14:13:20+00 BC'
    """
    if abs(micros) > FINITE:
        return "infinity" if micros > 0 else "-infinity"
    seconds, fraction = divmod(micros, 1_000_000)
    days, seconds = divmod(seconds, 86_400)
    # The calendar repeats after 400 years, which are 146,097 days.
    cycles, days = divmod(days, 146_097)
    date = datetime(1970, 1, 1) + timedelta(days=days)
    year = date.year + 400 * cycles
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    clock += f".{fraction:06}" if fraction else ""
    era = "" if year > 0 else " BC"
    return f"{year if year > 0 else 1 - year:04}-{date:%m-%d} {clock}+00{era}"
