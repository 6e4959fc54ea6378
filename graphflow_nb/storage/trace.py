"""Phases: storages report how an operation spends its time, and monitoring listens.

A storage calls ``current().lap(phase)`` at the end of each phase. Without a listener this
call does nothing.
"""

from __future__ import annotations

from contextvars import ContextVar
from time import perf_counter_ns
from typing import Literal, Protocol

__all__ = ["LISTENER", "Listener", "Phase", "Trace", "current"]

Phase = Literal["wait", "encode", "execute", "decode"]


class Listener(Protocol):
    """Something that phases are reported to."""

    def lap(self, phase: Phase, until: int | None = None) -> None:
        """Count the time since the last lap (or the start) as that of a phase.

        Args:
            phase: The phase that ended.
            until: The end of the phase, on ``time.perf_counter_ns``. Default: now.
        """

    def size(self, bytes: int, rows: int) -> None:
        """Count what was transferred: bytes of contexts, and sessions."""


class Trace:
    """A listener that adds up the phases of one operation, in nanoseconds."""

    __slots__ = ("_last", "bytes", "decode", "encode", "execute", "rows", "wait")

    def __init__(self, start: int):
        self._last = start
        self.wait = self.encode = self.execute = self.decode = 0
        self.bytes = self.rows = 0

    def lap(self, phase: Phase, until: int | None = None) -> None:
        """Add the time since the last lap to a phase; see ``Listener.lap``."""
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
        """Add what was transferred; see ``Listener.size``."""
        self.bytes += bytes
        self.rows += rows


class _NoListener:
    __slots__ = ()

    def lap(self, phase: Phase, until: int | None = None) -> None:
        pass

    def size(self, bytes: int, rows: int) -> None:
        pass


_NO_LISTENER = _NoListener()

#: Set by monitoring around each operation on a storage that reports phases.
LISTENER: ContextVar[Listener] = ContextVar("graphflow_nb_listener", default=_NO_LISTENER)

#: Returns the listener of the operation that runs.
current = LISTENER.get
