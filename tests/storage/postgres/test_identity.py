"""What a table is called: by the server, the database and the table, and not by a URL."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from graphflow_nb.storage.postgres import sql

from ...scope import only_complete
from ...servers.postgres import Postgres, Standby
from ...stores import create_table
from .kit import connect, execute, fetch_value, until


async def identity_of(url, **options):
    """Return the identity of the table that a URL opens."""
    storage = await connect(url, **options)
    await storage.close()
    return storage.identity


def test_another_spelling_is_the_same_table(primary: Postgres, run):
    database = primary.url
    first = run(identity_of(database))
    assert first.startswith("postgresql:")
    at = f"{primary.address}/postgres"
    port = primary.address.rpartition(":")[2]
    for url in (
        f"postgresql://postgres@{at}",
        f"postgres://postgres@{at}?application_name=x",
        f"postgresql://postgres@localhost:{port}/postgres",
    ):
        assert run(identity_of(url)) == first
    for table in ("public.sessions", "SESSIONS", '"sessions"'):
        assert run(identity_of(database, table=table, read_only=True)) == first
    assert run(identity_of(database, table="others")) != first
    assert run(identity_of(primary.create_database("other"))) != first
    run(execute(database, "ALTER TABLE sessions RENAME TO renamed"))
    assert run(identity_of(database, table="renamed")) == first


def test_a_private_server_that_was_started_again_has_the_same_tables(run):
    folder, found = Path(tempfile.mkdtemp(dir="/var/tmp")), []
    folder.chmod(0o755)  # the server may run as another user
    try:
        for _ in range(2):
            with Postgres(folder) as server:
                found.append((server.port, run(identity_of(server.url))))
    finally:
        shutil.rmtree(folder)
    assert found[0][0] != found[1][0]
    assert found[0][1] == found[1][1]


@only_complete
def test_a_replica_has_the_identity_of_its_primary(primary: Postgres, standby: Standby, run):
    first = run(identity_of(primary.url))
    assert run(until(lambda: identity_of(standby.url))) == first


def test_a_migration_keeps_it(database, run):
    run(create_table(database, "crate-0.5"))
    storage = run(connect(database))
    before = storage.identity
    run(storage.migrate())
    assert storage.identity == before
    run(storage.close())


def test_a_user_who_may_not_ask_for_the_system_identifier(primary: Postgres, run):
    """Then the address of the server takes its place."""
    run(
        execute(
            primary.url,
            "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC; "
            "CREATE ROLE plain LOGIN; GRANT ALL ON SCHEMA public TO plain",
        )
    )
    address = primary.address
    url = f"postgresql://plain@{address}/postgres"
    first = run(identity_of(url))
    assert f"{address}/" in first
    assert run(identity_of(f"{url}?application_name=x", table="public.sessions")) == first
    assert run(identity_of(url, table="others")) != first


@pytest.mark.parametrize("system", sql.SYSTEMS)
def test_each_way_to_ask(database, run, system, monkeypatch):
    """Servers that only speak the protocol lack the first functions."""
    wrong = ["missing_function()"] * sql.SYSTEMS.index(system)
    monkeypatch.setattr(sql, "SYSTEMS", [*wrong, *sql.SYSTEMS[len(wrong) :]])
    first = run(identity_of(database))
    assert first == run(identity_of(database, read_only=True))
    oid = run(fetch_value(database, "SELECT 'sessions'::regclass::oid::text"))
    assert first.endswith(f"/{oid}")


def test_the_oldest_server(oldest_databases, run):
    with oldest_databases.empty() as url:
        assert run(identity_of(url)) == run(identity_of(url, table="public.sessions"))
