"""Statements that several pieces of advice on PostgreSQL share."""

from __future__ import annotations

from ....storage.facts import PostgresFacts

__all__ = ["alter_table", "on_primary"]


def on_primary(facts: PostgresFacts, statements: str) -> str:
    """Return the statements, with a note that they belong on the primary if this is a replica."""
    return f"-- on the primary\n{statements}" if facts.standby else statements


def alter_table(facts: PostgresFacts, change: str) -> str:
    """Return ``ALTER TABLE`` of the table, or of each of its partitions: they are set one by one.

    Args:
        facts: The facts of the table.
        change: The action of the statement, such as ``SET LOGGED``.
    """
    partitions = () if facts.relation is None else facts.relation.partitions
    names = [f"{schema}.{name}" for schema, name in partitions] or [facts.table]
    return "\n".join(f"ALTER TABLE {name} {change};" for name in names)
