"""``wb.stuck``: sessions that no one has saved for long."""

from __future__ import annotations

from datetime import timedelta

import pytest

import graphflow_nb as g


@pytest.fixture
def wb() -> g.Workbench:
    return g.open("demo")


def test_the_longest_untouched_come_first(wb: g.Workbench):
    everything = wb.sessions()
    found = wb.stuck("1 day")
    old = everything[everything["updated_at"] < found["updated_at"].max()]
    assert 0 < len(found) == len(old) + 1 < len(everything)
    assert found["untouched_for"].is_monotonic_decreasing
    assert (found["untouched_for"] > timedelta(days=1)).all()
    assert found["untouched_for"].dtype == "timedelta64[us]"
    assert list(found.columns).index("untouched_for") == list(found.columns).index("updated_at") + 1
    assert wb.stuck(timedelta(days=1))["id"].tolist() == found["id"].tolist()


def test_it_takes_the_filters_of_sessions(wb: g.Workbench):
    found = wb.stuck("1 min", graph="claims", task="await_documents", status="waiting")
    assert set(found["current_task_id"]) == {"await_documents"}
    assert len(found) == 10
    assert len(wb.stuck("100 weeks")) == 0


def test_a_bound_is_said(wb: g.Workbench):
    with pytest.warns(UserWarning, match="showing the 3 longest untouched sessions"):
        assert len(wb.stuck("1 min", limit=3)) == 3


@pytest.mark.parametrize("wrong", ["soon", "-1 day", "", 5, None, timedelta(days=-1)])
def test_what_is_no_duration_is_refused(wb: g.Workbench, wrong: object):
    with pytest.raises(g.QueryError, match="longer_than: "):
        wb.stuck(wrong)  # type: ignore[arg-type]
