"""What every test may ask for: servers, stores and a loop; and how a run is laid out.

The servers are in ``tests/servers``, the stores in ``tests/stores.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from .scope import COMPLETE, need
from .servers.fixtures import (
    database,
    databases,
    oldest,
    oldest_databases,
    pooler,
    redis_cluster_server,
    redis_server,
    server,
    valkey_server,
)
from .stores import KINDS, TABLES, Store, create_table, empty_store

__all__ = [
    "COMPLETE",
    "TABLES",
    "Store",
    "create_table",
    "database",
    "databases",
    "need",
    "oldest",
    "oldest_databases",
    "pooler",
    "redis_cluster_server",
    "redis_server",
    "server",
    "valkey_server",
]

settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    max_examples=100 if COMPLETE else 25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("default")


@pytest.fixture
def run() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Runs coroutines on one loop, as long as the test lasts."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    with empty_store(request.param, request, tmp_path) as store:
        yield store


@pytest.fixture
def storage(store: Store, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> Iterator[Any]:
    """A storage on that store."""
    storage = run(store.open())
    yield storage
    run(storage.close())
