"""The writer of a lesson, as the kernel holds it: a process, and the ledger of what it saved."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ...errors import LessonError
from ...model import Session
from ...printable import describe_count
from ...storage.stores import find_kind
from ..children import ENDED, Child
from . import child

__all__ = ["Row", "Writer", "read_row"]

_SECONDS: Final = 60.0  # that one answer may take on a busy machine
_LIFE: Final = 3600  # seconds after which a forgotten process ends


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

    The ledger is in this process and not in the store: the writer reports each save when the store
    has acknowledged it. What it reported before it was killed is in the ledger.

    Args:
        url: The URL of the store.
        id: The id of the session.
        most: The number of saves after which the writer waits to be killed.
        pace: The seconds between two saves.

    Raises:
        LessonError: The process can't be started.
    """

    def __init__(self, url: str, id: str, *, most: int, pace: float):
        self._lock = threading.Lock()
        self._acknowledged = 0
        self._reports: dict[str, Any] = {}
        self._child = _start("the writer", child.write, url, id=id, most=most, pace=pace)

    @property
    def acknowledged(self) -> int:
        """The number of the last save that the store acknowledged."""
        self._read_on()
        return self._acknowledged

    @property
    def finished(self) -> bool:
        """Whether the writer has made all of its saves and waits."""
        self._read_on()
        return bool(self._reports.get("finished"))

    @property
    def pid(self) -> int | None:
        """The number of the process; None where it has ended, or did not say it yet."""
        self._read_on()
        return None if self._has_ended else self._child.pid

    @property
    def _has_ended(self) -> bool:
        return "ended" in self._reports

    def wait_for(self, saves: int) -> None:
        """Wait until a number of saves was acknowledged.

        Raises:
            LessonError: The writer failed, or takes longer than a minute for one save.
        """
        self._wait(lambda: self._acknowledged >= saves)
        if self._acknowledged < saves:
            error = self._reports.get("failed", "it gave no reason")
            raise LessonError(
                f"the writer stopped after {describe_count(self._acknowledged, 'save')}: {error}"
            )

    def wait_until_idle(self) -> None:
        """Wait until nothing is on its way to the store: the writer has ended, or waits.

        Raises:
            LessonError: It reports nothing for a minute.
        """
        self._wait(lambda: "finished" in self._reports)

    def kill(self) -> None:
        """Kill the writer by SIGKILL, and wait until all that it reported is in the ledger.

        Raises:
            LessonError: The system did not end it in time.
        """
        with self._lock:
            self._note_all()  # its number is among it
            for report in self._child.kill():  # what it had sent, and was not read yet
                self._note(report)
            self._note(ENDED)

    def _wait(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, or the end of the writer."""
        with self._lock:
            while not (condition() or self._has_ended):
                try:
                    self._note(self._child.messages.get(timeout=_SECONDS))
                except queue.Empty:
                    raise LessonError(
                        f"the writer has reported nothing for {_SECONDS:.0f} s, and whether its "
                        "save was stored is not known; kill() ends it"
                    ) from None

    def _read_on(self) -> None:
        """Note what has been reported, unless someone waits and does it."""
        if self._lock.acquire(blocking=False):
            try:
                self._note_all()
            finally:
                self._lock.release()

    def _note_all(self) -> None:
        with suppress(queue.Empty):
            while not self._has_ended:
                self._note(self._child.messages.get_nowait())

    def _note(self, report: Mapping[str, Any]) -> None:
        if "acknowledged" in report:
            self._acknowledged = report["acknowledged"]
            return
        self._reports |= report
        self._child.pid = self._reports.get("pid")


def read_row(url: str, id: str) -> Row:
    """Return what a new process finds in a store.

    Args:
        url: The URL of the store.
        id: The id of the session.

    Raises:
        LessonError: The store can't be read.
    """
    reader = _start("the reader", child.read, url, id=id)
    reports: dict[str, Any] = {}
    while "ended" not in reports:
        try:
            reports |= reader.messages.get(timeout=_SECONDS)
        except queue.Empty:
            raise LessonError(
                f"the store has not answered within {_SECONDS:.0f} s, so what it has is not known; "
                "look again"
            ) from None
    if (text := reports.get("row")) is not None:
        session = Session.from_json(text)
        created, updated = (time and datetime.fromisoformat(time) for time in reports["times"])
        session.raw_created, session.raw_updated = created, updated
        return Row(session, is_missing=False)
    if "row" in reports or "odd" in reports:
        return Row(None, is_missing="row" in reports)
    raise LessonError(
        f"the store can't be read: {reports.get('failed', 'it gave no reason')}. Nothing was "
        "changed; look again when it runs"
    )


def _start(name: str, work: Callable[..., Any], url: str, **more: Any) -> Child:
    kind = find_kind(url)
    plan = {
        "work": f"{work.__module__}:{work.__name__}",
        "url": url,
        "path": sys.path,
        "folder": str(Path.cwd()),
        "life": _LIFE,
        **more,
    }
    # Or each process would import this driver again.
    is_redis = kind is not None and kind.extra == "redis"
    return Child(name, plan, "redis.asyncio" if is_redis else child.__name__)
