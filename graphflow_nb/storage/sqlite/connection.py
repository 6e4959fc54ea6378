"""One connection to a SQLite file and the thread that uses it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from ...errors import GraphflowError, StorageError
from ..trace import current
from .errors import DRIVER_ERRORS, translate_error
from .files import OpenFile, open_file
from .odd import Database

__all__ = ["SqliteConnection", "transaction"]

T = TypeVar("T")


class SqliteConnection:
    """A connection whose statements run on a worker thread, one job after the other.

    Args:
        path: The absolute path of the file, or ``MEMORY``.
        timeout: The seconds to wait for another process's write.
        read_only: Whether the database refuses every write.
        create: Whether to create the file if it does not exist.
        queries: Whether it is for queries beside a connection that may write.
    """

    def __init__(
        self, path: str, timeout: float, *, read_only: bool, create: bool, queries: bool = False
    ):
        self._path = path
        self._timeout = timeout
        self._read_only = read_only
        self._create = create
        self._only_queries = queries
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="graphflow_nb-sqlite")
        self._file: OpenFile | None = None
        self._running: object = None
        self._running_lock = threading.Lock()

    async def open(self) -> None:
        """Open the file; see ``open_file``.

        Raises:
            StorageError: The file can't be opened, or it is not a store of sessions.
        """
        is_open = False
        try:
            await asyncio.get_running_loop().run_in_executor(self._worker, self._open)
            is_open = True
        except GraphflowError:
            raise
        except DRIVER_ERRORS as error:
            raise translate_error(error, self._path, writes=False) from error
        finally:
            if not is_open:
                self._worker.submit(self._close)  # it may be opened still, if this was cancelled
                self._worker.shutdown(wait=False)

    def _open(self) -> None:
        self._file = open_file(
            self._path, self._timeout, read_only=self._read_only, create=self._create
        )
        if self._only_queries:
            self._file.run(lambda db: db.execute("PRAGMA query_only = ON"))

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    async def run(self, work: Callable[[Database], T], *, writes: bool = True) -> T:
        """Return ``work(db)``, run on the worker thread; report the phases wait and execute.

        A cancellation interrupts the statement that is running.

        Args:
            work: The function that uses the connection.
            writes: Whether it may write, if the connection can.

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
                self.check_open()
                assert self._file is not None
                return self._file.run(work)
            finally:
                with self._running_lock:
                    self._running = None

        trace = current()
        try:
            future = asyncio.get_running_loop().run_in_executor(self._worker, job)
            result = await future
        except asyncio.CancelledError:
            with self._running_lock:
                if self._running is job and self._file is not None:
                    self._file.interrupt()
            raise
        except GraphflowError:
            raise
        except DRIVER_ERRORS as error:
            may_write = writes and not self._only_queries
            raise translate_error(error, self._path, writes=may_write) from error
        trace.lap("wait", began)
        trace.lap("execute")
        return result

    def check_open(self) -> None:
        """Raise StorageError if it is closed."""
        if self._file is None:
            raise StorageError("the storage is closed: connect again", nothing_written=True)

    async def close(self) -> None:
        """Close the file and end the thread; closing twice is not an error."""

        if self._file is not None:
            await asyncio.get_running_loop().run_in_executor(self._worker, self._close)
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
