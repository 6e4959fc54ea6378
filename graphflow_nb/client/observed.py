"""The transitions from task to task that a client has observed, between two states of a session."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, Literal

import msgspec
import numpy as np

from ..model import Session
from ..model.times import EPOCH, FINITE, micros_or_none
from ..storage.history import OBSERVED, Steps
from ..storage.table import Table

__all__ = ["Observations", "Observed", "Transition", "Way"]

#: How a state became known: a step of ``wb.run``, a write by hand, a read, the journal of earlier,
#: the history that a store keeps.
Way = Literal["run", "write", "read", "journal", "history"]

MAX_STATES: Final = 20_000  # sessions whose last state is known
MAX_ROWS: Final = 10_000  # of one table
_PORTION: Final = 500  # rows that are noted at once; more would wake the garbage collector
_PAUSE: Final = 0.0002  # seconds between two portions
MAX_TRANSITIONS: Final = 2_000
MAX_TIMES: Final = 1_000  # of one transition, the newest
MAX_MOVED: Final = 100_000
MAX_TEXT: Final = 1_000  # characters of an id; what is longer is not observed


class _State(msgspec.Struct, frozen=True, gc=False):
    """The last known state of a session; times in µs, None where unknown; ``raw`` as stored.

    Thousands stay at once: were they counted by the garbage collector, which they need not be, it
    would go through all objects of the process meanwhile.
    """

    graph_id: str
    task: str
    version: int
    created: int | None
    updated: int | None
    raw: datetime | int | None = None


@dataclass(slots=True)
class Transition:
    """What was observed between two tasks of one graph.

    Example:
        >>> from graphflow_nb.client.observed import Transition
        >>> Transition("claims", "intake", "decide", direct=2).direct
        2

    Attributes:
        graph_id: The graph.
        source, target: The tasks.
        direct: How often one save was at the one task and the next save at the other.
        skipped: How often saves between the two were not seen, or may not have been, since the
            store does not count them.
        micros: The times between the two saves of direct ones, in µs, the newest 1,000.
    """

    graph_id: str
    source: str
    target: str
    direct: int = 0
    skipped: int = 0
    micros: deque[int] = field(default_factory=lambda: deque(maxlen=MAX_TIMES))


@dataclass(frozen=True, slots=True)
class Observations:
    """All that a client has observed until now.

    Attributes:
        since: When it began, UTC.
        transitions: One for each pair of tasks.
        ways: How many became known in each way.
        sessions: The number of sessions that moved; with ``more`` the least that it can be.
        more: Whether a bound was met, so that there were more transitions or sessions.
    """

    since: datetime
    transitions: tuple[Transition, ...]
    ways: Mapping[str, int]
    sessions: int
    more: bool


class Observed:
    """The transitions that a client has observed, bounded in number; thread-safe.

    Two states of a session that are shown or saved one after the other, at two tasks, are a
    transition. A session that stays at its task makes none.

    Example:
        >>> from graphflow_nb import Session
        >>> from graphflow_nb.client.observed import Observed
        >>> observed = Observed()
        >>> observed.note(Session("claim-1", "intake", version=1))
        >>> observed.note(Session("claim-1", "decide", version=2))
        >>> [(each.source, each.target, each.direct) for each in observed.list_all().transitions]
        [('intake', 'decide', 1)]

    Attributes:
        since: When it began, UTC.
        has_journal: Whether the journal's earlier writes were noted.
    """

    def __init__(self) -> None:
        self.since = datetime.now(UTC)
        self.has_journal = False
        self._states: dict[str, _State] = {}
        self._transitions: dict[tuple[str, str, str], Transition] = {}
        self._ways: Counter[str] = Counter()
        self._moved: set[str] = set()
        self._more = False
        self._lock = threading.Lock()

    def note(self, session: Session, way: Way | None = "read") -> None:
        """Note the state of a session that is shown, or was saved.

        Args:
            session: The session.
            way: How it became known; None for a state that is no step of a workflow, as of an undo.
        """
        last = self._states.get(session.id)
        if last is not None and last.version == session.version and last.raw == session.raw_updated:
            return  # without a lock or a time to convert, which take as long as a get in memory
        with self._lock:
            self._note(session.id, _state_of(session), way)

    def note_table(self, table: Table) -> None:
        """Note the states in the first 10,000 rows of a table that is shown."""
        some = slice(MAX_ROWS)
        rows = zip(
            table.id[some],
            table.graph_id[some],
            table.current_task_id[some],
            table.version[some].tolist(),
            table.created[some].tolist(),
            table.updated[some].tolist(),
            strict=True,
        )
        # In portions, since a get waits for the lock, which who lets it go would else take again
        # before the one that waits is awake.
        while portion := list(islice(rows, _PORTION)):
            with self._lock:
                for row in portion:
                    self._note_row(*row)
            if len(portion) == _PORTION:  # on a thread of its own
                time.sleep(_PAUSE)

    def _note_row(
        self, id: str, graph: str, task: str, version: int, created: int, updated: int
    ) -> None:
        last = self._states.get(id)
        if last is None or last.version != version or last.updated != updated:
            state = _State(
                graph,
                task,
                version,
                created if abs(created) <= FINITE else None,
                updated if abs(updated) <= FINITE else None,
                updated,
            )
            self._note(id, state, "read")

    def note_step(self, before: Session, after: Session) -> None:
        """Note a write of an earlier time, which the journal has kept."""
        with self._lock:
            self._count(after.id, _state_of(before), _state_of(after), "journal", direct=True)

    def note_history(self, steps: Steps) -> None:
        """Note the versions that a store has kept, whoever wrote them."""
        with self._lock:
            at = steps.at.tolist()
            follows = np.diff(steps.number) == 1
            gone = steps.deleted.tolist()
            if at:
                self.since = EPOCH + timedelta(microseconds=min(at))
            for row in range(1, len(steps)):
                one = row - 1
                if steps.id[row] == steps.id[one] and not (gone[row] or gone[one]):
                    before, after = (
                        _State(steps.graph_id[n], steps.current_task_id[n], 0, None, at[n])
                        for n in (one, row)
                    )
                    direct = bool(follows[one]) and steps.source[row] != OBSERVED
                    self._count(steps.id[row], before, after, "history", direct=direct)
            self._more |= steps.more

    def list_all(self) -> Observations:
        """Return all that was observed, as it is now."""
        with self._lock:
            transitions = tuple(
                replace(each, micros=each.micros.copy()) for each in self._transitions.values()
            )
            return Observations(
                self.since, transitions, dict(self._ways), len(self._moved), self._more
            )

    def _note(self, id: str, state: _State, way: Way | None) -> None:
        last = self._states.get(id)
        if last is not None:
            if _is_older(state, last):
                return
            again = None not in (state.created, last.created) and state.created != last.created
            if way is not None and not again:
                direct = way == "run" or state.version == last.version + 1
                self._count(id, last, state, way, direct=direct)
            del self._states[id]  # the newest are last
        elif len(self._states) >= MAX_STATES:
            del self._states[next(iter(self._states))]
        if max(len(id), len(state.graph_id), len(state.task)) <= MAX_TEXT:
            self._states[id] = state
        else:
            self._more = True

    def _count(self, id: str, one: _State, other: _State, way: Way, *, direct: bool) -> None:
        key = other.graph_id, one.task, other.task
        if one.task == other.task or one.graph_id != other.graph_id:
            return
        transition = self._transitions.get(key)
        if transition is None:
            if len(self._transitions) >= MAX_TRANSITIONS:
                self._more = True
                return
            transition = self._transitions[key] = Transition(*key)
        if direct:
            transition.direct += 1
            if one.updated is not None and other.updated is not None:
                transition.micros.append(max(0, other.updated - one.updated))
        else:
            transition.skipped += 1
        self._ways[way] += 1
        if len(self._moved) < MAX_MOVED:
            self._moved.add(id)
        elif id not in self._moved:
            self._more = True


def _state_of(session: Session) -> _State:
    return _State(
        session.graph_id,
        session.current_task_id,
        session.version,
        micros_or_none(session.raw_created),
        micros_or_none(session.raw_updated),
        session.raw_updated,
    )


def _is_older(state: _State, last: _State) -> bool:
    """Return whether a state is the last one, or was read before it."""
    if state.updated is None or last.updated is None:
        return state.version == last.version
    return state.updated <= last.updated and state.version <= last.version
