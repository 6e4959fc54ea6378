"""The journal: every write with what stood there before, in memory and if wanted in a file.

The file has a line of JSON when a write begins and another when its outcome is known, each synced
to the disk. So whatever happens to this process, what a write replaced can be read again.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, ClassVar, Literal, Self

import msgspec

from ..errors import GraphflowError, StorageError, StorageTimeout, StorageUnavailable
from ..model import Session, stored_session
from ..model.times import micros_or_none, time_of

try:
    import fcntl
except ImportError:  # Windows: there a journal may not be shared by two processes
    fcntl = None  # type: ignore[assignment]

__all__ = ["Entry", "Journal", "Op"]

Op = Literal["save", "upsert", "delete", "restore", "undo"]
State = Literal["done", "unknown", "void"]
MAX_BYTES = 64_000_000
log = logging.getLogger("graphflow_nb")


@dataclass(slots=True)
class Entry:
    """One write.

    Attributes:
        number: counted from 1.
        at: when it began, UTC.
        place: the store, without secrets.
        op: what was called; ``undo`` for a write that undid another.
        id: of the session.
        before, after: the session as it was and as it was written; None where there was none.
        state: ``done``; ``unknown`` for a write whose outcome nobody heard of; ``void`` if there
            is nothing to undo, since the session is as it was before all the same.
        undoes, undone_by: numbers of entries.
    """

    number: int
    at: datetime
    place: str
    op: Op
    id: str
    before: Session | None
    after: Session | None
    state: State = "unknown"
    undoes: int | None = None
    undone_by: int | None = None

    def size(self) -> int:
        """About how many bytes it takes."""
        return 500 + sum(len(s.context_json()) for s in (self.before, self.after) if s is not None)


class _Session(msgspec.Struct, omit_defaults=True):
    """A session in the file; the context as a text in the text, to the letter."""

    id: str
    graph_id: str
    current_task_id: str
    status_message: str | None
    context: str
    version: int
    stored: bool = True
    created: int | None = None  # µs since 1970
    updated: int | None = None


class _Line(msgspec.Struct, omit_defaults=True):
    entry: int
    at: datetime | None = None
    place: str = ""
    op: str = ""
    id: str = ""
    before: _Session | None = None
    after: _Session | None = None
    undoes: int | None = None
    # The line that tells the outcome has these alone.
    outcome: str = ""
    version: int = 0
    created: int | None = None
    updated: int | None = None


_reader = msgspec.json.Decoder(_Line)
_BEGINNING = b'{"entry":'


class Journal:
    """The writes of this process, or of a file; thread-safe.

    In memory it is bounded: past 64 MB of sessions the oldest entries are dropped there, but stay
    in the file.

    Attributes:
        path: of the file, None if there is none.
        dropped: how many entries are no longer in memory.
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
        """The journal kept in a file, made if it is not there, readable by its owner alone.

        Within one process all who name the file share it; another process is kept out.

        Raises:
            StorageError: it can't be opened, is no journal, or another process has it.
        """
        whole = Path(path).expanduser().absolute()
        journal = cls._open.get(whole)
        if journal is None:
            journal = cls()
            journal._attach(whole)
            cls._open[whole] = journal
        return journal

    def _attach(self, path: Path) -> None:
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
            if not (text.startswith(_BEGINNING) or _BEGINNING.startswith(text.rstrip())):
                raise StorageError(f"{path} is no journal of graphflow_nb: name another file")
            # A line that was cut off while it was written can't be read: the write that it was to
            # tell of had not begun, or its outcome is unknown.
            with suppress(msgspec.MsgspecError):
                self._take(_reader.decode(text))
            if not text.endswith(b"\n"):
                file.write(b"\n")

    def _take(self, line: _Line) -> None:
        entry = self._entries.get(line.entry)
        if not line.outcome:
            assert line.at is not None
            self._add(
                Entry(
                    line.entry,
                    line.at,
                    line.place,
                    line.op,  # type: ignore[arg-type]
                    line.id,
                    _unpacked(line.before),
                    _unpacked(line.after),
                    undoes=line.undoes,
                )
            )
        elif entry is not None and line.outcome == "failed":
            self._forget(entry)
        elif entry is not None and line.outcome == "void":
            entry.state = "void"
        elif entry is not None:
            self._done(entry, line.version, _time(line.created), _time(line.updated))

    # Writing

    @contextmanager
    def writing(
        self,
        place: str,
        op: Op,
        pairs: Iterable[tuple[Session | None, Session | None]],
        undoes: int | None = None,
    ) -> Iterator[list[Entry]]:
        """Around a write: notes what it will replace, then how it went.

        Args:
            place: the store, without secrets.
            op: what is called.
            pairs: of each session what is stored and what will be.

        An entry that is taken out of the list that this gives is one that was not written after
        all. A session that was saved tells its new version itself.
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
            self._write(map(_begun, entries))
            for entry in entries:
                self._add(entry)
        written = list(entries)
        try:
            yield written
        except GraphflowError as error:
            if _was_not_sent(error):
                self._end(entries, pairs, [])
            raise
        # Whatever else is raised leaves the outcome unknown.
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
                    lines.append(_Line(entry.number, outcome="failed"))
                elif after is None:
                    self._done(entry, 0, None, None)
                    lines.append(_Line(entry.number, outcome="done"))
                else:
                    self._done(entry, after.version, after.created_at, after.updated_at)
                    lines.append(
                        _Line(
                            entry.number,
                            outcome="done",
                            version=after.version,
                            created=micros_or_none(after.created_at),
                            updated=micros_or_none(after.updated_at),
                        )
                    )
            try:
                self._write(lines)
            except StorageError as error:
                log.warning("%s; the write itself took place", error)

    def void(self, number: int) -> None:
        """Note that there is nothing to undo about an entry, or no longer."""
        with self._lock:
            entry = self._entries.get(number)
            if entry is not None:
                self._write([_Line(number, outcome="void")])
                entry.state = "void"

    def _write(self, lines: Iterable[_Line]) -> None:
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

    def _done(
        self, entry: Entry, version: int, created: datetime | None, updated: datetime | None
    ) -> None:
        entry.state = "done"
        if entry.after is not None:
            entry.after = _stored(entry.after, version, created, updated)
        undone = self._entries.get(entry.undoes or 0)
        if undone is not None:
            undone.undone_by = entry.number

    # Reading

    def entries(self, place: str) -> list[Entry]:
        """The writes on one store, oldest first; copies."""
        with self._lock:
            return [replace(e) for e in self._entries.values() if e.place == place]

    def __len__(self) -> int:
        return len(self._entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, if there is one; nothing more can be written to it."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
                assert self.path is not None
                self._open.pop(self.path, None)

    def __repr__(self) -> str:
        place = "in memory" if self.path is None else f"in {self.path}"
        return f"<Journal of {len(self)} writes {place}>"


def _was_not_sent(error: GraphflowError) -> bool:
    """Whether an error says that nothing was written: what the store's driver did not raise."""
    if isinstance(error, (StorageTimeout, StorageUnavailable)):
        return False
    return not isinstance(error, StorageError) or isinstance(
        error.__cause__, (type(None), ValueError)
    )


def _begun(entry: Entry) -> _Line:
    return _Line(
        entry.number,
        at=entry.at,
        place=entry.place,
        op=entry.op,
        id=entry.id,
        before=_packed(entry.before),
        after=_packed(entry.after),
        undoes=entry.undoes,
    )


def _packed(session: Session | None) -> _Session | None:
    if session is None:
        return None
    context = session.context_json()
    return _Session(
        session.id,
        session.graph_id,
        session.current_task_id,
        session.status_message,
        context if isinstance(context, str) else context.decode(),
        session.version,
        not session.is_new,
        micros_or_none(session.created_at),
        micros_or_none(session.updated_at),
    )


def _unpacked(kept: _Session | None) -> Session | None:
    if kept is None:
        return None
    return stored_session(
        kept.id,
        kept.graph_id,
        kept.current_task_id,
        kept.status_message,
        kept.context,
        kept.version,
        _time(kept.created),
        _time(kept.updated),
        stored=kept.stored,
    )


def _stored(
    session: Session, version: int, created: datetime | None, updated: datetime | None
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


def _time(micros: int | None) -> datetime | None:
    return None if micros is None else time_of(micros)
