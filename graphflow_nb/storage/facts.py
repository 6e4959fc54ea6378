"""Facts: what a storage reports about its store, for ``wb.advise()``.

A storage with facts has the coroutine ``facts()`` (``SupportsFacts``). It asks the store only what
is cheap, changes nothing, and reports a reason for what it could not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from .history import HistorySize

__all__ = [
    "Backends",
    "Contexts",
    "Index",
    "Plan",
    "PostgresFacts",
    "RedisFacts",
    "Relation",
    "SqliteFacts",
    "StoreFacts",
    "Usage",
    "with_history",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """Facts about any store.

    Example:
        >>> from graphflow_nb.storage import StoreFacts
        >>> StoreFacts(place="folder:claims", unseen={"disk": "no permission"}).place
        'folder:claims'

    Attributes:
        place: The store, without secrets.
        read_only: Whether the storage refuses writes.
        connections: The most connections that the storage holds; 0 where it holds none.
        unseen: The subjects that could not be read, with the reason for each.
        history: The size of the history of its sessions; None where there is none.
    """

    place: str
    read_only: bool = False
    connections: int = 0
    unseen: Mapping[str, str] = field(default_factory=dict)
    history: HistorySize | None = None


F = TypeVar("F", bound=StoreFacts)


def with_history(facts: F, history: HistorySize | str | None) -> F:
    """Return facts with the size of a history, or with the reason why it could not be read."""
    if isinstance(history, str):
        return replace(facts, unseen={**facts.unseen, "history": history})
    return replace(facts, history=history)


# PostgreSQL


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A table in its catalog; of a partitioned table, the sum of its partitions.

    Attributes:
        kind: ``table``, ``partitioned table``, ``distributed table`` (of Citus), ``view`` or
            ``foreign table``.
        rows: The number of rows, estimated from its size.
        heap_bytes: The size without TOAST and indexes.
        toast_bytes: The size of what is stored outside of the rows.
        schema: The quoted schema.
        partitions: The quoted schema and name of each partition that holds rows.
        nested: Whether partitions have partitions.
        behind: The quoted names of the tables that a view reads.
        compression: The compression of new contexts, ``pglz`` or ``lz4``; empty for the server's
            default.
        autovacuum: Whether autovacuum is on for this table.
        vacuum_due: The number of dead rows at which autovacuum starts.
        logged: False where the server empties the table after a crash.
    """

    kind: str
    rows: int = 0
    heap_bytes: int = 0
    toast_bytes: int = 0
    schema: str = ""
    partitions: tuple[tuple[str, str], ...] = ()
    nested: bool = False
    behind: tuple[str, ...] = ()
    compression: str = ""
    autovacuum: bool = True
    vacuum_due: int = 0
    logged: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index; of a partitioned table, the sum of its parts.

    Attributes:
        name: The quoted name, with its schema.
        columns: The names of the key columns; empty for expressions.
        keys: For each key column, what makes two indexes order it alike.
        unique: Whether it is unique.
        kept: Whether something else needs it: a constraint, replication, or the index of a table
            of which this one is a partition.
        valid: False while it is built, and after that failed.
        plain: Whether it is a B-tree without conditions, expressions and included columns.
        bytes: The size on disk.
        scans: The number of its uses since the server's statistics began.
    """

    name: str
    columns: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...] = ()
    unique: bool = False
    kept: bool = False
    valid: bool = True
    plain: bool = True
    bytes: int = 0
    scans: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan: how the server would find one page in an order.

    Attributes:
        steps: The names of its nodes, the last step first.
        cost: The planner's cost.
        rows: The most rows that one step reads.
    """

    steps: tuple[str, ...]
    cost: float
    rows: int

    @property
    def sorts(self) -> bool:
        """Whether it sorts all rows."""
        return "Sort" in self.steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Contexts:
    """The sizes of contexts in a table, from a sample of its pages.

    Attributes:
        sampled: The number of rows in the sample.
        outside: The number of those whose context is too large to be stored in the row.
        bytes: The size of all their contexts as stored, compressed.
        outside_bytes: The size of those stored outside of the row.
        largest: The size of the largest, in bytes.
        methods: The number of those outside by method of compression, or ``none``; empty where the
            server does not report it.
    """

    sampled: int
    outside: int
    bytes: int
    outside_bytes: int
    largest: int
    methods: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The server's statistics of a table.

    Attributes:
        live, dead: The numbers of rows, as last counted.
        updates, hot_updates: The numbers of updates, and of those that changed no index.
        scans: The number of scans of the whole table and by its indexes.
        vacuumed: The time of the last vacuum, by hand or automatic.
        since: The time when the counting began; None if it was never reset.
    """

    live: int
    dead: int
    updates: int
    hot_updates: int
    scans: int
    vacuumed: datetime | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """The connections to a server.

    Attributes:
        connected: The number of connections to all databases.
        hidden: The number of those whose state this user may not see.
        resetting: By name of the application, the number of idle connections to this database whose
            last statement was the reset that a pool sends when a connection is returned.
        oldest_seconds: The age of the transaction that holds up vacuum most; None if none does.
        oldest: The process id, state and application of that transaction.
    """

    connected: int
    hidden: int
    resetting: Mapping[str, int] = field(default_factory=dict)
    oldest_seconds: float | None = None
    oldest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresFacts(StoreFacts):
    """Facts about a PostgreSQL server and table; None is what could not be read.

    Attributes:
        table: The quoted name.
        uuid, versioned, xmin: The table's form, see ``TableForm``.
        standby: Whether the server is a replica.
        pooled: Whether a pooler shares its connections.
        round_trip_us: The shortest time of a statement that does nothing.
        settings: The server's settings by name.
        sources: The place where each was set: ``default``, ``configuration file``, ``database``, …
        lz4: Whether the server can compress contexts with lz4.
        relation, indexes, contexts, usage, backends: See their classes.
        plans: The plan of a page in each order.
    """

    table: str
    uuid: bool = False
    versioned: bool = True
    xmin: bool = True
    standby: bool = False
    pooled: bool = False
    round_trip_us: float = 0.0
    settings: Mapping[str, str] | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    lz4: bool = False
    relation: Relation | None = None
    indexes: tuple[Index, ...] | None = None
    plans: Mapping[str, Plan] = field(default_factory=dict)
    contexts: Contexts | None = None
    usage: Usage | None = None
    backends: Backends | None = None


# The others


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisFacts(StoreFacts):
    """Facts about a Redis or Valkey server; of a cluster, the sum of its primaries.

    Attributes:
        keys: The number of keys of any kind, in the whole database.
        expiring: The number of those that expire; None if not reported.
        prefix: The prefix of the sessions' keys.
        ttl: Whether sessions that are saved here expire.
        indexed: The time when the index was built; None without an index.
        known, index_keys: The number of sessions in the index, and of keys that it takes.
        about: From INFO: ``maxmemory``, ``maxmemory_policy``, ``used_memory``, ``evicted_keys``,
            ``aof_enabled``, ``uptime_in_seconds``; None if not reported.
        appendfsync: The setting; None if not reported.
        save: When snapshots are written, ``""`` for never; None if not reported.
    """

    keys: int
    expiring: int | None = None
    prefix: str = ""
    ttl: bool = False
    indexed: datetime | None = None
    known: int = 0
    index_keys: int = 0
    about: Mapping[str, str | int] | None = None
    appendfsync: str | None = None
    save: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteFacts(StoreFacts):
    """Facts about a SQLite file.

    Attributes:
        path: The path of the file.
        bytes, free_bytes: The size of the file, and of the unused part of it.
        rows: An upper bound of the number of rows.
        journal_mode: ``wal``, ``delete``, …
        synchronous: The setting of our own connection: ``full``, ``normal``, …
        sorted: The orders in which all rows are sorted for each page.
    """

    path: str
    bytes: int
    free_bytes: int
    rows: int
    journal_mode: str
    synchronous: str
    sorted: tuple[str, ...] = ()
