"""Processes of a lesson, to be killed: started from a fresh interpreter, and told what to do.

See ``child.py`` for the other side.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from ..errors import LessonError

__all__ = ["ENDED", "Child"]

#: The message that a child has ended; no other follows.
ENDED: Final[Mapping[str, Any]] = {"ended": True}
_END_SECONDS: Final = 10.0  # that the system may take to end a killed process


class _Starter:
    """The interpreter that forks the children; one for this process.

    It ends with this process, however that ends, since then its stdin closes.
    """

    def __init__(self) -> None:
        mine, theirs = socket.socketpair()
        folders = [folder for folder in sys.path if folder]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "graphflow_nb.lessons.child"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)},
                # An interrupt of the kernel does not reach it.
                start_new_session=True,
            )
        self._control = mine
        self.pid = os.getpid()

    @property
    def alive(self) -> bool:
        return self.pid == os.getpid() and self._process.poll() is None

    def fork(self, channel: socket.socket, module: str) -> None:
        """Make a child that has this socket, from an interpreter that has imported a module."""
        socket.send_fds(self._control, [module.encode()], [channel.fileno()])

    _shared: _Starter | None = None
    _lock = threading.Lock()

    @classmethod
    def shared(cls) -> _Starter:
        """Return the starter of this process; a forked process gets its own."""
        with cls._lock:
            if cls._shared is None or not cls._shared.alive:
                cls._shared = cls()
            return cls._shared


class Child:
    """A process that runs a plan and sends messages.

    Args:
        name: The name of the process, for people.
        plan: What it is to do; see ``child.py``.
        module: A module that is imported before, once for all processes: a driver takes long.

    Attributes:
        name: As passed.
        messages: What it sent, in order; others may put messages there, too.
        pid: The number of the process; None until it has said it.

    Raises:
        LessonError: This system can't start one.
    """

    def __init__(self, name: str, plan: Mapping[str, Any], module: str):
        if os.name != "posix":
            raise LessonError(
                "a process that can be killed here needs Linux or macOS (or WSL on Windows); "
                "nothing was started"
            )
        self.name = name
        self.messages: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self.pid: int | None = None
        self._ended = threading.Event()
        self._channel, theirs = socket.socketpair()
        try:
            with theirs:
                _Starter.shared().fork(theirs, module)
            heard = (self._channel, self.messages, self._ended)
            threading.Thread(target=_listen, args=heard, daemon=True).start()
            # A process that nobody refers to any more ends by itself.
            self._finalizer = weakref.finalize(self, _hang_up, self._channel)
            self.say(**plan)
        except OSError as error:
            self._channel.close()
            raise LessonError(
                f"{name} could not be started ({error.strerror}): is this machine out of memory "
                "or processes? Try again"
            ) from error
        except BaseException:  # an interrupt; it ends when it finds its socket closed
            self._channel.close()
            raise

    def say(self, **message: Any) -> None:
        """Send a message to the process; one that has ended does not get it."""
        with suppress(OSError):
            self._channel.sendall(json.dumps(message).encode() + b"\n")

    def kill(self) -> list[Mapping[str, Any]]:
        """End the process by SIGKILL, at once and without its knowledge, and wait until it is gone.

        One that has ended stays so.

        Returns:
            What it had sent before and was not read yet.

        Raises:
            LessonError: The system did not end it in time.
        """
        if self.pid is not None and not self._ended.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        else:  # it has not said its number, so it is before any task, and ends when it reads
            with suppress(OSError):
                self._channel.shutdown(socket.SHUT_WR)
        return self.wait_for_end(_END_SECONDS)

    def wait_for_end(self, seconds: float) -> list[Mapping[str, Any]]:
        """Wait until the process has ended, and return what it sent and was not read yet.

        Args:
            seconds: How long to wait.

        Raises:
            LessonError: It has not ended by then.
        """
        # Not the message of the end, which an interrupted call may have read.
        if not self._ended.wait(seconds):
            raise LessonError(
                f"{self.name} (process number {self.pid}) has not ended within {seconds:.0f} "
                "seconds: restart the kernel, which ends it"
            )
        self._finalizer()
        sent: list[Mapping[str, Any]] = []
        with suppress(queue.Empty):
            while (message := self.messages.get_nowait()) is not ENDED:
                sent.append(message)
        return sent


def _listen(
    channel: socket.socket,
    messages: queue.SimpleQueue[Mapping[str, Any]],
    ended: threading.Event,
) -> None:
    try:
        with channel.makefile("rb") as lines:
            for line in lines:
                messages.put(json.loads(line))
    except (OSError, ValueError):  # closed here, or cut off in the middle of a line
        pass
    messages.put(ENDED)
    ended.set()


def _hang_up(channel: socket.socket) -> None:
    with suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)
    channel.close()
