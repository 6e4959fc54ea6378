"""A private PostgreSQL server for lessons and tests."""

from .server import LocalPostgres, local_postgres

__all__ = ["LocalPostgres", "local_postgres"]
