"""One process that runs a flow for a crash: what it tells, and where it stops."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from ..errors import LessonError
from .children import ENDED, Child
from .points import BEFORE, HELD
from .story import Story
from .wire import Held, Wire

__all__ = ["Run", "Telling"]

_POINT_OF: Final = {held: point for point, held in HELD.items()}


@dataclass
class Telling:
    """What is told of all processes of a crash.

    Attributes:
        story: What happened.
        row: The row that was told last; None for nothing.
    """

    story: Story
    row: str | None = None

    def tell_row(self, version: int, task: str) -> None:
        """Tell of the row that is stored now, unless it is the one that was told last."""
        row = f"version {version}, at {task}"
        if row != self.row:
            self.row = row
            self.story.add("store", "store", row)


class Run:
    """A process from its start to its end.

    Args:
        name: The name of the process.
        telling: Where to tell what it does.
        stop: The point at which it is to stop; None to run to its end.
        task: The task whose point it is; None for any.
        wire: The line by which it reaches the server; None where it holds nothing.
        seconds: How long to wait for it each time.

    Attributes:
        name: As passed.
        at: The point at which it is stopped; None where it is not.
        held: What the line holds.
        alive: Whether the process is there.
        outcome: How it ended; empty before.
    """

    def __init__(
        self,
        name: str,
        telling: Telling,
        stop: str | None,
        task: str | None,
        wire: Wire | None,
        seconds: float,
    ):
        self.name = name
        self.at: str | None = None
        self.held: Held | None = None
        self.alive = False
        self.outcome = ""
        self._telling = telling
        self._say = partial(telling.story.add, "process", name)
        self._stop, self._task, self._wire, self._seconds = stop, task, wire, seconds
        self._saving = False
        self._began = ""  # the row that it read first
        self._ran: list[str] = []
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """The number of the process; None where it is not there."""
        return self._child.pid if self.alive and self._child is not None else None

    def launch(self, plan: Mapping[str, Any], module: str) -> None:
        """Start the process, and wait until it has stopped or ended; see ``Child``.

        Raises:
            LessonError: It failed, or did not come to its point.
        """
        try:
            self._child = Child(self.name, plan, module)
        finally:  # an interrupt may come here
            self.alive = self._child is not None
            self.outcome = "" if self.alive else f"{self.name} did not start"
        self._follow()

    def go_on(self) -> None:
        """Let the process run on, and wait until it has ended.

        Raises:
            LessonError: It failed, or did not end.
        """
        held, self.held, self.at, self._stop = self.held, None, None, None
        if held is None:
            self._get_child().say(go=True)
        elif self._wire is not None:
            self._wire.release()
        self._follow()

    def kill(self, request: Literal["delivered", "lost"]) -> None:
        """Kill the process where it is stopped; see ``Crash.kill``."""
        self._get_child().kill()
        self.alive = False
        self.outcome = f"{self.name} was killed: {self.at}"
        self._settle(request)

    def abandon(self) -> None:
        """Kill the process wherever it is, since nobody waits for it any more."""
        self._get_child().kill()
        self.alive = False
        self.outcome = self.outcome or f"{self.name} was killed"
        self._say("was killed")
        self._settle("lost")

    def ask_row(self, id: str) -> tuple[dict[str, Any] | None, str | None]:
        """Return what is stored under an id in the process's memory: the row, the session's JSON.

        Raises:
            LessonError: It does not answer.
        """
        child = self._get_child()
        child.say(row=id)
        try:
            answer = child.messages.get(timeout=self._seconds)
        except queue.Empty:
            raise LessonError(f"{self.name} does not answer: kill() ends it") from None
        return answer.get("row"), answer.get("session")

    def _get_child(self) -> Child:
        assert self._child is not None
        return self._child

    def _settle(self, request: Literal["delivered", "lost"]) -> None:
        """Decide what becomes of what the line holds, now that the process is dead."""
        wire, held, self.held, self.at = self._wire, self.held, None, None
        if wire is None:
            return
        say = partial(self._telling.story.add, "on the way", "line")
        if held == "request" and request == "delivered":
            if wire.deliver():
                say("delivers what the dead process sent")
            else:
                say("can't deliver what the dead process sent: the server does not answer")
            return
        wire.lose()
        if held == "request":
            say("is cut: the request is lost")
        elif held == "answer":
            say("nobody is there to read the answer")

    def _follow(self) -> None:
        """Take the messages of the process until it is at its point, or has ended."""
        child = self._get_child()
        deadline = time.monotonic() + self._seconds
        try:
            while self.at is None:
                try:
                    left = max(0.0, deadline - time.monotonic())
                    message = child.messages.get(timeout=left)
                except queue.Empty:
                    raise LessonError(
                        f"{self.name} did not come to a point or its end within "
                        f"{self._seconds:.0f} seconds, and was killed. Does a task wait for "
                        "something? seconds= of Crash(…) gives it more time"
                    ) from None
                if message is ENDED:
                    self.alive = False
                    self._settle("lost")
                    self._check_outcome()
                    return
                self._take(child, message)
        except BaseException:  # also an interrupt: no process stays that nobody waits for
            if self.alive:
                self.abandon()
            raise

    def _take(self, child: Child, message: Mapping[str, Any]) -> None:
        match message:
            case {"pid": pid}:
                child.pid = pid
            case {"created": version, "task": task}:
                self._say(f"saves a new session, at {task}")
                self._telling.tell_row(version, task)
            case {"got": version, "task": task}:
                self._say(f"reads version {version}, at {task}")
                self._telling.row = f"version {version}, at {task}"
                self._began = self._began or self._telling.row
            case {"task_began": task}:
                self._ran.append(task)
                self._say(f"runs {task}")
            case {"effect": effect, "key": key, "sent": sent}:
                note = "" if key is None else f" (key {key})"
                note += "" if sent else ": key known, ignored"
                self._telling.story.add("outside", "outside", f"{effect}{note}")
            case {"saving": _}:
                self._saving = True
                self._say("saves")
            case {"saved": version, "task": task}:
                self._saving = False
                self._telling.tell_row(version, task)
            case {"failed": text}:
                self.outcome = f"{self.name} failed: {text}"
                self._say(f"failed: {text}")
            case {"finished": kind}:
                self.outcome = f"{self.name} finished: {kind}"
                self._say(f"finished: {kind}")
            case {"held": held}:
                self.held = held
            case {"at": point, "ran": ran}:
                self._take_point(child, point, ran)
        # The line may report before the process's own message is read.
        if self.held is not None and self._saving and self.at is None:
            self.at = _POINT_OF[self.held]
            way = "to the server" if self.held == "request" else "of the server"
            self._telling.story.add("on the way", "line", f"holds the {self.held} {way}")

    def _take_point(self, child: Child, point: str, ran: Sequence[str]) -> None:
        wanted = self._task is None or self._task in ran
        if point == self._stop and wanted:
            self.at = point
            return
        holds = HELD.get(self._stop or "")
        if point == BEFORE and wanted and holds is not None and self._wire is not None:
            put: Callable[[Any], None] = child.messages.put
            self._wire.hold(holds, lambda held: put({"held": held}))
        child.say(go=True)

    def _check_outcome(self) -> None:
        """Raise LessonError if the process ended by itself where it was not to do so."""
        if not self.outcome:
            self.outcome = f"{self.name} ended without a word"
            raise LessonError(
                f"{self.name} ended by itself: did a task end it, or was it killed from outside?"
            )
        if self.outcome.startswith(f"{self.name} failed"):
            raise LessonError(self.outcome)
        if self._stop is not None:
            of = "" if self._task is None else f" of task {self._task!r}"
            ran = ", ".join(self._ran) or "no task"
            raise LessonError(
                f"{self.outcome}, and it never came to the point {self._stop!r}{of}. It began with "
                f"the row at {self._began}, and ran {ran}. To start again, use another id"
            )
