"""What a storage can tell of the store behind it, for ``wb.advise()``.

A storage that can has the coroutine ``facts()``. It asks the store only what is cheap, changes
nothing, and says of what it could not look at why that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

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
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """Facts about any store.

    Example:
        >>> from graphflow_nb.storage import StoreFacts
        >>> StoreFacts(place="folder:claims", unseen={"disk": "no permission"}).place
        'folder:claims'

    Attributes:
        place: Which store it is, without secrets.
        read_only: Whether the storage refuses writes.
        connections: The most connections that the storage holds; 0 where it holds none.
        unseen: What could not be read, and why.
    """

    place: str
    read_only: bool = False
    connections: int = 0
    unseen: Mapping[str, str] = field(default_factory=dict)


# PostgreSQL


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """The table as its catalog has it; of a partitioned one the sum of its partitions.

    Attributes:
        kind: ``table``, ``partitioned table``, ``view`` or ``foreign table``.
        rows: as estimated from its size.
        heap_bytes: without TOAST and indexes.
        toast_bytes: what stands outside of the rows.
        schema: quoted.
        partitions: quoted schema and name of each that holds rows; empty if it has none.
        nested: whether partitions have partitions.
        behind: quoted names of the tables that a view reads.
        compression: of new contexts: ``pglz`` or ``lz4``; empty for what the server has as default.
        autovacuum: whether it is on for this table.
        vacuum_due: dead rows at which autovacuum takes it up.
        logged: False where the server empties it after a crash.
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
    """One index; of a partitioned table the sum of its parts.

    Attributes:
        name: quoted, with its schema.
        columns: names of the key columns; empty names for expressions.
        keys: of each key column what makes two indexes order it alike.
        unique: whether it keeps values apart.
        kept: whether something else needs it: a constraint, replication, or the index of a table
            of which this one is a partition.
        valid: False while it is built, and after that failed.
        plain: a B-tree without conditions, expressions and added columns.
        bytes: on disk.
        scans: how often the server used it since its statistics began.
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
    """How the server would find one page in an order.

    Attributes:
        steps: names of its nodes, the last step first.
        cost: as the planner counts it.
        rows: the most that one step meets.
    """

    steps: tuple[str, ...]
    cost: float
    rows: int

    @property
    def sorts(self) -> bool:
        """Whether all rows are sorted for it."""
        return "Sort" in self.steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Contexts:
    """What contexts take in the table, from a sample of its pages.

    Attributes:
        sampled: rows that were looked at.
        outside: of these, whose context is too large to stand in the row.
        bytes: of all their contexts as they are stored, compressed.
        outside_bytes: of those that are too large.
        largest: in bytes.
        methods: how those outside are compressed: how many of them by each method, ``none`` among
            them; empty where the server does not tell.
    """

    sampled: int
    outside: int
    bytes: int
    outside_bytes: int
    largest: int
    methods: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the server counted at the table.

    Attributes:
        live, dead: rows, as last counted.
        updates, hot_updates: the latter are those that no index had to follow.
        scans: of the whole table and by any of its indexes.
        vacuumed: when it was last, by hand or by itself.
        since: when the counting began; None if never reset.
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
    """Who is connected to the server.

    Attributes:
        connected: all, of every database.
        hidden: of these, what they do is not told to this user.
        resetting: by name of the application, idle connections to this database whose last
            statement was the reset that a pool sends when one is given back.
        oldest_seconds: how long the transaction lasts that holds up vacuum most; None if none does.
        oldest: process id, state and application of that one.
    """

    connected: int
    hidden: int
    resetting: Mapping[str, int] = field(default_factory=dict)
    oldest_seconds: float | None = None
    oldest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresFacts(StoreFacts):
    """What a PostgreSQL server tells of the table; None is what could not be looked at.

    Attributes:
        table: quoted name.
        uuid, versioned, xmin: its form, see ``TableForm``.
        standby: whether the server is a replica.
        pooled: whether a pooler shares its connections.
        round_trip_us: the quickest answer to a statement that does nothing.
        settings: of the server, by name.
        sources: where each of them was set: ``default``, ``configuration file``, ``database``, …
        lz4: whether the server has it for contexts.
        plans: how a page of each order would be found.
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
    """What a Redis or Valkey server tells; of a cluster, the sum of its primaries.

    Attributes:
        keys: of any kind, in the whole database.
        expiring: of these, those that expire; None if not told.
        prefix: of the sessions' keys.
        ttl: whether what is saved here expires.
        indexed: when the index was built; None if there is none.
        known: sessions that it knows.
        about: what INFO says: ``maxmemory``, ``maxmemory_policy``, ``used_memory``,
            ``evicted_keys``, ``aof_enabled``, ``uptime_in_seconds``; None if not told.
        appendfsync: None if not told.
        save: when snapshots are written, ``""`` for never; None if not told.
    """

    keys: int
    expiring: int | None = None
    prefix: str = ""
    ttl: bool = False
    indexed: datetime | None = None
    known: int = 0
    about: Mapping[str, str | int] | None = None
    appendfsync: str | None = None
    save: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteFacts(StoreFacts):
    """What a SQLite file tells.

    Attributes:
        path: of the file.
        bytes, free_bytes: of the file, and of this what holds nothing.
        rows: at most so many.
        journal_mode: ``wal``, ``delete``, …
        synchronous: of our own connection: ``full``, ``normal``, …
        sorted: orders in which all rows are sorted for each page.
    """

    path: str
    bytes: int
    free_bytes: int
    rows: int
    journal_mode: str
    synchronous: str
    sorted: tuple[str, ...] = ()
