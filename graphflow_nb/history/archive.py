"""HistoryArchive: the versions of sessions in a history table, read, compacted and pruned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from ..arguments import is_whole
from ..errors import CapabilityError, HistoryError
from ..model import Session
from ..printable import describe_count
from ..storage.attributes import attributes_of
from ..storage.history import (
    HistorySize,
    HistoryTable,
    Retention,
    Steps,
    SupportsHistory,
    VersionRow,
)
from ..storage.migration import Migration
from .changes import changed_paths
from .compaction import patches_of
from .encoding import MAX_CHAIN
from .versions import Version, micros_of_aware, sessions_of, version_of

__all__ = ["HistoryArchive", "PruneReport", "Tail", "history_of"]


T = TypeVar("T")


class Tail(NamedTuple):
    """Where a history ends in a whole context, as ``compact_newest`` leaves it.

    Attributes:
        number: The number of the version.
        patches: How many patches build on it.
    """

    number: int
    patches: int


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What a prune removed, or would remove.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage
        >>> from graphflow_nb.history import history_of
        >>> print(await history_of(InMemorySessionStorage()).prune(dry_run=True))
        would remove 0 versions of 0 sessions (0 bytes)

    Attributes:
        sessions: The number of sessions that had such versions.
        versions: The number of the versions.
        bytes: What their contexts and patches took.
        dry_run: Whether nothing was removed.
        done: False if it was stopped, ``limit`` was reached before the end, or another transaction
            held versions.
    """

    sessions: int
    versions: int
    bytes: int
    dry_run: bool
    done: bool = True

    def __str__(self) -> str:
        did = "would remove" if self.dry_run else "removed"
        text = (
            f"{did} {describe_count(self.versions, 'version')} "
            f"of {describe_count(self.sessions, 'session')}"
        )
        more = "" if self.done else "; there are more"
        return f"{text} ({describe_count(self.bytes, 'byte')}){more}"

    __repr__ = __str__  # what a cell shows that ends with the call


def history_of(storage: object) -> HistoryArchive:
    """Return the archive beside a storage's sessions, whether its table was created or not.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage
        >>> from graphflow_nb.history import history_of
        >>> await history_of(InMemorySessionStorage()).versions("claim-1")
        []

    Raises:
        CapabilityError: The store keeps no history; ``HistoryStorage`` takes an archive elsewhere.
    """
    if isinstance(storage, SupportsHistory):
        return HistoryArchive(storage.history_table)
    raise CapabilityError(
        storage,
        "history_table",
        "HistoryStorage(storage, archive=history_of(other)) keeps it in another store, for example "
        "in a SQLite file",
    )


class HistoryArchive:
    """The versions of sessions in a store's history table.

    Reading changes nothing.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, Session
        >>> from graphflow_nb.history import HistoryStorage
        >>> storage = HistoryStorage(InMemorySessionStorage())
        >>> session = Session("claim-1", "intake")
        >>> await storage.save(session)
        >>> session.current_task_id = "payout"
        >>> await storage.save(session)
        >>> [(v.number, v.current_task_id) for v in await storage.archive.versions("claim-1")]
        [(2, 'payout'), (1, 'intake')]
        >>> (await storage.archive.session_at("claim-1", 1)).current_task_id
        'intake'

    Args:
        table: The history table.

    Attributes:
        table: The same.
    """

    def __init__(self, table: HistoryTable):
        self.table = table
        self._suspends = attributes_of(table).suspends

    # The table

    async def plan(self) -> Migration:
        """Return the statements that create the history table; runs nothing."""
        return await self.table.plan()

    async def create(self) -> Migration:
        """Create the history table if it does not exist; return what was run.

        Raises:
            ReadOnlyError: The store was opened for reading only.
        """
        return await self.table.create()

    async def drop(self) -> Migration:
        """Remove the history table with every version in it; return what was run.

        Raises:
            ReadOnlyError: The store was opened for reading only.
        """
        return await self.table.drop()

    async def exists(self) -> bool:
        """Return whether there is a history table."""
        return await self.table.exists()

    # Reading

    async def versions(
        self, id: str, *, limit: int | None = 1000, before: int | None = None
    ) -> list[Version]:
        """Return the versions of a session, the newest first.

        Args:
            id: The session's id.
            limit: The most versions; None for all.
            before: Only versions with lower numbers, for the next page.

        Raises:
            HistoryError: One of them is no whole number.
        """
        _check_whole(limit=limit, before=before)
        last = None if before is None else before - 1
        rows = await self.table.read(id, last=last, limit=limit, content=False)
        return [version_of(row) for row in rows]

    async def version_at(self, id: str, when: int | datetime) -> Version | None:
        """Return the version with a number, or the newest one at a time; None without one.

        Args:
            id: The session's id.
            when: A number, or an aware datetime.

        Raises:
            HistoryError: The time has no time zone.
        """
        number = await self._number_of(id, when)
        if number is None:
            return None
        rows = await self.table.read(id, first=number, last=number, content=False)
        return version_of(rows[0]) if rows else None

    async def session_at(
        self, id: str, when: int | datetime, *, deleted: bool = False
    ) -> Session | None:
        """Return a session as it was, to the letter; None if it did not exist then.

        Its ``version`` is that of the store, so a save of it conflicts unless it is still stored.

        Args:
            id: The session's id.
            when: A number, or an aware datetime for the newest version at that time.
            deleted: Whether to return what was deleted where that version is a delete.

        Raises:
            HistoryError: The version can't be rebuilt, or the time has no time zone.
        """
        number = await self._number_of(id, when)
        if number is None:
            return None
        rows = await self._read_with_base(id, number, number)
        row = rows[-1] if rows and rows[-1].number == number else None
        if row is None or (row.deleted and not deleted):
            return None
        (session,) = sessions_of(rows, number)
        return session

    async def sessions(self, id: str, first: int, last: int) -> list[tuple[Version, Session]]:
        """Return a run of versions with their sessions, the newest first.

        It takes one statement and rebuilds each context once. Deleted versions have what was
        deleted.

        Args:
            id: The session's id.
            first, last: The lowest and the highest number.

        Raises:
            HistoryError: A version can't be rebuilt.
        """
        rows = await self._read_with_base(id, first, last)
        versions = [version_of(row) for row in rows if row.number <= last]
        return list(zip(versions, sessions_of(rows, last), strict=True))

    async def changes(
        self, id: str, first: int, last: int
    ) -> list[tuple[Version, tuple[str, ...] | None]]:
        """Return a run of versions and where each differs from the one before, the newest first.

        It takes one statement, and does not rebuild the contexts.

        Args:
            id: The session's id.
            first, last: The lowest and the highest number.

        Returns:
            Each version with ``/current_task_id`` and other fields, and JSON Pointers that begin
            with ``/context``; None for the lowest number, whose predecessor was not read.

        Raises:
            HistoryError: A version is not JSON, or its patch does not fit.
        """
        rows = await self._read_with_base(id, first, last)
        paths = changed_paths(rows)
        return [
            (version_of(row), changed)
            for row, changed in zip(rows, paths, strict=True)
            if row.number <= last
        ]

    async def steps(
        self,
        ids: Sequence[str] | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100_000,
    ) -> Steps:
        """Return versions of many sessions by column, without contexts, by id and number.

        Args:
            ids: The sessions; None for all.
            since, until: Only versions from this time on, and before that one; aware.
            limit: The most versions; ``more`` of the steps says whether there are others.
        """
        _check_whole(limit=limit)
        return await self.table.steps(
            ids,
            since=None if since is None else micros_of_aware(since),
            until=None if until is None else micros_of_aware(until),
            limit=limit,
        )

    async def size(self) -> HistorySize:
        """Return the size of the history."""
        return await self.table.size()

    async def _number_of(self, id: str, when: int | datetime) -> int | None:
        if isinstance(when, datetime):
            return await self.table.number_at(id, micros_of_aware(when))
        _check_whole(when=when)
        return when

    async def _read_with_base(self, id: str, first: int, last: int) -> list[VersionRow]:
        """Return versions, and those after them that their patches build on, newest first."""
        _check_whole(first=first, last=last)
        rows = await self.table.read(id, first=first, last=last)
        while rows and rows[0].context is None:
            newest = rows[0].number
            following = await self.table.read(id, first=newest + 1, last=newest + MAX_CHAIN)
            if not following:
                break  # what is missing is said where it is needed
            # Two who compact at once may have made a longer chain of their two.
            whole = [at for at, row in enumerate(following) if row.context is not None]
            rows = following[whole[-1] if whole else 0 :] + rows
        return rows

    # Appending

    async def append(self, rows: Sequence[VersionRow]) -> None:
        """Append versions; their numbers are the next ones of their sessions."""
        await self.table.append(rows)

    # Keeping it small

    async def check_writable(self) -> None:
        """Check that versions could be removed; removes nothing.

        Raises:
            ReadOnlyError: The store was opened for reading only.
            StorageError: There is no history table, or the user lacks a right.
        """
        await self.table.remove_expired([], None, None, 0)

    async def compact(self, id: str) -> int:
        """Replace contexts of a session by patches where that is shorter; return how many.

        The newest version stays whole, and so does at least one in 65. What a version is does not
        change by it. It may be interrupted at any point.

        Args:
            id: The session's id.
        """
        done, last = 0, None
        while True:
            rows = await self.table.read(id, last=last, limit=_PAGE)
            complete = len(rows) < _PAGE
            patches = await self._replace(id, rows, 0 if complete else MAX_CHAIN)
            done += len(patches)
            if complete:
                return done
            # The next page begins at a whole context, from which its chains are counted.
            whole = [
                r.number for r in rows[1:] if r.context is not None and r.number not in patches
            ]
            last = whole[-1] if whole else rows[-1].number

    async def compact_newest(
        self, id: str, count: int, after: Tail | None = None, *, pause: float = 0
    ) -> Tail | None:
        """Replace contexts of a session's newest versions by patches, as ``compact`` does.

        Args:
            id: The session's id.
            count: How many of the newest versions may be whole.
            after: What an earlier call returned: the versions before it are not read again.
            pause: The seconds for which other threads go first after each patch.

        Returns:
            What to pass to the next call; None where there is no version.
        """
        first = None if after is None else after.number
        limit = count + 1 + MAX_CHAIN
        rows = await self.table.read(id, first=first, limit=limit)
        if not rows:
            return None
        below = MAX_CHAIN  # as long as nothing else is known
        if after is not None and rows[-1].number == first:
            below = after.patches
        elif after is None and len(rows) < limit:
            below = 0
        patches = await self._replace(id, rows, below, pause)
        chain = 0
        for row in rows[1:]:
            if row.context is not None and row.number not in patches:
                return Tail(rows[0].number, chain)
            chain += 1
        return Tail(rows[0].number, chain + below)

    async def _replace(
        self, id: str, rows: Sequence[VersionRow], below: int, pause: float = 0
    ) -> Mapping[int, tuple[str, int]]:
        """Replace contexts by patches, and return those by number.

        Args:
            id: The session's id.
            rows: Its versions, the newest first, beginning with a whole one.
            below: How many patches build on the oldest of them.
            pause: As of ``compact_newest``.
        """
        found = patches_of(rows, below)
        if pause:
            found = _paced(found, pause)
        # On a thread, because large contexts would hold up every save on this loop.
        patches = await asyncio.to_thread(dict, found) if self._suspends else dict(found)
        if patches:
            await self.table.compact(id, patches)
        return patches

    async def compact_all(
        self,
        *,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> int:
        """Replace contexts of all sessions by patches; return how many.

        Args:
            progress: A function that is called with the number replaced, and None, after each
                session.
            stop: A function that is asked after each session whether to end with it.
        """
        done = 0
        async for ids in _Portions(self.table):
            for id in ids:
                done += await self.compact(id)
                if progress is not None:
                    progress(done, None)
                if stop is not None and stop():
                    return done
        return done

    async def prune(
        self,
        retention: Retention | None = None,
        *,
        ids: Sequence[str] | None = None,
        limit: int | None = None,
        step: int = 50,
        dry_run: bool = False,
        now: datetime | None = None,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> PruneReport:
        """Remove the versions that a retention does not keep, in short transactions.

        No save waits for it longer than for one of its steps, after each of which it pauses for
        twice its time. The versions that stay can be rebuilt after each step. It may be interrupted
        at any point.

        Args:
            retention: What is kept. Default: 100 versions of each session, 30 days.
            ids: The sessions; None for all.
            limit: The most versions to remove; None for any number.
            step: The most versions in one transaction; fewer where they are large.
            dry_run: True removes nothing and reports what would go.
            now: The time from which the age is counted back. Default: now, by this machine's clock.
            progress: A function that is called with the number of versions, and None, after each
                step.
            stop: A function that is asked after each step whether to end with it.
        """
        _check_whole(limit=limit, step=step)
        kept = Retention() if retention is None else retention
        moment = datetime.now(UTC) if now is None else now
        before = None if kept.age is None else micros_of_aware(moment - kept.age)
        sessions = versions = size = 0
        done = True

        def is_stopped() -> bool:
            if progress is not None:
                progress(versions, None)
            return stop is not None and stop()

        async for part in _Portions(self.table, ids, _PORTION if dry_run else _PRUNED):
            found = await self.table.find_expired(part, kept.versions, before)
            sessions += found.sessions
            if dry_run:
                versions, size = versions + found.versions, size + found.bytes
                if is_stopped():
                    return PruneReport(sessions, versions, size, dry_run, done=False)
                continue
            removed = 0
            rows = min(step, max(1, _STEP_BYTES * found.versions // max(1, found.bytes)))
            # A step may leave out what another transaction holds, and have more behind it. What
            # expires meanwhile is left to the next time, or busy writers would keep it going.
            while removed < found.versions:
                most = rows if limit is None else min(rows, limit - versions)
                if most <= 0:
                    return PruneReport(sessions, versions, size, dry_run, done=False)
                began = time.perf_counter()
                gone = await self.table.remove_expired(part, kept.versions, before, most)
                taken = time.perf_counter() - began
                versions, size = versions + gone.versions, size + gone.bytes
                removed += gone.versions
                if not gone.versions:
                    break
                if is_stopped():
                    return PruneReport(sessions, versions, size, dry_run, done=False)
                if self._suspends:
                    await asyncio.sleep(min(_REST * taken, _LONGEST_REST))
            done = done and removed >= found.versions
        return PruneReport(sessions, versions, size, dry_run, done=done)

    def __repr__(self) -> str:
        return f"<HistoryArchive {self.table!r}>"


_PORTION = 200  # sessions whose ids are read at once
_PRUNED = 10  # sessions whose versions one statement removes
_STEP_BYTES = 1_000_000  # that one statement removes, about
_REST = 2  # times as long as a step took, other statements go first
_LONGEST_REST = 0.1  # seconds, however long a step had to wait
_PAGE = MAX_CHAIN + 32  # versions that are compacted at once


class _Portions:
    """The ids that have versions, in portions of a size."""

    def __init__(self, table: HistoryTable, ids: Sequence[str] | None = None, size: int = _PORTION):
        self._table = table
        self._size = size
        self._given = None if ids is None else list(dict.fromkeys(ids))
        self._after: str | None = None

    def __aiter__(self) -> _Portions:
        return self

    async def __anext__(self) -> list[str]:
        if self._given is not None:
            part, self._given = self._given[: self._size], self._given[self._size :]
        else:
            part = await self._table.ids(self._after, self._size)
        if not part:
            raise StopAsyncIteration
        self._after = part[-1]
        return part


def _paced(items: Iterator[T], pause: float) -> Iterator[T]:
    """Yield items with a pause after each, in which other threads go first."""
    for item in items:
        yield item
        time.sleep(pause)


def _check_whole(**given: object) -> None:
    """Raise HistoryError if an argument is neither a whole number nor None."""
    for name, value in given.items():
        if value is not None and not is_whole(value):
            raise HistoryError(f"{name} must be an integer >= 0, not {value!r}: nothing was read")
