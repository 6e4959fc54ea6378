"""Sessions over time: each bar is where its stay is, and none is lost."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

import graphflow_nb as g
from graphflow_nb.figures import locate_bars, locate_moments, plot_stays, plot_tasks
from graphflow_nb.figures.theme import THEMES
from graphflow_nb.frames import stays_frame, transitions_frame
from graphflow_nb.storage.history import STEP_COLUMNS, Steps

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
T = int(NOW.timestamp()) * 1_000_000
HOUR = 3_600_000_000


def stays(*rows: tuple[str, int, int, str, bool]) -> pd.DataFrame:
    """Stays of sessions: id, number, hours ago, task, and whether it was deleted there."""
    steps = [
        (id, number, T - ago * HOUR, "claims", task, None, gone, "written")
        for id, number, ago, task, gone in rows
    ]
    assert len(STEP_COLUMNS) == 8
    return stays_frame(Steps.from_rows(steps, 1_000_000), NOW)


def some() -> pd.DataFrame:
    return stays(
        ("a", 1, 10, "intake", False),
        ("a", 2, 8, "decide", False),
        ("a", 3, 7, "decide", False),
        ("a", 4, 2, "payout", False),
        ("b", 1, 9, "intake", False),
        ("b", 2, 3, "decide", False),
        ("b", 3, 1, "decide", True),
        ("b", 4, 0, "intake", False),
    )


def test_a_stay_ends_with_the_next_save():
    frame = some()
    hours = (frame["duration"] / pd.Timedelta("1h")).tolist()
    assert hours == [2, 1, 5, 2, 6, 2, 0]
    assert frame["open"].tolist() == [False, False, False, True, False, False, True]
    assert frame["waits"].tolist() == [False, False, True, False, False, False, False]
    assert frame["version"].tolist() == [1, 2, 3, 4, 1, 2, 4]
    assert frame["start"].dt.tz is not None


def test_one_stay_is_not_many():
    said = plot_stays(some()).said
    assert "intake: 3 stays, half of them up to 2 h." in said
    assert "payout: 1 stay, of 2 h." in said


def test_transitions_are_counted_with_their_times():
    frame = transitions_frame(some())
    found = frame[["from", "to", "n"]].to_numpy().tolist()
    assert found[0] == ["intake", "decide", 2]
    assert ["decide", "decide", 1] in found
    assert ["decide", "payout", 1] in found
    assert len(found) == 3, "a delete is no way to the next session's task"
    row = frame[(frame["from"] == "intake")].iloc[0]
    assert (row["p50"], row["p99"]) == (pd.Timedelta("2h"), pd.Timedelta("6h"))
    empty = transitions_frame(stays())
    assert list(empty.columns) == list(frame.columns)
    assert (empty.dtypes == frame.dtypes).sum() >= 3


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_bar_has_the_colour_of_its_task_where_it_is_pointed_at(theme: str):
    frame = some()
    ax = plot_stays(frame, theme=theme)  # type: ignore[arg-type]
    picture = np.asarray(Image.open(io.BytesIO(ax.figure._repr_png_())).convert("RGB"))  # type: ignore[union-attr]
    tall, wide, _ = picture.shape
    colours = dict(zip(["intake", "decide", "payout"], THEMES[theme].colours, strict=False))
    bars = locate_bars(ax, frame)
    assert [bar.row for bar in bars] == list(range(len(frame)))
    for bar in bars:
        stay = frame.iloc[bar.row]
        if stay["duration"] == pd.Timedelta(0):
            continue
        x, y = (bar.left + bar.width * 0.4) * wide, (bar.top + bar.height / 2) * tall
        seen = picture[int(y), int(x)] / 255
        full, paper = (np.array(to_rgb(c)) for c in (colours[stay["task"]], THEMES[theme].paper))
        wanted = 0.4 * full + 0.6 * paper if stay["waits"] else full
        assert np.abs(seen - wanted).max() < 0.08


def test_the_number_at_each_task_is_that_of_a_plain_count():
    frame = some()
    ax = plot_tasks(frame)
    # Each area is drawn on top of those before: the highest edge of the last is the most at once.
    edges = [area.get_paths()[0].vertices[:, 1].max() for area in ax.collections]
    assert edges == [2, 2, 2]
    assert "At most 2 at one time." in ax.said  # type: ignore[attr-defined]


def test_where_it_is_pointed_at_the_numbers_are_those_of_a_plain_count():
    frame = some()
    ax = plot_tasks(frame)
    ax.figure._repr_png_()  # type: ignore[union-attr]
    moments = locate_moments(ax, frame, count=20)
    for moment in moments:
        there = frame[(frame["start"] <= moment.at) & (frame["end"] > moment.at)]
        counts = there["task"].astype(object).value_counts()
        assert moment.counts == [(n, counts.get(n, 0)) for n in ("intake", "decide", "payout")]
    edges = [moment.left for moment in moments] + [moments[-1].left + moments[-1].width]
    assert edges == sorted(edges)
    assert 0 < edges[0] < edges[-1] <= 1


def test_a_clock_that_goes_back_makes_no_stay_of_less_than_nothing():
    frame = stays(("a", 1, 5, "intake", False), ("a", 2, 7, "decide", False))
    assert frame["duration"].tolist() == [pd.Timedelta(0), pd.Timedelta("7h")]
    assert (frame["end"] >= frame["start"]).all()
    plot_stays(frame)


@pytest.mark.parametrize("draw", [plot_stays, plot_tasks])
@pytest.mark.parametrize(
    "frame",
    [
        stays(),
        stays(("a", 1, 0, "t", False)),
        stays(*((f"{'x' * 300}{n}", 1, n % 50, f"task $x_{n % 30}$\n", False) for n in range(300))),
        stays(("a", 1, 10**6, "t", False), ("b", 1, 0, "u", False)),
    ],
    ids=["none", "one", "odd", "114 years"],
)
def test_it_is_drawn_whatever_there_is(draw, frame: pd.DataFrame):
    ax = draw(frame)
    assert len(ax.figure._repr_png_()) < 300_000
    assert f"n = {frame['id'].nunique():,}" in ax.said


def test_a_frame_without_its_columns_is_refused():
    with pytest.raises(g.QueryError, match="start"):
        plot_stays(some().drop(columns="start"))
