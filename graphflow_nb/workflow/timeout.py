"""finish_within: the rest of a coroutine, which may take so long, and no longer."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

__all__ = ["TimedOut", "finish_within", "format_duration"]

T = TypeVar("T")


class TimedOut(Exception):
    """The error of ``finish_within``, apart from any TimeoutError that the coroutine raises."""


async def finish_within(coroutine: Coroutine[Any, Any, T], waiting: Any, seconds: float) -> T:
    """Await the rest of a coroutine that has begun, for at most so many seconds.

    Args:
        coroutine: The coroutine, whose first ``send(None)`` returned ``waiting``.
        waiting: What it waits for.
        seconds: The time that is left.

    Raises:
        TimedOut: The coroutine took longer; it was cancelled.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            return await _go_on(coroutine, waiting)
    except TimeoutError as error:
        if limit.expired():
            raise TimedOut from error
        raise


@types.coroutine
def _go_on(coroutine: Coroutine[Any, Any, T], waiting: Any) -> Generator[Any, Any, T]:
    try:
        while True:
            try:
                sent = yield waiting
            except BaseException as error:  # such as the timeout's cancellation
                waiting = coroutine.throw(error)
            else:
                waiting = coroutine.send(sent)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


def format_duration(seconds: float) -> str:
    """Return a duration in Rust's debug form: ``300s``, ``1.5s``, ``50ms``."""
    nanos = round(seconds * 1e9)
    units = (("s", 10**9), ("ms", 10**6), ("µs", 10**3), ("ns", 1))
    unit, size = next((unit, size) for unit, size in units if nanos >= size or size == 1)
    whole, rest = divmod(nanos, size)
    fraction = f".{rest:0{len(str(size)) - 1}}".rstrip("0") if rest else ""
    return f"{whole}{fraction}{unit}"
