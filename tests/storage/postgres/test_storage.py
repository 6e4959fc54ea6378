"""What is particular to PostgreSQL: table forms, rights, schemas, migration, dying servers."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb import PostgresSessionStorage, Query, Session, SessionConflict, StorageError
from graphflow_nb.model.times import UNKNOWN_TIME
from graphflow_nb.storage.postgres.table import OpenTable

from ...conftest import create_table

connect = PostgresSessionStorage.connect
UUID = "00000000-0000-4000-8000-000000000001"


async def execute(url: str, statement: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(statement, *arguments)
    finally:
        await connection.close()


def columns(url: str, run, table: str = "sessions") -> dict[str, str]:
    rows = run(
        execute(
            url,
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = "
            "$1::text::regclass AND attnum > 0 AND NOT attisdropped",
            table,
        )
    )
    return dict(map(tuple, rows))


def test_a_missing_table_is_created_as_graph_flow_0_6_does(database, run):
    storage = run(connect(database))
    found = columns(database, run)
    assert found["id"] == "text"
    assert found["version"] == "bigint"
    assert found["context"] == "jsonb"
    run(storage.close())


def test_two_may_create_the_table_at_once(database, run):
    async def both():
        return await asyncio.gather(*(connect(database) for _ in range(6)))

    for storage in run(both()):
        run(storage.close())


def test_a_missing_table_is_not_created_when_reading(database, run):
    with pytest.raises(StorageError, match="no table sessions"):
        run(connect(database, read_only=True))
    with pytest.raises(asyncpg.UndefinedTableError):
        columns(database, run)


@pytest.mark.parametrize("form", ["documented", "crate-0.5", "crate-0.6"])
def test_an_existing_table_is_never_altered(database, run, form):
    run(create_table(database, form))
    before = columns(database, run)
    storage = run(connect(database))
    session = Session(UUID, "t")
    run(storage.save(session))
    run(storage.save(session))
    run(storage.upsert(session))
    run(storage.delete(session.id))
    assert columns(database, run) == before
    assert storage.form.uuid == (form == "crate-0.5")
    assert storage.form.versioned == (form == "crate-0.6")
    run(storage.close())


@pytest.mark.parametrize("form", ["documented", "crate-0.5", "crate-0.6"])
def test_migration_is_shown_and_then_applied(database, run, form):
    run(create_table(database, form))
    storage = run(connect(database))
    session = Session(UUID, "t", context={"n": 2**60})
    run(storage.save(session))
    before = columns(database, run)
    plan = run(storage.plan_migration())
    assert columns(database, run) == before
    assert len(plan.statements) == {"documented": 1, "crate-0.5": 2, "crate-0.6": 0}[form]
    done = run(storage.migrate())
    assert done == plan
    found = columns(database, run)
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


def test_a_row_at_version_0_can_be_saved_but_not_by_a_new_session(database, run):
    run(create_table(database, "crate-0.6"))
    storage = run(connect(database))
    run(
        execute(
            database,
            "INSERT INTO sessions (id, graph_id, current_task_id, context) "
            """VALUES ('a', 'g', 't', '{"data": {}}')""",
        )
    )
    with pytest.raises(SessionConflict, match="exists already"):
        run(storage.save(Session("a", "t")))
    session = run(storage.get("a"))
    assert session.version == 0
    run(storage.save(session))
    assert session.version == 1
    run(storage.close())


@pytest.mark.parametrize("form", ["documented", "crate-0.5"])
def test_a_worker_that_migrates_meanwhile_is_noticed(database, run, form):
    run(create_table(database, form))
    storage = run(connect(database))
    session = Session(UUID, "t")
    run(storage.save(session))
    if form == "crate-0.5":
        run(execute(database, "ALTER TABLE sessions ALTER COLUMN id TYPE TEXT"))
    run(execute(database, "ALTER TABLE sessions ADD COLUMN version BIGINT NOT NULL DEFAULT 0"))
    with pytest.raises(SessionConflict):  # a save that did not count up would be lost
        run(storage.save(session))
    session = run(storage.get(UUID))
    run(storage.save(session))
    assert session.version == 1
    assert run(execute(database, "SELECT version FROM sessions"))[0][0] == 1
    run(storage.close())


def test_an_upsert_notices_it_too(database, run):
    run(create_table(database, "documented"))
    storage = run(connect(database))
    session = Session("a", "t")
    run(storage.save(session))
    run(execute(database, "ALTER TABLE sessions ADD COLUMN version BIGINT NOT NULL DEFAULT 0"))
    run(storage.upsert(session))
    assert session.version == 1
    assert run(execute(database, "SELECT version FROM sessions"))[0][0] == 1
    run(storage.close())


def test_rows_that_others_change_by_hand_conflict_on_a_table_without_version(database, run):
    run(create_table(database, "documented"))
    storage = run(connect(database))
    session = Session("a", "t")
    run(storage.save(session))
    run(execute(database, "UPDATE sessions SET status_message = 'by hand'"))
    with pytest.raises(SessionConflict):
        run(storage.save(session))
    run(execute(database, "VACUUM FREEZE sessions"))
    session = run(storage.get("a"))
    run(execute(database, "VACUUM FULL sessions"))
    run(storage.save(session))
    run(storage.close())


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("flows.sessions", "flows.sessions"),
        ('"Odd ""Schema"""."my.Table"', '"Odd ""Schema"""."my.Table"'),
        ("SESSIONS", "sessions"),
    ],
)
def test_other_tables(database, run, name, sql):
    run(execute(database, "CREATE SCHEMA flows"))
    run(execute(database, 'CREATE SCHEMA "Odd ""Schema"""'))
    storage = run(connect(database, table=name))
    session = Session("a", "t")
    run(storage.save(session))
    run(storage.save(session))
    run(storage.upsert(session))
    assert run(execute(database, f"SELECT version FROM {sql}"))[0][0] == 3
    assert len(run(storage.table(Query()))) == 1
    run(storage.close())


@pytest.mark.parametrize("name", ["", "a b", "a.b.c.d", "x; DROP TABLE y", "missing.sessions", "'"])
def test_names_that_are_no_tables(database, run, name):
    with pytest.raises(StorageError):
        run(connect(database, table=name))


def test_a_table_of_something_else_is_refused(database, run):
    run(execute(database, "CREATE TABLE sessions (id SERIAL PRIMARY KEY, context TEXT)"))
    with pytest.raises(StorageError, match="graph_id is missing"):
        run(connect(database))


def test_a_table_without_a_key_is_refused(database, run):
    run(create_table(database, "crate-0.6"))
    run(execute(database, "ALTER TABLE sessions DROP CONSTRAINT sessions_pkey"))
    with pytest.raises(StorageError, match="unique index"):
        run(connect(database))


def test_reading_only_holds_in_the_database_too(database, run, monkeypatch):
    run(run_and_close(database))
    storage = run(connect(database, read_only=True))
    session = run(storage.get("a"))
    for write in (storage.save(session), storage.upsert(session), storage.delete("a")):
        with pytest.raises(g.ReadOnlyError):
            run(write)
    with pytest.raises(g.ReadOnlyError):
        run(storage.migrate())
    monkeypatch.setattr(OpenTable, "check_writable", lambda table: None)
    with pytest.raises(g.ReadOnlyError):
        run(storage.delete("a"))
    assert run(storage.get("a")) is not None
    run(storage.close())


async def run_and_close(url: str) -> None:
    storage = await connect(url)
    await storage.save(Session("a", "t"))
    await storage.close()


def test_what_a_uuid_column_cannot_hold(database, run):
    run(create_table(database, "crate-0.5"))
    storage = run(connect(database))
    for call in (
        lambda: storage.save(Session("no uuid", "t")),
        lambda: storage.get("no uuid"),
        lambda: storage.delete("no uuid"),
    ):
        with pytest.raises(StorageError, match="'no uuid' is not a UUID"):
            run(call())
    run(storage.close())


@pytest.mark.parametrize("field", ["id", "graph_id", "current_task_id", "status_message"])
def test_text_that_postgresql_cannot_hold(database, run, field):
    storage = run(connect(database))
    session = Session("a", "t")
    setattr(session, field, "a\0b")
    with pytest.raises(StorageError, match=field):
        run(storage.save(session))
    run(storage.close())


def test_contexts_that_jsonb_cannot_hold(database, run):
    storage = run(connect(database))
    for value in ("a\0b", {"\0": 1}, ["\\\0"]):
        with pytest.raises(StorageError, match=r"context .*U\+0000"):
            run(storage.save(Session("a", "t", context={"k": value})))
        with pytest.raises(StorageError, match=r"U\+0000"):
            run(storage.count(Query(context={"k": value})))
    for literal in ("1e200000", "1e-20000", "-1.5E+131073", "1e99999999999999999999"):
        session = Session("a", "t")
        session = session.with_context_json('{"data":{"k":%s}}' % literal)
        with pytest.raises(StorageError, match="number"):
            run(storage.save(session))
    session = Session("a", "t")
    session = session.with_context_json('{"data":{"k":[1e99999]}')
    with pytest.raises(StorageError, match="json"):
        run(storage.save(session))
    harmless = {"k": ["\\u0000", "12e99999", "a\\0"]}
    run(storage.save(Session("a", "t", context=harmless)))
    assert dict(run(storage.get("a")).context) == harmless
    run(storage.close())


def test_versions_beyond_bigint(database, run):
    storage = run(connect(database))
    with pytest.raises(StorageError, match="BIGINT"):
        run(storage.save(Session("a", "t", version=2**63)))
    run(storage.close())


def test_times_that_are_unknown_or_infinite(database, run):
    storage = run(connect(database))
    for name, updated in (("a", None), ("b", "infinity"), ("c", "-infinity"), ("d", "2026-01-01")):
        run(storage.save(Session(name, "t")))
        value = "NULL" if updated is None else f"'{updated}'"
        run(execute(database, f"UPDATE sessions SET updated_at = {value} WHERE id = '{name}'"))
    table = run(storage.table(Query(order="id")))
    assert (table.updated == UNKNOWN_TIME).tolist() == [True, False, False, False]
    wb = g.open(database)
    assert wb.sessions(order="id")["updated_at"].isna().tolist() == [True, True, True, False]
    wb.summary()
    assert wb.get("b").updated_at is None
    for order in ("updated_at", "-updated_at"):
        pages, after = [], None
        for _ in range(9):
            page = run(storage.table(Query(order=order, limit=1, after=after)))
            pages += page.id
            after = page.next
            if after is None:
                break
        assert pages == (["c", "d", "b", "a"] if order == "updated_at" else ["a", "b", "d", "c"])
    assert "4 sessions" in repr(wb)
    wb.close()
    run(storage.close())


SECRET = "s3cr:t@/?#pw"
QUOTED = "s3cr%3At%40%2F%3F%23pw"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{SECRET}@127.0.0.1:1/db",
        f"postgresql://u:{QUOTED}@127.0.0.1:1/db",
        f"postgresql://u@127.0.0.1:1/db?password={QUOTED}",
        f"postgresql://u:{QUOTED}@127.0.0.1:99999999/db",
        f"postgresql://u:{QUOTED}@127.0.0.1:1/db?sslmode=nonsense",
        f"postgresqll://u:{QUOTED}@127.0.0.1:1/db",
        f"postgresql://u:{QUOTED}@[::1:1/db",
        f"mysql://u:{QUOTED}@127.0.0.1/db",
        f"postgresql://me@corp.example:{QUOTED}@127.0.0.1:1/db",
        "postgresql://u:?s3cr@127.0.0.1:1/db",
        "postgresql://u:123?s3cr@127.0.0.1:1/db",
        "postgresql:u:s3cr@127.0.0.1/db",
        "postgresql:/u:s3cr@127.0.0.1/db",
        "//u:s3cr@127.0.0.1/db",
        "u:s3cr@127.0.0.1/db",
        "host=127.0.0.1 password=s3cr dbname=x",
    ],
)
def test_passwords_appear_nowhere(url, caplog, monkeypatch):
    import traceback

    from graphflow_nb.storage.url import redact

    caplog.set_level(logging.DEBUG)
    with pytest.raises(StorageError) as caught:
        g.open(url)
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(StorageError):
        g.open()
    asyncio.run(g.connect_from_env())  # falls back to memory, with a warning
    said = "".join(traceback.format_exception(caught.value)) + caplog.text + redact(url)
    assert "using memory" in caplog.text
    for secret in (SECRET, QUOTED, "s3cr"):
        assert secret not in said


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://worker@db.example:5432/flows",
        "postgresql://db.example:5432/flows",
        "postgresql://u@h/db",
        "postgresql:///db?host=%2Ftmp&user=postgres",
        "sqlite:a:b.db",
    ],
)
def test_what_holds_no_password_is_said_as_it_is(url):
    from graphflow_nb.storage.url import redact

    assert redact(url) == url
    assert redact(url, f"no {url}") == f"no {url}"


def test_the_wrong_password_is_not_repeated(server, database, run):
    storage = run(connect(f"{database}&password={QUOTED}"))
    assert "s3cr" not in repr(storage)
    assert "s3cr" not in repr(g.MonitoredStorage(storage))
    run(storage.close())


def test_a_storage_belongs_to_its_loop(database, run):
    storage = run(connect(database))
    with pytest.raises(g.BridgeError, match=r"open\(url\)"):
        asyncio.run(storage.get("a"))
    assert run(storage.get("a")) is None
    run(storage.close())


def test_a_silent_server_times_out(database, run):
    storage = run(connect(database, timeout=0.3))
    run(storage.save(Session("a", "t")))

    async def blocked() -> None:
        other = await asyncpg.connect(database)
        async with other.transaction():
            await other.execute("SELECT * FROM sessions FOR UPDATE")
            with pytest.raises(g.StorageTimeout):
                await storage.save(await storage.get("a"))
        await other.close()

    run(blocked())
    run(storage.save(run(storage.get("a"))))
    run(storage.close())


def test_closed_connections_are_replaced(database, run):
    storage = run(connect(database))
    run(storage.save(Session("a", "t")))
    run(
        execute(
            database,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'graphflow_nb' AND datname = current_database()",
        )
    )
    run(asyncio.sleep(0.1))
    assert run(storage.get("a")) is not None
    run(storage.close())


def test_a_server_that_takes_no_more_connections_may_do_so_later(database, run):
    first = run(connect(database))
    role = f"few_{os.urandom(4).hex()}"
    run(execute(database, f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1"))
    run(execute(database, f"GRANT SELECT ON sessions TO {role}"))
    few = run(connect(database.replace("user=postgres", f"user={role}")))
    with pytest.raises(g.StorageUnavailable, match="too many connections"):
        run(both(few))
    run(few.close())
    run(first.close())


async def both(storage: PostgresSessionStorage) -> None:
    await asyncio.gather(storage.get("a"), storage.get("b"))


def test_more_callers_than_connections(database, run):
    storage = run(connect(database, max_connections=2))

    async def many() -> None:
        await asyncio.gather(*(storage.save(Session(f"s{i}", "t")) for i in range(50)))

    run(many())
    assert run(storage.count(Query())) == 50
    held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'graphflow_nb' "
    held += "AND datname = current_database()"
    assert run(execute(database, held))[0][0] <= 2
    run(storage.close())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGQUIT])
def test_a_server_that_dies_in_the_middle_of_saves(number):
    """What returned is there, what did not raised, and the workbench goes on by itself."""
    with g.local_postgres() as server:
        wb = g.open(server.url, writable=True, timeout=5)
        returned: list[str] = []
        raised: list[BaseException] = []
        stop = threading.Event()

        def save(worker: int) -> None:
            n = 0
            while not stop.is_set():
                n += 1
                try:
                    wb.create(f"{worker}-{n}", "t", context={"n": n})
                    returned.append(f"{worker}-{n}")
                except StorageError as error:
                    raised.append(error)
                    time.sleep(0.01)
                except BaseException as error:
                    raised.append(error)
                    raise

        threads = [threading.Thread(target=save, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(2):
            time.sleep(0.5)
            before = len(returned)
            assert server.pid is not None
            os.kill(server.pid, number)
            while server.running:
                time.sleep(0.01)
            time.sleep(0.2)
            server.start()
        time.sleep(0.5)
        stop.set()
        for thread in threads:
            thread.join()
        assert len(returned) > before > 10
        assert raised
        assert {type(error) for error in raised} <= {g.StorageUnavailable, g.StorageTimeout}
        stored = set(wb.sessions(limit=None)["id"])
        assert stored >= set(returned)
        assert len(stored) <= len(returned) + len(raised)
        wb.close()
