"""The SQL on sessions in PostgreSQL, for each form of graph-flow's ``sessions`` table.

Values are always parameters; identifiers come quoted from the server (``quote_ident``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..odd import bytes_of_name
from .history_sql import HistoryForm, copied_columns, note_copied, return_noted
from .selects import AS_BYTES, UNCHECKED, Selects, Statement

__all__ = [
    "HAS_RULES",
    "HIDDEN_SCHEMAS",
    "MISSING_RIGHTS",
    "SEPARATOR",
    "SYSTEMS",
    "TRANSACTION",
    "Statements",
    "TableForm",
    "create_statement",
    "parse_name",
]

#: Separates the texts of a column that comes as one string. A text that has it inside is noticed
#: by the count, and then the slower statement is used.
SEPARATOR: Final = "\x1f"

#: What identifies a server, the best first. A user may lack the right to the first, a server that
#: only speaks PostgreSQL's protocol the functions.
SYSTEMS: Final = (
    "(SELECT system_identifier::text FROM pg_control_system())",
    "host(inet_server_addr()) || ':' || inet_server_port()",
    "NULL",
)

_INSPECT: Final = """
WITH given AS (
    SELECT array_to_string(ARRAY(SELECT quote_ident(p) FROM unnest($1::text[]) AS p), '.') AS name
),
named AS (
    SELECT coalesce((
        SELECT quote_ident(s) || '.' || name FROM unnest($2::text[]) WITH ORDINALITY AS k (s, i)
        WHERE to_regclass(quote_ident(s) || '.' || name) IS NOT NULL ORDER BY i LIMIT 1
    ), name) AS quoted, name FROM given
),
target AS (SELECT quoted, name, to_regclass(quoted) AS oid FROM named)
SELECT quoted, name, oid IS NOT NULL AS present,
    (SELECT jsonb_object_agg(attname, format_type(atttypid, NULL)) FROM pg_attribute
        WHERE attrelid = target.oid AND attnum > 0 AND NOT attisdropped)::text AS columns,
    EXISTS (SELECT 1 FROM pg_index AS i
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = target.oid AND i.indisunique AND i.indnkeyatts = 1
        AND i.indisvalid AND i.indpred IS NULL AND a.attname = 'id') AS unique_id,
    EXISTS (SELECT 1 FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'id' AND NOT a.attnotnull
        WHERE c.oid = target.oid AND c.relkind IN ('r', 'p')) AS nullable,
    EXISTS (SELECT 1 FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'xmin'
        WHERE c.oid = target.oid AND c.relkind = 'r'
        AND has_column_privilege(c.oid, a.attnum, 'SELECT')) AS xmin,
    EXISTS (SELECT 1 FROM pg_class AS c
        WHERE c.oid = target.oid AND c.relkind IN ('m', 'f')) AS keyless,
    has_any_column_privilege(oid, 'INSERT') AS inserts,
    ARRAY(SELECT attname::text FROM pg_attribute
        WHERE attrelid = target.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        AND attname::text <> ALL ($3::text[]) ORDER BY attnum) AS others,
    ARRAY(SELECT DISTINCT conrelid::regclass::text FROM pg_constraint
        WHERE confrelid = target.oid AND contype = 'f' AND confdeltype IN ('c', 'n', 'd')
        ORDER BY 1) AS tied,
    concat_ws('|', current_database(), coalesce(($2::text[])[1], current_schema())) AS namespace,
    (SELECT d.oid::text FROM pg_database AS d WHERE d.datname = current_database()) AS database,
    oid::oid::text AS relation, {system} AS system
FROM target
"""


#: Whether rows have no id; of a table, by its unique index.
HAS_NULL: Final = "SELECT EXISTS (SELECT 1 FROM {} WHERE id IS NULL)"


def inspect_statement(system: str) -> str:
    """Return the statement that reads the form of a table from the catalog.

    Its parameters are the array of the parts of the table's name, the array of the schemas in
    which a single part is looked for, empty for the session's own, and the array of the columns
    that graph-flow's tables have.

    Args:
        system: What identifies the server, one of ``SYSTEMS``.
    """
    return _INSPECT.format(system=system)


#: The rights on a table that the user lacks; $1 is its quoted name.
MISSING_RIGHTS: Final = """
SELECT pg_catalog.string_agg(r, ', ')
FROM pg_catalog.unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS r
WHERE NOT pg_catalog.has_table_privilege($1::pg_catalog.text, r)
"""

#: The schemas that the user may not use and that are named or have a table of this name. $1 is the
#: schema, NULL for any; $2 is the table.
HIDDEN_SCHEMAS: Final = """
SELECT pg_catalog.string_agg(pg_catalog.quote_ident(n.nspname), ', ')
FROM pg_catalog.pg_namespace AS n
WHERE NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
    AND CASE WHEN $1::pg_catalog.text IS NULL THEN EXISTS (SELECT FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace OPERATOR(pg_catalog.=) n.oid
        AND c.relname::pg_catalog.text OPERATOR(pg_catalog.=) $2::pg_catalog.text)
        ELSE n.nspname::pg_catalog.text OPERATOR(pg_catalog.=) $1::pg_catalog.text END
"""

#: Whether rules replace writes to a table; $1 is its quoted name. That they do is an error of the
#: server's only in statements that return what they wrote.
HAS_RULES: Final = """
SELECT EXISTS (SELECT FROM pg_rewrite WHERE ev_class = $1::text::regclass AND is_instead
    AND rulename <> '_RETURN')
"""

#: Whether triggers may change or skip rows of a table, or of its partitions, when they are written.
#: $1 is its quoted name.
HAS_TRIGGERS: Final = """
WITH RECURSIVE tree (oid) AS (
    SELECT $1::text::regclass::oid
    UNION ALL SELECT i.inhrelid FROM tree JOIN pg_inherits AS i ON i.inhparent = tree.oid
)
SELECT EXISTS (SELECT FROM pg_trigger AS t JOIN tree ON t.tgrelid = tree.oid
    WHERE NOT t.tgisinternal AND t.tgtype & 3 = 3)
"""

#: The ``xmin`` of what the open transaction writes.
TRANSACTION: Final = "SELECT txid_current() & 4294967295"

_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^\W\d][\w$]*))\s*(\.|$)')


def parse_name(name: str) -> list[str] | None:
    """Return the parts of a table's name, read as SQL reads it; None if it is not a name.

    The server's ``parse_ident`` is not used, because servers that only speak PostgreSQL's protocol
    may lack it.
    """
    parts, dot, at = [], ".", 0
    while dot:
        if (match := _PART.match(name, at)) is None:
            return None
        quoted, plain, dot = match.groups()
        parts.append(plain.lower() if quoted is None else quoted.replace('""', '"'))
        at = match.end()
    return parts


#: The types that each column but ``id`` and ``version`` may have.
COLUMNS: Final = {
    "graph_id": {"text", "character varying"},
    "current_task_id": {"text", "character varying"},
    "status_message": {"text", "character varying"},
    "context": {"jsonb"},
    "created_at": {"timestamp with time zone"},
    "updated_at": {"timestamp with time zone"},
}


def create_statement(table: str) -> str:
    """Return the statement with which graph-flow 0.6 creates a table (``storage_postgres.rs``)."""
    return (
        f"CREATE TABLE IF NOT EXISTS {table} (id TEXT PRIMARY KEY, graph_id TEXT NOT NULL, "
        "current_task_id TEXT NOT NULL, status_message TEXT, context JSONB NOT NULL, "
        "version BIGINT NOT NULL DEFAULT 0, created_at TIMESTAMPTZ DEFAULT NOW(), "
        "updated_at TIMESTAMPTZ DEFAULT NOW())"
    )


@dataclass(frozen=True, slots=True)
class TableForm:
    """The form of a ``sessions`` table.

    Attributes:
        table: The quoted name of the table.
        uuid: Whether ``id`` is a UUID (graph-flow before 0.6) and not text.
        versioned: Whether the table has ``version`` (graph-flow 0.6).
        xmin: Whether a row's ``xmin`` can be relied on. It can't in partitioned tables, in views,
            and on servers that only speak PostgreSQL's protocol.
    """

    table: str
    uuid: bool
    versioned: bool
    xmin: bool = True

    def migration_statements(self) -> list[str]:
        """Return what graph-flow 0.6 runs on an older table when it connects."""
        steps = []
        if self.uuid:
            steps.append(f"ALTER TABLE {self.table} ALTER COLUMN id TYPE TEXT")
        if not self.versioned:
            steps.append(f"ALTER TABLE {self.table} ADD COLUMN version BIGINT NOT NULL DEFAULT 0")
        return steps

    def __str__(self) -> str:
        id = "UUID" if self.uuid else "TEXT"
        version = "with" if self.versioned else "without"
        instead = "" if self.versioned or self.xmin else ": updated_at replaces it"
        return f"{self.table} (id {id}, {version} version{instead})"


# A time as µs since 1970; 0 for none and for earlier ones. Not every server has isfinite.
_UPDATED: Final = (
    "CASE WHEN updated_at > '1970-01-01 00:00:00+00' AND updated_at < 'infinity' "
    "THEN (extract(epoch FROM updated_at) * 1000000)::bigint ELSE 0 END"
)


class Statements:
    """The statements for a table of a given form.

    Those that depend on a query are in ``selects``.

    Args:
        form: The form of the table.
        history: The history that each statement appends to what it writes; None for none.
    """

    def __init__(self, form: TableForm, history: HistoryForm | None = None):
        self.form = form
        self._history = history
        table = form.table
        self._id = "id::text" if form.uuid else "id"
        # Arrays are sent as texts: the driver would have to ask the server for any other type.
        self._id_array = "text[]::uuid[]" if form.uuid else "text[]"
        # The transaction that wrote the row identifies its state, or else the time of the save,
        # which every writer of graph-flow sets. It is compared beside the version, because not
        # every writer counts, and replaces it where no column counts the saves.
        mark = "xmin::text::bigint" if form.xmin else _UPDATED
        self._version = "version" if form.versioned else mark
        marked = f", {mark}" if form.versioned else ""
        # The driver reads a bare xmin as a number too, and without a cast a get takes 3 µs less.
        bare = "xmin" if form.xmin else _UPDATED
        version, bare_marked = ("version", f", {bare}") if form.versioned else (bare, "")
        columns = (
            f"{self._id}, graph_id, current_task_id, status_message, context, {version}, "
            f"created_at, updated_at{bare_marked}"
        )
        self._copied = copied_columns(self._id, versioned=form.versioned)
        saved = [version, "created_at", "updated_at", *([bare] if form.versioned else [])]
        self.get = f"SELECT {columns} FROM {table} WHERE id = $1"
        texts = (self._id, "graph_id", "current_task_id", "status_message", "context::text")
        own = "graph_id, current_task_id, status_message, context, created_at, updated_at"
        counted = ", version" * form.versioned + ", xmin" * form.xmin
        #: The statements that depend on a query.
        self.selects = Selects(
            table,
            uuid=form.uuid,
            plain=form.xmin,
            stored=f"id, {own}{counted}",
            columns=columns,
            odd_columns=(
                f"{', '.join(UNCHECKED.format(text) for text in texts)}, {self._version}, "
                f"created_at, updated_at{marked}, pg_column_size(context)"
            ),
            version=self._version,
        )
        self.raw = f"SELECT * FROM {table} WHERE id = $1"
        # Fails, and so is rolled back, where the row was there and was not deleted.
        gone, noted = "1", ""
        if history is not None:
            gone = ", ".join(self._copied)
            noted = f", noted AS ({note_copied(history, 'gone', deleted=True)})"
        self.delete = (
            f"WITH gone AS (DELETE FROM {table} WHERE id = $1 RETURNING {gone}){noted} SELECT 1 / "
            f"(SELECT count(*) FROM gone) WHERE EXISTS (SELECT FROM {table} WHERE id = $1)"
        )
        self.delete_many = self._returning(
            f"DELETE FROM {table} WHERE id = ANY($1::{self._id_array})", [self._id], deleted=True
        )

        names, values, change = "", "", "graph_id = $2, current_task_id = $3, status_message = $4"
        moved = "now()"
        if not (form.versioned or form.xmin):  # never the same twice, also if a clock is set back
            later = "CASE WHEN s.updated_at < 'infinity' THEN s.updated_at END"
            moved = f"greatest(now(), {later} + interval '1 microsecond')"
        change += f", context = $5, updated_at = {moved}"
        if form.versioned:
            names, values = ", version", ", 1"
            change += ", version = s.version + 1"
            upsertable = ""
            unchanged = f"version = $6 AND ($8::bigint IS NULL OR {mark} = $8)"
        else:
            # A worker on graph-flow 0.6 adds the column while it connects. The worker's next save
            # would overwrite a save of ours that did not increment the column.
            countless = (
                "NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute WHERE "
                f"attrelid = '{table.replace(chr(39), chr(39) * 2)}'::regclass "
                "AND attname = 'version' AND NOT attisdropped)"
            )
            upsertable, unchanged = (
                f" WHERE {countless}",
                f"{mark} = $6 AND {countless}",
            )
        # A session that was deleted and created again may have the same version.
        unchanged += " AND ($7::timestamptz IS NULL OR created_at = $7)"
        insert = (
            f"INSERT INTO {table} AS s "
            f"(id, graph_id, current_task_id, status_message, context{names}) "
            f"VALUES ($1, $2, $3, $4, $5{values}) ON CONFLICT (id)"
        )
        self.insert = self._returning(f"{insert} DO NOTHING", saved)
        self.update = self._returning(
            f"UPDATE {table} AS s SET {change} WHERE id = $1 AND {unchanged}", saved
        )
        restored = ", $7" if form.versioned else ""
        self.restore = self._returning(
            f"INSERT INTO {table} (id, graph_id, current_task_id, status_message, context, "
            f"created_at{names}) VALUES ($1, $2, $3, $4, $5, coalesce($6::text::timestamptz, now())"
            f"{restored}) ON CONFLICT (id) DO NOTHING",
            saved,
        )
        # The last column is whether the row is as it was before: a trigger may have put it back.
        compared = ["graph_id", "current_task_id", "status_message", "context", "updated_at"]
        old, new = ", ".join(compared), ", ".join(f"new.{column}" for column in compared)
        copied = noted = ""
        if history is not None:
            copied = f", {', '.join(self._copied)}"
            noted = f", noted AS ({note_copied(history, 'new', deleted=False)})"
        self.upsert = (
            f"WITH old AS (SELECT {old} FROM {table} WHERE id = $1), new AS ({insert} DO UPDATE "
            f"SET {change}{upsertable} RETURNING {self._version} AS v, created_at, {old}"
            f"{f', {mark} AS m' if form.versioned else ''}{copied}){noted} "
            f"SELECT v, created_at, updated_at"
            f"{', m' if form.versioned else ''}, EXISTS (SELECT FROM old WHERE ({old}) IS NOT "
            f"DISTINCT FROM ({new})) FROM new"
        )

        # For many sessions: one array for each column, sent as texts as above.
        arrays = f"$1::{self._id_array}, $2::text[], $3::text[], $4::text[], $5::text[]"
        fields = "i, g, t, s, c::jsonb"
        returned = [self._id, self._version, "created_at", "updated_at"]
        returned += [mark] if form.versioned else []
        into = f"INSERT INTO {table} (id, graph_id, current_task_id, status_message, context"
        self.insert_many = self._returning(
            f"{into}{names}) SELECT {fields}{values} FROM unnest({arrays}) AS k (i, g, t, s, c) "
            "ON CONFLICT (id) DO NOTHING",
            returned,
        )
        counted = ", version = s.version + 1" if form.versioned else ""
        same = (
            f"id = n.i AND {self._version} = n.v AND (n.a IS NULL OR created_at = n.a) "
            f"AND (n.m IS NULL OR {mark} = n.m)"
        )
        self.update_many = self._returning(
            f"UPDATE {table} AS s SET graph_id = n.g, current_task_id = n.t, status_message = n.s, "
            f"context = n.c::jsonb, updated_at = {moved}{counted} FROM unnest({arrays}, "
            f"$6::text[]::bigint[], $7::text[]::timestamptz[], $8::text[]::bigint[]) "
            f"AS n (i, g, t, s, c, v, a, m) WHERE {same}",
            returned,
        )
        self.delete_unchanged = self._returning(
            f"DELETE FROM {table} AS s USING unnest($1::{self._id_array}, $2::text[]::bigint[], "
            f"$3::text[]::timestamptz[], $4::text[]::bigint[]) AS n (i, v, a, m) "
            f"WHERE {same}",
            [self._id],
            deleted=True,
        )
        kept = ", $8::text[]::bigint[]" if form.versioned else ""
        self.import_many = self._returning(
            f"{into}, created_at, updated_at{names}) SELECT {fields}, coalesce(a, now()), "
            f"coalesce(u, now()){', v' if form.versioned else ''} FROM unnest({arrays}, "
            f"$6::text[]::timestamptz[], $7::text[]::timestamptz[]{kept}) "
            f"AS k (i, g, t, s, c, a, u{', v' if form.versioned else ''}) "
            "ON CONFLICT (id) DO NOTHING",
            [self._id],
        )
        self.restore_many = self._returning(
            f"{into}, created_at{names}) SELECT {fields}, coalesce(a, now())"
            f"{', v' if form.versioned else ''} FROM unnest({arrays}, $6::text[]::timestamptz[]"
            f"{', $7::text[]::bigint[]' if form.versioned else ''}) "
            f"AS k (i, g, t, s, c, a{', v' if form.versioned else ''}) "
            "ON CONFLICT (id) DO NOTHING",
            returned,
        )
        self.get_many = f"SELECT {columns} FROM {table} WHERE id = ANY($1::{self._id_array})"

        # Only planned: fails where no unique index on id keeps a second row of an id out.
        self.explain_unique = (
            f"EXPLAIN INSERT INTO {table} (id) VALUES (NULL) ON CONFLICT (id) DO NOTHING"
        )

    @property
    def notes(self) -> bool:
        """Whether each write is noted in a history."""
        return self._history is not None

    def _returning(self, write: str, columns: Sequence[str], *, deleted: bool = False) -> str:
        """Return a statement that writes and returns columns, with what notes it in the history."""
        if self._history is None:
            return f"{write} RETURNING {', '.join(columns)}"
        return return_noted(self._history, write, columns, self._copied, deleted=deleted)

    def delete_odd(self, name: str) -> Statement | None:
        """Return the statement that deletes the row whose id has a name; None for another text."""
        data = bytes_of_name(name)
        if data is None:
            return None
        condition = f"id = {AS_BYTES.format('$1')}"
        delete = f"DELETE FROM {self.form.table} WHERE {condition}"
        return Statement(self._returning(delete, ["true"], deleted=True), [data])
