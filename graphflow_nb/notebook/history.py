"""The versions of sessions over time: ``wb.history``, ``wb.fork``, ``wb.timeline`` and others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..changes import Patch, diff
from ..dual import dual, dual_read
from ..errors import HistoryError, QueryError, SessionNotFound
from ..frames import versions_frame
from ..model import Session
from ..model.moments import Moment, parse_moment
from ..printable import describe_count
from ..storage.checks import check_no_table
from ..storage.history import OBSERVED
from .cohorts import CohortComparison
from .comparing import RunComparison, compare_two
from .finding import MAX_NUMBER, check_id, describe_unknown, find_version
from .forking import Fork, Replay, make_fork
from .keeping import HistoryKeeper
from .visits import MAX_STEPS, read_stays

if TYPE_CHECKING:
    from .timelines import Timeline

__all__ = ["HistoryViews"]

MAX_VERSIONS = 100  # shown unless more are asked for


class HistoryViews(HistoryKeeper):
    """A client that shows what its sessions were before, where the store keeps their history.

    A version is named by its number in the session's history: 1, 2, 3 …, in the order of the
    commits. The store's own counter, where it has one, is ``stored_version``.
    """

    @dual_read
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
        _check_limit(limit)
        check_id(id)
        limit = min(limit, MAX_NUMBER)
        archive = self.archive
        newest = await archive.versions(id, limit=1)
        if not newest:
            if await self.storage.get(id) is None:
                raise SessionNotFound(id)
            raise HistoryError(describe_unknown(id))
        last = newest[0].number
        notes = []
        try:
            found = await archive.changes(id, max(1, last - limit), last)
        except HistoryError as error:  # of one version, which hides none of the others
            found = [(version, None) for version in await archive.versions(id, limit=limit + 1)]
            notes.append(str(error))
        frame = versions_frame(found, limit, self.mask)
        shown = frame.index
        if len(shown) and shown[0] - shown[-1] + 1 > len(shown):
            notes.append("some versions in between were not kept: the next one has their changes")
        if len(found) > limit:
            notes.append(
                f"showing the newest {describe_count(limit, 'version')}; limit= shows more"
            )
        if OBSERVED in set(frame["source"]):
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
        return self.hide_secrets((await find_version(self.archive, id, version))[1])

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
        first = self.hide_secrets((await find_version(self.archive, id, before))[1])
        if after is not None:
            return diff(first, (await find_version(self.archive, id, after))[1])
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
        if not isinstance(as_id, str) or not as_id:
            raise QueryError(f"as_id= must be the id of the new session, not {as_id!r}")
        archive = self.archive
        origin, session = await find_version(archive, id, version)
        fork = await make_fork(archive, origin, session, as_id, Patch(changes))
        await self.save.__wrapped__(fork.session)
        return fork

    @property
    def replay(self) -> Replay:
        """Run a fork on with a graph until input is needed: ``wb.replay(fork, graph)``.

        See ``help(wb.replay)`` for its arguments.
        """
        return Replay(self)

    @dual_read
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
        _check_limit(limit)
        chosen = None if ids is None else _read_ids("ids", ids)
        if not (graph is None or isinstance(graph, str)):
            raise QueryError(f"graph must be the id of a graph, a text, not {graph!r}")
        times = {
            name: None if time is None else _parse_time(name, time)
            for name, time in (("since", since), ("until", until))
        }
        stays, notes = await read_stays(self.archive, chosen, **times, limit=limit, mask=self.mask)
        if graph is not None:
            stays = stays[stays["graph_id"] == graph].reset_index(drop=True)
        from .timelines import Timeline  # matplotlib takes its time: only when it is wanted

        return Timeline(stays, "; ".join(notes))

    @dual_read
    async def compare_runs(
        self,
        a: str | Iterable[str],
        b: str | Iterable[str],
        *,
        failed: str = "failed",
        limit: int = MAX_STEPS,
    ) -> RunComparison | CohortComparison:
        """Compare two runs step by step, or two groups of runs by what is usual in each.

        Args:
            a, b: An id each; or ids each (a column of a DataFrame too), for example those before
                and after a release.
            failed: Of groups: the text in a session's last status that says that it failed.
            limit: The most versions of two runs, or of each group; a note says so if there are
                more.

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
        _check_limit(limit)
        if isinstance(a, str) != isinstance(b, str):
            raise QueryError("a and b are an id each, or several ids each")
        if isinstance(a, str) and isinstance(b, str):
            return await compare_two(self.archive, a, b, limit=limit)
        sides = [_read_ids("a", a), _read_ids("b", b)]
        if not isinstance(failed, str) or not failed:
            raise QueryError(f"failed must be a text in a status, not {failed!r}")
        found = [await read_stays(self.archive, side, limit=limit) for side in sides]
        for name, (stays, _) in zip("ab", found, strict=True):
            if not len(stays):
                raise HistoryError(f"the history has no version of any session of {name}")
        notes = [
            f"{name}: {note}"
            for name, (_, notes) in zip("ab", found, strict=True)
            for note in notes
        ]
        return CohortComparison(
            ("a", "b"), (found[0][0], found[1][0]), failed=failed, note="; ".join(notes)
        )


def _check_limit(limit: object) -> None:
    if type(limit) is not int or limit < 1:
        raise QueryError(f"limit must be an integer >= 1, not {limit!r}")


def _read_ids(name: str, ids: Any) -> list[str]:
    """Return ids that are given as one, as several, or as a column."""
    check_no_table(name, ids)
    found = [ids] if isinstance(ids, str) else list(ids) if isinstance(ids, Iterable) else [ids]
    if not all(isinstance(id, str) for id in found):
        raise QueryError(f"{name} must be ids of sessions, each a text, not {ids!r}")
    return found


def _parse_time(name: str, time: Moment) -> datetime:
    try:
        return parse_moment(time)
    except ValueError as error:
        raise QueryError(f"{name}: {error}") from error
