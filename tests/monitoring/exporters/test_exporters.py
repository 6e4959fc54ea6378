"""What holds for every hook."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time

import pytest
from prometheus_client import CollectorRegistry

import graphflow_nb as g
from graphflow_nb import MonitoredStorage, Operation, Session

from .kit import exposed, record_of


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
    with pytest.raises(g.GraphflowError, match=rf"install 'graphflow_nb\[{extra}\]'") as raised:
        make()
    assert isinstance(raised.value.__cause__, ImportError)


def test_libraries_are_imported_only_when_asked_for():
    code = (
        "import sys, graphflow_nb as g; g.LoggingHook();"
        "assert not {'opentelemetry', 'prometheus_client'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
