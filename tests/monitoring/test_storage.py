"""What an operation costs is told in full, and telling it changes nothing."""

from __future__ import annotations

import asyncio
import time

import pytest

import graphflow_nb as g
from graphflow_nb import Latency, MonitoredStorage, Query, Recorder, Session
from graphflow_nb.storage import attributes_of


class Slow:
    """The three methods, each a tenth of a second long."""

    def __init__(self):
        self.asked = asyncio.Event()

    async def save(self, session):
        await asyncio.sleep(0.1)
        if session.id == "bad":
            raise g.StorageError("no")

    async def get(self, id):
        self.asked.set()
        await asyncio.sleep(0.1)

    async def delete(self, id):
        await asyncio.sleep(0.1)


def test_a_monitored_storage_behaves_the_same(store, run):
    recorder = Recorder()

    async def use():
        inner = await store.open()
        storage = MonitoredStorage(inner, [recorder])
        session = Session(store.id("a"), "t", context={"k": "v" * 100})
        await storage.save(session)
        await storage.get(session.id)
        await storage.get(store.id("nobody"))
        with pytest.raises(g.SessionConflict):
            await storage.save(Session(store.id("a"), "t"))
        await storage.upsert(session)
        assert len(await storage.query(Query())) == 1
        assert len(await storage.table(Query())) == 1
        assert await storage.count(Query()) == 1
        assert len(await storage.counts(Query())) == 1
        await storage.delete(session.id)
        await storage.close()
        return attributes_of(inner).phases

    phases_are_reported = run(use())
    told = [(o.op, o.outcome, o.error) for o in recorder.operations()]
    assert told == [
        ("save", "ok", None),
        ("get", "ok", None),
        ("get", "missing", None),
        ("save", "conflict", "SessionConflict"),
        ("upsert", "ok", None),
        ("query", "ok", None),
        ("table", "ok", None),
        ("count", "ok", None),
        ("counts", "ok", None),
        ("delete", "ok", None),
    ]
    for o in recorder.operations():
        phases = o.wait_ns, o.encode_ns, o.execute_ns, o.decode_ns
        assert min(phases) >= 0
        assert sum(phases) <= o.duration_ns
    if phases_are_reported and store.kind != "monitored":  # the inner one got them
        save, get = recorder.operations()[:2]
        assert save.encode_ns > 0
        assert save.execute_ns > 0
        assert get.decode_ns > 0
        assert save.bytes >= 100
        assert get.bytes >= 100
        assert save.rows == get.rows == 1
        assert sum((get.wait_ns, get.execute_ns, get.decode_ns)) > 0.5 * get.duration_ns
        assert get.wait_ns > 0


def test_durations_are_true_and_failures_count(run):
    recorder = Recorder()
    storage = MonitoredStorage(Slow(), [recorder])

    async def use():
        start = time.perf_counter_ns()
        await storage.save(Session("a", "t"))
        took = time.perf_counter_ns() - start
        with pytest.raises(g.StorageError):
            await storage.save(Session("bad", "t"))
        task = asyncio.ensure_future(storage.get("a"))
        await storage.inner.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return took

    before = time.time_ns()
    took = run(use())
    ok, bad, cancelled = recorder.operations()
    assert (ok.outcome, bad.outcome, cancelled.outcome) == ("ok", "error", "cancelled")
    assert bad.error == "StorageError"
    assert cancelled.session_id == "a"
    assert 95e6 < ok.duration_ns <= took
    assert cancelled.duration_ns < 95e6
    assert before <= ok.started_at_ns <= before + 1e9
    assert ok.storage == "Slow"


def test_a_hook_that_raises_is_dropped_and_said_once(caplog, run):
    class Broken:
        calls = 0

        def on_operation(self, operation):
            self.calls += 1
            raise ValueError("hook")

    broken, recorder = Broken(), Recorder()
    storage = MonitoredStorage(g.InMemorySessionStorage(), [broken, recorder])
    run(storage.save(Session("a", "t")))
    assert run(storage.get("a")).id == "a"
    assert broken.calls == 1
    assert len(recorder) == 2
    assert sum("dropped the hook" in r.message for r in caplog.records) == 1


def test_hooks_come_and_go(run):
    recorder = Recorder()
    storage = MonitoredStorage(g.InMemorySessionStorage())
    storage.add_hook(recorder)
    run(storage.get("a"))
    storage.remove_hook(recorder)
    run(storage.get("a"))
    assert len(recorder) == 1


@pytest.mark.parametrize("origin", ["background", "for_journal"])
def test_the_twin_of_another_origin_has_the_same_hooks_at_any_time(origin, run):
    first, second = Recorder(), Recorder()
    storage = MonitoredStorage(g.InMemorySessionStorage(), name="mine")
    twin = getattr(storage, origin)
    assert getattr(twin, origin) is twin is getattr(storage, origin)
    storage.add_hook(first)
    run(twin.save(Session("a", "t")))
    storage.remove_hook(first)
    twin.add_hook(second)
    run(twin.get("a"))
    run(storage.get("a"))
    mark = origin.removeprefix("for_")
    assert [(o.op, o.storage, o.origin) for o in first.operations()] == [("save", "mine", mark)]
    heard = [(o.op, o.storage, o.origin) for o in second.operations()]
    assert heard == [("get", "mine", mark), ("get", "mine", "user")]


def test_hooks_hear_of_plain_calls_too(run):
    class Hook:
        def __init__(self):
            self.heard = []

        def on_operation(self, operation):
            self.heard.append(operation)

    hook, recorder, second = Hook(), Recorder(), Recorder()
    storage = MonitoredStorage(g.InMemorySessionStorage(), [recorder, hook, second], name="mine")
    session = Session("a", "t")
    run(storage.save(session))
    run(storage.get("a"))
    run(storage.get("b"))
    with pytest.raises(g.SessionConflict):
        run(storage.save(Session("a", "t")))
    assert hook.heard == recorder.operations() == second.operations()
    told = [(o.op, o.storage, o.session_id, o.outcome) for o in hook.heard]
    assert told == [
        ("save", "mine", "a", "ok"),
        ("get", "mine", "a", "ok"),
        ("get", "mine", "b", "missing"),
        ("save", "mine", "a", "conflict"),
    ]


def test_background_traffic_is_marked_and_left_out():
    wb = g.open("demo")
    wb.get("claim-0014")
    repr(wb)  # counts for its card
    wb.bridge.run(wb.storage.background.get("claim-0014"))
    assert wb.latency.frame()["op"].tolist() == ["get"]
    every = wb.latency.frame(background=True)
    assert every["op"].tolist() == ["get", "estimate", "counts", "get"]
    assert every["background"].tolist() == [False, True, True, True]
    assert every["origin"].tolist() == ["user", "background", "background", "background"]
    assert wb.latency.frame()["origin"].tolist() == ["user"]
    assert len(wb.latency) == 1
    assert wb.latency.summary()["count"].sum() == 1


def test_what_is_read_for_the_journal_is_counted_and_told_apart(run):
    recorder = Recorder()
    storage = MonitoredStorage(g.InMemorySessionStorage(), [recorder])
    run(storage.save(Session("a", "t")))
    run(storage.for_journal.get("a"))
    latency = Latency(recorder)
    frame = latency.frame()
    assert frame["origin"].tolist() == ["user", "journal"]
    assert str(frame["origin"].dtype) == "category"
    assert latency.summary()["count"].to_dict() == {"get (journal)": 1, "save": 1}
    assert len(latency) == 2
    assert not any(operation.background for operation in recorder.operations())


def test_what_a_storage_lacks_is_named(run):
    storage = MonitoredStorage(Slow())
    for name in ("query", "table", "count", "counts"):
        assert not hasattr(storage, name)
        with pytest.raises(g.CapabilityError, match=f"Slow has no method '{name}'"):
            run(getattr(storage, name)(Query()))
    with pytest.raises(g.CapabilityError, match="upsert"):
        run(storage.upsert(Session("a", "t")))
    run(storage.close())
