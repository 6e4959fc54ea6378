"""Reading a file without a trace: neither the file nor its folder is changed.

SQLite's own read-only mode creates files beside a database in WAL mode and leaves them there. So
such a file is read as what it is at the moment:

- Nobody writes: the file alone is complete. It is read as immutable, and whether it has changed is
  looked at before and after each operation; one that met a change is repeated.
- Another process has it open, or was killed: what is in its WAL is read too, with the index that is
  there (``-shm``), which is not written.
- There is a WAL without an index, as in a copy of two files: both are copied to a temporary folder,
  which is read instead.

Which of these it is may change between the look and the opening, since the last process that closes
a file removes what is beside it. Then it is looked at again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple, TypeVar

from ...errors import StorageTimeout
from .odd import Database
from .sharing import Holder, operation, read_header

__all__ = ["Reading", "connect_to"]

T = TypeVar("T")

#: Seconds before each attempt after the first one, a quarter of a second together.
_PAUSES: Final = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.064, 0.064)


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


class _Changed(Exception):
    """The file was changed while it was read: what was read is of two states."""


class Reading(Holder):
    """A file that is open for reading only.

    Args:
        path: The absolute path of the file.
        timeout: The seconds to wait for another process's write.
        prepare: What makes a connection ready; called for each one.
    """

    def __init__(self, path: str, timeout: float, prepare: Callable[[Database], Database]):
        super().__init__()
        self._path = path
        self._timeout = timeout
        self._prepare = prepare
        self._db: Database | None = None
        self._state: _State | None = None  # of the file when it was opened, where that matters
        self._copy: TemporaryDirectory[str] | None = None
        self._lone_wal: _State | None = None  # of a file whose WAL has no index
        self._is_interrupted = False
        try:
            self.run(lambda db: None)
        except BaseException:
            self.close()
            raise

    def run(self, work: Callable[[Database], T]) -> T:
        """Return ``work(db)``, all of it read from one state of the file.

        Raises:
            StorageTimeout: The file changed again and again.
        """
        pauses = iter(_PAUSES)
        self._is_interrupted = False
        while True:
            try:
                with operation(self, self._path, self._timeout):
                    return self._read(work)
            except (_Changed, sqlite3.OperationalError, FileNotFoundError) as error:
                if self.is_asked and not self._is_interrupted and _is_interrupt(error):
                    continue  # once the file is open to write
                if not isinstance(error, _Changed) and not _may_pass(error):
                    raise
                pause = next(pauses, None)
                if pause is None and isinstance(error, _Changed):
                    raise StorageTimeout(
                        f"{self._path} was changed by another process each time that it was read: "
                        "try again",
                        nothing_written=True,
                    ) from error
                if pause is None:
                    raise
            time.sleep(pause)

    def _read(self, work: Callable[[Database], T]) -> T:
        """Return ``work(db)``.

        Raises:
            _Changed: The file is not as it was before.
        """
        try:
            if self._db is None or (self._state is not None and self._state != self._look()):
                self._open()
            assert self._db is not None
            result = work(self._db)
        except Exception as error:
            if self._state is not None and self._state != self._look():
                raise _Changed from error
            if self._db is None or _may_pass(error):
                self.close()  # what is left of it
            raise
        if self._state is not None and self._state != self._look():
            raise _Changed
        return result

    def interrupt(self) -> None:
        """End the statement that is running."""
        self._is_interrupted = True
        self.interrupt_statement()

    def interrupt_statement(self) -> None:
        """End the statement that is running; it may be repeated."""
        with suppress(sqlite3.ProgrammingError):  # closed meanwhile
            if self._db is not None:
                self._db.interrupt()

    def let_go(self) -> None:
        """Close the file if this has locks on it; the next operation opens it again."""
        if self.has_locks:
            self.close()

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None
        self._state = None
        self.has_locks = False

    def _open(self) -> None:
        self.close()
        uri, mode = Path(self._path).as_uri(), None
        state = self._look()
        if state.wal_size and not os.path.exists(f"{self._path}-shm"):
            if state != self._lone_wal:  # as for a moment while another process closes the file
                self._lone_wal = state
                raise _Changed
            self._state, uri = state, f"{self._copy_files()}?mode=rw"
        elif not state.wal_size and self._is_wal():
            self._state, uri, mode = state, f"{uri}?immutable=1", "wal"
        else:
            self.has_locks = True
            # Without effect if it is not in WAL mode; nothing is made beside one that is by now.
            uri += "?mode=ro&readonly_shm=1"
        self._db = self._prepare(connect_to(uri, self._timeout))
        self._db.journal_mode = mode
        self._db.execute("PRAGMA query_only = ON")

    def _look(self) -> _State:
        about, wal_size = os.stat(self._path), 0
        with suppress(FileNotFoundError):
            wal_size = os.stat(f"{self._path}-wal").st_size
        return _State(about.st_ino, about.st_size, about.st_mtime_ns, wal_size)

    def _is_wal(self) -> bool:
        """Return whether the file is in WAL mode, as far as no connection of this process shows."""
        if any(os.path.exists(f"{self._path}{suffix}") for suffix in ("-wal", "-shm")):
            return True
        if os.path.exists(f"{self._path}-journal"):
            return False
        header = read_header(self._path, 20)
        # A connection with locks would have its WAL beside the file.
        return header is not None and header[18:] == b"\2\2"

    def _copy_files(self) -> str:
        self._copy = TemporaryDirectory(prefix="graphflow_nb-")
        copy = os.path.join(self._copy.name, "copy.db")
        for suffix in ("", "-wal"):
            shutil.copyfile(self._path + suffix, copy + suffix)
        return Path(copy).as_uri()


def _is_interrupt(error: Exception) -> bool:
    return getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT"


def _may_pass(error: Exception) -> bool:
    """Return whether the error may be that of a file which another process opens or closes."""
    if isinstance(error, FileNotFoundError):
        return True
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_READONLY_ROLLBACK":  # only a writer can help
        return False
    return name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY_", "SQLITE_PROTOCOL"))
