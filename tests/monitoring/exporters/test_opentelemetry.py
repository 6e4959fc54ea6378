"""Operations arrive in OpenTelemetry as what they were."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from urllib.parse import urlsplit

import asyncpg
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

import graphflow_nb as g
from graphflow_nb import MonitoredStorage, Operation, Recorder, Session
from graphflow_nb.monitoring import operation as operations
from graphflow_nb.storage import Address

from ...servers.postgres import folder_of
from .kit import SECRET, use, with_password


def test_spans_follow_the_conventions(url, kind, telemetry, run, tmp_path):
    async def main():
        inner = await g.connect(url)
        storage = MonitoredStorage(inner, [telemetry.hook(inner), recorder])
        before = time.time_ns()
        with telemetry.span("cell") as cell:
            await use(storage)
        await storage.get("a")
        await storage.close()
        return before, cell, time.time_ns()

    recorder = Recorder()
    before, cell, after = run(main())
    target = "" if kind == "memory" else " sessions"
    spans = telemetry.spans
    assert [s.name for s in spans] == [op + target for op in ("save", "get", "get", "save", "get")]
    about = {} if kind == "memory" else {"db.collection.name": "sessions"}
    if kind == "sqlite":
        about["db.namespace"] = str(tmp_path / "sessions.db")
    if kind == "postgresql":
        about["db.namespace"] = f"{urlsplit(url).path[1:]}|public"
        about["server.address"] = folder_of(url)
    parent = cell.get_span_context()
    outcomes = ["ok", "ok", "missing", "conflict", "ok"]
    for span, operation, outcome in zip(spans, recorder.operations(), outcomes, strict=True):
        attributes = dict(span.attributes)
        if kind == "memory":  # which reports none of them
            assert not [key for key in attributes if key.endswith(("_ns", "bytes", "rows"))]
        for name in ("wait_ns", "encode_ns", "execute_ns", "decode_ns", "bytes", "rows"):
            assert attributes.pop(f"graphflow.{name}", 0) == getattr(operation, name)
        error = {"error.type": "SessionConflict"} if outcome == "conflict" else {}
        assert attributes == about | error | {
            "db.system.name": kind,
            "db.operation.name": operation.op,
            "graphflow.session_id": operation.session_id,
            "graphflow.outcome": outcome,
            "graphflow.origin": "user",
        }
        assert (span.status.status_code is trace.StatusCode.ERROR) == bool(error)
        assert span.status.is_unset == (not error)
        assert span.end_time - span.start_time == operation.duration_ns
        assert before <= span.start_time <= span.end_time <= after
    for span in spans[:4]:
        assert (span.parent.span_id, span.context.trace_id) == (parent.span_id, parent.trace_id)
    assert spans[4].parent is None
    assert SECRET not in str([s.to_json() for s in spans])


def test_the_histogram_follows_the_conventions(url, kind, telemetry, run):
    recorder = Recorder()

    async def main():
        inner = await g.connect(url)
        storage = MonitoredStorage(inner, [telemetry.hook(inner), recorder])
        await use(storage)
        await storage.close()

    run(main())
    points = telemetry.points
    assert {key: p.count for key, p in points.items()} == {
        ("save", None): 1,
        ("get", None): 2,
        ("save", "SessionConflict"): 1,
    }
    seconds = sum(o.duration_ns for o in recorder.operations() if o.op == "get") / 1e9
    assert points["get", None].sum == pytest.approx(seconds)
    spans = {s.context.span_id for s in telemetry.spans}
    for point in points.values():
        assert point.explicit_bounds == (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
        assert point.attributes["db.system.name"] == kind
        assert not [key for key in point.attributes if key.startswith("graphflow")]
        assert point.exemplars
        assert {e.span_id for e in point.exemplars} <= spans


def test_what_failed_or_was_cancelled_says_so(database, telemetry, run):
    url = with_password(database)

    async def main():
        inner = await g.connect(url)
        storage = MonitoredStorage(inner, [telemetry.hook(inner)])
        other = await asyncpg.connect(database)
        async with other.transaction():
            await other.execute("LOCK TABLE sessions IN EXCLUSIVE MODE")
            save = asyncio.ensure_future(storage.save(Session("a", "t")))
            while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                pass
            save.cancel()
            with pytest.raises(asyncio.CancelledError):
                await save
        await other.execute("DROP TABLE sessions")
        await other.close()
        with pytest.raises(g.StorageError):
            await storage.get("a")
        await storage.close()

    run(main())
    cancelled, failed = telemetry.spans
    assert cancelled.attributes["graphflow.outcome"] == "cancelled"
    assert cancelled.attributes["error.type"] == "CancelledError"
    assert failed.attributes["graphflow.outcome"] == "error"
    assert failed.attributes["error.type"] == "StorageMissing"
    assert failed.attributes["db.response.status_code"] == "42P01"
    assert "db.response.status_code" not in cancelled.attributes
    codes = {
        e: p.attributes.get("db.response.status_code") for (_, e), p in telemetry.points.items()
    }
    assert codes == {"CancelledError": None, "StorageMissing": "42P01"}
    for span in (cancelled, failed):
        assert span.status.status_code is trace.StatusCode.ERROR
    assert set(telemetry.points) == {("save", "CancelledError"), ("get", "StorageMissing")}
    assert SECRET not in failed.to_json() + cancelled.to_json()


def test_the_workbench_hands_the_current_span_on(telemetry, tmp_path):
    for url in ("memory:", f"sqlite:{tmp_path / 'sessions.db'}"):
        telemetry.exporter.clear()
        wb = g.open(url, writable=True)
        wb.storage.add_hook(telemetry.hook(wb.storage))
        with telemetry.span("cell") as cell:
            wb.create("a", "t")
        spans = telemetry.spans
        assert "save" in {s.attributes["db.operation.name"] for s in spans}
        assert {s.parent.span_id for s in spans} == {cell.get_span_context().span_id}
        assert {s.attributes["db.system.name"] for s in spans} == {url.partition(":")[0]}
        wb.close()


def test_spans_keep_to_the_clock_of_other_spans(telemetry, run, monkeypatch):
    """The monotonic clock stands still while a machine sleeps."""
    monkeypatch.setattr(operations, "SINCE_1970", operations.SINCE_1970 - 3_600_000_000_000)
    inner = g.InMemorySessionStorage()
    storage = MonitoredStorage(inner, [telemetry.hook(inner)])
    before = time.time_ns()
    run(storage.get("a"))
    [span] = telemetry.spans
    assert before <= span.start_time <= span.end_time <= time.time_ns()


class Never(Sampler):
    def __init__(self):
        self.asked = []

    def should_sample(self, context, trace_id, name, kind, attributes, *others, **named):
        self.asked.append(dict(attributes))
        return SamplingResult(Decision.DROP)

    def get_description(self):
        return "never"


def test_what_is_not_sampled_is_still_counted(telemetry, run):
    sampler = Never()
    telemetry.tracers = TracerProvider(sampler)
    telemetry.tracers.add_span_processor(SimpleSpanProcessor(telemetry.exporter))
    inner = g.InMemorySessionStorage()
    storage = MonitoredStorage(inner, [telemetry.hook(inner)])
    run(storage.get("a"))
    assert not telemetry.spans
    assert telemetry.points["get", None].count == 1
    # A sampler judges by what a span has from the beginning.
    [asked] = sampler.asked
    assert asked["db.system.name"] == "memory"
    assert asked["graphflow.outcome"] == "missing"


def test_a_name_without_a_table_says_where(telemetry):
    def name(**address):
        telemetry.exporter.clear()
        hook = telemetry.hook(SimpleNamespace(address=Address(**address)))
        hook.on_operation(Operation("get", "Own", None, time.perf_counter_ns(), 1))
        return telemetry.spans[0].name

    redis = {"system": "redis", "server": "cache", "namespace": "0"}
    assert name(**redis) == "get cache"
    assert name(**redis, port=7000) == "get cache:7000"
    assert name(system="mongodb", server="db", namespace="flows") == "get flows"
    assert name(system="own") == "get"


def test_a_storage_of_ones_own_needs_no_address(telemetry, run):
    class Shelf:
        async def get(self, id):
            return None

        async def save(self, session): ...

        async def delete(self, id): ...

    storage = MonitoredStorage(Shelf())
    storage.add_hook(telemetry.hook(storage))
    run(storage.get("a"))
    assert telemetry.spans[0].attributes["db.system.name"] == "shelf"


def test_a_fallback_tells_the_storage_in_use(telemetry, run):
    class Away(g.InMemorySessionStorage):
        address = Address("postgresql", "db")

        async def get(self, id):
            raise g.StorageUnavailable("away")

    storage = MonitoredStorage(g.FallbackStorage(Away(), g.InMemorySessionStorage()))
    storage.add_hook(telemetry.hook(storage))
    run(storage.save(Session("a", "t")))
    run(storage.get("a"))
    systems = [s.attributes["db.system.name"] for s in telemetry.spans]
    assert systems == ["postgresql", "memory"]
