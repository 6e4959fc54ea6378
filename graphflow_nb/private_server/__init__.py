"""A private PostgreSQL server for lessons and tests.

It listens on a Unix socket only. A guard process waits for the end of its pipe to the kernel, so
the server ends when the kernel ends, however that ends.
"""

from .server import LocalPostgres, local_postgres

__all__ = ["LocalPostgres", "local_postgres"]
