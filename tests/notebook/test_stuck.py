"""``wb.stuck``: sessions that no one has saved for long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.waiting import Waits, describe_left_out


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
    with pytest.warns(UserWarning, match="showing the 3 longest untouched of 10 sessions"):
        assert len(wb.stuck("1 min", task="await_documents", status="waiting", limit=3)) == 3


def test_what_is_usual_differs_by_task():
    now = datetime.now(UTC)
    sessions = []
    for task, hours in (
        ("slow", [20, 30, 40, 50, 1000]),
        ("fast", [1, 1, 1, 1, 30]),
        ("rare", [99]),
    ):
        for number, hour in enumerate(hours):
            session = g.Session(f"{task}{number}", task, graph_id="g", status_message=f"{hour}")
            session.raw_created = session.raw_updated = now - timedelta(hours=hour)
            session.version = 1
            sessions.append(session)
    wb = g.wrap(g.InMemorySessionStorage.from_sessions(sessions))
    with pytest.warns(UserWarning, match="not compared: g/rare, with fewer than 5 sessions"):
        found = wb.stuck("usual")
    assert found["id"].tolist() == ["slow4", "fast4"]
    assert list(found.columns)[6:9] == ["updated_at", "untouched_for", "usual"]
    assert found["usual"].dt.total_seconds().tolist() == [48 * 3600, 2 * 3600]
    assert (found["untouched_for"] > 10 * found["usual"]).all()
    assert str(found["current_task_id"].dtype) == "category"
    assert found.index.tolist() == [0, 1]
    with pytest.warns(UserWarning, match="showing the 1 longest untouched of 2 sessions"):
        assert wb.stuck("usual", limit=1)["id"].tolist() == ["slow4"]
    assert wb.stuck("usual", task="fast")["id"].tolist() == ["fast4"]
    none = wb.stuck("usual", task="fast", status="nothing")
    assert len(none) == 0
    assert [*map(str, none.dtypes)] == [*map(str, found.dtypes)]


@pytest.mark.parametrize("wrong", ["soon", "-1 day", "", 5, None, timedelta(days=-1)])
def test_what_is_no_duration_is_refused(wb: g.Workbench, wrong: object):
    with pytest.raises(g.QueryError, match="longer_than: "):
        wb.stuck(wrong)  # type: ignore[arg-type]


def test_of_a_part_it_says_that_rare_tasks_may_be_missing():
    waits = Waits([], 0.25, False, "estimated from 100 sessions in 25 % of the store")
    assert describe_left_out(waits) == (
        "what is usual is estimated from 100 sessions in 25 % of the store: a task at which few "
        "are stuck may be missing"
    )
