"""Facts about a table, its indexes and its server: from catalogs, counters and a sample.

Each question is asked on its own, because a server or a user may lack what one of them needs. No
question reads the whole table, each has a time limit, and all of them can be asked on a replica.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any, Final, NamedTuple

from ...errors import StorageError, StorageTimeout, StorageUnavailable
from ...printable import inflect
from ..estimates import Estimate
from ..facts import Backends, Contexts, Index, PostgresFacts, Relation, Usage
from ..limits import QUICK_ROWS
from ..query import ORDERS, Query
from .citus import is_distributed
from .connections import Connection
from .plans import plan_of
from .sql import TableForm
from .table import OpenTable

__all__ = ["PAGE_BYTES", "collect_facts", "estimate_sessions", "find_slow_orders"]

SECONDS: Final = 5.0  # the time limit of one question
ALL_SECONDS: Final = 15.0
SAMPLED_PAGES: Final = 300
PAGE_BYTES: Final = 8192
FIRST_WITH_COMPRESSION: Final = 140_000  # the first version that shows a value's compression

_KINDS = {"r": "table", "p": "partitioned table", "v": "view", "f": "foreign table"}
_DISTRIBUTED: Final = "distributed table"

# About how many sessions there are, and the columns that lead an index. $1 is the quoted name.
SLOW_ORDERS = """
SELECT (
    SELECT sum(CASE WHEN p.reltuples >= 0 THEN p.reltuples ELSE pg_relation_size(p.oid) / 500.0 END)
    FROM pg_class AS p WHERE p.relkind <> 'p' AND (p.oid = c.oid
        OR p.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = c.oid))
)::bigint,
    ARRAY(SELECT a.attname::text FROM pg_index AS i
        JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS m ON m.oid = x.relam
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND m.amname = 'btree'
    )
FROM pg_class AS c WHERE oid = $1::text::regclass
"""

SETTINGS = """
SELECT name, setting, source, enumvals::text[] AS choices FROM pg_settings
WHERE name IN ('autovacuum', 'default_toast_compression', 'fsync', 'full_page_writes',
    'max_connections', 'server_version_num', 'synchronous_commit', 'wal_writer_delay')
"""

# The table itself, or the partitions in which its rows are. $1 is the quoted name.
_PARTS = """
WITH RECURSIVE tree (oid) AS (
    SELECT $1::text::regclass::oid
    UNION ALL SELECT i.inhrelid FROM tree JOIN pg_inherits AS i ON i.inhparent = tree.oid
),
parts AS (
    SELECT c.*, format('%I', n.nspname) AS schema, format('%I', c.relname) AS name,
        pg_relation_size(c.oid) AS heap,
        (SELECT to_jsonb(a) ->> 'attcompression' FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attname = 'context') AS method,
        (SELECT jsonb_object_agg(option_name, option_value) FROM pg_options_to_table(c.reloptions)
        ) AS options
    FROM tree JOIN pg_class AS c ON c.oid = tree.oid JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE c.relkind = 'r'
)
"""
RELATION = f"""{_PARTS}
SELECT c.relkind::text AS kind, format('%I', n.nspname) AS schema, p.*,
    (SELECT count(*) FROM tree) > count + 1 AS nested, ARRAY(
        SELECT DISTINCT format('%I.%I', n.nspname, b.relname) FROM pg_rewrite AS r
        JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
            AND d.refclassid = 'pg_class'::regclass
        JOIN pg_class AS b ON b.oid = d.refobjid JOIN pg_namespace AS n ON n.oid = b.relnamespace
        WHERE r.ev_class = c.oid AND b.oid <> c.oid ORDER BY 1
    ) AS behind
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace,
    (SELECT count(*) AS count, array_agg(schema ORDER BY oid) AS schemas,
        array_agg(name ORDER BY oid) AS names, sum(heap)::bigint AS heap,
        CASE WHEN min(method) = max(method) THEN max(method) ELSE 'p' END AS compression,
        sum(pg_relation_size(nullif(reltoastrelid, 0)))::bigint AS toast,
        sum(CASE WHEN reltuples > 0 AND relpages > 0
            THEN reltuples / relpages * (heap / current_setting('block_size')::float8)
            ELSE heap / 500.0 END)::bigint AS rows,
        bool_and(coalesce((options ->> 'autovacuum_enabled')::bool, true)) AS autovacuum,
        bool_and(relpersistence <> 'u') AS logged,
        sum(coalesce(options ->> 'autovacuum_vacuum_threshold',
                current_setting('autovacuum_vacuum_threshold'))::float8
            + coalesce(options ->> 'autovacuum_vacuum_scale_factor',
                current_setting('autovacuum_vacuum_scale_factor'))::float8
            * greatest(reltuples, 0))::bigint AS due
    FROM parts) AS p
WHERE c.oid = $1::text::regclass
"""

# Classes, collations and options show whether two indexes order a column alike.
INDEXES = """
SELECT format('%I.%I', n.nspname, x.relname) AS name, i.indisunique, i.indisvalid,
    i.indisunique OR i.indisreplident
        OR EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
        OR EXISTS (SELECT FROM pg_inherits WHERE inhrelid = i.indexrelid) AS kept,
    i.indpred IS NULL AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts
        AND m.amname = 'btree' AS plain,
    ARRAY(SELECT coalesce(a.attname::text, '') FROM generate_series(0, i.indnkeyatts - 1) AS k
        LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k]
            AND a.attnum > 0
        ORDER BY k) AS columns,
    ARRAY(SELECT concat_ws(' ', i.indkey[k], i.indclass[k], i.indcollation[k], i.indoption[k])
        FROM generate_series(0, i.indnkeyatts - 1) AS k ORDER BY k) AS keys,
    p.bytes, p.scans
FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS m ON m.oid = x.relam
    JOIN pg_namespace AS n ON n.oid = x.relnamespace,
    LATERAL (WITH RECURSIVE tree (oid) AS (
        SELECT i.indexrelid
        UNION ALL SELECT h.inhrelid FROM tree JOIN pg_inherits AS h ON h.inhparent = tree.oid
    ) SELECT coalesce(sum(pg_relation_size(oid)), 0)::bigint AS bytes,
        coalesce(sum(pg_stat_get_numscans(oid)), 0)::bigint AS scans FROM tree) AS p
WHERE i.indrelid = $1::text::regclass ORDER BY 1
"""

USAGE = f"""{_PARTS}
SELECT sum(n_live_tup)::bigint AS live, sum(n_dead_tup)::bigint AS dead,
    sum(n_tup_upd)::bigint AS updates, sum(n_tup_hot_upd)::bigint AS hot_updates,
    sum(seq_scan + coalesce(idx_scan, 0))::bigint AS scans,
    min(greatest(last_vacuum, last_autovacuum)) AS vacuumed,
    (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()) AS since
FROM parts JOIN pg_stat_all_tables AS s ON s.relid = parts.oid
"""

# A query begins with these words where a pool resets a returned connection.
BACKENDS = """
SELECT application_name, count(*) AS connected,
    count(*) FILTER (WHERE query = '<insufficient privilege>') AS hidden,
    count(*) FILTER (WHERE datname = current_database() AND state = 'idle'
        AND (query LIKE 'SELECT pg_advisory_unlock_all()%' OR query LIKE 'DISCARD ALL%')
    ) AS resetting
FROM pg_stat_activity WHERE datid IS NOT NULL GROUP BY 1
"""
OLDEST = """
SELECT extract(epoch FROM now() - xact_start)::float8 AS seconds,
    concat_ws(' ', 'pid', pid, state, nullif(application_name, '')) AS who
FROM pg_stat_activity
WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND datname = current_database()
ORDER BY age(backend_xmin) DESC LIMIT 1
"""


def _context_statement(form: TableForm, percent: float, *, methods: bool) -> str:
    """Return the statement for the sizes of contexts in a sample of the table's pages.

    Args:
        form: The form of the table.
        percent: The share of pages to read.
        methods: Whether the server shows how a value is compressed.
    """
    # Past about 2,000 bytes PostgreSQL moves the largest column out of a row. 32 bytes are the
    # row's header, the times and the version.
    size = "pg_column_size(context)"
    rest = "pg_column_size(id) + pg_column_size(graph_id) + pg_column_size(current_task_id)"
    method = "coalesce(pg_column_compression(context), 'none')" if methods else "'unknown'"
    return (
        "SELECT method, count(*) AS rows, count(*) FILTER (WHERE outside) AS outside, "
        "sum(size)::bigint AS bytes, coalesce(sum(size) FILTER (WHERE outside), 0)::bigint AS "
        "outside_bytes, max(size) AS largest "
        f"FROM (SELECT {method} AS method, {size} AS size, {size} + {rest} "
        "+ coalesce(pg_column_size(status_message), 0) + 56 > 2032 AS outside "
        f"FROM {form.table} TABLESAMPLE SYSTEM ({percent:.6f})) AS s GROUP BY 1"
    )


async def estimate_sessions(table: OpenTable) -> int | None:
    """Return about how many rows the table has, as its statistics say; None for a view."""

    async def read(connection: Connection) -> Any:
        return await connection.fetchrow(SLOW_ORDERS, table.form.table)

    try:
        about = (await table.run(read, writes=False))[0]
    except StorageUnavailable:
        raise
    except StorageError as error:  # servers that only speak the protocol may lack the catalog
        if error.__cause__ is None:  # ours alone, as that of a closed storage
            raise
        return None
    return int(about) if about else None


async def find_slow_orders(table: OpenTable) -> dict[str, str]:
    """Return the orders that no index serves in a large table, and for each what would help."""

    async def read(connection: Connection) -> Any:
        return await connection.fetchrow(SLOW_ORDERS, table.form.table)

    about, indexed = await table.run(read, writes=False)
    if about <= QUICK_ROWS:
        return {}
    return {
        order: f"no index serves this order, so {Estimate(about, 'about')} "
        f"{inflect(about, 'session is', 'sessions are')} sorted for each page; "
        f"CREATE INDEX CONCURRENTLY ON {table.form.table} ({order}, id); makes it quick"
        for order in ("updated_at", "created_at")
        if order not in indexed
    }


async def collect_facts(table: OpenTable) -> PostgresFacts:
    """Return what the server reports about the table and itself; nothing is changed.

    Raises:
        StorageUnavailable: The server is out of reach.
    """
    form = table.form
    inquiry = _Inquiry(table)
    reach = await table.run(_measure_reach, writes=False)
    settings = await inquiry.ask("settings of the server", SETTINGS)
    values = None if settings is None else {row["name"]: row["setting"] for row in settings}
    choices = {row["name"]: row["choices"] for row in settings or ()}
    sources = {row["name"]: row["source"] for row in settings or ()}
    relation = await _read_relation(inquiry, form)
    if await table.run(lambda connection: is_distributed(connection, form.table), writes=False):
        relation = None if relation is None else replace(relation, kind=_DISTRIBUTED)
    plans = {}
    for order in sorted(ORDERS) if relation is None or relation.kind != _DISTRIBUTED else ():
        page = table.statements.selects.select(Query(order=f"-{order}", limit=None)).text
        rows = await inquiry.ask(
            f"plan of a page by {order}", f"EXPLAIN (FORMAT JSON) {page} LIMIT 51"
        )
        if rows:
            plans[order] = plan_of(json.loads(rows[0][0]))
    indexes = contexts = usage = None
    if relation is not None and relation.kind in ("table", "partitioned table"):
        rows = await inquiry.ask("indexes", INDEXES, form.table)
        indexes = None if rows is None else tuple(map(_index_of, rows))
        version = int((values or {}).get("server_version_num", 0))
        contexts = await _sample_contexts(
            inquiry, form, relation, methods=version >= FIRST_WITH_COMPRESSION
        )
        usage = await _read_usage(inquiry, form, standby=reach.standby)
    else:
        if relation is None:
            why = "it is not known what kind of table this is"
        elif relation.kind == _DISTRIBUTED:
            why = f"the rows of {form.table} are in shards on other servers (Citus)"
        else:
            where = f" on {', '.join(relation.behind)}" if relation.behind else ""
            why = f"{form.table} is a {relation.kind}{where}: open the table itself with table="
        subjects = ("indexes", "size of contexts", "dead rows and updates")
        inquiry.unseen |= dict.fromkeys(subjects, why)
    if reach.standby:
        inquiry.unseen["dead rows and updates"] = inquiry.unseen["use of indexes"] = (
            "the server is a replica, which counts only what is read there: ask the primary"
        )
    return PostgresFacts(
        place=table.place,
        read_only=table.opened_read_only,
        connections=table.max_connections,
        unseen=inquiry.unseen,
        table=form.table,
        uuid=form.uuid,
        versioned=form.versioned,
        xmin=form.xmin,
        standby=reach.standby,
        pooled=reach.shared,
        round_trip_us=reach.round_trip_us,
        settings=values,
        sources=sources,
        lz4="lz4" in (choices.get("default_toast_compression") or ()),
        relation=relation,
        indexes=indexes,
        plans=plans,
        contexts=contexts,
        usage=usage,
        backends=await _read_backends(inquiry, standby=reach.standby),
    )


class _Inquiry:
    """The questions to one server, and why some of them have no answer.

    Attributes:
        unseen: For each subject without an answer, the reason.
    """

    def __init__(self, table: OpenTable):
        self._table = table
        self._end = time.monotonic() + ALL_SECONDS
        self.unseen: dict[str, str] = {}

    async def ask(self, subject: str, statement: str, *arguments: Any) -> list[Any] | None:
        """Return the rows of a statement; None if there was no answer."""
        seconds = max(0.1, min(SECONDS, self._end - time.monotonic()))

        async def read(connection: Connection) -> list[Any]:
            return list(await connection.fetch(statement, *arguments, timeout=seconds))

        try:
            return await self._table.run(read, writes=False)
        except StorageUnavailable:
            raise
        except StorageTimeout:
            self.unseen[subject] = f"no answer within {seconds:.1f} seconds"
        except StorageError as error:
            self.unseen[subject] = str(error.__cause__ or error)
        return None


class _Reach(NamedTuple):
    """The connection to the server, measured.

    Attributes:
        round_trip_us: The fastest of some answers to a statement that does nothing.
        standby: Whether the server is a replica.
        shared: Whether a pooler shares the connection.
    """

    round_trip_us: float
    standby: bool
    shared: bool


async def _measure_reach(connection: Connection) -> _Reach:
    times = []
    for _ in range(5):
        began = time.perf_counter_ns()
        await connection.execute("SELECT 1")
        times.append(time.perf_counter_ns() - began)
    return _Reach(min(times) / 1000, await connection.is_standby(), connection.shared)


async def _read_relation(inquiry: _Inquiry, form: TableForm) -> Relation | None:
    rows = await inquiry.ask("size of the table", RELATION, form.table)
    if not rows:
        return None
    row = rows[0]
    kind = _KINDS.get(row["kind"], "relation")
    parted = row["kind"] == "p" and row["names"] is not None
    return Relation(
        kind=kind,
        rows=row["rows"] or 0,
        heap_bytes=row["heap"] or 0,
        toast_bytes=row["toast"] or 0,
        schema=row["schema"],
        partitions=tuple(zip(row["schemas"], row["names"], strict=True)) if parted else (),
        nested=parted and row["nested"],
        behind=tuple(row["behind"]) if kind == "view" else (),
        compression={"p": "pglz", "l": "lz4"}.get(row["compression"] or "", ""),
        autovacuum=row["autovacuum"] is not False,
        vacuum_due=row["due"] or 0,
        logged=row["logged"] is not False,
    )


def _index_of(row: Any) -> Index:
    return Index(
        name=row["name"],
        columns=tuple(row["columns"]),
        keys=tuple(row["keys"]),
        unique=row["indisunique"],
        kept=row["kept"],
        valid=row["indisvalid"],
        plain=row["plain"],
        bytes=row["bytes"],
        scans=row["scans"],
    )


async def _sample_contexts(
    inquiry: _Inquiry, form: TableForm, relation: Relation, *, methods: bool
) -> Contexts | None:
    pages = max(1, relation.heap_bytes // PAGE_BYTES)
    percent = min(100.0, 100 * SAMPLED_PAGES / pages)
    statement = _context_statement(form, percent, methods=methods)
    rows = await inquiry.ask("size of contexts", statement)
    if not rows:
        return None
    return Contexts(
        sampled=sum(row["rows"] for row in rows),
        outside=sum(row["outside"] for row in rows),
        bytes=sum(row["bytes"] for row in rows),
        outside_bytes=sum(row["outside_bytes"] for row in rows),
        largest=max(row["largest"] for row in rows),
        methods={r["method"]: r["outside"] for r in rows if r["outside"]} if methods else {},
    )


async def _read_usage(inquiry: _Inquiry, form: TableForm, *, standby: bool) -> Usage | None:
    rows = None if standby else await inquiry.ask("dead rows and updates", USAGE, form.table)
    return Usage(**dict(rows[0])) if rows and rows[0]["live"] is not None else None


async def _read_backends(inquiry: _Inquiry, *, standby: bool) -> Backends | None:
    rows = await inquiry.ask("connections to the server", BACKENDS)
    if rows is None:
        return None
    oldest = None if standby else await inquiry.ask("transactions that hold up vacuum", OLDEST)
    return Backends(
        connected=sum(row["connected"] for row in rows),
        hidden=sum(row["hidden"] for row in rows),
        resetting={r["application_name"]: r["resetting"] for r in rows if r["resetting"]},
        oldest_seconds=oldest[0]["seconds"] if oldest else None,
        oldest=oldest[0]["who"] if oldest else "",
    )
