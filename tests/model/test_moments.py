"""Times and durations as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb.model.moments import parse_duration, parse_moment

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-24", DAY),
        (" 2026-11-24 ", DAY),
        ("20261124", DAY),
        (date(2026, 11, 24), DAY),
        ("2026-11-24 10:00", DAY.replace(hour=10)),
        ("2026-11-24T10:00:00Z", DAY.replace(hour=10)),
        ("2026-11-24 10:00+02:00", DAY.replace(hour=8)),
        (datetime(2026, 11, 24, 10), DAY.replace(hour=10)),
        (datetime(2026, 11, 24, 10, tzinfo=timezone(timedelta(hours=2))), DAY.replace(hour=8)),
        (pd.Timestamp("2026-11-24 10:00"), DAY.replace(hour=10)),
        ("2 days", NOW - timedelta(days=2)),
        ("2 days ago", NOW - timedelta(days=2)),
        ("2d", NOW - timedelta(days=2)),
        ("1 day 12 hours", NOW - timedelta(days=1.5)),
        ("1.5 h", NOW - timedelta(hours=1.5)),
        ("15 min", NOW - timedelta(minutes=15)),
        ("1 Week", NOW - timedelta(weeks=1)),
        (timedelta(hours=3), NOW - timedelta(hours=3)),
    ],
    ids=str,
)
def test_a_moment_is_what_a_person_means(written: object, meant: datetime):
    assert parse_moment(written, NOW) == meant


@pytest.mark.parametrize(
    "written",
    [
        *("", "yesterday-ish", "2", "2 moons", "days", "-2 days", "2 days x", "2026-13-01"),
        *(20261124, None, pd.NaT, timedelta(days=-1), "9" * 30 + " days", timedelta.max, True),
    ],
    ids=str,
)
def test_what_is_no_moment_is_refused_with_what_is_one(written: object):
    with pytest.raises(ValueError, match=r"is not a time|not negative|before the year 1"):
        parse_moment(written, NOW)


@pytest.mark.parametrize("written", ["", "2", "soon", "1 fortnight", "2 days ago", 3])
def test_what_is_no_duration_is_refused_with_what_is_one(written: str):
    with pytest.raises(ValueError, match='write "2 days"'):
        parse_duration(written)


def test_the_workbench_takes_what_people_write():
    wb = g.open("demo")
    frame = wb.sessions()
    edge = frame["updated_at"].median()
    wanted = frame[frame["updated_at"] >= edge]["id"].tolist()
    for written in (str(edge), edge.to_pydatetime(), edge.tz_localize(None), edge.isoformat()):
        assert wb.sessions(updated_since=written)["id"].tolist() == wanted
    assert len(wb.sessions(updated_since="1000 weeks")) == len(frame)
    assert len(wb.sessions(created_until="1000 weeks ago")) == 0
    assert len(wb.browse(updated_until=timedelta(weeks=1000)).listing.ids()) == 0
    with pytest.raises(
        g.QueryError, match=r"updated_since: 'noon' is not a time: write a datetime"
    ):
        wb.sessions(updated_since="noon")
