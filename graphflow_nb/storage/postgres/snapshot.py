"""One transaction, on a connection of its own, that sees the table as it was when it began.

It is not one of the connections that the storage holds: however long a program works on what it has
read, a get waits for none of that. A server keeps all row versions for it that were replaced or
deleted since, and no ALTER TABLE can begin, so it is bounded twice: by the program
(``client/snapshots.py``), and by the server, should the program no longer answer.

Work runs in savepoints, since an error would end the transaction for all further work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import copy
from typing import Final, NoReturn, TypeVar

import asyncpg
from asyncpg.transaction import Transaction

from ...errors import BridgeError, GraphflowError, StorageError
from ..limits import SNAPSHOT_PAUSE
from ..trace import current
from ..url import raise_without_secrets
from .citus import ONE_CONNECTION
from .connections import Connection
from .errors import LOST, describe_error, raise_translated
from .limits import IDLE, MARGIN, MOST_SNAPSHOTS
from .link import Link
from .table import OpenTable

__all__ = ["open_snapshot"]

T = TypeVar("T")
#: Seconds for the server to end the transaction before the connection is cut.
_END_SECONDS: Final = 2.0
#: A stricter limit of the role, of the database or in the URL stays; $1 is ours.
_LIMIT_PAUSE: Final = (
    "SELECT ms, pg_catalog.set_config(name, ms::text, true) FROM (SELECT name, "
    "LEAST($1::integer, NULLIF(reset_val::integer, 0)) AS ms "
    f"FROM pg_catalog.pg_settings WHERE name = '{IDLE}') AS found"
)


async def open_snapshot(table: OpenTable) -> OpenTable:
    """Return a table as it is now; closing it ends the transaction that sees it so.

    Args:
        table: The open table.

    Raises:
        StorageError: The table is closed, there are too many already, or no connection can be made.
    """
    _check_open(table)
    if len(table.snapshots) >= MOST_SNAPSHOTS:
        raise StorageError(
            f"{table.url}: {MOST_SNAPSHOTS} snapshots are open, each with a connection of its own: "
            "close a scan (scan.close()) or wait for its end; nothing was read",
            nothing_written=True,
        )
    snapshot = _Snapshot(table)
    table.snapshots.add(snapshot)
    try:
        await snapshot.begin(table.form.table)
        _check_open(table)  # again: nobody would close what was begun meanwhile
    except BaseException as error:
        await snapshot.close()
        if isinstance(error, GraphflowError) or not isinstance(error, Exception):
            raise
        _check_open(table)
        raise_translated(error, table.url, sent=False, writes=False)
    pinned = copy(table)
    pinned.pin_to(snapshot)
    return pinned


def _check_open(table: OpenTable) -> None:
    if table.is_closed:
        raise StorageError("the storage is closed: connect again", nothing_written=True)


class _Snapshot:
    """A transaction in the place of a storage's connections.

    Args:
        table: The table of the storage.

    Attributes:
        loop: The event loop that the connection belongs to.
        size: The number of connections.
    """

    size = 1

    def __init__(self, table: OpenTable):
        self.loop = asyncio.get_running_loop()
        self._table = table
        self._link: Link | None = None
        self._transaction: Transaction | None = None
        self._turn = asyncio.Lock()
        self._pause = SNAPSHOT_PAUSE + MARGIN
        self._since = self.loop.time()  # when it was used last

    async def begin(self, name: str) -> None:
        """Connect, and begin the transaction.

        Args:
            name: The quoted name of the table.
        """
        link = self._link = await self._table.open_connection()
        self._transaction = await link.begin_snapshot()
        # Servers that only speak PostgreSQL's protocol may lack the catalog.
        with suppress(asyncpg.SyntaxOrAccessError, asyncpg.FeatureNotSupportedError):
            async with link.transaction():
                if IDLE not in link.given:
                    found = await link.fetchval(_LIMIT_PAUSE, round(1000 * self._pause))
                    self._pause = found / 1000 if found else self._pause
                await link.execute(ONE_CONNECTION)
        # Each server of a distributed table has a snapshot of its own, from its first row on.
        await link.execute(f"SELECT FROM {name} LIMIT 1")

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of ``work(connection)``, which reads what the transaction sees.

        Args:
            work: A coroutine function that takes the connection.

        Raises:
            BridgeError: The call comes from another event loop.
            StorageError: The transaction has ended.
        """
        if asyncio.get_running_loop() is not self.loop:
            raise BridgeError("this snapshot belongs to the event loop on which it was taken")
        async with self._turn:
            link, paused = self._link, self.loop.time() - self._since
            if link is None:
                raise StorageError("the snapshot is closed: take another", nothing_written=True)
            current().lap("wait")
            try:
                return await work(link)
            except asyncio.CancelledError:
                await self.close()
                raise
            except (*LOST, asyncpg.InterfaceError, asyncpg.SerializationError) as error:
                await self.close()
                _raise_ended(error, self._table, paused, self._pause)
            finally:
                self._since = self.loop.time()

    run_query = run

    async def renew(self) -> None:
        """Do nothing: on another connection there is another transaction."""

    async def close(self) -> None:
        """End the transaction and the connection; closing twice is not an error."""
        link, self._link = self._link, None
        self._table.snapshots.discard(self)
        if link is None or link.is_closed():
            return
        try:
            async with asyncio.timeout(_END_SECONDS):
                # A pooler keeps its own connection where the transaction was ended before ours is.
                if self._transaction is not None and not self._turn.locked():
                    await self._transaction.rollback()
                await link.end_cancelled(link.close())
        except (Exception, asyncio.CancelledError):
            link.terminate()
            _raise_if_cancelled()


def _raise_if_cancelled() -> None:
    """Raise CancelledError if the running task is being cancelled."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _raise_ended(error: Exception, table: OpenTable, paused: float, most: float) -> NoReturn:
    """Raise the error for a transaction that the server has ended.

    Args:
        error: The driver's exception, which is being handled.
        table: The table of the storage.
        paused: The seconds without a read before.
        most: The seconds without a read after which the server ends the transaction.
    """
    url = table.url
    if paused >= most:
        why = f"nothing was read for {paused:.1f} s, and the server waits for {most:g} s at most"
    elif isinstance(error, asyncpg.SerializationError) or table.standby:
        why = (
            "a replica ends it when rows that it needs are to be removed (after "
            "max_standby_streaming_delay); the primary does not"
        )
    else:
        why = "the connection to the server was lost, or was ended there"
    ended = StorageError(
        f"{url}: the snapshot has ended ({describe_error(error, url)}): {why}. "
        "Nothing was read now. Begin again, or go on behind what was read without snapshot=True",
        nothing_written=True,
    )
    raise_without_secrets(ended, error, url)
