"""Two functions that take turns at a store: each call waits until it is its writer's turn."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ..errors import GraphflowError, LessonError
from ..model import Session
from ..printable import printable
from .events import Change
from .schedule import WRITERS

__all__ = ["Stopped", "StoreView", "WriterFunction", "run_in_turns"]

MAX_CALLS: Final = 40  # of one writer on the store, after which its loop is taken for endless
PATIENCE: Final = 20.0  # seconds that a function may take between two calls


class _Call(NamedTuple):
    """What a writer's thread asks for; no method means that its function has ended."""

    writer: str
    method: str = ""
    argument: Any = None
    error: BaseException | None = None


class _Answer(NamedTuple):
    value: Any = None
    error: BaseException | None = None


class Stopped(BaseException):
    """The end of a writer's function, which ``except Exception`` does not catch."""


class StoreView:
    """The store as a writer's function sees it: each call is done in its turn.

    Example:
        >>> from graphflow_nb.lessons import Race
        >>> def save_once(store, id, change):
        ...     session = store.get(id)
        ...     change(session)
        ...     store.save(session)
        >>> with Race("memory", rule="versions") as race:
        ...     [round.outcome for round in race.try_out(save_once)][:2]
        ['balance 115', 'balance 110']
    """

    def __init__(self, writer: str, calls: queue.SimpleQueue[_Call]):
        self._writer = writer
        self._calls = calls
        self._answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()

    def get(self, id: str) -> Session:
        """Return the session with this id, as it is stored now.

        Raises:
            LessonError: The race is about another session, or there were too many calls.
        """
        session: Session = self._ask("get", id)
        return session

    def save(self, session: Session) -> None:
        """Save a session by the rule of the race.

        Raises:
            SessionConflict: The rule refuses it; nothing was written.
            LessonError: It is another session, or there were too many calls.
        """
        self._ask("save", session)

    def delete(self, id: str) -> None:
        """Delete the session with this id.

        Raises:
            LessonError: The race is about another session, or there were too many calls.
        """
        self._ask("delete", id)

    def _ask(self, method: str, argument: Any) -> Any:
        self._calls.put(_Call(self._writer, method, argument))
        answer = self._answers.get()
        if answer.error is not None:
            raise answer.error
        return answer.value

    def answer(self, answer: Any) -> None:
        """Let the writer's thread go on; ``run_in_turns`` calls it."""
        self._answers.put(answer)


#: A function that a writer runs: it is called with the store, an id and the writer's change.
WriterFunction = Callable[[StoreView, str, Callable[[Session], None]], object]


def run_in_turns(
    functions: Mapping[str, WriterFunction],
    turns: Sequence[str],
    serve: Callable[[str, str, Any], Any],
    changes: Mapping[str, Change],
    id: str,
) -> dict[str, str]:
    """Run the functions of both writers, with their calls on the store in a given order.

    Each writer has a thread, and one thread runs at a time. After the turns that are given, the
    first writer that still runs goes on.

    Args:
        functions: The function of each writer.
        turns: The writer of each call.
        serve: Does a call, on this thread: writer, method, argument.
        changes: The change of each writer.
        id: The id of the session.

    Returns:
        For each writer whose function failed, its error in words.

    Raises:
        LessonError: A function did not come to its next call in time.
    """
    calls: queue.SimpleQueue[_Call] = queue.SimpleQueue()
    views = {writer: StoreView(writer, calls) for writer in WRITERS}

    def work(writer: str) -> None:
        error: BaseException | None = None
        try:
            functions[writer](views[writer], id, changes[writer].apply)
        except BaseException as caught:  # told, whatever it is
            error = caught
        calls.put(_Call(writer, error=error))

    waiting: dict[str, _Call] = {}
    raised: dict[str, str] = {}
    counts = dict.fromkeys(WRITERS, 0)

    def wait() -> None:
        try:
            call = calls.get(timeout=PATIENCE)
        except queue.Empty:
            raise LessonError(
                f"the function neither ended nor called the store within {PATIENCE:.0f} s; it "
                "still runs on a thread of its own. Interrupting the kernel does not end it, a "
                "restart does"
            ) from None
        if call.method:
            waiting[call.writer] = call
        elif call.error is not None:
            text = str(call.error).split("; nothing was written")[0]
            raised[call.writer] = printable(f"{type(call.error).__name__}: {text}")

    try:
        for writer in WRITERS:
            threading.Thread(target=work, args=(writer,), daemon=True).start()
            wait()
        left = list(turns)
        while waiting:
            writer = left.pop(0) if left else min(waiting)
            if writer not in waiting:
                continue
            call = waiting.pop(writer)
            counts[writer] += 1
            if counts[writer] <= MAX_CALLS:
                views[writer].answer(_serve(serve, call))
                wait()
                continue
            text = f"{writer} called the store {MAX_CALLS} times: does its loop end?"
            views[writer].answer(_Answer(error=Stopped(text)))
            wait()
            if writer in waiting:  # it caught even that, and is not answered any more
                del waiting[writer]
                raised[writer] = f"Stopped: {text}"
    finally:
        for writer in waiting:  # its thread ends
            views[writer].answer(_Answer(error=Stopped("the other writer failed")))
    return raised


def _serve(serve: Callable[[str, str, Any], Any], call: _Call) -> _Answer:
    try:
        return _Answer(serve(call.writer, call.method, call.argument))
    except GraphflowError as error:
        return _Answer(error=error)
