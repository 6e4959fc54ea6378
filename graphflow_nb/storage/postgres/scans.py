"""What a read would go through in PostgreSQL, found out before it runs.

Nothing is asked of the server while its table is small: its size is believed for a minute. For a
large one the server explains the statement, which takes a millisecond, and what it plans to read
is compared with what the guard lets through. The plan of a statement is believed for a minute too.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Final, NamedTuple

from ..query import Query
from ..scans import ScanEstimate, ScanGuard, ScanKind
from .citus import read_shard_bytes
from .connections import Connection
from .errors import NOT_SPOKEN
from .plans import plan_of
from .selects import Statement, is_searched, looks_inside

__all__ = ["Scans"]

KNOWN_SECONDS: Final = 60.0  # for which a size and a plan are believed
KNOWN_PLANS: Final = 200
#: Sessions of a foreign table that are counted where nothing is known of it.
FEW: Final = 10_000
#: Measured on 10^6 sessions of 1.8 GB, in memory; from a disk it takes longer.
ROWS_PER_SECOND_BYTES: Final = 1_000_000_000
#: The same where contexts are looked into.
CONTEXTS_PER_SECOND_BYTES: Final = 225_000_000

# The rows of the table and its parts, or of the tables below a view, and the bytes of its pages and
# of what is stored outside of them. Rows are 0 where one of the tables was never analyzed. Of a
# foreign table the pages are known that ANALYZE found, and nothing before. $1 is the quoted name.
_SIZE: Final = """
WITH RECURSIVE below (oid) AS (
    SELECT $1::text::regclass::oid
    UNION SELECT next.oid FROM below CROSS JOIN LATERAL (
        SELECT inhrelid FROM pg_inherits WHERE inhparent = below.oid
        UNION ALL SELECT d.refobjid FROM pg_class AS v JOIN pg_rewrite AS r ON r.ev_class = v.oid
            JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
            AND d.refclassid = 'pg_class'::regclass
        WHERE v.oid = below.oid AND v.relkind = 'v'
    ) AS next (oid)
), found AS (
    SELECT reltuples, CASE relkind WHEN 'f' THEN relpages * current_setting('block_size')::bigint
        ELSE pg_relation_size(oid) END AS bytes,
        pg_relation_size(nullif(reltoastrelid, 0)) AS outside,
        relkind = 'f' AND relpages = 0 AND reltuples <= 0 AS is_unknown
    FROM pg_class JOIN below USING (oid) WHERE relkind IN ('r', 'm', 'f')
)
SELECT CASE WHEN bool_or(reltuples < 0 AND bytes > 0) THEN 0 ELSE
        coalesce(sum(greatest(reltuples, 0)), 0) END::bigint,
    coalesce(sum(bytes), 0)::bigint, coalesce(sum(outside), 0)::bigint,
    current_setting('seq_page_cost')::float8, current_setting('random_page_cost')::float8,
    current_setting('block_size')::bigint, coalesce(bool_or(is_unknown), false)
FROM found
"""


class _Size(NamedTuple):
    """How large the table is, and what reading a page of it counts in the server's plans.

    It is unknown where a foreign table was never analyzed and has more than a few sessions.
    """

    sessions: int
    rows_bytes: int
    outside_bytes: int
    page_cost: float
    random_page_cost: float
    page_bytes: int
    is_unknown: bool


class Scans:
    """Finds out what reads of one table would go through.

    Args:
        table: The quoted name of the table.
    """

    def __init__(self, table: str):
        self._table = table
        self._size: _Size | None = None
        self._looked_at = float("-inf")
        self._shares: dict[str, tuple[float, float]] = {}  # by statement: the share, and when

    async def check(
        self,
        guard: ScanGuard,
        connection: Connection,
        statement: Statement,
        query: Query,
        *,
        counts: bool = False,
        tried: int = 0,
    ) -> None:
        """Let a statement pass, or raise the error that says what it would read.

        Args:
            guard: What is asked.
            connection: The connection on which the statement is to run.
            statement: The statement.
            query: The query that it answers.
            counts: Whether it counts all that the query selects.
            tried: The number of rows that were looked through before.

        Raises:
            ScanRefused: It would read a large part of the table, and was not allowed.
        """
        size = await self._read_size(connection)
        if size and size.is_unknown and query.ids is None:
            helps = "ANALYZE of the foreign table tells the server its size"
            kind = _kind(query, counts)
            guard.check(ScanEstimate(kind, 0, None, 0.0, helps, tried=tried or FEW))
            return
        whole = size and size.rows_bytes + size.outside_bytes
        if not size or guard.above_bytes is None or not whole or whole <= guard.above_bytes:
            return
        share = await self._find_share(connection, statement, query, size)
        if share is None:
            return
        reads_contexts = looks_inside(query) or (query.limit is None and not counts)
        part = size.rows_bytes + (size.outside_bytes if reads_contexts else 0)
        read = round(share * part)
        rate = CONTEXTS_PER_SECOND_BYTES if reads_contexts else ROWS_PER_SECOND_BYTES
        kind = _kind(query, counts)
        helps = "wb.advise() names an index that helps" if kind in ("search", "sort") else ""
        guard.check(ScanEstimate(kind, size.sessions, read, read / rate, helps, tried=tried))

    async def _read_size(self, connection: Connection) -> _Size | None:
        now = time.monotonic()
        if now - self._looked_at > KNOWN_SECONDS:
            self._size = None
            with suppress(*NOT_SPOKEN):
                async with connection.transaction():
                    size = _Size(*await connection.fetchrow(_SIZE, self._table))
                    if not size.rows_bytes and (
                        shards := await read_shard_bytes(connection, self._table)
                    ):
                        size = size._replace(rows_bytes=shards.rows, outside_bytes=shards.outside)
                    if size.is_unknown:
                        some = f"SELECT 1 FROM {self._table} LIMIT {FEW + 1}"
                        found = await connection.fetchval(f"SELECT count(*) FROM ({some}) AS few")
                        size = size._replace(is_unknown=found > FEW)
                    self._size = size
            self._looked_at = now
        return self._size

    async def find_rows(self, connection: Connection, statement: str) -> int | None:
        """Return about how many rows a statement sends; None where the server can't say.

        Args:
            connection: The connection, in a transaction.
            statement: The statement, without parameters.
        """
        with suppress(*NOT_SPOKEN):
            async with connection.transaction():
                explained = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}")
                return plan_of(json.loads(explained)).rows
        return None

    async def _find_share(
        self, connection: Connection, statement: Statement, query: Query, size: _Size
    ) -> float | None:
        """Return the share of the table that a statement reads; None where that is not known."""
        now = time.monotonic()
        known = self._shares.get(statement.text)
        if known is not None and now - known[1] <= KNOWN_SECONDS:
            return known[0]
        explain = f"EXPLAIN (FORMAT JSON) {statement.text}"
        with suppress(*NOT_SPOKEN):
            async with connection.transaction():
                plan = plan_of(json.loads(await connection.fetchval(explain, *statement.arguments)))
            # What another server reads for a foreign table counts as if it read all, too.
            scans = any(node.endswith(("Seq Scan", "Foreign Scan")) for node in plan.steps)
            each = size.page_cost if scans else size.random_page_cost
            pages = size.rows_bytes / size.page_bytes
            share = plan.cost / (each * pages) if each and pages else 1.0
            if query.limit is None and size.sessions:  # an index may give all, page after page
                share = max(share, plan.rows / size.sessions)
            share = min(1.0, share)
            while len(self._shares) >= KNOWN_PLANS:
                del self._shares[next(iter(self._shares))]
            self._shares[statement.text] = share, now
            return share
        return None


def _kind(query: Query, counts: bool) -> ScanKind:
    if counts:
        return "count"
    if query.limit is None:
        return "full read"
    return "search" if is_searched(query) else "sort"
