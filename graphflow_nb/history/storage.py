"""HistoryStorage: a storage that keeps each version that it saves or deletes."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from time import time_ns
from typing import Any

from ..errors import (
    GraphflowError,
    HistoryError,
    SessionConflict,
    StorageError,
    StorageUnavailable,
)
from ..model import Session, exactjson
from ..model.times import micros_or_none
from ..storage.attributes import attributes_of
from ..storage.history import WRITTEN, Retention, VersionRow
from ..storage.protocols import SupportsDeleteMany, SupportsQuery
from ..storage.query import Query
from ..storage.wrappers.base import WRITES, Wrapper, close_if_possible
from .archive import HistoryArchive, history_of
from .upkeep import Upkeep

__all__ = ["HistoryStorage"]

log = logging.getLogger("graphflow_nb")


class HistoryStorage(Wrapper):
    """A storage around another one that keeps each version it saves or deletes.

    Where the store has a history table, a version is written in the transaction of the save: it is
    there if and only if the save is. Into an archive elsewhere it is written after the save: a
    crash in between loses it, ``guarantee`` says so, and ``missed`` counts what failed.

    From the first write on, what is written through the storage inside is kept too. The history is
    compacted and pruned in between, in small steps that no save waits for: that of a session after
    some of its writes, and those of other sessions in their turn (``Upkeep``).

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, Session
        >>> from graphflow_nb.history import HistoryStorage
        >>> storage = HistoryStorage(InMemorySessionStorage())
        >>> await storage.save(Session("claim-1", "intake"))
        >>> await storage.delete("claim-1")
        >>> [(v.number, v.deleted) for v in await storage.archive.versions("claim-1")]
        [(2, True), (1, False)]

    Args:
        storage: The storage inside.
        archive: Where the history is kept. Default: in the store itself, whose history table must
            exist (``history_of(storage).create()``).
        retention: What is kept; None to prune nothing. Default: 100 versions of each session, 30
            days.

    Raises:
        CapabilityError: The store keeps no history, and there is no archive.

    Attributes:
        inner: The storage inside.
        inside: Whether the history is kept in the store itself.
        archive: Where the history is kept.
        retention: What is kept.
        missed: The number of versions that were saved and could not be noted.
    """

    def __init__(
        self,
        storage: Any,
        *,
        archive: HistoryArchive | None = None,
        retention: Retention | None = Retention(),  # noqa: B008 - frozen
    ):
        super().__init__(storage)
        self.inside = archive is None
        self.archive = history_of(storage) if archive is None else archive
        self.missed = 0
        self._started = False
        self._upkeep = Upkeep(self.archive, retention)

    @property
    def suspends(self) -> bool:
        """Whether its coroutines ever wait; see ``StorageAttributes``."""
        return any(attributes_of(part).suspends for part in (self.inner, self.archive.table))

    @property
    def retention(self) -> Retention | None:
        """What is kept; None to prune nothing."""
        return self._upkeep.retention

    @retention.setter
    def retention(self, retention: Retention | None) -> None:
        self._upkeep.retention = retention

    @property
    def guarantee(self) -> str:
        """How sure it is that a version that was saved is in the history, in words."""
        if self.inside:
            return "each version is kept in the transaction of its save"
        return "each version is kept after its save: a crash in between loses it"

    @property
    def history_table(self) -> Any:
        """The history table; see ``SupportsHistory``."""
        return self.archive.table

    async def save(self, session: Session) -> None:
        """See ``SessionStorage.save``."""
        if not self._started:
            await self._call("save", session)
            return
        try:  # the shortest way, for what is done most
            await self.inner.save(session)
        except StorageError as error:
            await self._raise_if_gone(error)
            raise
        if self._upkeep.count_write(session.id):
            self._upkeep.begin()

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        if method not in WRITES:
            return await super()._call(method, *arguments, **named)
        if self.inside:
            if not self._started:
                await self.archive.table.start()
                self._started = True
            result = await self._write(method, arguments, named)
        else:
            result = await self._write_and_note(method, arguments, named)
        self._upkeep.note_writes(map(_id_of, _written_by(method, arguments)))
        return result

    async def _write(self, method: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Write with a version in the same transaction."""
        try:
            return await super()._call(method, *arguments, **named)
        except StorageError as error:
            await self._raise_if_gone(error)
            raise

    async def _raise_if_gone(self, error: StorageError) -> None:
        """Raise HistoryError if a write failed because there is no history table."""
        if isinstance(error, StorageUnavailable) or await self.archive.exists():
            return
        raise HistoryError(
            f"the history table of {self.inner!r} is gone, and without it no version can be "
            "kept: nothing was written. wb.install_history() or history_of(storage).create() "
            "creates it again; a storage that is opened again and not put into a "
            "HistoryStorage saves without a history"
        ) from error

    # Elsewhere

    async def _write_and_note(
        self, method: str, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        """Write, and append what was written to the archive."""
        await self.archive.table.exists()  # a closed or broken archive stops the write
        items = _written_by(method, arguments)
        gone: list[Session] = []
        if method.startswith("delete"):
            gone = await self._read([*map(_id_of, items)])
        result = await super()._call(method, *arguments, **named)
        if method.startswith("delete"):
            kept = set(result) if isinstance(result, list) else {s.id for s in gone}
            rows = [_row_of(session, deleted=True) for session in gone if session.id in kept]
        else:
            left_out = {
                item.session.id if isinstance(item, SessionConflict) else item
                for item in result or ()
            }
            sessions = (item for item in items if isinstance(item, Session))
            rows = [_row_of(s, deleted=False) for s in sessions if s.id not in left_out]
        try:
            await self.archive.append(rows)
        except GraphflowError:
            self.missed += len(rows)
            log.exception("%d versions were saved and are missing in the history", len(rows))
        return result

    async def _read(self, ids: Sequence[str]) -> list[Session]:
        if isinstance(self.inner, SupportsQuery) and isinstance(self.inner, SupportsDeleteMany):
            return list(await self.inner.query(Query(ids=list(ids), limit=None)))
        found = [await self.inner.get(id) for id in ids]
        return [session for session in found if session is not None]

    async def settle(self) -> None:
        """Wait until the upkeep that is under way has ended."""
        await self._upkeep.settle()

    async def close(self) -> None:
        """Close the storage inside; an archive elsewhere stays open."""
        await self._upkeep.stop()
        await close_if_possible(self.inner)


def _written_by(method: str, arguments: tuple[Any, ...]) -> list[str | Session]:
    """Return the ids or sessions that a call of a writing method names."""
    first = arguments[0] if arguments else ()
    items = list(first) if method.endswith(("_many", "_unchanged")) else [first]
    return [item for item in items if isinstance(item, (str, Session))]


def _id_of(item: str | Session) -> str:
    return item.id if isinstance(item, Session) else item


def _row_of(session: Session, *, deleted: bool) -> VersionRow:
    text = session.context_json()
    context = text if isinstance(text, str) else text.decode()
    return VersionRow(
        id=session.id,
        number=0,
        version=session.version,
        at=time_ns() // 1000,
        graph_id=session.graph_id,
        current_task_id=session.current_task_id,
        status_message=session.status_message,
        created=micros_or_none(session.raw_created),
        deleted=deleted,
        context=context,
        patch=None,
        bytes=len(context.encode()),
        source=WRITTEN,
        writer=f"graphflow_nb {os.getpid()}",
        extra=exactjson.join(session.extra).decode() if session.extra else None,
    )
