"""Many sessions into PostgreSQL in one transaction: COPY where all are new, else arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from ..session import Session
from .postgres_sql import Statements
from .query import time_of

__all__ = ["Entry", "import_entries", "save_entries"]

_COPY_FROM: Final = 500  # sessions; below, arrays are as quick
_CHUNK: Final = 5000  # sessions in one statement of arrays


@dataclass(slots=True)
class Entry:
    """A session on its way in.

    Attributes:
        key: its id as the table spells it.
        context: its context as JSON text.
        saved: version, created_at and updated_at after a save; None if it conflicts.
    """

    session: Session
    key: str
    context: str
    saved: tuple[int, datetime, datetime] | None = None

    @property
    def fields(self) -> tuple[Any, ...]:
        s = self.session
        return self.key, s.graph_id, s.current_task_id, s.status_message, self.context


async def save_entries(
    connection: Any, sql: Statements, entries: Sequence[Entry], timeout: float
) -> None:
    """Save new and read ones within the transaction that is open, and fill in ``saved``."""
    # In one order, so that two batches wait for each other and don't lock each other out.
    ordered = sorted(entries, key=lambda entry: entry.key)
    news = [entry for entry in ordered if entry.session.is_new]
    if len(news) < _COPY_FROM or not await _copy(connection, sql, news, timeout):
        for part in _chunks(news):
            columns = _columns(part)
            _fill(part, await connection.fetch(sql.insert_many, *columns, timeout=timeout))
    olds = [entry for entry in ordered if not entry.session.is_new]
    for part in _chunks(olds):
        columns = [*_columns(part), [entry.session.version for entry in part]]
        if sql.form.versioned:
            columns.append([_aware(entry.session._created) for entry in part])
        _fill(part, await connection.fetch(sql.update_many, *columns, timeout=timeout))


async def _copy(connection: Any, sql: Statements, news: Sequence[Entry], timeout: float) -> bool:
    """Copy new sessions straight into the table; False, with nothing done, if an id is taken."""
    columns = ["id", "graph_id", "current_task_id", "status_message", "context"]
    records: Any = (entry.fields for entry in news)
    if sql.form.versioned:
        columns.append("version")
        records = ((*entry.fields, 1) for entry in news)
    try:
        async with connection.transaction():
            await connection.copy_records_to_table(
                sql.form.parts[-1],
                schema_name=sql.form.parts[0] if len(sql.form.parts) > 1 else None,
                columns=columns,
                records=records,
                timeout=timeout,
            )
            # All rows of one COPY have the same version and the same times.
            saved = tuple((await connection.fetchrow(sql.get, news[0].key))[5:])
    except asyncpg.UniqueViolationError:
        return False
    for entry in news:
        entry.saved = saved
    return True


async def import_entries(
    connection: Any, sql: Statements, entries: Sequence[Entry], timeout: float
) -> set[str]:
    """Take sessions in as they are within the transaction that is open; the keys that were new."""
    new: set[str] = set()
    for part in _chunks(sorted(entries, key=lambda entry: entry.key)):
        columns = _columns(part)
        for name in ("_created", "_updated"):
            columns.append([_aware(getattr(entry.session, name)) for entry in part])
        if sql.form.versioned:
            columns.append([entry.session.version for entry in part])
        rows = await connection.fetch(sql.import_many, *columns, timeout=timeout)
        new.update(row[0] for row in rows)
    return new


def _chunks(entries: Sequence[Entry]) -> list[Sequence[Entry]]:
    return [entries[start : start + _CHUNK] for start in range(0, len(entries), _CHUNK)]


def _columns(entries: Sequence[Entry]) -> list[list[Any]]:
    return [list(column) for column in zip(*(entry.fields for entry in entries), strict=True)]


def _fill(entries: Sequence[Entry], rows: Sequence[Any]) -> None:
    saved = {row[0]: tuple(row[1:]) for row in rows}
    for entry in entries:
        entry.saved = saved.get(entry.key)


def _aware(time: Any) -> datetime | None:
    """A session's time as the database takes it."""
    if isinstance(time, int):
        time = time_of(time)
    return time if isinstance(time, datetime) else None
