"""Pictures of what operations cost, drawn with matplotlib.

A figure is drawn on ``matplotlib.figure.Figure``, never through ``pyplot``: a widget's callback
may run on a second thread, where pyplot's global state breaks figures. A plot function takes
``ax=`` and returns the axes that it drew on. A figure carries its message in words, for people who
can't see it.
"""

from .board import latency_board
from .compare import difference, plot_difference
from .distribution import plot_boxes, plot_ecdf, plot_histogram
from .figure import LatencyFigure
from .percentiles import naive_and_corrected, plot_percentiles
from .phases import plot_phases
from .stalling import stalls
from .text import duration_text
from .throughput import plot_throughput
from .timeline import plot_heatmap, plot_timeline

__all__ = [
    "LatencyFigure",
    "difference",
    "duration_text",
    "latency_board",
    "naive_and_corrected",
    "plot_boxes",
    "plot_difference",
    "plot_ecdf",
    "plot_heatmap",
    "plot_histogram",
    "plot_percentiles",
    "plot_phases",
    "plot_throughput",
    "plot_timeline",
    "stalls",
]
