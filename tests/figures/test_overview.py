"""The board of an overview shows the numbers of its frames, whatever they are."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from graphflow_nb.errors import QueryError
from graphflow_nb.figures import (
    overview_board,
    plot_ages,
    plot_context_sizes,
    plot_growth,
    plot_hot_graphs,
    plot_stuck,
)
from graphflow_nb.frames.overview import OverviewFrames, overview_frames
from graphflow_nb.model.times import FINITE, UNKNOWN_TIME, micros_of
from graphflow_nb.storage.overview import count_columns

from ..hostile import ACTIVE
from ..scope import only_complete
from .checks import assert_good

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
T = micros_of(NOW)
HOUR = 3_600_000_000


def frames(*rows: tuple[str, str, float, int], share: float = 1.0) -> OverviewFrames:
    """Frames of sessions: graph, task, hours since the last save, bytes."""
    graphs, tasks, hours, sizes = zip(*rows, strict=True) if rows else ((),) * 4
    times = [T - round(hour * HOUR) if abs(hour) < 1e9 else int(hour) for hour in hours]
    return overview_frames(count_columns(graphs, tasks, times, times, sizes, NOW, share=share))


def spread(tasks: int, count: int, share: float = 1.0, name: str = "task ") -> OverviewFrames:
    chance = np.random.default_rng(7)
    return frames(
        *(
            (f"graph {n % tasks % 40}", f"{name}{n % tasks}", age, size)
            for n, age, size in zip(
                range(count),
                10 ** chance.uniform(-3, 4, count),
                10 ** chance.integers(1, 9, count),
                strict=True,
            )
        ),
        share=share,
    )


CASES = {
    "none": lambda: frames(),
    "one": lambda: frames(("g", "t", 1, 100)),
    "one task": lambda: spread(1, 300),
    "500 tasks": lambda: spread(500, 3_000, 0.001),
    "odd times": lambda: frames(
        *(("g", "t", hour, 2**45) for hour in (-5, -1e5, UNKNOWN_TIME, FINITE, 10**6))
    ),
    "long waits": lambda: frames(
        *(
            ("a graph with a long name", f"a task with a long name {n % 14}", age, 9)
            for n in range(3_000)
            for age in ([240.0] * 9 if n % 99 else [4_400.0])
        )
    ),
    "hostile": lambda: spread(30, 200, name="".join(ACTIVE.values())[:200] + "\n$x_1$"),
}


@only_complete
@pytest.mark.parametrize(
    ("case", "large"), [*((case, False) for case in CASES), ("500 tasks", True), ("hostile", True)]
)
def test_it_is_readable_and_small_whatever_there_is(case, large):
    assert_good(overview_board(*CASES[case](), large=large, theme="dark" if large else "both"))


def test_where_they_are():
    found = frames(*[("g", "a", 0.5, 9)] * 3, *[("g", "a", 30, 9)] * 2, ("g", "b", 1e3, 9))
    ax = plot_ages(found.ages)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"]
    assert [bar.get_width() for bar in ax.patches] == [3, 0, 2, 0, 0, 1]
    assert "a: 5 (less than 1 h 3, 1 to 7 days 2). b: 1 (30 days or more 1)." in ax.said


def test_times_that_are_no_ages_have_a_part_of_their_own():
    ax = plot_ages(frames(("g", "a", -1, 9), ("g", "a", UNKNOWN_TIME, 9), ("g", "a", 1, 9)).ages)
    assert "a: 3 (1 to 24 h 1, in the future or unknown 2)." in ax.said


def test_what_has_no_room_is_said_and_makes_no_bar_invisible():
    found = spread(300, 3_000)
    ax = plot_ages(found.ages)
    assert ax.get_title() == "Where sessions are, n = 3,000"
    assert "not drawn: 2,880 in 288 other tasks." in ax.said
    assert max(bar.get_x() + bar.get_width() for bar in ax.patches) == 10
    assert ax.get_xlim()[1] < 12
    assert "in 28 other graphs" in plot_hot_graphs(found.graphs).said
    assert "other tasks" in plot_stuck(found.tasks).said


def test_long_names_are_told_apart_by_task_and_graph():
    graphs, tasks = (f"{'g' * 200}{n}" for n in range(2)), [f"{'t' * 200}{n}" for n in range(3)]
    found = frames(*((graph, task, 1, 9) for graph in graphs for task in tasks), ("g", "t", 1, 9))
    names = [text.get_text() for text in plot_ages(found.ages).get_yticklabels()]
    assert len(set(names)) == 7
    assert max(map(len, names)) == 26
    assert names[0] == "t · g"
    alike = frames(*((graph, task, 1, 9) for graph, task in (("c", "a · b"), ("b · c", "a"))))
    assert [bar.get_width() for bar in plot_ages(alike.ages).patches] == [1, 1]


def test_an_empty_context_is_at_0_bytes_beside_the_largest():
    ax = plot_context_sizes(frames(("g", "t", 1, 0), ("g", "t", 1, 10**8)).sizes)
    assert [(bar.get_x(), bar.get_width()) for bar in ax.patches] == [(5, 1), (26, 1)]
    ax.figure.canvas.draw()
    ticks = [text.get_text() for text in ax.get_xticklabels()]
    assert ticks == ["0 bytes", "1 KiB", "32 KiB", "1 MiB", "32 MiB"]


def test_what_is_stuck():
    found = frames(*[("g", "a", 1.5, 9)] * 8, ("g", "a", 25, 9), ("g", "b", 1.5, 9))
    ax = plot_stuck(found.tasks)
    tasks = found.tasks.astype({"graph_id": str})
    tasks.loc[1, "graph_id"] = "h"
    assert [bar.get_width() for bar in ax.patches] == [1]
    assert [text.get_text() for text in plot_stuck(tasks).get_yticklabels()] == ["a · g"]
    assert "a: 1 for 24 h or more (usual: 2 h)." in ax.said
    assert plot_stuck(found.tasks).get_title() == "Stuck, n = 1 of 10"
    assert "usual is known of 5 sessions" in plot_stuck(found.tasks[1:]).said
    tasks = frames(*[("g", "a", 1, 9)] * 5).tasks
    none = plot_stuck(tasks).said
    assert none == "Stuck, n = 0 of 5. None was left for 10 times what is usual at its task."
    tasks.attrs["share"] = 0.25
    said = plot_stuck(tasks).said
    assert said.startswith("Stuck, n = 0 seen of about 5. None in the part that was read was left")


def test_of_a_few_sessions_nothing_is_usual():
    tasks = frames(*[("g", "a", 0.01, 9)] * 3, ("g", "a", 1e3, 9)).tasks
    assert (tasks["usual_age"].isna().all(), tasks["stuck"].sum()) == (True, 0)


def test_growth():
    found = frames(*(("g", "a", 24 * n, 9) for n in (0, 1, 2, 9, 10, 11, 12, 70)))
    ax = plot_growth(found.days)
    heights = [bar.get_height() for bar in ax.patches]
    assert len(heights) == 60
    assert heights[-3:] == [1, 1, 1]
    assert sum(heights) == 7
    assert "created in the 7 days before today: 2 (7 days before: 4, −50 %)" in ax.said
    hours = plot_growth(found.hours)
    assert sum(bar.get_height() for bar in hours.patches) == 2
    assert hours.get_title() == "Growth by hour, n = 2 created in 48 hours"
    assert "Most in one hour: 1 on " in hours.said
    saved = found.hours.assign(created=0)
    assert "Most in" not in plot_growth(saved).said


def test_hot_graphs_and_sizes():
    found = frames(("g", "a", 0.5, 100), ("h", "a", 5, 5_000), ("h", "a", 50, 70))
    ax = plot_hot_graphs(found.graphs)
    assert "g: 1 in the last hour, 1 in the last 24 hours." in ax.said
    assert "h: 0 in the last hour, 1 in the last 24 hours." in ax.said
    ax = plot_context_sizes(found.sizes)
    assert [bar.get_height() for bar in ax.patches] == [2, 1]
    assert "together 5.05 KiB. mean 1.68 KiB. largest below 8 KiB." in ax.said


def test_numbers_of_a_part_are_said_to_be_about():
    found = spread(3, 1_000, share=0.01)
    said = overview_board(*found).said
    assert "Where sessions are, n = about 100,000." in said
    assert "estimated from 1,000 sessions in 1 % of the store" in said


def test_a_frame_without_its_columns_is_refused():
    found = frames(("g", "a", 1, 9))
    for plot, frame, column in (
        (plot_ages, found.ages, "at_least"),
        (plot_stuck, found.tasks, "stuck"),
        (plot_growth, found.days, "created"),
        (plot_hot_graphs, found.graphs, "saved_last_day"),
        (plot_context_sizes, found.sizes, "below"),
    ):
        with pytest.raises(QueryError, match=column):
            plot(frame.drop(columns=column))
    with pytest.raises(QueryError, match="'pink' is not one of the choices"):
        overview_board(*found, theme="pink")  # type: ignore[arg-type]
