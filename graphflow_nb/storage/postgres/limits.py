"""The limits after which the server itself ends what we left running.

A kernel that is killed can't cancel its statement, and the server would only notice when it sends
the answer. So each connection has limits near the time that a call waits anyway, and since
PostgreSQL 14 the server looks every two seconds whether the kernel is still there. A limit that the
role or the database has is kept where it is stricter, one in the URL in any case.

Where a pooler shares the connection, each transaction sets them for itself, and a get, a save or a
delete is one too. It takes half as long again so (1.1 ms instead of 0.7); but a save that waits for
a lock would else be made whenever that is released, however long ago the kernel was killed.

A trigger or function of the database that runs RESET ALL takes them from its connection, and the
server does not report it. Calls still end in time; what a killed kernel left ends by the limits of
the role.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import asyncpg

from .errors import NOT_SPOKEN

__all__ = [
    "CHECK_SECONDS",
    "IDLE",
    "LIMITS",
    "MARGIN",
    "MOST_SNAPSHOTS",
    "STATEMENT",
    "describe_limits",
    "find_limits",
    "local_limits",
    "session_limits",
]

STATEMENT: Final = "statement_timeout"
_LOCK: Final = "lock_timeout"
IDLE: Final = "idle_in_transaction_session_timeout"
_CHECK: Final = "client_connection_check_interval"  # since PostgreSQL 14
#: The settings of the server, each with what it ends.
LIMITS: Final[Mapping[str, str]] = {
    STATEMENT: "a statement",
    _LOCK: "a wait for a lock",
    IDLE: "an idle transaction",
    _CHECK: "what a killed program left",
}
#: Seconds by which the server's limit is later than our own, which says more.
MARGIN: Final = 2.0
#: The most snapshots of one storage at the same time, each with a connection.
MOST_SNAPSHOTS: Final = 2
#: Seconds after which the server looks whether this program is still there.
CHECK_SECONDS: Final = 2.0

_NAMES: Final = ", ".join(f"'{name}'" for name in LIMITS)
_READ: Final = f"SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ({_NAMES})"


async def find_limits(connection: Any, timeout: float, given: Mapping[str, str]) -> dict[str, int]:
    """Return the limits for a connection, in milliseconds; 0 for none.

    Args:
        connection: The connection, which is asked for the limits that it has.
        timeout: The seconds that one statement may take.
        given: The limits that the URL names, as it names them.
    """
    wanted = {STATEMENT: timeout + MARGIN, _LOCK: timeout, IDLE: timeout + MARGIN}
    wanted[_CHECK] = CHECK_SECONDS
    found = {}
    # Servers that only speak PostgreSQL's protocol may lack the catalog, or a limit.
    with suppress(*NOT_SPOKEN, ValueError):
        for name, setting in await connection.fetch(_READ):
            has, ours = int(setting), min(max(1, round(1000 * wanted[name])), 2**31 - 1)
            found[name] = has if name in given or 0 < has < ours else ours
    if (check := found.get(_CHECK)) and not await _takes(connection, _CHECK, check):
        del found[_CHECK]
    return found


async def _takes(connection: Any, name: str, ms: int) -> bool:
    """Return whether the server can have a setting, which depends on its system."""
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL {name} = {ms}")
    except asyncpg.PostgresConnectionError:
        raise
    except asyncpg.PostgresError:
        return False
    return True


def session_limits(limits: Mapping[str, int]) -> str:
    """Return the statements that set limits for as long as the connection is open."""
    return "".join(f"SET {name} = {ms}; " for name, ms in limits.items())


def local_limits(limits: Mapping[str, int], given: Mapping[str, str]) -> str:
    """Return the statements that set limits for the transaction that is open.

    Args:
        limits: The limits, in milliseconds.
        given: Those of the URL, as it names them, which come first.
    """
    values = {name: str(ms) for name, ms in limits.items()} | dict(given)
    quoted = ((name, value.replace("'", "''")) for name, value in values.items())
    return "".join(f" SET LOCAL {name} = '{value}';" for name, value in quoted)


def describe_limits(limits: Mapping[str, int], connections: int, name: str) -> str:
    """Return what a storage takes of its server at most, as a person reads it.

    Args:
        limits: The limits, in milliseconds.
        connections: The most connections that are held for all calls.
        name: The name under which the server lists them.
    """
    told = [
        f"{what} after {limits[name] / 1000:g} s"
        for name, what in LIMITS.items()
        if limits.get(name)
    ]
    ends = f"the server ends {', '.join(told)}; " if told else ""
    return (
        f"{ends}it lists at most {connections:,} of our connections, as {name}, and beside them "
        f"one for each snapshot ({MOST_SNAPSHOTS} at most) and for each watch"
    )
