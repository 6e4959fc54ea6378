"""A stall is when nothing finishes, and nothing else is."""

from __future__ import annotations

import numpy as np

from graphflow_nb.figures import plot_timeline, stalls

from .data import operations


def test_stalls():
    usual = np.full(1000, 1_000_000)
    started = np.arange(1000) * 1_000_000
    # Nothing ends from 300 ms to 500 ms: who began then waits for the end.
    stuck = (started >= 300_000_000) & (started < 500_000_000)
    nanos = np.where(stuck, 500_000_000 - started + 1_000_000, usual)
    found = stalls(operations(nanos, started=started))
    assert len(found) == 1
    assert abs(found["duration_ns"][0] - 201_000_000) < 2_000_000
    assert found["started_at"][0].value - 1_770_000_000_000_000_000 == 300_000_000
    assert str(found["started_at"].dtype) == "datetime64[ns, UTC]"
    ax = plot_timeline(operations(nanos, started=started))
    assert "Stalls: 1, longest 201 ms." in ax.said


def test_what_is_no_stall():
    slow_kind = operations([500_000_000] * 50)
    assert stalls(slow_kind).empty
    idle = operations([1000] * 100, started=np.arange(100) * 10_000_000_000)
    assert stalls(idle).empty
    # Others go on finishing while one takes long.
    started = np.append(np.arange(1000) * 1_000_000, 0)
    busy = operations(np.append(np.full(1000, 1_000_000), 900_500_000), started=started)
    assert stalls(busy).empty
    assert stalls(operations([])).empty
    assert "No stall" in plot_timeline(busy).said
