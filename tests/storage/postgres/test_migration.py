"""A migration is shown before it is run, and never runs by itself."""

from __future__ import annotations

import pytest

from graphflow_nb import Session

from ...stores import create_table
from .kit import UUID, connect, fetch_value, read_columns


@pytest.mark.parametrize("form", ["documented", "crate-0.5", "crate-0.6"])
def test_migration_is_shown_and_then_applied(database, run, form):
    run(create_table(database, form))
    storage = run(connect(database))
    session = Session(UUID, "t", context={"n": 2**60})
    run(storage.save(session))
    before = run(read_columns(database))
    plan = run(storage.plan_migration())
    assert run(read_columns(database)) == before
    assert len(plan.statements) == {"documented": 1, "crate-0.5": 2, "crate-0.6": 0}[form]
    said = " ".join(str(plan).replace("-- ", "").split())
    assert "upsert of graph-flow's documentation" in said
    assert "notices such a write by the row's xmin" in said
    done = run(storage.migrate())
    assert done == plan
    found = run(read_columns(database))
    assert found["id"] == "text"
    assert found["version"] == "bigint"
    assert run(storage.plan_migration()).statements == ()
    again = run(storage.get(UUID))
    assert again.context["n"] == 2**60
    assert again.version == (1 if form == "crate-0.6" else 0)
    run(storage.save(again))
    assert again.version == (2 if form == "crate-0.6" else 1)
    run(storage.save(Session("any text", "t")))
    run(storage.close())


def test_the_trigger_is_shown_and_then_installed(database, run):
    storage = run(connect(database))
    triggers = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"
    plan = run(storage.plan_trigger())
    assert run(fetch_value(database, triggers)) == 0
    assert "CREATE TRIGGER" in str(plan)
    assert run(storage.install_trigger()) == plan
    assert run(fetch_value(database, triggers)) == 1
    assert "DROP TRIGGER" in str(run(storage.remove_trigger()))
    assert run(fetch_value(database, triggers)) == 0
    run(storage.close())
