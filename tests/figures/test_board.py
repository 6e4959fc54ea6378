"""The board shows what there is."""

from __future__ import annotations

import numpy as np
import pytest

from graphflow_nb.errors import QueryError
from graphflow_nb.figures import draw_figure, figure_kinds, latency_board

from ..scope import only_complete
from .checks import assert_readable
from .data import measured, operations


def titles(figure):
    return [ax.get_title().split(",")[0] for ax in figure.axes]


FIRST = ["Figures", "Percentiles of duration", "Timeline"]


def test_a_board_starts_with_the_figures_and_fits_what_there_is():
    assert titles(latency_board(operations([]))) == FIRST
    assert titles(latency_board(operations([1] * 999))) == FIRST
    assert titles(latency_board(operations([2] * 10, execute_ns=[1] * 10)))[3:] == ["Phases"]
    two = operations([1, 2], storage=["A", "B"])
    assert titles(latency_board(two))[3:] == ["Durations by store"]
    assert titles(latency_board(measured(10_001)))[:4] == [*FIRST, "Phases"]


def test_operations_of_few_calls_are_in_the_table_and_not_in_the_axes():
    frame = operations([1000] * 16, op=["get"] * 12 + ["table"] * 4)
    figures, percentiles, timeline = latency_board(frame).axes
    assert "table: n 4, failed 0" in figures.said
    for ax in (percentiles, timeline):
        assert "fewer than 5 calls, not drawn: table (n = 4)" in ax.said
    assert "table" not in percentiles.said.replace("table (n = 4)", "")
    assert latency_board(frame.iloc[12:]).said.count("No operation has 5 calls yet.") == 2


def test_a_comparison_of_four_stores_has_a_row_for_each_operation_of_each():
    stores = ["memory", "sqlite", "postgres", "redis"]
    frame = operations(
        [1000] * 800,
        op=["get", "upsert"] * 400,
        storage=[store for store in stores for _ in range(200)],
        execute_ns=[500] * 800,
    )
    frame.loc[frame["storage"] == "redis", "duration_ns"] = 7000
    figure = latency_board(frame)
    table, phases = figure.axes[0].said, figure.axes[3].said
    assert "redis, all: n 200, failed 0" in table
    assert "highest p99, in bold: redis, 7 µs." in table
    assert "others" not in figure.said
    for said in (table, phases):
        assert all(f"{store} · {op}" in said for op in ("get", "upsert") for store in stores)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[:6] == ["memory", "get", "upsert", "postgres", "get", "upsert"]
    # A store's line and mark are in its row alone, since other figures have no other lines.
    assert len(figure.axes[0].lines) == 4


def test_an_objective_is_drawn_with_the_share_beyond_it():
    frame = operations(np.arange(1, 1001) * 1000, op=["get", "save"] * 500)
    figures, percentiles, timeline = latency_board(frame, objective=900_000).axes
    assert "get: n 500, failed 0" in figures.said
    assert figures.said.count("over 900 µs 10.00 %") == 2
    assert "over 900 µs: get 10.00 %; save 10.00 %." in percentiles.said
    for ax in (percentiles, timeline):
        assert "objective 900 µs" in [text.get_text() for text in ax.texts]
    far = latency_board(frame, objective=1e9)
    assert far.axes[1].get_ylim()[1] > 1e9
    with pytest.raises(QueryError, match="phases draws no objective: leave objective= out, or use"):
        draw_figure("phases", frame, objective=1)


@only_complete
@pytest.mark.parametrize("large", [False, True])
def test_a_picture_with_an_objective_is_readable(large):
    frame = measured(1000)
    for kind in figure_kinds().values():
        if kind.takes("objective"):
            for objective in (1, 900_000, 1e12):
                assert_readable(draw_figure(kind.name, frame, objective=objective, large=large))


def test_a_large_board_has_one_picture_below_the_other_and_larger_letters():
    frame = measured(2000)
    usual, large = latency_board(frame), draw_figure("board", frame, large=True)
    assert large.dpi == 1.5 * usual.dpi
    assert large.bbox.width > usual.bbox.width
    assert len({ax.get_position().x0 for ax in usual.axes[1:3]}) == 2
    tops = [ax.get_position().y1 for ax in large.axes]
    assert tops == sorted(set(tops), reverse=True)
    assert draw_figure("timeline", frame, large=True).dpi == large.dpi


def test_the_rate_of_a_store_is_that_of_its_own_turns():
    second = 1_000_000_000
    started = np.concatenate([np.linspace(at, at + 0.99, 100) * second for at in (0, 10, 20)])
    frame = operations(
        np.full(300, second // 100),
        storage=["A"] * 100 + ["B"] * 100 + ["A"] * 100,
        started=started,
    )
    said = latency_board(frame.assign(repeat=[0] * 200 + [1] * 100)).axes[0].said
    assert "A · get: n 200, failed 0, per s 100," in said
    assert "B · get: n 100, failed 0, per s 100," in said
    assert "B · get: n 100, failed 0, per s 4.76," in latency_board(frame).axes[0].said
