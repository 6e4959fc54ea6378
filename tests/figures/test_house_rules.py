"""The house rules of figures, checked for every kind of figure that is registered.

The package's docstring says them in words, with the same numbers.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

import matplotlib
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from graphflow_nb.errors import QueryError
from graphflow_nb.figures import FigureKind, LatencyFigure, figure_kinds
from graphflow_nb.figures.figure import LatencyAxes
from graphflow_nb.figures.theme import THEMES

from ..scope import COMPLETE, one_in, only_complete
from .checks import assert_good, assert_readable, assert_small
from .data import CASES, lines, measured, operations
from .test_theme import contrast

KINDS = list(figure_kinds().values())
Rule = Callable[[FigureKind], None]


def panels(kind: FigureKind, frame, **options) -> list[Axes]:
    """Draw a figure, and return the axes that it consists of."""
    drawn = kind.plot(frame, **options)
    return drawn.axes if isinstance(drawn, Figure) else [drawn]


def rendered(axes: list[Axes]) -> list[Axes]:
    """Render a figure, which gives its ticks their texts."""
    FigureCanvasAgg(axes[0].figure).draw()
    return axes


def ticks(axis) -> list[str]:
    low, high = sorted(axis.get_view_interval())
    texts = [
        tick.label1.get_text() for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high
    ]
    return [text for text in texts if text]


def is_of_durations(axis) -> bool:
    return axis.label.get_text().startswith("duration")


# The rules


def rule_1_the_title_says_what_and_how_many(kind: FigureKind) -> None:
    for n in (2, 2000):
        for ax in panels(kind, measured(n, failed=0)):
            assert re.fullmatch(rf"[A-Z][^,]+, n = {n:,}", ax.get_title())


def rule_2_axes_have_labels_and_durations_their_units(kind: FigureKind) -> None:
    for ax in rendered(panels(kind, measured(2000))):
        for axis in (ax.xaxis, ax.yaxis):
            assert ticks(axis)
            if any(re.match(r"[\d×+−]", text) for text in ticks(axis)):  # others are names of rows
                assert axis.label.get_text()
            if is_of_durations(axis):
                assert all(re.fullmatch(r"[\d.,]+ (ns|µs|ms|s)", text) for text in ticks(axis))


def rule_3_failed_operations_are_counted_and_crossed(kind: FigureKind) -> None:
    outcome = ["ok", "error", "conflict", "cancelled", "missing"]
    for ax in panels(kind, operations([10, 20, 30, 40, 50], outcome=outcome)):
        assert "n = 5, 3 failed" in ax.get_title()
        assert "n = 5, 3 failed" in ax.said
        if is_of_durations(ax.xaxis) or is_of_durations(ax.yaxis):
            assert lines(ax, marker="X")


def rule_4_it_is_drawn_in_the_colours_of_both_themes(kind: FigureKind) -> None:
    for name, theme in THEMES.items():
        for ax in rendered(panels(kind, measured(2000), theme=name)):
            assert to_rgba(ax.figure.get_facecolor()) == to_rgba(theme.paper)
            assert to_rgba(ax.get_facecolor()) == to_rgba(theme.paper)
            for text in ax.findobj(Text):
                if text.get_visible() and text.get_text():
                    box = text.get_bbox_patch()
                    if box is None:
                        assert to_rgba(text.get_color()) in map(to_rgba, (theme.ink, theme.quiet))
                    else:
                        assert contrast(text.get_color(), box.get_facecolor()[:3]) > 4.5


def rule_5_it_says_in_words_what_it_shows(kind: FigureKind) -> None:
    for ax in panels(kind, frame := measured(2000)):
        assert ax.said.startswith(f"{ax.get_title()}. ")
        assert len(ax.said) > len(ax.get_title()) + 10
        assert ax.said.endswith(".")
        assert repr(ax) == str(ax) == ax.said
    drawn = kind.plot(frame)
    data, about = drawn._repr_mimebundle_()
    assert data["text/plain"] == about["image/png"]["alt"] == drawn.said


def rule_6_it_draws_on_what_is_given_or_shows_itself(kind: FigureKind) -> None:
    frame = measured(2000)
    drawn = kind.plot(frame)
    assert isinstance(drawn if isinstance(drawn, Figure) else drawn.figure, LatencyFigure)
    if kind.takes("ax"):
        assert isinstance(drawn, LatencyAxes)
        for figure in (Figure(), LatencyFigure(theme="dark"), Figure().subfigures(1, 2)[0]):
            ax = figure.add_subplot()
            assert kind.plot(frame, ax=ax) is ax
            assert ax.has_data()


def rule_7_it_changes_no_setting_of_matplotlib(kind: FigureKind) -> None:
    before = dict(matplotlib.rcParams)
    rendered(panels(kind, measured(2000)))
    assert dict(matplotlib.rcParams) == before


def rule_8_without_any_operation_it_says_so(kind: FigureKind) -> None:
    for ax in panels(kind, operations([])):
        assert ax.said.endswith("n = 0. No operation was recorded yet.")
        assert "no operation was recorded yet" in [text.get_text() for text in ax.texts]


def rule_9_it_refuses_in_words(kind: FigureKind) -> None:
    with pytest.raises(QueryError, match="no column 'duration_ns'; it has op, storage"):
        kind.plot(measured(10).drop(columns="duration_ns"))
    with pytest.raises(QueryError, match="'pink' is not one of the choices: 'light', 'dark'"):
        kind.plot(measured(10), theme="pink")
    if kind.takes("by"):
        with pytest.raises(QueryError, match=r"no column 'nothing'; it has op, storage"):
            kind.plot(measured(10), by="nothing")


def rule_10_more_groups_than_can_be_distinguished_are_others(kind: FigureKind) -> None:
    if not kind.takes("by"):
        return
    frame = measured(5000, ops=[f"op{i:02}" for i in range(30)])
    (ax,) = rendered(panels(kind, frame, by="op"))
    legend = ax.get_legend()
    shown = [text.get_text() for text in legend.get_texts()] if legend else []
    shown += [text.get_text() for text in ax.texts]
    names = "; ".join([ax.said, *shown, *ticks(ax.xaxis), *ticks(ax.yaxis)])
    if "24 others" not in names:  # a figure of rows has one for each
        assert all(f"op{i:02}" in names for i in range(30))
        drawn = kind.plot(measured(5000, ops=[f"op{i:02}" for i in range(60)]), by="op")
        assert "30 others" in drawn.said
        assert "filter the frame to see the others" in drawn.said
    for by in ("outcome", "error"):
        assert_good(kind.plot(measured(500), by=by))


RULES = [rule for name, rule in list(globals().items()) if name.startswith("rule_")]


@one_in(6)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.removeprefix("rule_"))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_of_figure_keeps_the_rule(kind: FigureKind, rule: Rule):
    rule(kind)


@one_in(10)
@pytest.mark.parametrize(
    ("case", "theme"),
    [*((case, "light") for case in CASES), ("many", "dark"), ("nothing", "dark")],
)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_of_figure_is_readable_whatever_was_measured(kind: FigureKind, case, theme):
    frame = CASES[case]
    before = dict(matplotlib.rcParams)
    drawn = kind.plot(frame, theme=theme)
    for ax in drawn.axes if isinstance(drawn, Figure) else [drawn]:
        assert f"n = {len(frame):,}" in ax.get_title()
        assert f"n = {len(frame):,}" in ax.said
    assert_readable(drawn)
    if COMPLETE or len(frame) > 500:  # the others are far smaller
        assert_small(drawn)
    assert dict(matplotlib.rcParams) == before


@only_complete  # the board, which consists of several kinds, is drawn so in every run
def test_no_kind_of_figure_uses_pyplot():
    code = (
        "import sys\n"
        "from graphflow_nb.figures import draw_figure, figure_kinds\n"
        "from tests.figures.data import measured\n"
        "for name in figure_kinds():\n"
        "    draw_figure(name, measured(100))._repr_png_()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_kind_of_figure_has_a_line_of_help():
    for kind in KINDS:
        assert re.fullmatch(r"[A-Z][^\n]{10,90}\.", kind.help)
        assert re.match(r"Draw [^\n]+\.\n", kind.plot.__doc__ or "")


def plot_badly(frame, *, ax=None, by="op", theme="light"):
    """What someone writes who has not read the rules."""
    ax = ax or Figure().add_subplot()
    ax.plot(frame["duration_ns"].to_numpy())
    ax.set_title("Durations")
    ax.said = ""
    matplotlib.rcParams["lines.linewidth"] = len(frame) + 1.5
    return ax


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.removeprefix("rule_"))
def test_each_rule_is_broken_by_a_bad_figure(rule: Rule):
    bad = FigureKind("bad", "Whatever.", 0, plot_badly)
    with matplotlib.rc_context(), pytest.raises((Exception, pytest.fail.Exception)):
        rule(bad)
