"""A real private server: private, durable, and gone with its kernel."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb.private_server.processes import find_command_line

from ..servers.postgres import folder_of


def ask(url: str, statement: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def are_gone(pid: int, path: Path) -> bool:
    """Return whether a server and its folder go away within ten seconds."""
    for _ in range(200):
        if not path.exists() and find_command_line(pid) is None:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def open_folder(tmp_path: Path):
    """A folder that the server's user may enter, as root's own temporary ones are not."""
    if os.geteuid() == 0:
        folder = Path("/var/tmp") / f"graphflow_nb-test-{os.getpid()}"
        folder.mkdir(mode=0o755)
        yield folder
        shutil.rmtree(folder)
    else:
        yield tmp_path


def test_start_stop_and_start(server):
    with g.local_postgres(settings={"work_mem": "7MB"}) as private:
        assert private.running
        assert str(ask(private.url, "SHOW server_version")).startswith(private.version)
        assert ask(private.url, "SHOW work_mem") == "7MB"
        assert ask(private.url, "SHOW listen_addresses") == ""
        pid, runtime = private.pid, Path(folder_of(private.url))
        assert private.start() is private
        assert private.pid == pid
        assert pid is not None
        assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
        assert private.url in repr(private)
        assert (
            ask(private.create_database('odd "name"'), "SELECT current_database()") == 'odd "name"'
        )
    assert are_gone(pid, runtime)
    private.stop()
    assert repr(private) == "<LocalPostgres, stopped>"
    for name in ("url", "version"):
        with pytest.raises(g.LocalPostgresError, match="start"):
            getattr(private, name)


def test_data_in_a_folder_are_kept(open_folder):
    modes = {p: p.stat().st_mode for p in (open_folder, *open_folder.parents)}
    with g.local_postgres(open_folder) as private:
        ask(private.url, "CREATE TABLE t AS SELECT 7 AS n")
        with pytest.raises(g.LocalPostgresError, match="in use"):
            g.local_postgres(open_folder)
    with g.local_postgres(open_folder) as private:
        assert ask(private.url, "SELECT n FROM t") == 7
        pid = private.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while private.running:
            time.sleep(0.01)
        private.start()
        assert private.pid != pid
        assert ask(private.url, "SELECT n FROM t") == 7
    assert {p: p.stat().st_mode for p in modes} == modes
    pid_file = open_folder / "postgres-data" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{open_folder}\n")  # left by one whose number we have now
    with g.local_postgres(open_folder) as private:
        assert ask(private.url, "SELECT n FROM t") == 7
    (open_folder / "postgres-data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(g.LocalPostgresError, match="was created by PostgreSQL 9"):
        g.local_postgres(open_folder)


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 9)", "sys.exit()", "1 / 0"])
def test_it_ends_with_its_kernel_however_that_ends(end):
    code = (
        "import os, sys, graphflow_nb as g; s = g.local_postgres();"
        f"print(s.pid, s.url, flush=True); {end}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    pid, url = done.stdout.split()
    assert are_gone(int(pid), Path(folder_of(url)))


def test_folders_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(g.LocalPostgresError, match="create it first"):
        g.local_postgres(tmp_path / "missing")
    if os.geteuid() == 0:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        with pytest.raises(g.LocalPostgresError, match="may not enter"):
            g.local_postgres(closed)
        assert list(closed.iterdir()) == []


def test_other_files_are_left_alone(open_folder):
    other = open_folder / "postgres-data"
    other.mkdir()
    (other / "mine").write_text("x")
    with pytest.raises(g.LocalPostgresError, match="something else"):
        g.local_postgres(open_folder)
    assert (other / "mine").read_text() == "x"


def test_the_error_quotes_the_servers_own_complaint():
    with pytest.raises(g.LocalPostgresError, match="no_such_setting"):
        g.local_postgres(settings={"no_such_setting": "1"})


def test_it_outlives_its_object():
    url = g.local_postgres().url
    gc.collect()
    assert ask(url, "SELECT 1") == 1


def test_many_at_once():
    servers = [g.LocalPostgres() for _ in range(3)]
    for private in servers:
        private.start()
    assert len({private.url for private in servers}) == 3
    for private in servers:
        private.stop()
