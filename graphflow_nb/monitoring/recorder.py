"""The hook that keeps operations."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .operation import Operation

__all__ = ["Recorder"]


class Recorder:
    """Keeps the newest operations, in bounded memory. Thread-safe.

    Args:
        limit: how many are kept; past it the oldest go.
    """

    #: Keeps one. It is the deque's own method: a Python method around it would cost more than
    #: the rest of the recording.
    on_operation: Callable[[Operation], None]

    def __init__(self, limit: int = 100_000):
        if limit < 1:
            raise ValueError("a recorder keeps at least one operation")
        self._kept: deque[Operation] = deque(maxlen=limit)
        self.on_operation = self._kept.append
        self.limit = limit

    def operations(self) -> list[Operation]:
        """Those kept, oldest first."""
        while True:
            try:
                return list(self._kept)
            except RuntimeError:  # another thread added one meanwhile
                continue

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"<Recorder: {len(self)} operations kept, at most {self.limit}>"
