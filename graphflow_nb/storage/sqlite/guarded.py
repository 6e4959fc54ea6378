"""The guard of graph-flow 0.5.1's save, as a statement for SQLite, for lessons.

graph-flow has no storage for SQLite, and ``SqliteSessionStorage`` never sends this. SQLite lets one
transaction write at a time, so ``begin`` keeps the time only, which PostgreSQL's ``NOW()`` has from
the beginning of the transaction.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final, Self

from ...errors import StorageError
from ...model import Session
from .connection import SqliteConnection, transaction
from .odd import Database
from .records import fields_of
from .sql import ROW

__all__ = ["GuardedSaves"]

_SAVE: Final = (
    f"INSERT INTO sessions ({ROW}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
    "graph_id = excluded.graph_id, current_task_id = excluded.current_task_id, "
    "status_message = excluded.status_message, context = excluded.context, "
    "version = sessions.version + 1, updated_at = excluded.updated_at "
    "WHERE sessions.updated_at <= excluded.updated_at"
)


class GuardedSaves:
    """One connection to a SQLite file that saves with the condition of graph-flow 0.5.1.

    Example:
        >>> from graphflow_nb import Session, SqliteSessionStorage
        >>> from graphflow_nb.storage.sqlite.guarded import GuardedSaves
        >>> await (await SqliteSessionStorage.connect("sessions.db")).close()
        >>> early, late = [await GuardedSaves.connect("sessions.db") for _ in range(2)]
        >>> await early.begin()
        >>> await late.save(Session("claim-1", "intake"))
        1
        >>> await early.save(Session("claim-1", "payout"))
        0
        >>> await early.close(), await late.close()
        (None, None)

    Attributes:
        statement: The statement that saves a session.
    """

    statement = _SAVE

    def __init__(self, connection: SqliteConnection):
        self._connection = connection
        self._began: int | None = None

    @classmethod
    async def connect(cls, path: str | Path) -> Self:
        """Open a file that has the table of sessions.

        Raises:
            StorageError: The file does not exist, or is not a store of sessions.
        """
        connection = SqliteConnection(_full_path(path), 30.0, read_only=False, create=False)
        await connection.open()
        return cls(connection)

    async def begin(self) -> None:
        """Take the time of the next save.

        Raises:
            StorageError: It was taken already.
        """
        if self._began is not None:
            raise StorageError("this save has begun already: save first", nothing_written=True)
        self._began = _next_moment()

    async def rollback(self) -> None:
        """Forget the time that ``begin`` took."""
        self._began = None

    async def save(self, session: Session) -> int:
        """Save a session with the time of ``begin``, or of now.

        Returns:
            The number of rows that were written, 1 or 0. For 0 the release 0.5.1 returns ``Ok``.
        """
        at, self._began = self._began or _next_moment(), None
        row = fields_of(session).row(session.id, 1, at, at)

        def write(db: Database) -> int:
            with transaction(db):
                return db.execute(_SAVE, row).rowcount

        return await self._connection.run(write)

    async def close(self) -> None:
        """Close the file; closing twice is not an error."""
        await self._connection.close()


def _full_path(path: str | Path) -> str:
    return str(Path(path).absolute())


def _next_moment() -> int:
    """Return a time in µs since 1970 UTC that no call before in this process returned."""
    global _last
    _last = max(_last + 1, time.time_ns() // 1000)
    return _last


_last = 0
