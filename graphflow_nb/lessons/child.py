"""The process of a lesson that is killed: it runs a flow, and stops at the points of a save.

``python -m graphflow_nb.lessons.child`` is the starter: a fresh interpreter that has imported this
package, and forks a process for each run, which takes milliseconds. A notebook's own process is
never forked, since it has threads, and the tasks are imported by name, since a notebook's cells are
in no module.

Each process has one socket to the lesson, with a line of JSON for each message. It stops by waiting
for an answer, so it is at the point for as long as the lesson wants. When the lesson's end of the
socket closes, however that ended, the process ends at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

from ..bridge import InPlace
from ..errors import GraphflowError, LessonError
from ..model import Context, Session
from ..storage import InMemorySessionStorage, connect
from ..storage.wrappers import Wrapper
from ..workflow import FlowRunner, Graph, Task, TaskResult
from ..workflow.execution import NO_EDGE
from .ledger import TASK, Effect, Ledger

__all__ = ["load_graph", "main"]

MAX_STEPS: Final = 1_000
_MAX_TEXT: Final = 2_000  # characters of what an error says


def load_graph(name: str, arguments: Mapping[str, Any]) -> Graph:
    """Import a function by ``module:function``, and return the graph that it builds.

    Args:
        name: The module and the function.
        arguments: The arguments of the function.

    Raises:
        LessonError: It can't be imported, or does not return a graph.
    """
    module, _, function = name.partition(":")
    try:
        graph = getattr(import_module(module), function)(**arguments)
    except Exception as error:
        raise LessonError(
            f"the process can't build the graph {name!r} ({type(error).__name__}: {error}): a "
            "process imports it by name, so it must be a function of a module. "
            "From a notebook, write the cell to a file: %%writefile my_flow.py in its first line, "
            'and then "my_flow:build_graph"'
        ) from error
    if not isinstance(graph, Graph):
        raise LessonError(f"{name!r} returned {graph!r:.100}, not a Graph")
    return graph


class _Lesson:
    """The lesson's end of the socket.

    Args:
        channel: The socket.
    """

    def __init__(self, channel: socket.socket):
        self._channel = channel
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.plan: dict[str, Any] = {}
        self.storage: Any = None
        threading.Thread(target=self._listen, daemon=True).start()
        self.plan = self._answers.get()

    def tell(self, **message: Any) -> None:
        """Send a message; end this process if nobody is there."""
        try:
            self._channel.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            os._exit(1)

    def stop_at(self, point: str, **more: Any) -> None:
        """Say at which point this process is, and wait until the lesson says to go on."""
        self.tell(at=point, **more)
        self._answers.get()

    def _listen(self) -> None:
        try:
            with self._channel.makefile("rb") as lines:
                for line in lines:
                    message = json.loads(line)
                    if "row" in message:
                        self._tell_row(message["row"])
                    else:
                        self._answers.put(message)
        finally:
            os._exit(1)  # the lesson has ended, and so does this, wherever it is

    def _tell_row(self, id: str) -> None:
        """Send what the memory of this process has stored under an id."""
        row = session = None
        if isinstance(self.storage, InMemorySessionStorage):
            row = InPlace().run(self.storage.raw(id))
            found = InPlace().run(self.storage.get(id))
            session = None if found is None else found.to_json()
        texts = {name: _plain(value) for name, value in (row or {}).items()}
        self.tell(row=texts or None, session=session)


def _plain(value: Any) -> Any:
    """Return a value of a row as JSON can hold it."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, int | str | None) else str(value)


class _ToldStorage(Wrapper):
    """A storage that tells the lesson of each get and save, and stops around a save."""

    def __init__(self, storage: Any, lesson: _Lesson):
        super().__init__(storage)
        self._lesson = lesson
        self.ran: list[str] = []  # the tasks since the last save

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        if method != "save":
            found = await super()._call(method, *arguments, **named)
            if method == "get" and found is not None:
                self._lesson.tell(got=found.version, task=found.current_task_id)
            return found
        session, ran = arguments[0], self.ran
        self.ran = []
        self._lesson.stop_at("before the save", ran=ran)
        self._lesson.tell(saving=session.version, task=session.current_task_id)
        await super()._call(method, *arguments, **named)
        self._lesson.tell(saved=session.version, task=session.current_task_id)
        self._lesson.stop_at("after the save", ran=ran)
        return None


class _ToldTask(Task):
    """A task that tells the lesson when it begins and ends."""

    def __init__(self, task: Task, storage: _ToldStorage, lesson: _Lesson):
        self.id = task.id
        self._task, self._storage, self._lesson = task, storage, lesson

    async def run(self, context: Context) -> TaskResult:
        token = TASK.set(self.id)
        self._storage.ran.append(self.id)
        self._lesson.tell(task_began=self.id)
        try:
            result = await self._task.run(context)
        finally:
            TASK.reset(token)
        return result


async def _run(lesson: _Lesson) -> None:
    plan = lesson.plan
    graph = load_graph(plan["graph"], plan["arguments"])
    if plan["url"] is None:
        lesson.storage = InMemorySessionStorage()
    else:
        lesson.storage = await connect(plan["url"], timeout=plan["timeout"])
    if await lesson.storage.get(plan["id"]) is None:
        if graph.start_task_id is None:
            raise LessonError(f"the graph {plan['graph']!r} has no task to start at")
        new = Session(plan["id"], graph.start_task_id, graph_id=graph.id, context=plan["context"])
        await lesson.storage.save(new)
        lesson.tell(created=new.version, task=new.current_task_id)
    storage = _ToldStorage(lesson.storage, lesson)
    tasks = {id: _ToldTask(task, storage, lesson) for id, task in graph.tasks.items()}
    told = Graph(
        graph.id,
        tasks,
        graph.edges,
        graph.start_task_id,
        graph.task_timeout,
        graph.max_execution_steps,
    )
    runner = FlowRunner(told, storage)
    ledger = Ledger(plan["ledger"])

    def on_effect(effect: Effect) -> None:
        lesson.tell(effect=effect.effect, key=effect.key, sent=effect.sent, task=effect.task)
        lesson.stop_at("after an effect", ran=list(storage.ran))

    with ledger.in_use(plan["process"], on_effect):
        for _ in range(MAX_STEPS):
            result = await runner.run(plan["id"])
            # As wb.run(until="input"): until nothing can go on by itself.
            if result.status.kind != "paused" or result.status.reason == NO_EDGE:
                lesson.tell(finished=result.status.kind, response=result.response)
                return
    raise LessonError(f"stopped after {MAX_STEPS:,} steps; each was saved")


def _find_work(plan: Mapping[str, Any]) -> Callable[[_Lesson], Coroutine[Any, Any, None]]:
    """Return what a process does: it runs a flow, or the coroutine function that the plan names."""
    if "work" not in plan:
        return _run
    module, _, function = plan["work"].partition(":")
    work: Callable[[_Lesson], Coroutine[Any, Any, None]] = getattr(import_module(module), function)
    return work


def _work(channel: socket.socket) -> None:
    """Be one process: run what the lesson says, and report how it ended."""
    lesson = _Lesson(channel)
    plan = lesson.plan
    sys.path[:] = plan["path"]
    signal.alarm(plan["life"])  # whoever stopped it may have forgotten it
    lesson.tell(pid=os.getpid())
    try:
        os.chdir(plan["folder"])
        asyncio.run(_find_work(plan)(lesson))
    except GraphflowError as error:
        lesson.tell(failed=str(error)[:_MAX_TEXT], kind=type(error).__name__)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"[:_MAX_TEXT]
        lesson.tell(failed=text, kind=type(error).__name__)


def main() -> None:
    """Fork a process for each socket that comes through stdin; end when stdin closes.

    With the socket comes the name of a module that is imported before.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that no ended process is left
    control = socket.socket(fileno=0)
    while True:
        module, channels, _, _ = socket.recv_fds(control, 1_000, 1)
        if not channels:
            return
        (channel,) = channels
        with suppress(ImportError):  # the process says so itself
            import_module(module.decode())
        if os.fork() == 0:
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                _work(socket.socket(fileno=channel))
            finally:
                os._exit(0)
        os.close(channel)


if __name__ == "__main__":
    main()
