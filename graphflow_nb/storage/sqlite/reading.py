"""Reading a file without a trace: neither the file nor its folder is changed.

SQLite's own read-only mode creates files beside a database in WAL mode and leaves them there. So
such a file is read as what it is at the moment:

- Nobody writes: the file alone is complete. It is read as immutable, and whether it has changed is
  looked at before and after each operation; one that met a change is repeated.
- Another process has it open, or was killed: what is in its WAL is read too, with the index that is
  there (``-shm``), which is not written.
- There is a WAL without an index, as in a copy of two files: both are copied to a temporary folder,
  which is read instead.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple, TypeVar

from ...errors import StorageTimeout
from .odd import Database

__all__ = ["Reading", "connect_to"]

T = TypeVar("T")

_ATTEMPTS: Final = 10


def connect_to(uri: str, timeout: float) -> Database:
    """Return a connection to a database by its URI."""
    return sqlite3.connect(
        uri,
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
        factory=Database,
    )


class _State(NamedTuple):
    """What tells that a file in WAL mode was changed."""

    inode: int
    size: int
    changed_ns: int
    wal_size: int


class Reading:
    """A file that is open for reading only.

    Args:
        path: The absolute path of the file.
        timeout: The seconds to wait for another process's write.
        prepare: What makes a connection ready; called for each one.
    """

    def __init__(self, path: str, timeout: float, prepare: Callable[[Database], Database]):
        self._path = path
        self._timeout = timeout
        self._prepare = prepare
        self._db: Database | None = None
        self._state: _State | None = None  # of the file when it was opened, where that matters
        self._copy: TemporaryDirectory[str] | None = None
        self._open()

    def run(self, work: Callable[[Database], T]) -> T:
        """Return ``work(db)``, all of it read from one state of the file.

        Raises:
            StorageTimeout: The file changed again and again.
        """
        for _ in range(_ATTEMPTS):
            if self._db is None or (self._state is not None and self._state != self._look()):
                self._open()
            db = self._db
            assert db is not None
            if self._state is None:
                return work(db)
            try:
                result = work(db)
            except sqlite3.DatabaseError:
                if self._state == self._look():
                    raise
                continue  # what was read is of two states
            if self._state == self._look():
                return result
        raise StorageTimeout(
            f"{self._path} was changed by another process each time that it was read: try again",
            nothing_written=True,
        )

    def interrupt(self) -> None:
        """End the statement that is running."""
        if self._db is not None:
            self._db.interrupt()

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    def _open(self) -> None:
        self.close()
        uri, self._state, mode = Path(self._path).as_uri(), None, None
        state = self._look()
        if state.wal_size and os.path.exists(f"{self._path}-shm"):
            uri += "?mode=ro&readonly_shm=1"
        elif state.wal_size:
            self._state, uri = state, f"{self._copy_files()}?mode=rw"
        elif self._is_wal():
            self._state, uri, mode = state, f"{uri}?immutable=1", "wal"
        else:
            uri += "?mode=ro"
        self._db = self._prepare(connect_to(uri, self._timeout))
        self._db.journal_mode = mode
        self._db.execute("PRAGMA query_only = ON")

    def _look(self) -> _State:
        about, wal_size = os.stat(self._path), 0
        with suppress(FileNotFoundError):
            wal_size = os.stat(f"{self._path}-wal").st_size
        return _State(about.st_ino, about.st_size, about.st_mtime_ns, wal_size)

    def _is_wal(self) -> bool:
        """Return whether the file is in WAL mode.

        It is looked into only where no other files show it: a process that closes a file gives up
        the locks that its other connections have on it.
        """
        if any(os.path.exists(f"{self._path}{suffix}") for suffix in ("-wal", "-shm")):
            return True
        if os.path.exists(f"{self._path}-journal"):
            return False
        with open(self._path, "rb") as file:
            return file.read(20)[18:] == b"\2\2"

    def _copy_files(self) -> str:
        self._copy = TemporaryDirectory(prefix="graphflow_nb-")
        copy = os.path.join(self._copy.name, "copy.db")
        for suffix in ("", "-wal"):
            shutil.copyfile(self._path + suffix, copy + suffix)
        return Path(copy).as_uri()
