"""Servers for the tests, beside the private PostgreSQL that the package itself starts.

Each is a context manager that yields once the server answers, and ends it. They listen on free
ports of the loopback interface.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, quote, urlsplit

from graphflow_nb import LocalPostgres
from graphflow_nb.private_server.processes import ServerUser
from graphflow_nb.private_server.programs import (
    binary_folders,
    server_environment,
    server_version,
    short_temporary_folder,
)

START_SECONDS = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until something listens there; fails if the process ends or the time is over."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on {port}")


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and end it."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


# PostgreSQL

# The programs of the oldest version here, e.g. those of Debian's package.
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
        assert self.pid is not None
        os.kill(self.pid, signal.SIGQUIT)
        while self.running:
            time.sleep(0.01)


class Standby(Postgres):
    """A replica of a running server: a base backup of it, and what it streams from then on."""

    def __init__(self, primary: Postgres):
        self._primary = primary
        self._place = Path(tempfile.mkdtemp(prefix="gfnb-", dir=short_temporary_folder()))
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


# PgBouncer

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Pooler:
    """A running PgBouncer."""

    def __init__(self, port: int):
        self.port = port

    def url(self, url: str) -> str:
        """The same database as a URL of LocalPostgres says, through the pooler."""
        database = urlsplit(url).path.strip("/")
        return f"postgresql://postgres@127.0.0.1:{self.port}/{quote(database, safe='')}"


@contextmanager
def pgbouncer(server: LocalPostgres, **settings: object) -> Iterator[Pooler]:
    """PgBouncer before a server, in transaction mode with two server connections per database.

    Args:
        settings: of its section ``pgbouncer``, beyond or instead of these.
    """
    user = ServerUser.of_server()
    folder = Path(tempfile.mkdtemp(prefix="gfnb-", dir=short_temporary_folder()))
    port = free_port()
    listed = parse_qs(urlsplit(server.url).query).get("port", ["5432"])[0]
    lines = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": "transaction",
        "default_pool_size": 2,
        "max_client_conn": 200,
        "server_idle_timeout": 2,  # the server has 50 connections for all databases
        "server_login_retry": 1,
    } | settings
    text = f"[databases]\n* = host={folder_of(server.url)} port={listed} user=postgres\n"
    text += "[pgbouncer]\n" + "".join(f"{name} = {value}\n" for name, value in lines.items())
    config = folder / "pgbouncer.ini"
    config.write_text(text)
    folder.chmod(0o755)
    config.chmod(0o644)
    assert PGBOUNCER is not None
    process = subprocess.Popen([PGBOUNCER, "-q", str(config)], cwd=folder, **user.arguments)
    try:
        wait_for_port(port, process)
        yield Pooler(port)
    finally:
        end(process)
        shutil.rmtree(folder, ignore_errors=True)
