"""Notice of changes in a PostgreSQL ``sessions`` table as they happen, with LISTEN and NOTIFY.

PostgreSQL announces only what a trigger announces. ``trigger_statements`` creates one. The table's
owner decides on it, because all clients that write to the table pay for it: about 10 µs per row,
and commits that notify run one after the other.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import TypeVar

import asyncpg

from .connections import Connection
from .table import OpenTable

__all__ = [
    "INSTALLED",
    "Watcher",
    "channel_of",
    "drop_statements",
    "trigger_statements",
    "watch_table",
]

T = TypeVar("T")
log = logging.getLogger("graphflow_nb")

TRIGGER = "graphflow_nb_notify"
SHORTEST, LONGEST = 0.2, 5.0  # seconds before connecting again
CHECK_SECONDS = 30.0  # of silence, after which the connection is checked
PATIENCE = 10.0  # seconds that the server may take for an answer
CLOSING = 2.0  # seconds that closing a connection may take

# Whether the trigger is there and enabled, and its channel. That is not channel_of(table) where the
# trigger was installed under another name of the same table. Always one row. $1 is the quoted name.
INSTALLED = f"""
SELECT channel IS NOT NULL AS installed, channel FROM (SELECT (
    SELECT p.proname::text FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
    WHERE t.tgrelid = $1::text::regclass AND t.tgname = '{TRIGGER}' AND t.tgenabled IN ('O', 'A')
) AS channel) AS found
"""


def channel_of(table: str) -> str:
    """Return the channel of a table, which is the name of the trigger's function too.

    Args:
        table: The quoted name of the table.
    """
    return f"graphflow_nb_{hashlib.md5(table.encode(), usedforsecurity=False).hexdigest()}"


def trigger_statements(table: str) -> tuple[str, ...]:
    """Return SQL that makes a table announce the id of each session that is written or deleted.

    An id of more than 7000 bytes is announced as ``''``, which means some session, because the
    server takes no payload of 8000 bytes. TRUNCATE announces nothing. Running it again replaces
    the trigger.

    Args:
        table: The quoted name of the table.
    """
    name = channel_of(table)
    # The statement is planned in each call. When someone migrates id from UUID to TEXT, a kept plan
    # would fail, and the save with it, in every connection that had used it before.
    create = f"""
    CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $function$
    DECLARE
        announce CONSTANT text := $$
            SELECT pg_notify('{name}', CASE WHEN octet_length(id) <= 7000 THEN id ELSE '' END)
            FROM (SELECT ($1).id::text) AS changed (id) $$;
    BEGIN -- what is announced twice in a transaction is sent once
        IF TG_OP <> 'INSERT' THEN EXECUTE announce USING OLD; END IF;
        IF TG_OP <> 'DELETE' THEN EXECUTE announce USING NEW; END IF;
        RETURN NULL;
    END $function$;
    DROP TRIGGER IF EXISTS {TRIGGER} ON {table};
    CREATE TRIGGER {TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON {table}
        FOR EACH ROW EXECUTE FUNCTION {name}();"""
    return (_in_its_schema(table, create),)


def drop_statements(table: str) -> tuple[str, ...]:
    """Return SQL that removes the trigger of a table, without an error if it does not exist.

    Args:
        table: The quoted name of the table.
    """
    drop = f"""
    DROP TRIGGER IF EXISTS {TRIGGER} ON {table};
    DROP FUNCTION IF EXISTS {channel_of(table)}();"""
    return (_in_its_schema(table, drop),)


def _in_its_schema(table: str, statements: str) -> str:
    """Return a block in which names without a schema are in the table's own schema.

    The search path creates things in its first schema, but may have found the table in another.
    """
    tag = f"${channel_of(table)}$"  # no name contains its own hash
    literal = table.replace("'", "''")
    return f"""DO {tag}
DECLARE
    path CONSTANT text := current_setting('search_path');
BEGIN
    PERFORM set_config('search_path', relnamespace::regnamespace::text, true)
        FROM pg_class WHERE oid = '{literal}'::regclass;{statements}
    PERFORM set_config('search_path', path, true);
END {tag}"""


async def watch_table(
    table: OpenTable, on_change: Callable[[str], None], on_state: Callable[[bool], None]
) -> None:
    """Report changes of a table until cancelled; return at once where that can't be done.

    See ``PostgresSessionStorage.watch``.
    """

    async def read(connection: Connection) -> tuple[bool, str, bool]:
        installed, channel = await connection.fetchrow(INSTALLED, table.form.table)
        return installed, channel, connection.shared

    installed, channel, shared = await table.run(read, writes=False)
    if not installed:
        return
    if shared or table.standby:
        log.warning(
            "%s announces no changes, because it is %s: query it now and then instead",
            table.url,
            "a pooler that shares its connections" if shared else "a replica",
        )
        return
    await Watcher(table.open_connection, channel, on_change, on_state).run()


class Watcher:
    """A listener on a connection of its own, for as long as ``run`` is awaited.

    Args:
        connect: Opens a connection to the server itself. PgBouncer in transaction mode passes no
            notifications on.
        channel: The channel to listen on, from ``channel_of`` or INSTALLED.
        on_change: Called with the id of each session that changed, ``""`` for any.
        on_state: Called with True when it listens, with False when that ends by itself. What is
            read after the first True misses nothing.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        channel: str,
        on_change: Callable[[str], None],
        on_state: Callable[[bool], None],
    ):
        self._connect = connect
        self._channel = channel
        self._on_change = _guarded(on_change)
        self._on_state = _guarded(on_state)

    async def run(self) -> None:
        """Listen until cancelled, and connect again whenever the connection is lost."""
        clock = asyncio.get_running_loop().time
        pause, logged = SHORTEST, False
        for attempt in count():
            began = clock()
            try:
                reason = await self._listen(missed=attempt > 0)
                logged = False
            except Exception as error:
                reason = type(error).__name__  # its text may contain the password
            if not logged:
                logged = True
                log.warning("changes are not noticed (%s); trying to connect again", reason)
            if clock() - began > LONGEST:
                pause = SHORTEST
            # Random, so that not all clients of a server that was down come back at once.
            pause = min(LONGEST, random.uniform(SHORTEST, 3 * pause))
            await asyncio.sleep(pause)

    async def _listen(self, *, missed: bool) -> str:
        """Listen on one connection, and return why that ended."""
        connection = await self._connect()
        try:
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            async with asyncio.timeout(PATIENCE):
                await connection.add_listener(
                    self._channel, lambda *received: self._on_change(str(received[-1]))
                )
            self._on_state(True)
            if missed:
                self._on_change("")
            reason = await _wait_for_loss(connection, lost)
            self._on_state(False)
            return reason
        finally:
            with suppress(Exception):
                async with asyncio.timeout(CLOSING):
                    await connection.close()


async def _wait_for_loss(connection: asyncpg.Connection, lost: asyncio.Event) -> str:
    """Wait until the connection is lost, and return why.

    A network that fails does not always close the connection, so it is checked too.
    """
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_SECONDS):
                await lost.wait()
                return "the connection was closed"
        try:
            await connection.execute("SELECT 1", timeout=PATIENCE)
        except Exception as error:
            return type(error).__name__


def _guarded(callback: Callable[[T], None]) -> Callable[[T], None]:
    """Return the callback without its exceptions, the first of which is logged."""
    logged = False

    def call(value: T) -> None:
        nonlocal logged
        try:
            callback(value)
        except Exception:
            if not logged:
                logged = True
                log.exception("a callback for changes failed; it is still called for further ones")

    return call
