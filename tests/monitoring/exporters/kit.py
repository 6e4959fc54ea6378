"""What the tests of all hooks use."""

from __future__ import annotations

import logging

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

import graphflow_nb as g
from graphflow_nb import Session

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


def exposed(registry):
    text = generate_latest(registry).decode()
    assert SECRET not in text
    return text, {
        (sample.name, *(v for k, v in sorted(sample.labels.items()) if k != "le")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("le", "+Inf") == "+Inf"
    }


def record_of(operation, caplog, **options):
    caplog.clear()
    caplog.set_level(logging.DEBUG, "tests")
    g.LoggingHook(logging.getLogger("tests"), **options).on_operation(operation)
    return caplog.records[0] if caplog.records else None
