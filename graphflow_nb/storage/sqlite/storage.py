"""Sessions in a SQLite file: the embedded store that survives a restart."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from ...errors import ReadOnlyError, SessionConflict
from ...model import Session
from ...model.times import micros_of, time_of
from ..address import Address
from ..checks import check_ids_once, check_text
from ..facts import SqliteFacts
from ..limits import QUICK_ROWS
from ..paths import ContextPath
from ..query import Query
from ..table import GroupCount, Table, cut_page
from ..trace import current
from . import sql
from .connection import SqliteConnection, transaction
from .facts import collect_facts
from .identity import find_identity
from .records import (
    Saved,
    delete_as_read,
    fields_of,
    insert_restored,
    read_session,
    write_session,
)
from .sql import CONTEXT

__all__ = ["SqliteSessionStorage"]


class SqliteSessionStorage:
    """A storage of sessions in a SQLite file, in WAL mode.

    The rules are those that graph-flow 0.6 has for PostgreSQL. Several processes may have the file
    open. One thread does the work, so the storage can be used on any event loop.

    Example:
        >>> from graphflow_nb import Session, SqliteSessionStorage
        >>> storage = await SqliteSessionStorage.connect("sessions.db")
        >>> await storage.save(Session("claim-1", "intake"))
        >>> await storage.get("claim-1")
        Session('claim-1', 'intake', graph_id='default', version=1)
        >>> await storage.close()

    Attributes:
        path: The path of the file.
        identity: The file, however its path was spelled; see ``find_identity``.
        address: The file and the table, for tools that watch databases.
        read_only: Whether every write is refused.
    """

    suspends: ClassVar[bool] = True
    #: Reports wait, encode, execute and decode.
    phases: ClassVar[bool] = True
    #: A batch is written as a whole or not at all.
    atomic_batches: ClassVar[bool] = True
    #: It belongs to no event loop.
    loop: ClassVar[None] = None

    def __init__(self, path: str, timeout: float, read_only: bool):
        self.path = path
        self.address = Address(
            "sqlite", namespace=str(Path(path).absolute()), collection="sessions"
        )
        self.identity = f"sqlite:{path}"
        self.read_only = read_only
        self._connection = SqliteConnection(path, timeout, read_only)

    @classmethod
    async def connect(
        cls, path: str | Path, *, read_only: bool = False, timeout: float = 30.0
    ) -> Self:
        """Open a file; it is created if it does not exist, unless ``read_only``.

        Args:
            path: The path of the file; its folder must exist.
            read_only: Whether to refuse every write, in the database too.
            timeout: The seconds to wait for another process's write.

        Raises:
            StorageError: The folder does not exist, a right is missing, or the file is not a store
                of sessions.
        """
        storage = cls(str(path), timeout, read_only)
        await storage._connection.open()
        storage.identity = find_identity(storage.path)  # now that there is a file
        return storage

    @property
    def place(self) -> str:
        """The file as a URL."""
        return f"sqlite:{Path(self.path).absolute()}"

    def _check_writable(self) -> None:
        if self.read_only:
            raise ReadOnlyError(f"{self.path} was opened for reading only: nothing was written")

    # One session

    async def save(self, session: Session) -> None:
        """Save a session, if the stored one is still the one that was read.

        Args:
            session: The session; its version and times are set in place.

        Raises:
            SessionConflict: The stored session has another version or does not exist.
            StorageError: The session can't be stored, or the store failed.
        """
        await self._write(session, upsert=False)

    async def upsert(self, session: Session) -> None:
        """Save a session whatever is stored under its id: last write wins.

        Args:
            session: The session; its version and times are set in place.

        Raises:
            StorageError: The session can't be stored, or the store failed.
        """
        await self._write(session, upsert=True)

    async def _write(self, session: Session, *, upsert: bool) -> None:
        self._check_writable()
        trace = current()
        fields = fields_of(session)
        now = time.time_ns() // 1000
        trace.lap("encode")
        trace.size(len(fields.context), 1)

        def write(db: sqlite3.Connection) -> Saved:
            with transaction(db):
                return write_session(db, session, fields, now, self.identity, upsert=upsert)

        (await self._connection.run(write)).mark(session)

    async def get(self, id: str) -> Session | None:
        """Return the session with this id, or None if it does not exist."""
        check_text(id, "id", nul=True)
        row = await self._connection.run(lambda db: db.execute(sql.GET, (id,)).fetchone())
        if row is None:
            return None
        trace = current()
        trace.size(len(row[CONTEXT]), 1)
        session = read_session(row, self.identity)
        trace.lap("decode")
        return session

    async def delete(self, id: str) -> None:
        """Delete the session with this id, if there is one."""
        self._check_writable()
        check_text(id, "id", nul=True)
        await self._connection.run(lambda db: db.execute(sql.DELETE, (id,)))

    async def restore(self, session: Session) -> None:
        """Put a deleted session back with its time of creation, its version increased by one.

        Args:
            session: The session; its version and times are set in place.

        Raises:
            SessionConflict: The id is taken.
        """
        self._check_writable()
        fields = fields_of(session)
        now = time.time_ns() // 1000
        created = now if session.created_at is None else micros_of(session.created_at)
        saved = await self._connection.run(
            lambda db: insert_restored(db, session, fields, created, now, self.identity)
        )
        saved.mark(session)

    # Several sessions

    async def save_many(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Save each session as ``save`` does, all in one transaction.

        Returns:
            The conflicts, in the order given; their sessions were not saved.

        Raises:
            StorageError: A session can't be stored, an id is given twice, or the store failed:
                nothing was written.
        """
        self._check_writable()
        check_ids_once(session.id for session in sessions)
        trace = current()
        fields = [fields_of(session) for session in sessions]
        now = time.time_ns() // 1000
        trace.lap("encode")
        trace.size(sum(len(entry.context) for entry in fields), len(sessions))

        def write(db: sqlite3.Connection) -> list[Saved | SessionConflict]:
            ends: list[Saved | SessionConflict] = []
            with transaction(db):
                for session, entry in zip(sessions, fields, strict=True):
                    try:
                        saved = write_session(db, session, entry, now, self.identity, upsert=False)
                        ends.append(saved)
                    except SessionConflict as conflict:
                        ends.append(conflict)
            return ends

        conflicts = []
        for session, end in zip(sessions, await self._connection.run(write), strict=True):
            if isinstance(end, SessionConflict):
                conflicts.append(end)
            else:
                end.mark(session)
        return conflicts

    async def import_many(self, sessions: Sequence[Session]) -> list[str]:
        """Store sessions with the versions and times that they have, where their ids are free.

        Returns:
            The ids that were taken; nothing was written under them.

        Raises:
            StorageError: A session can't be stored, an id is given twice, or the store failed:
                nothing was written.
        """
        self._check_writable()
        check_ids_once(session.id for session in sessions)
        now = time.time_ns() // 1000
        rows = []
        for session in sessions:
            created, updated = session.created_at, session.updated_at
            times = (now if at is None else micros_of(at) for at in (created, updated))
            rows.append(fields_of(session).row(session.id, session.version, *times))

        def insert(db: sqlite3.Connection) -> list[str]:
            with transaction(db):
                inserted = [db.execute(sql.IMPORT, row).rowcount for row in rows]
            return [s.id for s, count in zip(sessions, inserted, strict=True) if not count]

        return await self._connection.run(insert)

    async def delete_many(
        self, ids: Sequence[str], versions: Sequence[int] | None = None
    ) -> list[str]:
        """Delete sessions, all in one transaction.

        Args:
            ids: The ids.
            versions: The version of each; a session with another version now is not deleted. None
                deletes them whatever their versions.

        Returns:
            The ids that were deleted, in the order given.
        """
        self._check_writable()
        for id in ids:
            check_text(id, "id", nul=True)

        def delete(db: sqlite3.Connection) -> list[str]:
            deleted = []
            with transaction(db):
                for index, id in enumerate(ids):
                    if versions is None:
                        cursor = db.execute(sql.DELETE, (id,))
                    else:
                        cursor = db.execute(sql.DELETE_VERSION, (id, versions[index]))
                    if cursor.rowcount:
                        deleted.append(id)
            return deleted

        return await self._connection.run(delete)

    async def delete_unchanged(self, sessions: Sequence[Session]) -> list[str]:
        """Delete the sessions that are still as they were read, all in one transaction.

        Returns:
            The ids that were deleted, in the order given.
        """
        self._check_writable()
        for session in sessions:
            check_text(session.id, "id", nul=True)

        def delete(db: sqlite3.Connection) -> list[str]:
            with transaction(db):
                return [s.id for s in sessions if delete_as_read(db, s, self.identity)]

        return await self._connection.run(delete)

    # Queries

    async def query(self, query: Query) -> list[Session]:
        """Return the selected sessions, in order."""
        statement = sql.select(sql.ROW, query)
        rows = await self._connection.run(lambda db: db.execute(*statement).fetchall())
        current().size(sum(len(row[CONTEXT]) for row in rows), len(rows))
        sessions = [read_session(row, self.identity) for row in rows]
        current().lap("decode")
        return sessions

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """Return the selected sessions by column.

        Args:
            query: The selection.
            context: The context paths that get a column each.

        Returns:
            The table; ``context_bytes`` is the length of the JSON text.
        """
        statement = sql.select_table(query.one_more(), context)
        rows = await self._connection.run(lambda db: db.execute(*statement).fetchall())
        columns: list[Any] = list(zip(*rows, strict=True)) or [() for _ in range(9 + len(context))]
        version, created, updated, size, messages = (np.array(c, np.int64) for c in columns[4:9])
        table = Table(
            id=columns[0],
            graph_id=columns[1],
            current_task_id=columns[2],
            status_message=columns[3],
            version=version,
            created=created,
            updated=updated,
            context_bytes=size,
            messages=messages,
            context=columns[9:],
            next=None,
        )
        current().size(int(table.context_bytes.sum()), len(table))
        current().lap("decode")
        return cut_page(table, query)

    async def count(self, query: Query) -> int:
        """Return the number of selected sessions; limit and page are ignored."""
        statement = sql.count(query)
        row = await self._connection.run(lambda db: db.execute(*statement).fetchone())
        return int(row[0])

    async def counts(self, query: Query) -> list[GroupCount]:
        """Return the number of selected sessions at each task of each graph."""
        statement = sql.count_groups(query)
        rows = await self._connection.run(lambda db: db.execute(*statement).fetchall())
        return [
            GroupCount(graph, task, n, time_of(oldest), time_of(newest))
            for graph, task, n, oldest, newest in rows
        ]

    async def slow_orders(self) -> dict[str, str]:
        """Return the orders that no index serves, each with what would help.

        It is empty for a small file, where every order is quick.
        """
        row = await self._connection.run(
            lambda db: db.execute(sql.COUNT_TO, (QUICK_ROWS + 1,)).fetchone()
        )
        if row[0] <= QUICK_ROWS:
            return {}
        return {
            "created_at": "no index serves this order, so all sessions are sorted for each page; "
            "CREATE INDEX sessions_by_creation ON sessions (created_at, id); makes it quick"
        }

    async def facts(self) -> SqliteFacts:
        """Return what the file reports about itself, for advice; nothing is changed."""
        return await self._connection.run(
            lambda db: collect_facts(db, path=self.path, place=self.place, read_only=self.read_only)
        )

    async def close(self) -> None:
        """Close the file; closing twice is not an error."""
        await self._connection.close()

    def __repr__(self) -> str:
        mode = ", read-only" if self.read_only else ""
        return f"<SqliteSessionStorage {self.path}{mode}>"
