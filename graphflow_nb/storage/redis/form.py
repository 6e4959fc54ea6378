"""The text that represents a session in Redis: its JSON as graph-flow writes it.

graph-flow's documentation stores it with ``SET <id> <json>``. This package adds ``created_at`` and
``updated_at`` (RFC 3339), which serde ignores. A worker that saves the session drops them; then
these times are unknown. Members that this package does not know are kept.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha1
from typing import Final

import msgspec
from msgspec import Raw

from ...errors import ContextError
from ...model import Seen, Session, exactjson, stored_session
from ...model.times import UNKNOWN_TIME, datetime_of, micros_of

__all__ = ["UNCOUNTED", "Stored", "decode_stored", "digest", "encode"]

#: A version from here on is not a count. A worker that does not count its saves (the documented
#: storage, and all before graph-flow 0.6) writes 0; a digest of the text replaces it.
UNCOUNTED: Final = 2**62

_MEMBERS = ("id", "graph_id", "current_task_id", "status_message", "context", "version")
_time_decoder = msgspec.json.Decoder(datetime)


class _Members(msgspec.Struct, gc=False):
    """The members of a stored session, decoded only as far as a list of sessions needs it."""

    id: str
    graph_id: str
    current_task_id: str
    context: Raw
    status_message: str | None = None
    version: int = 0


class _Dated(_Members, gc=False):
    """The members with their times, which is quicker than to decode these apart."""

    created_at: datetime | None = None
    updated_at: datetime | None = None


class _Undated(_Members, gc=False):
    """The members of which one that should be a time is something else."""

    created_at: Raw = Raw(b"null")
    updated_at: Raw = Raw(b"null")


class Stored(msgspec.Struct, gc=False):
    """A stored session. The garbage collector does not count it: a list has thousands.

    Attributes:
        id, graph_id, current_task_id, status_message, context: As stored.
        counted: The count of saves, 0 where nothing counts them.
        created, updated: The times of creation and of the last save in µs since 1970 UTC, or
            ``UNKNOWN_TIME``.
        text: The stored value.
    """

    id: str
    graph_id: str
    current_task_id: str
    status_message: str | None
    context: Raw
    counted: int
    created: int
    updated: int
    text: bytes

    @property
    def version(self) -> int:
        """The count of saves, or a number computed from the text where nothing counts them."""
        return self.counted or UNCOUNTED + int(digest(self.text)[:14], 16)

    @property
    def known_created(self) -> int | None:
        """The time of creation in µs since 1970 UTC, None where unknown."""
        return None if self.created == UNKNOWN_TIME else self.created

    @property
    def known_updated(self) -> int | None:
        """The time of the last save in µs since 1970 UTC, None where unknown."""
        return None if self.updated == UNKNOWN_TIME else self.updated

    def seen(self, store: str) -> Seen:
        """Return the state for a session to remember.

        Args:
            store: The identity of the store.
        """
        return Seen(store, self.version, digest(self.text))

    def session(self, store: str) -> Session:
        """Return the session as a storage's ``get`` returns it.

        Args:
            store: The identity of the store.
        """
        created, updated, seen = self.created, self.updated, self.seen(store)
        parts = exactjson.split_object(self.text, "the session")
        known = [*_MEMBERS]
        # A worker may have members of these names with another meaning: those are not changed.
        known += ["created_at"] if created != UNKNOWN_TIME else []
        known += ["updated_at"] if updated != UNKNOWN_TIME else []
        return stored_session(
            self.id,
            self.graph_id,
            self.current_task_id,
            self.status_message,
            bytes(self.context),
            seen.version,
            None if created == UNKNOWN_TIME else created,
            None if updated == UNKNOWN_TIME else updated,
            {name: part for name, part in parts.items() if name not in known} or None,
            seen,
        )


_decoder = msgspec.json.Decoder(_Dated)
_undated_decoder = msgspec.json.Decoder(_Undated)


def decode_stored(text: bytes | None, id: str) -> Stored | None:
    """Return the session in a stored value; None if it is not a session or has another id.

    Args:
        text: The value of the session's key, None where the key does not exist.
        id: The id that the session must have.
    """
    if text is None or not text.startswith(b"{"):
        return None
    try:
        if not text.isascii():
            text.decode()  # the decoder does not read the context
        found, created, updated = _decode_members(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if found.id != id or not 0 <= found.version < UNCOUNTED:
        return None
    if bytes(memoryview(found.context)[:1]) != b"{":
        return None
    return Stored(
        id,
        found.graph_id,
        found.current_task_id,
        found.status_message,
        found.context,
        found.version,
        created,
        updated,
        text,
    )


def _decode_members(text: bytes) -> tuple[_Members, int, int]:
    """Return the members of a session, and its times in µs since 1970 UTC or ``UNKNOWN_TIME``."""
    try:
        dated = _decoder.decode(text)
    except msgspec.ValidationError:
        undated = _undated_decoder.decode(text)
        return undated, _decode_time(undated.created_at), _decode_time(undated.updated_at)
    return dated, _known_micros(dated.created_at), _known_micros(dated.updated_at)


def digest(text: bytes) -> str:
    """Return the SHA-1 of a text in hex, as the server's ``sha1hex`` does."""
    return sha1(text, usedforsecurity=False).hexdigest()


class _Written(msgspec.Struct):
    """The members in the order in which graph-flow writes them, then the two added ones."""

    id: str
    graph_id: str
    current_task_id: str
    status_message: str | None
    context: Raw
    version: int
    created_at: datetime | msgspec.UnsetType = msgspec.UNSET
    updated_at: datetime | msgspec.UnsetType = msgspec.UNSET


_encoder = msgspec.json.Encoder()


def encode(session: Session, version: int, created: int | None, updated: int | None) -> bytes:
    """Return the text to store for a session.

    Args:
        session: The session; ``check_texts`` has accepted its fields.
        version: The version to write.
        created, updated: The times to write in µs since 1970 UTC; None omits one, and so does a
            time that RFC 3339 has no form for, before the year 1 or after 9999.

    Raises:
        ContextError: The session's context is not the text of a JSON object.
    """
    text = _encoder.encode(
        _Written(
            session.id,
            session.graph_id,
            session.current_task_id,
            session.status_message,
            Raw(_to_bytes(session.context_json())),
            version,
            datetime_of(created) or msgspec.UNSET,
            datetime_of(updated) or msgspec.UNSET,
        )
    )
    if session.extra:
        text = exactjson.join(exactjson.split_object(text, "the session") | session.extra)
    if decode_stored(text, session.id) is None:
        raise ContextError(
            f"session {session.id!r} can't be stored: its context is not a JSON object, or is "
            "nested too deep"
        )
    return text


def _to_bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _decode_time(text: Raw) -> int:
    if bytes(memoryview(text)[:1]) != b'"':
        return UNKNOWN_TIME
    try:
        time = _time_decoder.decode(text)
    except msgspec.MsgspecError:
        return UNKNOWN_TIME
    return _known_micros(time)


def _known_micros(time: datetime | None) -> int:
    return UNKNOWN_TIME if time is None or time.tzinfo is None else micros_of(time)
