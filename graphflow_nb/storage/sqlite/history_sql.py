"""Every SQL statement on the history of the sessions in a SQLite file. Times are µs since 1970 UTC.

A table of its own has the versions, and triggers of the table ``sessions`` write them: temporary
ones for the writes of one connection, lasting ones for those of every program.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from ..history import STEP_COLUMNS, TRIGGER, WRITTEN

__all__ = [
    "APPEND",
    "COMPACT",
    "CREATE",
    "DROP",
    "DROP_TEMPORARY_TRIGGERS",
    "DROP_TRIGGERS",
    "EXISTS",
    "IDS",
    "NUMBER_AT",
    "SIZE",
    "TEMPORARY_TRIGGERS",
    "TRIGGERED",
    "TRIGGER_NAMES",
    "read",
    "steps",
    "trigger_statements",
]

TABLE: Final = "sessions_history"

#: The statements that create the table.
CREATE: Final = (
    f"""CREATE TABLE IF NOT EXISTS {TABLE} (
    seq INTEGER PRIMARY KEY,
    id TEXT,
    number INTEGER NOT NULL,
    version INTEGER,
    at INTEGER NOT NULL,
    graph_id TEXT,
    current_task_id TEXT,
    status_message TEXT,
    created_at INTEGER,
    deleted INTEGER NOT NULL,
    context TEXT,
    patch TEXT,
    bytes INTEGER,
    source TEXT NOT NULL,
    writer TEXT
)""",
    f"CREATE UNIQUE INDEX IF NOT EXISTS {TABLE}_by_number ON {TABLE} (id, number)",
)
EXISTS: Final = f"SELECT count(*) FROM main.sqlite_master WHERE type = 'table' AND name = '{TABLE}'"

#: The lasting triggers, by which a file keeps the history of what every program writes.
TRIGGER_NAMES: Final = tuple(f"{TABLE}_{event}" for event in ("insert", "update", "delete"))
_LASTING: Final = ", ".join(f"'{name}'" for name in TRIGGER_NAMES)
DROP: Final = (
    *(f"DROP TRIGGER IF EXISTS {name}" for name in TRIGGER_NAMES),
    f"DROP TABLE IF EXISTS {TABLE}",
)

_COLUMNS: Final = (
    "id, number, version, at, graph_id, current_task_id, status_message, created_at, deleted, "
    "context, patch, bytes, source, writer"
)
_NEXT: Final = f"coalesce((SELECT max(number) FROM {TABLE} WHERE id IS {{}}), 0) + 1"
APPEND: Final = (
    f"INSERT INTO {TABLE} ({_COLUMNS}) "
    f"VALUES (?1, {_NEXT.format('?1')}, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
)
#: The clock of SQLite itself, which has milliseconds.
_NOW: Final = "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000"


def trigger_statements(
    *, temporary: bool, versions: int | None = None, age: timedelta | None = None
) -> tuple[str, ...]:
    """Return the statements that create the triggers which write the versions.

    Args:
        temporary: Whether the triggers are those of one connection, which has the functions
            ``history_now()`` and ``history_writer()``. They do nothing while there are lasting
            ones, which would note the same.
        versions: The most versions of a session, of which the triggers remove older ones; None for
            any number.
        age: How long a version is kept after the next one replaced it; None for ever.
    """
    source, now, writer = TRIGGER, _NOW, "NULL"
    when = kind = ""
    if temporary:
        source, now, writer = WRITTEN, "history_now()", "history_writer()"
        kind = "TEMP "
        when = (
            "WHEN NOT EXISTS (SELECT 1 FROM main.sqlite_master WHERE type = 'trigger' "
            f"AND name IN ({_LASTING})) "
        )
    made = []
    for name in TRIGGER_NAMES:
        event = name.rpartition("_")[2].upper()
        row = "OLD" if event == "DELETE" else "NEW"
        copied = ("graph_id", "current_task_id", "status_message", "created_at")
        columns = ", ".join(f"{row}.{column}" for column in copied)
        made.append(
            f"CREATE {kind}TRIGGER IF NOT EXISTS {name} AFTER {event} ON sessions {when}BEGIN "
            f"INSERT INTO {TABLE} ({_COLUMNS}) VALUES ({row}.id, {_NEXT.format(f'{row}.id')}, "
            f"{row}.version, {now}, {columns}, {int(event == 'DELETE')}, {row}.context, NULL, "
            f"NULL, '{source}', {writer}); {_prune(f'{row}.id', versions, age)}END"
        )
    return tuple(made)


def _prune(id: str, versions: int | None, age: timedelta | None) -> str:
    delete = f"DELETE FROM {TABLE} WHERE id IS {id} AND number <="
    statements = ""
    if versions is not None:
        newest = f"(SELECT max(number) FROM {TABLE} WHERE id IS {id})"
        statements += f"{delete} {newest} - {versions}; "
    if age is not None:
        # What is older than the newest version from before that time; that is looked for only if
        # the oldest is from before it.
        micros = age // timedelta(microseconds=1)
        since = f"{_NOW} - {micros}"
        oldest = f"(SELECT at FROM {TABLE} WHERE id IS {id} ORDER BY number LIMIT 1)"
        before = f"(SELECT max(number) FROM {TABLE} WHERE id IS {id} AND at < {since})"
        statements += f"{delete} CASE WHEN {oldest} < {since} THEN {before} - 1 END; "
    return statements


DROP_TRIGGERS: Final = tuple(f"DROP TRIGGER IF EXISTS main.{name}" for name in TRIGGER_NAMES)
TRIGGERED: Final = (
    f"SELECT count(*) FROM main.sqlite_master WHERE type = 'trigger' AND name IN ({_LASTING})"
)
TEMPORARY_TRIGGERS: Final = trigger_statements(temporary=True)
DROP_TEMPORARY_TRIGGERS: Final = tuple(
    f"DROP TRIGGER IF EXISTS temp.{name}" for name in TRIGGER_NAMES
)

_BYTES: Final = "coalesce(bytes, length(CAST(context AS BLOB)))"


def read(*, content: bool) -> str:
    """Return the statement that reads versions of one session, the newest first.

    Its parameters are the id, the highest and the lowest number, and the most versions (-1: all).
    """
    # As bytes: a text may be other than UTF-8.
    text = "CAST(context AS BLOB), patch" if content else "NULL, NULL"
    return (
        "SELECT id, number, version, at, graph_id, current_task_id, status_message, created_at, "
        f"deleted, {text}, {_BYTES}, source, writer FROM {TABLE} "
        "WHERE id = ? AND number <= ? AND number >= ? ORDER BY number DESC LIMIT ?"
    )


NUMBER_AT: Final = (
    f"SELECT number FROM {TABLE} WHERE id = ? AND at <= ? ORDER BY number DESC LIMIT 1"
)


def steps(*, some: bool) -> str:
    """Return the statement for ``steps``.

    Its parameters are the ids as a JSON array if ``some``, the first time, the time after the last,
    and the most versions.
    """
    which = "id IN (SELECT value FROM json_each(?)) AND " if some else ""
    return (
        f"SELECT {', '.join(STEP_COLUMNS)} FROM {TABLE} WHERE {which}at >= ? AND at < ? "
        "ORDER BY id, number LIMIT ?"
    )


#: The next ids after one of them, each found by one look into the index.
IDS: Final = f"""
WITH RECURSIVE next (id) AS (
    SELECT min(id) FROM {TABLE} WHERE id > ?1
    UNION ALL SELECT (SELECT min(h.id) FROM {TABLE} AS h WHERE h.id > next.id) FROM next
    WHERE next.id IS NOT NULL
)
SELECT id FROM next WHERE id IS NOT NULL LIMIT ?2
"""
FIRST_ID: Final = f"SELECT min(id) FROM {TABLE}"
#: How many versions have a context, of the sessions whose ids are a JSON array.
COUNT_WHOLE: Final = (
    f"SELECT id, count(*) FROM {TABLE} WHERE id IN (SELECT value FROM json_each(?)) "
    "AND context IS NOT NULL GROUP BY id"
)
COMPACT: Final = (
    f"UPDATE {TABLE} SET context = NULL, patch = ?, bytes = ? "
    "WHERE id = ? AND number = ? AND context IS NOT NULL"
)

#: The first and the last number of a session.
RANGE: Final = f"SELECT min(number), max(number) FROM {TABLE} WHERE id = ?"
#: The first number that was written from a time on.
RECENT: Final = f"SELECT min(number) FROM {TABLE} WHERE id = ? AND at >= ?"
IS_DELETED: Final = f"SELECT deleted FROM {TABLE} WHERE id = ? AND number = ?"
COUNT_TO: Final = (
    "SELECT count(*), coalesce(sum(length(CAST(coalesce(context, patch) AS BLOB))), 0) "
    f"FROM {TABLE} WHERE id = ? AND number <= ?"
)
DELETE_TO: Final = f"DELETE FROM {TABLE} WHERE id = ? AND number <= ?"

#: An upper bound of the versions, and the oldest time; both by one look into the table.
SIZE: Final = (
    "SELECT coalesce(max(seq) - min(seq) + 1, 0), "
    f"(SELECT at FROM {TABLE} ORDER BY seq LIMIT 1) FROM {TABLE}"
)
COUNT: Final = f"SELECT count(*), count(DISTINCT id) FROM {TABLE}"
#: The mean length of the newest versions with their other columns.
MEAN: Final = (
    "SELECT coalesce(avg(length(CAST(coalesce(context, patch) AS BLOB)) + 150), 0) "
    f"FROM (SELECT context, patch FROM {TABLE} ORDER BY seq DESC LIMIT 2000)"
)
