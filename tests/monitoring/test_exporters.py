"""Operations arrive in logging, OpenTelemetry and Prometheus as what they were."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from urllib.parse import urlsplit

import asyncpg
import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import graphflow_nb as g
from graphflow_nb import MonitoredStorage, Operation, Recorder, Session
from graphflow_nb.monitoring import operation as operations
from graphflow_nb.storage import Address
from graphflow_nb.storage.url import server_of

from ..servers.postgres import folder_of

SECRET = "hunter2"


class Telemetry:
    """The real SDK, keeping what it gets."""

    def __init__(self):
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])

    def hook(self, storage, **options):
        return g.OpenTelemetryHook(
            storage, tracer_provider=self.tracers, meter_provider=self.meters, **options
        )

    def span(self, name):
        return self.tracers.get_tracer("tests").start_as_current_span(name)

    @property
    def spans(self):
        return [s for s in self.exporter.get_finished_spans() if s.kind is trace.SpanKind.CLIENT]

    @property
    def points(self):
        [resource] = self.reader.get_metrics_data().resource_metrics
        [scope] = resource.scope_metrics
        [metric] = scope.metrics
        assert (metric.name, metric.unit) == ("db.client.operation.duration", "s")
        assert scope.scope.name == "graphflow_nb"
        return {
            (p.attributes["db.operation.name"], p.attributes.get("error.type")): p
            for p in metric.data.data_points
        }


@pytest.fixture
def telemetry():
    return Telemetry()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def kind(request):
    return request.param


@pytest.fixture
def url(kind, request, tmp_path):
    if kind == "memory":
        return "memory:"
    if kind == "sqlite":
        return f"sqlite:{tmp_path / 'sessions.db'}"
    return with_password(request.getfixturevalue("database"))


def with_password(url):
    """The server asks for none, so any will do."""
    return url.replace("postgres@", f"postgres:{SECRET}@")


async def use(storage):
    """A save, a get, a get that finds none and a conflict."""
    session = Session("a", "t", context={"k": SECRET})
    await storage.save(session)
    await storage.get("a")
    await storage.get("nobody")
    with pytest.raises(g.SessionConflict):
        await storage.save(Session("a", "t"))


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
            await asyncio.sleep(0.1)
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
    assert failed.attributes["error.type"] == "StorageError"
    for span in (cancelled, failed):
        assert span.status.status_code is trace.StatusCode.ERROR
    assert set(telemetry.points) == {("save", "CancelledError"), ("get", "StorageError")}
    assert SECRET not in failed.to_json() + cancelled.to_json()


def test_the_workbench_hands_the_current_span_on(telemetry, tmp_path):
    for url in ("memory:", f"sqlite:{tmp_path / 'sessions.db'}"):
        telemetry.exporter.clear()
        wb = g.open(url)
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
    monkeypatch.setattr(operations, "_WALL", operations._WALL - 3_600_000_000_000)
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


def test_each_store_tells_its_address(store, run):
    async def main():
        storage = await store.open()
        try:
            return g.ReadOnlyStorage(MonitoredStorage(storage)).address
        finally:
            await storage.close()

    address = run(main())
    parts = urlsplit(store.url)
    if parts.scheme == "redis":
        system = address.system if store.kind == "redis-cluster" else store.kind  # either will do
        assert address == Address(system, parts.hostname, parts.port, "0")
    elif parts.scheme == "memory":
        assert address == Address("memory")
    else:
        assert (address.system, address.collection) == (parts.scheme, "sessions")
        file_or_schema = parts.path if parts.scheme == "sqlite" else f"{parts.path[1:]}|public"
        assert address.namespace == file_or_schema


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://me:hunter2@db.example/flows", ("db.example", None)),
        ("postgresql://me:hunter2@db.example:6432/flows", ("db.example", 6432)),
        ("postgresql://me:hunter2@[::1]:6432/flows", ("::1", 6432)),
        ("postgresql://a,b:5432/flows", ("a,b", None)),
        ("postgresql://a,b:6432/flows", ("a:5432,b:6432", None)),
        ("postgresql://[::1]:6432,b:6432/flows", ("[::1]:6432,b:6432", None)),
        ("postgresql:///flows?host=/run/pg&port=5433", ("/run/pg", 5433)),
        ("postgresql:///flows", (None, None)),
        ("postgresql:///flows?port=5433", (None, None)),
    ],
)
def test_an_address_names_what_the_url_names(url, told):
    assert server_of(url) == told


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


# Prometheus


def exposed(registry):
    text = generate_latest(registry).decode()
    assert SECRET not in text
    return text, {
        (sample.name, *(v for k, v in sorted(sample.labels.items()) if k != "le")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("le", "+Inf") == "+Inf"
    }


def test_prometheus_gets_what_recorders_get(url, kind, run):
    registry, recorder = CollectorRegistry(), Recorder()

    async def main():
        inner = await g.connect(url)
        storage = MonitoredStorage(inner, [g.PrometheusHook(registry), recorder])
        await use(storage)
        await storage.close()
        return type(inner).__name__

    name = run(main())
    text, samples = exposed(registry)
    seconds = "graphflow_operation_duration_seconds"
    assert f"# TYPE {seconds} histogram" in text
    assert samples[f"{seconds}_count", "get", "ok", name] == 1
    assert samples[f"{seconds}_count", "get", "missing", name] == 1
    assert samples[f"{seconds}_count", "save", "ok", name] == 1
    assert samples[f"{seconds}_bucket", "save", "conflict", name] == 1
    kept = recorder.operations()
    assert samples[f"{seconds}_sum", "save", "ok", name] == kept[0].duration_ns / 1e9
    assert samples["graphflow_operation_errors_total", "SessionConflict", "save", name] == 1
    assert ("graphflow_operation_errors_total", "SessionConflict", "get", name) not in samples
    gets = [o for o in kept if o.op == "get"]
    for phase in ("wait", "encode", "execute", "decode"):
        spent = samples["graphflow_operation_phase_seconds_total", "get", phase, name]
        assert spent == pytest.approx(sum(getattr(o, f"{phase}_ns") for o in gets) / 1e9)
    for what, field in (("context_bytes", "bytes"), ("sessions", "rows")):
        carried = samples[f"graphflow_operation_{what}_total", "get", name]
        assert carried == sum(getattr(o, field) for o in gets)
        assert (carried > 0) == (kind != "memory")  # which does not tell
    assert "nobody" not in text


def test_hooks_of_one_registry_share_its_metrics(run):
    registry = CollectorRegistry()
    storages = [
        MonitoredStorage(g.InMemorySessionStorage(), [g.PrometheusHook(registry)]) for _ in range(2)
    ]
    for storage in storages:
        run(storage.get("a"))
    _, samples = exposed(registry)
    key = ("graphflow_operation_duration_seconds_count", "get", "missing")
    assert samples[*key, "InMemorySessionStorage"] == 2
    other = CollectorRegistry()
    g.PrometheusHook(other)
    assert exposed(other)[1] == {}


# Logging


def test_a_record_says_what_an_operation_was(url, kind, run, caplog):
    recorder = Recorder()
    caplog.set_level(logging.DEBUG, "graphflow_nb.operations")

    async def main():
        inner = await g.connect(url)
        storage = MonitoredStorage(inner, [g.LoggingHook(), recorder])
        await use(storage)
        await storage.close()
        return type(inner).__name__

    name = run(main())
    records = [r for r in caplog.records if r.name == "graphflow_nb.operations"]
    told = [(r.levelname, r.graphflow_outcome, r.graphflow_error) for r in records]
    assert told == [
        ("DEBUG", "ok", None),
        ("DEBUG", "ok", None),
        ("DEBUG", "missing", None),
        ("WARNING", "conflict", "SessionConflict"),
    ]
    for record, operation in zip(records, recorder.operations(), strict=True):
        assert record.graphflow_op == operation.op
        assert record.graphflow_storage == name
        assert record.graphflow_session_id == operation.session_id
        assert record.graphflow_slow is False
        for field in ("duration", "wait", "encode", "execute", "decode"):
            ms = getattr(operation, f"{field}_ns") / 1e6
            assert getattr(record, f"graphflow_{field}_ms") == ms
        assert record.graphflow_bytes == operation.bytes
        assert record.graphflow_rows == operation.rows
        assert record.graphflow_origin == operation.origin == "user"
        assert SECRET not in str(vars(record))
    assert records[3].getMessage().startswith(f"save 'a' in {name}: conflict (SessionConflict)")


def record_of(operation, caplog, **options):
    caplog.clear()
    caplog.set_level(logging.DEBUG, "tests")
    g.LoggingHook(logging.getLogger("tests"), **options).on_operation(operation)
    return caplog.records[0] if caplog.records else None


def test_slow_ones_are_warnings(caplog):
    slow = Operation("get", "Own", "a", 0, 5_000_000)
    assert record_of(slow, caplog, slow_ms=5).levelname == "WARNING"
    assert record_of(slow, caplog, slow_ms=5).graphflow_slow is True
    assert record_of(slow, caplog, slow_ms=5.1, level=logging.INFO).levelname == "INFO"
    assert record_of(slow, caplog, slow_ms=5, level=logging.ERROR).levelname == "ERROR"


def test_an_id_makes_no_lines_of_its_own(caplog):
    forged = Operation("get", "Own", "a\nERROR all is lost", 0, 1)
    assert "\n" not in record_of(forged, caplog).getMessage()


def test_nothing_is_logged_below_the_level(caplog):
    logger = logging.getLogger("tests.quiet")
    logger.setLevel(logging.WARNING)
    hook = g.LoggingHook(logger)
    hook.on_operation(Operation("get", "Own", "a", 0, 1))
    assert not caplog.records
    hook.on_operation(Operation("get", "Own", "a", 0, 1, outcome="error", error="StorageError"))
    assert [r.graphflow_error for r in caplog.records] == ["StorageError"]


# All of them


def test_our_own_traffic_is_left_out_unless_wanted(telemetry, caplog):
    ours = Operation("count", "Own", None, time.perf_counter_ns(), 1, origin="background")
    assert record_of(ours, caplog) is None
    assert record_of(ours, caplog, background=True) is not None
    for background in (False, True):
        registry = CollectorRegistry()
        g.PrometheusHook(registry, background=background).on_operation(ours)
        telemetry.hook(None, background=background).on_operation(ours)
        assert bool(exposed(registry)[1]) is background
        assert len(telemetry.spans) == background


def test_several_threads_are_all_counted(telemetry, caplog):
    caplog.set_level(logging.DEBUG, "graphflow_nb.operations")
    inner, registry = g.InMemorySessionStorage(), CollectorRegistry()
    hooks = [telemetry.hook(inner), g.PrometheusHook(registry), g.LoggingHook()]
    storage = MonitoredStorage(inner, hooks)
    parents = {}

    def work(number):
        async def main():
            with telemetry.span(f"thread {number}") as span:
                for i in range(50):
                    await storage.save(Session(f"{number}-{i}", "t"))
                parents[str(number)] = span.get_span_context().span_id

        asyncio.run(main())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spans = telemetry.spans
    assert len(spans) == 400
    for span in spans:
        number = span.attributes["graphflow.session_id"].partition("-")[0]
        assert span.parent.span_id == parents[number]
    assert telemetry.points["save", None].count == 400
    key = ("graphflow_operation_duration_seconds_count", "save", "ok", "InMemorySessionStorage")
    assert exposed(registry)[1][key] == 400
    assert sum(hasattr(r, "graphflow_op") for r in caplog.records) == 400


@pytest.mark.parametrize(
    ("library", "extra", "make"),
    [
        ("opentelemetry", "opentelemetry", lambda: g.OpenTelemetryHook(None)),
        ("prometheus_client", "prometheus", g.PrometheusHook),
    ],
)
def test_a_missing_library_is_named(library, extra, make, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(g.GraphflowError, match=rf"pip install 'graphflow_nb\[{extra}\]'") as raised:
        make()
    assert isinstance(raised.value.__cause__, ImportError)


def test_libraries_are_imported_only_when_asked_for():
    code = (
        "import sys, graphflow_nb as g; g.LoggingHook();"
        "assert not {'opentelemetry', 'prometheus_client'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
