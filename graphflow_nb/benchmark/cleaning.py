"""Deleting a benchmark's sessions, also from a store that is out of reach for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final, NamedTuple

from ..bridge import Bridge
from ..errors import ReadOnlyError, StorageTimeout, StorageUnavailable
from ..printable import describe_count
from ..storage import SessionStorage
from .sessions import OwnSessions

__all__ = ["Cleaning", "clean_store"]

WAIT_SECONDS: Final = 60.0  # for a store to come back
_TRY_SECONDS: Final = 30.0  # for a try, and for the last one
_PAUSES: Final = (0.2, 2.0)  # between two tries, at first and at most

# What passes when a server restarts, or when a standby takes over for it.
_PASSING: Final = (StorageUnavailable, StorageTimeout, ReadOnlyError, OSError, TimeoutError)


class Cleaning(NamedTuple):
    """What became of the sessions of a benchmark in one store.

    Attributes:
        note: What the reader has to know; empty if they were deleted at once.
        error: Why some may be left; None if they were deleted.
    """

    note: str = ""
    error: Exception | None = None


async def clean_store(
    label: str,
    bridge: Bridge,
    storage: SessionStorage,
    own: OwnSessions,
    *,
    show: Callable[[str], None],
    given_up: Callable[[], bool],
) -> Cleaning:
    """Delete the sessions of a benchmark from a store; wait for a store that is out of reach.

    Args:
        label: The name of the store.
        bridge: The bridge on which the storage's coroutines run.
        storage: The storage to delete from.
        own: The sessions.
        show: Shows a step to the person who waits.
        given_up: Returns whether that person wants to wait no longer.

    Returns:
        What became of them; it raises no error of the store.
    """
    began, pause = monotonic(), _PAUSES[0]
    tries = 0
    while True:
        tries += 1
        try:
            async with asyncio.timeout(_TRY_SECONDS):
                await bridge.wait(own.remove(storage))
        except Exception as error:  # a custom storage may raise anything
            waited = monotonic() - began
            if not isinstance(error, _PASSING) or waited >= WAIT_SECONDS or given_up():
                return Cleaning(_describe_left(label, own, waited, error), error)
        else:
            waited = monotonic() - began
            note = f"{label} was out of reach when the benchmark's sessions were to be deleted"
            return Cleaning("" if tries == 1 else f"{note}; they were, {waited:.0f} s later")
        show(
            f"{label} is out of reach; its "
            f"{describe_count(own.made, 'session is', 'sessions are')} deleted when it is back "
            f"(waiting for {WAIT_SECONDS - waited:.0f} s more; Stop ends this)"
        )
        await asyncio.sleep(pause)
        pause = min(2 * pause, _PAUSES[1])


def _describe_left(label: str, own: OwnSessions, waited: float, error: Exception) -> str:
    tried = f", tried for {waited:.0f} s" if waited >= 1 else ""
    return (
        f"up to {describe_count(own.made, 'session')} of the "
        f"benchmark may be left in {label}{tried}: their ids "
        f"begin with {own.prefix}; when the store is open and writable again, delete all of them "
        "with "
        f"wb.benchmark.clean_up({own.prefix!r}, {own.made}) "
        f"({type(error).__name__}: {error})"
    )
