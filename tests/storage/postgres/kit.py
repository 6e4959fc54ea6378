"""What the tests of PostgreSQL share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from graphflow_nb import PostgresSessionStorage, StorageError

connect = PostgresSessionStorage.connect
UUID = "00000000-0000-4000-8000-000000000001"
SECONDS = 30.0


async def fetch(url: str, statement: str, *arguments: object) -> list[asyncpg.Record]:
    """Return the rows of one statement."""
    connection = await asyncpg.connect(url, statement_cache_size=0)
    try:
        return await connection.fetch(statement, *arguments)
    finally:
        await connection.close()


async def fetch_value(url: str, statement: str) -> Any:
    """Return the first value of the first row of a statement."""
    return (await fetch(url, statement))[0][0]


async def execute(url: str, statements: str) -> None:
    """Run several statements."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def read_columns(url: str, table: str = "sessions") -> dict[str, str]:
    """Return the types of a table's columns by name."""
    rows = await fetch(
        url,
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = "
        "$1::text::regclass AND attnum > 0 AND NOT attisdropped",
        table,
    )
    return dict(map(tuple, rows))


async def until(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Return what ``ask`` returns, once it is true and no StorageError is raised."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                if found := await ask():
                    return found
            except (StorageError, asyncpg.UndefinedTableError):  # not replicated or back yet
                pass
            await asyncio.sleep(0.05)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until a condition holds that another thread or process brings about."""
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
