"""How many sessions of a large write are written at once."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Final

from ..model import Session

__all__ = ["Portions"]

_FIRST: Final = 50  # sessions, until it is known what they take
_MAX: Final = 1000
_BYTES: Final = 8_000_000
#: A writer beside it waits so long: in SQLite for a whole portion, which is one transaction.
_SECONDS: Final = 0.03


class Portions:
    """The size of the next portion of a large write, bounded in number, bytes and time.

    So neither memory nor a transaction grows without bound, and other writers get through.

    Example:
        >>> from graphflow_nb import Session
        >>> from graphflow_nb.journal.portions import Portions
        >>> portions = Portions()
        >>> portions.size
        50
        >>> with portions.written([Session(f"claim-{n}", "intake") for n in range(50)]):
        ...     pass
        >>> portions.size
        200

    Attributes:
        size: The number of sessions.
    """

    def __init__(self) -> None:
        self.size = _FIRST

    def written(self, sessions: Collection[Session]) -> _Measured:
        """Measure the write of a portion in a ``with`` block."""
        return _Measured(self, sessions)

    def adapt(self, sessions: Collection[Session], seconds: float) -> None:
        """Choose the next size by what a portion took."""
        if not sessions:
            return
        average = sum(len(session.context_json()) for session in sessions) // len(sessions)
        fitting = int(len(sessions) * _SECONDS / max(seconds, 1e-9))
        # Twice as many only by steps, since one portion may have been quick by chance.
        most = min(_MAX, _BYTES // (average + 500), 4 * self.size)
        self.size = max(1, min(most, max(fitting, self.size // 4)))


class _Measured:
    """The time of one portion."""

    def __init__(self, portions: Portions, sessions: Collection[Session]):
        self._portions, self._sessions = portions, sessions

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._portions.adapt(self._sessions, time.perf_counter() - self._began)
