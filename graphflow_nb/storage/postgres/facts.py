"""What PostgreSQL tells of the table, its indexes and itself: catalogs, counters and a sample.

Each question is asked on its own, since a server or a user may lack what one of them needs. None
reads the table as a whole, each has a bound in time, and all of them may be asked on a replica.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from ...errors import StorageError, StorageTimeout, StorageUnavailable
from ..facts import Backends, Contexts, Index, Plan, PostgresFacts, Relation, Usage
from ..query import ORDERS, Query
from . import sql as sql

__all__ = ["look"]

SECONDS: Final = 5.0  # for one question
ALL_SECONDS: Final = 15.0
SAMPLED_PAGES: Final = 300
PAGE_BYTES: Final = 8192
FIRST_TO_TELL: Final = 140_000  # the version from which a value's compression is told

_KINDS = {"r": "table", "p": "partitioned table", "v": "view", "f": "foreign table"}

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

# Classes, collations and options tell whether two indexes order a column alike.
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

# A query begins with these words where a pool resets what is given back to it.
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


def _contexts(form: sql.TableForm, percent: float, *, methods: bool) -> str:
    # Past about 2,000 bytes PostgreSQL moves the largest column out of a row; 32 are its header
    # and the times and version.
    size = "pg_column_size(context)"
    rest = "pg_column_size(id) + pg_column_size(graph_id) + pg_column_size(current_task_id)"
    method = "coalesce(pg_column_compression(context), 'none')" if methods else "'untold'"
    return (
        f"SELECT method, count(*) AS rows, count(*) FILTER (WHERE outside) AS outside, "
        "sum(size)::bigint AS bytes, coalesce(sum(size) FILTER (WHERE outside), 0)::bigint AS "
        "outside_bytes, max(size) AS largest "
        f"FROM (SELECT {method} AS method, {size} AS size, {size} + {rest} "
        f"+ coalesce(pg_column_size(status_message), 0) + 56 > 2032 AS outside "
        f"FROM {form.table} TABLESAMPLE SYSTEM ({percent:.6f})) AS s GROUP BY 1"
    )


Run = Callable[[Callable[[Any], Awaitable[Any]]], Awaitable[Any]]


async def look(
    run: Run, form: sql.TableForm, *, place: str, read_only: bool, connections: int
) -> PostgresFacts:
    """Ask all of it.

    Args:
        run: awaits work on a connection, in a transaction of its own where that is needed, and
            translates errors.

    Raises:
        StorageUnavailable: the server is out of reach.
    """
    unseen: dict[str, str] = {}
    end = time.monotonic() + ALL_SECONDS

    async def ask(subject: str, statement: str, *arguments: Any) -> list[Any] | None:
        seconds = max(0.1, min(SECONDS, end - time.monotonic()))

        async def read(connection: Any) -> Any:
            return await connection.fetch(statement, *arguments, timeout=seconds)

        try:
            return await run(read)  # type: ignore[no-any-return]
        except StorageUnavailable:
            raise
        except StorageTimeout:
            unseen[subject] = f"no answer within {seconds:.1f} seconds"
        except StorageError as error:
            unseen[subject] = str(error.__cause__ or error)
        return None

    round_trip, standby, pooled = await run(_reach)
    settings = await ask("settings of the server", SETTINGS)
    values = None if settings is None else {row["name"]: row["setting"] for row in settings}
    choices = {row["name"]: row["choices"] for row in settings or ()}
    sources = {row["name"]: row["source"] for row in settings or ()}
    relation = await _relation(ask, form)
    plans = {}
    for order in sorted(ORDERS):
        statement = sql.Statements(form).select(Query(order=f"-{order}", limit=None))[0]
        found = await ask(
            f"plan of a page by {order}", f"EXPLAIN (FORMAT JSON) {statement} LIMIT 51"
        )
        if found:
            plans[order] = _plan(json.loads(found[0][0]))
    indexes = contexts = usage = None
    if relation is not None and "table" in relation.kind and relation.kind != "foreign table":
        rows = await ask("indexes", INDEXES, form.table)
        indexes = None if rows is None else tuple(map(_index, rows))
        version = int((values or {}).get("server_version_num", 0))
        contexts = await _sample(ask, form, relation, methods=version >= FIRST_TO_TELL)
        usage = await _usage(ask, form, standby=standby)
    else:
        if relation is None:
            why = "it is not known what kind of table this is"
        else:
            where = f" on {', '.join(relation.behind)}" if relation.behind else ""
            why = f"{form.table} is a {relation.kind}{where}: open the table itself with table="
        unseen |= dict.fromkeys(("indexes", "size of contexts", "dead rows and updates"), why)
    if standby:
        unseen["dead rows and updates"] = unseen["use of indexes"] = (
            "the server is a replica, which counts only what is read there: ask the primary"
        )
    return PostgresFacts(
        place=place,
        read_only=read_only,
        connections=connections,
        unseen=unseen,
        table=form.table,
        uuid=form.uuid,
        versioned=form.versioned,
        xmin=form.xmin,
        standby=standby,
        pooled=pooled,
        round_trip_us=round_trip,
        settings=values,
        sources=sources,
        lz4="lz4" in (choices.get("default_toast_compression") or ()),
        relation=relation,
        indexes=indexes,
        plans=plans,
        contexts=contexts,
        usage=usage,
        backends=await _backends(ask, standby=standby),
    )


Ask = Callable[..., Awaitable[list[Any] | None]]


async def _reach(connection: Any) -> tuple[float, bool, bool]:
    """µs of a round trip, whether the server is a replica, and whether a pooler shares it."""
    times = []
    for _ in range(5):
        began = time.perf_counter_ns()
        await connection.execute("SELECT 1")
        times.append(time.perf_counter_ns() - began)
    return min(times) / 1000, await connection.standby(), connection.shared


async def _relation(ask: Ask, form: sql.TableForm) -> Relation | None:
    rows = await ask("size of the table", RELATION, form.table)
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


def _index(row: Any) -> Index:
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


def _plan(told: Any) -> Plan:
    nodes = list(_nodes(told[0]["Plan"]))
    rows = max(int(node["Plan Rows"]) for node in nodes)
    return Plan(tuple(node["Node Type"] for node in nodes), nodes[0]["Total Cost"], rows)


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)


async def _sample(
    ask: Ask, form: sql.TableForm, relation: Relation, *, methods: bool
) -> Contexts | None:
    pages = max(1, relation.heap_bytes // PAGE_BYTES)
    percent = min(100.0, 100 * SAMPLED_PAGES / pages)
    rows = await ask("size of contexts", _contexts(form, percent, methods=methods))
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


async def _usage(ask: Ask, form: sql.TableForm, *, standby: bool) -> Usage | None:
    rows = None if standby else await ask("dead rows and updates", USAGE, form.table)
    return Usage(**dict(rows[0])) if rows and rows[0]["live"] is not None else None


async def _backends(ask: Ask, *, standby: bool) -> Backends | None:
    rows = await ask("connections to the server", BACKENDS)
    if rows is None:
        return None
    oldest = None if standby else await ask("transactions that hold up vacuum", OLDEST)
    return Backends(
        connected=sum(row["connected"] for row in rows),
        hidden=sum(row["hidden"] for row in rows),
        resetting={r["application_name"]: r["resetting"] for r in rows if r["resetting"]},
        oldest_seconds=oldest[0]["seconds"] if oldest else None,
        oldest=oldest[0]["who"] if oldest else "",
    )
