"""Where the time of one operation goes: storages tell it, monitoring listens.

A storage calls ``lap`` at the end of each phase. When nobody listens that is one call that does
nothing.
"""

from __future__ import annotations

from contextvars import ContextVar
from time import perf_counter_ns
from typing import Literal, Protocol

__all__ = ["LISTENER", "Listener", "Trace", "current"]

Phase = Literal["wait", "encode", "execute", "decode"]


class Listener(Protocol):
    """What a storage reports to."""

    def lap(self, phase: Phase, until: int | None = None) -> None:
        """The time since the last lap (or the start) belongs to this phase.

        Args:
            until: when the phase ended, on ``time.perf_counter_ns``; now if left out.
        """

    def size(self, bytes: int, rows: int) -> None:
        """What was carried: bytes of contexts, and sessions."""


class Trace:
    """The phases of one operation, in nanoseconds of a monotonic clock."""

    __slots__ = ("_last", "bytes", "decode", "encode", "execute", "rows", "wait")

    def __init__(self, start: int):
        self._last = start
        self.wait = self.encode = self.execute = self.decode = 0
        self.bytes = self.rows = 0

    def lap(self, phase: Phase, until: int | None = None) -> None:
        now = perf_counter_ns() if until is None else until
        spent = now - self._last
        self._last = now
        # Written out: setattr by the phase's name takes twice as long.
        if phase == "execute":
            self.execute += spent
        elif phase == "wait":
            self.wait += spent
        elif phase == "decode":
            self.decode += spent
        else:
            self.encode += spent

    def size(self, bytes: int, rows: int) -> None:
        self.bytes += bytes
        self.rows += rows


class _Nobody:
    __slots__ = ()

    def lap(self, phase: Phase, until: int | None = None) -> None:
        pass

    def size(self, bytes: int, rows: int) -> None:
        pass


_NOBODY = _Nobody()

#: Set by monitoring around each operation on a storage that reports phases.
LISTENER: ContextVar[Listener] = ContextVar("graphflow_nb_listener", default=_NOBODY)

current = LISTENER.get
