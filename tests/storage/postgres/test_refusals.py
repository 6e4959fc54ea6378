"""A trigger, a rule or a policy that keeps a row as it is: a refusal, and not a conflict."""

from __future__ import annotations

from copy import copy
from datetime import UTC, datetime

import pytest

import graphflow_nb as g
from graphflow_nb import Session, SessionConflict, StorageError
from graphflow_nb.storage.postgres import sql

from ...stores import create_table
from .kit import UUID, connect, execute, fetch_value

WORDS = "the database accepted the statement but changed no row: a trigger, rule or policy"
TRIGGER = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
CREATE TRIGGER refuse BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse();
"""


def trigger(event, body="RETURN NULL;", table="sessions"):
    return TRIGGER.format(event=event, body=body, table=table)


#: What lets the trigger above change every row as it is told.
TRIGGER_OF_NOTHING = """
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$
"""


#: What keeps rows as they are, and which of the writes it refuses.
CAUSES = {
    "update": (trigger("UPDATE"), {"change"}),
    "old row": (trigger("UPDATE", "RETURN OLD;"), {"change"}),
    "insert": (trigger("INSERT"), {"create"}),
    "delete": (trigger("DELETE"), {"delete"}),
    "soft delete": (
        trigger(
            "DELETE",
            "UPDATE sessions SET status_message = 'deleted' WHERE id = OLD.id; RETURN NULL;",
        ),
        {"delete"},
    ),
    "all": (trigger("INSERT OR UPDATE OR DELETE"), {"create", "change", "delete"}),
    "rule for updates": ("CREATE RULE r AS ON UPDATE TO sessions DO INSTEAD NOTHING", {"change"}),
    "rule for deletes": ("CREATE RULE r AS ON DELETE TO sessions DO INSTEAD NOTHING", {"delete"}),
    "rule for some": (
        "CREATE RULE r AS ON DELETE TO sessions WHERE old.graph_id = 'default' DO INSTEAD NOTHING",
        {"delete"},
    ),
}


def refused(call):
    """Check that a call is refused, with the words that say so."""
    with pytest.raises(StorageError, match=WORDS) as caught:
        call()
    assert "'a'" in str(caught.value) or caught.value.__cause__ is not None
    return caught.value


#: A rule of a partitioned table rewrites the same statements as one of a table.
CASES = [
    (form, cause)
    for form in ("documented", "crate-0.6", "partitioned")
    for cause in CAUSES
    if form != "partitioned" or "rule" not in cause
]


@pytest.mark.parametrize(("form", "cause"), CASES)
def test_what_is_refused_is_not_a_conflict(database, run, form, cause):
    run(create_table(database, form))
    storage = run(connect(database))
    run(storage.save(Session("a", "t", status_message="before")))
    gone = Session("gone", "t")
    run(storage.save(gone))
    run(storage.delete("gone"))
    statements, kinds = CAUSES[cause]
    run(execute(database, statements))
    session = run(storage.get("a"))
    session.status_message = "mine"
    changes = [
        lambda: run(storage.save(session)),
        lambda: run(storage.save_many([session])),
        lambda: run(storage.upsert(session)),
        lambda: run(storage.upsert(Session("a", "t", status_message="mine"))),
    ]
    creations = [
        lambda: run(storage.save(Session("a2", "t"))),
        lambda: run(storage.save_many([Session("a2", "t")])),
        lambda: run(storage.save_many([Session(f"a{i:03}", "t") for i in range(600)])),
        lambda: run(storage.import_many([Session("a2", "t"), Session("a", "t")])),
        lambda: run(storage.restore(copy(gone))),
    ]
    deletions = [
        lambda: run(storage.delete_many(["a", "missing"])),
        lambda: run(storage.delete_many(["a"], [session.version])),
        lambda: run(storage.delete_unchanged([session])),
        lambda: run(storage.delete("a")),
    ]
    versions = session.version, session.created_at, session.updated_at
    calls = {"change": changes, "create": creations, "delete": deletions}
    for kind in kinds:
        for call in calls[kind]:
            if cause in ("insert", "all") and kind == "create":
                with pytest.raises(StorageError, match=WORDS) as caught:
                    call()
                assert caught.value.nothing_written
            elif cause == "old row":
                session = run(storage.get("a"))
                session.status_message = "mine"
                refused(call)
            else:
                assert refused(call).nothing_written
                assert (session.version, session.created_at, session.updated_at) == versions
    assert [s.id for s in run(storage.query(g.Query(order="id")))] == ["a"]
    (status,) = run(fetch_value(database, "SELECT array_agg(status_message) FROM sessions"))
    assert status == "before"
    run(storage.delete("missing"))
    assert run(storage.delete_many(["missing"])) == []
    assert run(storage.delete_many(["a"], [99])) == []
    assert run(storage.delete_unchanged([gone])) == []
    run(storage.close())


@pytest.mark.parametrize("form", ["documented", "crate-0.5", "crate-0.6"])
def test_a_trigger_that_writes_the_row_itself_is_not_another_writer(database, run, form):
    run(create_table(database, form))
    storage = run(connect(database))
    id = UUID if form == "crate-0.5" else "a"
    run(storage.save(Session(id, "t")))
    run(
        execute(
            database,
            trigger(
                "UPDATE",
                "IF pg_trigger_depth() > 1 THEN RETURN NEW; END IF; UPDATE sessions SET "
                "status_message = 'by the trigger' WHERE id = OLD.id; RETURN NULL;",
            ),
        )
    )
    for save in (storage.save, storage.upsert):
        session = run(storage.get(id))
        session.current_task_id = "mine"
        with pytest.raises(StorageError, match="a trigger of sessions writes the row itself") as e:
            run(save(session))
        assert not isinstance(e.value, SessionConflict)
        assert not e.value.nothing_written
        stored = run(storage.get(id))
        assert (stored.current_task_id, stored.status_message) == ("t", "by the trigger")
    stale = run(storage.get(id))
    session = run(storage.get(id))
    with pytest.raises(StorageError, match=WORDS) as e:
        run(storage.save_many([session]))
    assert e.value.nothing_written
    run(execute(database, "ALTER TABLE sessions DISABLE TRIGGER refuse"))
    run(storage.save(session))
    run(execute(database, "ALTER TABLE sessions ENABLE TRIGGER refuse"))
    run(execute(database, TRIGGER_OF_NOTHING))
    with pytest.raises(SessionConflict):
        run(storage.save(stale))
    run(storage.close())


@pytest.mark.parametrize("form", ["documented", "crate-0.6"])
def test_what_a_trigger_stores_in_a_table_that_inherits_is_stored(database, run, form):
    """As tables were partitioned before PostgreSQL 10."""
    run(create_table(database, form))
    run(execute(database, "CREATE TABLE child (PRIMARY KEY (id)) INHERITS (sessions)"))
    run(execute(database, trigger("INSERT", "INSERT INTO child SELECT NEW.*; RETURN NULL;")))
    storage = run(connect(database))
    one, two = Session("a", "t"), Session("b", "t")
    run(storage.save(one))
    assert run(storage.save_many([two])) == []
    for session in (one, two):
        session.status_message = "changed"
        run(storage.save(session))
        assert run(storage.get(session.id)).status_message == "changed"
    run(storage.delete_many(["a", "b"]))
    run(storage.restore(one))
    assert run(storage.restore_many([two])) == []
    assert run(storage.import_many([Session("c", "t")])) == []
    assert [s.id for s in run(storage.query(g.Query(order="id")))] == ["a", "b", "c"]
    for create in (storage.save, lambda session: storage.save_many([session])):
        other = Session("a", "another")
        with pytest.raises(StorageError, match="child_pkey") as caught:
            run(create(other))
        assert caught.value.nothing_written
        assert other.is_new
    run(storage.close())


@pytest.mark.parametrize("how", ["save", "save_many", "delete_many", "delete_unchanged"])
def test_of_a_batch_nothing_is_written_if_one_is_refused(database, run, how):
    storage = run(connect(database))
    sessions = [Session(name, "t") for name in "abc"]
    run(storage.save_many(sessions))
    run(
        execute(
            database,
            trigger(
                "UPDATE OR DELETE",
                "RETURN CASE WHEN OLD.id <> 'b' THEN "
                "CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END END;",
            ),
        )
    )
    calls = {
        "save": lambda: storage.save(sessions[1]),
        "save_many": lambda: storage.save_many(sessions),
        "delete_many": lambda: storage.delete_many(list("abc")),
        "delete_unchanged": lambda: storage.delete_unchanged(sessions),
    }
    with pytest.raises(StorageError, match=r"'b'\)") as caught:
        run(calls[how]())
    assert caught.value.nothing_written
    assert [s.version for s in run(storage.query(g.Query()))] == [1, 1, 1]
    run(storage.close())


@pytest.mark.parametrize("role", ["hides", "checks"])
def test_policies(server, database, run, role):
    name = f"{role}_{datetime.now(UTC):%H%M%S%f}"
    seen = "USING (id <> 'a')" if role == "hides" else "USING (true) WITH CHECK (id <> 'a')"
    owner = run(connect(database))
    session = Session("a", "t")
    run(owner.save(session))
    run(
        execute(
            database,
            f"CREATE ROLE {name} LOGIN; GRANT ALL ON sessions TO {name}; "
            "ALTER TABLE sessions ENABLE ROW LEVEL SECURITY; "
            "CREATE POLICY reads ON sessions FOR SELECT USING (true); "
            "CREATE POLICY inserts ON sessions FOR INSERT WITH CHECK (true); "
            f"CREATE POLICY updates ON sessions FOR UPDATE {seen}; "
            f"CREATE POLICY deletes ON sessions FOR DELETE USING (id <> 'a')",
        )
    )
    storage = run(connect(database.replace("user=postgres", f"user={name}")))
    session = run(storage.get("a"))
    says = WORDS if role == "hides" else "row-level security"
    for save in (storage.save, lambda s: storage.save_many([s])):
        with pytest.raises(StorageError, match=says) as caught:
            run(save(session))
        assert caught.value.nothing_written
    for delete in (storage.delete("a"), storage.delete_unchanged([session])):
        with pytest.raises(StorageError, match=WORDS):
            run(delete)
    assert run(owner.get("a")).version == 1
    run(storage.close())
    run(owner.close())
    run(execute(database, f"DROP OWNED BY {name}; DROP ROLE {name}"))


def test_a_view_whose_trigger_does_nothing(database, run):
    run(create_table(database, "crate-0.6", "behind"))
    run(execute(database, "CREATE VIEW sessions AS SELECT * FROM behind"))
    storage = run(connect(database))
    session = Session("a", "t")
    run(storage.save(session))
    nothing = trigger("UPDATE OR DELETE").replace("BEFORE", "INSTEAD OF")
    run(execute(database, nothing))
    refused(lambda: run(storage.save(session)))
    refused(lambda: run(storage.save_many([session])))
    refused(lambda: run(storage.delete("a")))
    refused(lambda: run(storage.delete_unchanged([session])))
    run(storage.close())


@pytest.mark.parametrize("form", ["documented", "crate-0.6"])
def test_a_conflict_is_still_one_where_a_trigger_refuses(database, run, form):
    run(create_table(database, form))
    storage = run(connect(database))
    stale = Session("a", "t")
    run(storage.save(stale))
    run(storage.save(run(storage.get("a"))))
    run(execute(database, trigger("UPDATE OR DELETE")))
    with pytest.raises(SessionConflict):
        run(storage.save(stale))
    assert len(run(storage.save_many([stale]))) == 1
    assert run(storage.delete_unchanged([stale])) == []
    run(storage.close())


@pytest.mark.parametrize("form", ["documented", "crate-0.6"])
@pytest.mark.parametrize(
    "body",
    [
        "NEW.status_message := 'by a trigger'; RETURN NEW;",
        "NEW.updated_at := clock_timestamp(); RETURN NEW;",
        "NEW.created_at := '2020-01-01Z'; RETURN NEW;",
        "NEW.updated_at := '2020-01-01Z'; NEW.status_message := 'sealed'; RETURN NEW;",
        "NEW.context := jsonb_set(NEW.context, '{data,seal}', '1'); RETURN NEW;",
        "BEGIN NEW.graph_id := 'g'; EXCEPTION WHEN OTHERS THEN NULL; END; RETURN NEW;",
    ],
)
def test_a_trigger_may_change_what_is_saved(database, run, form, body):
    run(create_table(database, form))
    run(execute(database, trigger("INSERT OR UPDATE", body)))
    storage = run(connect(database))
    session = Session("a", "t", context={"k": 1})
    for _ in range(3):
        run(storage.save(session))
        stored = run(storage.get("a"))
        assert (stored.version, stored.created_at, stored.updated_at) == (
            session.version,
            session.created_at,
            session.updated_at,
        )
    assert run(storage.save_many([session])) == []
    many = [Session(f"b{i:03}", "t") for i in range(600)]
    for _ in range(2):
        assert run(storage.save_many(many)) == []
    assert run(storage.delete_unchanged([session, many[0]])) == ["a", "b000"]
    run(storage.close())


@pytest.mark.parametrize("form", ["documented", "crate-0.6"])
def test_the_workbench_says_it_and_notes_nothing(database, run, form):
    run(create_table(database, form))
    with g.open(database, writable=True) as wb:
        wb.create("a", "t")
        wb.patch("a", [{"op": "replace", "path": "/current_task_id", "value": "t2"}])
        run(execute(database, trigger("INSERT OR UPDATE OR DELETE")))
        noted = wb.journal.index.tolist()
        session = wb.get("a")
        change = [{"op": "replace", "path": "/current_task_id", "value": "t3"}]
        for call in (
            lambda: wb.save(session),
            lambda: wb.upsert(session),
            lambda: wb.patch("a", change),
            lambda: wb.create("b", "t"),
            lambda: wb.get_or_create("b", "t"),
            lambda: wb.delete("a"),
            lambda: wb.delete(["a", "missing"]),
            lambda: wb.delete({"a": session.version}),
            wb.undo,
        ):
            with pytest.raises(StorageError, match=WORDS) as caught:
                call()
            assert caught.value.nothing_written
        assert wb.delete("missing") == []
        assert wb.journal.index.tolist() == noted
        run(execute(database, "DROP TRIGGER refuse ON sessions"))
        assert wb.undo().current_task_id == "t"
        assert wb.undo() is None


def test_a_copy_goes_on_past_what_is_refused(database, run):
    source = g.open("memory:")
    for name in "abc":
        source.create(name, "t")
    with g.open(database, writable=True) as target:
        body = "RETURN CASE WHEN NEW.id <> 'b' THEN NEW END;"
        run(execute(database, trigger("INSERT", body)))
        report = source.copy_to(target)
        assert report.failed["id"].tolist() == ["b"]
        assert WORDS in report.failed["reason"][0]
        assert sorted(target.sessions()["id"]) == ["a", "c"]


def test_an_undo_that_is_refused_leaves_the_write_undoable(database, run):
    with g.open(database, writable=True) as wb:
        wb.create("a", "t")
        wb.delete("a")
        run(execute(database, trigger("INSERT")))
        with pytest.raises(StorageError, match=WORDS):
            wb.undo()
        run(execute(database, "DROP TRIGGER refuse ON sessions"))
        assert wb.undo().id == "a"


def test_on_the_oldest_server(oldest_databases, run):
    with oldest_databases.empty() as url:
        storage = run(connect(url))
        session = Session("a", "t")
        run(storage.save(session))
        run(execute(url, trigger("UPDATE OR DELETE")))
        for call in (
            lambda: storage.save(session),
            lambda: storage.save_many([session]),
            lambda: storage.delete("a"),
            lambda: storage.delete_unchanged([session]),
        ):
            with pytest.raises(StorageError, match=WORDS):
                run(call())
        run(execute(url, "DROP TRIGGER refuse ON sessions"))
        run(execute(url, "UPDATE sessions SET graph_id = graph_id"))
        run(storage.save(session))
        run(execute(url, "UPDATE sessions SET status_message = 'by hand'"))
        with pytest.raises(SessionConflict):
            run(storage.save(session))
        run(storage.close())


def test_servers_without_the_catalogs_of_triggers_and_rules(database, run, monkeypatch):
    """As some have that only speak PostgreSQL's protocol."""
    for name in ("HAS_TRIGGERS", "HAS_RULES"):
        monkeypatch.setattr(sql, name, "SELECT missing_function($1::text)")
    storage = run(connect(database))
    assert run(storage.save_many([Session(f"a{i:03}", "t") for i in range(600)])) == []
    run(execute(database, CAUSES["rule for updates"][0]))
    with pytest.raises(StorageError, match="RETURNING") as caught:
        run(storage.save(run(storage.get("a000"))))
    assert caught.value.nothing_written
    assert storage.form.xmin
    run(storage.close())
