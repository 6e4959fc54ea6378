"""A real private Redis: on a socket alone, killed and started again, and gone with its kernel."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import redis

import graphflow_nb as g
from graphflow_nb.private_server import LocalRedis
from graphflow_nb.private_server import redis as private_redis

from ..scope import one_in
from .test_server import are_gone


def folder_of(url: str) -> Path:
    return Path(url.removeprefix("unix://")).parent


def test_start_kill_start_and_stop():
    with LocalRedis({"appendonly": "yes", "appendfsync": "always"}) as server:
        url, pid = server.url, server.pid
        folder = folder_of(url)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert url in repr(server)
        with redis.Redis.from_url(url) as client:
            assert client.config_get("port") == {"port": "0"}
            client.set("a", "1")
        assert server.start().pid == pid
        server.kill()
        assert not server.running
        server.kill()
        assert server.start().pid != pid
        assert server.url == url
        with redis.Redis.from_url(url) as client:
            assert client.get("a") == b"1"
        pid = server.pid
        assert pid is not None
    assert are_gone(pid, folder)
    server.stop()
    assert repr(server) == "<LocalRedis, stopped>"
    with pytest.raises(g.LocalServerError, match="start"):
        _ = server.url


@one_in(2)
@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "sys.exit()"])
def test_it_ends_with_its_kernel_however_that_ends(end):
    code = (
        "import os, sys; from graphflow_nb.private_server import LocalRedis as L; s = L().start();"
        f"print(s.pid, s.url, flush=True); {end}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    pid, url = done.stdout.split()
    assert are_gone(int(pid), folder_of(url))


def test_it_stays_with_the_parent_after_a_fork():
    with LocalRedis() as server:
        child = os.fork()
        if child == 0:
            os._exit(not server.running and server.pid is None)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        assert server.running


def test_a_start_that_fails_says_why_and_leaves_nothing(monkeypatch):
    made: list[Path] = []
    make = tempfile.mkdtemp
    monkeypatch.setattr(
        tempfile, "mkdtemp", lambda *a, **k: made.append(Path(make(*a, **k))) or str(made[-1])
    )
    with pytest.raises(g.LocalServerError, match=r"(?s)appendfsync.*settings= wrong"):
        LocalRedis({"appendfsync": "never again"}).start()
    assert made
    assert not any(folder.exists() for folder in made)
    monkeypatch.setattr(private_redis, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(g.LocalServerError, match=r"install 'graphflow_nb\[lessons\]'"):
        LocalRedis().start()
