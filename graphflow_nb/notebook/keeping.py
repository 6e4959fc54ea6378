"""What makes a store keep the versions of its sessions, makes them few and small, and stops it."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeGuard

from ..client import Client
from ..dual import dual
from ..errors import QueryError
from ..history import (
    HistoryArchive,
    HistoryStorage,
    HistoryTable,
    PruneReport,
    Retention,
    history_of,
)
from ..model.moments import parse_duration
from ..printable import describe_count, inflect
from ..storage import Migration
from ..storage.checks import check_callables
from ..storage.history import TriggeredTable
from .compacting import Compacting
from .observing import Observation
from .stopping import show_work

__all__ = ["HistoryKeeper"]

KEPT = 100  # versions of a session
AGE = "30 days"


class HistoryKeeper(Client):
    """A client that makes its store keep the history of the sessions, or observes them."""

    _observation: Observation | None = None
    _installed: HistoryStorage | None = None
    _compacting: Compacting | None = None

    @property
    def archive(self) -> HistoryArchive:
        """The history of the store's sessions, or while one observes it, what was observed.

        Raises:
            CapabilityError: The store keeps no history, and is not observed.
        """
        return history_of(self.storage) if self._observation is None else self._observation.archive

    @property
    def is_observing(self) -> bool:
        """Whether ``archive`` has what was observed, and not the store's own history."""
        return self._observation is not None

    def observe(
        self,
        into: str | os.PathLike[str] | None = None,
        *,
        versions: int | None = KEPT,
        age: str | timedelta | None = AGE,
    ) -> Observation:
        """Note the versions of sessions that are seen from now on; the store is not written to.

        For a store that keeps no history and may not be changed. Until ``stop_observing`` the
        history of this workbench is what was seen: samples, since what happens between two looks
        is not known. An earlier observation ends when the new one has begun.

        Args:
            into: The URL of a SQLite file that keeps what is seen, created if it does not exist.
                Default: memory, gone with the kernel.
            versions, age: What is kept of each session, as ``install_history`` takes it.

        Returns:
            The observation, which shows how it goes; ``stop()`` ends it.

        Raises:
            CapabilityError: The storage can't find sessions by time.
            QueryError: ``into`` is given for sessions in memory, is not the URL of a SQLite file,
                or has sessions or triggers of its own; or another argument is invalid.
            StorageError: A store failed.
        """
        kept = _parse_retention(versions, age)
        if not (into is None or isinstance(into, (str, os.PathLike))):
            raise QueryError(f"into= is the URL of a SQLite file, not {into!r}")
        observation = Observation(self, into, kept)  # an earlier one goes on if this fails
        self.stop_observing()
        self._observation = observation
        return observation

    def stop_observing(self) -> None:
        """Observe no longer; ``archive`` is the store's own history again."""
        if self._observation is not None:
            self._observation.stop()
            self._observation = None

    @dual
    async def plan_history(
        self, *, versions: int | None = KEPT, age: str | timedelta | None = AGE
    ) -> Migration:
        """Return the statements by which the store keeps its sessions' history; runs nothing.

        In PostgreSQL and SQLite triggers of the database note every version that any client
        commits, Rust workers too. Elsewhere this workbench notes what it writes itself.

        Args:
            versions: The most versions of each session; None for any number.
            age: How long a version is kept after the next one replaced it: ``"30 days"``, a
                timedelta, or None for ever.

        Raises:
            QueryError: An argument is invalid, or the store is being observed.
            CapabilityError: The store can keep no history.
            StorageError: The store failed.
        """
        kept = _parse_retention(versions, age)
        table = self._own_table()
        if self._is_triggered(table):
            return await table.plan_trigger(kept.versions, kept.age)
        return await table.plan()

    @dual
    async def install_history(
        self, *, versions: int | None = KEPT, age: str | timedelta | None = AGE
    ) -> Migration:
        """Make the store keep its sessions' history from now on; return what was run.

        ``plan_history`` shows it before. What was saved earlier has no history. Older versions of a
        session go with its later saves, somewhat later than the bounds say: triggers look at every
        16th save in PostgreSQL, this workbench at every 32nd, and in between at sessions that are
        not saved any more. Triggers do not: ``prune_history`` removes those.

        Nor do triggers make versions small. Until it is closed, this workbench does that in the
        background, in at most 5 % of the time; another one with ``compact_history(follow=True)``.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> installed = wb.install_history()
            >>> session = wb.get("claim-0014")
            >>> session.status_message = "looked at"
            >>> wb.save(session)
            >>> wb.history("claim-0014")["status_message"].tolist()
            ['looked at']

        Args:
            versions, age: See ``plan_history``.

        Raises:
            ReadOnlyError: The store was opened for reading only; nothing was changed.
            QueryError, CapabilityError, StorageError: See ``plan_history``.
        """
        kept = _parse_retention(versions, age)
        table = self._own_table()
        if self._is_triggered(table):
            done = await table.create_trigger(kept.versions, kept.age)
            self._compact_beside(table)
            return done
        created = await table.create()
        storage = self.storage.inner
        if isinstance(storage, HistoryStorage):
            storage.retention = kept
        else:
            self._installed = HistoryStorage(storage, retention=kept)
            await table.start()
            self.storage.replace_inner(self._installed)
        return created

    @dual
    async def remove_history(self) -> Migration:
        """Remove the history and every version in it; return what was run, and what is lost.

        The sessions stay as they are. ``prune_history(dry_run=True)`` and ``archive.size()`` say
        how much there is.

        Raises:
            ReadOnlyError: The store was opened for reading only; nothing was changed.
            CapabilityError: The store can keep no history.
            StorageError: The store failed.
        """
        archive = self.archive
        lost = ""
        if await archive.exists():
            size = await archive.size()
            about = "" if size.exact else "about "
            lost = (
                f" {about}{describe_count(size.versions, 'version')} "
                f"({describe_count(size.bytes, 'byte')}) "
                f"{inflect(size.versions, 'is', 'are')} lost."
            )
        if self._observation is None:
            self._end_background_work()
        done = await archive.drop()
        if self._observation is None and self._installed is not None:
            await archive.table.stop()
            self.storage.replace_inner(self._installed.inner)
            self._installed = None
        return replace(done, note=f"{done.note}{lost}")

    @dual
    def prune_history(
        self,
        *,
        versions: int | None = KEPT,
        age: str | timedelta | None = AGE,
        dry_run: bool = False,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Coroutine[Any, Any, PruneReport]:
        """Remove old versions from the history, in short steps that no save waits for.

        The newest version of each session stays, and the one that was stored when ``age`` began.
        ``compact_history`` makes those that stay smaller.

        Args:
            versions: The most versions of each session; None for any number.
            age: How long a version is kept after the next one replaced it: ``"30 days"``, a
                timedelta, or None for ever.
            dry_run: True removes nothing, and reports what would go.
            progress: A function that is called with the number of versions, and None, after each
                step. Default: a notebook shows a bar with a Stop button.
            stop: A function that is asked after each step whether to end with it.

        Returns:
            The number of versions that were removed, or would be, and their bytes. Its ``done`` is
            False if there are more.

        Raises:
            QueryError: An argument is invalid.
            ReadOnlyError: The store was opened for reading only; nothing was changed.
            CapabilityError: The store can keep no history.
            StorageError: There is no history table, or the store failed.
        """
        check_callables(progress=progress, stop=stop)
        kept = _parse_retention(versions, age)

        async def prune(**reporting: Any) -> PruneReport:
            if not dry_run:  # also where there is nothing to remove
                await self.archive.check_writable()
            return await self.archive.prune(kept, dry_run=dry_run, **reporting)

        if progress is not None:
            return prune(progress=progress, stop=stop)
        step, done = ("counting …", "counted") if dry_run else ("removing …", "done")
        again = "the same call " + ("begins again" if dry_run else "continues")
        return show_work(prune, stop, step=step, unit="versions", done=done, again=again)

    @dual
    def compact_history(
        self,
        *,
        follow: bool = False,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Coroutine[Any, Any, int]:
        """Replace older contexts in the history by what changed, and return how many.

        What a version is does not change by it: each is rebuilt to the letter. A ``HistoryStorage``
        does it as it writes, a trigger does not, so its history takes about a fifth afterwards. It
        reads the whole history, in short steps that no save waits for, and may be interrupted. A
        database uses the room again for later versions; its files do not become smaller.

        Args:
            follow: True goes on in the background, in at most 5 % of the time, until the workbench
                is closed: with what a trigger notes. What the workbench notes itself is compacted
                as it is written.
            progress: A function that is called with the number of contexts, and None, after each
                session. Default: a notebook shows a bar with a Stop button.
            stop: A function that is asked after each session whether to end with it.

        Raises:
            QueryError: ``follow`` is given while the store is observed; nothing was compacted.
            ReadOnlyError: The store was opened for reading only; nothing was changed.
            CapabilityError: The store can keep no history.
            StorageError: There is no history table, or the store failed.
        """
        check_callables(progress=progress, stop=stop)
        table = self._own_table() if follow else self.archive.table

        async def compact(**reporting: Any) -> int:
            await self.archive.check_writable()
            done = await self.archive.compact_all(**reporting)
            if follow and isinstance(table, TriggeredTable) and await table.is_triggered():
                self._compact_beside(table)
            return done

        if progress is not None:
            return compact(progress=progress, stop=stop)
        return show_work(
            compact,
            stop,
            step="reading …",
            unit="contexts",
            done="replaced",
            again="the same call continues",
        )

    def _compact_beside(self, table: TriggeredTable) -> None:
        """Compact what triggers note in the background, if it is not done already."""
        if self._compacting is None or not self._compacting.running:
            self._compacting = Compacting(self, table)

    def _end_background_work(self) -> None:
        super()._end_background_work()
        if self._observation is not None:
            self._observation.end()
        if self._compacting is not None:
            self._compacting.stop()
            self._compacting = None

    def _own_table(self) -> HistoryTable:
        """Return the history table of the store itself."""
        if self._observation is not None:
            raise QueryError(
                "the store is observed, and wb.history shows what was seen: nothing was installed. "
                "wb.stop_observing() first, or the store's own history would be shown in between"
            )
        return history_of(self.storage).table

    def _is_triggered(self, table: HistoryTable) -> TypeGuard[TriggeredTable]:
        """Return whether triggers of the store can keep its history in a table."""
        storage = self.storage.inner
        elsewhere = isinstance(storage, HistoryStorage) and not storage.inside
        return isinstance(table, TriggeredTable) and not elsewhere


def _parse_retention(versions: int | None, age: str | timedelta | None) -> Retention:
    if versions is not None and (type(versions) is not int or versions < 1):
        raise QueryError(f"versions must be an integer >= 1 or None, not {versions!r}")
    try:
        kept = None if age is None else parse_duration(age)
    except ValueError as error:
        raise QueryError(f"age: {error}") from error
    if kept is not None and kept <= timedelta(0):
        raise QueryError(f"age must be a duration above 0 or None, not {age!r}")
    return Retention(versions, kept)
