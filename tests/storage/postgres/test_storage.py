"""Sessions in PostgreSQL, beyond what every store does."""

from __future__ import annotations

import asyncpg
import pytest

from graphflow_nb import Session, SessionConflict, StorageError

from ...stores import create_table
from .kit import connect, fetch


def test_a_row_at_version_0_can_be_saved_but_not_by_a_new_session(database, run):
    run(create_table(database, "crate-0.6"))
    storage = run(connect(database))
    run(
        fetch(
            database,
            "INSERT INTO sessions (id, graph_id, current_task_id, context) "
            """VALUES ('a', 'g', 't', '{"data": {}}')""",
        )
    )
    with pytest.raises(SessionConflict, match="exists already"):
        run(storage.save(Session("a", "t")))
    session = run(storage.get("a"))
    assert session.version == 0
    run(storage.save(session))
    assert session.version == 1
    run(storage.close())


def test_statements_of_ones_own_run_on_its_connections(database, run):
    storage = run(connect(database))

    async def count(connection: asyncpg.Connection) -> int:
        return await connection.fetchval("SELECT count(*) FROM sessions")

    async def fail(connection: asyncpg.Connection) -> None:
        await connection.execute("SELECT no_such_column FROM sessions")

    assert run(storage.run(count)) == 0
    with pytest.raises(StorageError, match="no_such_column") as caught:
        run(storage.run(fail))
    assert isinstance(caught.value.__cause__, asyncpg.UndefinedColumnError)
    assert run(storage.run(count)) == 0
    run(storage.close())


def test_it_says_what_it_is(database, run):
    storage = run(connect(database, read_only=False))
    assert repr(storage).startswith("<PostgresSessionStorage postgresql:///")
    assert repr(storage).endswith(": sessions (id TEXT, with version)>")
    run(storage.close())
    reader = run(connect(database, read_only=True))
    assert repr(reader).endswith(", read-only>")
    assert reader.place == storage.place
    assert storage.address.collection == "sessions"
    run(reader.close())
