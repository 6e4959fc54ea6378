"""What stands around a PostgreSQL server: a pooler, a standby, an older version."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import graphflow_nb as g
from graphflow_nb import private_server

from .redis_servers import free_port

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


def oldest_binaries() -> Path | None:
    """The oldest server of the system, beside the newest that comes with pip."""
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    with_server = [folder for folder in folders if (folder / "initdb").exists()]
    return min(with_server, key=lambda folder: int(folder.parent.name), default=None)


@contextmanager
def server_of(folder: Path) -> Iterator[g.LocalPostgres]:
    """A private server of other binaries than those that would be chosen."""
    chosen = private_server._candidates
    private_server._candidates = lambda: iter([folder])
    try:
        with g.local_postgres() as server:
            yield server
    finally:
        private_server._candidates = chosen


def unprivileged() -> str | None:
    """Who runs what refuses to run as root; None for whoever runs this."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def pgbouncer(url: str, *, pool_size: int = 2, more: str = "") -> Iterator[str]:
    """PgBouncer in transaction mode before a server on a Unix socket; the URL through it."""
    assert PGBOUNCER is not None
    parts = urlsplit(url)
    options = parse_qs(parts.query)
    socket, port = options["host"][0], free_port()
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        users = folder / "users"
        users.write_text('"postgres" ""\n')
        settings = folder / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host={socket} user=postgres\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = any\nauth_file = {users}\npool_mode = transaction\n"
            f"default_pool_size = {pool_size}\nmax_client_conn = 100\n"
            # The death of the server behind it is told, and forgotten, within a second; each test
            # has a database of its own, and connections to those of others are not kept.
            f"query_wait_timeout = 1\nserver_login_retry = 0.2\nserver_idle_timeout = 1\n{more}\n"
        )
        process = subprocess.Popen(
            [PGBOUNCER, "-q", str(settings)],
            user=unprivileged(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port, process)
            yield f"postgresql://postgres@127.0.0.1:{port}{parts.path}"
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    import socket

    deadline = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            assert process.poll() is None, "PgBouncer ended at once"
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(0.02)


@contextmanager
def primary_and_standby() -> Iterator[tuple[g.LocalPostgres, g.LocalPostgres, int, int]]:
    """Two servers on ports of the loopback, the second following the first."""
    ports = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="pair-") as name:
        folders = [Path(name) / "primary", Path(name) / "standby"]
        Path(name).chmod(0o755)
        for folder in folders:
            folder.mkdir()
            folder.chmod(0o755)
        network = [{"listen_addresses": "127.0.0.1", "port": str(port)} for port in ports]
        with g.local_postgres(folders[0], settings=network[0]) as primary:
            data = folders[1] / "postgres-data"
            binaries = primary._bin
            subprocess.run(
                [
                    str(binaries / "pg_basebackup"),
                    *("-D", str(data), "-h", "127.0.0.1", "-p", str(ports[0])),
                    *("-U", "postgres", "-R", "-X", "stream", "-c", "fast"),
                ],
                check=True,
                capture_output=True,
                timeout=60,
            )
            owner = (folders[0] / "postgres-data").stat()
            for path in (data, *data.rglob("*")):
                os.chown(path, owner.st_uid, owner.st_gid)
            with g.local_postgres(folders[1], settings=network[1]) as standby:
                yield primary, standby, *ports
