"""Sessions and chat messages of a store as DataFrames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final

import pandas as pd

from ..client import Client
from ..dual import dual_read
from ..errors import QueryError, SessionNotFound
from ..frames import counts_frame, messages_frame, paths_beside, sessions_frame
from ..model.masks import NO_MASK
from ..model.moments import Moment, parse_duration, parse_moment
from ..printable import describe_count
from ..storage import Cursor, Query, problems_of
from ..storage.capabilities import require
from ..storage.estimates import Estimate, estimate_count
from ..storage.offloop import run_off_loop
from ..storage.paths import ContextPath, check_columns
from ..storage.protocols import SupportsCount, SupportsCounts
from ..storage.query import DEFAULT_ORDER, FILTERS
from ..storage.table import note_of
from ..warning import warn
from .calls import allowing_call
from .chats import find_chats
from .waiting import describe_left_out, find_waits, join_waits

__all__ = ["SessionTables"]

DEFAULT_LIMIT: Final = 10_000
MAX_CHATS: Final = 100_000  # of one DataFrame, unless a limit is given


class SessionTables(Client):
    """A client whose sessions are DataFrames."""

    _warned_of_note = False

    @dual_read
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
                is silent for 20 times as long, or is at work for 120 times as long. Stopped or
                interrupted, it ends in the server, and nothing is kept. ``scan`` reads in short
                transactions, at constant memory.
            after: ``frame.attrs["next"]`` of the page before.
            reveal: Whether values under keys that look secret are in the context columns; else
                ``•••`` and their kind are in place of them. See ``mask`` of ``graphflow_nb.open``.
            allow_scan: Whether to read although that goes through more than 1 GB of a table or a
                file (``open(ask_above_bytes=…)``), as a full read does, and a filter or an order
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
        arguments = locals()
        filters = {name: arguments[name] for name in FILTERS}
        context = check_columns(context)
        query = Query.from_filters(filters, order=order, limit=limit, after=after)
        given: dict[str, object] = filters | {"context": context, "after": after, "reveal": reveal}
        given |= {} if order == DEFAULT_ORDER else {"order": order}
        given |= {} if limit == DEFAULT_LIMIT else {"limit": limit}
        call = allowing_call(self, "sessions", given)
        with self.asking.guard(allow=allow_scan, call=call):
            mask = NO_MASK if reveal else self.mask
            table = await self.table(query, [*context, *paths_beside(context, mask)])
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
            warn(f"showing {len(frame):,}{of} sessions; limit=None shows all")
        return frame

    @dual_read
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
            longer_than: The time: ``"1 day"``, ``"90 min"``, a timedelta; or ``"usual"`` for what
                is ``stuck`` in ``overview()``: for ten times what is usual at the task. Of a large
                store a part is read to find out what is usual, so that a task at which few are
                stuck may be missing; tasks with fewer than five sessions are left out, and all but
                the 50 with most that are stuck. A warning says so.
            graph, task, status, limit: See ``sessions``.
            allow_scan: See ``sessions``; for ``"usual"`` all sessions are read.

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
        of, filters = "", dict[str, Any]()
        with self.asking.guard(allow=allow_scan, call=call):
            if longer_than == "usual":
                waits = await find_waits(
                    self.storage, None, graph=graph, task=task, exact=allow_scan
                )
                frame = await join_waits(
                    waits,
                    lambda wait: read(
                        graph=wait.graph_id, task=wait.task, updated_until=wait.until
                    ),
                    empty=await read(ids=[]),
                )
                if left_out := describe_left_out(waits):
                    warn(left_out)
                if status is None:  # which the waits do not know
                    waiting = sum(wait.waiting for wait in waits.tasks)
                    of = f" of {Estimate(waiting, 'exactly' if waits.exact else 'about')}"
                now = datetime.now(UTC)
            else:
                try:
                    duration = parse_duration(longer_than)
                except ValueError as error:
                    raise QueryError(f'longer_than: {error}; or "usual"') from error
                now = datetime.now(UTC)
                until = parse_moment(duration, now)
                filters = {"graph": graph, "task": task, "updated_until": until}
                frame = await read(**filters)
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
            if filters and isinstance(self.storage, SupportsCount):
                query = Query.from_filters({**filters, "status": status})
                of = f" of {await estimate_count(self.storage, query, seen=len(frame))}"
            warn(f"showing the {len(frame):,} longest untouched{of} sessions; limit=None shows all")
        return frame

    @dual_read
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
        reveal: bool = False,
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
            limit: The number of sessions at most, None for 100,000; a warning says when there are
                more. Where the store reads chats alone (PostgreSQL, SQLite and memory), it is one
                of sessions that have messages. ``scan_messages`` reads all, in bounded memory.
            allow_scan: See ``sessions``.
            reveal: Whether to return secrets in messages as they are. Default: ``•••`` is in place
                of tokens with a known form, of passwords in URLs and behind ``password:``.

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
        mask = NO_MASK if reveal else self.mask
        if id is not None:
            session = await self.storage.get(id)
            if session is None:
                raise SessionNotFound(id)
            frame = messages_frame([session], mask)
            if "problems" in frame.attrs and not len(frame):
                len(session.copy().context.chat_history)  # raises, since it can't be read at all
            _warn_of_problems(frame.attrs.get("problems", {}))
            return frame
        most = MAX_CHATS if limit is None else limit
        query = Query(
            graph=graph,
            task=task,
            status=status,
            id_prefix=id_prefix,
            context={} if where is None else where,
            limit=most,
        )
        given: dict[str, object] = {"graph": graph, "task": task, "status": status}
        given |= {"id_prefix": id_prefix, "where": where}
        given |= {} if limit == 1000 else {"limit": limit}
        with self.asking.guard(allow=allow_scan, call=allowing_call(self, "messages", given)):
            found = await find_chats(self.storage, query.one_more())
        if len(found) > most:
            more = "raise limit=" if limit is not None else "wb.scan_messages() reads all"
            warn(
                f"messages of the newest {describe_count(most, 'session')}; there are more, {more}"
            )
        frame = await run_off_loop(
            len(found), lambda: messages_frame(found[:most], mask), self.storage
        )
        if problems := {**problems_of(found), **frame.attrs.get("problems", {})}:
            frame.attrs["problems"] = problems
        if note := note_of(found):
            frame.attrs["note"] = note
            self._warn_of_note(note)
        _warn_of_problems(frame.attrs.get("problems", {}))
        return frame

    @dual_read
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

    def _warn_of_note(self, note: str) -> None:
        """Warn of an answer's note once; ``frame.attrs`` and the card have it each time."""
        if not self._warned_of_note:
            self._warned_of_note = True
            warn(note)


def _warn_of_problems(problems: Mapping[str, str]) -> None:
    if not problems:
        return
    named = [f"{id!r}: {problem}" for id, problem in islice(problems.items(), 3)]
    more = f"; and {len(problems) - 3:,} more" if len(problems) > 3 else ""
    warn(
        f"{describe_count(len(problems), 'odd session')}, shown as far as "
        f"can be read: {'; '.join(named)}"
        f'{more}. frame.attrs["problems"] names all, and wb.raw(id) shows what is stored'
    )
