"""Sessions in a SQLite file."""

from .storage import SqliteSessionStorage

__all__ = ["SqliteSessionStorage"]
