"""Characters that the usual font lacks are drawn with another one."""

from __future__ import annotations

import io
import warnings
from typing import Any

import matplotlib as mpl
import pytest

from graphflow_nb.figures import (
    plot_boxes,
    plot_ecdf,
    plot_percentiles,
    plot_phases,
    plot_timeline,
)
from graphflow_nb.figures.fonts import find_undrawable
from graphflow_nb.figures.text import short_name

from .data import measured

# In STIX, which comes with matplotlib, and not in DejaVu Sans.
OTHER = "⌖"


def test_a_character_is_kept_if_any_font_has_it():
    nowhere = "\U000e0fff"  # but for the font that draws a box for everything
    assert find_undrawable(f"a{OTHER}\n{nowhere}") == {"\n", nowhere}
    assert short_name(f"{OTHER}\n\U000e0fff") == rf"{OTHER}\n\U000e0fff"


@pytest.mark.parametrize(
    "plot", [plot_boxes, plot_ecdf, plot_percentiles, plot_phases, plot_timeline]
)
def test_a_figure_draws_it_in_the_font_that_has_it(plot: Any):
    before = dict(mpl.rcParams)
    figure = plot(measured(90, ops=["get", OTHER])).figure
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # "Glyph … missing from font(s) DejaVu Sans."
        figure.savefig(io.BytesIO())
    assert dict(mpl.rcParams) == before
