"""The saves of graph-flow's own releases, statement for statement, for lessons and comparisons.

``PostgresSessionStorage`` never sends these. They show what a worker of such a release does to a
row that another one changed or deleted meanwhile.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Self

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from ...errors import StorageError
from ...model import Session
from ..url import StoreUrl
from .errors import check_jsonb, raise_translated
from .sql import create_statement, parse_name

__all__ = ["CrateSaves", "Release"]

#: A release of graph-flow, or the storage that its documentation describes.
Release = Literal["documented", "0.5.1", "0.6.0"]

_COLUMNS: Final = (
    "graph_id TEXT NOT NULL, current_task_id TEXT NOT NULL, status_message TEXT, "
    "context JSONB NOT NULL, created_at TIMESTAMPTZ DEFAULT NOW(), "
    "updated_at TIMESTAMPTZ DEFAULT NOW()"
)
_CREATE: Final[dict[Release, str]] = {
    "documented": f"CREATE TABLE IF NOT EXISTS {{table}} (id TEXT PRIMARY KEY, {_COLUMNS})",
    "0.5.1": f"CREATE TABLE IF NOT EXISTS {{table}} (id UUID PRIMARY KEY, {_COLUMNS})",
}
_CHANGE: Final = (
    "SET graph_id = EXCLUDED.graph_id, current_task_id = EXCLUDED.current_task_id, "
    "status_message = EXCLUDED.status_message, context = EXCLUDED.context, "
)
_INSERT: Final = "INSERT INTO {table} (id, graph_id, current_task_id, status_message, context, "
_SAVE: Final[dict[Release, str]] = {
    "documented": (
        f"{_INSERT}updated_at) VALUES ($1, $2, $3, $4, $5, NOW()) ON CONFLICT (id) DO UPDATE "
        f"{_CHANGE}updated_at = NOW()"
    ),
    # storage_postgres.rs, 0.5.1. NOW() is the time at which the transaction began.
    "0.5.1": (
        f"{_INSERT}updated_at) VALUES ($1::uuid, $2, $3, $4, $5, NOW()) "
        f"ON CONFLICT (id) DO UPDATE {_CHANGE}updated_at = NOW() "
        "WHERE {table}.updated_at <= EXCLUDED.updated_at"
    ),
    # storage_postgres.rs, 0.6.0 and 0.8.1. sqlx says that $6 is a BIGINT, here the cast does.
    "0.6.0": (
        f"{_INSERT}version, updated_at) VALUES ($1, $2, $3, $4, $5, $6::bigint + 1, NOW()) "
        f"ON CONFLICT (id) DO UPDATE {_CHANGE}version = {{table}}.version + 1, "
        "updated_at = NOW() WHERE {table}.version = $6"
    ),
}


class CrateSaves:
    """One connection that saves sessions as a release of graph-flow does.

    Example:
        >>> from graphflow_nb import Session, local_postgres
        >>> from graphflow_nb.storage.postgres.crate import CrateSaves
        >>> with local_postgres() as server:
        ...     worker = await CrateSaves.connect(server.url, "0.6.0")
        ...     print(await worker.save(Session("claim-1", "intake")))
        ...     await worker.close()
        1

    Attributes:
        release: The release.
        statement: The statement that saves a session.
    """

    def __init__(self, connection: Any, url: StoreUrl, release: Release, table: str):
        self.release = release
        self.statement = _SAVE[release].format(table=table)
        self._connection = connection
        self._url = url
        self._began = False
        self._closed = False

    @classmethod
    async def connect(cls, url: str, release: Release, *, table: str = "sessions") -> Self:
        """Connect to a server of this package's own, and create the table as the release does.

        Args:
            url: The URL of a private server.
            release: The release.
            table: The name of the table, with or without a schema.

        Raises:
            StorageError: The release or the name is invalid, or the server is out of reach.
        """
        if release not in _SAVE:
            raise StorageError(
                f"release= must be one of {', '.join(map(repr, _SAVE))}, not {release!r}; nothing "
                "was changed",
                nothing_written=True,
            )
        parts = parse_name(table)
        if parts is None:
            raise StorageError(
                f"{table!r} is not the name of a table; nothing was changed", nothing_written=True
            )
        quoted = ".".join('"' + part.replace('"', '""') + '"' for part in parts)
        store = StoreUrl(url)
        self = cls(await _connect(store), store, release, quoted)
        create = _CREATE.get(release)
        try:
            await self._run(
                create_statement(quoted) if create is None else create.format(table=quoted)
            )
        except BaseException:
            await self.close()
            raise
        return self

    async def _run(self, statement: str, *values: Any) -> str:
        try:
            status: str = await self._connection.execute(statement, *values, timeout=30)
        except Exception as error:
            raise_translated(error, self._url)
        return status

    async def _reconnect_if_lost(self) -> None:
        if not self._connection.is_closed():
            return
        if self._closed:
            raise StorageError("the connection is closed: connect again", nothing_written=True)
        began, self._began = self._began, False
        self._connection = await _connect(self._url)
        if began:
            raise StorageError(
                f"{self._url}: the connection was lost, and with it the transaction that had "
                "begun; nothing was written. It is connected again: begin again",
                nothing_written=True,
            )

    async def begin(self) -> None:
        """Begin the transaction of the next save; the ``NOW()`` of the save is this moment.

        Raises:
            StorageError: A transaction is open already, or the server failed.
        """
        if self._began:
            raise StorageError(
                "this transaction has begun already: save first", nothing_written=True
            )
        await self._reconnect_if_lost()
        await self._run("BEGIN")
        self._began = True

    async def rollback(self) -> None:
        """Give up the transaction that ``begin`` began, if there is one."""
        began, self._began = self._began, False
        if began and not self._connection.is_closed():
            await self._run("ROLLBACK")

    async def save(self, session: Session) -> int:
        """Save a session and end its transaction, which begins here where ``begin`` was not called.

        Returns:
            The number of rows that were written, 1 or 0. For 0 the release 0.5.1 returns ``Ok``,
            the release 0.6.0 ``SessionConflict``.

        Raises:
            StorageError: The server refused the statement, and the transaction was rolled back.
        """
        text = session.context_json()
        context = text if isinstance(text, str) else text.decode()
        check_jsonb(context)
        values: list[Any] = [
            session.id,
            session.graph_id,
            session.current_task_id,
            session.status_message,
            context,
        ]
        if self.release == "0.6.0":
            values.append(session.version)
        await self._reconnect_if_lost()
        opened, self._began = self._began, False
        try:
            if not opened:
                await self._run("BEGIN")
            status = await self._run(self.statement, *values)
            await self._run("COMMIT")
        except BaseException:
            if not self._connection.is_closed():
                await self._connection.execute("ROLLBACK")
            raise
        return int(status.rsplit(" ", 1)[1])

    async def close(self) -> None:
        """Close the connection, which rolls an open transaction back; twice is not an error."""
        self._closed = True
        if not self._connection.is_closed():
            await self._connection.close(timeout=5)


async def _connect(url: StoreUrl) -> Any:
    try:
        # What the environment may say about TLS and replicas is not about a private server.
        return await asyncpg.connect(
            url.reveal(), ssl=False, target_session_attrs=SessionAttribute.any, timeout=30
        )
    except Exception as error:
        raise_translated(error, url, sent=False)
