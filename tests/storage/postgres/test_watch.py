"""Changes that PostgreSQL announces: the trigger that does, and who listens."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import pytest

from graphflow_nb.storage.postgres import watch as watch

from ...stores import create_table

NAME = "graphflow_nb_watch"
A, B = (f"00000000-0000-4000-8000-00000000000{i}" for i in range(1, 3))
NAMES = [
    "sessions",
    "flows.sessions",
    '"My".sessions',
    '"we\'ird ""name"',
    '"%s $$ \\ {0};".sessions',
]
BACKENDS = f"""SELECT pid FROM pg_stat_activity
    WHERE application_name = '{NAME}' AND datname = current_database()"""


async def soon(coroutine: Any) -> Any:
    return await asyncio.wait_for(coroutine, 20)


class Ear:
    """Records what a watcher reports, in order; callbacks may be made to fail."""

    def __init__(self, url: str, table: str, fails: bool = False):
        self.changes: asyncio.Queue[str] = asyncio.Queue()
        self.states: asyncio.Queue[bool] = asyncio.Queue()
        self.queries: asyncio.Queue[str] = asyncio.Queue()
        self.fails = fails
        self.url = url
        self.watcher = watch.Watcher(
            self.connect,
            watch.channel_of(table),
            lambda id: self.hear(self.changes, id),
            lambda state: self.hear(self.states, state),
        )

    async def connect(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(self.url, server_settings={"application_name": NAME})
        connection.add_query_logger(lambda record: self.queries.put_nowait(record.query))
        return connection

    def hear(self, queue: asyncio.Queue[Any], what: Any) -> None:
        queue.put_nowait(what)
        if self.fails:
            raise ValueError("a fault in a callback")

    async def change(self) -> str:
        return await soon(self.changes.get())

    async def state(self) -> bool:
        return await soon(self.states.get())


@asynccontextmanager
async def listening(ear: Ear) -> AsyncIterator[Ear]:
    task = asyncio.create_task(ear.watcher.run())
    try:
        assert await ear.state() is True
        yield ear
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await soon(task)


async def install(connection: asyncpg.Connection, table: str = "sessions") -> None:
    for statement in watch.trigger_statements(table):
        await connection.execute(statement)


async def drop(connection: asyncpg.Connection, table: str = "sessions") -> None:
    for statement in watch.drop_statements(table):
        await connection.execute(statement)


async def insert(connection: asyncpg.Connection, id: str, table: str = "sessions") -> None:
    await connection.execute(
        f"INSERT INTO {table} (id, graph_id, current_task_id, context) "
        """VALUES ($1, 'g', 't', '{"data": {}}')""",
        id,
    )


@pytest.fixture
def with_table(database: str, run: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a test's body with a connection to a database that has the table, and its trigger."""

    def start(
        body: Callable[[asyncpg.Connection], Any],
        *tables: str,
        form: str = "crate-0.6",
        installed: bool = True,
    ) -> None:
        async def main() -> None:
            connection = await asyncpg.connect(database)
            for table in tables or ("sessions",):
                schema = table.rpartition(".")[0]
                if schema:
                    await connection.execute(f"CREATE SCHEMA {schema}")
                await create_table(database, form, table)
                if installed:
                    await install(connection, table)
            try:
                await body(connection)
            finally:
                await connection.close()

        run(main())

    return start


@pytest.mark.parametrize("form", ["documented", "crate-0.5", "crate-0.6"])
def test_every_change_of_a_row_is_heard(database, with_table, form):
    async def body(connection):
        async with listening(Ear(database, "sessions")) as ear:
            await insert(connection, A)
            await connection.execute("UPDATE sessions SET graph_id = 'h'")
            await connection.execute(f"UPDATE sessions SET id = '{B}'")
            await connection.execute("DELETE FROM sessions")
            assert [await ear.change() for _ in range(5)] == [A, A, A, B, B]
            async with connection.transaction():
                await insert(connection, B)
                await connection.execute("UPDATE sessions SET graph_id = 'h'")
            with suppress(ZeroDivisionError):
                async with connection.transaction():
                    await insert(connection, A)
                    raise ZeroDivisionError
            await connection.execute("DELETE FROM sessions")
            # Once for the transaction, never for the one that was rolled back.
            assert [await ear.change() for _ in range(2)] == [B, B]
            assert ear.changes.empty()

    with_table(body, form=form)


@pytest.mark.parametrize("table", NAMES)
def test_tables_of_any_name(database, with_table, table):
    async def body(connection):
        await install(connection, table)  # again
        async with listening(Ear(database, table)) as ear:
            await insert(connection, "a", table)
            assert await ear.change() == "a"
            await drop(connection, table)
            await drop(connection, table)
            await insert(connection, "b", table)
            await install(connection, table)
            await insert(connection, "c", table)
            assert await ear.change() == "c"

    with_table(body, table)


def test_names_give_channels():
    channels = {watch.channel_of(name) for name in NAMES}
    assert len(channels) == len(NAMES)
    assert all(len(name.encode()) <= 63 and name.isidentifier() for name in channels)


def test_ids_too_long_for_a_payload(database, with_table):
    async def body(connection):
        async with listening(Ear(database, "sessions")) as ear:
            await insert(connection, "x" * 7000)
            assert await ear.change() == "x" * 7000
            await insert(connection, "x" * 7001)
            assert await ear.change() == ""
            await insert(connection, "é" * 3501)
            assert await ear.change() == ""
            await insert(connection, "é" * 3500)
            assert await ear.change() == "é" * 3500

    with_table(body)


def test_tables_do_not_hear_each_other(database, with_table):
    async def body(connection):
        async with listening(Ear(database, "one")) as one, listening(Ear(database, "two")) as two:
            await insert(connection, "first", "two")
            await insert(connection, "second", "one")
            await insert(connection, "third", "two")
            assert await one.change() == "second"
            assert [await two.change(), await two.change()] == ["first", "third"]
            await drop(connection, "two")
            await insert(connection, "fourth", "two")
            await insert(connection, "fifth", "one")
            assert await one.change() == "fifth"
            assert one.changes.empty()
            assert two.changes.empty()

    with_table(body, "one", "two")


@pytest.mark.parametrize("table", NAMES)
def test_whether_it_is_installed(with_table, table):
    async def body(connection):
        async def state() -> tuple[bool, str | None]:
            return tuple(await connection.fetchrow(watch.INSTALLED, table))

        functions = "SELECT count(*) FROM pg_proc WHERE proname = $1"
        absent, present = (False, None), (True, watch.channel_of(table))
        assert await state() == absent
        await install(connection, table)
        assert await state() == present
        await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER graphflow_nb_notify")
        assert await state() == absent
        await connection.execute(f"ALTER TABLE {table} ENABLE REPLICA TRIGGER graphflow_nb_notify")
        assert await state() == absent
        await connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER graphflow_nb_notify")
        assert await state() == present
        await install(connection, table)
        assert await state() == present
        assert await connection.fetchval(functions, watch.channel_of(table)) == 1
        await drop(connection, table)
        assert await state() == absent
        assert await connection.fetchval(functions, watch.channel_of(table)) == 0

    with_table(body, table, installed=False)


def test_the_channel_where_it_was_installed_by_another_name(with_table):
    async def body(connection):
        await install(connection, "public.sessions")
        row = await connection.fetchrow(watch.INSTALLED, "sessions")
        assert row["channel"] == watch.channel_of("public.sessions")

    with_table(body, installed=False)


def test_the_function_is_in_the_schema_of_the_table(with_table):
    async def body(connection):
        await connection.execute("CREATE SCHEMA before")
        await connection.execute("SET search_path = before, public")
        where = "SELECT pronamespace::regnamespace::text FROM pg_proc WHERE proname = $1"
        async with connection.transaction():
            await install(connection)
            assert await connection.fetchval("SHOW search_path") == "before, public"
        assert await connection.fetchval("SHOW search_path") == "before, public"
        assert await connection.fetchval(where, watch.channel_of("sessions")) == "public"
        await drop(connection)
        assert await connection.fetchval(where, watch.channel_of("sessions")) is None

    with_table(body, installed=False)


def test_a_writer_goes_on_while_ids_become_text(database, with_table):
    async def body(connection):
        async with listening(Ear(database, "sessions")) as ear:
            update = "UPDATE sessions SET graph_id = 'h'"
            await insert(connection, A)
            await connection.execute(update)
            other = await asyncpg.connect(database)
            await other.execute("ALTER TABLE sessions ALTER COLUMN id TYPE TEXT")
            await other.close()
            await connection.execute(update)
            assert [await ear.change() for _ in range(3)] == [A, A, A]

    with_table(body, form="crate-0.5")


def test_a_connection_that_is_killed_is_replaced(database, with_table, caplog):
    async def body(connection):
        async with listening(Ear(database, "sessions")) as ear:
            for _ in range(2):
                await connection.execute(f"SELECT pg_terminate_backend(pid) FROM ({BACKENDS}) AS b")
                assert await ear.state() is False
                await insert(connection, "missed")
                assert await ear.state() is True
                assert await ear.change() == ""
                await connection.execute("DELETE FROM sessions")
                assert await ear.change() == "missed"
                assert len(await connection.fetch(BACKENDS)) == 1
        assert ear.states.empty()

    with_table(body)
    assert caplog.text.count("not noticed") == 2


def test_a_connection_that_is_silently_dead_is_replaced(database, with_table, monkeypatch):
    monkeypatch.setattr(watch, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(watch, "PATIENCE", 0.3)
    monkeypatch.setattr(watch, "CLOSING", 0.1)

    async def body(connection):
        async with listening(Ear(database, "sessions")) as ear:
            while (await soon(ear.queries.get())) != "SELECT 1":
                pass
            assert await soon(ear.queries.get()) == "SELECT 1"  # checked twice, and answered
            assert ear.states.empty()
            pid = (await connection.fetchrow(BACKENDS))["pid"]
            os.kill(pid, signal.SIGSTOP)
            try:
                assert await ear.state() is False
                assert await ear.state() is True
                assert await ear.change() == ""
            finally:
                os.kill(pid, signal.SIGCONT)
            await insert(connection, "a")
            assert await ear.change() == "a"

    with_table(body)


def test_a_server_out_of_reach_is_tried_again(database, with_table, monkeypatch, caplog):
    monkeypatch.setattr(watch, "SHORTEST", 0.001)
    monkeypatch.setattr(watch, "LONGEST", 0.01)

    async def body(connection):
        ear, tries = Ear(database, "sessions"), 0
        connect = ear.connect

        async def reluctant() -> asyncpg.Connection:
            nonlocal tries
            tries += 1
            if tries < 10:
                raise OSError("nobody there, and the password is s3cr")
            return await connect()

        ear.watcher = watch.Watcher(
            reluctant, watch.channel_of("sessions"), ear.changes.put_nowait, ear.states.put_nowait
        )
        async with listening(ear):
            assert tries == 10
            assert await ear.change() == ""

    with_table(body)
    assert caplog.text.count("not noticed (OSError)") == 1
    assert "s3cr" not in caplog.text


def test_pauses_grow_within_bounds(run, monkeypatch):
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 200:
            raise asyncio.CancelledError

    async def refuse():
        raise OSError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    watcher = watch.Watcher(refuse, "c", print, print)
    with pytest.raises(asyncio.CancelledError):
        run(watcher.run())
    assert min(pauses) >= 0.2
    assert max(pauses) == 5.0
    assert pauses[0] <= 0.6
    assert len(set(pauses)) > 20


@pytest.mark.parametrize("check", [0.001, 30.0])
def test_cancellation_leaves_no_connection_behind(database, with_table, monkeypatch, check):
    monkeypatch.setattr(watch, "CHECK_SECONDS", check)  # also in the middle of checks

    async def body(connection):
        for delay in (0, 0.001, 0.002, 0.005, 0.01, 0.02):
            ear = Ear(database, "sessions")
            task = asyncio.create_task(ear.watcher.run())
            await asyncio.sleep(delay)  # in the middle of connecting
            task.cancel()
            await soon(asyncio.wait([task]))
            assert task.cancelled()
        for _ in range(3):
            async with listening(Ear(database, "sessions")) as ear:
                assert len(await connection.fetch(BACKENDS)) >= 1
            assert ear.states.empty()  # that it was told to stop is no loss
        async with asyncio.timeout(20):
            while await connection.fetch(BACKENDS):  # noqa: ASYNC110, the server takes a moment
                await asyncio.sleep(0.005)

    with_table(body)


def test_callbacks_that_raise(database, with_table, caplog):
    async def body(connection):
        async with listening(Ear(database, "sessions", fails=True)) as ear:
            for id in ("a", "b", "c"):
                await insert(connection, id)
                assert await ear.change() == id
            await connection.execute(f"SELECT pg_terminate_backend(pid) FROM ({BACKENDS}) AS b")
            assert [await ear.state(), await ear.state()] == [False, True]
            assert await ear.change() == ""

    with_table(body)
    # One for each of the two callbacks.
    assert caplog.text.count("a callback for changes failed") == 2
