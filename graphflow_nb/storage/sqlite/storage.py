"""Sessions in a SQLite file: the embedded store that survives a restart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar
from weakref import WeakSet

from ...errors import SessionConflict, StorageError
from ...model import Session
from ...model.times import micros_or_unknown
from ...printable import printable
from ..address import Address
from ..chats import Chat
from ..checks import check_ids_once, check_seconds, check_text, describe_not_kept, refuse_write
from ..facts import SqliteFacts, with_history
from ..history import measure_history
from ..overview import OverviewCounts
from ..paths import ContextPath
from ..query import Query
from ..table import GroupCount, Table
from ..trace import current
from ..wrappers.read_only import ReadOnlyStorage
from . import sql
from .connection import SqliteConnection, transaction
from .facts import collect_facts
from .history import SqliteHistory
from .identity import find_identity
from .location import MEMORY, url_of
from .odd import (
    Database,
    delete_odd,
    fetch_session,
    read_raw,
)
from .queries import Queries
from .readers import Readers
from .records import (
    Saved,
    check_made,
    delete_as_read,
    fields_of,
    insert_restored,
    read_session,
    write_session,
)
from .snapshot import SqliteSnapshot, copy_memory
from .sql import CONTEXT

__all__ = ["SqliteSessionStorage"]

T = TypeVar("T")

_memories = count(1)  # each database in memory is a store of its own


class SqliteSessionStorage:
    """A storage of sessions in a SQLite file.

    The rules are those that graph-flow 0.6 has for PostgreSQL. Several processes may have the file
    open. Threads do the work, up to four that of queries, so the storage can be used on any event
    loop, and a page does not wait for a search that reads the whole file.

    Reading takes the right to enter the folder and to read the file; writing, to write both.

    Example:
        >>> from graphflow_nb import Session, SqliteSessionStorage
        >>> storage = await SqliteSessionStorage.connect("sessions.db")
        >>> await storage.save(Session("claim-1", "intake"))
        >>> await storage.get("claim-1")
        Session('claim-1', 'intake', graph_id='default', version=1)
        >>> await storage.close()

    Attributes:
        path: The path of the file.
        place: The file as a URL that opens it again.
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

    def __init__(self, path: str, timeout: float, *, read_only: bool, create: bool):
        self.path = path
        file = path if path == MEMORY else str(Path(path).absolute())
        self.address = Address("sqlite", namespace=file, collection="sessions")
        self.place = url_of(file)
        self.identity = f"{self.place} {next(_memories)}"
        self.read_only = read_only
        #: Why what is deleted could not be put back as it was; empty where it can be.
        self.no_restore = ""
        self._timeout = timeout
        self._connection = SqliteConnection(file, timeout, read_only=read_only, create=create)
        self._read_by(self._connection)
        #: The file whose WAL, or which for reading only, has a connection for each query.
        self._shared_file: str | None = None
        self._snapshots = WeakSet[SqliteConnection]()
        self._history = SqliteHistory(self._connection, self.place, self._check_writable)

    @classmethod
    async def connect(
        cls,
        path: str | Path,
        *,
        read_only: bool = False,
        create: bool = True,
        timeout: float = 30.0,
    ) -> Self:
        """Open a file of sessions. One that is not ours is refused and not changed.

        Args:
            path: The path of the file, as it is: ``~`` and ``%20`` have a meaning in URLs only. Its
                folder must exist. ``":memory:"`` is a database in memory.
            read_only: Whether to refuse every write, in the database too. No right to write is
                needed, and no file is left beside it.
            create: Whether to create the file if it does not exist, for its owner only and in WAL
                mode. An existing file keeps its mode.
            timeout: The seconds to wait for another process's write.

        Raises:
            StorageError: The file does not exist or can't be created, a right is missing, or the
                file is not a store of sessions.
        """
        check_seconds("timeout", timeout)
        storage = cls(str(path), timeout, read_only=read_only, create=create)
        await storage._connection.open()
        try:
            others = await storage._connection.run(lambda db: db.others, writes=False)
            storage.no_restore = describe_not_kept("sessions", others)
            if storage.path != MEMORY:
                # Now that there is a file.
                storage.identity = find_identity(storage.address.namespace or storage.path)
                storage._read_by(await storage._open_readers())
        except BaseException:
            await storage.close()
            raise
        return storage

    def _read_by(self, reading: SqliteConnection | Readers) -> None:
        """Answer what may take long by these connections, so that a get does not wait for it."""
        self._reading = reading
        self._queries = Queries(reading, self.identity)

    async def _open_readers(self) -> SqliteConnection | Readers:
        """Return connections for queries, where they wait for nobody: to read, or in WAL mode."""

        def find_wal(db: Database) -> str | None:
            """Return the path of the file, as the connection itself has it; None without a WAL."""
            is_wal = db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
            return str(db.execute("PRAGMA database_list").fetchone()[2]) if is_wal else None

        if read_only := self.read_only:
            file: str | None = self.address.namespace
        else:
            file = await self._connection.run(find_wal)
        if file is None:
            return self._connection
        make = partial(SqliteConnection, file, self._timeout, create=False, queries=True)
        readers = Readers(partial(make, read_only=read_only))
        await readers.open()
        self._shared_file = file
        return readers

    @property
    def history_table(self) -> SqliteHistory:
        """The history of the sessions; see ``SupportsHistory``."""
        return self._history

    def _check_writable(self) -> None:
        if self.read_only:
            raise refuse_write(self.path)

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

        def write(db: Database) -> Saved:
            with transaction(db):
                return write_session(db, session, fields, now, self.identity, upsert=upsert)

        (await self._connection.run(write)).mark(session)

    async def get(self, id: str) -> Session | None:
        """Return the session with this id, or None if it does not exist.

        Raises:
            SessionFormatError: The row with this id is not a session; ``raw`` returns it.
        """
        check_text(id, "id", nul=True)
        row = await self._connection.run(lambda db: fetch_session(db, id), writes=False)
        if row is None:
            return None
        trace = current()
        trace.size(len(row[CONTEXT]), 1)
        session = read_session(row, self.identity)
        trace.lap("decode")
        return session

    async def raw(self, id: str) -> dict[str, Any] | None:
        """Return what is stored under an id, by column; see ``SupportsRaw``."""
        check_text(id, "id", nul=True)
        return await self._connection.run(lambda db: read_raw(db, id), writes=False)

    async def delete(self, id: str) -> None:
        """Delete the session with this id, or the odd row of this name, if there is one."""
        self._check_writable()
        check_text(id, "id", nul=True)
        await self._connection.run(lambda db: _delete(db, id))

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
        created = _created_or(session, now)
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

        def write(db: Database) -> list[Saved | SessionConflict]:
            ends: list[Saved | SessionConflict] = []
            with transaction(db):
                for session, entry in zip(sessions, fields, strict=True):
                    try:
                        saved = write_session(db, session, entry, now, self.identity, upsert=False)
                        ends.append(saved)
                    except SessionConflict as conflict:
                        ends.append(conflict)
            return ends

        return _mark_all(sessions, await self._connection.run(write))

    async def restore_many(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Put deleted sessions back, each as ``restore`` does, all in one transaction.

        Returns:
            A conflict for each session whose id is taken, in the order given.

        Raises:
            StorageError: A session can't be stored, an id is given twice, or the store failed:
                nothing was written.
        """
        self._check_writable()
        check_ids_once(session.id for session in sessions)
        fields = [fields_of(session) for session in sessions]
        now = time.time_ns() // 1000

        def write(db: Database) -> list[Saved | SessionConflict]:
            ends: list[Saved | SessionConflict] = []
            with transaction(db):
                for session, entry in zip(sessions, fields, strict=True):
                    created = _created_or(session, now)
                    try:
                        ends.append(
                            insert_restored(db, session, entry, created, now, self.identity)
                        )
                    except SessionConflict as conflict:
                        ends.append(conflict)
            return ends

        return _mark_all(sessions, await self._connection.run(write))

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
            created, updated = session.raw_created, session.raw_updated
            times = (now if at is None else micros_or_unknown(at) for at in (created, updated))
            rows.append(fields_of(session).row(session.id, session.version, *times))

        def insert(db: Database) -> list[str]:
            with transaction(db):
                inserted = [db.execute(sql.IMPORT, row).rowcount for row in rows]
                for session, count in zip(sessions, inserted, strict=True):
                    if not count and db.execute(sql.VERSION_OF, (session.id,)).fetchone() is None:
                        check_made(db, session.id, session.version)
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

        def delete(db: Database) -> list[str]:
            deleted = []
            with transaction(db):
                for index, id in enumerate(ids):
                    if versions is None:
                        count = _delete(db, id)
                    else:
                        version = versions[index]
                        count = db.execute(sql.DELETE_VERSION, (id, version)).rowcount
                        if not count:
                            _check_not_refused(db, id, version)
                    if count:
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

        def delete(db: Database) -> list[str]:
            with transaction(db):
                return [s.id for s in sessions if delete_as_read(db, s, self.identity)]

        return await self._connection.run(delete)

    # Queries

    async def query(self, query: Query) -> list[Session]:
        """Return the selected sessions, in order; ``problems`` of the list names the odd rows."""
        return await self._queries.sessions(query)

    async def chats(self, query: Query) -> list[Chat] | None:
        """Return the chats that have messages of the selected sessions; see ``SupportsChats``."""
        return await self._queries.chats(query)

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """Return the selected sessions by column.

        Args:
            query: The selection.
            context: The context paths that get a column each.

        Returns:
            The table; ``context_bytes`` is the length of the JSON text.
        """
        return await self._queries.table(query, context)

    async def snapshot(self) -> ReadOnlyStorage:
        """Return a storage of what is stored now; see ``SupportsSnapshot``.

        It is a transaction on a connection of its own. Until it ends, what is written stays in the
        WAL, which grows. A database in memory is copied.

        Raises:
            StorageError: The file is not in WAL mode, or can't be opened.
        """
        opened: SqliteConnection
        self._connection.check_open()
        if self.path == MEMORY:
            opened = await copy_memory(self._connection, self._timeout)
        else:
            file = self._shared_file or self.address.namespace or self.path
            opened = SqliteSnapshot(file, self._timeout, read_only=self.read_only)
            await opened.open()
        try:
            self._connection.check_open()  # again: nobody would close what was opened meanwhile
        except StorageError:
            await opened.close()
            raise
        self._snapshots.add(opened)
        snapshot = SqliteSessionStorage(
            self.path, self._timeout, read_only=self.read_only, create=False
        )
        snapshot.identity = self.identity
        snapshot._connection = opened
        snapshot._read_by(opened)
        return ReadOnlyStorage(snapshot)

    async def count(self, query: Query) -> int:
        """Return the number of selected sessions; limit and page are ignored."""
        return await self._queries.count(query)

    async def counts(self, query: Query) -> list[GroupCount]:
        """Return the number of selected sessions at each task of each graph."""
        return await self._queries.counts(query)

    async def overview(self, now: datetime, *, exact: bool = False) -> OverviewCounts:
        """Return counts by task and age, by the hour and by size; see ``SupportsOverview``.

        Of many sessions those of some thousand places in the table are read, unless ``exact``.
        """
        return await self._queries.overview(now, exact=exact)

    async def split(self, parts: int) -> list[str] | None:
        """Return ids that divide the sessions into ranges; see ``SupportsSplit``."""
        return await self._queries.split(parts)

    async def slow_orders(self) -> dict[str, str]:
        """Return the orders that no index serves, each with what would help.

        It is empty for a small file, where every order is quick.
        """
        return await self._queries.slow_orders()

    async def facts(self) -> SqliteFacts:
        """Return what the file reports about itself, for advice; nothing is changed."""
        facts = await self._reading.run(
            lambda db: collect_facts(db, path=self.path, place=self.place, read_only=self.read_only)
        )
        return with_history(facts, await measure_history(self._history))

    async def close(self) -> None:
        """Close the file, and the snapshots of it; closing twice is not an error."""
        for snapshot in list(self._snapshots):
            await snapshot.close()
        if self._reading is not self._connection:
            await self._reading.close()
        await self._connection.close()

    def __repr__(self) -> str:
        mode = ", read-only" if self.read_only else ""
        return f"<SqliteSessionStorage {printable(str(self.path))}{mode}>"


def _delete(db: Database, id: str) -> int:
    count = db.execute(sql.DELETE, (id,)).rowcount or delete_odd(db, id)
    if not count:
        check_made(db, id, None)
    return count


def _check_not_refused(db: Database, id: str, version: int) -> None:
    """Check that a session that was not deleted at a version does not have it."""
    row = db.execute(sql.VERSION_OF, (id,)).fetchone()
    if row is not None and row[0] == version:
        check_made(db, id, None)


def _created_or(session: Session, now: int) -> int:
    """Return the time of a session's creation in µs since 1970 UTC; ``now`` where it is unknown."""
    return now if session.raw_created is None else micros_or_unknown(session.raw_created)


def _mark_all(
    sessions: Sequence[Session], ends: Sequence[Saved | SessionConflict]
) -> list[SessionConflict]:
    """Set the version and times of the sessions that were written; return the conflicts."""
    conflicts = []
    for session, end in zip(sessions, ends, strict=True):
        if isinstance(end, SessionConflict):
            conflicts.append(end)
        else:
            end.mark(session)
    return conflicts
