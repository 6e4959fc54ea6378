"""One connection to a SQLite file and the thread that uses it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ...errors import GraphflowError, StorageError
from ..trace import current
from . import sql
from .errors import DRIVER_ERRORS, translate_error
from .functions import register_functions
from .odd import Database

__all__ = ["SqliteConnection", "transaction"]

T = TypeVar("T")


class SqliteConnection:
    """A connection whose statements run on a worker thread, one job after the other.

    Args:
        path: The path of the file.
        timeout: The seconds to wait for another process's write.
        read_only: Whether the database refuses every write.
    """

    def __init__(self, path: str, timeout: float, read_only: bool):
        self._path = path
        self._timeout = timeout
        self._read_only = read_only
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="graphflow_nb-sqlite")
        self._db: Database | None = None
        self._running: object = None
        self._running_lock = threading.Lock()

    async def open(self) -> None:
        """Open the file, and create the table unless ``read_only``.

        Raises:
            StorageError: The file can't be opened, or it is not a store of sessions.
        """
        try:
            loop = asyncio.get_running_loop()
            self._db = await loop.run_in_executor(self._worker, self._connect)
        except GraphflowError:
            raise
        except DRIVER_ERRORS as error:
            raise translate_error(error, self._path) from error
        finally:
            if self._db is None:
                self._worker.shutdown(wait=False)

    def _connect(self) -> Database:
        uri = f"{Path(self._path).absolute().as_uri()}?mode={'ro' if self._read_only else 'rwc'}"
        db = sqlite3.connect(
            uri,
            uri=True,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
            factory=Database,
        )
        try:
            if not self._read_only:
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(sql.CREATE)
            db.execute("PRAGMA synchronous = FULL")  # a save that returned survives a power cut
            forbids_null = {row[1]: row[3] for row in db.execute("PRAGMA table_info(sessions)")}
            db.loose = not all(forbids_null.get(name) for name in ("id", *sql.TIMES))
            if sql.COLUMNS - forbids_null.keys():
                missing = ", ".join(sorted(sql.COLUMNS - forbids_null.keys()))
                raise StorageError(
                    f"{self._path} is not a store of sessions: its table sessions lacks {missing}"
                )
            register_functions(db)
        except BaseException:
            db.close()
            raise
        return db

    async def run(self, work: Callable[[Database], T]) -> T:
        """Return ``work(db)``, run on the worker thread; report the phases wait and execute.

        A cancellation interrupts the statement that is running.

        Args:
            work: The function that uses the connection.

        Raises:
            StorageError: The connection is closed, or the database refused the statement.
            StorageTimeout: Another process was writing all the time.
        """
        began = 0

        def job() -> T:
            nonlocal began
            began = time.perf_counter_ns()
            with self._running_lock:
                self._running = job
            try:
                if self._db is None:
                    raise StorageError("the storage is closed: connect again", nothing_written=True)
                return work(self._db)
            finally:
                with self._running_lock:
                    self._running = None

        trace = current()
        try:
            future = asyncio.get_running_loop().run_in_executor(self._worker, job)
            result = await future
        except asyncio.CancelledError:
            with self._running_lock:
                if self._running is job and self._db is not None:
                    self._db.interrupt()
            raise
        except GraphflowError:
            raise
        except DRIVER_ERRORS as error:
            raise translate_error(error, self._path) from error
        trace.lap("wait", began)
        trace.lap("execute")
        return result

    async def close(self) -> None:
        """Close the file and end the thread; closing twice is not an error."""

        def close_database(db: Database) -> None:
            db.close()
            self._db = None

        if self._db is not None:
            await self.run(close_database)
            self._worker.shutdown(wait=False)


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """Run the statements of a ``with`` block as a whole or not at all."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
