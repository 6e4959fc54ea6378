"""Sessions in PostgreSQL, in each form of the table that graph-flow makes or documents.

What is not obvious here:

- Connections are held between operations, because returning one to asyncpg's pool costs a reset
  query. After an error or a cancellation a connection goes back to the pool, which repairs it.
- ``storage.py`` composes the other modules around one ``OpenTable`` (``table.py``). The table
  runs statements, and adapts when someone alters it; ``inspection.py`` finds out its form.
- A table of a page (``queries.py``) is packed by the server, whole columns into one row, because
  rows cost more than columns. A table of all sessions is streamed by COPY (``streaming.py``).
- Ids are ordered by the column's own collation, because only that order has an index. The other
  stores order ids by code point.
- A table without ``version`` is checked in every save in case it got that column meanwhile: a save
  that did not increment the version would be lost to the next worker's save.
- Where a table has no ``version``, a save compares the row's ``xmin``. Where that can't be relied
  on (partitioned tables, views, servers that only speak PostgreSQL's protocol), it compares
  ``updated_at`` in microseconds. A change by hand that leaves ``updated_at`` as it was is not
  noticed there.
- Each new connection carries a setting of its own, which a pooler does not pass on. This is how a
  pooler is recognised. Behind one, nothing is kept in the server's connections, and read-only
  means one READ ONLY transaction for each operation.
- The hosts of a URL are tried one by one, each with a share of the time.

The SQL on sessions is in ``sql.py`` and ``history_sql.py``, that of queries in ``selects.py`` and
``conditions.py``, that of a table of all sessions in ``streaming.py`` and ``sorting.py``. What one
module alone asks of the server's catalogs or settings is in that module. Values are always
parameters, identifiers are always quoted.
"""

from .storage import PostgresSessionStorage

__all__ = ["PostgresSessionStorage"]
