"""Times of stores: to microseconds and back, exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from graphflow_nb.model.times import (
    FINITE,
    UNKNOWN_TIME,
    datetime_of,
    micros_of,
    micros_or_none,
    micros_or_unknown,
    time_of,
)

MOMENTS = [
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_time_comes_back(moment):
    micros = micros_of(moment)
    assert time_of(micros) == datetime_of(micros) == moment
    assert micros_or_none(moment) == micros_or_unknown(moment) == micros


def test_another_time_zone_is_the_same_moment():
    east = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert micros_of(east) == micros_of(datetime(2026, 1, 1, tzinfo=UTC))


def test_an_unknown_time():
    assert micros_or_unknown(None) == UNKNOWN_TIME
    assert micros_or_none(None) is datetime_of(None) is None


@pytest.mark.parametrize("infinity", [datetime.max, datetime.min], ids=str)
def test_infinities_of_postgresql(infinity):
    micros = micros_or_unknown(infinity)
    assert abs(micros) > FINITE
    assert micros != UNKNOWN_TIME
    assert time_of(micros) == infinity
    assert datetime_of(infinity) is micros_or_none(infinity) is None
