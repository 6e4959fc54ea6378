"""Queries: what is refused, and the filters by which people name them."""

from __future__ import annotations

import inspect
import math
from dataclasses import fields
from datetime import UTC, datetime

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
        {"after": g.Cursor("-updated_at", "a", datetime(2026, 1, 1))},
        {"order": "id", "after": g.Cursor("-id", "a")},
    ],
    ids=str,
)
def test_an_invalid_query_is_refused(wrong):
    with pytest.raises((g.QueryError, g.ContextError)):
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
    }
    assert tuple(filters) == FILTERS
    query = Query.from_filters(filters, order="id", limit=3, after=g.Cursor("id", "a"))
    assert query.context == {"a": 1}
    assert (query.order, query.limit, query.after) == ("id", 3, g.Cursor("id", "a"))
    for name in FILTERS:
        if name != "where":
            assert getattr(query, name) == filters[name]
    assert {f.name for f in fields(Query)} - {"context", *FILTERS} == {"order", "limit", "after"}


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
