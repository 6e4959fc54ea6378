"""Every kind of store under test, in one table.

A store that is registered in the package and has no row here fails
``tests/storage/test_storages.py::test_every_store_is_under_test``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb.bridge import LoopThread
from graphflow_nb.history import HistoryStorage, history_of
from graphflow_nb.storage.wrappers import READS, Wrapper

from .servers.postgres import Databases, kill


class ReadApart(Wrapper):
    """A storage that reads by a read-only one, and writes past it."""

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        inner = g.ReadOnlyStorage(self.inner) if method in READS else self.inner
        return await getattr(inner, method)(*arguments, **named)


@dataclass(frozen=True)
class Kind:
    """A kind of store under test.

    Attributes:
        scheme: The scheme of its URL; without a fixture, a path below ``tmp_path`` follows.
        fixture: The fixture of its server (one, or the nodes of a cluster, each with ``url``,
            ``empty()``, ``kill()`` and ``start()``), or of the databases on PostgreSQL.
        pooled: Whether it is reached through PgBouncer.
        form: The form of its table in PostgreSQL.
        options: Those of ``connect``.
        indexed: Whether its index is built.
        wrap: What puts a storage around it.
        history: Whether it keeps a history of what is written.
        campaign: The share of the steps of a campaign that it gets.
    """

    scheme: str
    fixture: str | None = None
    pooled: bool = False
    form: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    indexed: bool = False
    wrap: Callable[[Any], Any] | None = None
    history: bool = False
    campaign: float = 1.0


def _postgres(form: str = "documented", **more: Any) -> Kind:
    return Kind("postgresql", form=form, **({"fixture": "databases"} | more))


def _wrapped(wrap: Callable[[Any], Any]) -> Kind:
    return Kind("sqlite", wrap=wrap, campaign=0.25)


KINDS: Mapping[str, Kind] = {
    "memory": Kind("memory"),
    "sqlite": Kind("sqlite"),
    "documented": _postgres(),
    "crate-0.5": _postgres("crate-0.5"),
    "crate-0.6": _postgres("crate-0.6"),
    # The documented table elsewhere: distributed by hash, without xmin, through a pooler, on a
    # server of an old version.
    "partitioned": _postgres("partitioned", campaign=0.25),
    "no-xmin": _postgres("no-xmin", campaign=0.25),
    "pgbouncer": _postgres(pooled=True, campaign=0.25),
    "oldest": _postgres(fixture="oldest_databases", campaign=0.25),
    # Redis as graph-flow's documentation uses it, and what else ours can do there.
    "redis": Kind("redis", "redis_server"),
    "valkey": Kind("redis", "valkey_server", options={"prefix": "flows:"}, indexed=True),
    "redis-cluster": Kind("redis", "redis_cluster_server", indexed=True),
    # Storages around the one in a SQLite file.
    "monitored": _wrapped(lambda storage: g.MonitoredStorage(storage, [g.Recorder()])),
    "read-only": _wrapped(ReadApart),
    "retrying": _wrapped(g.RetryingStorage),
    "history-elsewhere": _wrapped(
        lambda storage: HistoryStorage(storage, archive=history_of(g.InMemorySessionStorage()))
    ),
    # Stores that keep each version beside the sessions.
    "history-sqlite": Kind("sqlite", history=True, campaign=0.25),
    "history-redis": Kind("redis", "redis_server", history=True, campaign=0.25),
    "history-cluster": Kind("redis", "redis_cluster_server", history=True, campaign=0.25),
    "history-0.5": _postgres("crate-0.5", history=True, campaign=0.25),
    "history-0.6": _postgres("crate-0.6", history=True, campaign=0.25),
    "fallback": _wrapped(lambda storage: g.FallbackStorage(storage, g.InMemorySessionStorage())),
}

#: Those on which each test of all stores runs, so that the default run takes five minutes; the
#: others are older forms of the table, and these reached in another way.
MAIN_KINDS = ("memory", "sqlite", "crate-0.6", "redis")

#: The key of each form of the table that graph-flow and its documentation make.
TABLES = {
    "documented": "id TEXT PRIMARY KEY",
    "crate-0.5": "id UUID PRIMARY KEY",
    "crate-0.6": "id TEXT PRIMARY KEY, version BIGINT NOT NULL DEFAULT 0",
}


async def create_table(url: str, form: str, name: str = "sessions") -> None:
    """Create an empty table in one of the forms of ``KINDS``."""
    connection = await asyncpg.connect(url, statement_cache_size=0)
    table = f"{name}_behind" if form == "no-xmin" else name
    key = TABLES.get(form, TABLES["documented"])
    await connection.execute(
        f"CREATE TABLE {table} ({key}, graph_id TEXT NOT NULL, current_task_id TEXT NOT "
        "NULL, status_message TEXT, context JSONB NOT NULL, created_at TIMESTAMPTZ DEFAULT now(), "
        "updated_at TIMESTAMPTZ DEFAULT now())"
        + (" PARTITION BY HASH (id)" if form == "partitioned" else "")
    )
    if form == "partitioned":
        for i in range(3):
            await connection.execute(
                f"CREATE TABLE {name}_{i} PARTITION OF {name} "
                f"FOR VALUES WITH (MODULUS 3, REMAINDER {i})"
            )
    if form == "no-xmin":
        await connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {table}")
    await connection.close()


class Store:
    """A store under test: opens storages on the same data, makes ids that it takes.

    Attributes:
        kind: Its name in ``KINDS``.
        url: Its URL.
        cannot: The properties of the suite that it can't have, with the reason.
        outage: Takes its server down for a while; None where it has none.
    """

    def __init__(self, kind: str, url: str):
        self.kind = kind
        self.about = KINDS[kind]
        self.url = url
        self.cannot: dict[str, str] = {}
        self.outage: Callable[[], AbstractAsyncContextManager[None]] | None = None
        # Each URL memory: is a store of its own, so all open the same object.
        self._shared = g.InMemorySessionStorage() if self.about.scheme == "memory" else None

    async def open(self) -> Any:
        """Open one more storage on the same data."""
        if self._shared is not None:
            return self._shared
        storage: Any = await g.connect(self.url, **self.about.options)
        if self.about.history:
            await history_of(storage).create()
            return HistoryStorage(storage)
        if self.about.wrap is not None:
            return self.about.wrap(storage)
        if self.about.indexed:
            await storage.build_index()
        return storage

    def id(self, name: str) -> str:
        """Return an id that sorts as its name does, a UUID where only those are taken."""
        if self.about.form != "crate-0.5":
            return name
        digits = name.encode().hex().ljust(32, "0")[:32]
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@contextmanager
def empty_store(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Give an empty store of a kind.

    Args:
        kind: Its name in ``KINDS``.
        request: The request of the test that uses it, which has the fixtures of its server.
        tmp_path: A folder for what is kept in files.
    """
    about = KINDS[kind]
    if about.fixture is None:
        yield Store(kind, f"{about.scheme}:{tmp_path / 'sessions.db'}")
    elif about.form is None:
        found = request.getfixturevalue(about.fixture)
        nodes = found if isinstance(found, list) else [found]
        for node in nodes:
            node.empty()
        store = Store(kind, nodes[0].url)
        store.outage = outage_of(*nodes)
        yield store
    else:
        databases: Databases = request.getfixturevalue(about.fixture)
        pooler = request.getfixturevalue("pooler") if about.pooled else None
        with databases.empty() as url:
            LoopThread.shared().run(create_table(url, about.form))
            store = Store(kind, url if pooler is None else pooler.url(url))
            store.outage = outage_of(databases.server)
            yield store


def outage_of(*servers: Any) -> Callable[[], AbstractAsyncContextManager[None]]:
    """Return what kills the servers, and starts them again on the same data."""

    @asynccontextmanager
    async def outage() -> AsyncIterator[None]:
        for server in servers:
            if isinstance(server, g.LocalPostgres):
                await asyncio.to_thread(kill, server)
            else:
                server.kill()
        try:
            yield
        finally:
            for server in servers:
                await asyncio.to_thread(server.start)

    return outage
