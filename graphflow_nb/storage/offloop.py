"""Work on many rows beside an event loop, which others wait for meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

from .attributes import attributes_of

__all__ = ["MANY_ROWS", "finish_off_loop", "run_off_loop"]

T = TypeVar("T")

#: Work on more rows than these would keep a loop for some 20 ms.
MANY_ROWS: Final = 1_000
_ROW_BYTES: Final = 1_000


async def run_off_loop(
    rows: int, work: Callable[[], T], storage: Any = None, *, bytes: int = 0
) -> T:
    """Return ``work()``, run on a thread of its own where it is about many rows or bytes.

    Example:
        >>> from graphflow_nb.storage.offloop import run_off_loop
        >>> await run_off_loop(1, lambda: "done")
        'done'

    Args:
        rows: The number of rows that it is about.
        work: The function; it must not use what belongs to the loop.
        storage: The storage that the coroutine reads, which has a loop only if it suspends.
            Default: one that does.
        bytes: The size of the values that it looks into.
    """
    return await asyncio.to_thread(work) if _is_long(rows, storage, bytes) else work()


async def finish_off_loop(
    rows: int, work: Callable[[], T], storage: Any = None, *, bytes: int = 0
) -> T:
    """Return ``work()`` as ``run_off_loop`` does, for what uses an open file.

    A cancellation waits for its end: what follows that, closes the file.

    Args:
        rows, work, storage, bytes: As for ``run_off_loop``.
    """
    if not _is_long(rows, storage, bytes):
        return work()
    working = asyncio.create_task(asyncio.to_thread(work))
    cancelled: asyncio.CancelledError | None = None
    while not working.done():
        try:
            await asyncio.wait([working])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        working.exception()  # what it was is of no use any more
        raise cancelled
    return working.result()


def _is_long(rows: int, storage: Any, bytes: int) -> bool:
    if rows + bytes // _ROW_BYTES <= MANY_ROWS:
        return False
    return storage is None or attributes_of(storage).suspends
