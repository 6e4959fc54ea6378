"""A private server's process under its guard, as the kernel holds it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, Self

from .processes import identify_process, kill_with_children

__all__ = ["GUARD", "Guard", "PrivateServer"]

#: The script of the guard's process.
GUARD: Final = Path(__file__).with_name("guard.py")
_KEEP = b"k"  # asks the guard to keep the folders


class Guard:
    """A guard process and the server that it started.

    Args:
        plan: What the guard runs, as ``guard.py`` describes it.

    Attributes:
        error: Why the data could not be made, None where they could.
        pid: The number of the server's process, None where it was not started.
    """

    def __init__(self, plan: Mapping[str, Any]):
        # A session of its own, so that an interrupt of the kernel does not reach it.
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), json.dumps(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._pipe = process.stdin
        self._finalizer = weakref.finalize(self, _end, process, process.stdin)
        try:
            with process.stdout as answers:
                answer = json.loads(answers.readline() or "{}")
        except BaseException:
            self.end(keep=True)
            raise
        self.error: str | None = answer.get("error")
        self.pid: int | None = answer.get("pid")
        self._identity = None if self.pid is None else identify_process(self.pid)

    @property
    def is_running(self) -> bool:
        """Whether the server's process is there."""
        if self.pid is None or self._identity is None:
            return False
        return identify_process(self.pid) == self._identity

    def end(self, *, keep: bool) -> None:
        """End the guard and with it the server.

        Args:
            keep: Whether to keep the temporary folders.
        """
        if keep and self._finalizer.alive:
            with suppress(OSError):
                self._pipe.write(_KEEP)
        self._finalizer()

    def forget(self) -> None:
        """Leave guard and server to the parent; called in a child that was forked."""
        # The child's end of the pipe, or the guard would wait for the child too.
        self._pipe.close()
        self._finalizer.detach()


def _end(process: subprocess.Popen[bytes], pipe: IO[bytes]) -> None:
    with suppress(OSError):
        pipe.close()
    process.wait()


# A server lives on when only its URL is kept. It ends by stop() or with this process.
_started: set[PrivateServer] = set()
_known: weakref.WeakSet[PrivateServer] = weakref.WeakSet()


class PrivateServer(ABC):
    """A server that one process holds, and its forked children do not."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._runtime: Path | None = None  # the folder of its socket and its log
        self._guard: Guard | None = None
        _known.add(self)

    @abstractmethod
    def start(self) -> Self:
        """Start the server, also after it was killed; do nothing if it runs."""

    def _start_guard(self, plan: Mapping[str, Any]) -> Guard:
        """Start the server under a guard, which ``guard.py`` tells what to do."""
        self._guard = Guard(plan)
        _started.add(self)
        return self._guard

    def _end_guard(self, *, keep: bool) -> None:
        """End the guard and with it the server.

        Args:
            keep: Whether to keep the temporary folders.
        """
        if self._guard is not None:
            self._guard.end(keep=keep)
            _started.discard(self)
        self._guard = None

    def kill(self) -> None:
        """Kill the server with all its processes, as a crash would; ``start`` recovers it.

        Each gets a SIGKILL: of PostgreSQL the postmaster, every connection's backend, and those in
        the background that write the log and the data. Nothing more is written, and connections
        break at once. What the server handed to the system before is kept, since the system did not
        crash. After ``start`` the URL is the same. Do nothing if the server does not run.
        """
        with self._lock:
            if self.pid is not None and self.running:
                kill_with_children(self.pid)

    def stop(self) -> None:
        """Stop the server and remove temporary data; do nothing if it is stopped.

        Data in a folder that the caller named are kept.
        """
        with self._lock:
            self._end_guard(keep=False)
            if self._runtime is not None:
                shutil.rmtree(self._runtime, ignore_errors=True)
            self._runtime = None

    @property
    def running(self) -> bool:
        """Whether the server's process is there."""
        return self._guard is not None and self._guard.is_running

    @property
    def pid(self) -> int | None:
        """The number of the server's process, None while it is stopped."""
        return None if self._guard is None else self._guard.pid

    def forget_after_fork(self) -> None:
        """Leave the server to the parent; called in a child that was forked."""
        if self._guard is not None:
            self._guard.forget()
        self._lock = threading.RLock()
        self._runtime, self._guard = None, None
        _started.discard(self)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _forget_all() -> None:
    for server in list(_known):
        server.forget_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
