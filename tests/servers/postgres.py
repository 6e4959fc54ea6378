"""PostgreSQL servers beyond the private one that the package starts, and databases on them.

Each server is a context manager that yields once the server answers, and ends it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

import asyncpg

from graphflow_nb import LocalPostgres
from graphflow_nb.bridge import LoopThread
from graphflow_nb.private_server.processes import ServerUser
from graphflow_nb.private_server.programs import (
    binary_folders,
    server_environment,
    server_version,
    short_temporary_folder,
)

from .process import free_port

#: The programs of the oldest version on this machine, e.g. those of Debian's package.
OLDEST = min(
    (path for path in binary_folders() if (path / "postgres").exists()),
    key=lambda path: [int(part) for part in server_version(path).split(".") if part.isdigit()],
    default=None,
)


def folder_of(url: str) -> str:
    """Return the folder of the server's socket, from a URL of LocalPostgres."""
    return parse_qs(urlsplit(url).query)["host"][0]


class Postgres(LocalPostgres):
    """A private server that listens on a port too.

    Args:
        folder: Where the data are kept; None for data that are removed at the end.
        settings: The settings of the server.
        binaries: The folder of its programs, None for those that LocalPostgres takes.
    """

    def __init__(
        self,
        folder: Path | None = None,
        settings: Mapping[str, str] | None = None,
        *,
        binaries: Path | None = None,
    ):
        self.port = free_port()
        ours = {"listen_addresses": "127.0.0.1", "port": str(self.port)}
        super().__init__(folder, ours | dict(settings or {}), binaries=binaries)

    @property
    def address(self) -> str:
        """Host and port, for a URL."""
        return f"127.0.0.1:{self.port}"

    def kill(self) -> None:
        """End it at once with all its connections, without a checkpoint; ``start`` recovers it."""
        kill(self)


def kill(server: LocalPostgres, how: int = signal.SIGQUIT) -> None:
    """Send a signal that ends a server, and wait until it has ended.

    SIGQUIT ends its connections too; after SIGKILL they live on for a moment.
    """
    assert server.pid is not None
    os.kill(server.pid, how)
    while server.running:
        time.sleep(0.01)


class Standby(Postgres):
    """A replica of a running server: a base backup of it, and what it streams from then on."""

    def __init__(self, primary: Postgres):
        self._primary = primary
        parent = short_temporary_folder(ServerUser.of_server())
        self._place = Path(tempfile.mkdtemp(prefix="gfnb-", dir=parent))
        super().__init__(self._place, {"fsync": "off"}, binaries=primary.binaries)

    def start(self) -> Self:
        if not (data := self._place / "postgres-data").exists():
            user = ServerUser.of_server()
            user.own(self._place)
            address = ["-h", "127.0.0.1", "-p", str(self._primary.port), "-U", "postgres"]
            target = ["-D", str(data), "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
            subprocess.run(
                [self._primary.binaries / "pg_basebackup", *address, *target],
                cwd=self._place,
                env=server_environment(self._place),
                check=True,
                timeout=60,
                **user.arguments,
            )
        return super().start()

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self._place, ignore_errors=True)


# Databases

_numbers = count()

# What a test may leave in a database beyond its schemas, and other connections to it. Such a
# database is not used again.
_REMAINS = """
SELECT count(*) FROM (
    SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    UNION ALL SELECT 1 FROM pg_prepared_xacts WHERE database = current_database()
    UNION ALL SELECT 1 FROM pg_database WHERE datname = current_database()
        AND (datacl IS NOT NULL OR datdba <> 'postgres'::regrole OR datconnlimit <> -1)
    UNION ALL SELECT 1 FROM pg_db_role_setting WHERE setdatabase IN
        (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT 1 FROM pg_extension WHERE extname <> 'plpgsql'
    UNION ALL SELECT 1 FROM pg_event_trigger
    UNION ALL SELECT 1 FROM pg_publication
    UNION ALL SELECT 1 FROM pg_default_acl
    UNION ALL SELECT 1 FROM pg_largeobject_metadata
    UNION ALL SELECT 1 FROM pg_foreign_data_wrapper
    UNION ALL SELECT 1 FROM pg_class AS c JOIN pg_init_privs AS i
        ON i.objoid = c.oid AND i.classoid = 'pg_class'::regclass AND i.objsubid = 0
        WHERE c.relacl IS DISTINCT FROM i.initprivs
) AS remains
"""
_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'"


class Databases:
    """The databases of a server that tests use one after the other.

    Creating one takes 120 ms and emptying one 10 ms, which over all tests is more than a minute.
    """

    def __init__(self, server: LocalPostgres):
        self.server = server
        self._empty: list[str] = []

    @contextmanager
    def empty(self) -> Iterator[str]:
        """Give the URL of an empty database, and take it back."""
        url = self._empty.pop() if self._empty else self.create()
        yield url
        if self.server.running and LoopThread.shared().run(_emptied(url)):
            self._empty.append(url)

    def create(self) -> str:
        """Create an empty database, which is not used again, and return its URL."""
        return self.server.create_database(f"test{next(_numbers)}")


async def _emptied(url: str) -> bool:
    """Empty a database; return False where something would remain."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        if await connection.fetchval(_REMAINS):
            return False
        await connection.execute("SET lock_timeout = '200ms'")
        for (name,) in await connection.fetch(_SCHEMAS):
            quoted = '"' + name.replace('"', '""') + '"'
            await connection.execute(f"DROP SCHEMA {quoted} CASCADE")
        # As in template1; before version 15 everyone may create tables there.
        rights = "USAGE"
        owner = "ALTER SCHEMA public OWNER TO pg_database_owner;"
        if connection.get_server_version().major < 15:
            rights, owner = "ALL", ""
        await connection.execute(
            f"CREATE SCHEMA public; {owner} GRANT {rights} ON SCHEMA public TO PUBLIC"
        )
        return True
    except asyncpg.PostgresError:
        return False
    finally:
        await connection.close()
