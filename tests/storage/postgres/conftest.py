"""Fixtures of PostgreSQL with a replica."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ...servers import postgres as servers


@pytest.fixture
def primary() -> Iterator[servers.Postgres]:
    """A server of its own, which tests may kill."""
    with servers.Postgres() as server:
        yield server


@pytest.fixture
def standby(primary: servers.Postgres) -> Iterator[servers.Standby]:
    """The replica of that server."""
    with servers.Standby(primary) as server:
        yield server
