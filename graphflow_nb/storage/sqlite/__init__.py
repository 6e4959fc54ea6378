"""Sessions in a SQLite file, in the form of graph-flow's PostgreSQL table.

SQLite has no asynchronous driver, so the calls to the database run in a thread. The SQL is in
``sql.py``.
"""

from .storage import SqliteSessionStorage

__all__ = ["SqliteSessionStorage"]
