"""A number of sessions takes little time, and says how it is known."""

from __future__ import annotations

import asyncio

import pytest

import graphflow_nb as g
from graphflow_nb import Query, Session
from graphflow_nb.storage import estimates
from graphflow_nb.storage.estimates import Estimate, count_groups_briefly, estimate_count

from .postgres.kit import connect, execute


class Slow(g.InMemorySessionStorage):
    """Counts until it is cancelled."""

    suspends = True

    async def count(self, query):
        await asyncio.Event().wait()

    counts = count


class Estimating(Slow):
    about = 1_234_567

    async def estimate(self):
        return self.about


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(estimates, "COUNT_SECONDS", 0.01)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(1_234_567), "1,234,567"),
        (Estimate(999_999, "about"), "about 1,000,000"),
        (Estimate(412_345, "about"), "about 410,000"),
        (Estimate(12_345_678, "about"), "about 12.3 million"),
        (Estimate(10_000, "more than"), "more than 10,000"),
    ],
)
def test_how_a_number_is_known_is_said(estimate, text):
    assert str(estimate) == text


def test_what_is_cheap_is_counted(run):
    storage = g.InMemorySessionStorage.from_sessions([Session("a", "t")])
    assert run(estimate_count(storage, Query())) == (1, "exactly")
    assert run(count_groups_briefly(storage))[0].sessions == 1


def test_what_takes_long_is_estimated(brief, run):
    assert run(estimate_count(Slow(), Query(), seen=7)) == (7, "more than")
    assert run(estimate_count(Estimating(), Query())) == (1_234_567, "about")
    # The estimate is of all sessions, not of those that a filter selects.
    assert run(estimate_count(Estimating(), Query(task="t"), seen=7)) == (7, "more than")
    assert run(count_groups_briefly(Estimating())) == (1_234_567, "about")


def test_the_card_of_a_large_store_says_about_how_many_and_counts_once(brief):
    counted = []

    class Counted(Estimating):
        async def counts(self, query):
            counted.append(query)
            await super().counts(query)

    wb = g.wrap(Counted())
    shown = wb._repr_mimebundle_()
    assert len(counted) == 1
    assert "about 1.2 million sessions; wb.summary() counts them" in shown["text/plain"]
    assert "about 1.2 million" in shown["text/html"]
    assert shown == {"text/plain": repr(wb), "text/html": wb._repr_html_()}


def test_a_table_estimates_by_its_statistics(database, run):
    storage = run(connect(database))
    run(storage.save(Session("a", "t")))
    assert run(estimate_count(storage, Query())) == (1, "exactly")
    run(execute(database, "UPDATE pg_class SET reltuples = 2e6 WHERE relname = 'sessions'"))
    assert run(estimate_count(storage, Query())) == (2_000_000, "about")
    assert run(estimate_count(storage, Query(task="t"))) == (1, "exactly")
    run(storage.close())
