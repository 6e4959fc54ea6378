"""Changes to a table that its owner decides on: migration to graph-flow 0.6, and the trigger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from ...errors import StorageError
from ..migration import Migration
from .connections import Connection
from .sql import TableForm
from .table import OpenTable
from .watch import drop_statements, trigger_statements

__all__ = [
    "apply_plan",
    "install_trigger",
    "migrate",
    "plan_migration",
    "plan_trigger",
    "remove_trigger",
]

T = TypeVar("T")


async def plan_migration(table: OpenTable) -> Migration:
    """Return the statements that bring a table to graph-flow 0.6's form, without running them."""
    return _plan(await table.run(table.read_form, writes=False))


def _plan(form: TableForm) -> Migration:
    """Return the migration of a table, with what it means for those who write to it."""
    if form.xmin:
        notices = "A save by graphflow_nb notices such a write by the row's xmin."
    else:
        notices = (
            "Without xmin here, a save by graphflow_nb notices such a write only if it sets "
            "updated_at."
        )
    note = (
        "Workers on graph-flow 0.6 add 1 to version with each save, and a save of theirs conflicts "
        "if it is not the one they read. The upsert of graph-flow's documentation, workers before "
        "0.6 and statements by hand do not add to it unless they say so: workers on 0.6 then "
        f"notice nothing and overwrite what was written. {notices}"
    )
    return Migration(form.table, tuple(form.migration_statements()), note)


async def migrate(table: OpenTable) -> Migration:
    """Bring a table to graph-flow 0.6's form in one transaction, and adapt to it.

    Returns:
        What was run.
    """
    table.check_writable()

    async def work(connection: Connection) -> Migration:
        async with connection.transaction():
            await _limit_lock_time(connection)
            # Read again, because another client may have migrated the table meanwhile.
            plan = _plan(await table.read_form(connection))
            await _execute(connection, plan)
        await table.readopt(connection)
        return plan

    return await _change(table, work)


def plan_trigger(table: OpenTable) -> Migration:
    """Return the statements that make a table announce its changes, without running them."""
    return Migration(table.form.table, trigger_statements(table.form.table))


async def install_trigger(table: OpenTable) -> Migration:
    """Run what ``plan_trigger`` returns, and return it."""
    return await apply_plan(table, plan_trigger(table))


async def remove_trigger(table: OpenTable) -> Migration:
    """Remove the trigger if there is one, and return what was run."""
    return await apply_plan(table, Migration(table.form.table, drop_statements(table.form.table)))


async def apply_plan(table: OpenTable, plan: Migration) -> Migration:
    """Run a plan in one transaction, and return it."""
    table.check_writable()

    async def work(connection: Connection) -> Migration:
        async with connection.transaction():
            await _limit_lock_time(connection)
            await _execute(connection, plan)
        return plan

    return await _change(table, work)


async def _change(table: OpenTable, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run work that creates, changes or drops something; say what it takes if it is refused."""
    try:
        return await table.run(work)
    except StorageError as error:
        cause = error.__cause__
        if not isinstance(cause, asyncpg.InsufficientPrivilegeError):
            raise
        raise StorageError(
            f"{table.url}: {table.url.mask(cause)}: nothing was changed. Such statements take the "
            f"rights of the owner of {table.form.table}, and CREATE on its schema: run them as "
            "that user, or open the store as one",
            nothing_written=True,
        ) from cause


async def _limit_lock_time(connection: Connection) -> None:
    # A statement that waits for a table's lock holds up all statements after it.
    await connection.execute("SET LOCAL lock_timeout = '5s'")


async def _execute(connection: Connection, plan: Migration) -> None:
    for statement in plan.statements:
        await connection.execute(statement)
