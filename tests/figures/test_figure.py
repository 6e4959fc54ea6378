"""Figures and axes show themselves, and say in words what they show."""

from __future__ import annotations

import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure

from graphflow_nb.errors import QueryError
from graphflow_nb.figures import LatencyFigure, latency_board, plot_ecdf

from .data import measured


def test_axes_and_figures_show_and_say_themselves():
    frame = measured(100)
    format = DisplayFormatter().format
    for made in (plot_ecdf(frame), latency_board(frame)):
        data, about = format(made)
        assert data["image/png"].startswith("iVBOR")
        assert data["text/plain"] == repr(made) == about["image/png"]["alt"]
        assert "get" in repr(made)


def test_it_draws_on_what_is_given():
    frame = measured(2000)
    panels = LatencyFigure(theme="dark").panels(1, 2)
    assert plot_ecdf(frame, ax=panels[0]) is panels[0]
    inner = Figure().subfigures(1, 2)[0].add_subplot()
    assert plot_ecdf(frame, ax=inner) is inner
    with pytest.raises(QueryError, match="'light', 'dark'"):
        plot_ecdf(frame, theme="pink")
    inner.remove()
    with pytest.raises(QueryError, match="not on a figure any more"):
        plot_ecdf(frame, ax=inner)
