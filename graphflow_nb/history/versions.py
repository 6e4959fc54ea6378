"""Version: one version of a session, made from rows of a history table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..errors import HistoryError
from ..model import Session, exactjson, stored_session
from ..model.masks import mask_in_use
from ..model.times import EPOCH, datetime_of, micros_of
from ..storage.history import VersionRow
from .encoding import rebuild

__all__ = ["Version", "contexts_of", "micros_of_aware", "sessions_of", "version_of"]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a session, without its context; ``HistoryArchive.session_at`` returns that.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, Session
        >>> from graphflow_nb.history import HistoryStorage
        >>> storage = HistoryStorage(InMemorySessionStorage())
        >>> await storage.save(Session("claim-1", "intake"))
        >>> version = await storage.archive.version_at("claim-1", 1)
        >>> version.current_task_id, version.deleted, version.source
        ('intake', False, 'written')

    Attributes:
        id: The session's id.
        number: The number in the session's history: 1, 2, 3 …, in the order of the commits, over
            deletes too. Numbers stay when older versions are pruned.
        version: The session's ``version`` in the store; None where the store does not count.
        at: When it was written, aware, UTC; by the store's clock where the store has one.
        graph_id, current_task_id, status_message: The session's columns.
        deleted: Whether the session was deleted at this number.
        bytes: The length of the context's JSON text in bytes.
        source: ``written`` by a storage of this package, by a ``trigger`` of the database, or
            ``observed``: noted after a look, so what happened before it since the last is unknown.
        writer: Who wrote it, as far as the store knows; ``""`` if it does not.
    """

    id: str
    number: int
    version: int | None
    at: datetime
    graph_id: str
    current_task_id: str
    status_message: str | None
    deleted: bool
    bytes: int
    source: str
    writer: str

    def __repr__(self) -> str:
        status = mask_in_use().hide_in(self.status_message or "")
        return (
            f"Version({self.id!r}, {self.number}, {self.current_task_id!r}, graph_id="
            f"{self.graph_id!r}, status_message={status!r}, version={self.version}, "
            f"at={self.at.isoformat()!r}, deleted={self.deleted}, source={self.source!r})"
        )


def version_of(row: VersionRow) -> Version:
    """Return the version that a row of a history table is."""
    return Version(
        id=row.id,
        number=row.number,
        version=row.version,
        at=datetime_of(row.at) or EPOCH,
        graph_id=row.graph_id,
        current_task_id=row.current_task_id,
        status_message=row.status_message,
        deleted=row.deleted,
        bytes=row.bytes,
        source=row.source,
        writer=row.writer,
    )


def contexts_of(rows: Sequence[VersionRow]) -> Iterator[str]:
    """Yield the context of each row, the newest first."""
    text: str | None = None
    number = 0
    for row in rows:
        if row.context is not None:
            text = row.context
        elif row.patch is None or text is None or row.number != number - 1:
            raise HistoryError(
                f"version {row.number} of session {row.id!r} can't be rebuilt: the version after "
                "it, from which its context is made, is missing. The history table was changed by "
                "hand; newer versions are not affected"
            )
        else:
            text = rebuild(text, row.patch)
        number = row.number
        yield text


def sessions_of(rows: Sequence[VersionRow], last: int) -> Iterator[Session]:
    """Yield the sessions of the rows up to a number, the newest first."""
    for row, context in zip(rows, contexts_of(rows), strict=True):
        if row.number <= last:
            yield stored_session(
                row.id,
                row.graph_id,
                row.current_task_id,
                row.status_message,
                context,
                row.version or 0,
                row.created,
                row.at,
                exactjson.split_object(row.extra, "the session") if row.extra else None,
            )


def micros_of_aware(moment: datetime) -> int:
    """Return a moment in µs since 1970 UTC.

    Raises:
        HistoryError: It has no time zone.
    """
    if moment.tzinfo is None:
        raise HistoryError(
            f"{moment} has no time zone, so it is not one moment: pass an aware datetime, e.g. "
            "datetime(2026, 11, 24, 10, tzinfo=UTC)"
        )
    return micros_of(moment)
