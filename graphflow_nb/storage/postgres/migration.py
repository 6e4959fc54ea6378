"""Changes to a table that its owner decides on: migration to graph-flow 0.6, and the trigger."""

from __future__ import annotations

from ..migration import Migration
from .connections import Connection
from .table import OpenTable
from .watch import drop_statements, trigger_statements

__all__ = [
    "install_trigger",
    "migrate",
    "plan_migration",
    "plan_trigger",
    "remove_trigger",
]


async def plan_migration(table: OpenTable) -> Migration:
    """Return the statements that bring a table to graph-flow 0.6's form, without running them."""
    form = await table.run(table.read_form)
    return Migration(form.table, tuple(form.migration_statements()))


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
            form = await table.read_form(connection)
            plan = Migration(form.table, tuple(form.migration_statements()))
            await _execute(connection, plan)
        await table.readopt(connection)
        return plan

    return await table.run(work)


def plan_trigger(table: OpenTable) -> Migration:
    """Return the statements that make a table announce its changes, without running them."""
    return Migration(table.form.table, trigger_statements(table.form.table))


async def install_trigger(table: OpenTable) -> Migration:
    """Run what ``plan_trigger`` returns, and return it."""
    return await _apply(table, plan_trigger(table))


async def remove_trigger(table: OpenTable) -> Migration:
    """Remove the trigger if there is one, and return what was run."""
    return await _apply(table, Migration(table.form.table, drop_statements(table.form.table)))


async def _apply(table: OpenTable, plan: Migration) -> Migration:
    table.check_writable()

    async def work(connection: Connection) -> Migration:
        async with connection.transaction():
            await _limit_lock_time(connection)
            await _execute(connection, plan)
        return plan

    return await table.run(work)


async def _limit_lock_time(connection: Connection) -> None:
    # A statement that waits for a table's lock holds up all statements after it.
    await connection.execute("SET LOCAL lock_timeout = '5s'")


async def _execute(connection: Connection, plan: Migration) -> None:
    for statement in plan.statements:
        await connection.execute(statement)
