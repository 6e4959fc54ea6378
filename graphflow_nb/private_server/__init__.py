"""A private PostgreSQL server for lessons and tests.

It listens on a Unix socket only. A guard process waits for the end of its pipe to the kernel, so
the server ends when the kernel ends, however that ends.

``server.py`` starts and stops the server, ``guard.py`` is the process between the kernel and the
server, ``programs.py`` finds the server's programs, and ``processes.py`` knows the system's users
and processes.
"""

from .server import LocalPostgres, local_postgres

__all__ = ["LocalPostgres", "local_postgres"]
