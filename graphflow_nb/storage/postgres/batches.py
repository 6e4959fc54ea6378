"""Many sessions into PostgreSQL in one transaction: COPY where all are new, else arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from ...model import Session
from ...model.times import time_of
from .sql import Statements, name_parts

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


Prepare = Callable[[Session], Entry]


async def save_entries(
    connection: Any,
    sql: Statements,
    sessions: Sequence[Session],
    prepare: Prepare,
    timeout: float,
) -> list[Entry]:
    """Save new and read ones within the transaction that is open.

    Args:
        sessions: of different ids.
        prepare: checks a session, and raises what must undo the batch.
        timeout: seconds that one statement may take.

    Returns:
        One for each session, with ``saved`` filled in.
    """
    # In one order, so that two batches wait for each other and don't lock each other out.
    ordered = sorted(sessions, key=lambda session: session.id)
    news = [session for session in ordered if session.is_new]
    olds = [prepare(session) for session in ordered if not session.is_new]
    if len(news) < _COPY_FROM:
        done, copied = [prepare(session) for session in news], False
    else:
        done, copied = await _copy(connection, sql, news, prepare, timeout)
    if not copied:
        for part in _chunks(done):
            columns = _columns(part)
            _fill(part, await connection.fetch(sql.insert_many, *columns, timeout=timeout))
    for part in _chunks(olds):
        columns = [*_columns(part), [str(entry.session.version) for entry in part]]
        if sql.form.versioned:
            columns.append([_text_of(entry.session.raw_created) for entry in part])
        _fill(part, await connection.fetch(sql.update_many, *columns, timeout=timeout))
    return [*done, *olds]


async def _copy(
    connection: Any, sql: Statements, news: Sequence[Session], prepare: Prepare, timeout: float
) -> tuple[list[Entry], bool]:
    """Copy new sessions straight into the table; undone, and said so, if an id is taken.

    They are checked on the way, while the server takes in those before.
    """
    entries: list[Entry] = []
    more = (1,) if sql.form.versioned else ()

    def records() -> Iterator[tuple[Any, ...]]:
        for session in news:
            entry = prepare(session)
            entries.append(entry)
            yield entry.fields + more

    columns = ["id", "graph_id", "current_task_id", "status_message", "context"]
    if sql.form.versioned:
        columns.append("version")
    parts = name_parts(sql.form.table)
    assert parts is not None
    try:
        async with connection.transaction():
            await connection.copy_records_to_table(
                parts[-1],
                schema_name=parts[0] if len(parts) > 1 else None,
                columns=columns,
                records=records(),
                timeout=timeout,
            )
            # All rows of one COPY have the same version and the same times.
            saved = tuple((await connection.fetchrow(sql.get, entries[0].key))[5:])
    except (
        asyncpg.UniqueViolationError,
        asyncpg.WrongObjectTypeError,  # a view, which takes rows by INSERT alone
        asyncpg.FeatureNotSupportedError,
    ):
        return [prepare(session) for session in news], False
    for entry in entries:
        entry.saved = saved
    return entries, True


async def import_entries(
    connection: Any,
    sql: Statements,
    sessions: Sequence[Session],
    prepare: Prepare,
    timeout: float,
) -> list[str]:
    """Take sessions in as they are within the transaction that is open; the ids that were taken."""
    entries = [prepare(session) for session in sorted(sessions, key=lambda s: s.id)]
    new: set[str] = set()
    for part in _chunks(entries):
        columns = _columns(part)
        columns.append([_text_of(entry.session.raw_created) for entry in part])
        columns.append([_text_of(entry.session.raw_updated) for entry in part])
        if sql.form.versioned:
            columns.append([str(entry.session.version) for entry in part])
        rows = await connection.fetch(sql.import_many, *columns, timeout=timeout)
        new.update(row[0] for row in rows)
    return [entry.session.id for entry in entries if entry.key not in new]


def _chunks(entries: Sequence[Entry]) -> list[Sequence[Entry]]:
    return [entries[start : start + _CHUNK] for start in range(0, len(entries), _CHUNK)]


def _columns(entries: Sequence[Entry]) -> list[list[Any]]:
    return [list(column) for column in zip(*(entry.fields for entry in entries), strict=True)]


def _fill(entries: Sequence[Entry], rows: Sequence[Any]) -> None:
    saved = {row[0]: tuple(row[1:]) for row in rows}
    for entry in entries:
        entry.saved = saved.get(entry.key)


def _text_of(time: Any) -> str | None:
    """A session's time as SQL writes it."""
    if isinstance(time, int):
        time = time_of(time)
    if time is None or time.tzinfo is not None:
        return None if time is None else time.isoformat()
    return "infinity" if time == datetime.max else "-infinity"
