"""The database itself notes each version that anyone commits."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.history import HistoryStorage, Retention, history_of

from ..stores import Store, create_table, empty_store

Run = Callable[[Coroutine[Any, Any, Any]], Any]

KINDS = ("sqlite", "documented", "crate-0.5", "crate-0.6", "partitioned")
SAVE = (
    "INSERT INTO sessions (id, graph_id, current_task_id, context) VALUES ($1, 'g', $2, $3) "
    "ON CONFLICT (id) DO UPDATE SET current_task_id = $2, context = $3"
)
CONTEXT = '{"data": {}, "chat_history": {"messages": [], "max_messages": 1000}}'


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with empty_store(request.param, request, tmp_path) as store:
        yield store


@pytest.fixture
def storage(store: Store, run: Run) -> Iterator[Any]:
    storage = run(store.open())
    yield storage
    run(storage.close())


def kept(run: Run, storage: Any, id: str) -> list[tuple[Any, ...]]:
    versions = run(history_of(storage).versions(id))
    return [(v.number, v.current_task_id, v.deleted, v.source) for v in reversed(versions)]


def test_each_save_and_delete_is_noted_whoever_makes_it(run: Run, store: Store, storage: Any):
    table = storage.history_table
    run(table.create_trigger(None))
    assert run(table.is_triggered())
    id = store.id("a")
    session = Session(id, "one", context={"n": 1.5})
    run(storage.save(session))
    session.current_task_id = "two"
    run(storage.save(session))
    other: Any = HistoryStorage(run(store.open()))  # does not note the same twice
    run(other.upsert(Session(id, "three", context={"x": "y"})))
    run(other.save_many([Session(store.id("b"), "one"), Session(store.id("c"), "one")]))
    run(other.delete(id))
    run(other.close())
    trigger = "trigger"
    assert kept(run, storage, id) == [
        (1, "one", False, trigger),
        (2, "two", False, trigger),
        (3, "three", False, trigger),
        (4, "three", True, trigger),
    ]
    assert len(kept(run, storage, store.id("b"))) == 1
    found = run(history_of(storage).session_at(id, 2))
    assert found.context["n"] == 1.5


def test_what_is_rolled_back_is_no_version(run: Run, store: Store, storage: Any):
    run(storage.history_table.create_trigger(None))
    id = store.id("a")
    run(storage.save(Session(id, "one")))
    with pytest.raises(g.SessionConflict):
        run(storage.save(Session(id, "again")))
    assert kept(run, storage, id) == [(1, "one", False, "trigger")]


def test_older_versions_go_with_later_saves(run: Run, store: Store, storage: Any):
    run(storage.history_table.create_trigger(5))
    id = store.id("a")
    session = Session(id, "t0")
    for n in range(40):
        session.current_task_id = f"t{n}"
        run(storage.save(session))
    numbers = [number for number, *_ in kept(run, storage, id)]
    assert numbers == list(range(numbers[0], 41))
    assert 5 <= len(numbers) <= 5 + 16
    assert run(history_of(storage).session_at(id, 40)).current_task_id == "t39"


def test_older_versions_go_by_age_too(run: Run, store: Store, storage: Any):
    table = storage.history_table
    run(table.create_trigger(None, timedelta(days=30)))
    id = store.id("a")
    session = Session(id, "one")
    for _ in range(15):
        run(storage.save(session))
    days = 86_400_000_000
    aged = [
        row._replace(at=row.at - days * (40 - row.number))  # 39 to 25 days ago
        for row in run(table.read(id))[::-1]
    ]
    run(table.drop())
    run(table.create_trigger(None, timedelta(days=30)))
    run(table.append(aged))
    run(storage.save(session))
    # The tenth was what was stored 30 days ago.
    assert [number for number, *_ in kept(run, storage, id)] == [*range(10, 17)]


def test_installed_again_it_has_the_new_bound_and_removed_it_notes_no_more(
    run: Run, store: Store, storage: Any
):
    table, id = storage.history_table, store.id("a")
    run(table.create_trigger(5))
    run(table.create_trigger(None))
    session = Session(id, "t")
    for _ in range(20):
        run(storage.save(session))
    assert len(kept(run, storage, id)) == 20
    run(table.drop_trigger())
    run(table.drop_trigger())
    assert not run(table.is_triggered())
    run(storage.save(session))
    assert len(kept(run, storage, id)) == 20
    run(table.create_trigger(None))
    run(table.drop())
    assert not run(table.exists())
    run(storage.save(session))  # nothing is left that could fail


@pytest.fixture
def connect(database: str, run: Run) -> Iterator[Callable[..., Any]]:
    opened: list[Any] = []

    def connect(**options: Any) -> Any:
        opened.append(run(asyncpg.connect(database, **options)))
        return opened[-1]

    yield connect
    for connection in opened:
        run(connection.close())


def test_a_worker_needs_no_right_on_the_history(database: str, run: Run, connect: Any):
    run(create_table(database, "documented"))
    storage = run(g.connect(database))
    run(storage.history_table.create_trigger(100))
    owner = connect()
    run(owner.execute("CREATE ROLE worker_of_history LOGIN"))
    try:
        run(owner.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO worker_of_history"))
        worker = connect(user="worker_of_history")
        run(worker.execute("SET application_name = 'claims worker'"))
        run(worker.execute(SAVE, "a", "one", CONTEXT))
        run(worker.execute("DELETE FROM sessions WHERE id = 'a'"))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            run(worker.fetch("SELECT * FROM sessions_history"))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            run(worker.execute("DELETE FROM sessions_history"))
    finally:
        run(owner.execute("REASSIGN OWNED BY worker_of_history TO CURRENT_USER"))
        run(owner.execute("DROP OWNED BY worker_of_history"))
        run(connect().execute("DROP ROLE worker_of_history"))
    versions = run(history_of(storage).versions("a"))
    assert [v.deleted for v in versions] == [True, False]
    assert versions[0].writer.startswith("claims worker worker_of_history ")
    run(storage.close())


def test_a_name_that_someone_put_in_the_way_is_not_called(database: str, run: Run, connect: Any):
    run(create_table(database, "documented"))
    storage = run(g.connect(database))
    run(storage.history_table.create_trigger(5, timedelta(days=30)))
    other = connect()
    run(
        other.execute(
            "CREATE SCHEMA theirs; CREATE FUNCTION theirs.max(bigint) RETURNS bigint "
            "LANGUAGE sql AS 'SELECT 1/0'; CREATE TYPE theirs.text AS ENUM ('x'); "
            "CREATE TYPE theirs.interval AS ENUM ('x')"
        )
    )
    for name in ("clock_timestamp", "pg_backend_pid"):
        create = f"CREATE FUNCTION theirs.{name}() RETURNS bigint LANGUAGE sql AS 'SELECT 1/0'"
        run(other.execute(create))
    operators = run(
        other.fetch(
            "SELECT oprname, oprleft::regtype::text AS a, oprright::regtype::text AS b, "
            "oprresult::regtype::text AS r FROM pg_operator WHERE oprkind = 'b' "
            "AND oprname IN ('=', '<>', '<', '<=', '+', '-', '%') AND oprleft IN ('text'::regtype, "
            "'bigint'::regtype, 'integer'::regtype, 'timestamptz'::regtype, 'name'::regtype)"
        )
    )
    assert len(operators) > 50
    for number, (name, left, right, result) in enumerate(operators):
        run(
            other.execute(
                f"CREATE FUNCTION theirs.f{number}({left}, {right}) RETURNS {result} LANGUAGE "
                f"plpgsql AS $$ BEGIN RAISE 'called'; END $$; CREATE OPERATOR theirs.{name} "
                f"(FUNCTION = theirs.f{number}, LEFTARG = {left}, RIGHTARG = {right})"
            )
        )
    run(other.execute("SET search_path = theirs, public, pg_catalog"))
    save = SAVE.replace("ON CONFLICT (id)", "ON CONFLICT ON CONSTRAINT sessions_pkey")
    for number in range(32):
        run(other.execute(save, "a", f"{number}", CONTEXT))
    assert len(kept(run, storage, "a")) == 5
    run(storage.close())


def test_a_table_that_is_migrated_is_saved_to_in_connections_of_before(
    database: str, run: Run, connect: Any
):
    """As graph-flow 0.6 does it at its start, beside workers of 0.5 that go on."""
    run(create_table(database, "crate-0.5"))
    storage = run(g.connect(database))
    run(storage.history_table.create_trigger(None))
    worker = connect(statement_cache_size=0)
    id = "0f6a4c4e-3b36-4d13-8f9f-0d5a3a6a1f00"
    save = SAVE.replace("$1,", "$1::text::uuid,", 1)
    run(worker.execute(save, id, "one", CONTEXT))
    run(connect().execute("ALTER TABLE sessions ALTER COLUMN id TYPE TEXT USING id::text"))
    run(connect().execute("ALTER TABLE sessions ADD COLUMN version BIGINT NOT NULL DEFAULT 0"))
    run(worker.execute(SAVE, id, "two", CONTEXT))
    run(worker.execute("DELETE FROM sessions"))
    assert [task for _, task, *_ in kept(run, storage, id)] == ["one", "two", "two"]
    run(storage.close())


def test_writers_side_by_side_have_each_version_once_and_in_order(
    database: str, run: Run, connect: Any
):
    run(create_table(database, "documented"))
    storage = run(g.connect(database))
    run(storage.history_table.create_trigger(None))
    writers = [connect() for _ in range(4)]

    async def write(number: int) -> None:
        for n in range(40):
            if n % 10 == 9:
                await writers[number].execute("DELETE FROM sessions WHERE id = 'a'")
            await writers[number].execute(SAVE, "a", f"{number}-{n}", CONTEXT)

    async def all_of_them() -> None:
        await asyncio.gather(*(write(number) for number in range(4)))

    run(all_of_them())
    versions = run(history_of(storage).versions("a", limit=None))[::-1]
    assert [v.number for v in versions] == list(range(1, len(versions) + 1))
    saved = [v.current_task_id for v in versions if not v.deleted]
    assert sorted(saved) == sorted(f"{w}-{n}" for w in range(4) for n in range(40))
    for w in range(4):  # each writer's saves are in its own order
        mine = [int(task.split("-")[1]) for task in saved if task.startswith(f"{w}-")]
        assert mine == list(range(40))
    stored = run(storage.get("a"))
    assert versions[-1].current_task_id == stored.current_task_id
    run(storage.close())


def test_the_workbench_shows_installs_prunes_and_removes_it(tmp_path: Path):
    wb = g.open(f"sqlite:{tmp_path}/s.db", create=True)
    plan = wb.plan_history()
    assert "CREATE TRIGGER" in str(plan)
    with pytest.raises(g.StorageError, match=r"wb\.install_history\(\)"):
        wb.history("a")
    assert wb.install_history().statements == plan.statements
    session = wb.create("a", "one")
    with sqlite3.connect(tmp_path / "s.db") as worker:
        worker.execute("UPDATE sessions SET current_task_id = 'two'")
    frame = wb.history("a")
    assert frame["current_task_id"].tolist() == ["two", "one"]
    assert set(frame["source"]) == {"trigger"}
    assert wb.at("a", 1).context == session.context
    assert wb.compact_history() == 1
    assert wb.compact_history() == 0
    assert wb.at("a", 1).context == session.context
    assert wb.prune_history(versions=1, dry_run=True).versions == 1
    assert len(wb.history("a")) == 2
    assert wb.prune_history(versions=1, age=None).versions == 1
    assert wb.history("a").index.tolist() == [2]
    for wrong in ({"versions": 0}, {"versions": True}, {"age": "soon"}):
        with pytest.raises(g.QueryError):
            wb.prune_history(**wrong)
    with pytest.raises(g.QueryError):
        wb.install_history(versions=0)
    removed = wb.remove_history()
    assert "1 version" in removed.note
    assert "is lost" in removed.note
    assert wb.get("a").current_task_id == "two"
    wb.close()
    reading = g.open(f"sqlite:{tmp_path}/s.db", writable=False)
    assert "CREATE TRIGGER" in str(reading.plan_history())
    for call in (
        reading.install_history,
        reading.remove_history,
        reading.prune_history,  # also where there is nothing to remove, or no history
        reading.compact_history,
    ):
        with pytest.raises(g.ReadOnlyError):
            call()
    reading.close()


def test_where_there_are_no_triggers_the_workbench_notes_what_it_writes():
    wb = g.open("demo")
    wb.install_history()
    session = wb.get("claim-0014")
    session.status_message = "seen"
    wb.save(session)
    assert wb.history("claim-0014")["source"].tolist() == ["written"]
    assert wb.timeline().stays["id"].tolist() == ["claim-0014"]


def test_where_there_are_no_triggers_the_workbench_keeps_to_the_bounds():
    wb = g.open("memory:")
    wb.install_history(versions=50)
    wb.install_history(versions=20)  # the new bound
    session = wb.create("a", "one", context={"pad": "x" * 300})
    for n in range(100):
        session.context["n"] = n
        wb.save(session)
    wb.bridge.run(wb.storage.inner.settle())
    numbers = wb.history("a", limit=1000).index
    assert 20 <= len(numbers) < 20 + 32
    would_go = wb.prune_history(versions=20, dry_run=True).versions
    assert would_go == len(numbers) - 20
    assert wb.at("a", 101).context["n"] == 99
    wb.install_history(versions=None, age=None)
    for _ in range(100):
        wb.save(session)
    assert len(wb.history("a", limit=1000)) == len(numbers) + 100
    assert isinstance(wb.storage.inner, HistoryStorage)
    wb.remove_history()
    assert isinstance(wb.storage.inner, g.InMemorySessionStorage)
    wb.save(session)
    with pytest.raises(g.HistoryError):
        wb.history("a")
    with pytest.raises(g.QueryError, match="age must be a duration above 0"):
        wb.install_history(age="0 s")


def test_what_is_kept_elsewhere_gets_no_trigger_but_the_new_bounds(tmp_path: Path):
    file = g.open(f"sqlite:{tmp_path}/history.db", create=True)
    archive = history_of(file.storage.inner)
    storage = HistoryStorage(g.InMemorySessionStorage(), archive=archive)
    wb = g.wrap(storage)
    assert "TRIGGER" not in str(wb.plan_history())
    wb.install_history(versions=7)
    assert storage.retention == Retention(versions=7)
    wb.create("a", "one")
    assert wb.history("a")["source"].tolist() == ["written"]
    assert len(file.sessions()) == 0
    wb.close()
    file.close()
