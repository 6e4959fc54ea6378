"""Numbers and names in words."""

from __future__ import annotations

import pytest

from graphflow_nb.figures.text import (
    change_text,
    count_text,
    duration_text,
    escape_formulas,
    nanos_text,
    number_text,
    percentile_name,
    percentile_text,
    rate_text,
    ratio_text,
    share_text,
    short_name,
)


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0 ns"),
        (0.85, "850 ns"),
        (3.2, "3.2 µs"),
        (999.7, "1 ms"),
        (1500, "1.5 ms"),
        (2e6, "2 s"),
        (3.6e9, "3,600 s"),
        (-1500, "-1.5 ms"),
    ],
)
def test_durations_for_people(micros, text):
    assert duration_text(micros) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (nanos_text(1_500_000), "1.5 ms"),
        (nanos_text(float("nan")), "unknown"),
        (change_text(1500), "+1.5 µs"),
        (change_text(-1500), "−1.5 µs"),
        (change_text(0), "0 ns"),
        (ratio_text(1.23456), "×1.23"),
        (ratio_text(1.23456, digits=4), "×1.235"),
        (number_text(12_345.6), "12,346"),
        (rate_text(1234.5), "1,234"),
        (rate_text(0.25), "0.25"),
        (share_text(0.25), "25 %"),
        (percentile_text(2), "50 %"),
        (percentile_text(1000), "99.9 %"),
        (percentile_name(1000), "p99.9"),
        (count_text(1234), "n = 1,234"),
        (count_text(1234, 5), "n = 1,234, 5 failed"),
        (count_text(12, 12), "n = 12, all failed"),
        (count_text(1, 1), "n = 1, 1 failed"),
        (escape_formulas("$x$"), r"\$x\$"),
        (short_name("a" * 100), "a" * 23 + "…" + "a" * 12),
        (short_name(None), "None"),
    ],
)
def test_numbers_and_names_for_people(text, expected):
    assert text == expected
