"""Settings out of their range are refused before anything is done."""

from __future__ import annotations

import re

import pytest

import graphflow_nb as g

from .kit import count_stored


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"workload": "Z"}, "unknown workload 'Z': use A, B"),
        ({"workload": 3}, "not 3"),
        ({"duration": 0}, "duration (seconds of measuring each store) must be"),
        ({"duration": "long"}, "duration (seconds of measuring each store) must be"),
        (
            {"duration": float("nan")},
            "duration (seconds of measuring each store) must be",
        ),
        ({"concurrency": 0}, "concurrency (requests under way at a time) must be 1 to 1,000"),
        ({"concurrency": True}, "concurrency (requests under way at a time) must be 1 to 1,000"),
        ({"rate": -1}, "rate (requests a second) must be"),
        ({"sessions": 0}, "sessions to work on"),
        ({"context_bytes": 10}, "100 to 1,000,000"),
        ({"repeats": 1.5}, "repeats (turns of each store) must be"),
        ({"warmup": -1}, "warmup (seconds before that) must be"),
        ({"durations": 3}, "unknown option durations: use duration"),
    ],
)
def test_invalid_settings_are_refused_before_anything_is_done(given, said):
    wb = g.open("memory:")
    with pytest.raises(g.BenchmarkError, match=re.escape(said)):
        wb.benchmark(**given)
    assert count_stored(wb) == 0
