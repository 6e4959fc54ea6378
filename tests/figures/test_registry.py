"""A kind of figure is registered in one place, and everything else follows from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.axes import Axes

import graphflow_nb as g
from graphflow_nb.figures import draw_figure, figure_kinds, plot_ecdf, register
from graphflow_nb.figures.axis import set_count_axis
from graphflow_nb.figures.figure import axes_for
from graphflow_nb.figures.frame import title_of
from graphflow_nb.figures.parts import finish_axes

from .data import measured


def test_the_kinds_are_in_their_order():
    kinds = figure_kinds()
    known = [
        *("board", "figures", "percentiles", "ecdf", "histogram"),
        *("timeline", "heatmap", "phases", "phase_shares", "boxes"),
    ]
    assert [name for name in kinds if name in known] == known
    assert [kind.name for kind in kinds.values()] == list(kinds)
    assert kinds["ecdf"].plot is plot_ecdf
    assert kinds["ecdf"].takes("by")
    assert not kinds["heatmap"].takes("by")


def test_what_is_drawn_by_its_name_is_what_the_function_draws():
    frame = measured(200)
    for kind in figure_kinds().values():
        drawn = draw_figure(kind.name, frame, theme="dark")
        assert drawn.said == (figure := kind.plot(frame)).said
        assert drawn.theme.paper == "#111111"
        assert figure.said == repr(figure)
    assert "ok: n = " in draw_figure("ecdf", frame, by="outcome").said


def test_what_can_not_be_drawn_is_refused_in_words():
    frame = measured(20)
    with pytest.raises(g.QueryError) as caught:
        draw_figure("pie", frame)
    assert str(caught.value) == f"unknown plot 'pie': use {', '.join(figure_kinds())}"
    for name in ("board", "heatmap"):
        with pytest.raises(g.QueryError, match=f"a {name} shows all operations together: leave"):
            draw_figure(name, frame, by="op")
    with pytest.raises(g.QueryError, match="no column 'mood'"):
        draw_figure("ecdf", frame, by="mood")
    with pytest.raises(g.QueryError, match="'light', 'dark'"):
        draw_figure("ecdf", frame, theme="pink")


def test_two_functions_can_not_have_one_name():
    with pytest.raises(ValueError, match=r"'ecdf' is drawn by .*distribution\.plot_ecdf already"):
        register("ecdf", "Something else.")(lambda frame, theme: None)
    # As when its module is loaded again.
    kind = figure_kinds()["ecdf"]
    assert register("ecdf", kind.help, order=kind.order)(plot_ecdf) is plot_ecdf
    assert figure_kinds()["ecdf"] == kind


NEW = '''
"""Something new."""

from graphflow_nb.figures.registry import register
from tests.figures.test_registry import draw_something

plot_something = register("something", "Something new.", order=35)(draw_something)
'''


def draw_something(frame, *, ax: Axes | None = None, theme="light") -> Axes:
    """Draw something: the whole of a new figure, made of what is public."""
    ax = axes_for(ax, theme)
    set_count_axis(ax.yaxis, max(len(frame), 1), "operations")
    return finish_axes(ax, title_of("Something", frame), "It is new.")


def test_a_new_module_of_the_package_is_all_that_a_new_kind_needs(tmp_path: Path):
    (tmp_path / "something.py").write_text(NEW)
    code = (
        "import sys, graphflow_nb as g, graphflow_nb.figures as figures\n"
        "figures.__path__.append(sys.argv[1])\n"
        "wb = g.open('demo')\n"
        "wb.get('claim-0014')\n"
        "assert 'It is new.' in wb.latency.plot('something', theme='dark').said\n"
        "place = list(figures.figure_kinds()).index\n"
        "assert place('histogram') < place('something') < place('timeline')\n"
        "try: wb.latency.plot('pie')\n"
        "except g.QueryError as error: assert ' something,' in str(error)\n"
        "else: raise AssertionError\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_importing_the_package_loads_no_matplotlib():
    code = (
        "import sys, graphflow_nb, graphflow_nb.notebook.latency\n"
        "assert 'matplotlib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
