"""The figures of a run.

This module imports matplotlib, so ``Run`` imports it only when a figure is wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from ..errors import BenchmarkError
from ..figures import (
    LatencyFigure,
    naive_and_corrected,
    plot_boxes,
    plot_difference,
    plot_figures,
    plot_percentiles,
    plot_phases,
    plot_timeline,
)
from ..figures.figure import Row
from ..figures.groups import ROWS, count_groups, group_operations, highest_p99
from ..figures.summary import table_height
from ..figures.theme import ThemeName
from ..printable import describe_count

__all__ = ["draw_difference", "draw_run", "name_requests"]

#: The operations that a request makes; of those in one tuple the first that the store has.
_MADE: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "read": (("get",),),
    "update": (("upsert", "save"),),
    "insert": (("save",),),
    "scan": (("query",),),
    "modify": (("get",), ("save",)),
    "flow": (("get",), ("save",)),
}


def draw_run(
    requests: pd.DataFrame,
    operations: pd.DataFrame,
    *,
    open_loop: bool,
    large: bool = False,
    theme: ThemeName,
) -> LatencyFigure:
    """Draw the figures of the requests, how long they took and when, and where time was spent.

    First is a table of each store and its requests, then their percentiles (of one store in an open
    loop: as measured and corrected) and the requests over time; then the phases of the operations,
    if a storage reports them, and the durations of requests by store. Nothing is merged: each store
    and request has its row.

    Args:
        requests: The requests, as ``name_requests`` returns them.
        operations: The operations, as ``Run.frame`` returns them.
        open_loop: Whether requests were to start at set times.
        large: Whether it is for a projector.
        theme: ``both``, ``light`` or ``dark``.
    """
    several = requests["storage"].nunique() > 1
    by: str | list[str] = ["storage", "op"] if several else "op"
    phases = bool(operations[["wait_ns", "encode_ns", "execute_ns", "decode_ns"]].any(axis=None))
    rows = count_groups(requests, by)
    layout = [Row(table_height(requests, by)), Row(4.8, 2)]
    if phases:
        layout.append(Row(2.2 + 0.64 * max(count_groups(operations, by), 2)))
    layout.append(Row(2.4 + 0.4 * max(rows, 2)))
    figure, axes = LatencyFigure.stacked(layout, theme=theme, large=large)
    panels = iter(axes)
    plot_figures(requests, ax=next(panels), by=by)
    together = "storage" if several else "op"
    if open_loop and not several:
        service = requests["duration_ns"] - requests["wait_ns"]
        naive_and_corrected(service, requests["duration_ns"], ax=next(panels))
    else:
        plot_percentiles(requests, ax=next(panels), by=together)
    plot_timeline(requests, ax=next(panels), by=together)
    if phases:
        highest = highest_p99(group_operations(requests, together, ROWS))
        plot_phases(
            operations,
            ax=next(panels),
            by=by,
            highest=None if highest is None else highest.name,
            notes=_count_made(requests),
        )
    plot_boxes(requests, ax=next(panels), by=by)
    return figure


def name_requests(requests: pd.DataFrame, operations: pd.DataFrame) -> pd.DataFrame:
    """Return requests under the names of the operations that they make, so that these have one.

    A request of several operations keeps its name before theirs: ``modify (get, save)``; so do two
    that make the same operation: ``save (insert)``.

    Args:
        requests: The requests, as ``Run.requests_as_operations`` returns them.
        operations: The operations of the same run, as ``Run.frame`` returns them.
    """
    pairs = requests[["storage", "op"]].drop_duplicates()
    present = operations[["storage", "op"]].drop_duplicates()
    stores, ops = requests["storage"].cat, requests["op"].cat
    names = np.full((len(stores.categories), len(ops.categories)), "", object)
    for number, store in enumerate(stores.categories):
        known = set(present.loc[present["storage"] == store, "op"])
        here = pairs.loc[pairs["storage"] == store, "op"]
        made = {request: _find_made(request, known) for request in here}
        for request in made:
            names[number, ops.categories.get_loc(request)] = _name(request, made)
    return requests.assign(op=pd.Categorical(names[stores.codes, ops.codes]))


def _find_made(request: str, known: set[str]) -> tuple[str, ...]:
    """Return the operations that a request makes in a store, which are known to have been made."""
    found = (next(filter(known.__contains__, one), None) for one in _MADE.get(request, ()))
    return tuple(op for op in found if op is not None)


def _name(request: str, made: Mapping[str, tuple[str, ...]]) -> str:
    mine = made[request]
    if len(mine) == 1 and list(made.values()).count(mine) == 1:
        return mine[0]
    if len(mine) == 1:
        return f"{mine[0]} ({request})"
    return f"{request} ({', '.join(mine)})" if mine else request


def _count_made(requests: pd.DataFrame) -> list[str]:
    """Return how many operations a request is that makes several, since phases count these."""
    return [
        f"a {request} is {describe_count(len(made), 'operation')}"
        for request, made in _MADE.items()
        if len(made) > 1 and requests["op"].str.startswith(f"{request} (").any()
    ]


def draw_difference(
    before: pd.DataFrame, after: pd.DataFrame, *, theme: ThemeName
) -> LatencyFigure:
    """Draw how much slower or quicker a run was than another, for each store and request.

    Args:
        before: The requests of the other run, as ``name_requests`` returns them.
        after: The requests of the run.
        theme: ``both``, ``light`` or ``dark``.

    Raises:
        BenchmarkError: They have no store and request in common.
    """
    named = [set(zip(frame["op"], frame["storage"], strict=True)) for frame in (before, after)]
    if not named[0] & named[1]:
        raise BenchmarkError(
            "the runs have no store and request in common; name the stores alike: "
            "graphflow_nb.compare({'name': wb})"
        )
    figure = LatencyFigure((9, 5.4), theme=theme)
    plot_difference(before, after, ax=figure.panels(1, 1)[0], by=["storage", "op"])
    return figure
