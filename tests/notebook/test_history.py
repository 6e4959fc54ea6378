"""``wb.history``, ``wb.at``, ``wb.diff`` and ``wb.fork`` on stores that keep their history."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb import workflow
from graphflow_nb.bridge import LoopThread
from graphflow_nb.changes import apply
from graphflow_nb.history import HistoryStorage, Retention, history_of

STEPS = ("intake", "checks", "decide", "payout")

Open = Callable[..., g.Workbench]


@pytest.fixture(params=["memory", "sqlite"])
def wb(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[g.Workbench]:
    """A store that keeps its history, with one session that went through four tasks."""
    if request.param == "memory":
        wb = g.wrap(HistoryStorage(g.InMemorySessionStorage()))
    else:
        opened = g.open(f"sqlite:{tmp_path}/s.db", create=True)
        opened.bridge.run(history_of(opened.storage).create())
        wb = g.wrap(HistoryStorage(opened.storage.inner), loop=LoopThread.shared().loop)
    session = wb.create("claim-1", STEPS[0], graph_id="claims", context={"amount": 100})
    for n, task in enumerate(STEPS[1:], 1):
        session.current_task_id = task
        session.context["amount"] = 100 + n
        session.context[f"by {task}"] = {"n": n}
        wb.save(session)
    yield wb
    wb.close()


def test_each_version_is_a_row(wb: g.Workbench):
    frame = wb.history("claim-1")
    assert frame.index.tolist() == [4, 3, 2, 1]
    assert frame["current_task_id"].tolist() == list(STEPS[::-1])
    assert frame.loc[1, "changes"] == "created"
    assert frame.loc[3, "changes"] == "/current_task_id, amount, by decide"
    assert frame.loc[4, "since_previous"] == frame.loc[4, "at"] - frame.loc[3, "at"]
    assert pd.isna(frame.loc[1, "since_previous"])
    assert frame["stored_version"].tolist() == [4, 3, 2, 1]
    assert {str(dtype) for dtype in frame.dtypes} == {
        *("datetime64[us, UTC]", "category", "str", "timedelta64[us]", "int64", "bool", "Int64")
    } or frame["changes"].dtype == object  # before pandas 3
    assert set(frame["source"]) == {"written"}
    assert "note" not in frame.attrs


def test_a_bound_is_said(wb: g.Workbench):
    frame = wb.history("claim-1", limit=2)
    assert frame.index.tolist() == [4, 3]
    assert frame.loc[3, "changes"] == "/current_task_id, amount, by decide"
    assert frame.attrs["note"] == "showing the newest 2 versions; limit= shows more"
    for limit in (0, -1, True, "5", None):
        with pytest.raises(g.QueryError, match="limit"):
            wb.history("claim-1", limit=limit)  # type: ignore[arg-type]


def test_a_version_is_found_by_number_and_by_time(wb: g.Workbench):
    frame = wb.history("claim-1")
    for number in frame.index:
        session = wb.at("claim-1", number)
        assert session.current_task_id == STEPS[number - 1]
        assert session.context["amount"] == 99 + number
        at = frame.loc[number, "at"]
        for time in (at, at.to_pydatetime(), str(at)):
            assert wb.at("claim-1", time).context == session.context
    assert wb.at("claim-1", datetime.now(UTC)).current_task_id == STEPS[-1]
    assert asyncio.run(_await(wb.at.aio("claim-1", 2))).current_task_id == STEPS[1]


def test_a_number_of_a_data_frame_is_a_version(wb: g.Workbench):
    assert wb.at("claim-1", wb.history("claim-1").index[-1]).current_task_id == "intake"


def test_arguments_of_another_kind_are_refused(wb: g.Workbench):
    for call in (
        lambda: wb.history(5),  # type: ignore[arg-type]
        lambda: wb.at(None, 1),  # type: ignore[arg-type]
        lambda: wb.timeline(5),  # type: ignore[arg-type]
        lambda: wb.timeline(graph=5),  # type: ignore[arg-type]
        lambda: wb.compare_runs(["claim-1"], ["claim-1"], failed=""),
        lambda: wb.compare_runs(["claim-1"], 5),  # type: ignore[arg-type]
        lambda: wb.observe(5),  # type: ignore[arg-type]
    ):
        with pytest.raises(g.QueryError):
            call()


async def _await(call):
    return await call


@pytest.mark.parametrize(
    ("when", "kind", "text"),
    [
        (9, g.HistoryError, "has no version 9; it has versions 1"),
        (0, g.HistoryError, "has no version 0"),
        (-1, g.HistoryError, "has no version -1; it has versions 1 .* to 4$"),
        (10**30, g.HistoryError, "has no version 1000"),
        (None, g.QueryError, "is its number in wb.history"),
        ("2 days", g.HistoryError, "has no version at 20"),
        ("soon", g.QueryError, "is its number in wb.history"),
        (True, g.QueryError, "is its number in wb.history"),
        (1.5, g.QueryError, "is its number in wb.history"),
    ],
)
def test_what_is_no_version_is_told_with_what_is(
    wb: g.Workbench, when: object, kind: type[Exception], text: str
):
    for call in (
        lambda: wb.at("claim-1", when),  # type: ignore[arg-type]
        lambda: wb.diff("claim-1", when, 1),  # type: ignore[arg-type]
        lambda: wb.fork("claim-1", when, as_id="new"),  # type: ignore[arg-type]
    ):
        with pytest.raises(kind, match=text):
            call()
    assert len(wb.sessions()) == 1


def test_a_deleted_session_has_its_history(wb: g.Workbench):
    wb.delete("claim-1")
    frame = wb.history("claim-1")
    assert frame.index.tolist() == [5, 4, 3, 2, 1]
    assert frame.loc[5, "deleted"]
    assert frame.loc[5, "changes"] == "deleted"
    with pytest.raises(g.HistoryError, match=r"was deleted at version 5, .*: version 4 is what it"):
        wb.at("claim-1", 5)
    with pytest.raises(g.SessionNotFound):
        wb.diff("claim-1", 4)
    wb.create("claim-1", "intake")
    frame = wb.history("claim-1")
    assert frame.loc[6, "changes"] == "created"
    assert wb.at("claim-1", 4).context["amount"] == 103


def test_an_unknown_session_is_told_from_one_without_versions(wb: g.Workbench):
    with pytest.raises(g.SessionNotFound):
        wb.history("nobody")
    with pytest.raises(g.HistoryError, match="none was saved since"):
        wb.at("nobody", 1)


def test_differences_of_two_versions(wb: g.Workbench):
    changes = wb.diff("claim-1", 2, 3)
    assert str(changes[0]) == 'replace /current_task_id: "checks" → "decide"'
    assert {change.op for change in changes} == {"replace", "add"}
    assert apply(wb.at("claim-1", 2), changes).context == wb.at("claim-1", 3).context
    assert not len(wb.diff("claim-1", 4))
    back = wb.diff("claim-1", 4, 1)
    assert apply(wb.at("claim-1", 4), back).context == wb.at("claim-1", 1).context


def test_an_older_version_is_not_saved_over_the_newest(wb: g.Workbench):
    old = wb.at("claim-1", 2)
    old.context["amount"] = 0
    with pytest.raises(g.SessionConflict):
        wb.save(old)
    assert wb.get("claim-1").context["amount"] == 103


def test_a_fork_leaves_its_origin_alone(wb: g.Workbench):
    before = wb.get("claim-1")
    cheaper = [{"op": "replace", "path": "/context/data/amount", "value": 7}]
    fork = wb.fork("claim-1", 2, as_id="claim-1-cheaper", changes=cheaper)
    stored = wb.get("claim-1-cheaper")
    assert stored.current_task_id == "checks"
    assert stored.context["amount"] == 7
    assert stored.context["forked_from"] == {"id": "claim-1", "version": 2}
    assert stored.context["by checks"] == {"n": 1}
    assert fork.tasks == ("checks", "decide", "payout")
    assert "may run again: checks, decide, payout" in repr(fork)
    assert wb.get("claim-1").context == before.context
    assert wb.get("claim-1").version == before.version
    with pytest.raises(g.SessionConflict):
        wb.fork("claim-1", 3, as_id="claim-1-cheaper")
    with pytest.raises(g.PatchError):
        wb.fork("claim-1", 3, as_id="x", changes=[{"op": "remove", "path": "/context/data/no"}])
    for wrong in ("", 7, None):
        with pytest.raises(g.QueryError, match="as_id"):
            wb.fork("claim-1", 3, as_id=wrong)  # type: ignore[arg-type]
    assert set(wb.sessions()["id"]) == {"claim-1", "claim-1-cheaper"}
    wb.undo()  # a fork is a write by hand
    assert set(wb.sessions()["id"]) == {"claim-1"}


def test_a_value_where_a_fork_names_its_origin_is_not_lost(wb: g.Workbench):
    session = wb.get("claim-1")
    session.context["forked_from"] = "a branch of ours"
    wb.save(session)
    with pytest.raises(g.PatchError, match="nothing was written") as error:
        wb.fork("claim-1", 5, as_id="new")
    changes = str(error.value).split("changes=")[1].split(" leaves")[0]
    assert wb.fork("claim-1", 5, as_id="new", changes=changes).origin.number == 5
    assert wb.fork("new", 1, as_id="fork of a fork").session.context["forked_from"]["id"] == "new"


def test_a_context_that_is_no_json_can_be_copied_and_not_forked(wb: g.Workbench):
    (row,) = wb.bridge.run(wb.archive.table.read("claim-1", limit=1))
    wb.bridge.run(wb.archive.append([row._replace(context='{"data":{"v":NaN}}', patch=None)]))
    with pytest.raises(g.HistoryError, match=r"can't be forked.*nothing was written") as error:
        wb.fork("claim-1", 5, as_id="new")
    assert "wb.save(wb.at('claim-1', 5).copy('new'))" in str(error.value)
    assert len(wb.sessions()) == 1


def test_versions_that_are_missing_in_between_are_told(tmp_path: Path):
    with g.open(f"sqlite:{tmp_path}/s.db", create=True) as wb:
        wb.install_history()
        session = wb.create("claim-1", "intake", context={"n": 1})
        for n in range(2, 7):
            session.context["n"] = n
            wb.save(session)
        with sqlite3.connect(tmp_path / "s.db") as db:
            db.execute("DELETE FROM sessions_history WHERE number IN (3, 4)")
        assert wb.history("claim-1").index.tolist() == [6, 5, 2, 1]
        assert "some versions in between were not kept" in wb.history("claim-1").attrs["note"]
        with pytest.raises(g.HistoryError, match=r"to 6; 2 in between were not kept$"):
            wb.at("claim-1", 3)
        browser = wb.browse(session="claim-1")
        browser.reader.parts.value = "History"
        browser.reader.history.slider.value = 5
        assert "The version before this one is not kept" in browser.reader.history.changes.value


def test_an_id_without_versions_is_named_in_a_timeline(wb: g.Workbench):
    assert wb.timeline(["claim-1", "nobody"]).note.endswith(": nobody")
    ids = [f"nobody-{n}" for n in range(9)]
    assert "nobody-4 and 4 more" in wb.timeline(ids).to_html()


def test_what_was_pruned_is_told(wb: g.Workbench):
    wb.bridge.run(wb.archive.prune(Retention(versions=2, age=timedelta(days=1))))
    assert wb.history("claim-1").index.tolist() == [4, 3]
    assert wb.history("claim-1").loc[3, "changes"] == ""
    with pytest.raises(g.HistoryError, match=r"versions 3 .* to 4; older ones were not kept"):
        wb.at("claim-1", 1)


def test_a_store_without_history_says_how_to_keep_one(tmp_path: Path):
    wb = g.open("demo")
    with pytest.raises(g.StorageError):
        wb.history("claim-0014")
    plain = g.open(f"sqlite:{tmp_path}/plain.db", create=True)
    plain.create("a", "t")
    with pytest.raises(g.StorageError, match=r"has no history table.*\.create\(\)"):
        plain.history("a")
    plain.close()


def test_a_timeline_of_all_or_of_some(wb: g.Workbench):
    wb.create("claim-2", "intake", graph_id="other")
    whole = wb.timeline()
    assert whole.stays["id"].tolist() == ["claim-1"] * 4 + ["claim-2"]
    assert whole.stays["task"].tolist() == [*STEPS, "intake"]
    assert whole.transitions["n"].tolist() == [1, 1, 1]
    assert "Sessions over time, n = 2" in repr(whole)
    assert len(wb.timeline("claim-2").stays) == len(wb.timeline(graph="other").stays) == 1
    assert len(wb.timeline(wb.sessions(graph="claims")["id"]).stays) == 4
    assert len(wb.timeline(since="1 hour").stays) == 5
    assert len(wb.timeline(until="1 hour").stays) == 0
    cut = wb.timeline(limit=2)
    assert len(cut.stays) == 2
    assert cut.note == "the first 2 versions by id; limit= takes more"
    assert cut.note in cut.to_html()
    for wrong in ({"limit": 0}, {"since": "soon"}, {"ids": [1]}):
        with pytest.raises(g.QueryError, match=r"limit|since|ids"):
            wb.timeline(**wrong)  # type: ignore[arg-type]


def test_a_timeline_says_of_each_stay_what_it_is(wb: g.Workbench):
    html = wb.timeline().to_html("dark")
    assert html.count("<rect") == html.count("<title>") == 4
    for task in STEPS:
        assert f"<title>claim-1: {task}" in html


def test_a_fork_is_run_on_with_a_graph(wb: g.Workbench):
    @workflow.task("checks")
    def checks(context):
        context["checked"] = context["amount"]
        return workflow.TaskResult("checked", workflow.NextAction.CONTINUE)

    @workflow.task("decide")
    def decide(context):
        return workflow.TaskResult("decided", workflow.NextAction.END)

    graph = workflow.GraphBuilder("claims").add_task(checks).add_task(decide)
    graph = graph.add_edge("checks", "decide").build()
    cheaper = [{"op": "replace", "path": "/context/data/amount", "value": 7}]
    fork = wb.fork("claim-1", 2, as_id="claim-1-cheaper", changes=cheaper)
    run = wb.replay(fork, graph)
    assert run.response == "decided"
    assert run.after.context["checked"] == 7
    assert wb.history("claim-1-cheaper").index.tolist() == [3, 2, 1]
    assert wb.get("claim-1").current_task_id == "payout"
    again = wb.replay("claim-1-cheaper", graph)
    assert again.id == "claim-1-cheaper"
