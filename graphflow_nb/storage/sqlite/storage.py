"""Sessions in a SQLite file: the embedded store that survives a restart."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import msgspec
import numpy as np

from ...errors import GraphflowError, ReadOnlyError, SessionConflict, StorageError, StorageTimeout
from ...model import Session, mark_saved, stored_session
from ...model.times import micros_of, time_of
from ..address import Address
from ..checks import check_ids_once, check_text, check_texts
from ..facts import SqliteFacts
from ..limits import QUICK_ROWS
from ..paths import ContextPath, holds, value_at
from ..query import ORDERS, Query
from ..table import GroupCount, Table, cut_page
from ..trace import current
from . import sql as sql

__all__ = ["SqliteSessionStorage"]

T = TypeVar("T")

SYNCHRONOUS = ("off", "normal", "full", "extra")  # as SQLite counts them


class SqliteSessionStorage:
    """Sessions in a SQLite file, in WAL mode; made by ``await SqliteSessionStorage.connect(path)``.

    The same rules as graph-flow 0.6 has for PostgreSQL. Several processes may have it open. One
    thread does the work, so the storage can be used on any event loop.
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
        #: Which file and table it is, for tools that watch databases.
        self.address = Address(
            "sqlite", namespace=str(Path(path).absolute()), collection="sessions"
        )
        self.read_only = read_only
        self._timeout = timeout
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="graphflow_nb-sqlite")
        self._db: sqlite3.Connection | None = None
        self._running: object = None
        self._running_lock = threading.Lock()

    @classmethod
    async def connect(
        cls, path: str | Path, *, read_only: bool = False, timeout: float = 30.0
    ) -> Self:
        """Open a file, made if it is not there (unless ``read_only``).

        Args:
            path: of the file; its folder must exist.
            read_only: refuse every write, in the database too.
            timeout: seconds to wait for another process's write.

        Raises:
            StorageError: no such folder or right, or the file is no store of sessions.
        """
        storage = cls(str(path), timeout, read_only)
        try:
            await storage._run(storage._open)
        except BaseException:
            storage._worker.shutdown(wait=False)
            raise
        return storage

    def _open(self, _: None) -> None:
        uri = f"{Path(self.path).absolute().as_uri()}?mode={'ro' if self.read_only else 'rwc'}"
        db = sqlite3.connect(
            uri, uri=True, timeout=self._timeout, isolation_level=None, check_same_thread=False
        )
        try:
            if not self.read_only:
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(sql.CREATE)
            db.execute("PRAGMA synchronous = FULL")  # a save that returned survives a power cut
            columns = {row[1] for row in db.execute("PRAGMA table_info(sessions)")}
            if sql.COLUMNS - columns:
                missing = ", ".join(sorted(sql.COLUMNS - columns))
                raise StorageError(
                    f"{self.path} is no store of sessions: its table sessions has no {missing}"
                )
            db.create_function("holds", 3, _holds, deterministic=True)
            db.create_function("value_at", 2, _value_at, deterministic=True)
        except BaseException:
            db.close()
            raise
        self._db = db

    @property
    def place(self) -> str:
        """Which file it is."""
        return f"sqlite:{Path(self.path).absolute()}"

    async def _run(self, work: Callable[[Any], T]) -> T:
        """``work(connection)`` on the worker thread; reports the phases wait and execute."""
        began = 0

        def job() -> T:
            nonlocal began
            began = time.perf_counter_ns()
            with self._running_lock:
                self._running = job
            try:
                if self._db is None and work != self._open:
                    raise StorageError("the storage is closed: connect again")
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
        except (sqlite3.Error, OSError, RuntimeError, OverflowError, TypeError) as error:
            raise _translated(error, self.path) from error
        trace.lap("wait", began)
        trace.lap("execute")
        return result

    def _check_writable(self) -> None:
        if self.read_only:
            raise ReadOnlyError(f"{self.path} was opened for reading only: nothing was written")

    def _fields(self, session: Session) -> tuple[str, str, str | None, str]:
        check_texts(session, nul=True)
        if session.extra:
            raise StorageError(
                "the session has members that this store has no column for: "
                f"{', '.join(session.extra)}; take them out of the JSON first"
            )
        text = session.context_json()
        context = text if isinstance(text, str) else text.decode()
        return session.graph_id, session.current_task_id, session.status_message, context

    async def save(self, session: Session) -> None:
        """Store a session; raises SessionConflict if the stored one is not the one read."""
        await self._write(session, upsert=False)

    async def upsert(self, session: Session) -> None:
        """Store a session whatever is stored there: last write wins."""
        await self._write(session, upsert=True)

    async def _write(self, session: Session, *, upsert: bool) -> None:
        self._check_writable()
        trace = current()
        fields = self._fields(session)
        now = time.time_ns() // 1000
        trace.lap("encode")
        trace.size(len(fields[-1]), 1)

        def work(db: Any) -> tuple[int, int]:
            with _transaction(db):
                return _put(db, session, fields, now, upsert=upsert)

        after, created = await self._run(work)
        mark_saved(session, after, created, now)

    async def save_many(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Save each as ``save`` does, all in one transaction.

        Returns:
            Those that conflict, in the order given; they were left out.
        """
        self._check_writable()
        check_ids_once(session.id for session in sessions)
        trace = current()
        fields = [self._fields(session) for session in sessions]
        now = time.time_ns() // 1000
        trace.lap("encode")
        trace.size(sum(len(entry[-1]) for entry in fields), len(sessions))

        def work(db: Any) -> list[tuple[int, int] | SessionConflict]:
            done: list[tuple[int, int] | SessionConflict] = []
            with _transaction(db):
                for session, entry in zip(sessions, fields, strict=True):
                    try:
                        done.append(_put(db, session, entry, now, upsert=False))
                    except SessionConflict as conflict:
                        done.append(conflict)
            return done

        conflicts = []
        for session, end in zip(sessions, await self._run(work), strict=True):
            if isinstance(end, SessionConflict):
                conflicts.append(end)
            else:
                mark_saved(session, *end, now)
        return conflicts

    async def import_many(self, sessions: Sequence[Session]) -> list[str]:
        """Put sessions in as they are, with version and times, where their ids are free.

        Returns:
            The ids that were taken, whose sessions were left as they are.
        """
        self._check_writable()
        check_ids_once(session.id for session in sessions)
        now = time.time_ns() // 1000
        rows = []
        for session in sessions:
            created, updated = session.created_at, session.updated_at
            times = (now if at is None else micros_of(at) for at in (created, updated))
            rows.append((session.id, *self._fields(session), session.version, *times))

        def work(db: Any) -> list[str]:
            with _transaction(db):
                new = [db.execute(sql.IMPORT, row).rowcount for row in rows]
            return [s.id for s, count in zip(sessions, new, strict=True) if not count]

        return await self._run(work)

    async def get(self, id: str) -> Session | None:
        """The session of that id, or None."""
        check_text(id, "id", nul=True)
        row = await self._run(lambda db: db.execute(sql.GET, (id,)).fetchone())
        if row is None:
            return None
        trace = current()
        trace.size(len(row[4]), 1)
        session = stored_session(*row)
        trace.lap("decode")
        return session

    async def delete(self, id: str) -> None:
        """Delete the session of that id, if there is one."""
        self._check_writable()
        check_text(id, "id", nul=True)
        await self._run(lambda db: db.execute(sql.DELETE, (id,)))

    async def delete_many(
        self, ids: Sequence[str], versions: Sequence[int] | None = None
    ) -> list[str]:
        """Delete these, where versions are given only those that still have them; all at once.

        Returns:
            The ids that were deleted, in the order given.
        """
        self._check_writable()
        for id in ids:
            check_text(id, "id", nul=True)

        def work(db: Any) -> list[str]:
            with _transaction(db):
                deleted = []
                for index, id in enumerate(ids):
                    if versions is None:
                        cursor = db.execute(sql.DELETE, (id,))
                    else:
                        cursor = db.execute(sql.DELETE_VERSION, (id, versions[index]))
                    if cursor.rowcount:
                        deleted.append(id)
                return deleted

        return await self._run(work)

    async def restore(self, session: Session) -> None:
        """Put a deleted session back; raises SessionConflict if its id is taken."""
        self._check_writable()
        fields = self._fields(session)
        now = time.time_ns() // 1000
        created = now if session.created_at is None else micros_of(session.created_at)
        after = session.version + 1

        def work(db: Any) -> None:
            try:
                db.execute(sql.INSERT, (session.id, *fields, after, created, now))
            except sqlite3.IntegrityError:
                row = db.execute(sql.GET, (session.id,)).fetchone()
                raise SessionConflict(
                    session, None if row is None else stored_session(*row)
                ) from None

        await self._run(work)
        mark_saved(session, after, created, now)

    async def slow_orders(self) -> dict[str, str]:
        """The orders that no index serves; nothing is said of small files."""
        row = await self._run(lambda db: db.execute(sql.COUNT_TO, (QUICK_ROWS + 1,)).fetchone())
        if row[0] <= QUICK_ROWS:
            return {}
        return {
            "created_at": "no index serves this order, so all sessions are sorted for each page; "
            "CREATE INDEX sessions_by_creation ON sessions (created_at, id); makes it quick"
        }

    async def facts(self) -> SqliteFacts:
        """What the file tells, for advice; changes nothing."""

        def work(db: Any) -> SqliteFacts:
            def ask(statement: str) -> Any:
                return db.execute(statement).fetchone()[0]

            page = ask("PRAGMA page_size")
            plans = {
                order: db.execute(f"EXPLAIN QUERY PLAN {sql.select('id', Query(order=order))[0]}")
                for order in ORDERS
            }
            return SqliteFacts(
                place=self.place,
                read_only=self.read_only,
                connections=1,
                path=self.path,
                bytes=ask("PRAGMA page_count") * page,
                free_bytes=ask("PRAGMA freelist_count") * page,
                rows=ask(sql.MOST),
                journal_mode=ask("PRAGMA journal_mode"),
                synchronous=SYNCHRONOUS[ask("PRAGMA synchronous")],
                sorted=tuple(o for o, plan in plans.items() if "TEMP B-TREE" in str([*plan])),
            )

        return await self._run(work)

    async def close(self) -> None:
        """Close the file; closing twice is no error."""

        def work(db: sqlite3.Connection) -> None:
            db.close()
            self._db = None

        if self._db is not None:
            await self._run(work)
            self._worker.shutdown(wait=False)

    async def query(self, query: Query) -> list[Session]:
        """The selected sessions, in order."""
        text, arguments = sql.select(sql.ROW, query)
        rows = await self._run(lambda db: db.execute(text, arguments).fetchall())
        current().size(sum(len(row[4]) for row in rows), len(rows))
        sessions = [stored_session(*row) for row in rows]
        current().lap("decode")
        return sessions

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """The selected sessions by column; ``context_bytes`` is the length of the JSON text."""
        text, arguments = sql.table(query.one_more(), context)
        rows = await self._run(lambda db: db.execute(text, arguments).fetchall())
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
        """How many sessions are selected; limit and page are ignored."""
        text, arguments = sql.count(query)
        row = await self._run(lambda db: db.execute(text, arguments).fetchone())
        return int(row[0])

    async def counts(self, query: Query) -> list[GroupCount]:
        """How many of the selected sessions stand at each task of each graph."""
        text, arguments = sql.counts(query)
        rows = await self._run(lambda db: db.execute(text, arguments).fetchall())
        return [
            GroupCount(graph, task, n, time_of(oldest), time_of(newest))
            for graph, task, n, oldest, newest in rows
        ]

    def __repr__(self) -> str:
        mode = ", read-only" if self.read_only else ""
        return f"<SqliteSessionStorage {self.path}{mode}>"


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _put(
    db: sqlite3.Connection, session: Session, fields: tuple[Any, ...], now: int, *, upsert: bool
) -> tuple[int, int]:
    """Store a session; its version and time of creation afterwards."""
    row = db.execute(sql.GET, (session.id,)).fetchone()
    if not upsert and (row is None) is not session.is_new:
        raise SessionConflict(session, None if row is None else stored_session(*row))
    if row is None:
        db.execute(sql.INSERT, (session.id, *fields, 1, now, now))
        return 1, now
    # A session that was deleted and made anew may have the same version.
    known = session.created_at
    remade = known is not None and micros_of(known) != row[6]
    if not upsert and (row[5] != session.version or remade):
        raise SessionConflict(session, stored_session(*row))
    db.execute(sql.UPDATE, (*fields, row[5] + 1, now, session.id))
    return row[5] + 1, row[6]


@lru_cache(64)
def _path(text: str) -> list[str]:
    return msgspec.json.decode(text, type=list[str])


def _holds(context: str, path: str, value: bytes | None) -> bool:
    return holds(context, _path(path), value)


def _value_at(context: str, path: str) -> str | None:
    found = value_at(context, _path(path))
    return None if found is None else bytes(found).decode()


def _translated(error: Exception, path: str) -> StorageError:
    """A driver's exception as ours; the only place where that happens for SQLite."""
    said = str(error)
    if "locked" in said or "busy" in said:
        return StorageTimeout(
            f"{path} is being written by another process, and did not become free in time; "
            "nothing was written. Try again, or connect with a longer timeout="
        )
    if "readonly" in said:
        return ReadOnlyError(f"{path} takes no writes: {said}; check the rights on file and folder")
    if "unable to open" in said:
        return StorageError(
            f"{path} can't be opened: does its folder exist, and may you write there?"
        )
    if isinstance(error, RuntimeError):
        return StorageError("the storage is closed: connect again")
    return StorageError(f"{path}: {said}")
