"""A quick benchmark, and what it leaves behind."""

from __future__ import annotations

import graphflow_nb as g

QUICK = {"duration": 0.3, "warmup": 0.05, "repeats": 3, "sessions": 50, "context_bytes": 300}


def count_stored(wb: g.Workbench) -> int:
    """Return how many sessions the store holds."""
    return int(wb.summary()["sessions"].sum())
