"""Ports and processes of the servers that tests start."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import suppress

START_SECONDS = 20.0


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until something listens on a port.

    Raises:
        AssertionError: The process ended.
        TimeoutError: Nothing listens after 20 s.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on {port}")


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end; kill it if it does not within 5 s."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
