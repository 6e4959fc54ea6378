"""Journal: every write with what it replaced, in memory and, if wanted, in a file.

The file has one line when a write begins and another when its outcome is known, each synced to the
disk. So whatever happens to this process, what a write replaced can be read again.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, ClassVar, Self

import msgspec

from ..errors import GraphflowError, StorageError, StorageTimeout, StorageUnavailable
from ..model import Session, stored_session
from .entries import Entry, Op
from .lines import BEGINNING, Line, begin_line, done_line, read_entry, read_line, time_or_none

try:
    import fcntl
except ImportError:  # Windows: there two processes must not share a journal
    fcntl = None  # type: ignore[assignment]

__all__ = ["Journal"]

MAX_BYTES = 64_000_000
log = logging.getLogger("graphflow_nb")


class Journal:
    """The journal of a process, or of a file; thread-safe.

    It is bounded in memory: past 64 MB of sessions the oldest entries are dropped there, but stay
    in the file.

    Example:
        >>> from graphflow_nb.journal import Journal
        >>> with Journal.at("writes.journal") as journal:
        ...     len(journal)
        0

    Attributes:
        path: The path of the file; None for a journal in memory.
        dropped: The number of entries that are no longer in memory.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self.dropped = 0
        self._entries: dict[int, Entry] = {}
        self._bytes = 0
        self._next = 1
        self._lock = threading.RLock()
        self._file: BinaryIO | None = None

    _open: ClassVar[weakref.WeakValueDictionary[Path, Journal]] = weakref.WeakValueDictionary()

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> Journal:
        """Return the journal that is kept in a file, which only its owner can read.

        The file is created if it does not exist. Within one process all callers that name the same
        file share one journal; another process is kept out.

        Args:
            path: The path of the file.

        Raises:
            StorageError: The file can't be opened, is not a journal, or another process has it.
        """
        whole = Path(path).expanduser().absolute()
        journal = cls._open.get(whole)
        if journal is None:
            journal = cls()
            journal.attach(whole)
            cls._open[whole] = journal
        return journal

    def attach(self, path: Path) -> None:
        """Read the entries of a file and keep further ones in it; ``at`` calls this."""
        try:
            file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b")
        except OSError as error:
            raise StorageError(f"the journal {path} can't be opened: {error.strerror}") from error
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._load(file, path)
        except OSError as error:
            file.close()
            raise StorageError(
                f"another process has the journal {path} open: end that one or name another file"
            ) from error
        except BaseException:
            file.close()
            raise
        self.path, self._file = path, file

    def _load(self, file: BinaryIO, path: Path) -> None:
        for text in file:
            if not (text.startswith(BEGINNING) or BEGINNING.startswith(text.rstrip())):
                raise StorageError(f"{path} is not a journal of graphflow_nb: name another file")
            # A line that was cut off can't be read: its write had not begun, or its outcome is
            # unknown.
            with suppress(msgspec.MsgspecError):
                self._take(read_line(text))
            if not text.endswith(b"\n"):
                file.write(b"\n")

    def _take(self, line: Line) -> None:
        entry = self._entries.get(line.entry)
        if not line.outcome:
            self._add(read_entry(line))
        elif entry is not None and line.outcome == "failed":
            self._forget(entry)
        elif entry is not None and line.outcome == "void":
            entry.state = "void"
        elif entry is not None:
            self._set_done(
                entry, line.version, time_or_none(line.created), time_or_none(line.updated)
            )

    # Writing

    @contextmanager
    def writing(
        self,
        place: str,
        op: Op,
        pairs: Iterable[tuple[Session | None, Session | None]],
        undoes: int | None = None,
    ) -> Iterator[list[Entry]]:
        """Note what a write will replace, then, when the block ends, its outcome.

        Args:
            place: The store, without secrets.
            op: The method that is called.
            pairs: For each session the stored one and the one that will be stored.
            undoes: The number of the entry that this write undoes.

        Yields:
            The new entries. The caller removes those that were not written after all.

        Raises:
            StorageError: The journal's file can't be written; the write must not be made.
        """
        pairs = list(pairs)
        with self._lock:
            entries = []
            for before, after in pairs:
                session = after if before is None else before
                assert session is not None
                kept = None if after is None else copy(after)
                entry = Entry(
                    self._next,
                    datetime.now(UTC),
                    place,
                    op,
                    session.id,
                    before,
                    kept,
                    undoes=undoes,
                )
                self._next += 1
                entries.append(entry)
            self._write(map(begin_line, entries))
            for entry in entries:
                self._add(entry)
        written = list(entries)
        try:
            yield written
        except GraphflowError as error:
            if _is_refusal(error):
                self._end(entries, pairs, [])
            raise
        # Any other exception leaves the outcome unknown.
        self._end(entries, pairs, written)

    def _end(
        self,
        entries: Sequence[Entry],
        pairs: Sequence[tuple[Session | None, Session | None]],
        written: list[Entry],
    ) -> None:
        with self._lock:
            lines = []
            for entry, (_, after) in zip(entries, pairs, strict=True):
                if entry not in written:
                    self._forget(entry)
                    lines.append(Line(entry.number, outcome="failed"))
                    continue
                if after is None:
                    self._set_done(entry, 0, None, None)
                else:
                    self._set_done(entry, after.version, after.created_at, after.updated_at)
                lines.append(done_line(entry, after))
            try:
                self._write(lines)
            except StorageError as error:
                log.warning("%s; the write itself was made", error)

    def void(self, number: int) -> None:
        """Note that an entry has nothing, or no longer anything, to undo.

        Args:
            number: The number of the entry.
        """
        with self._lock:
            entry = self._entries.get(number)
            if entry is not None:
                self._write([Line(number, outcome="void")])
                entry.state = "void"

    def _write(self, lines: Iterable[Line]) -> None:
        if self._file is None:
            return
        text = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        try:
            self._file.write(text)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StorageError(
                f"the journal {self.path} can't be written ({error.strerror}), and nothing is "
                "changed without it: make room, or open the store without journal="
            ) from error

    def _add(self, entry: Entry) -> None:
        self._entries[entry.number] = entry
        self._next = max(self._next, entry.number + 1)
        self._bytes += entry.size()
        while self._bytes > MAX_BYTES and len(self._entries) > 1:
            self._forget(next(iter(self._entries.values())))
            self.dropped += 1

    def _forget(self, entry: Entry) -> None:
        if self._entries.pop(entry.number, None) is not None:
            self._bytes -= entry.size()

    def _set_done(
        self,
        entry: Entry,
        version: int,
        created: datetime | int | None,
        updated: datetime | int | None,
    ) -> None:
        entry.state = "done"
        if entry.after is not None:
            entry.after = _mark_saved(entry.after, version, created, updated)
        undone = self._entries.get(entry.undoes or 0)
        if undone is not None:
            undone.undone_by = entry.number

    # Reading

    def entries(self, place: str) -> list[Entry]:
        """Return copies of the entries of one store, oldest first.

        Args:
            place: The store, as passed to ``writing``.
        """
        with self._lock:
            return [replace(e) for e in self._entries.values() if e.place == place]

    def __len__(self) -> int:
        return len(self._entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, if there is one; nothing can be written to it any more."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
                assert self.path is not None
                self._open.pop(self.path, None)

    def __repr__(self) -> str:
        place = "in memory" if self.path is None else f"in {self.path}"
        return f"<Journal with {len(self)} writes {place}>"


def _is_refusal(error: GraphflowError) -> bool:
    """Return whether an error means that nothing was written: the driver did not raise it."""
    if isinstance(error, (StorageTimeout, StorageUnavailable)):
        return False
    return not isinstance(error, StorageError) or isinstance(
        error.__cause__, (type(None), ValueError)
    )


def _mark_saved(
    session: Session, version: int, created: datetime | int | None, updated: datetime | int | None
) -> Session:
    return stored_session(
        session.id,
        session.graph_id,
        session.current_task_id,
        session.status_message,
        session.context_json(),
        version,
        created,
        updated,
    )
