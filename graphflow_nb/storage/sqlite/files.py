"""Opening a file: ours is opened, a new one is created if asked for, any other is left alone."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Protocol, TypeVar

from ...errors import StorageError
from ...files import create_privately
from . import sql
from .functions import register_functions
from .location import MEMORY, url_of
from .odd import Database
from .reading import Reading, connect_to
from .sharing import Holder, alone_with

__all__ = ["OpenFile", "open_file"]

T = TypeVar("T")

_SUFFIXES: Final = (".db", ".db3", ".sqlite", ".sqlite3")


class OpenFile(Protocol):
    """An open file; its methods but ``interrupt`` are called on one thread."""

    def run(self, work: Callable[[Database], T]) -> T:
        """Return ``work(db)``."""

    def interrupt(self) -> None:
        """End the statement that is running."""

    def close(self) -> None:
        """Close the file."""


class Writing(Holder):
    """A file that is open for reading and writing.

    Args:
        path: The absolute path of the file, or ``MEMORY``.
        timeout: The seconds to wait for another process's write.
        prepare: What makes the connection ready.
    """

    def __init__(self, path: str, timeout: float, prepare: Callable[[Database], Database]):
        super().__init__()
        self._path = path
        if path == MEMORY:
            self._db = prepare(connect_to(MEMORY, timeout))
            return
        with alone_with(path, timeout) as self.number:
            self.has_locks = True
            self._db = prepare(connect_to(f"{Path(path).as_uri()}?mode=rw", timeout))

    def run(self, work: Callable[[Database], T]) -> T:
        """Return ``work(db)``."""
        return work(self._db)

    def interrupt(self) -> None:
        """End the statement that is running."""
        self._db.interrupt()

    def interrupt_statement(self) -> None:
        """End no statement: a reading does."""

    def let_go(self) -> None:
        """Keep the file: a reading lets go."""

    def close(self) -> None:
        """Close the file; without readings of this process nothing is left beside it."""
        with ExitStack() as stack:
            if self.number is not None:
                with suppress(OSError):  # the file was removed
                    stack.enter_context(alone_with(self._path, 0, interrupts=False))
            self._db.close()
            self.has_locks = False


def open_file(path: str, timeout: float, *, read_only: bool, create: bool) -> OpenFile:
    """Open a file of sessions. A file that is not one is not changed in any way.

    Args:
        path: The absolute path, or ``MEMORY``.
        timeout: The seconds to wait for another process's write.
        read_only: Whether to change nothing: neither the file nor its folder.
        create: Whether to create the file if it does not exist, and the table in an empty one.

    Raises:
        StorageError: The file does not exist or can't be opened, or it is not a store of sessions.
    """
    if path == MEMORY:
        if read_only:
            raise StorageError(
                "a database in memory is empty when it is opened, so it can't be opened for "
                "reading only: leave read_only= or writable=False out"
            )
        return Writing(path, timeout, lambda db: _prepare(db, is_new=True))
    is_new = _create(path) if create and not read_only else False
    if not is_new:
        is_new = _inspect(path, timeout, read_only=read_only, create=create)
    if read_only:
        return Reading(path, timeout, lambda db: _prepare(db, is_new=False))
    return Writing(path, timeout, lambda db: _prepare(db, is_new=is_new))


def _create(path: str) -> bool:
    """Create a file that only its owner can read; return False if there is one already."""
    if os.path.lexists(path):
        return False  # a link to a store is followed, as when it is read
    try:
        return create_privately(path)
    except StorageError as error:
        if not isinstance(cause := error.__cause__, OSError):
            raise
        raise StorageError(
            f"{path} can't be created ({cause.strerror}): does its folder exist, and may you write "
            f"there?{_hint(path)}",
            nothing_written=True,
        ) from cause


def _inspect(path: str, timeout: float, *, read_only: bool, create: bool) -> bool:
    """Return whether a file is empty; raise StorageError if it is neither that nor ours."""
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        if os.path.islink(path):
            raise StorageError(
                f"{path} is a symbolic link to {os.readlink(path)}, which does not exist: nothing "
                "was created or opened. Name the file itself, or correct the link",
                nothing_written=True,
            ) from error
        raise StorageError(
            f"there is no file {path}: nothing was created.{_hint(path)} For a new store pass "
            "create=True",
            nothing_written=True,
        ) from error
    if not is_file:
        raise StorageError(f"{path} is not a file: nothing was opened", nothing_written=True)
    try:
        with closing(Reading(path, timeout, prepare=lambda db: db)) as reading:
            is_empty = reading.run(lambda db: _check_ours(db, path))
    except sqlite3.OperationalError as error:
        if read_only or error.sqlite_errorname != "SQLITE_READONLY_ROLLBACK":
            raise
        # What a killed writer left is rolled back when the file is opened for writing.
        with closing(connect_to(f"{Path(path).as_uri()}?immutable=1", timeout)) as db:
            is_empty = _check_ours(db, path)
    if is_empty and (read_only or not create):
        raise StorageError(
            f"{path} is empty, not a store of sessions: it was not changed. Pass create=True to "
            "make it one",
            nothing_written=True,
        )
    return is_empty


def _check_ours(db: Database, path: str) -> bool:
    """Return whether a file has nothing in it; raise StorageError if it is not ours."""
    names = [row[0] for row in db.execute("SELECT name FROM sqlite_master ORDER BY name LIMIT 50")]
    if not names:
        marks = ("application_id", "user_version")
        if not any(db.execute(f"PRAGMA {mark}").fetchone()[0] for mark in marks):
            return True
    columns = {row[1] for row in db.execute("PRAGMA table_info(sessions)")}
    if columns >= sql.COLUMNS:
        return False
    if columns:
        what = f"its table sessions lacks {', '.join(sorted(sql.COLUMNS - columns))}"
    elif names:
        what = f"it has {', '.join(names[:3])}{' and more' if len(names) > 3 else ''}, no sessions"
    else:
        what = "another program has marked it as its own"
    raise StorageError(
        f"{path} is not a store of sessions: {what}. It was not changed; name another file",
        nothing_written=True,
    )


def _prepare(db: Database, *, is_new: bool) -> Database:
    """Return a connection that is ready for the storage; close it if that can't be."""
    try:
        if is_new:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(sql.CREATE)
        db.execute("PRAGMA synchronous = FULL")  # a save that returned survives a power cut
        forbids_null = {row[1]: row[3] for row in db.execute("PRAGMA table_info(sessions)")}
        db.loose = not all(forbids_null.get(name) for name in ("id", *sql.TIMES))
        db.others = [name for name in forbids_null if name not in sql.COLUMNS]
        register_functions(db)
    except BaseException:
        db.close()
        raise
    return db


def _hint(path: str) -> str:
    """Return what is near a path that does not exist, as a sentence."""
    name, folder = os.path.basename(path), os.path.dirname(path)
    found: list[str] = []
    with suppress(OSError):
        found = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    near = get_close_matches(name, found, 3)
    near += [other for other in found if other.endswith(_SUFFIXES) and other not in near]
    if near:
        return f" Near it: {', '.join(url_of(os.path.join(folder, other)) for other in near[:3])}."
    relative = os.path.relpath(path)
    below = os.path.join(os.sep, relative)
    if (
        relative[:2] != os.pardir
        and not os.path.isdir(folder)
        and os.path.isdir(os.path.dirname(below))
    ):
        # As in sqlx, where three slashes are an absolute path.
        return f" For the absolute path write {url_of(below)}, or four slashes."
    return ""
