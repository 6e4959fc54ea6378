"""Errors of PostgreSQL come as ours, and never with a password."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import traceback

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb import (
    PostgresSessionStorage,
    Query,
    ReadOnlyError,
    Session,
    StorageError,
    StorageTimeout,
    StorageUnavailable,
)
from graphflow_nb.storage import StoreUrl
from graphflow_nb.storage.postgres.errors import raise_read_only, raise_translated

from ...scope import only_complete
from ...stores import create_table
from .kit import connect, fetch


def test_contexts_that_jsonb_cannot_hold(database, run):
    storage = run(connect(database))
    for value in ("a\0b", {"\0": 1}, ["\\\0"]):
        with pytest.raises(StorageError, match=r"context .*U\+0000"):
            run(storage.save(Session("a", "t", context={"k": value})))
        assert run(storage.count(Query(context={"k": value}))) == 0
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
    caplog.set_level(logging.DEBUG)
    with pytest.raises(StorageError) as caught:
        g.open(url)
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(StorageError):
        g.open()
    asyncio.run(g.connect_from_env())  # falls back to memory, with a warning
    said = "".join(traceback.format_exception(caught.value)) + caplog.text + str(StoreUrl(url))
    assert "using memory" in caplog.text
    for secret in (SECRET, QUOTED, "s3cr"):
        assert secret not in said


@pytest.mark.parametrize("raise_ours", [raise_translated, raise_read_only])
def test_a_password_in_the_drivers_own_text_is_hidden(raise_ours):
    url = StoreUrl(f"postgresql://u:{QUOTED}@h/db")
    with pytest.raises(StorageError) as caught:
        raise_ours(asyncpg.InterfaceError(f"could not parse {SECRET}"), url)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "s3cr" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (TimeoutError(), StorageTimeout, "timeout="),
        (ConnectionResetError(), StorageUnavailable, "is the server running"),
        (asyncpg.InterfaceError("broke"), StorageUnavailable, "out of reach"),
        (asyncpg.InvalidPasswordError("no"), g.StorageDenied, "check the URL"),
        (asyncpg.InsufficientPrivilegeError("no right"), StorageError, "no right; ask for"),
        (asyncpg.UndefinedTableError("gone"), g.StorageMissing, "gone: was it dropped"),
        (asyncpg.ReadOnlySQLTransactionError("no"), ReadOnlyError, "takes no writes"),
    ],
)
def test_errors_of_the_driver_are_translated(error, kind, says):
    with pytest.raises(StorageError, match=says) as caught:
        raise_translated(error, StoreUrl("postgresql://u@h/db"))
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error
    assert "postgresql://u@h/db" in str(caught.value)


def test_a_read_that_a_replica_ended_is_told_so():
    text = "canceling statement due to conflict with recovery"
    with pytest.raises(
        StorageError, match=r"ended this read.*Try again, read less, or in portions"
    ):
        raise_translated(
            asyncpg.SerializationError(text), StoreUrl("postgresql://u@h/db"), writes=False
        )
    with pytest.raises(StorageError, match=f"db: {text}$"):
        raise_translated(asyncpg.SerializationError(text), StoreUrl("postgresql://u@h/db"))


def _during(error: Exception, earlier: Exception) -> Exception:
    error.__context__ = earlier
    return error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (asyncpg.InternalClientError("cannot switch to state 12; another …"), "was lost"),
        (asyncpg.InterfaceError("cannot call Transaction.__aexit__(): the …"), "was lost"),
        (
            _during(
                asyncpg.InterfaceError("cannot call Transaction.__aexit__(): the …"),
                asyncpg.AdminShutdownError("due to administrator command"),
            ),
            "due to administrator command",
        ),
        (
            _during(asyncpg.InternalClientError("cannot …"), ConnectionResetError("reset")),
            "reset",
        ),
    ],
)
def test_a_lost_connection_is_told_in_the_words_of_the_server_or_the_network(error, says):
    with pytest.raises(StorageUnavailable) as caught:
        raise_translated(error, StoreUrl("postgresql://u@h/db"))
    assert says in str(caught.value)
    assert "cannot" not in str(caught.value)


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError()])
def test_only_the_error_of_a_write_says_something_about_writes(error):
    for writes in (True, False):
        with pytest.raises(StorageError) as caught:
            raise_translated(error, StoreUrl("postgresql://u@h/db"), writes=writes)
        assert ("whether a write took place is not known" in str(caught.value)) == writes


@only_complete  # it waits for a time limit
def test_a_read_without_an_answer_says_nothing_about_writes(database, run):
    storage = run(connect(database, timeout=3))
    run(storage.save(Session("a", "t")))
    saved = run(storage.get("a"))

    async def call_while_locked():
        other = await asyncpg.connect(database)
        try:
            async with other.transaction():
                await other.execute("LOCK TABLE sessions")
                calls = storage.get("a"), storage.query(Query()), storage.save(saved)
                return await asyncio.gather(*calls, return_exceptions=True)
        finally:
            await other.close()

    got, queried, written = run(call_while_locked())
    for error in (got, queried, written):
        assert isinstance(error, StorageTimeout)
    assert "write" not in f"{got} {queried}"
    assert "whether a write took place is not known" in str(written)


def test_what_the_server_rolled_back_was_not_written(database, run):
    storage = run(connect(database))
    run(fetch(database, "ALTER TABLE sessions ADD CHECK (graph_id <> 'wrong')"))
    with pytest.raises(StorageError, match="violates check constraint") as caught:
        run(storage.save(Session("a", "t", graph_id="wrong")))
    assert caught.value.nothing_written
    assert run(storage.get("a")) is None
    run(storage.close())


def test_the_wrong_password_is_not_repeated(server, database, run):
    storage = run(connect(f"{database}&password={QUOTED}"))
    assert "s3cr" not in repr(storage)
    assert "s3cr" not in repr(g.MonitoredStorage(storage))
    run(storage.close())


def test_a_server_that_takes_no_more_connections_may_do_so_later(database, run):
    first = run(connect(database))
    role = f"few_{os.urandom(4).hex()}"
    run(fetch(database, f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1"))
    run(fetch(database, f"GRANT SELECT ON sessions TO {role}"))
    few = run(connect(database.replace("user=postgres", f"user={role}")))
    with pytest.raises(g.StorageUnavailable, match="too many connections"):
        run(both(few))
    run(few.close())
    run(first.close())


async def both(storage: PostgresSessionStorage) -> None:
    await asyncio.gather(storage.get("a"), storage.get("b"))


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{QUOTED}@127.0.0.1:1,127.0.0.1:2/db",
        f"postgresql://u:{QUOTED}@127.0.0.1:1,127.0.0.1:2/db?target_session_attrs=read-write",
        f"postgresql://u@127.0.0.1:1,127.0.0.1:2/db?password={QUOTED}",
        f"postgresql:///db?host=127.0.0.1,127.0.0.1&port=1,2&user=u&password={QUOTED}",
        f"postgresql:///db?host=127.0.0.1,127.0.0.1&port=1,2,3&user=u&password={QUOTED}",
        f"postgresql://u:{QUOTED}@127.0.0.1:1,127.0.0.1:x/db",
        f"postgresql://u:{QUOTED}@127.0.0.1:1,127.0.0.1:99999/db",
        f"postgresql://u:{QUOTED}@127.0.0.1:1,127.0.0.1:2/db?target_session_attrs=nonsense",
    ],
)
def test_passwords_of_several_hosts_appear_nowhere(url, caplog):
    with pytest.raises(StorageError) as caught:
        g.open(url, timeout=2)
    said = "".join(traceback.format_exception(caught.value)) + caplog.text + str(StoreUrl(url))
    assert "s3cr" not in said
    assert "127.0.0.1" in str(StoreUrl(url))


def test_a_database_whose_encoding_lacks_a_character(server, database, run):
    options = "TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
    run(fetch(database, f"CREATE DATABASE latin1 {options}"))
    url = re.sub(r"/test\d+\?", "/latin1?", database)
    run(create_table(url, "documented"))
    wb = g.open(url, writable=True)
    wb.create("é", "t", context={"k": "é"})
    calls = [
        lambda: wb.get("€"),
        lambda: wb.create("€", "t"),
        lambda: wb.create("a", "t", context={"k": "€"}),
        lambda: wb.save(Session("a", "t").with_context_json(r'{"data":{"k":"\u20ac"}}')),
        lambda: wb.patch("é", [{"op": "add", "path": "/context/data/€", "value": 1}]),
        lambda: wb.delete(["é", "€"]),
        lambda: wb.sessions(ids=["é", "€"]),
        lambda: wb.sessions(has=["€"]),
        lambda: wb.sessions(context=["€"]),
        lambda: wb.sessions(where={"k": "€"}),
        *(lambda name=name: wb.sessions(**{name: "€"}) for name in ("graph", "text", "id_prefix")),
    ]
    for call in calls:
        with pytest.raises(StorageError, match=r"encoding of this database lacks .*LATIN1"):
            call()
    assert wb.sessions(where={"k": "é"})["id"].tolist() == wb.sessions()["id"].tolist() == ["é"]
    wb.close()
    run(fetch(database, "DROP DATABASE latin1"))
