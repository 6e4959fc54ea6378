"""Recordings of graphflow-stream, as the crate's derives write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb.history import HistoryStorage


def event(millis: float, kind: str, task: str, **fields: Any) -> dict[str, Any]:
    nanos = int(millis * 1e6)
    at = {"secs": nanos // 10**9, "nanos": nanos % 10**9}
    return {"event": {kind: {"task_id": task, **fields}}, "at": at}


EVENTS = [
    event(0, "TaskStarted", "draft"),
    *(event(10 + 10 * n, "Token", "draft", delta=word) for n, word in enumerate(["Hi", "my", "é"])),
    event(40, "TaskStarted", "check"),
    event(50, "TaskFinished", "draft"),
    event(60, "TaskFailed", "check", error="no $money$ <b>left"),
    event(70, "TaskStarted", "draft"),
    event(80, "Token", "draft", delta="again"),
    event(90, "TaskFinished", "stray"),
    {"event": "Paused", "at": {"secs": 1, "nanos": 5}},
]


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture
def recording(tmp_path: Path) -> g.Recording:
    return g.read_recording(write(tmp_path / "run.json", {"events": EVENTS, "more": 1}))


def test_each_event_is_a_row_with_its_time(recording: g.Recording):
    frame = recording.events
    assert len(frame) == len(EVENTS)
    assert frame["at"].iloc[2] == pd.Timedelta("20ms")
    assert frame["at"].iloc[-1] == pd.Timedelta(1_000_000_005, "ns")
    assert frame["kind"].iloc[-1] == "Paused"
    assert frame["text"].tolist()[1:4] == ["Hi", "my", "é"]
    assert recording.text("draft") == "Himyéagain"


def test_starts_and_ends_are_paired_and_what_is_alone_is_no_error(recording: g.Recording):
    frame = recording.tasks
    rows = frame[["task_id", "outcome", "started", "tokens", "characters"]].to_numpy().tolist()
    assert rows == [
        ["draft", "finished", True, 3, 5],
        ["check", "failed", True, 0, 0],
        ["draft", "no end", True, 1, 5],
        ["stray", "finished", False, 0, 0],
    ]
    assert frame["end"].isna().tolist() == [False, False, True, False]
    assert frame.loc[1, "error"] == "no $money$ <b>left"
    assert frame.loc[0, "tokens_per_second"] == pytest.approx(60)
    assert np.isnan(frame.loc[3, "tokens_per_second"])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_shows_itself_also_beside_a_history(recording: g.Recording, theme: Any):
    wb = g.wrap(HistoryStorage(g.InMemorySessionStorage()))
    wb.create("claim-1", "draft")
    figure = recording.plot(history=wb.timeline("claim-1"), theme=theme)
    assert "Runs of tasks, n = 4" in figure.said
    assert "Tokens a second, n = 4" in figure.said
    assert "Sessions over time, n = 1" in figure.said
    assert len(figure._repr_png_()) < 300_000
    assert "Runs of tasks" in repr(recording)


def test_an_empty_recording_and_a_long_one_are_drawn(tmp_path: Path):
    empty = g.read_recording(write(tmp_path / "empty.json", {"events": []}))
    assert "no event of a task was recorded" in repr(empty).lower()
    many = [event(n, "Token", f"t{n % 90}", delta="x") for n in range(20_000)]
    long = g.read_recording(write(tmp_path / "long.json", {"events": many}))
    assert len(long.tasks) == 90
    assert "The first 40 drawn" in repr(long) or "the first 40 drawn" in repr(long)


@pytest.mark.parametrize(
    "content",
    [
        *(
            "",
            "[]",
            "{}",
            '{"events": {}}',
            '{"events": [{"at": 1}]}',
            "no JSON",
            '{"events": [1]}',
        ),
        *('{"events": [{"event": {"Token": 5}, "at": {"secs": 0, "nanos": 0}}]}', "\\xff"),
    ],
)
def test_what_is_no_recording_is_refused_by_name(tmp_path: Path, content: str):
    path = write(tmp_path / "odd.json", content)
    with pytest.raises(g.RecordingError, match=r"odd\.json.* is not a recording"):
        g.read_recording(path)


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(g.RecordingError, match="No such file"):
        g.read_recording(tmp_path / "nothing.json")
    with pytest.raises(g.RecordingError, match="can't be read"):
        g.read_recording(tmp_path)
