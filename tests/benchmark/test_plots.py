"""Figures of a run and of two."""

from __future__ import annotations

import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb.figures import plot_throughput

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
