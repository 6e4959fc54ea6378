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
import tempfile
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb.private_server.processes import (
    ServerUser,
    find_command_line,
    find_parent,
    find_server_process,
    identify_process,
)

from ..scope import need, one_in, only_complete
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
    """Return whether a server and its folder go away within twenty seconds."""
    for _ in range(400):
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


@only_complete
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


@one_in(4)
@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(3)", "sys.exit()", "1 / 0"])
def test_it_ends_with_its_kernel_however_that_ends(end):
    code = (
        "import os, sys, graphflow_nb as g; s = g.local_postgres();"
        f"print(s.pid, s.url, flush=True); {end}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    pid, url = done.stdout.split()
    assert are_gone(int(pid), Path(folder_of(url)))


@one_in(2)
@pytest.mark.parametrize("other", ["link", "dots"])
def test_data_in_use_are_left_to_the_server_that_uses_them(open_folder, other):
    folder, link = open_folder / "here", open_folder / "link"
    folder.mkdir(mode=0o755)
    link.symlink_to(folder)
    began = time.monotonic()
    with g.local_postgres(folder) as first:
        data = folder / "postgres-data"
        pid_file = (data / "postmaster.pid").read_text()
        assert find_server_process(data) == first.pid
        again = {"link": link, "dots": folder / ".." / "here"}[other]
        with pytest.raises(g.LocalPostgresError, match=f"in use by another server.*{first.pid}"):
            g.local_postgres(again)
        assert (data / "postmaster.pid").read_text() == pid_file
        assert ask(first.url, "SELECT 1") == 1
    assert time.monotonic() - began < 25


@only_complete
def test_a_server_that_someone_started_by_hand_is_found(open_folder):
    with g.local_postgres(open_folder) as private:
        binaries = private.binaries
    data = open_folder / "postgres-data"
    user = ServerUser.of_server()
    command = [binaries / "postgres", "-D", ".", "-c", "listen_addresses="]
    command += ["-c", f"unix_socket_directories={data}"]
    with subprocess.Popen(command, cwd=data, stderr=subprocess.PIPE, **user.arguments) as server:
        try:
            assert server.stderr is not None
            for line in server.stderr:
                if b"ready to accept" in line:
                    break
            with pytest.raises(g.LocalPostgresError, match=f"in use.*{server.pid}"):
                g.local_postgres(open_folder)
            assert server.poll() is None
        finally:
            server.send_signal(signal.SIGINT)


def test_it_ends_when_its_guard_is_killed():
    need("a system that ends a child with its parent", sys.platform == "linux")
    private = g.local_postgres()
    try:
        assert private.pid is not None
        guard = find_parent(private.pid)
        assert guard is not None
        os.kill(guard, signal.SIGKILL)
        for _ in range(400):
            if not private.running:
                break
            time.sleep(0.05)
        assert not private.running
        private.start()
        assert ask(private.url, "SELECT 1") == 1
    finally:
        private.stop()


@only_complete
def test_a_forked_child_does_not_keep_it():
    code = """
import os, time, graphflow_nb as g
server = g.local_postgres()
if not os.fork():
    assert not server.running
    server.stop()
    os.write(1, f"child {os.getpid()}\\n".encode())
    time.sleep(60)
    os._exit(0)
os.write(1, f"server {server.pid} {server.url}\\n".encode())
time.sleep(60)
"""
    kernel = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert kernel.stdout is not None
    said = dict(line.split(" ", 1) for line in (kernel.stdout.readline(), kernel.stdout.readline()))
    pid, url = said["server"].split()
    try:
        assert ask(url, "SELECT 1") == 1
        kernel.kill()
        kernel.wait()
        assert are_gone(int(pid), Path(folder_of(url)))
    finally:
        os.kill(int(said["child"]), signal.SIGKILL)
        kernel.stdout.close()


@only_complete
def test_a_kernel_that_is_killed_during_initdb_leaves_nothing():
    with TemporaryDirectory(dir="/tmp", prefix="gf") as parent:
        os.chmod(parent, 0o777)
        code = "import graphflow_nb as g; g.local_postgres()"
        environment = os.environ | {"TMPDIR": parent}
        with subprocess.Popen([sys.executable, "-c", code], env=environment) as kernel:
            while not list(Path(parent).glob("gfnb-*/postgres-data/base")):
                assert kernel.poll() is None
                time.sleep(0.005)
            kernel.kill()
        for _ in range(400):
            if not list(Path(parent).iterdir()):
                break
            time.sleep(0.05)
        assert list(Path(parent).iterdir()) == []


def test_a_failed_start_leaves_nothing_and_takes_no_time(open_folder, monkeypatch):
    with TemporaryDirectory(dir="/tmp", prefix="gf") as parent:
        os.chmod(parent, 0o777)
        monkeypatch.setattr(tempfile, "tempdir", parent)
        for folder in (None, open_folder):
            began = time.monotonic()
            with pytest.raises(g.LocalPostgresError, match=r"too large for this machine \(shared"):
                g.local_postgres(folder, settings={"shared_buffers": "9000GB"})
            assert time.monotonic() - began < 25
            assert list(Path(parent).iterdir()) == []
        assert list(open_folder.iterdir()) == []


def test_the_environment_does_not_decide_how_it_is_reached(monkeypatch):
    for name, value in {
        "PGPORT": "6543",
        "PGHOST": "nowhere.example",
        "PGUSER": "somebody",
        "PGDATABASE": "elsewhere",
        "PGPASSWORD": "wrong",
        "PGSSLMODE": "verify-full",
        "PGTARGETSESSIONATTRS": "standby",
    }.items():
        monkeypatch.setenv(name, value)
    with g.local_postgres() as private, g.open(private.url, writable=True) as wb:
        wb.create("a", "t")
        assert wb.get("a").version == 1
        with g.open(private.create_database("other"), writable=True) as other:
            other.create("b", "t")


@only_complete
def test_what_ended_processes_left_is_removed():
    with TemporaryDirectory(dir="/tmp", prefix="gf") as parent:
        os.chmod(parent, 0o777)
        left, used, foreign = (Path(parent) / f"gfnb-{name}" for name in ("left", "used", "other"))
        for folder in (left, used, foreign):
            folder.mkdir()
        (left / "owner").write_text("4194000 long ago")
        (used / "owner").write_text(str(identify_process(os.getpid())))
        code = "import graphflow_nb as g; g.local_postgres().stop()"
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"TMPDIR": parent}, check=True
        )
        assert sorted(Path(parent).iterdir()) == sorted([used, foreign])


def test_a_private_temporary_folder_of_root(monkeypatch, tmp_path):
    need("root, whose folders the server can't enter,", os.geteuid() == 0)
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    with g.local_postgres() as server:
        assert ask(server.url, "SELECT 1") == 1


def test_a_user_without_a_name_is_told_what_to_do(monkeypatch):
    def unknown(_):
        raise KeyError("uid not found")

    monkeypatch.setattr("os.geteuid", lambda: 12345)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(g.LocalPostgresError, match=r"12345.*/etc/passwd"):
        g.local_postgres()


def test_refusals_are_our_errors(server, monkeypatch, open_folder):
    with pytest.raises(g.LocalPostgresError, match="no PostgreSQL server that runs"):
        g.LocalPostgres(binaries=open_folder).start()
    name = f"twice_{os.getpid()}"
    with g.local_postgres() as private:
        private.create_database(name)
        with pytest.raises(g.LocalPostgresError, match="already exists"):
            private.create_database(name)
        with pytest.raises(g.LocalPostgresError, match="was not created"):
            private.create_database("nul\0")
    monkeypatch.setattr("os.access", lambda *_, **__: False)
    with pytest.raises(g.LocalPostgresError, match="may not write in"):
        g.local_postgres(open_folder)


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


def test_its_log_is_private_and_quotes_no_rows():
    server = g.local_postgres()
    log = Path(folder_of(server.url)) / "log"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700
    with g.open(server.url, writable=True) as wb:
        run = wb.storage.inner.run
        check = "ADD CHECK ((context->'data'->>'n')::int < 2)"
        wb.bridge.run(run(lambda c: c.execute(f"ALTER TABLE sessions {check}")))
        with pytest.raises(g.StorageError, match="violates"):
            wb.create("a", "t", context={"password": "Zq7-0042", "n": 3})
        with pytest.raises(g.StorageError, match="invalid input"):
            wb.bridge.run(run(lambda c: c.fetch("SELECT 'Zq7-0042'::int")))
    assert "Zq7-0042" not in log.read_text()
    server.stop()


@only_complete
def test_it_outlives_its_object():
    url = g.local_postgres().url
    gc.collect()
    assert ask(url, "SELECT 1") == 1


@only_complete
def test_many_at_once():
    servers = [g.LocalPostgres() for _ in range(3)]
    for private in servers:
        private.start()
    assert len({private.url for private in servers}) == 3
    for private in servers:
        private.stop()
