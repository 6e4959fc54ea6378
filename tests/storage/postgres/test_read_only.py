"""Nothing that is opened for reading only can write, whatever other roles have put in its way."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb import Query, StorageError
from graphflow_nb.storage.postgres.link import ReadOnlyLink

from ...scope import COMPLETE, need
from ...stores import create_table
from .kit import connect, execute, fetch, fetch_value

#: What a hostile function does when it is run.
PAYLOADS = {
    "delete": "DELETE FROM public.trophy;",
    "switch": "PERFORM set_config('default_transaction_read_only', 'off', false);"
    " DELETE FROM public.trophy;",
    "switch, write later": "IF current_setting('transaction_read_only') = 'off' THEN"
    " DELETE FROM public.trophy; END IF;"
    " PERFORM set_config('default_transaction_read_only', 'off', false);",
    "reset": "IF current_setting('transaction_read_only') = 'off' THEN"
    " DELETE FROM public.trophy; END IF; RESET default_transaction_read_only;",
    "this transaction": "PERFORM set_config('transaction_read_only', 'off', true);"
    " DELETE FROM public.trophy;",
    "in a subtransaction": "BEGIN SET TRANSACTION READ WRITE; EXCEPTION WHEN OTHERS THEN NULL; END;"
    " BEGIN DELETE FROM public.trophy; EXCEPTION WHEN OTHERS THEN NULL; END;"
    " SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE;",
    "another path": "IF current_setting('transaction_read_only') = 'off' THEN"
    " DELETE FROM public.trophy; END IF; PERFORM set_config('search_path', 'public', false);"
    " PERFORM set_config('default_transaction_read_only', 'off', false);",
}


def _function(name: str, result: str, value: str) -> str:
    return (
        f"CREATE FUNCTION public.{name} RETURNS {result} LANGUAGE plpgsql AS "
        f"$f$ BEGIN {{payload}} RETURN {value}; END $f$;"
    )


_VIEW = "ALTER TABLE sessions RENAME TO behind; CREATE VIEW sessions AS SELECT {} FROM behind{};"
_ALL = "id, graph_id, current_task_id, status_message, context, version, created_at, updated_at"
_STEAL = _function("steal()", "boolean", "true")
#: Where the payload is, and whether the reader may be a superuser.
CARRIERS = {
    "a function of a varchar": _function("strpos(varchar, text)", "int", "1"),
    "another function": _function("octet_length(varchar)", "int", "1")
    + _function("lower(varchar)", "text", "'x'")
    + _function("concat_ws(text, text, text)", "text", "'x'"),
    "an operator": _function("eq(varchar, text)", "boolean", "true")
    + "CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = text, FUNCTION = public.eq);"
    + _function("like(varchar, varchar)", "boolean", "true")
    + "CREATE OPERATOR public.~~ (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = public.like);",
    "a type": _STEAL + "CREATE DOMAIN public.text AS varchar CHECK (public.steal());"
    "CREATE DOMAIN public.bytea AS varchar CHECK (public.steal());",
    "an aggregate": _function("step(bigint, varchar)", "bigint", "1")
    + "CREATE AGGREGATE public.count (varchar) (SFUNC = public.step, STYPE = bigint);"
    "CREATE AGGREGATE public.min (varchar) (SFUNC = public.step, STYPE = bigint);",
    "a view": _STEAL + _VIEW.format(_ALL, " WHERE public.steal()"),
    "a column of a view": _function("task(varchar)", "text", "$1")
    + _VIEW.format(_ALL.replace("current_task_id", "task(current_task_id) AS current_task_id"), ""),
    "a policy": _STEAL + "ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY p ON sessions USING (public.steal());",
}


async def _read_everything(storage: Any) -> None:
    """Call all that reads, twice: what one call began, another could end."""
    for _ in range(2):
        for read in (
            lambda: storage.get("a"),
            lambda: storage.raw("a"),
            lambda: storage.query(Query(status="s", text="t", id_prefix="a", ids=["a", "b"])),
            lambda: storage.query(Query(graph="g", task="t", context={"n": 1}, has=["n"])),
            lambda: storage.table(Query(order="id", limit=1), [("n",)]),
            lambda: storage.table(Query(status="s")),
            lambda: storage.count(Query(task="t")),
            lambda: storage.counts(Query()),
            storage.slow_orders,
            storage.facts,
            storage.plan_migration,
        ):
            with suppress(StorageError):
                await read()


@pytest.fixture
def attacked(database: str, run: Any) -> str:
    """A database with a session in columns of type varchar, and a table to be protected."""
    run(
        execute(
            database,
            "CREATE TABLE sessions (id TEXT PRIMARY KEY, graph_id VARCHAR NOT NULL, "
            "current_task_id VARCHAR NOT NULL, status_message VARCHAR, context JSONB NOT NULL, "
            "version BIGINT NOT NULL DEFAULT 0, created_at TIMESTAMPTZ DEFAULT now(), "
            "updated_at TIMESTAMPTZ DEFAULT now());"
            "CREATE TABLE trophy AS SELECT 1 AS one; GRANT ALL ON trophy, sessions TO public;",
        )
    )
    text = '{"data": {"n": 1}, "chat_history": {"messages": [], "max_messages": 9}}'
    run(
        execute(
            database,
            f"INSERT INTO sessions VALUES ('a', 'g', 't', 's', '{text}', 1), "
            f"('b', 'g', 't', 's', '{text}', 1)",
        )
    )
    return database


CHECKSUM = (
    "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM "
    "(SELECT one::text FROM trophy UNION ALL SELECT id || version || context::text FROM {}) AS t"
)
ATTEMPTS = [*product(CARRIERS, PAYLOADS)]
if not COMPLETE:
    ATTEMPTS = [(carrier, list(PAYLOADS)[i % 7]) for i, carrier in enumerate(CARRIERS)]


@pytest.mark.parametrize(("carrier", "payload"), ATTEMPTS)
def test_nothing_that_is_run_as_the_reader_can_write(attacked, run, carrier, payload):
    role = attacked.rpartition("/")[2].partition("?")[0] + "_reader"
    run(execute(attacked, CARRIERS[carrier].format(payload=PAYLOADS[payload])))
    run(execute(attacked, f"CREATE ROLE {role} LOGIN; GRANT ALL ON sessions, trophy TO {role}"))
    stored = "behind" if carrier in ("a view", "a column of a view") else "sessions"
    before = run(fetch_value(attacked, CHECKSUM.format(stored)))
    for url in (attacked, attacked.replace("user=postgres", f"user={role}")):
        with suppress(StorageError):
            storage = run(connect(url, read_only=True, max_connections=1))
            run(_read_everything(storage))
            run(storage.close())
    assert run(fetch_value(attacked, CHECKSUM.format(stored))) == before
    run(execute(attacked, f"DROP OWNED BY {role}; DROP ROLE {role}"))


def test_names_of_others_are_not_run(attacked, run):
    """They would be: the same statement in a session of one's own does it."""
    run(execute(attacked, CARRIERS["a function of a varchar"].format(payload=PAYLOADS["delete"])))
    wb = g.open(attacked)
    assert len(wb.sessions(status="x")) == 0
    assert len(wb.sessions(status="s")) == 2
    wb.close()
    assert run(fetch_value(attacked, "SELECT count(*) FROM trophy")) == 1
    run(fetch(attacked, "SELECT FROM sessions WHERE strpos(status_message, 'x'::text) > 0"))
    assert run(fetch_value(attacked, "SELECT count(*) FROM trophy")) == 0


def test_a_connection_that_was_switched_is_closed_before_its_next_statement(attacked, run):
    run(execute(attacked, CARRIERS["a view"].format(payload=PAYLOADS["switch, write later"])))
    storage = run(connect(attacked, read_only=True, max_connections=1))

    async def pid(connection: Any) -> int:
        return int(await connection.fetchval("SELECT pg_backend_pid()"))

    async def switch(connection: Any) -> None:
        await connection.fetch("SELECT * FROM sessions")
        assert connection.switched_off
        with pytest.raises(StorageError, match="has ended the read-only mode"):
            await connection.fetch("SELECT 1")

    first = run(storage.run(pid))
    assert run(storage.run(pid)) == first
    assert run(storage.get("a")).id == "a"
    assert run(storage.run(pid)) != first
    run(storage.run(switch))
    assert run(storage.count(Query())) == 2
    assert run(fetch_value(attacked, "SELECT count(*) FROM trophy")) == 1
    run(storage.close())


def test_a_server_that_does_not_report_the_mode_gets_read_only_transactions(
    attacked, run, monkeypatch
):
    run(execute(attacked, CARRIERS["a view"].format(payload=PAYLOADS["switch, write later"])))
    monkeypatch.setattr(ReadOnlyLink, "get_settings", lambda link: object())
    storage = run(connect(attacked, read_only=True, max_connections=1))
    for _ in range(3):
        assert run(storage.get("a")).id == "a"
        assert len(run(storage.table(Query()))) == 2
    assert run(fetch_value(attacked, "SELECT count(*) FROM trophy")) == 1
    run(storage.close())


def test_a_table_is_found_as_the_users_own_sessions_find_it(database, run):
    run(execute(database, "CREATE SCHEMA other; CREATE SCHEMA third"))
    for url, table in ((database, "public"), (f"{database}&schema=third,other", "other")):
        storage = run(connect(f"{database}&search_path={table}"))
        run(storage.save(g.Session(table, "t")))
        run(storage.close())
        reader = run(connect(url, read_only=True))
        assert run(reader.get(table)).id == table
        assert str(reader.address.namespace).endswith("third" if table == "other" else "public")

        async def own(connection: Any) -> list[Any]:
            return list(await connection.fetch("SELECT id FROM sessions"))

        assert [row["id"] for row in run(reader.run(own))] == [table]
        assert run(reader.get(table)).id == table
        run(reader.close())
    assert len(run(fetch(database, "SELECT * FROM other.sessions"))) == 1


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_trigger_of_the_login_can_not_write_either(attacked, run, payload):
    """It runs before any statement of ours, so that the session has to begin read-only."""
    version = run(fetch_value(attacked, "SELECT current_setting('server_version_num')::int"))
    need("PostgreSQL 17", version >= 170000)
    code = _function("enter()", "event_trigger", "").replace("RETURN ;", "")
    run(
        execute(
            attacked,
            code.format(payload=payload)
            + "CREATE EVENT TRIGGER e ON login EXECUTE FUNCTION public.enter()",
        )
    )
    with suppress(StorageError):
        storage = run(connect(attacked, read_only=True, max_connections=1))
        run(_read_everything(storage))
        run(storage.close())
    own = f"{attacked}&event_triggers=off"
    assert run(fetch_value(own, "SELECT count(*) FROM trophy")) == 1
    run(execute(own, "DROP EVENT TRIGGER e"))


@pytest.mark.parametrize("wanted", ["any", "read-write", "primary", "prefer-standby"])
def test_the_session_is_read_only_whatever_kind_of_host_was_asked_for(database, run, wanted):
    run(create_table(database, "crate-0.6"))
    url = f"{database}&target_session_attrs={wanted}"
    storage = run(connect(url, read_only=True))
    show = "SHOW default_transaction_read_only"
    assert run(storage.run(lambda connection: connection.fetchval(show))) == "on"
    run(storage.close())
