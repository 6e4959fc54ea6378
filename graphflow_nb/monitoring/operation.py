"""One call on a storage, and what listens to such calls."""

from __future__ import annotations

import threading
import time
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

__all__ = [
    "FAILED",
    "KINDS",
    "MEASURES",
    "Hook",
    "Kind",
    "Operation",
    "Outcome",
    "Phases",
    "kind_of",
]

Outcome = Literal["ok", "missing", "conflict", "error", "cancelled"]

#: The outcomes that are no success.
FAILED = ("conflict", "error", "cancelled")

# The wall clock may jump, so operations are timed on the monotonic one and dated by this pair.
_WALL, _MONOTONIC = time.time_ns(), time.perf_counter_ns()

#: What to add to ``time.perf_counter_ns`` for nanoseconds since 1970 UTC.
SINCE_1970 = _WALL - _MONOTONIC


class Kind:
    """What many operations have in common. There is one object for each, and a number."""

    __slots__ = ("background", "code", "error", "op", "outcome", "storage")

    def __init__(
        self, op: str, storage: str, outcome: Outcome, error: str | None, background: bool
    ):
        self.op = op
        self.storage = storage
        self.outcome = outcome
        self.error = error
        self.background = background
        self.code = len(KINDS)
        KINDS.append(self)

    def operation(
        self, id: str | None, start: int, duration: int, phases: Phases | None
    ) -> Operation:
        """One operation of this kind."""
        return Operation(
            self.op,
            self.storage,
            id,
            start,
            duration,
            *(phases or (0, 0, 0, 0, 0, 0)),
            self.outcome,
            self.error,
            self.background,
        )

    def __repr__(self) -> str:
        return f"<Kind {self.op} {self.storage} {self.outcome}>"


#: All kinds that there were in this process, by their numbers.
KINDS: list[Kind] = []

_numbering = threading.Lock()
_known: dict[tuple[str, str, Outcome, str | None, bool], Kind] = {}


def kind_of(
    op: str,
    storage: str,
    outcome: Outcome = "ok",
    error: str | None = None,
    background: bool = False,
) -> Kind:
    """The one object of this kind."""
    key = op, storage, outcome, error, background
    kind = _known.get(key)
    if kind is None:
        with _numbering:
            kind = _known.get(key) or _known.setdefault(key, Kind(*key))
    return kind


#: What a ``Phases`` holds: where the time of an operation went, in ns, and what it carried.
MEASURES: Final = ("wait_ns", "encode_ns", "execute_ns", "decode_ns", "bytes", "rows")

#: A plain tuple, since one with names takes five times as long to make.
Phases: TypeAlias = tuple[int, int, int, int, int, int]


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
        background: whether it is this package's own traffic (following changes, counting for a
            view), and nothing that was asked for.

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
        return self.start_ns + SINCE_1970


class Hook(Protocol):
    """Anything that wants to hear of operations. Called on the thread that did the operation."""

    def on_operation(self, operation: Operation) -> None: ...
