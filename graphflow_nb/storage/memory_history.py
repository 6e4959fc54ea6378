"""The history of the sessions of an ``InMemorySessionStorage``, gone with it."""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, NamedTuple

from msgspec import Raw

from ..model import Seen, exactjson
from ..printable import describe_count
from .history import WRITTEN, Expired, HistorySize, Steps, VersionRow
from .migration import Migration

__all__ = ["MemoryHistory", "MemoryRow"]


class MemoryRow(NamedTuple):
    """A session as it is stored in memory; times in µs since 1970 UTC.

    Attributes:
        graph_id, current_task_id, status_message, version, created, updated: The session's columns.
        context: The JSON text.
        extra: The members that graph-flow does not define.
        seen: What each session that is read from the row remembers.
    """

    graph_id: str
    current_task_id: str
    status_message: str | None
    context: str | bytes
    version: int
    created: int
    updated: int
    extra: dict[str, Raw] | None
    seen: Seen


class _Noted(NamedTuple):
    """A version that is the stored row itself: what it takes to show it is done when it is read."""

    number: int
    at: int
    deleted: bool
    row: MemoryRow


class MemoryHistory:
    """A history table in memory, which always exists; see ``HistoryTable``.

    Example:
        >>> from graphflow_nb.storage.memory_history import MemoryHistory
        >>> await MemoryHistory().ids(None, 10)
        []

    Args:
        note_writes: What makes the storage note its writes here, or no longer; None for a history
            of another store.
    """

    #: Its coroutines never wait.
    suspends: ClassVar[bool] = False

    def __init__(self, note_writes: Callable[[bool], None] | None = None):
        self._note_writes = note_writes
        self._lock = threading.Lock()
        self._rows: dict[str, list[VersionRow | _Noted]] = {}  # of each session, by number
        self._writer = f"graphflow_nb {os.getpid()}"

    async def plan(self) -> Migration:
        """Return nothing to run: a history in memory needs no table."""
        return Migration("memory", (), "A history in memory is always there, and ends with it.")

    async def create(self) -> Migration:
        """Return nothing to run: a history in memory needs no table."""
        return await self.plan()

    async def drop(self) -> Migration:
        """Forget every version."""
        with self._lock:
            self._rows.clear()
        return await self.plan()

    async def exists(self) -> bool:
        """Return True."""
        return True

    async def start(self) -> None:
        """Note every write of the storage from now on."""
        if self._note_writes is not None:
            self._writer = f"graphflow_nb {os.getpid()}"
            self._note_writes(True)

    async def stop(self) -> None:
        """Note the writes of the storage no longer."""
        if self._note_writes is not None:
            self._note_writes(False)

    def note(self, id: str, row: MemoryRow, at: int, *, deleted: bool = False) -> None:
        """Append a row that was stored or deleted, with the next number of its session.

        Args:
            id: The session's id.
            row: The row; it is kept as it is.
            at: The time in µs since 1970 UTC.
            deleted: Whether the session was deleted.
        """
        with self._lock:
            rows = self._rows.get(id)
            if rows:
                rows.append(_new(_Noted, (rows[-1].number + 1, at, deleted, row)))
            else:
                self._rows[id] = [_new(_Noted, (1, at, deleted, row))]

    async def append(self, rows: Sequence[VersionRow]) -> None:
        """Append versions with the next numbers of their sessions."""
        with self._lock:
            for row in rows:
                kept = self._rows.setdefault(row.id, [])
                kept.append(row._replace(number=kept[-1].number + 1 if kept else 1))

    async def read(
        self,
        id: str,
        *,
        first: int | None = None,
        last: int | None = None,
        limit: int | None = None,
        content: bool = True,
    ) -> list[VersionRow]:
        """Return the versions of a session from number ``last`` down to ``first``."""
        with self._lock:
            rows = self._rows.get(id, [])
            low = 0 if first is None else bisect_right(rows, first - 1, key=_number)
            high = len(rows) if last is None else bisect_right(rows, last, key=_number)
            if limit is not None:
                low = max(low, high - limit)
            found = rows[low:high][::-1]
        versions = [self._version_of(id, row) for row in found]
        if content:
            return versions
        return [row._replace(context=None, patch=None) for row in versions]

    def _version_of(self, id: str, row: VersionRow | _Noted) -> VersionRow:
        if isinstance(row, VersionRow):
            return row
        number, at, deleted, stored = row
        context = stored.context
        text = context if isinstance(context, str) else context.decode()
        return VersionRow(
            id,
            number,
            stored.version,
            at,
            stored.graph_id,
            stored.current_task_id,
            stored.status_message,
            stored.created,
            deleted,
            text,
            None,
            len(text.encode()),
            WRITTEN,
            self._writer,
            exactjson.join(stored.extra).decode() if stored.extra else None,
        )

    async def number_at(self, id: str, moment: int) -> int | None:
        """Return the number that was the newest at a time in µs; None if there was none yet."""
        with self._lock:
            rows = self._rows.get(id, [])
            return next((row.number for row in reversed(rows) if row.at <= moment), None)

    async def steps(
        self,
        ids: Sequence[str] | None = None,
        *,
        since: int | None = None,
        until: int | None = None,
        limit: int = 100_000,
    ) -> Steps:
        """Return versions of many sessions, without contexts."""
        with self._lock:
            wanted = sorted(self._rows if ids is None else self._rows.keys() & set(ids))
            rows: list[tuple[object, ...]] = []
            for id in wanted:
                for each in self._rows[id]:
                    if (since is None or each.at >= since) and (until is None or each.at < until):
                        row, source = (
                            (each.row, WRITTEN) if isinstance(each, _Noted) else (each, each.source)
                        )
                        texts = (row.graph_id, row.current_task_id, row.status_message)
                        rows.append((id, each.number, each.at, *texts, each.deleted, source))
                if len(rows) > limit:
                    break
        return Steps.from_rows(rows, limit)

    async def ids(self, after: str | None, limit: int) -> list[str]:
        """Return the next ids that have versions, after one of them."""
        with self._lock:
            return sorted(id for id in self._rows if after is None or id > after)[:limit]

    async def compact(self, id: str, patches: Mapping[int, tuple[str, int]]) -> int:
        """Replace contexts by patches; return how many were replaced."""
        done = 0
        with self._lock:
            rows = self._rows.get(id, [])
            for at, row in enumerate(rows):
                if row.number not in patches:
                    continue
                version = self._version_of(id, row)
                if version.context is not None:
                    rows[at] = version._replace(context=None, patch=patches[row.number][0])
                    done += 1
        return done

    async def find_expired(
        self, ids: Sequence[str], versions: int | None, before: int | None
    ) -> Expired:
        """Return what ``remove_expired`` would remove."""
        with self._lock:
            gone = [self._expired(id, versions, before) for id in ids]
        return _sum(gone)

    async def remove_expired(
        self, ids: Sequence[str], versions: int | None, before: int | None, limit: int
    ) -> Expired:
        """Remove versions that a retention does not keep, oldest first."""
        gone = []
        with self._lock:
            for id in ids:
                part = self._expired(id, versions, before)[:limit]
                limit -= len(part)
                if part:
                    gone.append(part)
                    del self._rows[id][: len(part)]
                    if not self._rows[id]:
                        del self._rows[id]
        return _sum(gone)

    def _expired(
        self, id: str, versions: int | None, before: int | None
    ) -> list[VersionRow | _Noted]:
        """Return the versions of a session that a retention does not keep, oldest first."""
        rows = self._rows.get(id, [])
        count = 0 if versions is None else len(rows) - versions
        if before is not None:
            # The version before the first recent one was still stored when the age began.
            recent = next((at for at, row in enumerate(rows) if row.at >= before), len(rows))
            gone = recent > 0 and rows[recent - 1].deleted
            count = max(count, recent if gone else recent - 1)
        return rows[: max(count, 0)]

    async def size(self) -> HistorySize:
        """Return the size of the history; the bytes are those of the contexts and patches."""
        with self._lock:
            every = [row for rows in self._rows.values() for row in rows]
            size = sum(map(_size_of, every))
            oldest = min((row.at for row in every), default=None)
            return HistorySize(len(self._rows), len(every), size, True, oldest)

    def __repr__(self) -> str:
        return f"<MemoryHistory: {describe_count(len(self._rows), 'session')}>"


_new = tuple.__new__  # a NamedTuple's own constructor takes a tenth of a save


def _number(row: VersionRow | _Noted) -> int:
    return row.number


def _size_of(row: VersionRow | _Noted) -> int:
    if isinstance(row, _Noted):
        return len(row.row.context)
    return len(row.context or row.patch or "")


def _sum(gone: Sequence[Sequence[VersionRow | _Noted]]) -> Expired:
    rows = [row for part in gone for row in part]
    size = sum(map(_size_of, rows))
    return Expired(sum(bool(part) for part in gone), len(rows), size)
