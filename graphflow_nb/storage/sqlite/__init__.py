"""Sessions in a SQLite file, in the form of graph-flow's PostgreSQL table.

SQLite has no asynchronous driver, so each connection has a thread of its own (``connection.py``).
``location.py`` says what a URL names, ``files.py`` opens and creates files, ``reading.py`` reads
one without a trace.
The SQL is in ``sql.py``, the functions that it calls in ``functions.py``; ``records.py`` writes one
session's row, and ``storage.py`` is the storage.
"""

from .storage import SqliteSessionStorage

__all__ = ["SqliteSessionStorage"]
