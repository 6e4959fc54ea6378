"""Sessions in a SQLite file, in the form of graph-flow's PostgreSQL table.

SQLite has no asynchronous driver, so each connection has a thread of its own (``connection.py``).
Queries have up to four of their own (``readers.py``), so that a get does not wait for them.
``location.py`` says what a URL names, ``files.py`` opens and creates files, ``reading.py`` reads
one without a trace.
The SQL on sessions is in ``sql.py`` and ``history_sql.py``, the functions that it calls in
``functions.py``; ``records.py`` writes one session's row, ``queries.py`` answers queries, and
``storage.py`` joins them.
"""

from .storage import SqliteSessionStorage

__all__ = ["SqliteSessionStorage"]
