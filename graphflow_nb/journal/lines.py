"""The lines of a journal's file: one when a write begins, one when its outcome is known."""

from __future__ import annotations

from datetime import datetime

import msgspec

from ..model import Session, stored_session
from ..model.times import micros_or_none, time_of
from .entries import Entry

__all__ = [
    "BEGINNING",
    "Line",
    "begin_line",
    "done_line",
    "read_entry",
    "read_line",
    "time_or_none",
]

#: The first bytes of every line.
BEGINNING = b'{"entry":'


class StoredSession(msgspec.Struct, omit_defaults=True):
    """A session in the file; the context as a text in the text, exact."""

    id: str
    graph_id: str
    current_task_id: str
    status_message: str | None
    context: str
    version: int
    stored: bool = True
    created: int | None = None  # µs since 1970
    updated: int | None = None


class Line(msgspec.Struct, omit_defaults=True):
    """One line of the file."""

    entry: int
    at: datetime | None = None
    place: str = ""
    op: str = ""
    id: str = ""
    before: StoredSession | None = None
    after: StoredSession | None = None
    undoes: int | None = None
    # A line with the outcome has the number and these alone.
    outcome: str = ""
    version: int = 0
    created: int | None = None
    updated: int | None = None


_decoder = msgspec.json.Decoder(Line)


def read_line(text: bytes) -> Line:
    """Return a line of the file.

    Raises:
        msgspec.MsgspecError: The line was cut off while it was written.
    """
    return _decoder.decode(text)


def begin_line(entry: Entry) -> Line:
    """Return the line for a write that begins."""
    return Line(
        entry.number,
        at=entry.at,
        place=entry.place,
        op=entry.op,
        id=entry.id,
        before=_pack(entry.before),
        after=_pack(entry.after),
        undoes=entry.undoes,
    )


def done_line(entry: Entry, after: Session | None) -> Line:
    """Return the line for a write that succeeded.

    Args:
        entry: The entry of the write.
        after: The session that was saved, with its new version and times; None for a delete.
    """
    if after is None:
        return Line(entry.number, outcome="done")
    return Line(
        entry.number,
        outcome="done",
        version=after.version,
        created=micros_or_none(after.created_at),
        updated=micros_or_none(after.updated_at),
    )


def read_entry(line: Line) -> Entry:
    """Return the entry of a line for a write that begins."""
    assert line.at is not None
    return Entry(
        line.entry,
        line.at,
        line.place,
        line.op,  # type: ignore[arg-type]
        line.id,
        _unpack(line.before),
        _unpack(line.after),
        undoes=line.undoes,
    )


def _pack(session: Session | None) -> StoredSession | None:
    if session is None:
        return None
    context = session.context_json()
    return StoredSession(
        session.id,
        session.graph_id,
        session.current_task_id,
        session.status_message,
        context if isinstance(context, str) else context.decode(),
        session.version,
        not session.is_new,
        micros_or_none(session.created_at),
        micros_or_none(session.updated_at),
    )


def _unpack(kept: StoredSession | None) -> Session | None:
    if kept is None:
        return None
    return stored_session(
        kept.id,
        kept.graph_id,
        kept.current_task_id,
        kept.status_message,
        kept.context,
        kept.version,
        time_or_none(kept.created),
        time_or_none(kept.updated),
        stored=kept.stored,
    )


def time_or_none(micros: int | None) -> datetime | int | None:
    """Return the time of microseconds since 1970 UTC as ``time_of`` does; None for None."""
    return None if micros is None else time_of(micros)
