"""Reads that go through a large part of a store: what they would take, and whether they may.

A storage that can tell what a read would go through asks ``current_guard()`` before it reads. Who
reads for a person sets the guard by ``ScanGuard.watch``; without one, as in a program that
connects by itself, nothing is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Literal

from ..errors import ScanRefused
from ..printable import describe_count

__all__ = [
    "LARGE_BYTES",
    "ScanEstimate",
    "ScanGuard",
    "ScanKind",
    "current_guard",
    "current_row_note",
    "noting_rows",
    "noting_scans",
    "unguarded",
]

#: Reads of more bytes are asked about, unless ``open(ask_above_bytes=…)`` says otherwise.
LARGE_BYTES: Final = 1_000_000_000

ScanKind = Literal["full read", "search", "sort", "count"]
_REASONS: Final[dict[ScanKind, str]] = {
    "full read": "it reads every session that it selects",
    "search": "no index serves its filters",
    "sort": "no index serves its order",
    "count": "it counts each session",
}


@dataclass(frozen=True, slots=True)
class ScanEstimate:
    """What a read would go through, as a store's statistics say.

    Example:
        >>> from graphflow_nb.storage.scans import ScanEstimate
        >>> print(ScanEstimate("search", 1_000_000, 1_800_000_000, 8.2))
        reads about 1.8 GB, some 8 s

    Attributes:
        kind: Why it goes through so much.
        sessions: About how many sessions the store holds; 0 if its statistics do not say.
        bytes: About how many bytes are read; None where nothing tells.
        seconds: About how long that takes.
        helps: What makes it quicker, as a clause; empty for nothing.
        holder: What holds the sessions, as people call it: ``table``, ``file``, ``database``.
        tried: The number of sessions that were read to find this out.
    """

    kind: ScanKind
    sessions: int
    bytes: int | None
    seconds: float
    helps: str = ""
    holder: str = "table"
    tried: int = 0

    def __str__(self) -> str:
        if self.bytes is None:
            return "reads an unknown number of bytes"
        size = f"{self.bytes / 1e9:,.1f} GB" if self.bytes >= 1e9 else f"{self.bytes / 1e6:,.0f} MB"
        seconds = f"{self.seconds:,.0f}" if self.seconds >= 2 else f"{max(self.seconds, 0.1):.1f}"
        return f"reads about {size}, some {seconds} s"

    @property
    def held(self) -> str:
        """What is known of the table or the like, as a part of a sentence."""
        if not self.sessions:
            return f"the {self.holder}, which was never analyzed, has an unknown number of sessions"
        return f"the {self.holder} has about {describe_count(self.sessions, 'session')}"

    @property
    def reason(self) -> str:
        """Why it goes through so much, as a part of a sentence."""
        return _REASONS[self.kind]

    @property
    def done(self) -> str:
        """What was read already, as a sentence without its end."""
        if not self.tried:
            return "Nothing was read"
        looked = describe_count(self.tried, "session was looked at", "sessions were looked at")
        return f"Only {looked}, to find this out"


@dataclass(frozen=True, slots=True)
class ScanGuard:
    """Which reads of a store a person is asked about.

    Args:
        above_bytes: Reads of more bytes are refused unless they were allowed; None to refuse none.
        allowed: The kinds that were allowed, shared by the guards of a store.
        allow: Whether this read may go through as much as it needs.
        call: Returns the call that allows it, as Python.
    """

    above_bytes: int | None
    allowed: set[str]
    allow: bool
    call: Callable[[], str]

    def watch(self) -> AbstractContextManager[None]:
        """Return a context in which storages ask this guard before they read."""
        return _set_guard(None if self.above_bytes is None else self)

    def check(self, scan: ScanEstimate) -> None:
        """Let a read pass, or raise the error that says what it would take.

        Raises:
            ScanRefused: It is large, and its kind was not allowed yet.
        """
        if (note := _NOTE.get()) is not None:
            note(scan)
        if self.above_bytes is None or scan.kind in self.allowed:
            return
        if scan.bytes is not None and scan.bytes <= self.above_bytes:
            return
        if not self.allow:
            helps = f"; {scan.helps}" if scan.helps else ""
            raise ScanRefused(
                f"this {scan}, since {scan.reason} and {scan.held}. {scan.done}. "
                f"{self.call()} reads it, and then this kind of read is not asked about again"
                f"{helps}",
                kind=scan.kind,
                bytes=scan.bytes or 0,
                seconds=scan.seconds,
            )
        self.allowed.add(scan.kind)


_GUARD: ContextVar[ScanGuard | None] = ContextVar("graphflow_nb_scan_guard", default=None)
#: Who wants to know what is read for a person who waits.
_NOTE: ContextVar[Callable[[ScanEstimate], None] | None] = ContextVar(
    "graphflow_nb_scan_note", default=None
)
#: Who wants to know how many sessions were read, and of about how many.
_NOTE_ROWS: ContextVar[Callable[[int, int | None], None] | None] = ContextVar(
    "graphflow_nb_row_note", default=None
)


@contextmanager
def noting_rows(note: Callable[[int, int | None], None]) -> Iterator[None]:
    """Call a function with the number of sessions that were read so far, and of about how many.

    Args:
        note: The function, which is called on the thread that reads; the second number is None
            where it is not known.
    """
    token = _NOTE_ROWS.set(note)
    try:
        yield
    finally:
        _NOTE_ROWS.reset(token)


def current_row_note() -> Callable[[int, int | None], None] | None:
    """Return the function to be told how many sessions were read; None where nobody asks."""
    return _NOTE_ROWS.get()


@contextmanager
def noting_scans(note: Callable[[ScanEstimate], None]) -> Iterator[None]:
    """Call a function with each estimate that is made inside, on the thread that makes it."""
    token = _NOTE.set(note)
    try:
        yield
    finally:
        _NOTE.reset(token)


@contextmanager
def _set_guard(guard: ScanGuard | None) -> Iterator[None]:
    token = _GUARD.set(guard)
    try:
        yield
    finally:
        _GUARD.reset(token)


def unguarded() -> AbstractContextManager[None]:
    """Return a context in which nothing is asked: what is read there has a bound of its own."""
    return _set_guard(None)


def current_guard() -> ScanGuard | None:
    """Return the guard that is to be asked before a large read; None where nobody is asked."""
    return _GUARD.get()
