"""Roles with few rights: what they may do works, and what they lack is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import graphflow_nb as g

from .kit import execute

VIEWS = {
    "the table": "",
    "columns": "",
    "plain": "CREATE VIEW it AS SELECT * FROM sessions",
    "distinct": "CREATE VIEW it AS SELECT DISTINCT * FROM sessions",
    "union": "CREATE VIEW it AS SELECT * FROM sessions UNION SELECT * FROM sessions",
    "materialized": "CREATE MATERIALIZED VIEW it AS SELECT * FROM sessions",
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
    if view in ("distinct", "union"):
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
