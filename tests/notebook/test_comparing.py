"""Two runs aligned step by step, and two groups of runs."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphflow_nb as g
from graphflow_nb.history import HistoryStorage
from graphflow_nb.notebook import comparing
from graphflow_nb.notebook.cohorts import CohortComparison
from graphflow_nb.notebook.comparing import RunComparison
from graphflow_nb.notebook.visits import Visit, align

T = pd.Timestamp("2026-11-24", tz="UTC")


def visits(tasks: str) -> list[Visit]:
    return [
        Visit(task, tasks[: n + 1].count(task), T, T, (n + 1, n + 1), False)
        for n, task in enumerate(tasks)
    ]


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_each_visit_is_in_one_row_and_those_of_one_key_are_beside_each_other(one, other):
    rows = align(visits(one), visits(other))
    assert [a for a, _ in rows if a is not None] == visits(one)
    found = [b for _, b in rows if b is not None]
    assert sorted(found, key=lambda v: v.versions) == visits(other)
    keys = [(a or b).key for a, b in rows]
    assert len(set(keys)) == len(keys)
    assert all(a.key == b.key for a, b in rows if a is not None and b is not None)


@pytest.fixture
def wb() -> g.Workbench:
    """Two claims that go the same way until the decision, and then part."""
    wb = g.wrap(HistoryStorage(g.InMemorySessionStorage()))
    for id, amount, way in (
        ("claim-14", 9_000, ("checks", "decide", "review")),
        ("claim-15", 80, ("checks", "decide", "payout")),
    ):
        session = wb.create(id, "intake", graph_id="claims", context={"amount": amount})
        for task in way:
            session.current_task_id = task
            session.context[f"by {task}"] = task
            if task == "decide":
                session.context["approved"] = amount < 1_000
                session.context.add_assistant_message(f"decided on {amount}")
            wb.save(session)
    session.status_message = "Task 'payout' failed: no account"
    wb.save(session)
    return wb


def test_it_says_where_they_parted_and_what_differed_before(wb: g.Workbench):
    found = wb.compare_runs("claim-14", "claim-15")
    assert isinstance(found, RunComparison)
    assert found.parted == "after decide: claim-14 went to review, claim-15 to payout"
    frame = found.frame
    assert frame["task"].tolist() == ["intake", "checks", "decide", "review", "payout"]
    assert frame["differs"].tolist() == [
        "amount", "", "approved, chat", "only claim-14", "only claim-15",
    ]  # fmt: skip
    assert frame["version_b"].tolist()[:3] == [1, 2, 3]
    assert frame.loc[4, "version_b"] == 5  # two versions at one task are one visit
    assert pd.isna(frame.loc[4, "duration_a"])
    assert (
        frame["difference"].dropna() == (frame["duration_b"] - frame["duration_a"]).dropna()
    ).all()
    for html in (repr(found), found.to_html(), found.to_html("dark")):
        shown = re.sub('base64,[^"]*', "", html)
        assert "claim-14 went to review" in shown
        assert not any(odd in shown for odd in ("NaT", "&lt;NA&gt;", "<NA>", " days "))
    picture = found.plot()
    assert "Sessions over time, n = 2" in picture.said
    assert picture.get_xlabel().endswith("as if both had begun then")


def test_messages_that_differ_in_their_times_alone_are_the_same(wb: g.Workbench):
    for id in ("one", "two"):
        session = wb.create(id, "intake")
        session.context.add_user_message("hello")
        wb.save(session)
    assert wb.compare_runs("one", "two").frame["differs"].tolist() == [""]
    session.context.add_assistant_message("good day")
    wb.save(session)
    assert wb.compare_runs("one", "two").frame["differs"].tolist() == ["chat"]


def test_a_step_that_can_not_be_compared_hides_no_other(wb: g.Workbench):
    for id in ("claim-14", "claim-15"):
        (row,) = wb.bridge.run(wb.archive.table.read(id, limit=1))
        odd = row._replace(context="{", patch=None, current_task_id="odd", at=row.at + 1)
        wb.bridge.run(wb.archive.append([odd]))
    differs = wb.compare_runs("claim-14", "claim-15").frame["differs"].tolist()
    assert differs[:3] == ["amount", "", "approved, chat"]
    assert differs[-1].startswith("not compared: the context can't be read")
    frame = wb.history("claim-14")
    assert "can't be compared: one is not JSON" in frame.attrs["note"]
    assert frame["current_task_id"].tolist()[:2] == ["odd", "review"]


def test_large_contexts_are_compared_up_to_a_bound_that_is_said(
    wb: g.Workbench, monkeypatch: pytest.MonkeyPatch
):
    first = int(wb.history("claim-14").loc[1, "context_bytes"])
    monkeypatch.setattr(comparing, "MAX_BYTES", first + 1)
    monkeypatch.setattr(comparing, "PORTION", 1)
    monkeypatch.setattr(comparing, "MAX_PORTION", 1)
    found = wb.compare_runs("claim-14", "claim-15")
    assert found.frame["differs"].tolist()[:3] == ["amount", "", "not compared"]
    assert "of claim-14 the contexts of the first 2 of 4 steps are compared" in found.note
    assert found.note in repr(found)
    assert found.parted == "after decide: claim-14 went to review, claim-15 to payout"


def test_two_runs_of_the_same_way_did_not_part(wb: g.Workbench):
    wb.fork("claim-14", 1, as_id="claim-16")
    found = wb.compare_runs("claim-14", "claim-16")
    assert found.parted == "after intake: claim-14 went on to checks, claim-16 is there still"
    session = wb.get("claim-16")
    for task in ("checks", "decide", "review"):
        session.current_task_id = task
        wb.save(session)
    again = wb.compare_runs("claim-14", "claim-16")
    assert again.parted == ""
    assert "they went the same way" in repr(again)


def test_a_fork_parts_from_its_origin_where_it_goes_another_way(wb: g.Workbench):
    session = wb.fork("claim-14", 3, as_id="claim-17").session
    session.current_task_id = "payout"
    wb.save(session)
    for ids, ways in (
        (("claim-14", "claim-17"), "claim-14 went to review, claim-17 to payout"),
        (("claim-17", "claim-14"), "claim-17 went to payout, claim-14 to review"),
    ):
        assert wb.compare_runs(*ids).parted == f"after decide: {ways}"


def test_a_fork_that_begins_at_another_task_parts_at_the_fork(wb: g.Workbench):
    changes = [{"op": "replace", "path": "/current_task_id", "value": "payout"}]
    wb.fork("claim-14", 3, changes=changes, as_id="claim-18")
    for ids, ways in (
        (("claim-14", "claim-18"), "claim-14 went to decide, claim-18 to payout"),
        (("claim-18", "claim-14"), "claim-18 went to payout, claim-14 to decide"),
    ):
        assert wb.compare_runs(*ids).parted == f"at the fork: {ways}"


def test_a_fork_from_a_second_visit_is_compared_from_there_on(wb: g.Workbench):
    session = wb.create("loop", "ask")
    for task in ("answer", "ask", "answer", "end"):
        session.current_task_id = task
        wb.save(session)
    fork = wb.fork("loop", 3, as_id="fork").session
    for task in ("answer", "other"):
        fork.current_task_id = task
        wb.save(fork)
    assert wb.compare_runs("loop", "fork").parted == "after answer: loop went to end, fork to other"


def test_groups_of_runs(wb: g.Workbench):
    ids = wb.sessions()["id"]
    found = wb.compare_runs(ids[ids == "claim-14"], ["claim-15"])
    assert isinstance(found, CohortComparison)
    assert found.failures == ((1, 0), (1, 1))
    ends = found.ends.set_index("task")
    assert ends.loc["review"].tolist() == [1, 0, 1.0, 0.0]
    assert ends.loc["payout"].tolist() == [0, 1, 0.0, 1.0]
    tasks = found.tasks.set_index("task")
    assert tasks.loc["decide", ["n_a", "n_b"]].tolist() == [1, 1]
    ratio = tasks.loc["checks", "p50_b"] / tasks.loc["checks", "p50_a"]
    assert tasks.loc["checks", "ratio"] == pytest.approx(ratio)
    for shown in (repr(found), found._repr_html_()):
        assert "b: 1 of 1 with" in shown
        assert not any(odd in shown for odd in ("NaT", "NaN", " days "))


def test_what_can_not_be_compared_is_told(wb: g.Workbench):
    for a, b in (("claim-14", "claim-14"), ("claim-14", ["claim-15"]), ([1], ["claim-15"])):
        with pytest.raises(g.QueryError):
            wb.compare_runs(a, b)
    for a, b in (("claim-14", "nobody"), (["claim-14"], []), (["nobody"], ["claim-14"])):
        with pytest.raises(g.HistoryError, match="the history has no version"):
            wb.compare_runs(a, b)
