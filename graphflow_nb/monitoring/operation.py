"""The record of one call on a storage, and the hooks that receive it."""

from __future__ import annotations

import threading
import time
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from .clock import DRIFT_NS, SINCE_1970

__all__ = [
    "FAILED",
    "KINDS",
    "MEASURES",
    "NO_PHASES",
    "ORIGINS",
    "SINCE_1970",
    "Hook",
    "Kind",
    "Operation",
    "Origin",
    "Outcome",
    "Phases",
    "kind_of",
    "wall_start",
]

Outcome = Literal["ok", "missing", "conflict", "error", "cancelled"]

#: The outcomes of an operation that did not succeed.
FAILED: Final = ("conflict", "error", "cancelled")

#: Who caused an operation: the user, the journal (which reads a session before each write by
#: hand), or this package by itself (following changes, counting for a view).
Origin = Literal["user", "journal", "background"]
ORIGINS: Final[tuple[Origin, ...]] = ("user", "journal", "background")


#: What a ``Phases`` holds: where the time of an operation went, in ns, and what it carried.
MEASURES: Final = ("wait_ns", "encode_ns", "execute_ns", "decode_ns", "bytes", "rows")

#: A plain tuple in the order of ``MEASURES``: a named one takes five times as long to make.
Phases: TypeAlias = tuple[int, int, int, int, int, int]

#: The phases of an operation on a storage that reports none.
NO_PHASES: Final[Phases] = (0, 0, 0, 0, 0, 0)


def wall_start(operation: Operation) -> int:
    """Return when an operation that has just ended began, in nanoseconds since 1970 UTC.

    An ``Operation`` that a storage makes itself has its start directly from
    ``time.perf_counter_ns``, and is not moved by ``Clock.shift``. It ended just now on that clock.
    """
    end = operation.start_ns + operation.duration_ns
    now, shifted = time.perf_counter_ns(), time.time_ns() - SINCE_1970
    moved = abs(shifted - end) <= abs(now - end)
    if moved or abs(shifted - now) <= DRIFT_NS:
        return operation.started_at_ns
    return operation.started_at_ns + shifted - now


class Kind:
    """A kind of operation: one object, and one number, for all that have this in common.

    Only ``kind_of`` creates kinds. A recorder keeps the number, so that a mark such as the origin
    costs nothing per operation.

    Attributes:
        op: The method that was called.
        storage: The name of the storage.
        outcome: The outcome of the call.
        error: The class of the exception; None if there was none.
        origin: The cause of the call.
        background: Whether the origin is this package itself.
        label: The name to show: the method, with ``(journal)`` behind it for the journal's reads.
        code: The index in ``KINDS``.
    """

    __slots__ = ("background", "code", "error", "label", "op", "origin", "outcome", "storage")

    def __init__(self, op: str, storage: str, outcome: Outcome, error: str | None, origin: Origin):
        self.op = op
        self.storage = storage
        self.outcome = outcome
        self.error = error
        self.origin = origin
        self.background = origin == "background"
        self.label = f"{op} (journal)" if origin == "journal" else op
        self.code = len(KINDS)
        KINDS.append(self)

    def operation(
        self,
        session_id: str | None,
        start: int,
        duration: int,
        phases: Phases | None,
        code: str | None = None,
    ) -> Operation:
        """Return one operation of this kind.

        Args:
            session_id: The id of the session; None where the call concerns no single one.
            start: Its start, as ``Operation.start_ns``.
            duration: Its duration, in ns.
            phases: The time in each phase; None where the storage reports none.
            code: The code by which the store names the error.
        """
        return Operation(
            self.op,
            self.storage,
            session_id,
            start,
            duration,
            *(phases or NO_PHASES),
            self.outcome,
            self.error,
            self.origin,
            code,
        )

    def __repr__(self) -> str:
        return f"<Kind {self.op} {self.storage} {self.outcome}>"


#: All kinds that occurred in this process, by their codes.
KINDS: Final[list[Kind]] = []

_numbering = threading.Lock()
_known: dict[tuple[str, str, Outcome, str | None, Origin], Kind] = {}


def kind_of(
    op: str,
    storage: str,
    outcome: Outcome = "ok",
    error: str | None = None,
    origin: Origin = "user",
) -> Kind:
    """Return the one object that represents this kind of operation.

    Args:
        op: The method that was called.
        storage: The name of the storage.
        outcome: The outcome of the call.
        error: The class of the exception; None if there was none.
        origin: The cause of the call.
    """
    key = op, storage, outcome, error, origin
    kind = _known.get(key)
    if kind is None:
        with _numbering:
            kind = _known.get(key) or _known.setdefault(key, Kind(*key))
    return kind


class Operation(msgspec.Struct, frozen=True, gc=False):
    """The record of one call on a storage. All times are nanoseconds of a monotonic clock.

    Phases are 0 where a storage does not report them.

    Attributes:
        op: The method: ``save``, ``get``, ``delete``, ``table``, …
        storage: The name of the storage, its class unless another was given.
        session_id: The id of the session; None where the call concerns no single session.
        start_ns: Its start, on ``time.perf_counter_ns``. After the machine slept, or the wall clock
            was set, it is moved by as much, so that ``started_at_ns`` stays right.
        duration_ns: The whole call: the phases, and what lies between them.
        wait_ns: Waiting for a connection.
        encode_ns: Encoding the context as JSON.
        execute_ns: The network and the database.
        decode_ns: Making Python objects of the answer.
        bytes: The size of the contexts carried; 0 where the storage does not report it.
        rows: The number of sessions carried; 0 where the storage does not report it.
        outcome: ``ok``, ``missing`` (a get of an unknown id), ``conflict``, ``error`` or
            ``cancelled``.
        error: The class of the exception; None if there was none.
        origin: Its cause: ``user``; ``journal``, which reads a session before each write by
            hand so that the write can be undone; or ``background``, this package by itself
            (following changes, counting for a view).
        code: The code by which the store names the error, a SQLSTATE for example; None without
            one. A recorder does not keep it.

    Example:
        >>> import graphflow_nb as g
        >>> wb = g.open("demo")
        >>> session = wb.get("claim-0014")
        >>> operation = wb.latency.recorder.operations()[0]
        >>> operation.op, operation.session_id, operation.outcome, operation.origin
        ('get', 'claim-0014', 'ok', 'user')
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
    origin: Origin = "user"
    code: str | None = None

    @property
    def measured(self) -> bool:
        """Whether the storage reports phases; if not, they and the sizes are 0 and mean nothing."""
        return bool(
            self.execute_ns or self.wait_ns or self.encode_ns or self.decode_ns or self.rows
        )

    @property
    def background(self) -> bool:
        """Whether this package caused it by itself, without a request of the user."""
        return self.origin == "background"

    @property
    def started_at_ns(self) -> int:
        """When it began, in nanoseconds since 1970 UTC."""
        return self.start_ns + SINCE_1970


class Hook(Protocol):
    """Anything that receives operations.

    Example:
        >>> import graphflow_nb as g
        >>> class Printer:
        ...     def on_operation(self, operation):
        ...         print(operation.op, operation.session_id)
        >>> wb = g.open("demo")
        >>> wb.storage.add_hook(Printer())
        >>> session = wb.get("claim-0014")
        get claim-0014
    """

    def on_operation(self, operation: Operation) -> None:
        """Receive one operation, on the thread that performed it."""
