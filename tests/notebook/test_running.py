"""``wb.run``: steps on a stored session, and how they are shown."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

import graphflow_nb as g
from graphflow_nb import Context
from graphflow_nb.workflow import Graph, NextAction, TaskResult, task

from ..stores import Store
from ..workflow.test_graph import answering, chain, failing


@task("ask")
async def ask(context: Context) -> TaskResult:
    await asyncio.sleep(0)  # as a task does that asks a service
    if "reply" not in context:
        return TaskResult("please reply", NextAction.WAIT_FOR_INPUT, "waiting")
    return TaskResult("thanks", NextAction.END)


def asking() -> Graph:
    return chain(answering("a"), answering("b"), ask).build()


@pytest.fixture
def wb() -> Iterator[g.Workbench]:
    with g.open("memory:") as wb:
        wb.create("s", "a", graph_id="g")
        yield wb


@pytest.mark.parametrize(
    "store", ["memory", "sqlite", "documented", "crate-0.6", "redis"], indirect=True
)
def test_steps_in_each_kind_of_place(store: Store):
    with g.open(store.url, writable=True) as wb:
        id = store.id("s")
        wb.create(id, "a")
        run = wb.run(asking(), id)
        assert (run.response, run.status.next_task_id) == ("a done", "b")
        assert [operation.op for operation in run.operations] == ["get", "save"]
        assert (run.before.current_task_id, run.after.current_task_id) == ("a", "b")
        assert [str(change) for change in run.changes] == [
            'replace /current_task_id: "a" → "b"',
            'add /context/data/ran: ["a"]',
        ]
        run = wb.run(asking(), id, until="input")
        assert (run.response, run.status.kind, len(run.results)) == (
            "please reply",
            "waiting_for_input",
            2,
        )
        stored = wb.get(id)
        assert stored.status_message == "waiting"
        assert stored.version == run.after.version == run.before.version + 2
        wb.patch(id, [{"op": "add", "path": "/context/data/reply", "value": "yes"}], version=stored)
        assert wb.run(asking(), id, until="input").status.kind == "completed"


def test_a_run_is_recorded_and_is_not_in_the_journal(wb):
    wb.latency.clear()
    written = len(wb.journal)
    wb.run(asking(), "s", until="input")
    assert len(wb.journal) == written
    frame = wb.latency.frame()
    assert list(frame["op"]) == ["get", "save"] * 3
    assert set(frame["origin"]) == {"user"}


def test_only_operations_on_its_session_are_its_own(wb):
    wb.create("other", "a")

    @task("a")
    async def looking(context: Context) -> TaskResult:
        await wb.get.aio("other")
        await wb.storage.background.get("s")
        return TaskResult()

    assert [o.op for o in wb.run(chain(looking).build(), "s").operations] == ["get", "save"]


def test_awaited(wb):
    async def cell() -> str:
        return (await wb.run.aio(asking(), "s", until="input")).status.kind

    assert asyncio.run(cell()) == "waiting_for_input"


def test_a_failure_says_how_many_steps_were_saved(wb):
    graph = chain(answering("a"), answering("b"), failing("c", ValueError("no"))).build()
    with pytest.raises(g.TaskExecutionFailed, match="Task 'c' failed: no") as caught:
        wb.run(graph, "s", until="input")
    assert caught.value.__notes__ == ["2 steps before this one succeeded and were saved"]
    assert wb.get("s").current_task_id == "c"
    wb.latency.clear()
    with pytest.raises(g.TaskExecutionFailed):
        wb.run(graph, "s")
    assert list(wb.latency.frame()["op"]) == ["get"]  # and its hook is gone
    with pytest.raises(g.SessionNotFound):
        wb.run(graph, "nobody")


def test_a_run_without_input_ends(wb):
    around = chain(answering("a"), answering("b")).add_edge("b", "a").build()
    run = wb.run(around, "s", until="input", max_steps=5)
    assert len(run.results) == 5
    assert "stopped after max_steps=5" in run.note
    assert "stopped after max_steps=5" in repr(run)
    assert wb.run(around, "s").note == ""
    here = chain(answering("a"), answering("b")).build()
    wb.upsert(g.Session("s", "b"))
    run = wb.run(here, "s", until="input")
    assert (len(run.results), run.note) == (1, "")
    assert run.status.reason == "No outgoing edge found from current task"


def test_a_synchronous_call_in_a_task_is_refused_and_does_not_hang(wb):
    @task("a")
    def waiting(context: Context) -> TaskResult:
        assert threading.current_thread() is not threading.main_thread()
        wb.run(graph, "s")
        return TaskResult()

    graph = chain(waiting).build()
    with pytest.raises(
        g.TaskExecutionFailed, match="a synchronous call from the loop's own thread"
    ):
        wb.run(graph, "s")


def test_a_store_that_is_read_only_runs_no_task(tmp_path):
    ran = []

    @task("a")
    def run(context: Context) -> TaskResult:
        ran.append(True)
        return TaskResult()

    with g.open(f"sqlite:{tmp_path / 's.db'}", create=True) as wb:
        wb.create("s", "a")
    with (
        g.open(f"sqlite:{tmp_path / 's.db'}", writable=False) as wb,
        pytest.raises(g.ReadOnlyError, match="no task was run"),
    ):
        wb.run(chain(run).build(), "s")
    assert not ran


def test_wrong_arguments(wb):
    with pytest.raises(g.GraphError, match=r"GraphBuilder.build\(\)"):
        wb.run(chain(answering("a")), "s")
    for wrong in ({"until": "end"}, {"max_steps": 0}, {"max_steps": True}):
        with pytest.raises(g.QueryError):
            wb.run(asking(), "s", **wrong)
    assert wb.get("s").version == 1


def test_a_run_shows_itself(wb):
    run = wb.run(asking(), "s", until="input")
    html, text = run._repr_html_(), repr(run)
    for shown in ("please reply", "waiting_for_input", "1 → 4", "3 × in ", "ran"):
        assert shown in html
        assert shown in text
    many = chain(
        task("a")(lambda context: context.update({f"k{n}": n for n in range(40)}) or TaskResult())
    ).build()
    wb.create("many", "a")
    assert "20 more changes, not shown" in repr(wb.run(many, "many"))
