"""The workbench: a client with DataFrames, cards, plots and views."""

from __future__ import annotations

import os
import warnings
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from .. import cards
from ..advice import Findings, advise
from ..bridge import Bridge, dual
from ..client import open_client, wrap_client
from ..client.asking import MANY_SESSIONS, Asking, Confirm
from ..errors import GraphflowError, QueryError, SessionNotFound, StorageError
from ..frames import counts_frame, journal_frame, messages_frame, sessions_frame
from ..journal import Journal
from ..journal.overwriting import Overwritten, find_overwritten
from ..model import Session, stored_session
from ..model.masks import DEFAULT_MASK, NO_MASK, Mask, MaskChoice
from ..model.moments import Moment, parse_duration, parse_moment
from ..monitoring import MonitoredStorage, Recorder
from ..storage import Cursor, Query, SessionStorage, problems_of
from ..storage.connect import read_url
from ..storage.estimates import Estimate, count_groups_briefly, estimate_count
from ..storage.offloop import run_off_loop
from ..storage.paths import ContextPath, parse_path
from ..storage.postgres.pools import find_resetting_pools
from ..storage.protocols import (
    SupportsChats,
    SupportsCount,
    SupportsCounts,
    SupportsFacts,
    SupportsIndex,
    SupportsQuery,
    require,
)
from ..storage.query import DEFAULT_ORDER
from ..storage.scans import LARGE_BYTES
from ..storage.table import note_of
from ..storage.url import StoreUrl
from ..workflow import Graph
from .benchmarks import Benchmark
from .calls import allowing_call
from .copying import CopyTo
from .display import register
from .exporting import Exports
from .graphs import GraphView, build_view
from .history import HistoryViews
from .latency import Latency
from .running import RunFlow
from .scanning import LargeReads
from .stopping import MANY, show_work
from .waiting import describe_left_out, find_waits, join_waits

if TYPE_CHECKING:
    from .browse import Browser
    from .overview import Overview

__all__ = ["Workbench", "open", "wrap"]

DEFAULT_LIMIT: Final = 10_000
MAX_COLUMNS: Final = 500  # of a context: a database has a bound, and each path may mean 16 places


class Workbench(HistoryViews, LargeReads, Exports):
    """One store in a notebook: see its sessions, change them, see what that cost.

    ``graphflow_nb.open(url)`` and ``graphflow_nb.wrap(storage)`` make one. Every method waits for
    its result, in a cell, a widget callback, a thread or a script. ``await wb.get.aio(id)`` is the
    same call awaited, on the same connections.

    Example:
        >>> import graphflow_nb
        >>> wb = graphflow_nb.open("demo")
        >>> len(wb.sessions(graph="claims"))
        80

    Attributes:
        storage: The storage, which records every operation; a ``SessionStorage`` itself.
        latency: The cost of the operations.
    """

    def __init__(
        self,
        storage: MonitoredStorage,
        bridge: Bridge,
        recorder: Recorder,
        journal: Journal | None = None,
        mask: Mask = DEFAULT_MASK,
        asking: Asking | None = None,
    ):
        super().__init__(storage, bridge, recorder, journal, mask, asking)
        self.latency = Latency(recorder, self)
        self._warned_of_note = False
        register()

    @property
    def journal(self) -> pd.DataFrame:
        """The writes made through this workbench (or noted in its journal's file), oldest first.

        What ``wb.storage`` and other programs write is not in it.

        Returns:
            Indexed by ``entry`` (int64): ``at`` (datetime64[us, UTC]), ``op`` (category: save,
            upsert, delete, restore, undo), ``session_id`` (text), ``changes`` (text, the paths
            that changed, or ``created``, ``deleted``), ``version_before``, ``version_after``
            (Int64), ``state`` (category: ``done``; ``unknown`` where the connection was lost during
            the write; ``void`` where nothing is left to undo), ``undoes``, ``undone_by`` (Int64,
            entries), ``overwritten_since`` (boolean: whether others have changed since what this
            write changed; missing where that is not known). For the last column the 200 sessions
            written last are read; ``attrs["note"]`` says if there are more, ``attrs["damaged"]``
            names the lines of the file that can't be read.
        """
        entries = self.journaled.entries()
        try:
            # As background traffic: looking leaves no trace in what operations cost.
            found = self.bridge.run(find_overwritten(entries, self.storage.background))
        except GraphflowError as error:
            found = Overwritten({}, f"what became of the writes could not be read: {error}")
        frame = journal_frame(entries, found.answers)
        if found.note:
            frame.attrs["note"] = found.note
        damaged = self.journaled.journal.damaged
        if damaged:
            frame.attrs["damaged"] = [f"line {line}: {reason}" for line, reason in damaged]
            _warn(f"{len(damaged):,} lines of the journal can't be read: {frame.attrs['damaged']}")
        return frame

    @dual
    async def sessions(
        self,
        *,
        graph: str | None = None,
        task: str | None = None,
        status: str | None = None,
        text: str | None = None,
        id_prefix: str | None = None,
        ids: Sequence[str] | None = None,
        updated_since: Moment | None = None,
        updated_until: Moment | None = None,
        created_since: Moment | None = None,
        created_until: Moment | None = None,
        where: Mapping[Any, Any] | None = None,
        has: Sequence[ContextPath] = (),
        lacks: Sequence[ContextPath] = (),
        compare: Sequence[tuple[ContextPath, str, Any]] = (),
        ignore_case: bool = False,
        context: Sequence[ContextPath] = (),
        order: str = "-updated_at",
        limit: int | None = DEFAULT_LIMIT,
        after: Cursor | Mapping[str, Any] | None = None,
        reveal: bool = False,
        allow_scan: bool = False,
    ) -> pd.DataFrame:
        """Return sessions as a DataFrame, newest first.

        The store filters, orders and pages.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> found = wb.sessions(graph="claims", task="await_documents", context=["amount"])
            >>> len(found), str(found["amount"].dtype)
            (10, 'float64')

        Args:
            graph, task: The exact graph_id, the exact current_task_id.
            status: A text that occurs in status_message.
            text: A text that occurs in the id or in status_message.
            id_prefix: The start of the id.
            ids: The ids to look for, 10,000 at most: a list, or a column of a DataFrame.
            updated_since, updated_until, created_since, created_until: Times; "since" is included,
                "until" is not. A datetime, a date, a text (``"2026-11-24"``, ``"2026-11-24
                10:00"``), or how long ago: ``"2 days"``, a timedelta. What has no time zone is read
                as UTC, as all times are shown.
            where: Context paths with the JSON value that each must have, e.g.
                ``{"customer.tier": "gold"}``.
            has: Context paths that must exist.
            lacks: Context paths that must not exist.
            compare: Comparisons with context values, e.g. ``[("amount", ">", 100)]``; the operators
                are ``>``, ``>=``, ``<``, ``<=`` and ``!=``. Numbers are compared by value, texts by
                code points; what is missing or of another kind is not found.
            ignore_case: Whether ``text`` and ``status`` find upper and lower case alike.
            context: Context paths to show, a column each, 500 at most.
                ``"fanout.a.response"`` is first the nested path; where a session has nothing
                there, it is the key with dots in it. ``("a.b", "c")`` has exactly these keys.
            order: ``updated_at``, ``created_at`` or ``id``; with ``-`` in front descending.
            limit: The number of rows at most, None for all; a warning says when there are more.
                In PostgreSQL all are read by one ``COPY`` from one snapshot, which is released
                when the last row has come. ``timeout=`` does not cut it off: it ends if the server
                is silent for 20 times as long, or is at work for 120 times as long. ``scan`` reads
                in short transactions, at constant memory.
            after: ``frame.attrs["next"]`` of the page before.
            reveal: Whether values under keys that look secret are in the context columns; else
                ``•••`` and their kind are in place of them. See ``mask`` of ``graphflow_nb.open``.
            allow_scan: Whether to read although that goes through more than 1 GB of a server's
                table (``open(ask_above_bytes=…)``), as a full read does, and a filter or an order
                that no index serves. Allowed once, it is not asked again for this kind of read.

        Returns:
            ``id`` (text), ``graph_id``, ``current_task_id`` (category), ``status_message`` (text),
            ``version`` (int64), ``created_at``, ``updated_at`` (datetime64[us, UTC]),
            ``context_bytes`` (int64, what the context takes in the store), ``messages`` (int64,
            length of the chat history), in Redis ``expires_at`` (datetime64[us, UTC], missing for
            never), then the context columns: text, boolean, Int64, float64 or object as their
            values need, missing where a session has none. Each is named as its path is written;
            one with the name of another column has ``context.`` in front, and a tuple that reads
            like another path is named as Python writes it. Objects, lists and values of several
            types are Python objects: CSV and pickle take them as they are, for Parquet make a
            column of JSON texts (``frame["a"].map(json.dumps, na_action="ignore")``).
            ``attrs["next"]`` is the place of the next page, None after the last. An odd row, which
            graph-flow could not have written, is shown as far as it can be read; a warning and
            ``attrs["problems"]`` (a text by id) say what is wrong with it, and ``wb.raw(id)`` shows
            it as it is stored.

            Where an index in Redis answered, ``frame.attrs["note"]`` says so each time, and a
            warning once.

        Raises:
            QueryError: A filter is invalid.
            ScanRefused: It would go through a large table, and ``allow_scan`` is False.
            CapabilityError: The storage has no method ``table``.
            StorageError: The store failed.
        """
        context = _check_context(context)
        filters = {
            "graph": graph,
            "task": task,
            "status": status,
            "text": text,
            "id_prefix": id_prefix,
            "ids": ids,
            "updated_since": updated_since,
            "updated_until": updated_until,
            "created_since": created_since,
            "created_until": created_until,
            "where": where,
            "has": has,
            "lacks": lacks,
            "compare": compare,
            "ignore_case": ignore_case,
        }
        query = Query.from_filters(filters, order=order, limit=limit, after=after)
        given: dict[str, object] = filters | {"context": context, "after": after, "reveal": reveal}
        given |= {} if order == DEFAULT_ORDER else {"order": order}
        given |= {} if limit == DEFAULT_LIMIT else {"limit": limit}
        call = allowing_call(self, "sessions", given)
        with self.asking.guard(allow=allow_scan, call=call):
            table = await self.table(query, context)
        mask = NO_MASK if reveal else self.mask
        frame = await run_off_loop(
            len(table),
            lambda: sessions_frame(table, context, mask, consume=True),
            self.storage,
        )
        if "note" in frame.attrs:
            self._warn_of_note(frame.attrs["note"])
        _warn_of_problems(table.problems)
        if limit == DEFAULT_LIMIT and frame.attrs["next"] is not None:
            of = ""
            if isinstance(self.storage, SupportsCount):
                total = await estimate_count(self.storage, query, seen=len(frame))
                of = f" of {total}"
                if "note" not in frame.attrs and note_of(total.sessions) is not None:
                    self._warn_of_note(f"the total is {note_of(total.sessions)}")
            _warn(f"showing {len(frame):,}{of} sessions; limit=None shows all")
        return frame

    @dual
    async def overview(self, *, exact: bool = False) -> Overview:
        """Return where sessions are, which are stuck, and whether they grow, as pictures.

        The store counts. Of a large one a part that stands for the whole is read (in PostgreSQL 96
        MB of a larger table, in Redis the values of 20,000 keys, else 150,000 sessions), so that it
        takes no longer the larger it is; the pictures then say *about*, and from what. A storage of
        your own that can't count reads its 150,000 newest sessions.

        Example:
            >>> import graphflow_nb
            >>> overview = graphflow_nb.open("demo").overview()
            >>> int(overview.tasks["sessions"].sum()), overview.note
            (120, '')

        Args:
            exact: Whether to read all sessions, however many there are.

        Returns:
            The overview, which shows itself; ``tasks``, ``ages``, ``graphs``, ``days``, ``hours``
            and ``sizes`` are its figures as DataFrames.

        Raises:
            CapabilityError: The storage has neither ``overview`` nor ``table``.
            StorageError: The store failed.
        """
        from .overview import Overview, read_counts  # with matplotlib: only when it is wanted

        return Overview(await read_counts(self.storage, datetime.now(UTC), exact=exact))

    @dual
    async def stuck(
        self,
        longer_than: str | timedelta = "1 day",
        *,
        graph: str | None = None,
        task: str | None = None,
        status: str | None = None,
        limit: int | None = 1000,
        allow_scan: bool = False,
    ) -> pd.DataFrame:
        """Return sessions that no one has saved for longer than this, longest untouched first.

        A session that is complete is not saved again either: name the tasks at which sessions wait.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> found = wb.stuck("1 day", task="await_documents")
            >>> bool((found["untouched_for"] > "1 day").all())
            True
            >>> found = wb.stuck("usual", graph="claims")
            >>> bool((found["untouched_for"] > 10 * found["usual"]).all())
            True

        Args:
            longer_than: The time: ``"1 day"``, ``"90 min"``, a timedelta; or ``"usual"`` for ten
                times what is usual at the task: the median time since the last save, of up to 500
                sessions there. Tasks with fewer than five sessions are left out, and all but the 50
                with the most; a warning says so.
            graph, task, status, limit, allow_scan: See ``sessions``.

        Returns:
            The columns of ``sessions``, with ``untouched_for`` (timedelta64[us], since
            ``updated_at``) after ``updated_at``; for ``"usual"`` with ``usual`` (timedelta64[us])
            after that.

        Raises:
            QueryError: An argument is invalid.
            ScanRefused: It would go through a large table, and ``allow_scan`` is False.
            CapabilityError: The storage has no method ``table``; or, for ``"usual"``, none to count
                by task.
            StorageError: The store failed.
        """
        given: dict[str, object] = {"longer_than": longer_than, "graph": graph, "task": task}
        given |= {"status": status} | ({} if limit == 1000 else {"limit": limit})
        call = allowing_call(self, "stuck", given)
        read = partial(self.sessions.__wrapped__, status=status, order="updated_at", limit=limit)
        with self.asking.guard(allow=allow_scan, call=call):
            if longer_than == "usual":
                waits = await find_waits(self.storage, None, graph=graph, task=task)
                frame = await join_waits(
                    waits,
                    lambda wait: read(
                        graph=wait.graph_id, task=wait.task, updated_until=wait.until
                    ),
                    empty=await read(ids=[]),
                )
                if left_out := describe_left_out(waits):
                    _warn(f"not compared with what is usual: {left_out}")
                now = datetime.now(UTC)
            else:
                try:
                    duration = parse_duration(longer_than)
                except ValueError as error:
                    raise QueryError(f'longer_than: {error}; or "usual"') from error
                now = datetime.now(UTC)
                frame = await read(
                    graph=graph, task=task, updated_until=parse_moment(duration, now)
                )
        untouched = (pd.Timestamp(now) - frame["updated_at"]).astype("timedelta64[us]")
        place = frame.columns.get_loc("updated_at")
        assert isinstance(place, int)
        frame.insert(place + 1, "untouched_for", untouched)
        more = frame.attrs["next"] is not None
        if "usual" in frame:
            frame.insert(place + 2, "usual", frame.pop("usual"))
            more = more or (limit is not None and len(frame) > limit)
            frame = frame.sort_values("untouched_for", ascending=False, kind="stable")
            frame = frame.head(len(frame) if limit is None else limit).reset_index(drop=True)
            frame.attrs["next"] = None  # several tasks have no common place to go on from
        if limit is not None and more:
            _warn(f"showing the {len(frame):,} longest untouched sessions; limit=None shows all")
        return frame

    @dual
    async def messages(
        self,
        id: str | None = None,
        *,
        graph: str | None = None,
        task: str | None = None,
        status: str | None = None,
        id_prefix: str | None = None,
        where: Mapping[Any, Any] | None = None,
        limit: int | None = 1000,
        allow_scan: bool = False,
    ) -> pd.DataFrame:
        """Return chat messages as a DataFrame: of one session, or of the newest that match.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> wb.messages("claim-0014")["role"].tolist()
            ['User', 'System', 'Assistant']

        Args:
            id: The id of one session. Default: the sessions that the other arguments select.
            graph, task, status, id_prefix, where: See ``sessions``.
            limit: The number of sessions at most, None for all; a warning says when there are more.
                In PostgreSQL it is one of sessions that have messages, and chats alone are read.
            allow_scan: See ``sessions``.

        Returns:
            ``session_id`` (category), ``position`` (int64, 0 is the oldest kept), ``role``
            (category), ``content`` (text), ``timestamp`` (datetime64[us, UTC]). An odd message,
            such as one with an unknown role, has its JSON as ``content``; a warning and
            ``attrs["problems"]`` (a text by session id) say what is wrong.

        Raises:
            SessionNotFound: No session has this id.
            ContextError: The chat of the one session can't be read at all.
            ScanRefused: It would go through a large table, and ``allow_scan`` is False.
            CapabilityError: No id is given, and the storage has no method ``query``.
            StorageError: The store failed.
        """
        if id is not None:
            session = await self.storage.get(id)
            if session is None:
                raise SessionNotFound(id)
            frame = messages_frame([session])
            if "problems" in frame.attrs and not len(frame):
                len(session.copy().context.chat_history)  # raises, since it can't be read at all
            return _warn_of_odd_messages(frame)
        query = Query(
            graph=graph,
            task=task,
            status=status,
            id_prefix=id_prefix,
            context={} if where is None else where,
            limit=limit,
        )
        given: dict[str, object] = {"graph": graph, "task": task, "status": status}
        given |= {"id_prefix": id_prefix, "where": where}
        given |= {} if limit == 1000 else {"limit": limit}
        with self.asking.guard(allow=allow_scan, call=allowing_call(self, "messages", given)):
            found = await self._find_chats(query.one_more())
        if limit is not None and len(found) > limit:
            _warn(f"messages of the newest {limit:,} sessions; there are more, raise limit=")
        frame = await run_off_loop(len(found), lambda: messages_frame(found[:limit]), self.storage)
        if problems := {**problems_of(found), **frame.attrs.get("problems", {})}:
            frame.attrs["problems"] = problems
        if note := note_of(found):
            frame.attrs["note"] = note
            self._warn_of_note(note)
        return _warn_of_odd_messages(frame)

    async def _find_chats(self, query: Query) -> list[Session]:
        """Return sessions to show the messages of, whose contexts may have nothing else."""
        if isinstance(self.storage, SupportsChats):
            chats = await self.storage.chats(query)
            if chats is not None:
                return [
                    stored_session(id, "", "", None, context, 0, None, None)
                    for id, context in chats
                ]
        return await require(self.storage, SupportsQuery).query(query)

    @dual
    async def summary(self, *, allow_scan: bool = False) -> pd.DataFrame:
        """Return the number of sessions at each task, and since when they are unchanged.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> wb.summary()[["graph_id", "current_task_id", "sessions"]].head(2)
              graph_id current_task_id  sessions
            0   claims          payout        57
            1   claims          intake        13

        Args:
            allow_scan: See ``sessions``: each session is counted.

        Returns:
            ``graph_id``, ``current_task_id`` (category), ``sessions`` (int64), ``oldest_update``,
            ``newest_update`` (datetime64[us, UTC]), ``longest_untouched`` (timedelta64[us]).

            Where an index in Redis answered, ``frame.attrs["note"]`` says so each time, and a
            warning once.

        Raises:
            ScanRefused: It would go through a large table, and ``allow_scan`` is False.
            CapabilityError: The storage has no method ``counts``.
            StorageError: The store failed.
        """
        with self.asking.guard(allow=allow_scan, call=allowing_call(self, "summary", {})):
            counts = await require(self.storage, SupportsCounts).counts(Query())
        frame = counts_frame(counts)
        if "note" in frame.attrs:
            self._warn_of_note(frame.attrs["note"])
        return frame

    def browse(
        self,
        *,
        session: str | None = None,
        graph: str | None = None,
        task: str | None = None,
        text: str | None = None,
        status: str | None = None,
        id_prefix: str | None = None,
        ids: Sequence[str] | None = None,
        updated_since: Moment | None = None,
        updated_until: Moment | None = None,
        created_since: Moment | None = None,
        created_until: Moment | None = None,
        where: Mapping[Any, Any] | None = None,
        has: Sequence[ContextPath] = (),
        lacks: Sequence[ContextPath] = (),
        compare: Sequence[tuple[ContextPath, str, Any]] = (),
        ignore_case: bool = False,
        context: Sequence[ContextPath] = (),
        order: str | None = None,
        page_size: int = 50,
    ) -> Browser:
        """Show a view to find, read, create, edit, copy, delete and restore sessions.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> browser = wb.browse(graph="claims", session="claim-0014")
            >>> browser.session.id
            'claim-0014'

        Args:
            session: The id of a session to open at once.
            graph, task, text, status, id_prefix, ids, updated_since, updated_until, created_since,
                created_until, where, has, lacks, compare, ignore_case: The first filters; see
                ``sessions``.
            context: Context paths to show, a column each; see ``sessions``.
            order: See ``sessions``. Default: newest first, or by id where the store could order by
                time only by sorting a large table.
            page_size: The number of sessions on a page, 1 to 1000.

        Returns:
            A widget. In later cells ``browser.selected`` is the DataFrame of the selected sessions
            and ``browser.session`` the open one.

        Raises:
            QueryError: A filter is invalid.
        """
        from .browse import Browser  # with its widgets: only when they are wanted

        if type(page_size) is not int or not 1 <= page_size <= 1000:
            raise QueryError(f"page_size must be 1 to 1000 sessions, not {page_size!r}")
        filters = {
            "graph": graph,
            "task": task,
            "text": text,
            "status": status,
            "id_prefix": id_prefix,
            "ids": ids,
            "updated_since": updated_since,
            "updated_until": updated_until,
            "created_since": created_since,
            "created_until": created_until,
            "where": where,
            "has": has,
            "lacks": lacks,
            "compare": compare,
            "ignore_case": ignore_case,
        }
        context = _check_context(context)
        return Browser(
            self, filters, order=order, page_size=page_size, session=session, context=context
        )

    @dual
    def undo_all(
        self,
        *,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
        confirm: Confirm = None,
    ) -> Coroutine[Any, Any, list[str]]:
        """Undo all writes of the journal, newest first for each session.

        In a notebook a bar with a Stop button is shown where there are many, if ``progress`` is not
        given. Interrupting the kernel (■) stops it too; called again, it goes on with what is left.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> wb.delete("claim-0014")
            ['claim-0014']
            >>> wb.undo_all()
            []

        Args:
            progress, stop, confirm: See ``undo_many``.

        Returns:
            The ids of sessions that were not undone: others changed them since, or the store
            refused what was there before, of which a warning gives the reason.

        Raises:
            ChangeRefused: They are many, and it was not confirmed.
            JournalError: Lines of the journal can't be read.
            StorageError: The store failed; what was undone until then stays undone.
        """
        # Not a coroutine function: the bar belongs to the cell's thread, which calls this.
        undo = super().undo_all.__wrapped__
        if progress is not None or len(self.journaled.journal) <= MANY:
            return undo(progress=progress, stop=stop, confirm=confirm)
        if len(self.journaled.undoable()) <= MANY:
            return undo(stop=stop, confirm=confirm)
        return show_work(
            partial(undo, confirm=confirm),
            stop,
            step="undoing …",
            unit="writes",
            done="undone",
            again="wb.undo_all() continues",
        )

    @dual
    def delete(
        self,
        ids: str | Iterable[str] | Mapping[str, int | Session],
        *,
        undo: bool = True,
        confirm: Confirm = None,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Coroutine[Any, Any, list[str]]:
        """Delete one session or several, in batches; unknown ids are skipped.

        In a notebook a bar with a Stop button is shown where there are many, if ``progress`` is not
        given. Interrupting the kernel (■) stops it too; called again with the same ids, it goes on
        with what is left. What was deleted until then can be undone.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> wb.delete(["claim-0014", "no such id"])
            ['claim-0014']

        Args:
            ids: An id, several (a column of a DataFrame too), or a mapping from id to the version
                that the session must still have, or to the session that was read: one that was
                saved, or deleted and created again, meanwhile stays. A version is the one that this
                object showed last under that id (by ``get``, ``sessions``, the browser or a
                write); of a session that it never showed at that version the number alone is
                compared.
            undo: Whether the journal notes it, so that it can be undone.
            confirm: The number of different ids, or True for any: needed for more than 1,000 in a
                server's database (``open(ask_above_sessions=…)``).
            progress, stop: See ``undo_many``.

        Returns:
            The ids that were deleted.

        Raises:
            QueryError: ``ids`` is something else.
            ChangeRefused: They are many, and it was not confirmed; or ``confirm`` is another
                number.
            JournalError: The journal can't note it; the write was not made.
            StorageError: The store failed.
        """
        delete = partial(super().delete.__wrapped__, undo=undo, confirm=confirm)
        if isinstance(ids, Iterable) and not isinstance(ids, (str, Mapping)):
            ids = list(ids)
        if progress is not None or not isinstance(ids, (list, Mapping)) or len(ids) <= MANY:
            return delete(ids, progress=progress, stop=stop)
        return show_work(
            partial(delete, ids),
            stop,
            step="deleting …",
            unit="sessions",
            done="deleted, which can be undone" if undo else "deleted",
            again="wb.delete(…) with the same ids continues",
        )

    @dual
    def build_index(
        self,
        *,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Coroutine[Any, Any, int]:
        """Build an index for quick pages in Redis, or update it; no session is changed.

        What this package writes afterwards is kept in it. Workers don't know it: what they save
        keeps its place, and what they create is not shown until the index is built again. One that
        was interrupted or stopped before it was whole is not used: build it again.

        Args:
            progress: A function that is called after each batch, on the storage's thread, with the
                number of sessions read, and of how many (None if unknown). Default: a notebook
                shows a bar with a Stop button.
            stop: A function that is asked before each batch, on the storage's thread; True ends the
                work there.

        Returns:
            The number of sessions in the index; of those that were read, if it was stopped.

        Raises:
            CapabilityError: The storage has no method ``build_index``.
            StorageError: The store failed.
        """
        build = super().build_index.__wrapped__
        if progress is not None or not isinstance(self.storage, SupportsIndex):
            return build(progress=progress, stop=stop)
        return show_work(
            build,
            stop,
            step="reading …",
            unit="sessions",
            done="read",
            again="wb.build_index() begins again; until it is whole, pages are read without it",
        )

    @property
    def copy_to(self) -> CopyTo:
        """Copy sessions into another store, verified: ``wb.copy_to(other, graph="claims")``.

        See ``help(wb.copy_to)`` for its arguments.
        """
        return CopyTo(self)

    @property
    def run(self) -> RunFlow:
        """Run a step of a graph on a session, or all until input is needed: ``wb.run(graph, id)``.

        See ``help(wb.run)`` for its arguments.

        Example:
            >>> import graphflow_nb
            >>> from graphflow_nb.workflow import GraphBuilder, NextAction, TaskResult, task
            >>> @task("intake")
            ... def intake(context):
            ...     context["amount"] = 120
            ...     return TaskResult("taken in", NextAction.WAIT_FOR_INPUT)
            >>> graph = GraphBuilder("claims").add_task(intake).build()
            >>> wb = graphflow_nb.open("memory:")
            >>> session = wb.create("claim-1", graph.start_task_id, graph_id=graph.id)
            >>> run = wb.run(graph, "claim-1", until="input")
            >>> run.response, run.status.kind, run.changes
            ('taken in', 'waiting_for_input', add /context/data/amount: 120)
        """
        return RunFlow(self)

    @dual
    async def graph(
        self,
        graph: Graph | str | None = None,
        id: str | None = None,
        *,
        allow_scan: bool = False,
    ) -> GraphView:
        """Return a picture of a graph, with its sessions and the transitions that were observed.

        Each task has the number of sessions and their ages; each edge how often sessions were seen
        to take it, and the median time from the save at the one task to the save at the next.
        Observed is what this workbench showed and saved itself: steps of ``wb.run``, writes, and
        sessions that two reads (also of a browser that follows changes) found at two tasks. If
        the store keeps a history (``wb.archive``) which has more, its transitions are shown.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> session = wb.get("claim-0014")
            >>> session.current_task_id = "decide"
            >>> wb.save(session)
            >>> wb.graph("claims").transitions[["from", "to", "n"]]
                          from      to  n
            0  await_documents  decide  1

        Args:
            graph: The graph; a graph_id, or None for all, where the graph is not at hand, as that
                of Rust workers: then the picture has the tasks of the store and only transitions
                that were observed.
            id: The id of a session whose current task is marked; then no sessions are counted.
            allow_scan: See ``sessions``: each session is counted.

        Returns:
            The picture, which shows itself; ``.tasks`` and ``.transitions`` are its figures as
            DataFrames, ``.notes`` says where they are from and what is unknown.

        Raises:
            SessionNotFound: No session has this id.
            GraphError: ``graph`` is something else.
            ScanRefused: It would go through a large table, and ``allow_scan`` is False.
            StorageError: The store failed.
        """
        call = allowing_call(self, "graph", {"graph": graph if isinstance(graph, str) else None})
        with self.asking.guard(allow=allow_scan, call=call):
            return await build_view(self, graph, id)

    @property
    def benchmark(self) -> Benchmark:
        """Load this store and measure it: ``wb.benchmark("A", duration=10, rate=500)``.

        See ``help(wb.benchmark)`` for its arguments. A store that is read-only or holds sessions of
        others is not loaded unless an argument allows it.
        """
        return Benchmark(self)

    @dual
    async def advise(self) -> Findings:
        """Return what would help this store, with the figures that show it; changes nothing.

        It reads what the store reports about itself (only what is cheap: no table is read whole)
        and the operations in ``wb.latency``. Each advice has its figures, a statement or a call to
        copy, and what that costs. What is in order and what could not be checked is listed too.

        Returns:
            The findings, which show themselves in a notebook; ``.advice`` is the list, ``.frame()``
            the DataFrame.
        """
        # Not through the monitor: this is not an operation of the user's.
        inner = self.storage.inner
        try:
            facts, reason = await require(inner, SupportsFacts).facts(), ""
        except StorageError as error:
            facts, reason = None, str(error)
        operations = self.latency.frame()
        return advise(
            facts,
            operations[operations["origin"] == "user"],
            orders=sorted(self.orders),
            filters=sorted(self.filters),
            pools=find_resetting_pools(inner),
            reason=reason,
        )

    def _warn_of_note(self, note: str) -> None:
        """Warn of an answer's note once; ``frame.attrs`` and the card have it each time."""
        if not self._warned_of_note:
            self._warned_of_note = True
            _warn(note)

    def _describe(self) -> cards.StoreCard:
        note, counts = "", None
        if self.attributes.read_only:
            note = "opened for reading only"
        total = ""
        try:
            counted = self.bridge.run(count_groups_briefly(self.storage.background))
            if isinstance(counted, Estimate):
                total = str(counted)
            else:
                counts = counted
                note = "; ".join(filter(None, (note, note_of(counts))))
        except GraphflowError as error:
            note = f"{note}; {error}" if note else str(error)
        return cards.StoreCard(
            repr(self.storage.inner),
            counts,
            note,
            len(self.latency),
            self.latency.bound_note,
            self.attributes.limits,
            total,
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        card = self._describe()  # once for both, since it counts
        return {
            "text/plain": cards.store_text(card),
            "text/html": str(cards.store_html(card)),
        }

    def __repr__(self) -> str:
        return cards.store_text(self._describe())

    def _repr_html_(self) -> str:
        return str(cards.store_html(self._describe()))


def open(
    url: str | StoreUrl | None = None,
    *,
    writable: bool | None = None,
    journal: str | os.PathLike[str] | None = None,
    mask: MaskChoice = True,
    ask_above_bytes: int | None = LARGE_BYTES,
    ask_above_sessions: int | None = MANY_SESSIONS,
    **options: Any,
) -> Workbench:
    """Open a store.

    Example:
        >>> import graphflow_nb
        >>> wb = graphflow_nb.open("demo")
        >>> wb.summary()["sessions"].sum()
        np.int64(120)

    Args:
        url: ``"demo"`` (sample sessions that graph-flow wrote, in memory), ``memory:``,
            ``sqlite:path`` (``storage/sqlite/location.py`` has the forms of such URLs),
            ``postgresql://user@host/database`` or ``redis://host``. Default: the URL in
            DATABASE_URL, or memory, with a logged warning, if that is not set.
        writable: Whether sessions can be changed. Default: a server's database is opened for
            reading only, since it may not be yours to change; memory, demo and local files are
            writable. True also creates a SQLite file that does not exist, as ``create=True`` does.
        journal: A file that keeps what this workbench writes and what it replaces, so that it can
            be undone after a restart. It holds contexts of sessions, and only its owner can read
            it. Default: the journal is kept in memory, past 16 MB in a private temporary file,
            and ends with this process.
        mask: What of contexts is hidden wherever a person is shown it: values under keys that look
            secret (``dbPassword``, ``X-Api-Key``, ``ssn``, …) are shown as ``•••`` and their kind.
            Names of keys, in any spelling, are hidden too: ``["iban", "customer number"]``, where
            ``iban``, ``email`` and ``phone`` are kinds that are secret by choice;
            ``{"cookie": False}`` shows one; False shows all. What a program reads, such as
            ``wb.get(id).context["password"]``, copies and Parquet files are never masked.
        ask_above_bytes: Reads that go through more bytes of a server's table are asked about once:
            they raise ``ScanRefused`` with an estimate of size and time, until ``allow_scan=True``.
            That needs the server's statistics, so only PostgreSQL asks. Those that read everything
            by their name (``scan``, ``to_parquet``, ``copy_to``) do not ask. None never asks.
        ask_above_sessions: Calls that would change more sessions of a server's database raise
            ``ChangeRefused``, until ``confirm=`` gives their number, or is True. None never asks.
        options: Options of the storage's ``connect``: ``create=True`` for a new SQLite file,
            ``table="schema.table"``, ``timeout=30.0`` seconds, ``max_connections=4``, …

    Raises:
        StorageError: The store can't be opened.
        QueryError: ``mask`` is invalid.
    """
    url = None if url is None else read_url(url)
    return open_client(
        url,
        kind=Workbench,
        writable=writable,
        journal=journal,
        mask=mask,
        ask_above_bytes=ask_above_bytes,
        ask_above_sessions=ask_above_sessions,
        **options,
    )


def wrap(
    storage: SessionStorage,
    *,
    loop: AbstractEventLoop | None = None,
    journal: str | os.PathLike[str] | None = None,
    mask: MaskChoice = True,
) -> Workbench:
    """Return a workbench on a storage that you connected, or wrote, yourself.

    Example:
        >>> import graphflow_nb
        >>> storage = await graphflow_nb.connect("memory:")
        >>> graphflow_nb.wrap(storage).create("claim-1", "intake").version
        1

    Args:
        storage: Anything with the coroutines ``save``, ``get`` and ``delete``. With ``table``,
            ``query``, ``count`` and ``counts`` everything works.
        loop: The event loop that the storage belongs to. Default: the storage's own ``loop``, or
            else the one that runs right now, or else one of our own.
        journal, mask: See ``open``.

    Raises:
        CapabilityError: The storage lacks one of the three.
        QueryError: ``mask`` is invalid.
    """
    return wrap_client(storage, kind=Workbench, loop=loop, journal=journal, mask=mask)


def _check_context(context: object) -> Sequence[ContextPath]:
    """Return the context paths that are to be columns.

    Raises:
        QueryError: They are not a list of paths, or too many.
    """
    paths = [context] if isinstance(context, str) else context
    if not isinstance(paths, Sequence):
        raise QueryError(f"context= must be a list of context paths, not {context!r}")
    if len(paths) > MAX_COLUMNS:
        raise QueryError(f"context= takes at most {MAX_COLUMNS} paths, not {len(paths):,}")
    for path in paths:
        parse_path(path)
    return paths


def _warn_of_odd_messages(frame: pd.DataFrame) -> pd.DataFrame:
    _warn_of_problems(frame.attrs.get("problems", {}))
    return frame


def _warn_of_problems(problems: Mapping[str, str]) -> None:
    if not problems:
        return
    named = [f"{id!r}: {problem}" for id, problem in islice(problems.items(), 3)]
    more = f"; and {len(problems) - 3:,} more" if len(problems) > 3 else ""
    _warn(
        f"{len(problems):,} odd {'session' if len(problems) == 1 else 'sessions'}, shown as far as "
        f"can be read: {'; '.join(named)}"
        f'{more}. frame.attrs["problems"] names all, and wb.raw(id) shows what is stored'
    )


def _warn(text: str) -> None:
    # No place in a file: the call may run on another thread, and its path would be noise.
    warnings.warn_explicit(text, UserWarning, "graphflow_nb", 0)
