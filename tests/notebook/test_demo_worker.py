"""A demo worker moves the sample sessions, by its seed alone, and nothing else."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.storage.demo import demo_ids


def work(wb: g.Workbench, **options: Any) -> g.DemoWorker:
    worker = g.demo_worker(wb, **{"rate": 1000, "steps": 150} | options)
    assert worker.wait()
    return worker


def test_equal_seeds_make_equal_steps():
    one, same, other = (work(g.open("demo"), steps=80, seed=seed) for seed in (1, 1, 2))
    assert list(one.moves) == list(same.moves) != list(other.moves)
    assert one.steps == 80
    assert one.state == "all steps were made"
    assert {move.what for move in one.moves} >= {"began", "ran", "answered", "failed"}


def test_what_it_does_is_seen_as_a_workers():
    wb = g.open("demo")
    worker = work(wb, steps=200)
    assert wb.latency.summary()["count"]["save"] == 200
    assert not len(wb.journal), "nothing was written by hand"
    seen = wb.graph("claims").transitions
    assert {("intake", "await_documents"), ("await_documents", "payout")} <= {
        *zip(seen["from"], seen["to"], strict=True)
    }
    closed = wb.sessions(graph="support", task="closed", ids=[move.id for move in worker.moves])
    assert len(closed)
    assert (closed["messages"] > 2).all()


def test_sessions_of_others_are_left_alone():
    wb = g.open("memory:")
    wb.create("mine", "intake", graph_id="claims")
    worker = work(wb, steps=50)
    assert wb.get("mine").version == 1
    assert "mine" not in {move.id for move in worker.moves}
    assert not demo_ids() & set(wb.sessions()["id"])


def test_two_at_once_with_one_seed_do_not_end_each_other():
    wb = g.open("demo")
    workers = [g.demo_worker(wb, rate=1000, steps=100) for _ in range(2)]
    assert all(worker.wait() and worker.steps == 100 for worker in workers)


def test_it_ends_by_itself_and_by_stop():
    with g.demo_worker(g.open("demo"), rate=0.001) as worker:
        assert worker.running
        assert "stop() ends it" in repr(worker)
    assert not worker.running
    assert repr(worker) == "<DemoWorker: 0 of at most 1,000 steps, stopped>"
    worker.stop()
    late = g.demo_worker(g.open("demo"), rate=0.001, duration=timedelta(0))
    assert late.wait()
    assert late.state == "its time was over"


def test_it_ends_with_the_kernel():
    with g.demo_worker(g.open("demo"), rate=0.001):
        threads = [each for each in threading.enumerate() if each.name == "graphflow_nb-demo"]
        assert threads
        assert all(each.daemon for each in threads)


def test_an_error_of_the_store_ends_it_and_is_said(monkeypatch: pytest.MonkeyPatch):
    async def fail(session: g.Session) -> None:
        raise g.StorageError("the store is gone")

    wb = g.open("demo")
    monkeypatch.setattr(wb.storage, "save", fail)
    assert work(wb).state == "ended by an error: the store is gone"


def test_another_store_is_refused_unless_it_is_asked_for(tmp_path):
    wb = g.open(f"sqlite:{tmp_path}/s.db", create=True)
    with pytest.raises(g.QueryError, match=r"not in memory, so none was started: use .*anywhere="):
        g.demo_worker(wb)
    assert not len(wb.sessions())
    assert work(wb, steps=20, anywhere=True).steps == 20
    read_only = g.open(f"sqlite:{tmp_path}/s.db", writable=False)
    with pytest.raises(g.ReadOnlyError, match="no demo worker was started"):
        g.demo_worker(read_only, anywhere=True)


@pytest.mark.parametrize(
    "options",
    [
        {"seed": -1},
        {"seed": 1.0},
        {"rate": 0},
        {"rate": 1001},
        {"rate": True},
        {"rate": float("nan")},
        {"steps": 0},
        {"steps": 10**7},
        {"duration": "soon"},
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any]):
    wb = g.open("demo")
    with pytest.raises(g.QueryError, match=next(iter(options))):
        g.demo_worker(wb, **options)
    assert len(wb.latency) == 0


def test_only_a_workbench_has_a_worker():
    with pytest.raises(g.QueryError, match="takes a workbench"):
        g.demo_worker("demo")  # type: ignore[arg-type]
