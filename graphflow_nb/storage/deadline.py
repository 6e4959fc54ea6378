"""A time at which a read ends by itself, where nothing can cancel it: its storage never waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["check_deadline", "ending_within"]


@dataclass
class _Deadline:
    """When a read ends, on the monotonic clock, and whether it did."""

    at: float
    passed: bool = False


_DEADLINE: ContextVar[_Deadline | None] = ContextVar("graphflow_nb_deadline", default=None)


@contextmanager
def ending_within(seconds: float) -> Iterator[None]:
    """Raise TimeoutError as soon as a read inside finds that so many seconds are over.

    Args:
        seconds: The seconds.

    Raises:
        TimeoutError: The read was ended.
    """
    deadline = _Deadline(time.monotonic() + seconds)
    token = _DEADLINE.set(deadline)
    try:
        yield
    except asyncio.CancelledError as error:
        if deadline.passed:
            raise TimeoutError from error
        raise
    finally:
        _DEADLINE.reset(token)


def check_deadline() -> None:
    """End a read whose time is over; a storage that never waits calls it between two portions.

    Raises:
        CancelledError: The time is over, as from ``asyncio.timeout`` in a storage that waits.
    """
    deadline = _DEADLINE.get()
    if deadline is not None and time.monotonic() > deadline.at:
        deadline.passed = True
        raise asyncio.CancelledError
