"""Observing: the versions of sessions that polling, or the store's own reports, let one see."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta
from time import time_ns
from types import TracebackType
from typing import Final, NamedTuple, Self

from markupsafe import Markup

from ..cards import card
from ..client import Client
from ..errors import QueryError
from ..history import HistoryArchive, Retention, history_of
from ..history.upkeep import Upkeep
from ..model import Session
from ..model.times import datetime_of, micros_or_none
from ..printable import describe_count, printable
from ..storage import Cursor, Query, connect
from ..storage.capabilities import require
from ..storage.history import OBSERVED, TriggeredTable, VersionRow
from ..storage.memory_history import MemoryHistory
from ..storage.protocols import SupportsCount, SupportsQuery, SupportsWatch
from ..storage.stores import find_kind
from ..storage.url import StoreUrl
from ..storage.wrappers.base import close_if_possible
from .following import Follower, Watch

__all__ = ["Observation"]

MAX_KNOWN: Final = 100_000  # sessions whose last state is known
PAGE: Final = 500
MAX_PAGES: Final = 20  # of one look; the next one goes on
OVERLAP: Final = timedelta(seconds=2)  # a save may commit after a later one


class _State(NamedTuple):
    """What tells one version of a session from the next."""

    version: int
    updated: object
    context: object


class Observation:
    """Versions of sessions that were seen from now on, until it is stopped; it shows itself.

    Each look notes sessions that changed since the last. What happened between two looks is not
    known, so these versions are samples, marked ``observed``. A look reads sessions that were saved
    since the last one, and takes at most 5 % of the time; observing ends after an hour.

    Args:
        client: The client of the store that is observed; nothing is written there.
        into: The URL of a SQLite file that keeps what is seen, created if it does not exist.
            Default: memory, gone with the kernel.
        retention: What is kept of each session. Default: 100 versions, 30 days.

    Attributes:
        archive: Where the versions are kept.
        noted: The number of versions that were noted.
        cut: Whether a look met more changes than it reads at once, so that some came late.
        state: How it goes, in words.

    Raises:
        CapabilityError: The storage can't find sessions by time.
        QueryError: ``into`` is given for sessions in memory, is not the URL of a SQLite file, or
            has sessions or triggers of its own.
        StorageError: A store failed.
    """

    def __init__(
        self,
        client: Client,
        into: str | os.PathLike[str] | None = None,
        retention: Retention = Retention(),  # noqa: B008 - frozen
    ):
        require(client.storage, SupportsQuery)
        self._client = client
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._after: Cursor | None = None  # where a look that was cut goes on
        self._known: OrderedDict[str, _State] = OrderedDict()
        self._reported: set[str] = set()  # ids that the store reported
        self.noted = 0
        self.cut = False
        self.state = "observing"
        self._edge = self._find_newest()
        self.archive = self._open(into)  # last, since nothing closes it if another step fails
        self._upkeep = Upkeep(self.archive, retention)
        self._follower = Follower(self._look_quietly, self._report, self._watch())
        self._follower.start()

    def _open(self, into: str | os.PathLike[str] | None) -> HistoryArchive:
        if into is None:
            return HistoryArchive(MemoryHistory())
        if not self._client.attributes.suspends:
            raise QueryError(
                "sessions in memory are gone with the kernel, and what was seen of them is, too: "
                "leave into= out"
            )
        url = StoreUrl(os.fspath(into))
        kind = find_kind(url)
        if kind is None or "create" not in kind.options:
            raise QueryError(
                f"into= must be the URL of a SQLite file, such as 'sqlite:seen.db', not "
                f"{str(url)!r}: nothing was opened or observed"
            )
        return self._client.bridge.run(_open_archive(url))

    def _find_newest(self) -> datetime | None:
        storage = require(self._client.storage.background, SupportsQuery)
        found = self._client.bridge.run(storage.query(Query(limit=1)))
        return next((datetime_of(s.raw_updated) for s in found), None)

    def _watch(self) -> Watch | None:
        storage, submit = self._client.storage, self._client.bridge.submit
        if not isinstance(storage, SupportsWatch):
            return None
        watched = storage

        def watch(
            on_change: Callable[[str], None], on_state: Callable[[bool], None]
        ) -> Future[None]:
            def change(id: str) -> None:
                with self._lock:
                    self._reported.add(id)
                on_change(id)

            return submit(watched.watch(change, on_state))

        return watch

    def look(self) -> int:
        """Note what changed since the last look, and return how many versions that were.

        Raises:
            StorageError: A store failed.
        """
        with self._looking:  # a cell may look while the follower does
            edge, after = self._edge, self._after
            with self._lock:
                reported, self._reported = self._reported - {""}, set()
            rows: list[VersionRow] = []
            try:
                self._collect(rows, reported)
                if rows:
                    self._client.bridge.run(self._keep(rows))
            except BaseException:  # what was not kept is looked for again
                self._edge, self._after = edge, after
                for row in rows:
                    if row.deleted:  # known, but in no state that a session can have
                        self._known[row.id] = _State(-1, None, None)
                    else:
                        self._known.pop(row.id, None)
                with self._lock:
                    self._reported |= reported
                raise
            self.noted += len(rows)
            return len(rows)

    async def _keep(self, rows: list[VersionRow]) -> None:
        await self.archive.append(rows)
        self._upkeep.note_writes(row.id for row in rows)

    def _collect(self, rows: list[VersionRow], reported: set[str]) -> None:
        """Add the versions that are new to ``rows``; of the reported ids, those that are gone."""
        storage = require(self._client.storage.background, SupportsQuery)
        since = None if self._edge is None else self._edge - OVERLAP
        remaining = set(reported)
        for _ in range(MAX_PAGES):
            query = Query(updated_since=since, order="updated_at", limit=PAGE, after=self._after)
            sessions = self._client.bridge.run(storage.query(query))
            rows += [row for session in sessions if (row := self._note(session)) is not None]
            remaining.difference_update(session.id for session in sessions)
            if len(sessions) < PAGE:
                self._after = None
                break
            last = sessions[-1]
            self._after = Cursor("updated_at", last.id, last.raw_updated)
        else:
            self.cut = True  # the next look goes on from there
        rows += [self._note_deleted(id) for id in remaining if self._is_gone(id)]

    def _note(self, session: Session) -> VersionRow | None:
        """Return a version of a session that changed since it was seen; None if it did not."""
        time = datetime_of(session.raw_updated)
        if time is not None and (self._edge is None or time > self._edge):
            self._edge = time
        text = session.context_json()
        state = _State(session.version, session.raw_updated, text)
        if self._known.get(session.id) == state:
            return None
        self._known[session.id] = state
        self._known.move_to_end(session.id)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        context = text if isinstance(text, str) else text.decode(errors="surrogateescape")
        at = micros_or_none(session.raw_updated)
        return _row(session, context, time_ns() // 1000 if at is None else at, deleted=False)

    def _is_gone(self, id: str) -> bool:
        """Return whether a session that was seen before, and was reported, does not exist now."""
        if id not in self._known:
            return False
        return self._client.bridge.run(self._client.storage.background.get(id)) is None

    def _note_deleted(self, id: str) -> VersionRow:
        del self._known[id]
        newest = self._client.bridge.run(self.archive.versions(id, limit=1))
        session = self._client.bridge.run(self.archive.session_at(id, newest[0].number))
        assert session is not None  # what is known is in the archive
        text = session.context_json()
        context = text if isinstance(text, str) else text.decode(errors="surrogateescape")
        return _row(session, context, time_ns() // 1000, deleted=True)

    def end(self) -> None:
        """Observe no longer, as when the client is closed; nothing is waited for."""
        self._follower.stop()
        self.state = "stopped"

    def stop(self) -> None:
        """Observe no longer; what was seen stays in ``archive``."""
        self.end()
        self._client.bridge.run(self._upkeep.settle())

    def _look_quietly(self) -> None:
        self.look()

    def _report(self, text: str, wrong: bool) -> None:
        self.state = text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        cut = "; more changed at once than a look reads" if self.cut else ""
        text = f"<Observation: {describe_count(self.noted, 'version')} noted, {self.state}{cut}>"
        return printable(text)

    def _repr_html_(self) -> str:
        return str(card("observing", Markup("<p>%s</p>") % repr(self)))


async def _open_archive(url: StoreUrl) -> HistoryArchive:
    """Return a history for what is seen, in a file that is for that alone."""
    storage = await connect(url, create=True)
    try:
        archive = history_of(storage)
        table = archive.table
        triggered = isinstance(table, TriggeredTable) and await table.is_triggered()
        if triggered or await require(storage, SupportsCount).count(Query()):
            raise QueryError(
                f"into={str(url)!r} is a store of its own: it has "
                f"{'triggers that keep its history' if triggered else 'sessions'}, and what is "
                "seen elsewhere would be taken for theirs. Nothing was written; name a file that "
                "does not exist yet"
            )
        await archive.create()
    except BaseException:
        await close_if_possible(storage)
        raise
    return archive


def _row(session: Session, context: str, at: int, *, deleted: bool) -> VersionRow:
    return VersionRow(
        id=session.id,
        number=0,
        version=session.version,
        at=at,
        graph_id=session.graph_id,
        current_task_id=session.current_task_id,
        status_message=session.status_message,
        created=micros_or_none(session.raw_created),
        deleted=deleted,
        context=context,
        patch=None,
        bytes=len(context.encode(errors="surrogateescape")),
        source=OBSERVED,
        writer="",
    )
