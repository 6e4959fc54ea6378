"""Crash: a flow in a process of its own, which is stopped at a point of a save and killed there."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, Self

import pandas as pd
from markupsafe import Markup

from ..errors import GraphflowError, LessonError, SessionNotFound
from ..model import Session
from ..notebook import Workbench
from ..notebook.panel import Action, Panel
from ..storage import StoreUrl
from .crash_view import draw_crash
from .ledger import Effect, Ledger, can_be_encoded
from .points import HELD, POINTS, find_points, has_server
from .run import Run, Telling
from .shown import ShownAsPanel
from .stores import LessonStore
from .story import Story
from .wire import Wire

__all__ = ["Crash"]

_LIFE: Final = 3_600  # seconds that a process may live, stopped or not
_STATEMENT: Final = 600.0  # seconds that it waits for a server, whose answer may be held
_MODULES: Final = {"redis": "redis.asyncio"}  # what takes a process longest to import


class Crash(ShownAsPanel[Panel]):
    """A flow that runs in a process of its own, to be killed at a named point of a save.

    The process stops at the point by itself and waits, however long. ``kill`` ends it there by a
    real SIGKILL, ``go_on`` lets it run on, and ``resume`` starts another process on the same
    session. What the tasks did outside the store is in ``ledger``. In a notebook it shows itself as
    a panel with a button for each of these.

    On PostgreSQL and Redis the process reaches the server through a line that can hold one request
    or one answer, so that these points are real, too; ``points`` says which a store has.

    Example:
        >>> from graphflow_nb.lessons import Crash, lesson_store
        >>> flow = "graphflow_nb.lessons.course.crash_and_resume:build_graph"
        >>> with lesson_store("sqlite") as store:
        ...     crash = Crash(store, flow, "order-1", context={"order": "order-1"})
        ...     crash.start(stop_at="before the save", task="confirm")
        ...     print(crash.session().current_task_id, list(crash.ledger.task))
        ...     crash.kill()
        ...     crash.resume()
        ...     print(crash.session().current_task_id, list(crash.ledger.task))
        ...     crash.close()
        confirm ['charge', 'confirm']
        ship ['charge', 'confirm', 'confirm']

    Args:
        store: The store, from ``lesson_store``.
        graph: The function that builds the graph, as ``module:function``: the process imports it.
        id: The id of the session, which is created if it does not exist.
        task: The task at whose effect or save the process stops, unless a call says another one;
            None for the first that comes.
        context: The context of the session, where it is created.
        arguments: Arguments for the function, values that JSON can hold.
        ledger: The ledger, for one that several crashes share; None for one of its own.
        seconds: How long to wait for the process each time.
        name: How the notebook names the crash, for the lines of code that it shows.

    Attributes:
        store, graph, id, task, name: As passed.
        story: What happened, in order.

    Raises:
        LessonError: An argument is invalid.
    """

    def __init__(
        self,
        store: LessonStore,
        graph: str,
        id: str,
        *,
        task: str | None = None,
        context: Mapping[str, Any] | None = None,
        arguments: Mapping[str, Any] | None = None,
        ledger: Ledger | None = None,
        seconds: float = 20.0,
        name: str = "crash",
    ):
        if not isinstance(store, LessonStore):
            raise LessonError(f"Crash takes a store of lesson_store(), not {store!r:.100}")
        if not isinstance(graph, str) or not all(graph.partition(":")):
            raise LessonError(
                f'the graph is named "module:function", not {graph!r:.100}: another process '
                "imports it. From a notebook, write the cell to a file: %%writefile my_flow.py in "
                'its first line, and then "my_flow:build_graph"'
            )
        if not isinstance(id, str) or not id or not can_be_encoded(id):
            raise LessonError(f"the id of a session is a text, not {id!r:.100}")
        if ledger is not None and not isinstance(ledger, Ledger):
            raise LessonError(f"ledger= is a Ledger, not {ledger!r:.100}")
        if not isinstance(seconds, int | float) or not 0 < seconds <= _STATEMENT:
            raise LessonError(f"seconds= is a number up to {_STATEMENT:.0f}, not {seconds!r:.100}")
        try:
            plan = {"context": dict(context or {}), "arguments": dict(arguments or {})}
            self._values = json.loads(json.dumps(plan, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise LessonError(
                f"context= and arguments= have values that JSON can hold ({error}): they are sent "
                "to another process"
            ) from error
        self.store, self.graph, self.id, self.task, self.name = store, graph, id, task, name
        between = ("on the way",) if has_server(store.kind) else ()
        self.story = Story(("you", "process", *between, "store", "outside"))
        self._telling = Telling(self.story)
        self._seconds = float(seconds)
        self._lock = threading.RLock()
        self._folder = Path(tempfile.mkdtemp(prefix="gfnb-crash-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._ledger = Ledger(self._folder / "ledger.jsonl") if ledger is None else ledger
        self._run: Run | None = None  # the newest
        self._started = 0
        self._workbench: Workbench | None = None
        self._wire: Wire | None = None
        self._closed = False

    # What can be seen

    @property
    def points(self) -> pd.DataFrame:
        """The points of a save, and whether this store has them.

        Returns:
            A row for each point, in order: ``exists`` (bool) and ``why`` (string), what is true at
            the point, or why there is none.
        """
        return find_points(self.store.kind)

    @property
    def state(self) -> str:
        """What the process does now, in words."""
        if self._closed:
            return "closed"
        run = self._run
        if run is None:
            return "not started"
        return f"{run.name} is stopped: {run.at}" if run.alive else run.outcome

    @property
    def pid(self) -> int | None:
        """The number of the process that is stopped now; None where none is."""
        return None if self._run is None else self._run.pid

    @property
    def ledger(self) -> pd.DataFrame:
        """What the tasks did outside the store.

        Returns:
            A row for each effect, in order: ``at`` (UTC), ``process``, ``task``, ``effect`` and
            ``key`` (string), ``sent`` (bool; False where the receiver knew the key already).
        """
        return self._ledger.frame()

    def row(self) -> dict[str, Any] | None:
        """Return what the store has under the session's id, by column; None for nothing.

        It is read past the line, so what the process waits for does not hold it.

        Raises:
            StorageError: The store is out of reach, for example killed.
            LessonError: The crash is closed.
        """
        with self._lock:
            self._check_open()
            if self.store.url is None:
                run = self._find_stopped()
                return None if run is None else run.ask_row(self.id)[0]
            try:
                return self._open().raw(self.id)
            except SessionNotFound:
                return None

    def session(self) -> Session | None:
        """Return the session that is stored now; None for none.

        Raises:
            StorageError: The store is out of reach, for example killed.
            LessonError: The crash is closed.
        """
        with self._lock:
            self._check_open()
            if self.store.url is None:
                run = self._find_stopped()
                text = None if run is None else run.ask_row(self.id)[1]
                return None if text is None else Session.from_json(text)
            try:
                return self._open().get(self.id)
            except SessionNotFound:
                return None

    # What can be done

    def start(self, stop_at: str | None = None, *, task: str | None = None) -> None:
        """Start the first process, and wait until it has stopped.

        Args:
            stop_at: The point, one of ``points``; None runs the flow to its end.
            task: The task whose effect or save it is; None for that of the crash.

        Raises:
            LessonError: It was started before, the store has no such point, or the process failed
                or did not come to the point.
        """
        with self._step():
            if self._started:
                raise LessonError(
                    f"this flow was started already ({self.state}): resume() starts another "
                    "process on the same session, Crash(…) with another id starts again"
                )
            self._launch("start", stop_at, task)

    def resume(self, stop_at: str | None = None, *, task: str | None = None) -> None:
        """Start another process on the same session, after the one before has ended.

        Args:
            stop_at: The point at which it stops; None runs the flow to its end.
            task: The task whose effect or save it is; None for that of the crash.

        Raises:
            LessonError: No process was started before, one is still there, the store has no such
                point, or the process failed or did not come to the point.
        """
        with self._step():
            if not self._started:
                raise LessonError("nothing was started yet: start(stop_at=…) comes first")
            self._launch("resume", stop_at, task)

    def kill(self, request: Literal["delivered", "lost"] = "delivered") -> None:
        """Kill the process where it is stopped, by SIGKILL.

        Args:
            request: What becomes of a request that has left the process and not reached the server:
                ``delivered``, as what was sent is, whether or not its sender lives, or ``lost``, as
                with a line that is cut. It means nothing at the other points.

        Raises:
            LessonError: No process is stopped, or there is no such fate.
        """
        with self._step():
            run = self._check_stopped("kill")
            if request not in ("delivered", "lost"):
                raise LessonError(f'request= is "delivered" or "lost", not {request!r:.100}')
            self._say(f"kill {run.name} (SIGKILL)")
            run.kill(request)
            self._look()

    def go_on(self) -> None:
        """Let the stopped process run on, to the end of the flow.

        Raises:
            LessonError: No process is stopped, or it failed.
        """
        with self._step():
            run = self._check_stopped("go_on")
            self._say(f"let {run.name} go on")
            run.go_on()
            self._look()

    def kill_server(self) -> None:
        """Kill the store's server by SIGKILL, whatever it is doing.

        Raises:
            LessonError: The store has no server.
        """
        with self._step():
            self.store.kill()
            self._say(f"kill the server of {self.store.label} (SIGKILL)")

    def restart_server(self) -> None:
        """Start the store's server again, on the data that it left.

        Raises:
            LessonError: The store has no server, or it does not start.
        """
        with self._step():
            self.store.restart()
            self._say(f"restart the server of {self.store.label}")
            self._look()

    def close(self) -> None:
        """End the process, if one is there, and remove its own ledger; the store stays as it is.

        Closing twice is not an error.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                run = self._find_stopped()
                if run is not None:
                    run.abandon()
            finally:
                if self._wire is not None:
                    self._wire.close()
                if self._workbench is not None:
                    with suppress(GraphflowError):
                        self._workbench.close()
                self._remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # How it is done

    @contextmanager
    def _step(self) -> Iterator[None]:
        with self._lock:
            self._check_open()
            try:
                yield
            finally:
                self._refresh()

    def _check_open(self) -> None:
        if self._closed:
            raise LessonError(
                "this crash is closed: run the cell that made it again, or make another one "
                "with Crash(…)"
            )

    def _find_stopped(self) -> Run | None:
        return self._run if self._run is not None and self._run.alive else None

    def _check_stopped(self, wanted: str) -> Run:
        run = self._find_stopped()
        if run is None:
            raise LessonError(
                f"{wanted}() needs a process that is stopped, and none is ({self.state}): "
                "start(stop_at=…) or resume(stop_at=…) comes first"
            )
        return run

    def _check_point(self, point: str | None) -> None:
        known = self.points
        if point is not None and point not in known.index:
            names = ", ".join(map(repr, POINTS))
            raise LessonError(f"there is no point {point!r:.100}: choose one of {names}")
        if point is not None and not known.exists[point]:
            raise LessonError(
                f"{self.store.label} has no point {point!r}: {known.why[point]}. points lists "
                "those that it has"
            )

    def _launch(self, verb: str, stop: str | None, task: str | None) -> None:
        if self._find_stopped() is not None:
            raise LessonError(
                f"{self.state}: kill() or go_on() comes first, and nothing was started"
            )
        self._check_point(stop)
        if task is not None and not isinstance(task, str):
            raise LessonError(f"task= is the id of a task, not {task!r:.100}")
        url, wire = self.store.url, None
        if url is None:
            self._telling.row = None  # the memory ended with the process before
        else:
            self._open()
            if stop in HELD:
                wire = self._lay_wire(url)
                url = wire.url
        name = f"process {self._started + 1}"
        self._say(f"{verb} {name}" + ("" if stop is None else f", stop at: {stop}"))
        plan = self._values | {
            "graph": self.graph,
            "id": self.id,
            "url": url,
            "process": name,
            "ledger": str(self._ledger.path.absolute()),
            "path": sys.path,
            "folder": str(Path.cwd()),
            "timeout": _STATEMENT,
            "life": _LIFE,
        }
        task = self.task if task is None else task
        run = Run(name, self._telling, stop, task, wire, self._seconds)
        self._run = run
        self._started += 1
        run.launch(plan, _MODULES.get(self.store.kind, "graphflow_nb"))
        self._look()

    def _lay_wire(self, url: str) -> Wire:
        if self._wire is None:
            self._wire = Wire(StoreUrl(url), self.id)
        return self._wire

    def _open(self) -> Workbench:
        if self._workbench is None:
            self._workbench = self.store.open()
        return self._workbench

    def _look(self) -> None:
        """Tell of the row that is stored now, if it is another one than was told last."""
        try:
            found = self.session()
        except GraphflowError as error:
            self.story.add("store", "store", f"can't be read: {type(error).__name__}")
            return
        if found is not None:
            self._telling.tell_row(found.version, found.current_task_id)

    def _say(self, what: str) -> None:
        self.story.add("you", "you", what)

    # How it shows itself

    def _actions(self) -> list[list[Action]]:
        verb = "resume" if self._started else "start"
        call: Callable[..., None] = self.resume if self._started else self.start
        run = self._find_stopped()
        stopped = run is not None
        free = not stopped and not self._closed
        starts = [
            Action(
                f"{verb.capitalize()}, stop at: {point}",
                f'{self.name}.{verb}(stop_at="{point}")',
                partial(call, point),
                enabled=free,
            )
            for point in self.points.index[self.points.exists]
        ]
        going = [
            Action("Kill", f"{self.name}.kill()", self.kill, enabled=stopped, style="danger"),
            Action("Go on", f"{self.name}.go_on()", self.go_on, enabled=stopped),
            Action(
                verb.capitalize(),
                f"{self.name}.{verb}()",
                call,
                enabled=free,
                style="primary" if self._started else "",
            ),
        ]
        if not has_server(self.store.kind):
            return [starts, going]
        lost = Action(
            "Kill, request lost",
            f'{self.name}.kill(request="lost")',
            partial(self.kill, "lost"),
            enabled=run is not None and run.held == "request",
            style="danger",
        )
        server = [
            Action(
                "Kill the server",
                f"{self.name}.kill_server()",
                self.kill_server,
                enabled=not self._closed,
                style="danger",
            ),
            Action(
                "Restart the server",
                f"{self.name}.restart_server()",
                self.restart_server,
                enabled=not self._closed,
            ),
        ]
        return [starts, [going[0], lost, *going[1:]], server]

    def _draw(self) -> Markup:
        row: Mapping[str, object] = {}
        effects: list[Effect] = []
        if not self._closed:
            effects = self._ledger.read()
            try:
                row = self.row() or {}
            except GraphflowError as error:
                row = {"can't be read": error}
        facts = [("process", self.state), ("store", self.store.label)]
        return draw_crash(facts, row, effects, self.story)

    def __repr__(self) -> str:
        lines = [f"<Crash of session {self.id!r} on {self.store.label}: {self.state}>"]
        return "\n".join([*lines, repr(self.story)])

    def _make_panel(self) -> Panel:
        return Panel(f"crash of {self.id}", self._draw, self._actions)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        self.panel.refresh()
        return super()._repr_mimebundle_(**kwargs)
