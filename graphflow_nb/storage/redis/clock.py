"""The version and the time that a save writes; both grow with each save of a session."""

from __future__ import annotations

import time
from datetime import datetime

from ...model.times import micros_or_none
from .form import UNCOUNTED

__all__ = ["next_time", "next_version"]


def next_version(version: int) -> int:
    """Return the version after one more save; it is 1 where nothing counted the saves before."""
    return 1 if version >= UNCOUNTED else version + 1


def next_time(last: datetime | int | None = None) -> int:
    """Return the time of a save in µs since 1970 UTC, by this machine's clock.

    Args:
        last: The time of the session's last save in any store's form, None where unknown. The
            result is later, also if the clock was set back.
    """
    now = time.time_ns() // 1000
    before = micros_or_none(last)
    return now if before is None else max(now, before + 1)
