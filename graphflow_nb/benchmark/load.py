"""Loading a store for some seconds, and measuring each request."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, Final

from ..errors import SessionConflict, SessionNotFound
from ..model import Session
from ..monitoring import MonitoredStorage, Recorder, Records
from ..monitoring.clock import CLOCK
from ..monitoring.operation import Outcome, kind_of
from ..storage import Cursor, Query, SessionStorage
from ..storage.attributes import attributes_of
from ..storage.protocols import SupportsUpsert
from .sessions import OwnSessions, Sessions
from .workload import Workload, make_chooser

__all__ = ["Turn", "measure"]

_TRIES: Final = 10  # of a change that ends in conflicts
_IN_A_ROW: Final = 100  # errors, after which a turn ends
_SPIN_NS: Final = 1_500_000  # of active waiting: a timer may be a millisecond late
_YIELD_NS: Final = 5_000_000  # after which a storage that never suspends lets others run


@dataclass(frozen=True)
class Turn:
    """The measurements of some seconds of load on one store.

    Example:
        >>> import threading
        >>> import graphflow_nb
        >>> from graphflow_nb.benchmark import WORKLOADS, StoredSessions, measure
        >>> storage = graphflow_nb.open("demo").storage.inner
        >>> turn = await measure(
        ...     storage, await StoredSessions.found(storage, 10), WORKLOADS["C"], store="demo",
        ...     repeat=0, seconds=0.05, concurrency=1, rate=None, seed=1, stop=threading.Event(),
        ... )
        >>> turn.store, len(turn.requests) == len(turn.operations)
        ('demo', True)

    Attributes:
        store: The label of the store.
        repeat: The number of the repeat, from 0; -1 for the warm-up.
        seconds: The time from the first request to the end of the last.
        client_seconds: The processor time of the loop's thread meanwhile: the client's own cost.
        requests: One record a request. It starts when the request was to start; ``wait_ns`` is how
            much later it did, which is 0 in a closed loop.
        operations: One record an operation of the storage.
    """

    store: str
    repeat: int
    seconds: float
    client_seconds: float
    requests: Records
    operations: Records


async def measure(
    storage: SessionStorage,
    sessions: Sessions,
    workload: Workload,
    *,
    store: str,
    repeat: int,
    seconds: float,
    concurrency: int,
    rate: float | None,
    seed: int,
    stop: threading.Event,
) -> Turn:
    """Make requests for some seconds.

    Args:
        storage: The storage to load.
        sessions: The sessions that the requests are about.
        workload: The mix of requests.
        store: The label of the store.
        repeat: The number of the repeat, -1 for the warm-up.
        seconds: The duration of the turn.
        concurrency: The largest number of requests under way at a time.
        rate: Requests a second, evenly spaced, whether or not earlier ones are answered (open
            loop): each is measured from the time at which it was to start. None makes the next
            request when one is answered (closed loop).
        seed: The seed of the requests; the same seed makes the same ones.
        stop: The event that ends the turn early.

    Raises:
        Exception: What the storage raised a hundred times in a row.
    """
    load = _Load(storage, sessions, workload, store, stop)
    began, used = perf_counter_ns(), time.thread_time()
    CLOCK.compare(began)
    schedule = _Closed(began, seconds, stop) if rate is None else _Open(began, seconds, rate, stop)
    workers = [
        asyncio.ensure_future(
            load.make_requests(schedule, random.Random(f"{seed} {repeat} {number}"))
        )
        for number in range(concurrency)
    ]
    try:
        await asyncio.gather(*workers)
    except BaseException:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        raise
    if isinstance(schedule, _Open):
        load.record_unmade(schedule.take_rest())
    return Turn(
        store,
        repeat,
        (perf_counter_ns() - began) / 1e9,
        time.thread_time() - used,
        load.requests.records(),
        load.operations.records(),
    )


class _Closed:
    """A schedule in which a request starts as soon as the previous one is answered."""

    def __init__(self, began: int, seconds: float, stop: threading.Event):
        self._end = began + int(seconds * 1e9)
        self._stop = stop

    async def wait_for_next(self) -> int | None:
        now = perf_counter_ns()
        return None if now >= self._end or self._stop.is_set() else now


class _Open:
    """A schedule with set times; a request that starts late counts that as its latency."""

    def __init__(self, began: int, seconds: float, rate: float, stop: threading.Event):
        self._began = began
        self._every = 1e9 / rate
        self._left = max(1, round(seconds * rate))
        self._taken = 0
        # Requests that are late at the end are still made, but not for ever.
        self._end = began + int(2 * seconds * 1e9)
        self._stop = stop
        self._turn = asyncio.Lock()

    def _start_time(self) -> int:
        return self._began + int(self._taken * self._every)

    async def wait_for_next(self) -> int | None:
        async with self._turn:  # only one worker waits actively
            if self._taken >= self._left or perf_counter_ns() >= self._end or self._stop.is_set():
                return None
            meant = self._start_time()
            self._taken += 1
            while (missing := meant - perf_counter_ns()) > 0:  # noqa: ASYNC110, no event: a clock
                await asyncio.sleep(max(missing - _SPIN_NS, 0) / 1e9)
            return meant

    def take_rest(self) -> list[int]:
        """Return the start times of the requests that were due and not made."""
        now, times = perf_counter_ns(), []
        while self._taken < self._left and self._start_time() < now and not self._stop.is_set():
            times.append(self._start_time())
            self._taken += 1
        return times


class _Load:
    """The requests of one turn."""

    def __init__(
        self,
        storage: SessionStorage,
        sessions: Sessions,
        workload: Workload,
        store: str,
        stop: threading.Event,
    ):
        self.requests, self.operations = Recorder(), Recorder()
        self._storage: Any = MonitoredStorage(storage, [self.operations], name=store)
        self._suspends = attributes_of(storage).suspends
        upserts = isinstance(storage, SupportsUpsert)
        self._upsert = self._storage.upsert if upserts else self._storage.save
        self._sessions = sessions
        self._workload = workload
        self._store = store
        self._failures = 0
        self._yield_at = perf_counter_ns() + _YIELD_NS

    async def make_requests(self, schedule: _Closed | _Open, chance: random.Random) -> None:
        """Make requests by the schedule until it ends."""
        choose = make_chooser(self._workload.keys, chance)
        prepare: dict[str, Callable[[int], tuple[str, Awaitable[object]]]] = {
            "read": self._read,
            "update": self._update,
            "insert": self._insert,
            "scan": lambda index: self._scan(index, 1 + int(chance.random() * 100)),
            "modify": lambda index: self._change(index, _set_value),
            "flow": lambda index: self._change(index, _make_step),
        }
        while (meant := await schedule.wait_for_next()) is not None:
            request = self._workload.request(chance)
            id, answer = prepare[request](choose(self._sessions.count()))
            outcome: Outcome = "ok"
            error = None
            start = perf_counter_ns()
            if start > CLOCK.due:
                CLOCK.compare(start)
            try:
                await answer
                self._failures = 0
            except SessionConflict:
                outcome, error = "conflict", "SessionConflict"
            except Exception as raised:  # a custom storage may raise anything
                outcome, error = "error", type(raised).__name__
                self._failures += 1
                if self._failures >= _IN_A_ROW:
                    raise
            end = perf_counter_ns()
            # In a closed loop a request is to start when the client is ready for it.
            meant = start if isinstance(schedule, _Closed) else meant
            self._record(request, meant, start, end, id, outcome, error)
            if not self._suspends and end > self._yield_at:
                self._yield_at = end + _YIELD_NS
                await asyncio.sleep(0)

    def record_unmade(self, times: list[int]) -> None:
        """Record requests that were never made: they took at least until now."""
        now = perf_counter_ns()
        for meant in times:
            self._record("none", meant, now, now, None, "cancelled", "NeverMade")

    def _record(
        self,
        request: str,
        meant: int,
        start: int,
        end: int,
        id: str | None,
        outcome: Outcome,
        error: str | None,
    ) -> None:
        kind = kind_of(request, self._store, outcome, error)
        self.requests.put(meant, end, id, kind, (start - meant, 0, 0, 0, 0, 0))

    # Each prepares what is sent, which is not timed, and returns the id that it is about.

    def _read(self, index: int) -> tuple[str, Awaitable[object]]:
        id = self._sessions.id(index)
        return id, self._storage.get(id)

    def _scan(self, index: int, limit: int) -> tuple[str, Awaitable[object]]:
        id = self._sessions.id(index)
        query = Query(
            order="id", limit=limit, after=Cursor("id", id), id_prefix=self._sessions.prefix
        )
        return id, self._storage.query(query)

    def _own_sessions(self) -> OwnSessions:
        assert isinstance(self._sessions, OwnSessions)  # no workload writes stored ones
        return self._sessions

    def _update(self, index: int) -> tuple[str, Awaitable[object]]:
        session = self._own_sessions().rewritten(index)
        return session.id, self._upsert(session)

    def _insert(self, _: int) -> tuple[str, Awaitable[object]]:
        session = self._own_sessions().another()
        return session.id, self._save_new(session)

    async def _save_new(self, session: Session) -> None:
        try:
            await self._storage.save(session)
        finally:
            self._own_sessions().arrived(session)

    def _change(
        self, index: int, change: Callable[[Session], None]
    ) -> tuple[str, Awaitable[object]]:
        id = self._own_sessions().id(index)
        return id, self._get_and_save(id, change)

    async def _get_and_save(self, id: str, change: Callable[[Session], None]) -> None:
        for tries in range(_TRIES, 0, -1):
            session = await self._storage.get(id)
            if session is None:  # another client deleted it
                raise SessionNotFound(id)
            change(session)
            try:
                await self._storage.save(session)
                return
            except SessionConflict:
                if tries == 1:
                    raise


def _set_value(session: Session) -> None:
    session.context.set("step", perf_counter_ns() % 10_000)


def _make_step(session: Session) -> None:
    """Change what graph-flow's runner changes in a step."""
    at_checks = session.current_task_id == "checks"
    session.current_task_id = "await_documents" if at_checks else "checks"
    session.status_message = f"{session.current_task_id} done"
    session.context.set("step", perf_counter_ns() % 10_000)
    session.context.add_assistant_message("Please send us photos of the damage.")
