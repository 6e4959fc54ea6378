"""The chart of operations: what it holds, what it answers, and what a dot opens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphflow_nb as g
from graphflow_nb.notebook.exploring import LatencyExplorer
from graphflow_nb.notebook.opschart import MAX_DOTS, OperationsChart, choose_dots


def send(chart: OperationsChart, event: str, value: Any) -> None:
    chart.receive({"event": event, "value": value})


def record(wb: g.Workbench, count: int, failed: int = 0) -> None:
    for n in range(count):
        wb.recorder.on_operation(
            g.Operation(
                *(("get", "save")[n % 2], "X", f"none-{n % 7}", n * 1_000_000, 1_000 * (n + 1)),
                execute_ns=500,
                outcome="error" if n < failed else "ok",
                error="E" if n < failed else None,
            )
        )


@pytest.fixture
def explorer() -> Any:
    wb = g.open("demo")
    record(wb, 40, failed=2)
    view = wb.latency.explore()
    yield view
    view.close()
    wb.close()


def test_the_chart_holds_each_operation_and_its_session(explorer: LatencyExplorer):
    chart = explorer.chart.chart
    assert (chart["n"], chart["all"], chart["note"]) == (40, 40, "40 operations")
    assert [(each["name"], each["n"]) for each in chart["series"]] == [("get", 20), ("save", 20)]
    dots = chart["dots"]
    assert dots["took"] == [1_000 * n for n in range(1, 41)]
    assert dots["id"][:2] == ["none-0", "none-1"]
    assert sum(dots["failed"]) == 2
    assert sum(chart["cells"]["n"]) == 40


def test_a_dot_shows_its_phases_and_opens_its_session(explorer: LatencyExplorer):
    explorer.wb.create("none-3", "intake")
    send(explorer.chart, "open", 3)
    assert "execute 500 ns" in explorer.details.value
    assert explorer.browser.session.id == "none-3"
    first = explorer.browser
    send(explorer.chart, "open", 5)
    assert explorer.browser is first
    for wrong in (-1, 40, "3", None, 1.5):
        send(explorer.chart, "open", wrong)
    assert explorer.browser is first


def test_a_part_of_the_chart_holds_what_lies_in_it(explorer: LatencyExplorer):
    send(explorer.chart, "range", [0, 10_000_000, 5_000, 1e9])
    chart = explorer.chart.chart
    assert chart["dots"]["took"] == [1_000 * n for n in range(5, 12)]
    assert sum(chart["cells"]["n"]) == chart["n"] == 7
    assert chart["all"] == 40
    send(explorer.chart, "range", [2e9, 3e9, 1, 2])  # where nothing is
    assert explorer.chart.chart["n"] == 0
    for whole in (None, [1, 0, 5, 5], "x", [1, 2], [0, float("nan"), 1, 2], [None] * 4):
        send(explorer.chart, "range", whole)
        assert explorer.chart.chart["n"] == 40


def test_of_many_operations_the_slowest_and_the_failed_are_dots():
    random = np.random.default_rng(1)
    nanos = random.lognormal(13, 1, 200_000).astype(np.int64)
    failed = np.zeros(200_000, bool)
    failed[random.choice(200_000, 150, replace=False)] = True
    rows = choose_dots(nanos, failed)
    assert MAX_DOTS / 2 < len(rows) <= MAX_DOTS
    assert np.isin(np.argsort(nanos)[-1000:], rows).all()
    assert np.isin(np.flatnonzero(failed), rows).all()
    assert len(choose_dots(nanos, np.ones(200_000, bool))) <= MAX_DOTS
    assert choose_dots(nanos[:10], failed[:10]).tolist() == list(range(10))


def test_what_is_cut_is_said_and_zoom_brings_it_back():
    wb = g.open("memory:")
    record(wb, 2 * MAX_DOTS)
    view = wb.latency.explore()
    assert (
        "of 8,000 operations are dots: the slowest, failed ones, and an" in view.chart.chart["note"]
    )
    send(view.chart, "range", [0, 1_000_000_000, 1, 1e9])
    assert view.chart.chart["note"] == "1,001 operations"
    record(wb, 5)
    view.refresh()
    assert view.chart.chart["all"] == 2 * MAX_DOTS + 5
    assert "n = 8,005" in repr(view)
    view.close()


def test_without_operations_or_without_a_store_it_says_so():
    wb = g.open("demo")
    empty = wb.latency.explore()
    assert empty.chart.chart["note"] == "No operation was recorded yet."
    send(empty.chart, "range", [0, 1, 1, 2])
    send(empty.chart, "open", 0)
    assert "no operation was recorded yet" in empty.to_html().lower()
    wb.get("claim-0014")
    loaded = wb.latency.merged().explore()
    send(loaded.chart, "open", 0)
    assert "claim-0014" in loaded.details.value
    assert loaded.browser is None
    for view in (empty, loaded):
        view.close()
