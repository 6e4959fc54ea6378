"""How a page is found depends on how many of the first rows are hits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from graphflow_nb import Query
from graphflow_nb.storage.postgres import pages
from graphflow_nb.storage.postgres.pages import Pages
from graphflow_nb.storage.postgres.selects import DIRECT, SORTED, Way

APART = Way(apart=True, tried=1_000)
PROBE = Way(walk=1_000)
FIRST = Way(walk=5_000, sorts=True)


@pytest.mark.parametrize(
    ("every", "ways"),
    [
        (1, [PROBE]),
        (9, [PROBE]),
        (50, [PROBE, Way(walk=7_500)]),
        (2_000, [PROBE, APART]),
        (10**9, [PROBE, APART]),
    ],
)
@pytest.mark.parametrize("filters", [{"text": "a"}, {"context": {"a": 1}}, {"has": ["a"]}])
def test_common_sessions_are_walked_to_and_rare_ones_looked_up(
    every, ways, filters, run, monkeypatch
):
    query = Query(limit=100, **filters)
    assert _find(query, every, run, monkeypatch, effort="walk") == ways
    inside = "text" not in filters
    sort = SORTED._replace(tried=5_000 if inside else 0)
    tried = [] if inside and every <= 50 else [sort]
    assert _find(query, every, run, monkeypatch, effort="sort") == [FIRST] * inside + tried
    assert _find(query, every, run, monkeypatch, effort="any") == [DIRECT]


@pytest.mark.parametrize(
    "query",
    [
        Query(limit=100, task="t", graph="g"),
        Query(limit=100, ids=["a"], text="a"),
        Query(text="a"),
        Query(limit=0, text="a"),
        Query(limit=10, updated_since=datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_what_the_server_has_statistics_on_is_left_to_it(query, run, monkeypatch):
    assert _find(query, 10**9, run, monkeypatch, effort="walk") == [DIRECT]


def test_a_condition_of_the_read_itself_is_searched_for(run, monkeypatch):
    found = _find(Query(limit=100, task="t"), 10**9, run, monkeypatch, effort="walk", searched=True)
    assert found == [PROBE, APART]


def _find(
    query: Query,
    every: int,
    run: Any,
    monkeypatch: Any,
    *,
    effort: str,
    scans: bool = True,
    **named: Any,
) -> list[Way]:
    """Return the ways that are tried where one row in so many is a hit."""
    tried: list[Way] = []

    async def fetch(way: Way) -> int:
        tried.append(way)
        return min(query.limit or 0, (way.walk or 10**6) // every)

    class Selects:
        def explain_order(self, query: Query) -> str:
            return ""

        def explain_conditions(self, query: Query) -> str:
            return ""

    async def judge_order(*_: Any) -> str:
        return effort

    async def goes_through_all(*_: Any) -> bool:
        return scans

    monkeypatch.setattr(pages, "judge_order", judge_order)
    monkeypatch.setattr(pages, "goes_through_all", goes_through_all)
    run(Pages().find(None, Selects(), query, fetch, int, **named))  # type: ignore[arg-type]
    return tried
