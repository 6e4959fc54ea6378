"""``wb.scan`` and ``wb.to_parquet``: all sessions of a store, in memory that does not grow."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ..bridge import dual
from ..client import Client
from ..errors import QueryError
from ..frames import sessions_frame
from ..model import Session
from ..model.masks import NO_MASK, Mask
from ..storage import Cursor, Query
from ..storage.checks import check_callables
from ..storage.offloop import run_off_loop
from ..storage.paths import ContextPath, parse_path
from ..storage.protocols import SupportsTable, require
from .parquet import ParquetExport, ParquetReport
from .stopping import show_work

__all__ = ["LargeReads", "Scan"]

BATCH = 10_000
MAX_BATCH = 100_000


class Scan(Iterator[pd.DataFrame], AsyncIterator[pd.DataFrame]):
    """Sessions in DataFrames of bounded size, in the order of their ids; ``wb.scan`` makes one.

    Each DataFrame is a short read of its own, so that nothing is held open in the store while its
    rows are worked on. ``for frame in scan`` goes on where it ended before, an error or an
    interrupt included.

    Example:
        >>> import graphflow_nb
        >>> scan = graphflow_nb.open("demo").scan(graph="claims", batch_size=30)
        >>> [len(frame) for frame in scan]
        [30, 30, 20]
        >>> scan.rows, scan.after
        (80, None)

    Attributes:
        rows: The number of sessions so far.
        after: The place from which ``wb.scan(after=…)`` goes on, in a new process too; None before
            the first DataFrame and after the last.
    """

    def __init__(
        self,
        client: Client,
        query: Query,
        context: Sequence[ContextPath],
        batch_size: int,
        mask: Mask,
    ):
        self._mask = mask
        self._client = client
        self._query = query
        self._context = context
        self._batch_size = batch_size
        self._cursor = query.after
        self._done = False
        self.rows = 0

    @property
    def after(self) -> dict[str, str | int | None] | None:
        """The place from which another scan goes on."""
        return None if self._cursor is None else self._cursor.to_plain()

    def __next__(self) -> pd.DataFrame:
        frame = self._client.bridge.run(self._next())
        if frame is None:
            raise StopIteration
        return frame

    async def __anext__(self) -> pd.DataFrame:
        frame = await self._client.bridge.wait(self._next())
        if frame is None:
            raise StopAsyncIteration
        return frame

    async def _next(self) -> pd.DataFrame | None:
        if self._done:
            return None
        query = self._query.following(self._cursor, self._batch_size)
        # Not by the client, which remembers what it showed of each session.
        table = await require(self._client.storage, SupportsTable).table(query, self._context)
        self._cursor = table.next
        self._done = table.next is None
        self.rows += len(table)
        if not len(table):
            return None
        return await run_off_loop(
            len(table),
            lambda: sessions_frame(table, self._context, self._mask),
            self._client.storage,
        )

    def __repr__(self) -> str:
        state = "complete" if self._done else f"{self._batch_size:,} in each DataFrame"
        return f"<Scan: {self.rows:,} sessions read, {state}>"


class LargeReads(Client):
    """A client that reads all sessions of a store, in memory that does not grow."""

    def scan(
        self,
        *,
        context: Sequence[ContextPath] = (),
        batch_size: int = BATCH,
        after: Cursor | Mapping[str, Any] | None = None,
        reveal: bool = False,
        **filters: Any,
    ) -> Scan:
        """Return all sessions as an iterator of DataFrames, in the order of their ids.

        No DataFrame is larger than ``batch_size``, however many sessions there are. Each is a short
        read of its own: a session that is saved meanwhile is in it once, as it was when its
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
            batch_size: The number of sessions in a DataFrame, 1 to 100,000.
            after: ``scan.after`` of a scan that ended early, from which this one goes on.
            reveal: Whether values that look secret are in the context columns; see ``sessions``.
            filters: The filters of ``sessions``: ``graph``, ``task``, ``where``, …

        Returns:
            The iterator, for ``for`` and ``async for``; each DataFrame has the columns and
            ``attrs`` of ``sessions``.

        Raises:
            QueryError: An argument is invalid.
            CapabilityError: The storage has no method ``table`` (when the first is read).
            StorageError: The store failed (when one is read); iterating again goes on.
        """
        context = _paths(context)
        _check_size("batch_size", batch_size, MAX_BATCH)
        query = Query.from_filters(filters, order="id", after=after)
        return Scan(self, query, context, batch_size, NO_MASK if reveal else self.mask)

    @dual
    def to_parquet(
        self,
        /,
        folder: str | os.PathLike[str],
        *,
        context: Sequence[ContextPath] | Mapping[ContextPath, str] | None = None,
        redact: Callable[[Session], Session | None] | None = None,
        rows_per_file: int = 100_000,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
        **filters: Any,
    ) -> Coroutine[Any, Any, ParquetReport]:
        """Write all sessions to a folder of Parquet files, in the order of their ids.

        Called again after an interrupt or an error, it goes on behind the last complete file:
        ``_manifest.json`` in the folder says what was written. Each file is complete or not there,
        and only its owner can read it. Memory does not grow with the number of sessions. What is
        written is the real data, unless ``redact`` changes it.

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
            progress: A function that is called with the number of sessions done, and None. Default:
                a notebook shows a bar with a Stop button.
            stop: A function that is asked after each batch whether to end with it: the last file is
                complete then, if shorter, and the same call continues.
            filters: The filters of ``sessions``: ``graph``, ``task``, ``where``, …

        Returns:
            The report: the files, the number of rows, what a typed column could not hold, and odd
            sessions. The columns are ``id``, ``status_message`` (string), ``graph_id``,
            ``current_task_id`` (dictionary of strings), ``version``, ``context_bytes``,
            ``messages`` (int64), ``created_at``, ``updated_at``, ``expires_at`` (timestamp in µs,
            UTC; missing where unknown, or for never), then ``context`` or the context columns. All
            files have the same schema.

        Raises:
            QueryError: An argument is invalid, or is not that of the earlier call.
            CapabilityError: The storage has no method ``query`` (with ``context``: ``table``).
            StorageError: The package pyarrow is missing, the folder has other files or is another
                store's, a file can't be written, or the store failed.
        """
        _check_size("rows_per_file", rows_per_file, 10_000_000)
        check_callables(redact=redact, progress=progress, stop=stop)
        if not (context is None or isinstance(context, Mapping)):
            context = dict.fromkeys(_paths(context), "json")
        if context is not None and redact is not None:
            raise QueryError("redact= needs the whole context: leave context= out")
        export = ParquetExport(self, folder, context, redact, rows_per_file, filters)
        if progress is not None:
            return export.run(progress=progress, stop=stop)
        again = "the same call continues"
        return show_work(
            export.run, stop, step="writing …", unit="sessions", done="written", again=again
        )


def _paths(context: Sequence[ContextPath]) -> Sequence[ContextPath]:
    context = [context] if isinstance(context, str) else context
    if not isinstance(context, Sequence):
        raise QueryError(f"context= must be a list of context paths, not {context!r}")
    for path in context:
        parse_path(path)
    return [path if isinstance(path, str) else tuple(path) for path in context]


def _check_size(name: str, value: object, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise QueryError(f"{name} must be 1 to {most:,} sessions, not {value!r}")
