"""Reads that a person is asked about first, and the check that this happens once."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import graphflow_nb as g

#: Reads a workbench, with further arguments.
Read = Callable[..., Any]
#: The calls that read much of a large store of any kind: why, and the read.
READS: dict[str, tuple[str, Read]] = {
    "wb.sessions(limit=None, allow_scan=True)": (
        "full read",
        lambda wb, **k: wb.sessions(limit=None, **k),
    ),
    "wb.sessions(where={'n': 7}, allow_scan=True)": (
        "search",
        lambda wb, **k: wb.sessions(where={"n": 7}, **k),
    ),
    "wb.sessions(order='created_at', limit=9, allow_scan=True)": (
        "sort",
        lambda wb, **k: wb.sessions(order="created_at", limit=9, **k),
    ),
    "wb.summary(allow_scan=True)": ("count", lambda wb, **k: wb.summary(**k)),
}


def check_asked_once(
    url: str, call: str, kind: str, read: Read, *, above: int, most: int
) -> g.ScanRefused:
    """Check that a read is refused until it is allowed once; return the refusal.

    Args:
        url: The URL of a store.
        call: The call that allows it, as the refusal names it.
        kind: Why it reads much.
        read: The read.
        above: The number of bytes from which on a read is asked about.
        most: The number of bytes that the estimate may have.
    """
    with g.open(url, ask_above_bytes=above) as wb, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            with pytest.raises(g.ScanRefused, match=re.escape(call)) as refused:
                read(wb)
        assert refused.value.kind == kind
        assert above < refused.value.bytes <= most
        assert refused.value.seconds > 0
        read(wb, allow_scan=True)
        read(wb)
    return refused.value
