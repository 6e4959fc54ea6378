"""PostgreSQL behind a pooler that gives each transaction another server connection.

PgBouncer does so in transaction mode. A statement prepared in one exchange may then be executed on
a connection that never heard of it, and what is set for a database session is set for strangers.
So every statement gets a transaction of its own, which asks two round trips more, and reads of a
read-only storage are made in READ ONLY transactions.
"""

from __future__ import annotations

from typing import Any, Final

import asyncpg

__all__ = ["MARK", "Transacted", "refuses_settings"]

#: A setting sent at the start. A pooler refuses it, or does not pass it on: so it is found out.
MARK: Final = "graphflow_nb.direct"


def refuses_settings(error: BaseException | None) -> bool:
    """Whether a connection failed because a pooler takes no settings at its start."""
    return isinstance(error, asyncpg.PostgresError) and "startup parameter" in str(error)


class Transacted:
    """A connection whose statements stand in a transaction each, unless one is open.

    Args:
        connection: of asyncpg.
        read_only: whether these transactions are READ ONLY.
    """

    def __init__(self, connection: Any, read_only: bool):
        self._connection = connection
        self._read_only = read_only

    def transaction(self) -> Any:
        return self._connection.transaction(readonly=self._read_only)

    async def _one(self, method: str, *arguments: Any, **options: Any) -> Any:
        call = getattr(self._connection, method)
        if self._connection.is_in_transaction():
            return await call(*arguments, **options)
        async with self.transaction():
            return await call(*arguments, **options)

    async def execute(self, *arguments: Any, **options: Any) -> Any:
        return await self._one("execute", *arguments, **options)

    async def fetch(self, *arguments: Any, **options: Any) -> Any:
        return await self._one("fetch", *arguments, **options)

    async def fetchrow(self, *arguments: Any, **options: Any) -> Any:
        return await self._one("fetchrow", *arguments, **options)

    async def fetchval(self, *arguments: Any, **options: Any) -> Any:
        return await self._one("fetchval", *arguments, **options)

    async def copy_records_to_table(self, *arguments: Any, **options: Any) -> Any:
        return await self._one("copy_records_to_table", *arguments, **options)
