"""Batches are written as a whole, also where ids are taken or the table changes meanwhile."""

from __future__ import annotations

import pytest

from graphflow_nb import Query, Session

from ...stores import create_table
from .kit import connect, fetch

MANY = 600  # more than are worth a COPY


@pytest.mark.parametrize("form", ["documented", "crate-0.6"])
def test_a_large_batch_leaves_out_the_ids_that_are_taken(database, run, form):
    run(create_table(database, form))
    storage = run(connect(database))
    run(storage.save(Session("s007", "there before")))
    sessions = [Session(f"s{i:03}", "t", context={"n": i}) for i in range(MANY)]
    conflicts = run(storage.save_many(sessions))
    assert [conflict.session.id for conflict in conflicts] == ["s007"]
    assert conflicts[0].stored.current_task_id == "there before"
    assert run(storage.count(Query())) == MANY
    assert not sessions[8].is_new
    assert sessions[7].is_new
    assert run(storage.get("s599")).context["n"] == 599
    run(storage.close())


@pytest.mark.parametrize("number", [1, MANY])
def test_a_batch_notices_that_the_table_got_a_version(database, run, number):
    """What is written without counting would be lost to the next save of a worker."""
    run(create_table(database, "documented"))
    storage = run(connect(database))
    run(fetch(database, "ALTER TABLE sessions ADD COLUMN version BIGINT NOT NULL DEFAULT 0"))
    sessions = [Session(f"s{i}", "t") for i in range(number)]
    assert run(storage.save_many(sessions)) == []
    assert {session.version for session in sessions} == {1}
    assert storage.form.versioned
    rows = run(fetch(database, "SELECT DISTINCT version FROM sessions"))
    assert [row[0] for row in rows] == [1]
    run(storage.close())


def test_an_import_notices_it_too(database, run):
    run(create_table(database, "documented"))
    storage = run(connect(database))
    run(fetch(database, "ALTER TABLE sessions ADD COLUMN version BIGINT NOT NULL DEFAULT 0"))
    assert run(storage.import_many([Session("a", "t", version=7)])) == []
    assert run(storage.get("a")).version == 7
    run(storage.close())


def test_a_view_takes_a_large_batch_too(database, run):
    """COPY writes to no view with a trigger, and INSERT does."""
    run(create_table(database, "no-xmin"))
    storage = run(connect(database))
    assert run(storage.save_many([Session(f"s{i}", "t") for i in range(MANY)])) == []
    assert run(storage.count(Query())) == MANY
    run(storage.close())
