"""A table without ``version``: a save compares ``xmin``, or ``updated_at`` where it is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from graphflow_nb import Query, Session, SessionConflict, StorageError

from ...stores import create_table
from .kit import connect, execute, fetch

WITHOUT_XMIN = ["partitioned", "no-xmin"]


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


def test_rows_that_others_change_by_hand_conflict_on_a_table_without_version(database, run):
    run(create_table(database, "documented"))
    storage = run(connect(database))
    session = Session("a", "t")
    run(storage.save(session))
    run(fetch(database, "UPDATE sessions SET status_message = 'by hand'"))
    with pytest.raises(SessionConflict):
        run(storage.save(session))
    run(fetch(database, "VACUUM FREEZE sessions"))
    session = run(storage.get("a"))
    run(fetch(database, "VACUUM FULL sessions"))
    run(storage.save(session))
    run(storage.close())


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
