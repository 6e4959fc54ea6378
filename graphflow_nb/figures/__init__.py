"""Figures of what operations cost, as a notebook shows them. Never through pyplot."""

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
