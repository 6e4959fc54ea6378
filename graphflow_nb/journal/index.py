"""The index of a journal: a small record for each entry, found by its number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from typing import Final, NamedTuple

from .entries import Op, State

__all__ = ["Index", "Record", "Span"]


_MAX_LENGTH: Final = 2**40


class Span(NamedTuple):
    """The place of a line."""

    offset: int
    length: int


@dataclass(slots=True)
class Record:
    """What the index keeps of an entry.

    Attributes:
        at: The time when the write began, µs since 1970 UTC.
        store: What the store is, by which its entries are found.
        root: The number of the entry that has the contexts, if it undoes another; else 0.
        flipped: Whether its context before is the one after in ``root``.

    The others are those of ``Entry``.
    """

    number: int
    at: int
    place: str
    store: str
    op: Op
    id: str
    version_before: int | None
    version_after: int | None
    undoes: int | None = None
    state: State = "unknown"
    undone_by: int | None = None
    root: int = 0
    flipped: bool = False
    # Each place as one number, which takes a quarter of the memory.
    _begin: int = 0
    _done: int = 0

    @property
    def begin(self) -> Span:
        """The place of the line for the write that began."""
        return Span(*divmod(self._begin, _MAX_LENGTH))

    @begin.setter
    def begin(self, span: Span) -> None:
        self._begin = span.offset * _MAX_LENGTH + span.length

    @property
    def done(self) -> Span | None:
        """The place of the line for its success; None without one."""
        return Span(*divmod(self._done, _MAX_LENGTH)) if self._done else None

    @done.setter
    def done(self, span: Span | None) -> None:
        self._done = 0 if span is None else span.offset * _MAX_LENGTH + span.length

    @property
    def is_undoable(self) -> bool:
        """Whether a bare undo may take it: it is in force, and a write or the redo of one."""
        return self.undone_by is None and self.state != "void" and self.is_forward

    @property
    def is_redoable(self) -> bool:
        """Whether a redo may take it: it is an undo, and in force."""
        return self.undone_by is None and self.state != "void" and self.flipped

    @property
    def is_forward(self) -> bool:
        """Whether it is a write, or undoes the undo of one."""
        return self.undoes is None or (bool(self.root) and not self.flipped)


@dataclass(slots=True)
class _Store:
    """The entries of a store, by number.

    Attributes:
        numbers: All of them, oldest first, and those that were removed.
        undoable: Those that may be undoable, oldest first; the others are dropped from its end.
    """

    numbers: list[int] = field(default_factory=list)
    undoable: list[int] = field(default_factory=list)


class Index:
    """The records of a journal, by number and by store."""

    def __init__(self) -> None:
        self._records: dict[int, Record] = {}
        self._stores: dict[str, _Store] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def get(self, number: int) -> Record | None:
        """Return the record of an entry; None if there is none."""
        return self._records.get(number)

    def add(self, record: Record) -> None:
        """Add the record of an entry, which is the newest."""
        undone = self._records.get(record.undoes or 0)
        if undone is not None:
            record.root, record.flipped = undone.root or undone.number, not undone.flipped
        self._records[record.number] = record
        store = self._stores.setdefault(record.store, _Store())
        store.numbers.append(record.number)
        if record.is_forward:
            store.undoable.append(record.number)

    def remove(self, number: int) -> None:
        """Remove the record of an entry, if there is one."""
        self._records.pop(number, None)

    def set_done(self, record: Record, version: int, span: Span | None) -> None:
        """Note that the write of an entry was made.

        Args:
            record: The record of the entry.
            version: The version that the session has since; it counts for nothing if it is gone.
            span: The place of the line that says so; None if it is not written yet.
        """
        record.state = "done"
        record.done = span
        if record.version_after is not None:
            record.version_after = version
        undone = self._records.get(record.undoes or 0)
        if undone is not None:
            undone.undone_by = record.number

    def of(self, stores: Iterable[str]) -> list[Record]:
        """Return the records of a store, oldest first.

        Args:
            stores: What the store is, and how else its entries may be marked.
        """
        numbers = merge(*(self._stores[s].numbers for s in set(stores) if s in self._stores))
        return [self._records[number] for number in numbers if number in self._records]

    def forget_removed(self) -> None:
        """Forget the numbers of the entries that were removed."""
        for store in self._stores.values():
            store.numbers = [number for number in store.numbers if number in self._records]
            store.undoable = [number for number in store.undoable if number in self._records]

    def newest_undoable(self, stores: Iterable[str]) -> Record | None:
        """Return the record of the newest entry that can be undone; None if there is none."""
        newest: Record | None = None
        for name in set(stores):
            kept = self._stores.get(name, _Store()).undoable
            while kept:
                record = self._records.get(kept[-1])
                if record is not None and record.is_undoable:
                    if newest is None or record.number > newest.number:
                        newest = record
                    break
                kept.pop()
        return newest

    def find_settled(self) -> set[int]:
        """Return the numbers of the entries that have nothing to undo any more.

        They are void; or they were undone, and so were those that undid them.
        """
        undone = {r.number for r in self if r.undoes is None and self._is_settled(r)}
        return undone | {record.number for record in self if record.root in undone}

    def _is_settled(self, record: Record) -> bool:
        if record.state == "void":
            return True
        flips = 0
        at: Record | None = record
        while at is not None and at.undone_by is not None:
            at = self._records.get(at.undone_by)
            flips += 1
        return flips % 2 == 1
