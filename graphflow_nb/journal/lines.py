"""The lines of a journal: one when a write begins, one when its outcome is known.

Each line begins with a checksum and its own number, so that a line that was damaged, removed or
repeated is noticed. The first line of a file has the number of all lines:

    {"sum":"6d2b1a90","journal":2,"lines":"000000000003"}
    {"sum":"0f8a7c11","line":2,"entry":1,"at":"…","op":"delete","id":"claim-1","before":{…}}
    {"sum":"9c01d6e2","line":3,"entry":1,"outcome":"done"}

A file of the first form has neither first line nor checksums; it is read, and written anew.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Raw

from ..errors import JournalError
from ..model import Seen, Session, stored_session
from ..model.times import FINITE, micros_or_unknown, time_of
from .entries import Op, Sides

__all__ = [
    "BEGINNINGS",
    "HEADER_BYTES",
    "Line",
    "LineHead",
    "UnreadableLineError",
    "begin_line",
    "encode_header",
    "encode_line",
    "outcome_line",
    "read_head",
    "read_sides",
    "renumber",
]

_SUM: Final = b'{"sum":"'
_OLD: Final = b'{"entry":'
#: What a line of a journal may begin with.
BEGINNINGS: Final = (_SUM, _OLD)
_PREFIX: Final = len(b'{"sum":"00000000",')
_SUMMED: Final = re.compile(rb'\{"sum":"([0-9a-f]{8})",')


class UnreadableLineError(Exception):
    """The reason why a line can't be read."""


class StoredSession(msgspec.Struct, omit_defaults=True):
    """A session in the journal; the context as a text in the text, exact.

    Attributes:
        context: The context's JSON text; None where it is the one of the entry that is undone.
    """

    id: str
    graph_id: str
    current_task_id: str
    status_message: str | None
    context: str | None = None
    version: int = 0
    stored: bool = True
    created: int | None = None  # µs since 1970
    updated: int | None = None
    extra: dict[str, str] | None = None
    seen: tuple[str, int, int | str] | None = None
    expires_in: int | None = None


class Line(msgspec.Struct, omit_defaults=True):
    """One line."""

    entry: int
    at: datetime | None = None
    place: str = ""
    store: str = ""
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
    seen: tuple[str, int, int | str] | None = None


class SessionHead(msgspec.Struct):
    """What the index keeps of a session; the rest of the text is not read."""

    version: int = 0


class LineHead(msgspec.Struct):
    """What the index keeps of a line; contexts are not read."""

    entry: int = 0
    line: int = 0
    journal: int = 0
    lines: str = ""
    at: datetime | None = None
    place: str = ""
    store: str = ""
    op: str = ""
    id: str = ""
    before: SessionHead | None = None
    after: SessionHead | None = None
    undoes: int | None = None
    outcome: str = ""
    version: int = 0


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)
_head_decoder = msgspec.json.Decoder(LineHead)


# Whole lines


def encode_line(line: Line, number: int, *, sealed: bool = True) -> bytes:
    """Return the text of a line, with its end.

    Args:
        line: The line.
        number: Its number in the file.
        sealed: Whether it has the number and a checksum; not in memory, where none is read again.
    """
    if not sealed:
        return _encoder.encode(line) + b"\n"
    return _seal(b'"line":%d,%b' % (number, _encoder.encode(line)[1:]))


def encode_header(lines: int) -> bytes:
    """Return the first line of a file; its length is the same for any number of lines."""
    return _seal(b'"journal":2,"lines":"%012d"}' % lines)


def _seal(body: bytes) -> bytes:
    return b'{"sum":"%08x",%b\n' % (crc32(body), body)


#: The length of the first line.
HEADER_BYTES: Final = len(encode_header(0))


def renumber(text: bytes, number: int, *, sealed: bool = True) -> bytes:
    """Return the text of a line that was read, of either form, with another number."""
    if not sealed:
        return text
    text = text.rstrip(b"\n")
    rest = text[_PREFIX:].partition(b",")[2] if text.startswith(_SUM) else text[1:]
    return _seal(b'"line":%d,%b' % (number, rest))


def _check(text: bytes) -> bytes:
    """Return a line without its end.

    Raises:
        UnreadableLineError: The line was cut off, or its checksum is wrong.
    """
    whole = text.endswith(b"\n")
    text = text.removesuffix(b"\n")
    found = _SUMMED.match(text)
    if found is None and not text.startswith(_OLD):
        raise UnreadableLineError("it is not a line of a journal" if whole else "it was cut off")
    if found is not None and int(found[1], 16) != crc32(memoryview(text)[_PREFIX:]):
        raise UnreadableLineError("its checksum is wrong" if whole else "it was cut off")
    return text


def read_head(text: bytes) -> LineHead:
    """Return what the index keeps of a line.

    Raises:
        UnreadableLineError: The line can't be read.
    """
    text = _check(text)
    try:
        head = _head_decoder.decode(text)
        if not head.line and not head.journal:
            _decoder.decode(text)  # without a checksum, its form must show whether it is whole
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableLineError(f"its JSON can't be read: {error}") from error
    if not head.journal and not head.outcome and (head.at is None or head.entry < 1):
        raise UnreadableLineError("it has no number or no time")
    return head


def _read_line(text: bytes) -> Line:
    try:
        return _decoder.decode(_check(text))
    except (UnreadableLineError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise JournalError(
            f"an entry of the journal can't be read ({error}): its file was changed meanwhile"
        ) from error


# What they hold


def begin_line(
    number: int,
    at: datetime,
    place: str,
    store: str,
    op: Op,
    sides: Sides,
    undoes: int | None,
) -> Line:
    """Return the line for a write that begins; one that undoes another has no contexts."""
    session = sides.after if sides.before is None else sides.before
    assert session is not None
    return Line(
        number,
        at=at,
        place=place,
        store="" if store == place else store,
        op=op,
        id=session.id,
        before=_pack(sides.before, undoes is None),
        after=_pack(sides.after, undoes is None),
        undoes=undoes,
    )


def outcome_line(number: int, after: Session | None) -> Line:
    """Return the line for a write that succeeded.

    Args:
        number: The number of the entry.
        after: The session that was saved, with its new version and times; None for a delete.
    """
    if after is None:
        return Line(number, outcome="done")
    return Line(
        number,
        outcome="done",
        version=after.version,
        created=_micros(after.raw_created),
        updated=_micros(after.raw_updated),
        seen=after.seen,
    )


def read_sides(begin: bytes, outcome: bytes | None, contexts: bytes | None, flipped: bool) -> Sides:
    """Return the session before and after a write.

    Args:
        begin: The line for the write that began.
        outcome: The line for its success, if there is one.
        contexts: The line that has the contexts; None for ``begin`` itself.
        flipped: Whether the context before is the one after in ``contexts``.

    Raises:
        JournalError: A line can't be read.
    """
    line = _read_line(begin)
    source = line if contexts is None else _read_line(contexts)
    before, after = source.before, source.after
    if flipped:
        before, after = after, before
    done = None if outcome is None else _read_line(outcome)
    return Sides(_unpack(line.before, before, None), _unpack(line.after, after, done))


def _pack(session: Session | None, with_context: bool) -> StoredSession | None:
    if session is None:
        return None
    context: str | bytes | None = session.context_json() if with_context else None
    extra = session.extra
    return StoredSession(
        session.id,
        session.graph_id,
        session.current_task_id,
        session.status_message,
        context.decode() if isinstance(context, bytes) else context,
        session.version,
        not session.is_new,
        _micros(session.raw_created),
        _micros(session.raw_updated),
        None if not extra else {name: bytes(text).decode() for name, text in extra.items()},
        session.seen,
        session.expires_in,
    )


def _unpack(
    kept: StoredSession | None, source: StoredSession | None, done: Line | None
) -> Session | None:
    if kept is None:
        return None
    context = kept.context
    if context is None:
        if source is None or source.context is None:
            raise JournalError(
                "an entry of the journal lacks the context of the one that it undoes"
            )
        context = source.context
    # What is stored now has the version and times that the store answered.
    marks: StoredSession | Line = kept if done is None else done
    session = stored_session(
        kept.id,
        kept.graph_id,
        kept.current_task_id,
        kept.status_message,
        context,
        marks.version,
        _time_or_none(marks.created),
        _time_or_none(marks.updated),
        None if kept.extra is None else {n: Raw(t.encode()) for n, t in kept.extra.items()},
        None if marks.seen is None else Seen(*marks.seen),
        stored=kept.stored or done is not None,
    )
    if kept.expires_in is not None:
        session.expires_in = kept.expires_in
    return session


def _time_or_none(micros: int | None) -> datetime | int | None:
    return None if micros is None else time_of(micros)


def _micros(time: datetime | int | None) -> int | None:
    """Return the microseconds of a store's time, an infinity too; None for None."""
    if type(time) is int and -FINITE <= time <= FINITE:  # several times for each write
        return time
    return None if time is None else micros_or_unknown(time)
