"""Roles with few rights: what they may do works, and what they lack is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import graphflow_nb as g

from ...stores import create_table
from .kit import execute

#: A foreign table is on this server itself, as the superuser who made it.
FOREIGN = """
CREATE EXTENSION postgres_fdw;
DO $$ BEGIN EXECUTE format(
    'CREATE SERVER me FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L)',
    current_setting('unix_socket_directories'), current_setting('port'), current_database());
END $$;
CREATE USER MAPPING FOR PUBLIC SERVER me OPTIONS (user 'postgres', password_required 'false');
CREATE SCHEMA far;
IMPORT FOREIGN SCHEMA public LIMIT TO (sessions) FROM SERVER me INTO far;
ALTER TABLE far.sessions RENAME TO it;
ALTER TABLE far.it SET SCHEMA public;
"""
VIEWS = {
    "the table": "",
    "columns": "",
    "plain": "CREATE VIEW it AS SELECT * FROM sessions",
    "distinct": "CREATE VIEW it AS SELECT DISTINCT * FROM sessions",
    "union": "CREATE VIEW it AS SELECT * FROM sessions UNION SELECT * FROM sessions",
    "materialized": "CREATE MATERIALIZED VIEW it AS SELECT * FROM sessions",
    "aggregate": "CREATE VIEW it AS SELECT id, max(graph_id) AS graph_id, "
    "max(current_task_id) AS current_task_id, max(status_message) AS status_message, "
    "(array_agg(context))[1] AS context, max(version) AS version, max(created_at) AS created_at, "
    "max(updated_at) AS updated_at FROM sessions GROUP BY id",
    "partitioned": "CREATE TABLE it (LIKE sessions INCLUDING DEFAULTS, PRIMARY KEY (id)) "
    "PARTITION BY HASH (id);"
    "CREATE TABLE it_0 PARTITION OF it FOR VALUES WITH (MODULUS 1, REMAINDER 0);"
    "INSERT INTO it SELECT * FROM sessions",
    "foreign": FOREIGN,
}
COLUMNS = "id, graph_id, current_task_id, status_message, context, version, created_at, updated_at"


@pytest.fixture
def role(database: str, run: Any) -> Iterator[str]:
    """A role without any right, beside a table with a session."""
    with g.open(database, writable=True) as wb:
        wb.create("a", "t", context={"n": 1})
    name = database.rpartition("/")[2].partition("?")[0] + "_role"
    run(execute(database, f"CREATE ROLE {name} LOGIN"))
    yield name
    run(execute(database, f"DROP OWNED BY {name}; DROP ROLE {name}"))


def url_of(database: str, role: str) -> str:
    return database.replace("user=postgres", f"user={role}")


@pytest.mark.parametrize("view", VIEWS)
def test_reading_takes_select_alone(database, run, role, view):
    table = "it" if VIEWS[view] else "sessions"
    if VIEWS[view]:
        run(execute(database, VIEWS[view]))
    what = f"SELECT ({COLUMNS})" if view == "columns" else "SELECT"
    run(execute(database, f"GRANT {what} ON {table} TO {role}"))
    with g.open(url_of(database, role), table=table) as wb:
        assert wb.get("a").context["n"] == 1
        assert wb.sessions(context=["n"])["n"].tolist() == [1]
        assert wb.summary()["sessions"].sum() == 1
        wb.advise()
        assert wb.overview().sessions == 1
    if view in ("distinct", "union", "aggregate"):
        with pytest.raises(g.StorageError, match="can only be read"):
            g.open(database, table=table, writable=True)


@pytest.mark.parametrize("lacking", [None, "SELECT", "INSERT", "UPDATE", "DELETE"])
def test_writing_takes_four_rights_and_each_is_named(database, run, role, lacking):
    run(execute(database, f"GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO {role}"))
    wb = g.open(url_of(database, role), writable=True)
    calls = {
        "SELECT": lambda: wb.get("a"),
        "INSERT": lambda: wb.create("b", "t"),
        "UPDATE": lambda: wb.patch("a", [{"op": "add", "path": "/context/data/x", "value": 1}]),
        "DELETE": lambda: wb.delete("a", undo=False),
    }
    if lacking is None:
        for call in calls.values():
            call()
    else:
        run(execute(database, f"REVOKE {lacking} ON sessions FROM {role}"))
        with pytest.raises(g.StorageError, match=rf"lacks {lacking} on sessions\."):
            calls[lacking]()
    wb.close()


def test_what_could_not_be_put_back_is_deleted_only_without_undo(database, run, role):
    run(execute(database, f"GRANT SELECT, UPDATE, DELETE ON sessions TO {role}"))
    url = url_of(database, role)
    with g.open(url, writable=True) as wb:
        for ids in ("a", ["a", "b"], {"a": wb.get("a")}):
            with pytest.raises(g.JournalError, match=r"lacks INSERT on sessions.*undo=False"):
                wb.delete(ids)
        assert wb.get("a").context["n"] == 1
        assert not len(wb.journal)
        assert wb.delete("a", undo=False) == ["a"]
    run(execute(database, f"GRANT INSERT ({COLUMNS}) ON sessions TO {role}"))
    with g.open(url, writable=True) as wb:
        wb.create("a", "t")
        wb.delete("a")
        assert wb.undo().id == "a"


def test_usage_of_the_schema_is_named(database, run, role):
    run(execute(database, "CREATE SCHEMA away; ALTER TABLE sessions SET SCHEMA away"))
    run(execute(database, f"GRANT ALL ON away.sessions TO {role}"))
    url, said = url_of(database, role), "lacks USAGE on the schema away"
    found = f"{url}&search_path=away"
    for writable in (False, True):
        for where in ({"table": "away.sessions"}, {"table": "away.other"}, {"url": found}, {}):
            with pytest.raises(g.StorageError, match=said):
                g.open(**{"url": url, "writable": writable, **where})
    run(execute(database, f"GRANT USAGE ON SCHEMA away TO {role}"))
    with g.open(found, writable=True) as wb, g.open(url, table="away.sessions") as reader:
        assert [each.get("a").id for each in (wb, reader)] == ["a", "a"]
        run(execute(database, f"REVOKE USAGE ON SCHEMA away FROM {role}"))
        for call in (lambda: wb.create("b", "t"), lambda: wb.get("a"), lambda: reader.get("a")):
            with pytest.raises(g.StorageError, match=said):
                call()


def test_create_on_the_schema_is_named(database, run, role):
    run(execute(database, "REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
    with pytest.raises(g.StorageError, match=r"lacks CREATE on the schema.*Nothing was created"):
        g.open(url_of(database, role), table="fresh", writable=True)


def test_connect_on_the_database_is_named(database, run, role):
    name = database.rpartition("/")[2].partition("?")[0]
    run(execute(database, f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC'))
    with pytest.raises(g.StorageError, match=r"CONNECT privilege.*ask for this right"):
        g.open(url_of(database, role))


def test_a_copy_and_an_undo_try_no_other_session_without_the_right(
    database, run, role, monkeypatch
):
    calls = []

    def counted(name: str) -> None:
        plain = getattr(g.PostgresSessionStorage, name)

        async def call(self: Any, *arguments: Any) -> Any:
            calls.append(name)
            return await plain(self, *arguments)

        monkeypatch.setattr(g.PostgresSessionStorage, name, call)

    for name in ("import_many", "restore_many", "restore"):
        counted(name)
    ids = [f"s{n:03}" for n in range(150)]
    source = g.InMemorySessionStorage.from_sessions(g.Session(id, "t") for id in ids)
    run(execute(database, f"GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO {role}"))
    with g.open(url_of(database, role), writable=True) as wb, g.wrap(source) as mine:
        mine.copy_to(wb)
        wb.delete(ids)
        run(execute(database, f"REVOKE INSERT ON sessions FROM {role}"))
        calls.clear()
        with pytest.raises(g.StorageDenied, match="lacks INSERT on sessions") as caught:
            mine.copy_to(wb)
        assert caught.value.nothing_written
        assert calls == ["import_many"]
        calls.clear()
        report = wb.undo_many()
        assert (report.undone, sorted(report.failed)) == (0, ids)
        assert set(calls) == {"restore_many"}
        run(execute(database, f"GRANT INSERT ON sessions TO {role}"))
        assert wb.undo_many().undone == len(ids)


def test_what_a_policy_refuses_is_no_right_that_is_lacking(database, run, role):
    run(
        execute(
            database,
            f"GRANT SELECT, INSERT, UPDATE ON sessions TO {role};"
            "ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;"
            "CREATE POLICY reads ON sessions FOR SELECT USING (true);"
            "CREATE POLICY creates ON sessions FOR INSERT WITH CHECK (id <> 'c')",
        )
    )
    source = g.InMemorySessionStorage.from_sessions(g.Session(id, "t") for id in "bcd")
    with g.open(url_of(database, role), writable=True) as wb, g.wrap(source) as mine:
        report = mine.copy_to(wb)
        assert report.copied == 2
        assert [failure.id for failure in report.failures] == ["c"]
        assert "row-level security" in report.failures[0].reason
        assert "lacks" not in report.failures[0].reason


NOT_KEPT = {
    "a column": ("ALTER TABLE sessions ADD tenant TEXT", r"does not keep \(tenant\)"),
    "computed": ("ALTER TABLE sessions ADD n INT GENERATED ALWAYS AS (length(id)) STORED", ""),
    "rows that go": (
        "CREATE TABLE events (session TEXT REFERENCES sessions ON DELETE CASCADE)",
        "changes rows of events",
    ),
    "rows that lose it": (
        "CREATE TABLE events (session TEXT REFERENCES sessions ON DELETE SET NULL)",
        "changes rows of events",
    ),
    "rows that forbid it": ("CREATE TABLE events (session TEXT REFERENCES sessions)", ""),
}


@pytest.mark.parametrize("case", NOT_KEPT)
def test_what_the_journal_would_not_keep_is_deleted_only_without_undo(database, run, case):
    change, said = NOT_KEPT[case]
    run(create_table(database, "crate-0.6"))
    run(execute(database, change))
    with g.open(database, writable=True) as wb:
        wb.create("a", "t")
        if not said:
            wb.delete("a")
            assert wb.undo().id == "a"
            return
        for ids in ("a", {"a": wb.get("a")}):
            with pytest.raises(g.JournalError, match=f"{said}.*undo=False"):
                wb.delete(ids)
        assert not wb.journal[wb.journal.op == "delete"].size
        assert wb.delete("a", undo=False) == ["a"]
