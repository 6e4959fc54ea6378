"""One call on a storage, and what listens to such calls."""

from __future__ import annotations

import time
from typing import Literal, Protocol

import msgspec

__all__ = ["Hook", "Operation", "Outcome"]

Outcome = Literal["ok", "missing", "conflict", "error", "cancelled"]

# The wall clock may jump, so operations are timed on the monotonic one and dated by this pair.
_WALL, _MONOTONIC = time.time_ns(), time.perf_counter_ns()


class Operation(msgspec.Struct, frozen=True, gc=False):
    """What one call on a storage cost. All times are nanoseconds of a monotonic clock.

    Attributes:
        op: the method: ``save``, ``get``, ``delete``, ``table``, …
        storage: the storage's class.
        session_id: None where the call concerns no single session.
        start_ns: when it began, on ``time.perf_counter_ns``.
        duration_ns: the whole call, phases and the rest.
        wait_ns: waiting for a connection.
        encode_ns: making the context's JSON text.
        execute_ns: the network and the database.
        decode_ns: making Python objects of the answer.
        bytes: of contexts carried; 0 where the storage does not tell.
        rows: sessions carried; 0 where the storage does not tell.
        outcome: ``ok``, ``missing`` (a get that found none), ``conflict``, ``error`` or
            ``cancelled``.
        error: class of the exception, None if there was none.
        background: whether it is our own traffic: live polling, counts.

    Phases are 0 where a storage does not report them.
    """

    op: str
    storage: str
    session_id: str | None
    start_ns: int
    duration_ns: int
    wait_ns: int = 0
    encode_ns: int = 0
    execute_ns: int = 0
    decode_ns: int = 0
    bytes: int = 0
    rows: int = 0
    outcome: Outcome = "ok"
    error: str | None = None
    background: bool = False

    @property
    def started_at_ns(self) -> int:
        """When it began, in nanoseconds since 1970 UTC."""
        return _WALL + self.start_ns - _MONOTONIC


class Hook(Protocol):
    """Anything that wants to hear of operations. Called on the thread that did the operation."""

    def on_operation(self, operation: Operation) -> None: ...
