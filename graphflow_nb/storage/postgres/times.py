"""Times as PostgreSQL has them, which go further than Python's datetime.

asyncpg's own decoder raises for a year before 1 or after 9999, also after the statement has written
a row, and its encoder sends the ends of datetime's range as infinities.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import asyncpg

from ...model.times import EPOCH, FIRST, LAST, micros_of

__all__ = ["EPOCH_2000", "INFINITY", "decode_time", "read_times_exactly"]

#: PostgreSQL counts µs from 2000-01-01.
EPOCH_2000: Final = 946_684_800_000_000
INFINITY: Final = 2**63 - 1
_EPOCH_2000: Final = EPOCH + timedelta(microseconds=EPOCH_2000)


async def read_times_exactly(connection: asyncpg.Connection) -> None:
    """Make a connection read and write every time that the server can hold."""
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", encoder=_encode, decoder=_decode, format="tuple"
    )


def decode_time(micros: int) -> datetime | int:
    """Return the time of µs since 2000: an aware datetime, or what else stands for it.

    An infinity is ``datetime.max`` or ``datetime.min``, naive as with asyncpg. A time that a
    datetime can't hold is an int, µs since 1970 UTC.
    """
    since_1970 = micros + EPOCH_2000
    if FIRST <= since_1970 <= LAST:
        return EPOCH + timedelta(microseconds=since_1970)
    if micros == INFINITY:
        return datetime.max
    return datetime.min if micros == -INFINITY - 1 else since_1970


def _decode(parts: tuple[int]) -> datetime | int:
    # One call for each time that is read: so asyncpg's own decoder is no faster.
    try:
        return _EPOCH_2000 + timedelta(0, 0, parts[0])
    except OverflowError:
        return decode_time(parts[0])


def _encode(time: datetime | int) -> tuple[int]:
    if isinstance(time, int):
        return (max(-INFINITY, min(INFINITY - 1, time - EPOCH_2000)),)
    if time.tzinfo is None:
        if time == datetime.max:
            return (INFINITY,)
        if time == datetime.min:
            return (-INFINITY - 1,)
        time = time.astimezone()  # as asyncpg does
    return (micros_of(time) - EPOCH_2000,)
