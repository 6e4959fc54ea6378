"""Migration: statements that change a table, shown before they are run."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Migration"]


@dataclass(frozen=True, slots=True)
class Migration:
    """The statements that bring a table to another form.

    Example:
        >>> from graphflow_nb import Migration
        >>> print(Migration("sessions", ("ALTER TABLE sessions ALTER COLUMN id TYPE TEXT",)))
        BEGIN;
        ALTER TABLE sessions ALTER COLUMN id TYPE TEXT;
        COMMIT;

    Attributes:
        table: The quoted name of the table.
        statements: The SQL statements to run, in one transaction; empty if there is nothing to do.
    """

    table: str
    statements: tuple[str, ...]

    def __str__(self) -> str:
        if not self.statements:
            return f"-- {self.table} has graph-flow 0.6's form already"
        return "\n".join(["BEGIN;", *(f"{s};" for s in self.statements), "COMMIT;"])
