"""Pictures of what operations cost, drawn with matplotlib.

``Latency.plot(name)`` draws a kind of figure; ``figure_kinds()`` lists them. To add one, write a
function in a module of this package and mark it with ``@register`` (see ``registry``);
``distribution`` is a good model. Nothing else has to list it. ``pytest tests/figures -k <name>``
then checks the house rules for it, with data that is hard to draw.

What figures share is in ``frame`` (what is read from operations), ``groups`` (operations by the
values of a column), ``looks`` (the colour and shape of a name), ``axis``, ``text`` (numbers and
names in words), ``objective`` and ``parts`` (title, words, names, legend, marks of failed
operations).

House rules
-----------
They are checked for every kind of figure, one by one, in ``tests/figures/test_house_rules.py``.

1. *The title says what is shown, and of how many operations*: ``n = 1,234, 5 failed``. That is
   ``title_of``.
2. *Every axis of numbers has a label, and every duration its unit.* The axes of durations, counts,
   rates, shares and time are in ``axis``.
3. *Failed operations are marked*: counted in the title, and crossed where single durations are
   drawn (``mark_failed``).
4. *It is drawn for a white ground, for a black one, and for either*: text, lines and ground have
   the colours of ``theme_of(ax)``, a name has those of ``look_of``.
5. *It says in words what it shows*, for screen readers and plain terminals: the sentences given to
   ``finish_axes`` become ``said``, and the alt text of the picture.
6. *It draws on the axes that it is given*, of any matplotlib figure, and returns them. Without
   ``ax=`` it makes a ``LatencyFigure``, which shows itself.
7. *It never uses pyplot* and changes no setting of matplotlib: a widget's callback may run on a
   second thread, where pyplot's global state breaks figures.
8. *It stays readable and small whatever was measured*: nothing is cut off, no tick is on top of
   another, no text is below 9 points, and the picture takes less than 300 kB, with no operation,
   one, or a million, with names that hold formulas or line breaks, with durations from 0 ns to an
   hour. Without any operation it says so (``finish_empty``).
9. *It refuses in words*: a frame without a needed column, an unknown theme (``QueryError``).
10. *More groups than can be distinguished are "others"* (``group_operations``), where it takes
    ``by=``: more than seven that are drawn over each other, more than 31 that have a row each.
11. *A name looks the same in every picture* (``looks``); nothing differs by its colour alone.
"""

from .board import latency_board
from .compare import difference, plot_difference
from .distribution import plot_boxes, plot_ecdf, plot_histogram
from .figure import LatencyFigure
from .overview import (
    overview_board,
    plot_ages,
    plot_context_sizes,
    plot_growth,
    plot_hot_graphs,
    plot_stuck,
)
from .percentiles import naive_and_corrected, plot_percentiles
from .phases import plot_phase_shares, plot_phases
from .recording import plot_task_runs, plot_token_rate
from .registry import FigureKind, draw_figure, figure_kinds, register
from .stalling import stalls
from .stays import locate_bars, locate_moments, plot_stays, plot_tasks
from .summary import plot_figures
from .text import duration_text
from .theme import ThemeName
from .throughput import plot_throughput
from .timeline import plot_heatmap, plot_timeline

__all__ = [
    "FigureKind",
    "LatencyFigure",
    "ThemeName",
    "difference",
    "draw_figure",
    "duration_text",
    "figure_kinds",
    "latency_board",
    "locate_bars",
    "locate_moments",
    "naive_and_corrected",
    "overview_board",
    "plot_ages",
    "plot_boxes",
    "plot_context_sizes",
    "plot_difference",
    "plot_ecdf",
    "plot_figures",
    "plot_growth",
    "plot_heatmap",
    "plot_histogram",
    "plot_hot_graphs",
    "plot_percentiles",
    "plot_phase_shares",
    "plot_phases",
    "plot_stays",
    "plot_stuck",
    "plot_task_runs",
    "plot_tasks",
    "plot_throughput",
    "plot_timeline",
    "plot_token_rate",
    "register",
    "stalls",
]
