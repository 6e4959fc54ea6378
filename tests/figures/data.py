"""Frames of operations to draw, and what was drawn of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

PHASES = ("wait_ns", "encode_ns", "execute_ns", "decode_ns")


def operations(nanos, op="get", storage="S", outcome="ok", started=None, **phases) -> pd.DataFrame:
    """A frame as ``Latency.frame()`` gives it; one operation follows the other by default."""
    nanos = np.asarray(nanos, np.int64)
    n = len(nanos)
    if started is None:
        started = np.cumsum(nanos) - nanos

    def category(values):
        return pd.Categorical([values] * n if isinstance(values, str) else values)

    return pd.DataFrame(
        {
            "op": category(op),
            "storage": category(storage),
            "session_id": pd.Series(["s"] * n, dtype="str"),
            "started_at": pd.DatetimeIndex(
                (np.asarray(started, np.int64) + 1_770_000_000_000_000_000).view("M8[ns]")
            ).tz_localize("UTC"),
            "duration_ns": nanos,
            **{phase: np.asarray(phases.get(phase, np.zeros(n)), np.int64) for phase in PHASES},
            "bytes": np.zeros(n, np.int64),
            "rows": np.zeros(n, np.int64),
            "outcome": category(outcome),
            "error": pd.Series([None] * n, dtype="str"),
        }
    )


def measured(n: int, seed: int = 0, ops=("get", "save"), failed: float = 0.01) -> pd.DataFrame:
    """A frame of operations as a server may have them, in two storages."""
    random = np.random.default_rng(seed)
    nanos = random.lognormal(13, 1, n).astype(np.int64)
    return operations(
        nanos,
        op=random.choice(ops, n),
        storage=random.choice(["A", "B"], n),
        outcome=np.where(random.random(n) < failed, "error", "ok"),
        execute_ns=nanos // 2,
        wait_ns=nanos // 10,
    )


def lines(ax: Axes, **style: Any) -> list[Line2D]:
    """Return the lines that are drawn in this style and have a point."""
    return [
        line
        for line in ax.lines
        if len(line.get_xdata())
        and line.get_transform() != ax.transAxes  # a sample beside a name
        and all(getattr(line, f"get_{name}")() == value for name, value in style.items())
    ]


HOSTILE = (
    "$x^",
    "$x^$",
    "$\\frac$",
    "<b>bold</b>",
    "_hidden",
    "a" * 500,
    "two\nlines\ttab",
    "保存\u202e\u0000",
    "\\$100",
    "%s {0}",
)

CASES = {
    "nothing": operations([]),
    "one": operations([1_234_567]),
    "one of 0 ns": operations([0]),
    "all of 0 ns": operations([0] * 200),
    "0 ns and an hour": operations([0, 0, 3_600_000_000_000]),
    "two alike": operations([1000, 1000], started=[0, 0]),
    "a burst of nanoseconds": operations(range(1, 40)),
    "days": operations([1_000_000] * 50, started=np.arange(50) * 7_200_000_000_000),
    "years": operations([1_000_000] * 50, started=np.arange(50) * 7_200_000_000_000_000),
    "thirty kinds": measured(6_000, ops=[f"operation_{i}" for i in range(30)]),
    "all failed": operations(np.arange(1, 500) * 1000, outcome="error"),
    "hostile names": measured(900, ops=HOSTILE).assign(
        storage=lambda frame: frame["op"].astype(object)
    ),
    "no name": operations([5, 6]).assign(op=pd.Series([None, "get"], dtype="category")),
    "many": measured(40_000, failed=0.3),
}
