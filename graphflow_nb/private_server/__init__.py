"""Private PostgreSQL and Redis servers for lessons and tests.

They listen on a Unix socket only. A guard process waits for the end of its pipe to the kernel, so
a server ends when the kernel ends, however that ends.

``server.py`` starts and stops PostgreSQL and ``redis.py`` Redis or Valkey, ``guard.py`` is the
process between the kernel and the server and ``guarding.py`` the kernel's hold on it,
``programs.py`` finds PostgreSQL's programs, ``folders.py`` makes the folders, and ``processes.py``
knows the system's users and processes.
"""

from .redis import LocalRedis
from .server import LocalPostgres, local_postgres

__all__ = ["LocalPostgres", "LocalRedis", "local_postgres"]
