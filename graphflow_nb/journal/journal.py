"""Journal: every write with what it replaced.

A line is written when a write begins and another when its outcome is known. Memory keeps a small
record for each entry; sessions are read from their lines when they are asked for. In a file the
first line is synced to the disk before the write is made. So whatever happens to this process, what
a write replaced can be read again.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from operator import index
from pathlib import Path
from typing import ClassVar, Final, Self, SupportsIndex

import msgspec

from ..errors import GraphflowError, JournalError, StorageError
from ..files import as_path
from ..model import Session
from ..model.times import EPOCH, micros_of
from ..printable import describe_count, printable
from ..storage.checks import check_texts
from ..warning import warn
from .compaction import Compaction
from .entries import DamagedLine, Entry, Op, Sides
from .files import InheritedLines, Lines, NamedLines, PrivateLines
from .index import Index, Record, Span
from .lines import (
    HEADER_BYTES,
    Line,
    begin_line,
    encode_header,
    encode_line,
    outcome_line,
    read_sides,
)
from .loading import Loaded

__all__ = ["Journal", "Noted"]

#: A file is compacted when it is opened, if half of it is of no use and it has as many bytes.
MIN_COMPACTED: Final = 100_000
#: While it is open, it is looked at for the first time when it has as many bytes.
MAX_UNCHECKED: Final = 64_000_000
_NAMED: Final = 5  # damaged lines in a text
log = logging.getLogger("graphflow_nb")


class Noted:
    """Writes that were noted and are being made.

    Args:
        records: What the index keeps of them, in the order given.
        entry_of: Returns the entry of a record.

    Attributes:
        records: As passed.
        made: For the number of an entry whether its write was made.
    """

    def __init__(self, records: Sequence[Record], entry_of: Callable[[Record], Entry]):
        self.records = records
        self.made: dict[int, bool] = {}
        self._entry_of = entry_of

    @property
    def entries(self) -> list[Entry]:
        """Their entries, in the order given."""
        return [self._entry_of(record) for record in self.records]

    def settle(self, entry: Entry, *, made: bool) -> None:
        """Say whether a write was made; of the others, the end of the block decides."""
        self.made[entry.number] = made


class Journal:
    """The journal of a process, or of a file; thread-safe.

    Without a file its lines are kept in memory, past 16 MB in a private temporary file, and end
    with the process. What was undone, and what undid it, is dropped when a file is compacted: when
    it is opened or grew, if half of it is of no use any more.

    Example:
        >>> from graphflow_nb.journal import Journal
        >>> with Journal.at("writes.journal") as journal:
        ...     len(journal)
        0

    Attributes:
        path: The path of the file; None for a journal in memory.
        dropped: The number of undone or void entries that were dropped.
        damaged: The lines of the file that can't be read or are missing, until ``accept_damage``.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self.dropped = 0
        self.damaged: list[DamagedLine] = []
        self._index = Index()
        self._lines: Lines = PrivateLines()
        self._line = 0  # the number of the last line
        self._has_header = False
        self._next = 1
        self._loaded = 0  # the number of the last entry that the file had when it was opened
        self._pending: list[tuple[Record, Line]] = []  # outcomes that could not be written yet
        self._check_at = MAX_UNCHECKED
        self._lock = threading.RLock()
        self._alive.add(self)

    _open: ClassVar[weakref.WeakValueDictionary[Path, Journal]] = weakref.WeakValueDictionary()
    _opening: ClassVar[threading.Lock] = threading.Lock()
    _alive: ClassVar[weakref.WeakSet[Journal]] = weakref.WeakSet()

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> Journal:
        """Return the journal that is kept in a file, which only its owner can read.

        The file is created if it does not exist. Within one process all callers that name the same
        file share one journal; another process is kept out. Lines that can't be read are listed in
        ``damaged``, and a warning says so.

        Args:
            path: The path of the file.

        Raises:
            StorageError: The file can't be opened, is not a journal, or another process has it.
        """
        named = as_path(path, "journal").expanduser().absolute()
        whole = named.parent.resolve() / named.name
        with cls._opening:
            journal = cls._open.get(whole)
            if journal is None:
                journal = cls()
                journal.attach(whole)
                cls._open[whole] = journal
        return journal

    def attach(self, path: Path) -> None:
        """Read the entries of a file and keep further ones in it; ``at`` calls this."""
        lines = NamedLines(path)
        try:
            loaded = Loaded(lines, path)
        except BaseException:
            lines.close()
            raise
        self.path, self._lines, self._index = path, lines, loaded.index
        self._line, self._has_header = loaded.line, loaded.has_header
        self._next, self._loaded = loaded.next, loaded.next - 1
        self.damaged = loaded.damaged
        try:
            if self._line == 0:
                self._lines.append(encode_header(1))
                self._line, self._has_header = 1, True
            elif not self.damaged:
                self._compact_if_useful(MIN_COMPACTED)
        except StorageError as error:
            log.warning("%s", error)
        if self.damaged:
            warn(self._describe_damage())

    # Writing

    @contextmanager
    def writing(
        self,
        place: str,
        op: Op,
        pairs: Iterable[tuple[Session | None, Session | None]],
        undoes: Sequence[int] | int | None = None,
        *,
        store: str = "",
    ) -> Iterator[Noted]:
        """Note what writes will replace, then, when the block ends, their outcome.

        Args:
            place: The name of the store, without secrets.
            op: The method that is called.
            pairs: For each session the stored one and the one that will be stored.
            undoes: The number of the entry that each write undoes.
            store: What the store is; see ``StorageAttributes.identity``. Default: its name.

        Yields:
            The writes. Those that the caller does not settle were made if the block ends without an
            error, and were not if its error says so.

        Raises:
            JournalError: The journal can't be written; the writes must not be made.
        """
        sides = [Sides(*pair) for pair in pairs]
        numbers = [undoes] * len(sides) if isinstance(undoes, int | None) else list(undoes)
        noted = Noted(self._begin(place, store or place, op, sides, numbers), self._entry)
        rest: bool | None = None
        try:
            yield noted
            rest = True
        except GraphflowError as error:
            rest = False if error.nothing_written else None
            raise
        finally:
            # With any other exception the outcome is unknown.
            self._end(noted, sides, rest)

    def _begin(
        self,
        place: str,
        store: str,
        op: Op,
        pairs: Sequence[Sides],
        undoes: Sequence[int | None],
    ) -> list[Record]:
        with self._lock:
            now = datetime.now(UTC)
            records = []
            lines = []
            for sides, undone in zip(pairs, undoes, strict=True):
                line = begin_line(self._next, now, place, store, op, sides, undone)
                lines.append(line)
                records.append(
                    Record(
                        number=self._next,
                        at=micros_of(now),
                        place=place,
                        store=store,
                        op=op,
                        id=line.id,
                        version_before=None if sides.before is None else sides.before.version,
                        version_after=None if sides.after is None else sides.after.version,
                        undoes=undone,
                    )
                )
                self._next += 1
            try:
                # There is always room to undo, which takes little: no context is noted.
                spans = self._append(lines, sync=True, bounded=op != "undo")
            except (UnicodeEncodeError, msgspec.MsgspecError, OverflowError, TypeError) as error:
                for sides in pairs:
                    for side in sides:
                        if side is not None:
                            check_texts(side, nul=True)
                raise JournalError(f"the journal can't hold the session: {error}") from error
            for record, span in zip(records, spans, strict=True):
                record.begin = span
                self._index.add(record)
            return records

    def _end(self, noted: Noted, pairs: Sequence[Sides], rest: bool | None) -> None:
        with self._lock:
            for record, sides in zip(noted.records, pairs, strict=True):
                number = record.number
                made = noted.made.get(number, rest)
                if made is None or self._index.get(number) is None:
                    continue
                if made:
                    self._pending.append((record, outcome_line(number, sides.after)))
                    version = 0 if sides.after is None else sides.after.version
                    self._index.set_done(record, version, None)
                else:
                    self._pending.append((record, Line(number, outcome="failed")))
                    self._index.remove(number)
            if self.path is not None:  # in memory the next write takes them along
                self._write_pending()

    def void(self, number: int) -> None:
        """Note that an entry has nothing, or no longer anything, to undo.

        Args:
            number: The number of the entry.
        """
        with self._lock:
            record = self._index.get(number)
            if record is not None:
                record.state = "void"
                self._pending.append((record, Line(number, outcome="void")))
                self._write_pending()

    def accept_damage(self) -> None:
        """Accept that the lines in ``damaged`` can't be read: a bare undo works again.

        They stay in the file until it is compacted.

        Raises:
            JournalError: The journal can't be written.
        """
        with self._lock:
            if self.damaged:
                self._append([Line(0, outcome="accepted")], sync=True)
                self.damaged = []
                self._loaded = 0

    def check_undamaged(self) -> None:
        """Raise JournalError if lines can't be read, so that the newest entry is not known."""
        if self.damaged:
            raise JournalError(f"{self._describe_damage()}; nothing was undone")

    def _describe_damage(self) -> str:
        shown = "; ".join(f"line {line}: {reason}" for line, reason in self.damaged[:_NAMED])
        more = len(self.damaged) - _NAMED
        shown += f"; and {more:,} more" if more > 0 else ""
        return (
            f"the journal {self.path} is damaged ({shown}): which write is the newest is not "
            "known. wb.journal lists those that can be read, wb.undo(entry=number) undoes one of "
            "them, and after wb.journaled.journal.accept_damage() a bare undo takes the newest"
        )

    def _write_pending(self) -> None:
        if self._pending:
            try:
                self._append([])
            except JournalError as error:
                log.warning("%s; the write itself was made, and is noted with the next one", error)

    def _append(
        self, lines: Sequence[Line], *, sync: bool = False, bounded: bool = False
    ) -> list[Span]:
        """Append lines, and before them the outcomes that are pending; return their places."""
        if self._lines.end > self._check_at:
            self._check_at = 2 * self._lines.end
            if self._compact_if_useful(MAX_UNCHECKED):
                self._check_at = max(MAX_UNCHECKED, 2 * self._lines.end)
        pending = self._pending.copy()
        sealed = self.path is not None
        texts = []
        last = self._line
        for line in (*(line for _, line in pending), *lines):
            last += 1
            texts.append(encode_line(line, last, sealed=sealed))
        header = encode_header(last) if self._has_header else None
        data = b"".join(texts)
        try:
            offset = self._lines.append(data, header=header, sync=sync, bounded=bounded)
        except JournalError:
            # Perhaps what is of no use any more takes the room.
            if not lines or self.path is not None or not self._compact_if_useful(0):
                raise
            return self._append(lines, sync=sync, bounded=bounded)
        self._line = last
        self._pending = self._pending[len(pending) :]
        spans = []
        for text in texts:
            spans.append(Span(offset, len(text)))
            offset += len(text)
        for (record, line), span in zip(pending, spans[: len(pending)], strict=True):
            if line.outcome == "done":
                record.done = span
        return spans[len(pending) :]

    def _compact_if_useful(self, at_least: int) -> bool:
        """Drop what is of no use any more, if it is half of the bytes; return whether it was.

        Args:
            at_least: The bytes below which nothing is done, unless the file has the first form.
        """
        if self.damaged:
            return False
        self._write_pending()
        if self._pending:
            return False
        settled = self._index.find_settled()
        kept = [record for record in self._index if record.number not in settled]
        spans = [span for r in kept for span in (r.begin, r.done) if span is not None]
        wasted = self._lines.end - HEADER_BYTES - sum(span.length for span in spans)
        outdated = self.path is not None and not self._has_header
        if not outdated and (self._lines.end < at_least or 2 * wasted < self._lines.end):
            return False
        compaction = Compaction(self._lines, kept, sealed=self.path is not None)
        try:
            self._lines.replace(compaction.texts())
        except JournalError as error:
            log.warning("%s; it was not compacted", error)
            return False
        compaction.apply()
        self._has_header = self.path is not None
        self._line = compaction.count
        for number in settled:
            self._index.remove(number)
        self._index.forget_removed()
        self.dropped += len(settled)
        return True

    # Reading

    def entries(self, place: str, *, store: str = "") -> list[Entry]:
        """Return the entries of one store, oldest first.

        Args:
            place: The name of the store, as passed to ``writing``.
            store: What the store is, as passed to ``writing``.
        """
        with self._lock:
            return [self._entry(record) for record in self._index.of((place, store))]

    def undoable(self, place: str, *, store: str = "") -> list[Entry]:
        """Return the entries of one store that can be undone, oldest first.

        An undo is not among them, or undoing twice would go back and forth; the redo of a write is.
        """
        with self._lock:
            found = self._index.of((place, store))
            return [self._entry(record) for record in found if record.is_undoable]

    def redoable(self, place: str, *, store: str = "") -> list[Entry]:
        """Return the undos of one store that can be taken back, oldest first."""
        with self._lock:
            found = self._index.of((place, store))
            return [self._entry(record) for record in found if record.is_redoable]

    def newest_undoable(self, place: str, *, store: str = "") -> Entry | None:
        """Return the newest entry of one store that can be undone; None if there is none.

        Raises:
            JournalError: Lines of the file can't be read, so that it is not known which is newest.
        """
        with self._lock:
            record = self._index.newest_undoable((place, store))
            if self.damaged and (record is None or record.number <= self._loaded):
                self.check_undamaged()
            return None if record is None else self._entry(record)

    def find(self, number: object, place: str, *, store: str = "") -> Entry | None:
        """Return the entry of one store with this number; None if there is none."""
        with self._lock:
            # A number of a frame's index is one of numpy's.
            record = self._index.get(index(number)) if isinstance(number, SupportsIndex) else None
            if record is None or record.store not in (place, store):
                return None
            return self._entry(record)

    def read(self, number: int) -> Sides:
        """Return the session before and after a write.

        Raises:
            JournalError: The journal can't be read, or it no longer holds the entry.
        """
        with self._lock:
            self._write_pending()
            record = self._index.get(number)
            if record is None:
                raise JournalError(f"the journal no longer holds entry {number}")
            begin = self._lines.read(*record.begin)
            outcome = None if record.done is None else self._lines.read(*record.done)
            root = self._index.get(record.root)
            contexts = None if root is None else self._lines.read(*root.begin)
        return read_sides(begin, outcome, contexts, record.flipped)

    def _entry(self, record: Record) -> Entry:
        return Entry(
            record.number,
            EPOCH + timedelta(microseconds=record.at),
            record.place,
            record.op,
            record.id,
            record.version_before,
            record.version_after,
            record.state,
            record.undoes,
            record.undone_by,
            record.begin.length,
            record.undoes is not None and record.is_forward,
            self.read,
        )

    def __len__(self) -> int:
        return len(self._index)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, if there is one; nothing can be written to it any more."""
        with self._lock:
            if self.path is not None:
                self._lines.close()
                self._open.pop(self.path, None)

    @classmethod
    def leave_all_to_parent(cls) -> None:
        """Let go of named files, in a process that was forked from the one that has them open."""
        cls._opening = threading.Lock()  # perhaps held by a thread that is not in this process
        for journal in list(cls._alive):
            journal.leave_to_parent()

    def leave_to_parent(self) -> None:
        """Let go of a named file; see ``leave_all_to_parent``."""
        self._lock = threading.RLock()
        if self.path is not None:
            self._lines.close()
            self._lines = InheritedLines(self.path)
            self._open.pop(self.path, None)

    def __repr__(self) -> str:
        place = "in memory" if self.path is None else f"in {printable(str(self.path))}"
        lost = f", {len(self.damaged):,} damaged lines" if self.damaged else ""
        gone = f", without {self.dropped:,} that were undone" if self.dropped else ""
        return f"<Journal with {describe_count(len(self), 'write')} {place}{lost}{gone}>"


if sys.platform != "win32":
    os.register_at_fork(after_in_child=Journal.leave_all_to_parent)
