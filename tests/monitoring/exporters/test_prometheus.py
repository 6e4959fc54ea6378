"""Operations arrive in Prometheus as what they were."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

import graphflow_nb as g
from graphflow_nb import MonitoredStorage, Recorder

from .kit import exposed, use


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
    assert "nobody" not in text
    kept = recorder.operations()
    assert samples[f"{seconds}_sum", "save", "ok", name] == kept[0].duration_ns / 1e9
    assert samples["graphflow_operation_errors_total", "SessionConflict", "save", name] == 1
    assert ("graphflow_operation_errors_total", "SessionConflict", "get", name) not in samples
    if kind == "memory":  # which reports neither
        assert not [key for key in samples if "phase" in key[0] or "bytes" in key[0]]
        assert not [key for key in samples if "operation_sessions" in key[0]]
        return
    gets = [o for o in kept if o.op == "get"]
    for phase in ("wait", "encode", "execute", "decode"):
        spent = samples["graphflow_operation_phase_seconds_total", "get", phase, name]
        assert spent == pytest.approx(sum(getattr(o, f"{phase}_ns") for o in gets) / 1e9)
    for what, field in (("context_bytes", "bytes"), ("sessions", "rows")):
        carried = samples[f"graphflow_operation_{what}_total", "get", name]
        assert carried == sum(getattr(o, field) for o in gets)
        assert carried > 0


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
