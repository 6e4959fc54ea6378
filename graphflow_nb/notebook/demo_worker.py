"""``graphflow_nb.demo_worker``: a worker that moves the sample sessions, without a server."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from datetime import timedelta
from typing import Final, NamedTuple, Self

from ..arguments import is_number
from ..client import Client
from ..errors import (
    QueryError,
    ReadOnlyError,
    SessionConflict,
    TaskExecutionFailed,
)
from ..model import Session
from ..model.moments import parse_duration
from ..storage.demo import demo_ids
from ..workflow.sample import answer_for, sample_context, sample_graphs
from .running import RunFlow

__all__ = ["DemoWorker", "Move", "demo_worker"]

MAX_STEPS: Final = 1_000_000
MAX_RATE: Final = 1_000.0
MAX_MOVES: Final = 10_000  # that are kept
NEW: Final = 8  # one step in so many begins a session
_FINAL: Final = {("payout", "paid"), ("closed", "closed")}  # task and status when complete


class Move(NamedTuple):
    """One step of a worker: the session, what was done, and the task at which it is after that.

    Attributes:
        id: The id of the session.
        what: ``began``, ``ran``, ``failed``, ``answered`` (someone outside sent what it waited
            for), or ``conflict`` (someone else saved it meanwhile).
        task: The current task after the step.
    """

    id: str
    what: str
    task: str


class DemoWorker:
    """A worker that moves sample sessions until it is stopped; see ``demo_worker``.

    Example:
        >>> import graphflow_nb
        >>> worker = graphflow_nb.demo_worker(graphflow_nb.open("demo"), seed=1, steps=3, rate=1000)
        >>> ended = worker.wait()
        >>> worker.steps, len(worker.moves), worker.running
        (3, 3, False)

    Attributes:
        seed: What its steps follow from.
        moves: The newest 10,000 steps.
        steps: The number of steps made.
        state: ``working``, or why it ended.
    """

    def __init__(self, client: Client, seed: int, rate: float, steps: int, seconds: float):
        self.seed, self.steps, self.state = seed, 0, "working"
        self.moves: deque[Move] = deque(maxlen=MAX_MOVES)
        self._client, self._rate, self._most, self._seconds = client, rate, steps, seconds
        self._run = RunFlow(client)
        self._graphs = sample_graphs()
        self._chance = random.Random(seed)
        self._open = sorted(demo_ids())
        self._began = 0
        self._stopped = threading.Event()
        # It ends with the kernel, which does not wait for it.
        self._thread = threading.Thread(target=self._work, name="graphflow_nb-demo", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End after the step that is being made; calling it again is harmless."""
        self._stopped.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(5.0)

    def wait(self, timeout: float = 60.0) -> bool:
        """Wait until it has ended, and return whether it has.

        Args:
            timeout: The number of seconds at most.

        Raises:
            QueryError: It is no such number.
        """
        if not (is_number(timeout) and timeout <= threading.TIMEOUT_MAX):
            raise QueryError(f"timeout must be a number of seconds, not {timeout!r}")
        self._thread.join(timeout)
        return not self.running

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        how = "stop() ends it" if self.running else self.state
        return f"<DemoWorker: {self.steps:,} of at most {self._most:,} steps, {how}>"

    def _work(self) -> None:
        end = time.monotonic() + self._seconds
        try:
            while self.steps < self._most:
                # The pauses have a length by chance, too: work that comes evenly shows nothing.
                pause = self._chance.expovariate(self._rate)
                if self._stopped.wait(min(pause, max(0.0, end - time.monotonic()))):
                    self.state = "stopped"
                    return
                if time.monotonic() >= end:
                    self.state = "its time was over"
                    return
                self.moves.append(self._step())
                self.steps += 1
            self.state = "all steps were made"
        except Exception as error:  # nobody would see it in a thread
            self.state = f"ended by an error: {error}"

    def _step(self) -> Move:
        if not self._chance.randrange(NEW):
            return self._begin()
        while self._open:
            id = self._chance.choice(self._open)
            session = self._client.bridge.run(self._client.storage.get(id))
            if session is None or session.graph_id not in self._graphs or _is_final(session):
                self._open.remove(id)
                continue
            try:
                return self._go_on(session)
            except SessionConflict:
                return Move(id, "conflict", session.current_task_id)
        return self._begin()

    def _begin(self) -> Move:
        graph = self._graphs[self._chance.choice(sorted(self._graphs))]
        self._began += 1
        id = f"{graph.id.removesuffix('s')}-{self.seed}-{self._began:04}"
        context = sample_context(graph.id, self._chance)
        assert graph.start_task_id is not None
        session = Session(id, graph.start_task_id, graph_id=graph.id, context=context)
        try:
            self._save(session)
        except SessionConflict:  # a worker with this seed was here before
            return Move(id, "conflict", session.current_task_id)
        self._open.append(id)
        return Move(id, "began", session.current_task_id)

    def _go_on(self, session: Session) -> Move:
        """Run the session's task, or do what someone outside does for whom it waits."""
        answer = answer_for(session.context, session.current_task_id, self._chance)
        # Some time passes before anyone answers; what no one was asked for yet is not sent.
        if answer and session.status_message and self._chance.randrange(2):
            session.context.update(answer)
            self._save(session)
            return Move(session.id, "answered", session.current_task_id)
        try:
            run = self._run(self._graphs[session.graph_id], session.id)
        except TaskExecutionFailed as error:
            # The runner saves nothing of a step that failed; a careful worker notes it.
            session.status_message = str(error).removeprefix("Task execution failed: ")
            self._save(session)
            return Move(session.id, "failed", session.current_task_id)
        return Move(session.id, "ran", run.after.current_task_id)

    def _save(self, session: Session) -> None:
        self._client.bridge.run(self._client.storage.save(session))
        self._client.note_shown(session, "write")


def demo_worker(
    wb: Client,
    seed: int = 0,
    *,
    rate: float = 2.0,
    steps: int = 1_000,
    duration: str | timedelta = "10 min",
    anywhere: bool = False,
) -> DemoWorker:
    """Start a worker that moves the sample sessions, so that views have something to show.

    It runs the two sample workflows, claims and support, on the sessions of ``open("demo")`` and on
    new ones, and sends what a waiting session waits for. Others' sessions are left alone. Its
    writes are a worker's: they are in ``wb.latency`` and not in ``wb.journal``. It works beside the
    cells, and ends by itself.

    Example:
        >>> import graphflow_nb
        >>> wb = graphflow_nb.open("demo")
        >>> worker = graphflow_nb.demo_worker(wb, rate=1000, steps=20)
        >>> worker.wait(), worker.steps
        (True, 20)

    Args:
        wb: The workbench: of ``open("demo")``, or of another store in memory.
        seed: What the steps follow from: on sessions that are equal, equal seeds make equal steps.
        rate: The number of steps a second, on average; 1,000 at most.
        steps: The number of steps after which it ends; a million at most.
        duration: The time after which it ends: ``"10 min"``, a timedelta.
        anywhere: Whether it may work on a store that is not in memory. There too it changes only
            sample sessions and sessions that it began.

    Returns:
        The worker; ``stop()`` ends it, ``moves`` has its steps.

    Raises:
        QueryError: An argument is invalid, or the store is not in memory; nothing was changed.
        ReadOnlyError: The store is open for reading only; nothing was changed.
    """
    if not isinstance(wb, Client):
        raise QueryError(f"demo_worker takes a workbench, as open('demo') returns it, not {wb!r}")
    if type(seed) is not int or seed < 0:
        raise QueryError(f"seed must be an integer >= 0, not {seed!r}")
    if not (is_number(rate) and 0 < rate <= MAX_RATE):
        raise QueryError(f"rate must be a number > 0 and at most {MAX_RATE:,.0f}, not {rate!r}")
    if type(steps) is not int or not 1 <= steps <= MAX_STEPS:
        raise QueryError(f"steps must be an integer from 1 to {MAX_STEPS:,}, not {steps!r}")
    try:
        seconds = parse_duration(duration).total_seconds()
    except ValueError as error:
        raise QueryError(f"duration: {error}") from error
    if wb.attributes.read_only:
        raise ReadOnlyError("this store is open for reading only, so no demo worker was started")
    if wb.attributes.place != "memory" and not anywhere:
        raise QueryError(
            f"a demo worker writes, and {wb.storage.inner!r} is not in memory, so none was "
            'started: use graphflow_nb.open("demo"), or anywhere=True if it may write there'
        )
    return DemoWorker(wb, seed, rate, steps, seconds)


def _is_final(session: Session) -> bool:
    return (session.current_task_id, session.status_message) in _FINAL
