"""No save is lost, memory is bounded and no connection is left, whatever is killed or stalls."""

from __future__ import annotations

import pytest

from ..scope import FULL, only_complete
from .load import run_load

SECONDS = 600 if FULL else 12
GROWTH = 64.0  # MB that a workbench may grow by: its records and its journal are kept in memory


@only_complete
@pytest.mark.timeout(SECONDS + 180)
def test_eight_workbenches_and_four_workers_are_killed_and_stalled(program):
    report = run_load(program, SECONDS)
    print(report)
    assert report.saved["workers"] > SECONDS
    assert report.saved["workbenches"] > SECONDS
    assert report.lost == {}
    # Whoever is cut off in a save is told nothing of it.
    assert report.beyond <= 12 * report.killed.total()
    assert (report.left, report.ended) == (0, 0)
    assert len(report.memory) == 2
    assert all(most - before < GROWTH for before, most in report.memory)
    assert report.looks["look"]
