"""A private server's process under its guard, as the kernel holds it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, Protocol

from .processes import identify_process

__all__ = ["GUARD", "Guard", "PrivateServer", "keep_until_stopped", "let_go", "watch_forks"]

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


class PrivateServer(Protocol):
    """A server that one process holds, and its forked children do not."""

    def forget_after_fork(self) -> None:
        """Leave the server to the parent; called in a child that was forked."""


# A server lives on when only its URL is kept. It ends by stop() or with this process.
_started: set[PrivateServer] = set()
_known: weakref.WeakSet[PrivateServer] = weakref.WeakSet()


def keep_until_stopped(server: PrivateServer) -> None:
    """Keep a server alive, also when only its URL is kept."""
    _started.add(server)


def let_go(server: PrivateServer) -> None:
    """Take back what ``keep_until_stopped`` did."""
    _started.discard(server)


def watch_forks(server: PrivateServer) -> None:
    """Call a server's ``forget_after_fork`` in each child that this process forks."""
    _known.add(server)


def _forget_all() -> None:
    for server in list(_known):
        server.forget_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
