"""Migration: statements that change a table, shown before they are run."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from ..printable import printable

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
        note: What changes for those who write to the table; shown as a comment above the
            statements.
    """

    table: str
    statements: tuple[str, ...]
    note: str = ""

    def __str__(self) -> str:
        comment = textwrap.wrap(self.note, 100, initial_indent="-- ", subsequent_indent="-- ")
        if not self.statements:
            comment.insert(0, f"-- nothing to run: {printable(self.table)} has what is wanted")
            return "\n".join(comment)
        return "\n".join([*comment, "BEGIN;", *(f"{s};" for s in self.statements), "COMMIT;"])

    __repr__ = __str__  # what a cell shows that ends with the call
