"""The states of sessions that a client has shown, by which a version given later is understood."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model import Seen, Session, stored_session
from ..model.times import FINITE
from ..storage.table import Table

__all__ = ["Shown"]

_SESSIONS: Final = 10_000  # that were shown last
_TABLES: Final = 64
_ROWS: Final = 1_000_000  # of tables; the newest table may have more


#: What counts the order of showing, the id, the version, the times and the fields of ``seen``.
#: Not a class, since creating an object would take as long as all the rest of a note.
_Noted = tuple[
    int,
    str,
    int,
    datetime | int | None,
    datetime | int | None,
    tuple[str, int, int | str] | None,
]


class _Rows(NamedTuple):
    """The columns of a table that identify states; not its contexts, which may be large."""

    at: int
    id: Sequence[str]
    version: NDArray[np.signedinteger]
    created: NDArray[np.int64]
    updated: NDArray[np.int64]
    marks: Sequence[str] | None
    store: str


class Shown:
    """The states in which a client has shown sessions last, bounded in number.

    A version alone does not identify a state: a session may be deleted and created again, and a
    writer may not count versions. So a version that a person gives is taken for the one that was
    shown to them. Of tables the columns are kept, and searched when a version is given.

    Example:
        >>> from graphflow_nb.client.shown import Shown
        >>> from graphflow_nb import InMemorySessionStorage, Query, Session
        >>> storage = InMemorySessionStorage.from_sessions([Session("claim-1", "t", version=3)])
        >>> shown = Shown()
        >>> shown.note_table(await storage.table(Query()), storage.identity)
        >>> [session.version for session in shown.find({"claim-1": 3, "claim-2": 1}).values()]
        [3]
    """

    def __init__(self) -> None:
        self._counter = count()
        self._noted: deque[_Noted] = deque(maxlen=_SESSIONS)
        self._tables: deque[_Rows] = deque(maxlen=_TABLES)
        self._lock = threading.Lock()

    def note(self, session: Session) -> None:
        """Remember the state of a session that is shown, or was saved."""
        seen = session.seen
        self._noted.append(
            (
                next(self._counter),
                session.id,
                session.version,
                session.raw_created,
                session.raw_updated,
                # Its fields alone: a storage's own Seen may hold the whole row.
                None if seen is None else seen[:],
            )
        )

    def note_table(self, table: Table, store: str) -> None:
        """Remember the states in a table that is shown.

        Args:
            table: The table.
            store: The identity of the store that returned it.
        """
        # A copy: a frame has the versions without one, and a person may write into the frame.
        versions = _narrow(table.version)
        columns = table.id, versions, table.created, table.updated, table.marks
        with self._lock:
            self._tables.append(_Rows(next(self._counter), *columns, store))
            while len(self._tables) > 1 and sum(len(rows.id) for rows in self._tables) > _ROWS:
                self._tables.popleft()

    def find(self, versions: Mapping[str, int]) -> dict[str, Session]:
        """Return the states in which sessions were shown last at these versions.

        Args:
            versions: The version of each session, by its id.

        Returns:
            A session without content for each id that was shown at this version.
        """
        with self._lock:
            tables = list(self._tables)
        found: dict[str, _Noted] = {}
        for noted in self._noted.copy():
            if versions.get(noted[1]) == noted[2]:
                found[noted[1]] = noted  # the last of them stays
        for table in reversed(tables):
            wanted = {id for id in versions if id not in found or found[id][0] < table.at}
            if not wanted:
                continue
            for row, id in enumerate(table.id):
                if id in wanted and int(table.version[row]) == versions[id]:
                    times = _known(table.created[row]), _known(table.updated[row])
                    seen = None
                    if table.marks is not None:
                        seen = (table.store, versions[id], table.marks[row])
                    found[id] = (table.at, id, versions[id], *times, seen)
        return {
            id: stored_session(
                id,
                "",
                "",
                None,
                b"{}",
                version,
                created,
                updated,
                None,
                None if seen is None else Seen(*seen),
            )
            for id, (_, _, version, created, updated, seen) in found.items()
        }


def _narrow(versions: NDArray[np.int64]) -> NDArray[np.signedinteger]:
    """Return a copy in the smallest type that has all: mostly an eighth of the memory."""
    if not len(versions):
        return versions
    furthest = min(int(versions.min()), -int(versions.max()) - 1)
    return versions.astype(np.min_scalar_type(furthest))


def _known(micros: np.int64) -> int | None:
    """Return a time of a column, None where it is unknown or infinite."""
    return int(micros) if abs(int(micros)) <= FINITE else None
