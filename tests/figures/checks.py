"""What is checked of every picture."""

from __future__ import annotations

import warnings
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SMALLEST = 9  # points
LARGEST = 300_000  # bytes of a picture


def assert_readable(ax: Axes | Figure) -> None:
    """It draws without a warning; nothing is cut off, on top of other text, or too small."""
    figure = ax if isinstance(ax, Figure) else ax.figure
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        canvas.draw()
    renderer = canvas.get_renderer()
    outer = Bbox.from_bounds(0, 0, *canvas.get_width_height()).padded(1)
    for panel in figure.axes:
        box = panel.get_tightbbox(renderer)
        assert outer.contains(box.x0, box.y0), panel
        assert outer.contains(box.x1, box.y1), panel
        for text in panel.findobj(Text):
            if text.get_visible() and text.get_text():
                assert text.get_fontsize() >= SMALLEST
        for axis in (panel.xaxis, panel.yaxis):
            shown = [
                tick.label1.get_window_extent(renderer)
                for tick in axis.get_major_ticks()
                if tick.label1.get_text() and tick.label1.get_visible()
            ]
            shown = [each for each in shown if outer.overlaps(each)]
            for one, next_ in pairwise(sorted(shown, key=lambda each: (each.x0, each.y0))):
                assert not one.overlaps(next_), (panel.get_title(), axis)
    assert figure.said


def assert_small(ax: Axes | Figure) -> None:
    """Its picture is made without a warning, and is small."""
    figure = ax if isinstance(ax, Figure) else ax.figure
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png = figure._repr_png_()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(png) < LARGEST


def assert_good(ax: Axes | Figure) -> None:
    """It is readable and small."""
    assert_readable(ax)
    assert_small(ax)
