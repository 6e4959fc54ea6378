"""Sessions in PostgreSQL."""

from .storage import Migration, PostgresSessionStorage

__all__ = ["Migration", "PostgresSessionStorage"]
