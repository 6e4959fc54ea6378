"""Tables and servers that are not one plain PostgreSQL: what stands in for what they lack."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from graphflow_nb import PostgresSessionStorage, Query, Session, SessionConflict, StorageError
from graphflow_nb.model.times import FINITE
from graphflow_nb.storage.postgres.sql import parse_name

from ...conftest import create_table

connect = PostgresSessionStorage.connect
WITHOUT_XMIN = ["partitioned", "no-xmin"]


async def execute(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def fetch(url: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


COLUMNS = """graph_id TEXT NOT NULL, current_task_id TEXT NOT NULL, status_message TEXT,
    context JSONB NOT NULL, created_at TIMESTAMPTZ DEFAULT now(),
    updated_at TIMESTAMPTZ DEFAULT now()"""
PARTITIONED = f"""
CREATE TABLE sessions (id {{type}} PRIMARY KEY, {{version}} {COLUMNS}) PARTITION BY HASH (id);
CREATE TABLE sessions_0 PARTITION OF sessions FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE sessions_1 PARTITION OF sessions FOR VALUES WITH (MODULUS 2, REMAINDER 1);
"""


@pytest.mark.parametrize("form", WITHOUT_XMIN)
def test_xmin_can_really_not_be_had(database, run, form):
    """Else the tests below would show nothing."""
    run(create_table(database, form))
    insert = """INSERT INTO sessions (id, graph_id, current_task_id, context)
        VALUES ('a', 'g', 't', '{}') RETURNING xmin"""
    with pytest.raises((asyncpg.FeatureNotSupportedError, asyncpg.UndefinedColumnError)):
        run(fetch(database, insert))


@pytest.mark.parametrize("form", WITHOUT_XMIN)
def test_the_time_of_the_save_stands_in_for_the_version(database, run, form):
    run(create_table(database, form))
    storage = run(connect(database))
    assert not storage.form.xmin
    assert "updated_at" in str(storage.form)
    session = Session("a", "t")
    for _ in range(3):
        run(storage.save(session))
        assert session.version == (session.updated_at - datetime(1970, 1, 1, tzinfo=UTC)) // (
            timedelta(microseconds=1)
        )
    assert run(storage.table(Query())).version.tolist() == [session.version]
    # Another writer, as graph-flow's statements are.
    run(execute(database, "UPDATE sessions SET updated_at = now(), status_message = 'theirs'"))
    with pytest.raises(SessionConflict) as caught:
        run(storage.save(session))
    assert caught.value.stored.status_message == "theirs"
    assert run(storage.delete_many(["a"], [session.version])) == []
    assert run(storage.delete_many(["a"], [caught.value.stored.version])) == ["a"]
    run(storage.close())


@pytest.mark.parametrize("form", WITHOUT_XMIN)
@pytest.mark.parametrize("clock", ["2099-01-01", "infinity", "-infinity", "1960-01-01", None])
def test_a_save_is_never_of_the_same_time_as_the_one_before(database, run, form, clock):
    """Also where a clock was wrong, or there is no time at all."""
    run(create_table(database, form))
    storage = run(connect(database))
    run(storage.save(Session("a", "t")))
    value = "NULL" if clock is None else f"'{clock}'"
    run(execute(database, f"UPDATE sessions SET updated_at = {value}"))
    first, second = run(storage.get("a")), run(storage.get("a"))
    assert first.version >= 0
    run(storage.save(first))
    with pytest.raises(SessionConflict):
        run(storage.save(second))
    before = first.version
    run(storage.upsert(Session("a", "t")))
    with pytest.raises(SessionConflict):
        run(storage.save(first))
    assert run(storage.get("a")).version > before
    assert len(run(storage.table(Query()))) == 1
    run(storage.close())


@pytest.mark.parametrize("type", ["TEXT", "UUID", "VARCHAR(64)"])
@pytest.mark.parametrize("version", ["", "version BIGINT NOT NULL DEFAULT 0,"])
def test_distributed_tables_of_each_form(database, run, type, version):
    run(execute(database, PARTITIONED.format(type=type, version=version)))
    storage = run(connect(database))
    assert storage.form.versioned == bool(version)
    ids = [f"00000000-0000-4000-8000-00000000000{i}" for i in range(8)]
    for id in ids:
        run(storage.save(Session(id, "t", context={"id": id})))
    stale = run(storage.get(ids[3]))
    run(storage.save(run(storage.get(ids[3]))))
    with pytest.raises(SessionConflict):
        run(storage.save(stale))
    run(storage.upsert(stale))
    assert [s.id for s in run(storage.query(Query(order="id")))] == ids
    assert run(storage.slow_orders()) == {}
    versions = [run(storage.get(id)).version for id in ids]
    assert run(storage.delete_many(ids, [*versions[:-1], 7])) == ids[:-1]
    run(storage.restore(stale))
    assert run(storage.get(ids[3])).context["id"] == ids[3]
    run(storage.close())


def test_a_table_with_version_needs_no_xmin(database, run):
    run(create_table(database, "crate-0.6", "behind"))
    run(execute(database, "CREATE VIEW sessions AS SELECT * FROM behind"))
    storage = run(connect(database))
    session = Session("a", "t")
    run(storage.save(session))
    run(storage.save(session))
    run(storage.upsert(session))
    assert session.version == 3
    assert run(storage.delete_many(["a"], [3])) == ["a"]
    run(storage.close())


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


def test_a_table_that_becomes_distributed_while_it_is_open(database, run):
    run(create_table(database, "documented"))
    storage = run(connect(database))
    session = Session("a", "t")
    run(storage.save(session))
    run(execute(database, "ALTER TABLE sessions RENAME TO plain"))
    run(execute(database, PARTITIONED.format(type="TEXT", version="")))
    run(execute(database, "INSERT INTO sessions SELECT * FROM plain"))
    new = Session("b", "t")
    run(storage.save(new))  # whose statement fails first
    assert not storage.form.xmin
    with pytest.raises(SessionConflict):  # of a version that was told in another way
        run(storage.save(session))
    run(storage.save(run(storage.get("a"))))
    run(storage.close())


# A schema in front of pg_catalog makes the server say of itself what others would.


def test_a_catalog_that_promises_an_xmin_which_is_not_there(database, run):
    """As Citus does, whose distributed tables look like plain ones."""
    run(execute(database, PARTITIONED.format(type="TEXT", version="")))
    run(
        execute(
            database,
            "CREATE SCHEMA other; CREATE VIEW other.pg_class AS SELECT oid, relname, "
            """'r'::"char" AS relkind, relnamespace FROM pg_catalog.pg_class""",
        )
    )
    storage = run(connect(f"{database}&search_path=other,pg_catalog,public"))
    assert storage.form.xmin
    session = Session("a", "t")
    run(storage.save(session))
    assert not storage.form.xmin
    stale = run(storage.get("a"))
    run(storage.save(session))
    with pytest.raises(SessionConflict):
        run(storage.save(stale))
    assert not storage.form.xmin  # the catalog was asked again, and is not believed
    run(storage.close())


def test_what_else_is_not_supported_is_no_reason_to_leave_xmin(database, run):
    run(create_table(database, "documented"))
    storage = run(connect(database))
    session = Session("a", "t")
    run(storage.save(session))
    run(
        execute(
            database,
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE feature_not_supported; END $$; CREATE TRIGGER refuse BEFORE UPDATE ON sessions "
            "FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
    )
    with pytest.raises(StorageError):
        run(storage.save(session))
    assert storage.form.xmin
    run(execute(database, "DROP TRIGGER refuse ON sessions"))
    run(storage.save(session))
    run(storage.close())


LACKING = {
    "parse_ident": "text",
    "pg_is_in_recovery": "",
    "int8send": "bigint",
    "int4send": "integer",
    "timestamptz_send": "timestamptz",
    "isfinite": "timestamptz",
}


@pytest.mark.parametrize("state", ["undefined_function", "feature_not_supported"])
@pytest.mark.parametrize("form", ["no-xmin", "crate-0.6"])
def test_functions_that_other_servers_lack_are_not_needed(database, run, form, state):
    run(create_table(database, form))
    run(execute(database, "CREATE SCHEMA other"))
    for name, argument in LACKING.items():
        run(
            execute(
                database,
                f"CREATE FUNCTION other.{name}({argument}) RETURNS bytea LANGUAGE plpgsql AS "
                f"$$ BEGIN RAISE {state}; END $$",
            )
        )
    url = f"{database}&search_path=other,pg_catalog,public"
    with pytest.raises(asyncpg.PostgresError):
        run(fetch(url, "SELECT int8send(1::bigint)"))
    storage = run(connect(url))
    moments = {"a": "2026-01-02", "b": "infinity", "c": "-infinity", "d": None}
    for id, moment in moments.items():
        run(storage.save(Session(id, "t", status_message=f"is {id}", context={"k": [id]})))
        value = "NULL" if moment is None else f"'{moment}'"
        run(execute(database, f"UPDATE sessions SET updated_at = {value} WHERE id = '{id}'"))
    lacking = run(storage.table(Query(order="id"), ["k"]))
    plain = run(connect(database))
    whole = run(plain.table(Query(order="id"), ["k"]))
    for name in ("id", "graph_id", "current_task_id", "status_message", "messages", "version"):
        assert list(getattr(lacking, name)) == list(getattr(whole, name))
    assert lacking.context == whole.context
    assert lacking.created.tolist() == whole.created.tolist()
    finite = [0, 3]
    assert lacking.updated[finite].tolist() == whole.updated[finite].tolist()
    assert (abs(lacking.updated[[1, 2]] // 2) >= FINITE).all()
    for order in ("updated_at", "-updated_at"):
        pages: dict[str, list[str]] = {"lacking": [], "whole": []}
        for name, one in (("lacking", storage), ("whole", plain)):
            after = None
            for _ in range(5):
                page = run(one.table(Query(order=order, limit=1, after=after)))
                pages[name] += page.id
                after = page.next
                if after is None:
                    break
        assert pages["lacking"] == pages["whole"]
        assert sorted(pages["whole"]) == list("abcd")
    assert len(run(storage.counts(Query()))) == 1
    run(plain.close())
    run(storage.close())


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("sessions", ["sessions"]),
        ("Flows.SESSIONS", ["flows", "sessions"]),
        ('"Odd ""Schema"""."my.Table"', ['Odd "Schema"', "my.Table"]),
        (" a . b ", ["a", "b"]),
        ("grüße$1", ["grüße$1"]),
        ("_x", ["_x"]),
        ('""', None),
        ("", None),
        ("a b", None),
        ("a.", None),
        (".a", None),
        ("1a", None),
        ("a-b", None),
        ('"a', None),
        ("x; DROP TABLE y", None),
    ],
)
def test_names_are_read_as_the_server_reads_them(server, run, name, parts):
    assert parse_name(name) == parts

    async def ask() -> list[str] | None:
        connection = await asyncpg.connect(server.url)
        try:
            return await connection.fetchval("SELECT parse_ident($1)", name)
        except asyncpg.InvalidParameterValueError:
            return None
        finally:
            await connection.close()

    assert asyncio.run(ask()) == parts
