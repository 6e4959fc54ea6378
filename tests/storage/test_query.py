"""Queries: what is refused, and the filters by which people name them."""

from __future__ import annotations

import inspect
import json
import math
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb import Query
from graphflow_nb.storage.query import FILTERS


@pytest.mark.parametrize(
    "wrong",
    [
        {"order": "name"},
        {"order": 7},
        {"graph": "a\0b"},
        {"ids": "a"},
        {"ids": ["a"] * 10_001},
        {"limit": -1},
        {"limit": 1.5},
        {"graph": 7},
        {"updated_since": datetime(2026, 1, 1)},
        {"updated_since": "2026"},
        {"context": {"": 1}},
        {"context": {"a": math.nan}},
        {"has": [()]},
        {"has": [("a", 1)]},
        {"has": None},
        {"has": [5]},
        {"context": "a"},
        {"context": {5: 1}},
        {"order": None},
        {"after": "x"},
        {"after": {"order": "-updated_at", "id": "a", "time": "2026-01-01"}},
        {"after": {"order": "-updated_at", "id": "a"}},
        {"after": {"order": "-updated_at", "id": 7, "time": None}},
        {"after": {"order": "-updated_at", "id": "\ud800", "time": None}},
        {"after": {"order": "-updated_at", "id": "a", "time": "soon"}},
        {"limit": True},
        {"limit": "7"},
        {"limit": float("inf")},
        {"updated_since": date(2026, 1, 1)},
        {"updated_since": pd.NaT},
        {"created_until": pd.Timestamp("2026-01-01")},
        {"updated_since": datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))},
        {"updated_until": datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))},
        {"created_since": datetime.max.replace(tzinfo=ZoneInfo("America/New_York"))},
        {"context": {"a": "\ud800"}},
        {"context": {"a": math.inf}},
        {"context": {"a": {1, 2}}},
        {"context": {"a": object()}},
        {"context": {f"k{i}": i for i in range(101)}},
        {"order": "id", "after": g.Cursor("-id", "a")},
    ],
    # Not by an address, which is another one in each process that shares the run.
    ids=lambda wrong: str(wrong).partition(" at 0x")[0][:60],
)
def test_an_invalid_query_is_refused(wrong):
    with pytest.raises(g.QueryError):
        Query(**wrong)


def test_filters_are_the_conditions_of_a_query():
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    filters = {
        **dict.fromkeys(("graph", "task", "status", "text", "id_prefix"), "a"),
        "ids": ["a"],
        "updated_since": moment,
        "updated_until": moment,
        "created_since": moment,
        "created_until": moment,
        "where": {"a": 1},
        "has": ["b"],
        "lacks": ["c"],
        "compare": [("d", ">", 1)],
        "ignore_case": True,
    }
    assert tuple(filters) == FILTERS
    query = Query.from_filters(filters, order="id", limit=3, after=g.Cursor("id", "a"))
    assert query.context == {"a": 1}
    assert (query.order, query.limit, query.after) == ("id", 3, g.Cursor("id", "a"))
    for name in FILTERS:
        if name != "where":
            assert getattr(query, name) == filters[name]
    assert {f.name for f in fields(Query)} - {"context", *FILTERS} == {"order", "limit", "after"}


def test_a_query_names_its_filters():
    assert Query().filters == ()
    assert Query(graph="", limit=3).filters == ("graph",)
    assert Query(context={"a": None}, has=["b"], ids=[]).filters == ("ids", "where", "has")


def test_no_filters_select_all():
    assert Query.from_filters({}) == Query()
    assert Query.from_filters(dict.fromkeys(FILTERS) | {"has": ()}) == Query()


@pytest.mark.parametrize("name", ["context", "order", "limit", "after", "colour"])
def test_an_unknown_filter_is_refused(name):
    with pytest.raises(g.QueryError, match=f"unknown filter {name}: use graph, task, .*, has"):
        Query.from_filters({"graph": "a", name: "b"})


def test_the_workbench_takes_every_filter():
    taken = inspect.signature(g.open("memory:").sessions).parameters
    assert set(FILTERS) <= set(taken)


def test_one_more_than_the_largest_limit():
    assert Query(limit=5).one_more().limit == 6
    assert Query(limit=2**63 - 1).one_more().limit == 2**63 - 1
    assert Query().one_more().limit is None


@pytest.mark.parametrize("moment", [datetime.min, datetime.max])
def test_times_at_the_ends_of_their_range_are_moments_in_utc(moment):
    inside = moment.replace(tzinfo=timezone(timedelta(hours=5 if moment.year > 1 else -5)))
    query = Query(updated_since=inside, after=g.Cursor("-updated_at", "a", inside))
    assert query.updated_since == inside == query.after.time
    assert query.updated_since.utcoffset() == timedelta(0)


def test_a_timestamp_of_pandas_is_a_datetime_rounded_up_to_the_microsecond():
    exact = Query(updated_since=pd.Timestamp("2026-01-01T12:00:00.000001+02:00")).updated_since
    assert type(exact) is datetime
    assert exact == datetime(2026, 1, 1, 10, 0, 0, 1, UTC)
    later = pd.Timestamp("2026-01-01T12:00:00.000001001+02:00")
    assert Query(created_until=later).created_until == exact + timedelta(microseconds=1)


def test_limits_are_integers_of_any_size():
    assert Query(limit=np.int64(5)).limit == 5
    assert type(Query(limit=np.int64(5)).limit) is int
    assert Query(limit=0).limit == 0
    assert Query(limit=10**30).limit == 2**63 - 1


@pytest.mark.parametrize("time", [None, datetime(2026, 1, 1, tzinfo=UTC), datetime.max])
def test_a_cursor_travels_as_json(time):
    cursor = g.Cursor("-updated_at", "a\0é", time)
    plain = json.loads(json.dumps(cursor.to_plain()))
    assert Query(after=plain).after == cursor == g.Cursor.from_plain(plain)


def test_a_naive_time_of_a_cursor_is_refused():
    with pytest.raises(g.QueryError, match="time zone"):
        g.Cursor("-updated_at", "a", datetime(2026, 1, 1))


def test_ids_may_be_a_column_of_a_frame():
    for ids in (pd.Series(["a", "b"]), np.array(["a", "b"]), iter("ab"), {"a": 1, "b": 2}):
        assert Query(ids=ids).ids == ["a", "b"]
    with pytest.raises(g.QueryError, match="each a text"):
        Query(ids=pd.Series(["a", None]))
