"""PgBouncer before a PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from graphflow_nb import LocalPostgres
from graphflow_nb.private_server.processes import ServerUser
from graphflow_nb.private_server.programs import short_temporary_folder

from .postgres import folder_of
from .process import end_process, free_port, wait_for_port

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Pooler:
    """A running PgBouncer."""

    def __init__(self, port: int):
        self.port = port

    def url(self, url: str) -> str:
        """Return the URL of the same database through the pooler.

        Args:
            url: A URL of LocalPostgres.
        """
        database = urlsplit(url).path.strip("/")
        return f"postgresql://postgres@127.0.0.1:{self.port}/{quote(database, safe='')}"


@contextmanager
def pgbouncer(server: LocalPostgres, **settings: object) -> Iterator[Pooler]:
    """Start PgBouncer in transaction mode with two server connections for each database.

    Args:
        server: The server behind it.
        settings: Those of its section ``pgbouncer``, beyond or instead of these.
    """
    user = ServerUser.of_server()
    folder = Path(tempfile.mkdtemp(prefix="gfnb-", dir=short_temporary_folder(user)))
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
        end_process(process)
        shutil.rmtree(folder, ignore_errors=True)
