"""How many sessions of a large write are written at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import Final

from ..model import Session
from ..storage.attributes import attributes_of

__all__ = ["Portions"]

#: Sessions, until it is known what they take. Later ones are not smaller for the time alone, since
#: that may be the way to the server.
_FIRST: Final = 50
_MAX: Final = 1000
_BYTES: Final = 8_000_000
#: A writer beside it waits so long: in SQLite for a whole portion, which is one transaction.
_SECONDS: Final = 0.01
_LONGEST_REST: Final = 0.1  # seconds


class Portions:
    """The size of the next portion of a large write, bounded in number, bytes and time.

    So neither memory nor a transaction grows without bound, and other writers get through: in
    between it rests as long as a portion took. While 10,000 sessions are deleted, the p99 of saves
    in SQLite is 10 to 15 instead of 24 to 42 ms; in PostgreSQL it is the same, and p95 lower.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, Session
        >>> from graphflow_nb.journal.portions import Portions
        >>> portions = Portions(InMemorySessionStorage())
        >>> portions.size
        50
        >>> with portions.written([Session(f"claim-{n}", "intake") for n in range(50)]):
        ...     pass
        >>> portions.size
        200

    Args:
        storage: The storage that performs the writes.

    Attributes:
        size: The number of sessions.
    """

    def __init__(self, storage: object) -> None:
        self.size = _FIRST
        self._rests = attributes_of(storage).suspends
        self._taken = 0.0

    def written(self, sessions: Collection[Session]) -> _Measured:
        """Measure the write of a portion in a ``with`` block."""
        return self.measure(len(sessions), sum(len(each.context_json()) for each in sessions))

    def measure(self, count: int, bytes: int) -> _Measured:
        """Measure the write of so many sessions, of so many bytes, in a ``with`` block."""
        return _Measured(self, count, bytes)

    async def rest(self) -> None:
        """Let other writers go first, as long as the last portion took."""
        if self._rests:
            await asyncio.sleep(min(self._taken, _LONGEST_REST))

    def adapt(self, count: int, bytes: int, seconds: float) -> None:
        """Choose the next size by what a portion took."""
        self._taken = seconds
        if not count:
            return
        # In memory no writer waits for a portion.
        fitting = int(count * _SECONDS / max(seconds, 1e-9)) if self._rests else _MAX
        # Twice as many only by steps, since one portion may have been quick by chance.
        most = min(_MAX, _BYTES // (bytes // count + 500), 4 * self.size)
        self.size = max(1, min(most, max(fitting, self.size // 4, _FIRST)))


class _Measured:
    """The time of one portion."""

    def __init__(self, portions: Portions, count: int, bytes: int):
        self._portions, self._count, self._bytes = portions, count, bytes

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._portions.adapt(self._count, self._bytes, time.perf_counter() - self._began)
