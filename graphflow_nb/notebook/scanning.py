"""``wb.scan``, ``wb.scan_messages`` and ``wb.to_parquet``: a whole store in bounded memory."""

from __future__ import annotations

import os
import threading
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..client import Client, HeldSnapshot
from ..dual import dual
from ..errors import QueryError
from ..frames import messages_frame, paths_beside, sessions_frame
from ..model import Session
from ..model.masks import NO_MASK, Mask
from ..printable import describe_count
from ..storage import Cursor, Query, problems_of
from ..storage.capabilities import require
from ..storage.checks import check_callables
from ..storage.estimates import estimate_count
from ..storage.offloop import run_off_loop
from ..storage.pagesize import PAGE_BYTES, PageSize
from ..storage.paths import ContextPath, check_columns
from ..storage.protocols import SupportsChats, SupportsCount, SupportsTable
from ..storage.query import MAX_IDS
from ..tracebacks import scrub_by
from .chats import find_chats
from .parquet import ParquetExport, ParquetReport
from .progress import show_count
from .stopping import show_work

__all__ = ["LargeReads", "Scan"]

BATCH = 10_000
MAX_BATCH = 100_000


class Part(NamedTuple):
    """What one read of a scan found.

    Attributes:
        frame: Its rows; None if there are none.
        sessions: The number of sessions that were read.
        next: The place of the next read; None after the last.
    """

    frame: pd.DataFrame | None
    sessions: int
    next: Cursor | None


class Scan(Iterator[pd.DataFrame], AsyncIterator[pd.DataFrame]):
    """Sessions or messages in DataFrames of bounded size, in the order of the sessions' ids.

    ``wb.scan`` and ``wb.scan_messages`` make one. Each DataFrame is a short read of its own, so
    that nothing is held open in the store while its rows are worked on, unless ``snapshot=True``.
    ``for frame in scan`` goes on where it ended before, an error or an interrupt included, unless a
    snapshot has ended with it. A notebook shows a bar from the second read on.

    Example:
        >>> import graphflow_nb
        >>> scan = graphflow_nb.open("demo").scan(graph="claims", batch_size=30)
        >>> [len(frame) for frame in scan]
        [30, 30, 20]
        >>> scan.rows, scan.after
        (80, None)

    Attributes:
        rows: The number of sessions so far.
        after: The place from which ``after=…`` of another scan goes on, in a new process too; None
            before the first DataFrame and after the last.
        bridge: Runs its reads.
        scrubber: What its errors hide.
    """

    def __init__(
        self,
        client: Client,
        read: Callable[[Any, Query], Awaitable[Part]],
        query: Query,
        batch: PageSize,
        held: HeldSnapshot | None,
    ):
        self._storage = client.storage
        self.bridge = client.bridge
        self.scrubber = client.scrubber
        self._held = held
        self._read = read
        self._query = query
        self._batch = batch
        self._cursor = query.after
        self._done = False
        self._closed = False
        self._show: Callable[[int, int | None], None] | None = None
        self._total: int | None = None  # 0 where it is unknown
        self._part: Part | None = None  # was read, and is not returned yet
        self._turn = threading.Lock()
        self.rows = 0

    @property
    def after(self) -> dict[str, str | int | None] | None:
        """The place from which another scan goes on."""
        return None if self._cursor is None else self._cursor.to_plain()

    @dual
    async def close(self) -> None:
        """End the scan, and its snapshot in the store; closing twice is not an error.

        A scan that is dropped, or comes to its end, closes itself.
        """
        self._closed = True
        if self._held is not None:
            await self._held.close()

    def __next__(self) -> pd.DataFrame:
        with self._alone():
            while not (self._done or self._closed):
                if self._part is None:
                    self.bridge.run(scrub_by(self.scrubber, self._read_part))
                frame = self._take_part()
                if frame is not None:
                    return frame
        raise StopIteration

    async def __anext__(self) -> pd.DataFrame:
        with self._alone():
            while not (self._done or self._closed):
                if self._part is None:
                    await self.bridge.wait(scrub_by(self.scrubber, self._read_part))
                frame = self._take_part()
                if frame is not None:
                    return frame
        raise StopAsyncIteration

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep out others, who would read the same page, and a second snapshot."""
        if not self._turn.acquire(blocking=False):
            raise QueryError(
                "this scan is being read by another task or thread, and each DataFrame follows the "
                "one before: nothing was read. Wait for that one, or give each its own wb.scan(…)"
            )
        try:
            yield
        finally:
            self._turn.release()

    async def _read_part(self) -> None:
        if self._show is not None and self._total is None:
            counts = isinstance(self._storage, SupportsCount)
            about = await estimate_count(self._storage, self._query) if counts else None
            self._total = 0 if about is None else about.sessions
        query = self._query.following(self._cursor, self._batch.rows)
        held = self._held
        async with nullcontext(self._storage) if held is None else held.reading() as storage:
            part = await self._read(storage, query)
        if held is not None and part.next is None:
            await held.close()
        self._part = part

    def _take_part(self) -> pd.DataFrame | None:
        """Return the rows that were read; until then an interrupt loses none of them."""
        part = self._part
        assert part is not None
        rows, done = self.rows + part.sessions, part.next is None
        # On the cell's thread, to which the bar belongs, and not for one read.
        if self._show is None and not done:
            self._show = show_count("reading …", "sessions")
        if self._show is not None:
            total = self._total if (self._total or 0) > rows else None
            self._show(rows, rows if done else total)
        self._part, self._cursor, self._done, self.rows = None, part.next, done, rows
        return part.frame

    def __repr__(self) -> str:
        state = "complete" if self._done else f"{self._batch.most:,} at most in each DataFrame"
        state = "closed" if self._closed and not self._done else state
        where = "" if self._held is None else " from one snapshot"
        return f"<Scan: {describe_count(self.rows, 'session')} read{where}, {state}>"


@dataclass(frozen=True, slots=True)
class _Sessions:
    """Reads sessions by column."""

    context: Sequence[ContextPath]
    mask: Mask
    batch: PageSize

    async def read(self, storage: Any, query: Query) -> Part:
        # Not by the client, which remembers what it showed of each session.
        table = await require(storage, SupportsTable).table(
            query, [*self.context, *paths_beside(self.context, self.mask)]
        )
        bytes = table.value_size
        if self.context:
            self.batch.note(len(table), bytes)
        if not len(table):
            return Part(None, 0, table.next)
        frame = await run_off_loop(
            len(table),
            lambda: sessions_frame(table, self.context, self.mask, consume=True),
            storage,
            bytes=bytes,
        )
        return Part(frame, len(table), table.next)


@dataclass(frozen=True, slots=True)
class _Messages:
    """Reads the chats of sessions: of as many as a first look says that memory has room for."""

    mask: Mask
    batch: PageSize

    async def read(self, storage: Any, query: Query) -> Part:
        table = await require(storage, SupportsTable).table(query)
        alone = isinstance(storage, SupportsChats)
        sizes = table.context_bytes
        if alone:
            sizes = np.where(table.messages == 0, 0, sizes)
        self.batch.note(len(table), int(sizes.sum()))
        count = max(1, int(np.searchsorted(np.cumsum(sizes), PAGE_BYTES, side="right")))
        ids = table.id[:count]
        next = table.next if count >= len(table) else Cursor("id", ids[-1])
        if not ids:
            return Part(None, 0, next)
        found = await find_chats(storage, Query(ids=ids, order="id"))
        frame = await run_off_loop(
            len(found),
            lambda: messages_frame(found, self.mask),
            storage,
            bytes=sum(len(session.context_json()) for session in found),
        )
        problems = {id: table.problems[id] for id in ids if id in table.problems}
        if problems := {**problems, **problems_of(found), **frame.attrs.get("problems", {})}:
            frame.attrs["problems"] = problems
        return Part(frame if len(frame) or problems else None, len(ids), next)


class LargeReads(Client):
    """A client that reads all sessions of a store, in memory that does not grow."""

    def scan(
        self,
        *,
        context: Sequence[ContextPath] = (),
        batch_size: int = BATCH,
        after: Cursor | Mapping[str, Any] | None = None,
        snapshot: bool = False,
        reveal: bool = False,
        **filters: Any,
    ) -> Scan:
        """Return all sessions as an iterator of DataFrames, in the order of their ids.

        No DataFrame has more than ``batch_size`` sessions, and with ``context`` the first ones, and
        those whose values are large, have fewer, so that memory does not grow. Each is a short read
        of its own: a session that is saved meanwhile is in it once, as it was when its
        DataFrame was read; one that is created or deleted meanwhile may be missing.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> scan = wb.scan(graph="claims", context=["amount"], batch_size=50)
            >>> sum(frame["amount"].gt(1000).sum() for frame in scan)
            np.int64(39)

        Args:
            context: Context paths to show, a column each; see ``sessions``. The dtype of a column
                is that which the values of its DataFrame need.
            batch_size: The most sessions in a DataFrame, 1 to 100,000.
            after: ``scan.after`` of a scan that ended early, from which this one goes on.
            snapshot: Whether all DataFrames have the sessions as they are at the first read, in
                memory, SQLite and PostgreSQL. It costs others: until its end PostgreSQL removes no
                row that was replaced or deleted (VACUUM), in no table of the database, and ALTER
                TABLE waits, with all that waits for it; the WAL of a SQLite file grows. It takes a
                connection of its own, which PostgreSQL or its pooler gets for two scans at most. It
                ends after the last DataFrame, by ``scan.close()``, with the scan, with a read that
                fails or is interrupted, after ten minutes without a read, and before a read an hour
                after the first one. Another scan can't go on in it.
            reveal: Whether values that look secret are in the context columns; see ``sessions``.
            filters: The filters of ``sessions``: ``graph``, ``task``, ``where``, …

        Returns:
            The iterator, for ``for`` and ``async for``; each DataFrame has the columns and
            ``attrs`` of ``sessions``.

        Raises:
            QueryError: An argument is invalid.
            CapabilityError: The storage has no method ``table`` (when the first is read), or takes
                no snapshots.
            StorageError: The store failed (when one is read); iterating again goes on, without
                ``snapshot``. The snapshot has ended.
        """
        context = check_columns(context)
        _check_size("batch_size", batch_size, MAX_BATCH)
        held = _hold(self, snapshot)
        query = Query.from_filters(filters, order="id", after=after)
        batch = PageSize(batch_size) if context else PageSize(batch_size, batch_size)
        sessions = _Sessions(context, NO_MASK if reveal else self.mask, batch)
        return Scan(self, sessions.read, query, batch, held)

    def scan_messages(
        self,
        *,
        batch_size: int = BATCH,
        after: Cursor | Mapping[str, Any] | None = None,
        snapshot: bool = False,
        reveal: bool = False,
        **filters: Any,
    ) -> Scan:
        """Return the chat messages of all sessions as an iterator of DataFrames.

        The sessions come in the order of their ids, each with all of its messages, and none that
        has no message. Chats alone are read, in short reads; from Redis the whole sessions come.

        Example:
            >>> import graphflow_nb
            >>> scan = graphflow_nb.open("demo").scan_messages(batch_size=50)
            >>> sum(len(frame) for frame in scan), scan.rows
            (407, 120)

        Args:
            batch_size: The most sessions whose messages are in a DataFrame, 1 to 10,000; fewer
                where they are large.
            after: ``scan.after`` of such a scan that ended early, from which this one goes on.
            snapshot: Whether all are of one moment; see ``scan``.
            reveal: See ``messages``.
            filters: The filters of ``sessions``: ``graph``, ``task``, ``where``, …

        Returns:
            The iterator, for ``for`` and ``async for``; each DataFrame has the columns and
            ``attrs`` of ``messages``.

        Raises:
            QueryError: An argument is invalid.
            CapabilityError: The storage has no method ``table``, or neither ``chats`` nor ``query``
                (when the first is read), or takes no snapshots.
            StorageError: The store failed (when one is read); iterating again goes on, without
                ``snapshot``. The snapshot has ended.
        """
        _check_size("batch_size", batch_size, MAX_IDS)
        held = _hold(self, snapshot)
        query = Query.from_filters(filters, order="id", after=after)
        batch = PageSize(batch_size)
        mask = NO_MASK if reveal else self.mask
        return Scan(self, _Messages(mask, batch).read, query, batch, held)

    @dual
    def to_parquet(
        self,
        /,
        folder: str | os.PathLike[str],
        *,
        context: Sequence[ContextPath] | Mapping[ContextPath, str] | None = None,
        redact: Callable[[Session], Session | None] | None = None,
        rows_per_file: int = 100_000,
        snapshot: bool = False,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
        **filters: Any,
    ) -> Coroutine[Any, Any, ParquetReport]:
        """Write all sessions to a folder of Parquet files, in the order of their ids.

        Called again after an interrupt or an error, it goes on behind the last complete file:
        ``_manifest.jsonl`` in the folder says what was written. Each file is complete or not there,
        and only its owner can read it: pandas and Dask read the folder, DuckDB and Polars
        ``folder/*.parquet``, also while more are written. Memory does not grow with the number of
        sessions. What is written is the real data, unless ``redact`` changes it; the manifest has
        the filters as they were given.

        Example:
            >>> import graphflow_nb, tempfile
            >>> wb = graphflow_nb.open("demo")
            >>> folder = tempfile.mkdtemp()
            >>> report = wb.to_parquet(folder, context={"amount": "float64"}, graph="claims")
            >>> report.rows, report.complete, [file.name for file in report.files]
            (80, True, ['part-00000.parquet'])

        Args:
            folder: The folder, which is created; it is empty, or has what an earlier call with the
                same arguments wrote.
            context: Context paths, a column each with its values as JSON text, absent where a
                session has none; a mapping gives each path its type: ``json``, ``string``,
                ``boolean``, ``int64`` or ``float64``. Default: one column ``context`` with the
                whole context as JSON text, as it is stored.
            redact: As for ``copy_to``; not together with ``context``, which the store extracts.
            rows_per_file: The number of sessions in a file, 1 to 10,000,000.
            snapshot: Whether all files have the sessions as they are when the first one is begun;
                ``scan`` says what that costs. What one call has not written, another can't read any
                more: with ``snapshot=True`` it is refused. Without, it goes on with what is stored
                by then, and ``report.snapshot`` is False.
            progress: A function that is called with the number of sessions done, and of all, or
                None if that is unknown. Default: a notebook shows a bar with a Stop button.
            stop: A function that is asked after each batch whether to end with it: the last file is
                complete then, if shorter, and the same call continues.
            filters: The filters of ``sessions``: ``graph``, ``task``, ``where``, …

        Returns:
            The report: the files, the number of rows, what a typed column could not hold, odd
            sessions, and how many were saved while this was written. The columns are ``id``,
            ``status_message`` (string), ``graph_id``, ``current_task_id`` (dictionary of strings),
            ``version``, ``context_bytes``, ``messages`` (int64), ``created_at``, ``updated_at``,
            ``expires_at`` (timestamp in µs, UTC; missing where unknown, or for never), then
            ``context`` or the context columns. All files have the same schema.

        Raises:
            QueryError: An argument is invalid, or is not that of the earlier call, or that has left
                files to be written and this one has ``snapshot``.
            CapabilityError: The storage has no method ``query`` (with ``context``: ``table``), or
                takes no snapshots.
            StorageError: The package pyarrow is missing, the folder has other files or is another
                store's, a file can't be written, the store failed, or the snapshot has ended.
        """
        _check_size("rows_per_file", rows_per_file, 10_000_000)
        check_callables(redact=redact, progress=progress, stop=stop)
        if isinstance(context, Mapping):
            check_columns(list(context))
        elif context is not None:
            context = dict.fromkeys(check_columns(context), "json")
        if context is not None and redact is not None:
            raise QueryError("redact= needs the whole context: leave context= out")
        held, redact = _hold(self, snapshot), self.hiding(redact)
        export = ParquetExport(self, folder, context, redact, rows_per_file, filters, held)
        if progress is not None:
            return export.run(progress=progress, stop=stop)
        again = "the same call continues"
        if snapshot:
            again = f"the snapshot has ended; without snapshot=True {again}"
        return show_work(
            export.run, stop, step="writing …", unit="sessions", done="written", again=again
        )


def _hold(client: Client, snapshot: object) -> HeldSnapshot | None:
    """Return what holds a snapshot for several reads; None where each read is one of its own."""
    if not isinstance(snapshot, bool):
        raise QueryError(f"snapshot= must be True or False, not {snapshot!r}")
    return HeldSnapshot(client) if snapshot else None


def _check_size(name: str, value: object, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise QueryError(f"{name} must be 1 to {most:,} sessions, not {value!r}")
