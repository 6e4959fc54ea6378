"""What a session remembers of its row: writes that do not count the version are noticed."""

from __future__ import annotations

import asyncio

import pytest

import graphflow_nb as g
from graphflow_nb import Session, SessionConflict
from graphflow_nb.storage.postgres.sql import TableForm
from graphflow_nb.storage.postgres.states import RowStates

from ...stores import create_table
from .kit import connect, execute, fetch

UPSERT = """
INSERT INTO sessions (id, graph_id, current_task_id, status_message, context, updated_at)
VALUES ('a', 'default', 't', 'theirs', '{}', now()) ON CONFLICT (id) DO UPDATE SET
graph_id = EXCLUDED.graph_id, current_task_id = EXCLUDED.current_task_id,
status_message = EXCLUDED.status_message, context = EXCLUDED.context, updated_at = now()
"""
BY_HAND = "UPDATE sessions SET status_message = 'theirs'"
RECREATED = (
    "DELETE FROM sessions; INSERT INTO sessions (id, graph_id, current_task_id, status_message, "
    "context, version) VALUES ('a', 'default', 't', 'theirs', '{}', 1)"
)
FORMS = ("documented", "crate-0.6")


def _save(storage, session):
    return storage.save(session)


async def _save_many(storage, session):
    if conflicts := await storage.save_many([session]):
        raise conflicts[0]


@pytest.mark.parametrize("save", [_save, _save_many])
@pytest.mark.parametrize("statement", [UPSERT, BY_HAND, RECREATED])
def test_a_write_that_does_not_count_the_version_is_noticed(database, run, save, statement):
    storage = run(connect(database))
    saved = Session("a", "t", context={"k": 1})
    run(storage.save(saved))
    read = run(storage.get("a"))
    (listed,) = run(storage.query(g.Query()))
    run(execute(database, statement))
    for session in (saved, read, listed):
        session.status_message = "mine"
        with pytest.raises(SessionConflict) as caught:
            run(save(storage, session))
        assert (caught.value.session, caught.value.stored.version) == (session, 1)
        assert caught.value.stored.status_message == "theirs"
    assert run(storage.delete_unchanged([saved])) == []
    session = run(storage.get("a"))
    run(save(storage, session))
    assert session.version == 2
    assert run(storage.delete_unchanged([session])) == ["a"]
    run(storage.close())


@pytest.mark.parametrize("form", ["partitioned", "no-xmin"])
def test_without_xmin_the_time_of_the_save_is_compared_beside_the_version(database, run, form):
    run(create_table(database, form))
    table = "sessions" if form == "partitioned" else "sessions_behind"
    run(execute(database, f"ALTER TABLE {table} ADD version BIGINT NOT NULL DEFAULT 0"))
    if form == "no-xmin":
        run(execute(database, "CREATE OR REPLACE VIEW sessions AS SELECT * FROM sessions_behind"))
    storage = run(connect(database))
    assert storage.form.versioned
    assert not storage.form.xmin
    session = Session("a", "t")
    run(storage.save(session))
    run(execute(database, UPSERT))
    with pytest.raises(SessionConflict) as caught:
        run(storage.save(session))
    assert caught.value.stored.status_message == "theirs"
    assert run(storage.delete_unchanged([session])) == []
    session = run(storage.get("a"))
    run(storage.save(session))
    assert [len(run(storage.save_many([session]))), session.version] == [0, 3]
    assert run(storage.delete_unchanged([session])) == ["a"]
    run(storage.close())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "rewrite",
    [
        "UPDATE sessions SET graph_id = graph_id",
        "ALTER TABLE sessions ALTER status_message TYPE VARCHAR(99)",
        "VACUUM FULL sessions",
        "SELECT * FROM sessions FOR UPDATE",
    ],
)
def test_a_row_that_was_rewritten_as_it_is_does_not_conflict(database, run, form, rewrite):
    run(create_table(database, form))
    storage = run(connect(database))
    session = Session("a", "t", context={"k": 1.10, "long": 10**20})
    run(storage.save(session))
    for save in (_save, _save_many):
        run(fetch(database, rewrite))
        session.context["k"] = session.context["k"] + 1
        run(save(storage, session))  # which remembers what it saved
        session = run(storage.get("a"))
        run(fetch(database, rewrite))
        session.status_message = "mine"
        run(save(storage, session))
    run(fetch(database, rewrite))
    assert run(storage.delete_unchanged([session])) == ["a"]
    run(storage.close())


def test_a_version_set_by_hand_is_not_the_one_that_was_read(database, run):
    run(create_table(database, "documented"))
    storage = run(connect(database))
    session = Session("a", "t")
    run(storage.save(session))
    run(fetch(database, "UPDATE sessions SET graph_id = graph_id"))
    session.version -= 1
    with pytest.raises(SessionConflict):
        run(storage.save(session))
    run(storage.close())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("other", ["memory:", "sqlite:{}/other.db"])
def test_a_session_of_another_store_does_not_overwrite_one_of_its_version(
    database, run, form, other, tmp_path
):
    run(create_table(database, form))
    storage, elsewhere = run(connect(database)), run(g.connect(other.format(tmp_path)))
    stored, session = Session("a", "t", status_message="here"), Session("a", "t")
    run(storage.save(stored))
    run(elsewhere.save(session))
    session.version = stored.version
    for save in (_save, _save_many):
        with pytest.raises(SessionConflict) as caught:
            run(save(storage, session))
        assert caught.value.stored.status_message == "here"
    assert run(storage.delete_unchanged([session])) == []
    run(storage.close())
    run(elsewhere.close())


def test_a_copy_of_a_session_is_known_by_its_version_and_its_time_of_creation(database, run):
    storage, memory = run(connect(database)), g.InMemorySessionStorage()
    session = Session("a", "t")
    run(storage.save(session))
    run(memory.import_many([session]))
    copied = run(memory.get("a"))
    copied.status_message = "from the copy"
    run(storage.save(copied))
    assert run(storage.get("a")).status_message == "from the copy"
    run(storage.close())


@pytest.mark.parametrize("versioned", [True, False])
def test_a_session_of_another_store_without_a_time_is_never_expected(versioned):
    form = TableForm("sessions", False, versioned)
    states = RowStates("here", form)
    row = ("a", "default", "t", None, "{}", 7, None, None, *([9] if versioned else []))
    stored = states.read(row)
    assert states.is_expected(states.expect(stored), stored)
    other = RowStates("there", form).read(row)
    assert not states.is_expected(states.expect(other), stored)
    by_hand = Session("a", "t", version=7)
    assert states.is_expected(states.expect(by_hand), stored)


def test_two_savers_of_which_one_does_not_count(database, run):
    """Of what is added by both, nothing is lost, since ours read again after a conflict."""
    storage = run(connect(database))
    run(storage.save(Session("a", "t", context={"ours": 0, "theirs": 0})))

    async def ours():
        for _ in range(20):
            while True:
                session = await storage.get("a")
                session.context["ours"] = session.context["ours"] + 1
                try:
                    await storage.save(session)
                    break
                except SessionConflict:
                    pass

    async def theirs():
        for _ in range(20):
            await fetch(
                database,
                "UPDATE sessions SET context = jsonb_set(context, '{data,theirs}', "
                "to_jsonb((context #>> '{data,theirs}')::int + 1)) WHERE id = 'a'",
            )

    async def both():
        await asyncio.gather(ours(), theirs())

    run(both())
    assert dict(run(storage.get("a")).context) == {"ours": 20, "theirs": 20}
    run(storage.close())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("statement", [UPSERT, BY_HAND])
def test_an_undo_does_not_overwrite_what_does_not_count(database, run, form, statement):
    run(create_table(database, form))
    with g.open(database, writable=True) as wb:
        wb.create("a", "t")
        wb.patch("a", [{"op": "replace", "path": "/current_task_id", "value": "t2"}])
        run(execute(database, statement))
        for undo in (wb.undo, wb.undo):
            with pytest.raises(SessionConflict) as caught:
                undo()
            assert caught.value.stored.status_message == "theirs"
        assert wb.get("a").status_message == "theirs"
