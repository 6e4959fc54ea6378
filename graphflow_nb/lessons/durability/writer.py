"""The writer of a lesson, as the kernel holds it: a process, and the ledger of what it saved."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, Self

from ...errors import LessonError
from ...model import Session
from ...private_server.processes import identify_process

__all__ = ["Row", "Writer"]

_START = "from graphflow_nb.lessons.durability.child import main; main()"
_SECONDS = 60.0  # that one answer may take on a busy machine


@dataclass(frozen=True)
class Row:
    """What a process found in the store.

    Attributes:
        session: The session; None if there is none, or it is not one.
        is_missing: Whether there is no row.
    """

    session: Session | None
    is_missing: bool


class Writer:
    """A process that saves numbered versions of a session, and the ledger of those acknowledged.

    The ledger is in this process and not in the store: the writer reports each save through a pipe
    when the store has acknowledged it. What it reported before it was killed is in the ledger.
    """

    def __init__(self) -> None:
        folder = str(Path(__file__).parents[3])
        path = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
        # A session of its own, so that an interrupt of the kernel does not reach it.
        process = subprocess.Popen(
            [sys.executable, "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._requests = process.stdin
        self._ledger = _Ledger()
        self._finalizer = weakref.finalize(self, _end, process, self._ledger, os.getpid())
        threading.Thread(
            target=self._ledger.keep,
            args=(process.stdout,),
            name="graphflow_nb-ledger",
            daemon=True,
        ).start()

    @property
    def acknowledged(self) -> int:
        """The number of the last save that the store acknowledged."""
        return self._ledger.acknowledged

    @property
    def pid(self) -> int | None:
        """The number of the process that writes, None where there is none."""
        reports = self._ledger.reports
        return None if self._ledger.has_ended else reports.get("writer")

    @property
    def finished(self) -> bool:
        """Whether the writer has made all of its saves and waits."""
        return bool(self._ledger.reports.get("finished"))

    def start(self, url: str, id: str, *, until: int, most: int, pace: float) -> None:
        """Start to save, and return when a number of saves was acknowledged; the writer goes on.

        Args:
            url: The URL of the store.
            id: The id of the session.
            until: The number of saves to wait for.
            most: The number of saves after which the writer waits to be killed.
            pace: The seconds between two saves.

        Raises:
            LessonError: The writer failed, or takes longer than a minute for one save.
        """
        self._request({"what": "write", "url": url, "id": id, "most": most, "pace": pace})
        self._ledger.wait_for(until)
        if self._ledger.acknowledged < until:
            error = self._ledger.reports.get("error", "it gave no reason")
            raise LessonError(f"the writer stopped after {self.acknowledged} saves: {error}")

    def wait_until_idle(self) -> None:
        """Wait until nothing is on its way to the store: the writer has ended, or waits."""
        self._ledger.wait(lambda: self._ledger.has_ended or self.finished)

    def kill(self) -> None:
        """Kill the writer by SIGKILL, and wait until all that it reported is in the ledger."""
        self._ledger.kill_writer()
        self._ledger.wait(lambda: self._ledger.has_ended)

    def read(self, url: str, id: str) -> Row:
        """Return what a new process finds in the store.

        Raises:
            LessonError: The store can't be read.
        """
        self._request({"what": "read", "url": url, "id": id})
        self._ledger.wait(lambda: self._ledger.has_ended)
        reports = self._ledger.reports
        if (text := reports.get("row")) is not None:
            session = Session.from_json(text)
            created, updated = (time and datetime.fromisoformat(time) for time in reports["times"])
            session.raw_created, session.raw_updated = created, updated
            return Row(session, is_missing=False)
        if "row" in reports:
            return Row(None, is_missing=True)
        if "odd" in reports:
            return Row(None, is_missing=False)
        raise LessonError(
            f"the store can't be read: {reports.get('error', 'it gave no reason')}. Nothing was "
            "changed; look again when it runs"
        )

    def _request(self, what: dict[str, Any]) -> None:
        self._ledger.clear()
        try:
            self._requests.write(json.dumps(what).encode() + b"\n")
            self._requests.flush()
        except OSError as error:
            raise LessonError(
                "the process that starts the writers has ended; make the apparatus again"
            ) from error

    def close(self) -> None:
        """End the process and the writer, if one is there."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Ledger:
    """What the writer reported; a thread keeps it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_over = False
        self.clear()

    def clear(self) -> None:
        """Forget the writer before."""
        with self._changed:
            self.acknowledged = 0
            self.reports: dict[str, Any] = {}
            self.identity: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the writer has ended, after which nothing more is reported."""
        return self._is_over or "ended" in self.reports

    def kill_writer(self) -> None:
        """Send SIGKILL to the writer, if it is there."""
        pid = self.reports.get("writer")
        if pid is not None and not self.has_ended and identify_process(pid) == self.identity:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def keep(self, lines: IO[bytes]) -> None:
        """Keep what comes, until the pipe closes."""
        with lines:
            for line in lines:
                with self._changed:
                    if line[:1] != b"{":
                        self.acknowledged = int(line)
                    else:
                        self.reports |= json.loads(line)
                        if self.identity is None and "writer" in self.reports:
                            self.identity = identify_process(self.reports["writer"])
                    self._changed.notify_all()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def wait_for(self, saves: int) -> None:
        """Wait until a number of saves was acknowledged, or the writer has ended.

        Raises:
            LessonError: One save takes longer than a minute.
        """
        with self._changed:
            while self.acknowledged < saves and not self.has_ended:
                self.wait(partial(self._is_past, self.acknowledged))

    def _is_past(self, saves: int) -> bool:
        return self.acknowledged > saves or self.has_ended

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition.

        Raises:
            LessonError: It takes longer than a minute.
        """
        with self._changed:
            if not self._changed.wait_for(condition, _SECONDS):
                raise LessonError(
                    f"the writer has reported nothing for {_SECONDS:.0f} s; its saves are not "
                    "known. Close the apparatus and make it again"
                )


def _end(process: subprocess.Popen[bytes], ledger: _Ledger, owner: int) -> None:
    """End the process that starts writers, and the writer."""
    if os.getpid() != owner:  # a child that was forked
        return
    ledger.kill_writer()
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.close()
    process.wait()
