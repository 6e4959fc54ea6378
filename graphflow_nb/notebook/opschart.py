"""A chart of operations in the browser: hover, zoom, and the operation behind a dot.

The pictures are made by matplotlib; this is the same data, to move in. It draws on one canvas and
needs nothing from the network.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any, Final

import numpy as np
import traitlets
from numpy.typing import NDArray

from ..figures.looks import look_of, rest_look
from ..figures.text import short_name
from ..monitoring import Records
from ..monitoring.operation import FAILED
from ..printable import describe_count
from .module import ModuleWidget, read_module

__all__ = ["MAX_DOTS", "OperationsChart", "Part", "choose_dots"]

_FOLDER: Final = files(__package__)

MAX_DOTS: Final = 4_000  # of one view
SURE: Final = 1_000  # the slowest, and as many failed ones, are among them
CELLS: Final = (120, 40)  # of the heat map
SERIES: Final = 12  # kinds with a name of their own
MAX_ID: Final = 80  # characters of an id

#: A part of the chart: first and last start in nanoseconds since 1970, shortest and longest
#: duration in nanoseconds.
Part = tuple[int, int, int, int]


def choose_dots(nanos: NDArray[np.int64], failed: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return which operations are drawn: all, or the slowest, failed ones and an even sample.

    Args:
        nanos: The duration of each.
        failed: Whether each failed.

    Returns:
        Positions in ascending order, at most ``MAX_DOTS``.
    """
    n = len(nanos)
    if n <= MAX_DOTS:
        return np.arange(n)
    chosen = np.zeros(n, bool)
    chosen[np.argpartition(nanos, -SURE)[-SURE:]] = True
    wrong = np.flatnonzero(failed)
    chosen[wrong[:: -(-len(wrong) // SURE) or 1]] = True
    rest = np.flatnonzero(~chosen)
    chosen[rest[:: -(-len(rest) // (MAX_DOTS - int(chosen.sum())))]] = True
    return np.flatnonzero(chosen)


class OperationsChart(ModuleWidget):
    """A chart of operations: dots or a heat map, with a tooltip, zoom, and the keyboard.

    Args:
        records: The operations.
        on_open: Called with the position of an operation that is opened.

    Attributes:
        chart: What is drawn: the range, the series, the dots, the cells and the note; one message.
    """

    _esm = read_module(_FOLDER, "opschart.js")
    _css = _FOLDER.joinpath("opschart.css").read_text()

    chart = traitlets.Dict().tag(sync=True)

    def __init__(self, records: Records, on_open: Callable[[int], None]):
        super().__init__()
        self._on_open = on_open
        self.on_msg(lambda _, content, __: self.receive(content))
        self.show(records)

    def show(self, records: Records) -> None:
        """Show other operations, all of them.

        Args:
            records: The operations.
        """
        self._records = records
        kinds = records.kinds
        several = len({kind.storage for kind in kinds}) > 1
        names = [f"{kind.label} · {kind.storage}" if several else kind.label for kind in kinds]
        made = np.bincount(records.kind, minlength=len(kinds))
        found: dict[str, int] = {}
        for name, n in zip(names, made, strict=True):
            found[name] = found.get(name, 0) + int(n)
        usual = sorted(found, key=lambda name: (-found[name], name))
        shown = [name for name in usual if found[name]][:SERIES]
        self._series = [
            {"name": short_name(name), "n": found[name]}
            | look_of("op", short_name(name))._asdict()
            | {"dashes": None}
            for name in shown
        ]
        others = sum(found.values()) - sum(found[name] for name in shown)
        if others:
            look = rest_look()._asdict() | {"dashes": None}
            self._series.append({"name": "others", "n": others} | look)
        number = [shown.index(name) if name in shown else len(shown) for name in names]
        self._number = np.array([*number, 0], np.int64)[records.kind]
        bad = np.array([*(kind.outcome in FAILED for kind in kinds), False], bool)
        self._failed = bad[records.kind]
        self._show_part(None)

    def receive(self, content: dict[str, Any]) -> None:
        """Act on a message of the page: a part to show, or an operation to open.

        Args:
            content: ``event`` is ``range`` with the four numbers of a ``Part`` relative to the
                first start, or None for all; or ``open`` with the position of an operation.
        """
        value = content.get("value")
        if content.get("event") == "open" and isinstance(value, int):
            if 0 <= value < len(self._records):
                self._on_open(value)
        elif content.get("event") == "range":
            self._show_part(self._read_part(value))

    def _read_part(self, value: Any) -> Part | None:
        if not len(self._records) or not isinstance(value, list) or len(value) != 4:
            return None
        if not all(isinstance(each, int | float) and np.isfinite(each) for each in value):
            return None
        first = int(self._records.started_ns[0])
        low, high, short, long = (int(np.clip(each, -1e18, 1e18)) for each in value)
        return (first + low, first + high, short, long) if low < high and short < long else None

    def _show_part(self, part: Part | None) -> None:
        records = self._records
        if not len(records):
            self.chart = {"series": [], "n": 0, "note": "No operation was recorded yet."}
            return
        started, nanos = records.started_ns, np.maximum(records.duration_ns, 1)
        first = int(started.min())
        whole = (first, int(started.max()) + 1, int(nanos.min()), int(nanos.max()) + 1)
        if part is None:
            part = whole
        low, high, short, long = part
        inside = np.flatnonzero(
            (low <= started) & (started <= high) & (short <= nanos) & (nanos <= long)
        )
        dots = inside[choose_dots(nanos[inside], self._failed[inside])]
        note = describe_count(len(inside), "operation")
        if len(dots) < len(inside):
            note = (
                f"{len(dots):,} of {len(inside):,} operations are dots: the slowest, failed ones, "
                "and an even sample. The heat map counts all; zoom in to see each"
            )
        self.chart = {
            "n": len(inside),
            "all": len(records),
            "note": note,
            "origin": first / 1e6,  # milliseconds since 1970, as JavaScript counts
            "range": [low - first, high - first, short, long],
            "whole": [0, whole[1] - first, whole[2], whole[3]],
            "series": self._series,
            "dots": {
                "row": dots.tolist(),
                "at": (started[dots] - first).tolist(),
                "took": records.duration_ns[dots].tolist(),
                "series": self._number[dots].tolist(),
                "failed": self._failed[dots].astype(int).tolist(),
                "id": [
                    None if (id := records.sessions[n]) is None else short_name(id, MAX_ID)
                    for n in records.session[dots]
                ],
            },
            "cells": _count_cells(started[inside], nanos[inside], part),
        }


def _count_cells(started: NDArray[np.int64], nanos: NDArray[np.int64], part: Part) -> Any:
    """Return the cells of a heat map that hold operations, on a log axis of durations."""
    low, high, short, long = part
    across, up = CELLS
    x = ((started - low) * (across / (high - low))).astype(np.int64).clip(0, across - 1)
    y = np.log(nanos / short) / np.log(long / short) if long > short else np.zeros(len(nanos))
    y = (y * up).astype(np.int64).clip(0, up - 1)
    counts = np.bincount(y * across + x, minlength=across * up)
    cells = np.flatnonzero(counts)
    return {"across": across, "up": up, "cell": cells.tolist(), "n": counts[cells].tolist()}
