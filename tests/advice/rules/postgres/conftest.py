"""Fixtures of advice on PostgreSQL."""

from __future__ import annotations

import asyncio

import pytest

from ....stores import create_table
from .kit import execute


@pytest.fixture
def role(database):
    """A URL for a user that may only use the table."""
    asyncio.run(create_table(database, "crate-0.6"))
    name = "adviser_" + database.split("/")[3].split("?")[0]
    grants = "GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO"
    asyncio.run(execute(database, f"CREATE ROLE {name} LOGIN", f"{grants} {name}"))
    yield database.replace("user=postgres", f"user={name}")
    asyncio.run(execute(database, f"DROP OWNED BY {name}", f"DROP ROLE {name}"))
