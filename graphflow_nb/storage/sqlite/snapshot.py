"""One transaction, on a connection of its own, that sees a file as it was when it began.

In WAL mode writers go on meanwhile, and their pages stay in the WAL until it ends. In another mode
no writer could save, so there is none. A database in memory has one connection, and is copied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ...errors import StorageError
from .connection import SqliteConnection
from .location import MEMORY
from .odd import Database

__all__ = ["SqliteSnapshot", "copy_memory"]

T = TypeVar("T")


class SqliteSnapshot(SqliteConnection):
    """A connection that reads in one transaction; see ``SqliteConnection`` for the arguments.

    Args:
        path: The absolute path of the file.
        timeout: The seconds to wait for another process's write.
        read_only: Whether the storage changes nothing: neither the file nor its folder.
    """

    _db: Database | None = None

    def __init__(self, path: str, timeout: float, *, read_only: bool):
        super().__init__(path, timeout, read_only=read_only, create=False, queries=True)
        self._file_path = path

    async def open(self) -> None:
        """Open the file, and begin the transaction.

        Raises:
            StorageError: The file can't be opened, or is not in WAL mode.
        """
        await super().open()
        try:
            self._db = await super().run(self._begin, writes=False)
        except BaseException:
            await self.close()
            raise

    def _begin(self, db: Database) -> Database:
        if (db.journal_mode or db.execute("PRAGMA journal_mode").fetchone()[0]) != "wal":
            raise StorageError(
                f"{self._file_path} is not in WAL mode, so a snapshot of it would let no program "
                "save: leave snapshot=True out. Nothing was read",
                nothing_written=True,
            )
        db.execute("BEGIN")
        db.execute("SELECT 1 FROM sessions LIMIT 1").fetchone()  # until then it sees what comes
        return db

    async def run(self, work: Callable[[Database], T], *, writes: bool = True) -> T:
        """Return ``work(db)``, which reads what the transaction sees.

        Args:
            work: The function that uses the connection.
            writes: Without a meaning here: nothing can be written.

        Raises:
            StorageError: The transaction has ended, or the database refused the statement.
        """

        def read(db: Database) -> T:
            if db is not self._db or not db.in_transaction:
                raise StorageError(
                    f"the snapshot of {self._file_path} has ended, since a program opened the file "
                    "to write, or changed it: nothing was read now. Open it with writable=True, "
                    "where a snapshot outlasts that, or read without snapshot=True",
                    nothing_written=True,
                )
            return work(db)

        return await super().run(read, writes=False)


async def copy_memory(source: SqliteConnection, timeout: float) -> SqliteConnection:
    """Return a connection to a copy of a database in memory.

    Args:
        source: The connection of the database.
        timeout: That of the source.
    """
    target = SqliteConnection(MEMORY, timeout, read_only=False, create=True)
    await target.open()
    try:
        copy = await target.run(lambda db: db)
        await source.run(lambda db: db.backup(copy), writes=False)
    except BaseException:
        await target.close()
        raise
    return target
