"""A run is written to a file and read again."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb import Run


def test_a_run_is_kept_and_read_again(measured, tmp_path: Path):
    measured.save(tmp_path / "run")
    again = Run.load(tmp_path / "run")
    pd.testing.assert_frame_equal(again.frame(), measured.frame())
    pd.testing.assert_frame_equal(again.requests(), measured.requests())
    pd.testing.assert_frame_equal(again.summary(), measured.summary())
    assert again.settings == measured.settings
    assert again.machine == measured.machine
    assert list(again.stores) == list(measured.stores)
    assert again.began == measured.began
    assert repr(again) == repr(measured)


def test_files_that_are_no_runs(tmp_path: Path, measured):
    path = tmp_path / "run"
    with pytest.raises(g.BenchmarkError, match="can't be read"):
        Run.load(path)
    path.write_bytes(b"PK no")
    with pytest.raises(g.BenchmarkError, match="can't be read"):
        Run.load(path)
    measured.save(path)
    path.write_bytes(path.read_bytes().replace(b'"form": 1', b'"form": 9', 1))
    with pytest.raises(g.BenchmarkError, match="can't be read"):
        Run.load(path)
