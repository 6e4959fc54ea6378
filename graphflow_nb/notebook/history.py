"""The versions of sessions over time, as ``wb.history``, ``wb.at``, ``wb.diff`` and ``wb.fork``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..bridge import dual
from ..changes import Patch, apply, diff
from ..client import Client
from ..errors import HistoryError, QueryError, SessionNotFound
from ..frames import stays_frame, versions_frame
from ..history import (
    HistoryArchive,
    HistoryTable,
    PruneReport,
    Retention,
    Version,
    history_of,
)
from ..model import Session
from ..model.moments import Moment, parse_duration, parse_moment
from ..storage import Migration
from ..storage.history import OBSERVED, TriggeredTable
from .comparing import CohortComparison, RunComparison, visits_of
from .forking import Fork, Replay, mark_origin
from .observing import Observation

if TYPE_CHECKING:
    from .timelines import Timeline

__all__ = ["HistoryViews"]

MAX_VERSIONS = 100  # shown unless more are asked for
KEPT = 100  # versions of a session
MAX_STEPS = 100_000


class HistoryViews(Client):
    """A client that shows what its sessions were before, where the store keeps their history.

    A version is named by its number in the session's history: 1, 2, 3 …, in the order of the
    commits. The store's own counter, where it has one, is ``stored_version``.
    """

    _observation: Observation | None = None

    @property
    def archive(self) -> HistoryArchive:
        """The history of the store's sessions, or while one observes it, what was observed.

        Raises:
            CapabilityError: The store keeps no history, and is not observed.
        """
        return history_of(self.storage) if self._observation is None else self._observation.archive

    def observe(self, into: str | os.PathLike[str] | None = None) -> Observation:
        """Note the versions of sessions that are seen from now on; the store is not written to.

        For a store that keeps no history and may not be changed. Until ``stop_observing`` the
        history of this workbench is what was seen: samples, since what happens between two looks
        is not known.

        Args:
            into: The URL of a SQLite file that keeps what is seen, created if it does not exist.
                Default: memory, gone with the kernel.

        Returns:
            The observation, which shows how it goes; ``stop()`` ends it.

        Raises:
            CapabilityError: The storage can't find sessions by time.
            QueryError: ``into`` is given for sessions in memory.
            StorageError: A store failed.
        """
        self.stop_observing()
        self._observation = Observation(self, into)
        return self._observation

    def stop_observing(self) -> None:
        """Observe no longer; ``archive`` is the store's own history again."""
        if self._observation is not None:
            self._observation.stop()
            self._observation = None

    @dual
    async def plan_history(self, *, versions: int | None = KEPT) -> Migration:
        """Return the statements by which the store keeps its sessions' history; runs nothing.

        In PostgreSQL and SQLite triggers of the database note every version that any client
        commits, Rust workers too. Elsewhere this workbench notes what it writes itself.

        Args:
            versions: The most versions of each session: the triggers remove older ones with later
                saves. None for any number. Without triggers nothing goes by itself:
                ``prune_history`` removes it.

        Raises:
            QueryError: ``versions`` is not an integer >= 1 or None.
            CapabilityError: The store can keep no history.
            StorageError: The store failed.
        """
        table = self._history_table(versions)
        return await (
            table.plan_trigger(versions) if isinstance(table, TriggeredTable) else table.plan()
        )

    @dual
    async def install_history(self, *, versions: int | None = KEPT) -> Migration:
        """Make the store keep its sessions' history from now on; return what was run.

        ``plan_history`` shows it before. What was saved earlier has no history. By age,
        ``prune_history`` removes what is not wanted any more.

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
            versions: See ``plan_history``.

        Raises:
            ReadOnlyError: The store was opened for reading only; nothing was changed.
            QueryError, CapabilityError, StorageError: See ``plan_history``.
        """
        table = self._history_table(versions)
        if isinstance(table, TriggeredTable):
            return await table.create_trigger(versions)
        created = await table.create()
        await table.start()
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
            lost = f" {about}{size.versions:,} versions ({size.bytes:,} bytes) are lost."
        done = await archive.drop()
        return replace(done, note=f"{done.note}{lost}")

    @dual
    async def prune_history(
        self,
        *,
        versions: int | None = KEPT,
        age: str | timedelta | None = "30 days",
        dry_run: bool = False,
    ) -> PruneReport:
        """Remove old versions from the history, in short steps that no save waits for.

        The newest version of each session stays, and the one that was stored when ``age`` began.
        ``compact_history`` makes those that stay smaller.

        Args:
            versions: The most versions of each session; None for any number.
            age: How long a version is kept after the next one replaced it: ``"30 days"``, a
                timedelta, or None for ever.
            dry_run: True removes nothing, and reports what would go.

        Returns:
            The number of versions that were removed, or would be, and their bytes.

        Raises:
            QueryError: An argument is invalid.
            ReadOnlyError: The store was opened for reading only; nothing was changed.
            CapabilityError: The store can keep no history.
            StorageError: There is no history table, or the store failed.
        """
        try:
            kept = None if age is None else parse_duration(age)
        except ValueError as error:
            raise QueryError(f"age: {error}") from error
        self._check_versions(versions)
        return await self.archive.prune(Retention(versions, kept), dry_run=dry_run)

    @dual
    async def compact_history(self) -> int:
        """Replace older contexts in the history by what changed, and return how many.

        What a version is does not change by it: each is rebuilt to the letter. A ``HistoryStorage``
        does it as it writes, a trigger does not, so its history takes about a fifth afterwards. It
        reads the whole history, in short steps that no save waits for, and may be interrupted. A
        database uses the room again for later versions; its files do not become smaller.

        Raises:
            ReadOnlyError: The store was opened for reading only; nothing was changed.
            CapabilityError: The store can keep no history.
            StorageError: There is no history table, or the store failed.
        """
        return await self.archive.compact_all()

    def _history_table(self, versions: int | None) -> HistoryTable:
        self._check_versions(versions)
        return self.archive.table

    @staticmethod
    def _check_versions(versions: int | None) -> None:
        if versions is not None and (type(versions) is not int or versions < 1):
            raise QueryError(f"versions must be an integer >= 1 or None, not {versions!r}")

    @dual
    async def history(self, id: str, *, limit: int = MAX_VERSIONS) -> pd.DataFrame:
        """Return the versions of a session as a DataFrame, newest first.

        Example:
            >>> import graphflow_nb
            >>> from graphflow_nb.history import HistoryStorage
            >>> storage = HistoryStorage(graphflow_nb.InMemorySessionStorage())
            >>> wb = graphflow_nb.wrap(storage)
            >>> session = wb.create("claim-1", "intake")
            >>> session.current_task_id = "decide"
            >>> wb.save(session)
            >>> wb.history("claim-1")["changes"].to_dict()
            {2: '/current_task_id', 1: 'created'}

        Args:
            id: The id of the session.
            limit: The most versions.

        Returns:
            By ``version`` (int64, the number in the history): ``at`` (datetime64[us, UTC], when it
            was saved), ``graph_id``, ``current_task_id`` (category), ``status_message`` (text),
            ``changes`` (text, the places that differ from the version before: ``/current_task_id``
            and other fields, and paths in ``data``, which begin with their key; ``created``,
            ``deleted``, or ``first kept`` where the session is older than its history),
            ``since_previous`` (timedelta64[us]), ``context_bytes`` (int64), ``deleted`` (bool),
            ``stored_version`` (Int64, the store's own count), ``source`` (category: ``written``,
            ``trigger`` or ``observed``), ``writer`` (text, who saved it, as far as the store
            knows). ``attrs["note"]`` says so where there are older versions, or
            where versions in between may be missing.

        Raises:
            SessionNotFound: The session is neither stored nor in the history.
            HistoryError: A version can't be rebuilt.
            QueryError: ``limit`` is not an integer >= 1.
            CapabilityError: The store keeps no history.
            StorageError: There is no history table, or the store failed.
        """
        if type(limit) is not int or limit < 1:
            raise QueryError(f"limit must be an integer >= 1, not {limit!r}")
        archive = self.archive
        newest = await archive.versions(id, limit=1)
        if not newest:
            raise SessionNotFound(id) if await self.storage.get(id) is None else _unknown(id)
        last = newest[0].number
        found = await archive.changes(id, max(1, last - limit), last)
        frame = versions_frame(found, limit)
        notes = []
        if len(found) > limit:
            notes.append(f"showing the newest {limit:,} versions; limit= shows more")
        if "observed" in set(frame["source"]):
            notes.append("observed versions are samples: others in between are unknown")
        if notes:
            frame.attrs["note"] = "; ".join(notes)
        return frame

    @dual
    async def at(self, id: str, version: int | Moment) -> Session:
        """Return a session as it was, to the letter.

        A save of it conflicts, unless it is still what is stored: ``fork`` makes a new session.

        Args:
            id: The id of the session.
            version: The number of the version, or a time, for what was stored then: a datetime,
                ``"2026-11-24 10:00"`` (UTC without a time zone), or how long ago, ``"2 days"``.

        Raises:
            HistoryError: There was no such session then, or that version is not kept.
            QueryError: ``version`` is neither a number nor a time.
            CapabilityError: The store keeps no history.
            StorageError: There is no history table, or the store failed.
        """
        return (await self._find(id, version))[1]

    @dual
    async def diff(self, id: str, before: int | Moment, after: int | Moment | None = None) -> Patch:
        """Return the changes from one version of a session to another.

        Args:
            id: The id of the session.
            before, after: The versions, as ``at`` takes them. Default of ``after``: what is stored
                now.

        Raises:
            SessionNotFound: ``after`` is not given, and the session is not stored.
            HistoryError, QueryError, StorageError: See ``at``.
        """
        first = (await self._find(id, before))[1]
        if after is not None:
            return diff(first, (await self._find(id, after))[1])
        stored = await self.storage.get(id)
        if stored is None:
            raise SessionNotFound(id)
        return diff(first, stored)

    @dual
    async def fork(
        self,
        id: str,
        version: int | Moment,
        *,
        as_id: str,
        changes: Patch | str | Sequence[Mapping[str, Any]] = (),
    ) -> Fork:
        """Save a new session that begins as another one was; that one is not touched.

        Example:
            >>> import graphflow_nb
            >>> from graphflow_nb.history import HistoryStorage
            >>> wb = graphflow_nb.wrap(HistoryStorage(graphflow_nb.InMemorySessionStorage()))
            >>> session = wb.create("claim-1", "intake", context={"amount": 120})
            >>> session.current_task_id = "decide"
            >>> wb.save(session)
            >>> cheaper = [{"op": "replace", "path": "/context/data/amount", "value": 80}]
            >>> wb.fork("claim-1", 1, as_id="claim-1-cheaper", changes=cheaper)
            fork of session 'claim-1' at version 1, saved as 'claim-1-cheaper'
              goes on at task: intake
              tasks that 'claim-1' was at from there on, and may run again: intake, decide

        Args:
            id: The id of the session.
            version: The version where it begins, as ``at`` takes it.
            as_id: The id of the new session.
            changes: A JSON Patch (RFC 6902) that is applied first, as ``patch`` takes it.

        Returns:
            The fork: ``.session``, its origin, and the tasks that may run again. The new session
            has its origin in its context: ``forked_from``, with ``id`` and ``version``.

        Raises:
            SessionConflict: ``as_id`` is taken; nothing was written.
            PatchError: A path does not exist.
            HistoryError, QueryError, StorageError: See ``at``.
        """
        origin, session = await self._find(id, version)
        if not isinstance(as_id, str) or not as_id:
            raise QueryError(f"as_id= must be the id of the new session, not {as_id!r}")
        forked = session.copy(as_id)
        if len(patch := Patch(changes)):
            forked = apply(forked, patch)
        mark_origin(forked, origin)
        following = await self.archive.versions(id, limit=None)
        await self.save.__wrapped__(forked)
        tasks = [v.current_task_id for v in following[::-1] if v.number >= origin.number]
        return Fork(forked, origin, tuple(dict.fromkeys(tasks)))

    @property
    def replay(self) -> Replay:
        """Run a fork on with a graph until input is needed: ``wb.replay(fork, graph)``.

        See ``help(wb.replay)`` for its arguments.
        """
        return Replay(self)

    @dual
    async def timeline(
        self,
        ids: str | Sequence[str] | None = None,
        *,
        graph: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int = MAX_STEPS,
    ) -> Timeline:
        """Return sessions over time: how long each stayed at its tasks, from their history.

        Example:
            >>> import graphflow_nb
            >>> from graphflow_nb.history import HistoryStorage
            >>> wb = graphflow_nb.wrap(HistoryStorage(graphflow_nb.InMemorySessionStorage()))
            >>> session = wb.create("claim-1", "intake")
            >>> wb.timeline("claim-1").stays[["id", "task", "open"]]
                    id    task  open
            0  claim-1  intake  True

        Args:
            ids: An id, or several (a column of a DataFrame too). Default: all sessions.
            graph: Only sessions of this graph.
            since, until: Only versions from this time on, and before that one, as ``sessions``
                takes times.
            limit: The most versions; the note says so if there are more.

        Returns:
            The timeline, which shows itself: a row for each of up to 150 sessions, the number of
            sessions at each task for more. ``.stays`` and ``.transitions`` are its DataFrames.

        Raises:
            QueryError: An argument is invalid.
            CapabilityError: The store keeps no history.
            StorageError: There is no history table, or the store failed.
        """
        if type(limit) is not int or limit < 1:
            raise QueryError(f"limit must be an integer >= 1, not {limit!r}")
        chosen = None if ids is None else [ids] if isinstance(ids, str) else list(ids)
        if chosen is not None and not all(isinstance(id, str) for id in chosen):
            raise QueryError(f"ids must be ids of sessions, each a text, not {ids!r}")
        times = {
            name: None if time is None else _parse_time(name, time)
            for name, time in (("since", since), ("until", until))
        }
        steps = await self.archive.steps(chosen, **times, limit=limit)
        stays = stays_frame(steps, datetime.now(UTC))
        if graph is not None:
            stays = stays[stays["graph_id"] == graph].reset_index(drop=True)
        notes = []
        if steps.more:
            notes.append(f"the first {limit:,} versions by id; limit= takes more")
        if OBSERVED in steps.source:
            notes.append("some versions were observed: others in between are unknown")
        from .timelines import Timeline  # matplotlib takes its time: only when it is wanted

        return Timeline(stays, "; ".join(notes))

    @dual
    async def compare_runs(
        self, a: str | Iterable[str], b: str | Iterable[str], *, failed: str = "failed"
    ) -> RunComparison | CohortComparison:
        """Compare two runs step by step, or two groups of runs by what is usual in each.

        Args:
            a, b: An id each; or ids each (a column of a DataFrame too), for example those before
                and after a release.
            failed: Of groups: the text in a session's last status that says that it failed.

        Returns:
            For two ids a ``RunComparison``: steps aligned by task and visit, with durations and
            the places in which the contexts began to differ. For groups a ``CohortComparison``:
            time at each task, where the sessions are, and the share that failed. Both show
            themselves and have DataFrames.

        Raises:
            HistoryError: A session has no history, or a version can't be rebuilt.
            QueryError: An argument is invalid.
            CapabilityError: The store keeps no history.
            StorageError: There is no history table, or the store failed.
        """
        if isinstance(a, str) != isinstance(b, str):
            raise QueryError("a and b are an id each, or several ids each")
        if isinstance(a, str) and isinstance(b, str):
            return await self._compare_two(a, b)
        sides = [list(a), list(b)]
        if not all(isinstance(id, str) for side in sides for id in side):
            raise QueryError("a and b must be ids of sessions, each a text")
        stays = [(await self.timeline.__wrapped__(side)).stays for side in sides]
        for name, side in zip("ab", stays, strict=True):
            if not len(side):
                raise HistoryError(f"the history has no version of any session of {name}")
        return CohortComparison(("a", "b"), (stays[0], stays[1]), failed=failed)

    async def _compare_two(self, a: str, b: str) -> RunComparison:
        if a == b:
            raise QueryError(f"{a!r} is one run: compare it with another")
        stays = (await self.timeline.__wrapped__([a, b])).stays
        sessions: list[dict[int, Session]] = []
        for id in (a, b):
            visits = visits_of(stays[stays["id"] == id])
            if not visits:
                raise _unknown(id)
            ends = {visit.versions[1] for visit in visits}
            found = await self.archive.sessions(id, min(ends), max(ends))
            sessions.append({v.number: session for v, session in found if v.number in ends})
        return RunComparison((a, b), stays, (sessions[0], sessions[1]))

    async def _find(self, id: str, when: int | Moment) -> tuple[Version, Session]:
        """Return a version of a session, which was not deleted then, and the session."""
        place: int | datetime
        if isinstance(when, int) and not isinstance(when, bool):
            place = when
        else:
            try:
                place = parse_moment(when)
            except ValueError as error:
                raise QueryError(
                    f"a version is its number in wb.history({id!r}), or a time: {error}"
                ) from error
        archive = self.archive
        version = await archive.version_at(id, place)
        named = f"version {place}" if isinstance(place, int) else f"version at {_utc(place)}"
        if version is None:
            raise HistoryError(await self._describe_lack(id, named))
        if version.deleted:
            raise HistoryError(
                f"session {id!r} was deleted at version {version.number}, {_utc(version.at)}: "
                f"version {version.number - 1} is what it was before"
            )
        session = await archive.session_at(id, version.number)
        if session is None:  # pruned meanwhile
            raise HistoryError(await self._describe_lack(id, named))
        return version, session

    async def _describe_lack(self, id: str, named: str) -> str:
        """Return why a version is not there, and which are."""
        known = await self.archive.versions(id, limit=None)
        if not known:
            return str(_unknown(id))
        newest, oldest = known[0], known[-1]
        return (
            f"the history of session {id!r} has no {named}; it has versions {oldest.number} "
            f"({_utc(oldest.at)}) to {newest.number}; older ones were not kept"
        )


def _parse_time(name: str, time: Moment) -> datetime:
    try:
        return parse_moment(time)
    except ValueError as error:
        raise QueryError(f"{name}: {error}") from error


def _utc(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _unknown(id: str) -> HistoryError:
    return HistoryError(
        f"the history has no version of session {id!r}: none was saved since the history is kept"
    )
