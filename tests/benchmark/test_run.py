"""A run is written to a file and read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb import Recorder, Run

from ..scope import one_in


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


@one_in(2)
@pytest.mark.parametrize("rate", [None, 5_000.0], ids=["closed loop", "open loop"])
def test_requests_beyond_the_bound_are_counted_and_it_is_said(monkeypatch, tmp_path, rate):
    monkeypatch.setattr("graphflow_nb.benchmark.load.Recorder", lambda: Recorder(limit=150))
    options = {"duration": 0.4, "repeats": 2, "warmup": 0, "sessions": 20}
    run = g.open("memory:").benchmark("C", **options, rate=rate)
    kept = sum(len(turn.requests) for turn in run.turns)
    made = sum(sum(turn.requests.counts().values()) for turn in run.turns)
    assert kept == 300 < made
    row = run.summary().iloc[0]
    assert row["requests"] == made
    assert not np.isnan(row["p99_us"])
    note = f"the newest 300 of {made:,} requests are kept and drawn; the figures count all"
    for shown in (repr(run), run._repr_html_(), run.to_html()):
        assert note in shown
    assert ("but naive p99" in repr(run)) == (rate is not None)
    # Of a busy machine the last requests may come to no operation.
    done = sum(sum(turn.operations.counts().values()) for turn in run.turns)
    for frame, number in ((run.requests(), made), (run.frame(), done)):
        assert f"the newest 300 of {number:,} operations are kept" in frame.attrs["note"]
    assert "operations are kept" in run.plot().said
    run.save(tmp_path / "run.zip")
    assert note in repr(g.Run.load(tmp_path / "run.zip"))
