"""Times as stores keep them: aware datetimes, or microseconds since 1970 UTC.

Columns of times are int64 microseconds, which pandas takes as they are.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = [
    "EPOCH",
    "FINITE",
    "UNKNOWN_TIME",
    "datetime_of",
    "micros_of",
    "micros_or_none",
    "micros_or_unknown",
    "time_of",
]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: The smallest int64: an unknown time in a column of microseconds. numpy shows it as NaT.
UNKNOWN_TIME: Final = -(2**63)
#: Microseconds; a time further from 1970 than this represents an infinity of PostgreSQL.
FINITE: Final = 2**60


def micros_of(time: datetime) -> int:
    """Return the microseconds since 1970 UTC of an aware datetime, exactly."""
    delta = time - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def micros_or_none(time: datetime | int | None) -> int | None:
    """Return the microseconds of a store's time; None for None and for an infinity."""
    if time is None or isinstance(time, int):
        return time
    return None if time.tzinfo is None else micros_of(time)


def micros_or_unknown(time: datetime | None) -> int:
    """Return the microseconds of a store's time for a column.

    None becomes ``UNKNOWN_TIME``, an infinity of PostgreSQL a number beyond ±``FINITE``.
    """
    if time is None:
        return UNKNOWN_TIME
    if time.tzinfo is None:
        return 2 * FINITE if time == datetime.max else -2 * FINITE
    return micros_of(time)


def time_of(micros: int) -> datetime:
    """Return the datetime of microseconds since 1970 UTC.

    PostgreSQL's infinities are naive datetimes (``datetime.max``, ``datetime.min``), as asyncpg
    returns them.
    """
    if abs(micros) > FINITE:
        return datetime.max if micros > 0 else datetime.min
    return datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000)


def datetime_of(time: datetime | int | None) -> datetime | None:
    """Return a store's time as an aware datetime; None where it is unknown or infinite."""
    if isinstance(time, int):
        return EPOCH + timedelta(microseconds=time)
    return time if time is not None and time.tzinfo is not None else None
