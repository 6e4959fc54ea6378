"""Every picture is right on a white ground and on a black one unless a theme is asked for."""

from __future__ import annotations

import inspect

import graphflow_nb
from graphflow_nb import figures
from graphflow_nb.benchmark.run import Run
from graphflow_nb.notebook import comparing, latency, recordings, timelines


def test_no_picture_has_a_ground_by_default():
    found = {}
    classes = [
        *vars(comparing).values(),
        *(timelines.Timeline, recordings.Recording, latency.Latency, Run),
        graphflow_nb.Workbench,
    ]
    functions = [getattr(figures, name) for name in figures.__all__]
    for thing in classes:
        if inspect.isclass(thing) and thing.__module__.startswith("graphflow_nb"):
            functions += [member for _, member in inspect.getmembers(thing, inspect.isfunction)]
    for function in functions:
        if callable(function):
            theme = inspect.signature(function).parameters.get("theme")
            if theme is not None and theme.default is not inspect.Parameter.empty:
                found[function.__qualname__] = theme.default
    assert {"plot_stays", "plot_task_runs", "latency_board", "Timeline.plot"} <= set(found)
    assert set(found.values()) == {"both"}
