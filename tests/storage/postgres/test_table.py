"""A table is opened in the form that it has, and followed when that changes."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb import Query, Session, SessionConflict, StorageError
from graphflow_nb.storage.postgres.table import OpenTable

from ...stores import create_table
from .kit import UUID, connect, execute, fetch, read_columns


def test_a_missing_table_is_created_as_graph_flow_0_6_does(database, run):
    storage = run(connect(database))
    found = run(read_columns(database))
    assert found["id"] == "text"
    assert found["version"] == "bigint"
    assert found["context"] == "jsonb"
    run(storage.close())


def test_two_may_create_the_table_at_once(database, run):
    async def both():
        return await asyncio.gather(*(connect(database) for _ in range(6)))

    for storage in run(both()):
        run(storage.close())


def test_a_missing_table_is_not_created_when_reading(database, run):
    with pytest.raises(StorageError, match="table sessions does not exist"):
        run(connect(database, read_only=True))
    with pytest.raises(asyncpg.UndefinedTableError):
        run(read_columns(database))


@pytest.mark.parametrize("form", ["documented", "crate-0.5", "crate-0.6"])
def test_an_existing_table_is_never_altered(database, run, form):
    run(create_table(database, form))
    before = run(read_columns(database))
    storage = run(connect(database))
    session = Session(UUID, "t")
    run(storage.save(session))
    run(storage.save(session))
    run(storage.upsert(session))
    run(storage.delete(session.id))
    assert run(read_columns(database)) == before
    assert storage.form.uuid == (form == "crate-0.5")
    assert storage.form.versioned == (form == "crate-0.6")
    run(storage.close())


@pytest.mark.parametrize("form", ["documented", "crate-0.5"])
def test_a_worker_that_migrates_meanwhile_is_noticed(database, run, form):
    run(create_table(database, form))
    storage = run(connect(database))
    session = Session(UUID, "t")
    run(storage.save(session))
    if form == "crate-0.5":
        run(fetch(database, "ALTER TABLE sessions ALTER COLUMN id TYPE TEXT"))
    run(fetch(database, "ALTER TABLE sessions ADD COLUMN version BIGINT NOT NULL DEFAULT 0"))
    with pytest.raises(SessionConflict):  # a save that did not count up would be lost
        run(storage.save(session))
    session = run(storage.get(UUID))
    run(storage.save(session))
    assert session.version == 1
    assert run(fetch(database, "SELECT version FROM sessions"))[0][0] == 1
    run(storage.close())


def test_an_upsert_notices_it_too(database, run):
    run(create_table(database, "documented"))
    storage = run(connect(database))
    session = Session("a", "t")
    run(storage.save(session))
    run(fetch(database, "ALTER TABLE sessions ADD COLUMN version BIGINT NOT NULL DEFAULT 0"))
    run(storage.upsert(session))
    assert session.version == 1
    assert run(fetch(database, "SELECT version FROM sessions"))[0][0] == 1
    run(storage.close())


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("flows.sessions", "flows.sessions"),
        ('"Odd ""Schema"""."my.Table"', '"Odd ""Schema"""."my.Table"'),
        ("SESSIONS", "sessions"),
    ],
)
def test_other_tables(database, run, name, sql):
    run(fetch(database, "CREATE SCHEMA flows"))
    run(fetch(database, 'CREATE SCHEMA "Odd ""Schema"""'))
    storage = run(connect(database, table=name))
    session = Session("a", "t")
    run(storage.save(session))
    run(storage.save(session))
    run(storage.upsert(session))
    assert run(fetch(database, f"SELECT version FROM {sql}"))[0][0] == 3
    assert len(run(storage.table(Query()))) == 1
    run(storage.close())


@pytest.mark.parametrize("name", ["", "a b", "a.b.c.d", "x; DROP TABLE y", "missing.sessions", "'"])
def test_names_that_are_no_tables(database, run, name):
    with pytest.raises(StorageError):
        run(connect(database, table=name))


def test_a_table_of_something_else_is_refused(database, run):
    run(fetch(database, "CREATE TABLE sessions (id SERIAL PRIMARY KEY, context TEXT)"))
    with pytest.raises(StorageError, match="graph_id is missing"):
        run(connect(database))


@pytest.mark.parametrize(
    "instead",
    [
        "",
        "CREATE UNIQUE INDEX i ON sessions (lower(id))",
        "CREATE UNIQUE INDEX i ON sessions (id) WHERE graph_id = 'claims'",
        "CREATE UNIQUE INDEX i ON sessions (id); "
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass",
    ],
)
def test_a_table_without_a_key_is_refused(database, run, instead):
    run(create_table(database, "crate-0.6"))
    run(execute(database, f"ALTER TABLE sessions DROP CONSTRAINT sessions_pkey; {instead}"))
    with pytest.raises(StorageError, match="unique index"):
        run(connect(database))


def test_a_table_with_rows_that_have_no_id_is_refused(database, run):
    run(create_table(database, "crate-0.6"))
    run(
        execute(
            database,
            "ALTER TABLE sessions DROP CONSTRAINT sessions_pkey, ADD UNIQUE (id), "
            "ALTER id DROP NOT NULL",
        )
    )
    with g.open(database) as wb:
        assert not len(wb.sessions())
    run(
        execute(
            database,
            "INSERT INTO sessions (graph_id, current_task_id, context) VALUES ('g', 't', '{}')",
        )
    )
    with pytest.raises(StorageError, match="has rows whose id is NULL"):
        g.open(database)


@pytest.mark.parametrize("form", ["documented", "crate-0.6"])
def test_a_view_of_a_table_without_a_key_is_refused(database, run, form):
    run(create_table(database, form, "behind"))
    run(execute(database, "ALTER TABLE behind DROP CONSTRAINT behind_pkey"))
    run(execute(database, "CREATE VIEW sessions AS SELECT * FROM behind"))
    for read_only in (False, True):
        with pytest.raises(StorageError, match="unique index"):
            run(connect(database, read_only=read_only))


def test_a_view_for_those_who_may_only_read(database, run):
    run(create_table(database, "no-xmin"))
    role = database.rpartition("/")[2].partition("?")[0] + "_reader"
    run(execute(database, f"CREATE ROLE {role} LOGIN; GRANT SELECT ON sessions TO {role}"))
    reader = run(connect(database.replace("user=postgres", f"user={role}"), read_only=True))
    assert run(reader.count(Query())) == 0
    run(reader.close())
    run(execute(database, f"DROP OWNED BY {role}; DROP ROLE {role}"))


def test_reading_only_holds_in_the_database_too(database, run, monkeypatch):
    run(run_and_close(database))
    storage = run(connect(database, read_only=True))
    session = run(storage.get("a"))
    for write in (storage.save(session), storage.upsert(session), storage.delete("a")):
        with pytest.raises(g.ReadOnlyError):
            run(write)
    with pytest.raises(g.ReadOnlyError):
        run(storage.migrate())
    monkeypatch.setattr(OpenTable, "check_writable", lambda table: None)
    with pytest.raises(g.ReadOnlyError):
        run(storage.delete("a"))
    assert run(storage.get("a")) is not None
    run(storage.close())


async def run_and_close(url: str) -> None:
    storage = await connect(url)
    await storage.save(Session("a", "t"))
    await storage.close()


def test_what_a_uuid_column_cannot_hold(database, run):
    run(create_table(database, "crate-0.5"))
    storage = run(connect(database))
    for call in (
        lambda: storage.save(Session("no uuid", "t")),
        lambda: storage.get("no uuid"),
        lambda: storage.delete("no uuid"),
    ):
        with pytest.raises(StorageError, match="'no uuid' is not a UUID"):
            run(call())
    run(storage.close())


@pytest.mark.parametrize("field", ["id", "graph_id", "current_task_id", "status_message"])
def test_text_that_postgresql_cannot_hold(database, run, field):
    storage = run(connect(database))
    session = Session("a", "t")
    setattr(session, field, "a\0b")
    with pytest.raises(StorageError, match=field):
        run(storage.save(session))
    run(storage.close())


def test_versions_beyond_bigint(database, run):
    storage = run(connect(database))
    with pytest.raises(StorageError, match="BIGINT"):
        run(storage.save(Session("a", "t", version=2**63)))
    run(storage.close())
