"""Figures of a run and of two."""

from __future__ import annotations

import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb.benchmark.plots import draw_run, name_requests
from graphflow_nb.figures import plot_throughput

from ..figures.data import operations
from .kit import QUICK


def test_the_figures_of_a_run(measured, database):
    figure = measured.plot()
    assert figure._repr_png_()[:4] == b"\x89PNG"
    assert "n = " in figure.said
    one = g.open("memory:").benchmark("flow", rate=300, **QUICK)
    assert "corrected" in one.plot(theme="dark").said
    difference = one.compare(one)
    assert "flow" in difference.said
    with pytest.raises(g.BenchmarkError, match="no store and request in common"):
        one.compare(measured)
    points = pd.concat([one.points(), measured.points()])

    assert "3 runs" in plot_throughput(points).said
    with g.open(database, writable=True) as wb:
        phases = wb.benchmark("A", **QUICK).plot()
    assert "execute" in phases.said
    # The names of operations, in the table, the curves and the boxes as in the phases.
    for name in ("get", "upsert"):
        assert (
            sum(f"{name}: n" in ax.said or f"{name}, typical" in ax.said for ax in phases.axes) == 4
        )
    assert not any(request in phases.said for request in ("read", "update"))


def test_phases_say_how_many_operations_a_request_is():
    requests = operations([2_000] * 3, op="flow (get, save)")
    made = operations([1_000] * 6, op=["get", "save"] * 3, execute_ns=[900] * 6)
    said = draw_run(requests, made, open_loop=False, theme="both").said
    assert "Figures, n = 3." in said
    assert "Phases, n = 6." in said
    assert "a flow is 2 operations." in said


def test_requests_have_the_names_of_their_operations():
    requests = operations(
        [1] * 8,
        op=["read", "update", "insert", "modify", "read", "update", "insert", "none"],
        storage=["A"] * 4 + ["B"] * 4,
    )
    made = operations(
        [1] * 6,
        op=["get", "upsert", "save", "get", "get", "save"],
        storage=["A"] * 4 + ["B"] * 2,
    )
    assert name_requests(requests, made)["op"].tolist() == [
        *("get", "upsert", "save", "modify (get, save)"),
        *("get", "save (update)", "save (insert)", "none"),
    ]
