"""Bytes are formatted for people."""

from __future__ import annotations

from graphflow_nb.advice.lines import format_bytes


def test_amounts():
    sizes = [0, 999, 1000, 12_345, 123_456, 10**7, 10**10, 10**13, 10**16]
    assert [format_bytes(n) for n in sizes] == [
        "0 bytes", "999 bytes", "1.0 kB", "12.3 kB", "123 kB", "10.0 MB", "10.0 GB", "10.0 TB",
        "10,000 TB",
    ]  # fmt: skip
