"""The text that stands for a session in Redis: graph-flow's JSON of it, under its id.

As graph-flow's documentation does it (``SET <id> <json>``). Ours adds ``created_at`` and
``updated_at`` (RFC 3339), which serde ignores; a worker that saves the session drops them, and then
these times are unknown. Members that we don't know are kept.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha1
from typing import Final

import msgspec
from msgspec import Raw

from ...errors import ContextError
from ...model import Session, exactjson, stored_session
from ...model.times import EPOCH, UNKNOWN_TIME, micros_of

__all__ = ["UNCOUNTED", "Stored", "digest", "encode", "read"]

#: From here on a version is no count. A worker that does not count its saves (the documented
#: storage, and all before graph-flow 0.6) leaves 0 there; a digest of the text stands in for it.
UNCOUNTED: Final = 2**62

_MEMBERS = ("id", "graph_id", "current_task_id", "status_message", "context", "version")
_time = msgspec.json.Decoder(datetime)


class Stored(msgspec.Struct):
    """A session as it stands in Redis, read just so far that it can be listed."""

    id: str
    graph_id: str
    current_task_id: str
    context: Raw
    status_message: str | None = None
    counted: int = msgspec.field(default=0, name="version")
    created_at: Raw = Raw(b"null")
    updated_at: Raw = Raw(b"null")
    text: bytes = b""

    @property
    def version(self) -> int:
        """What counts its saves, or tells its text from others where nothing counts them."""
        return self.counted or UNCOUNTED + int(digest(self.text)[:14], 16)

    @property
    def created(self) -> int:
        """µs since 1970 UTC."""
        return _micros(self.created_at)

    @property
    def updated(self) -> int:
        """µs since 1970 UTC."""
        return _micros(self.updated_at)

    def session(self) -> Session:
        """As a storage hands it out."""
        created, updated = self.created, self.updated
        parts = exactjson.split_object(self.text, "the session")
        known = [*_MEMBERS]
        # A worker may have members of these names with another meaning: those are left alone.
        known += ["created_at"] if created != UNKNOWN_TIME else []
        known += ["updated_at"] if updated != UNKNOWN_TIME else []
        return stored_session(
            self.id,
            self.graph_id,
            self.current_task_id,
            self.status_message,
            bytes(self.context),
            self.version,
            None if created == UNKNOWN_TIME else created,
            None if updated == UNKNOWN_TIME else updated,
            {name: part for name, part in parts.items() if name not in known} or None,
            (self.version, digest(self.text)),
        )


_decoder = msgspec.json.Decoder(Stored)


def read(text: bytes | None, id: str) -> Stored | None:
    """The session that a value stands for; None where it stands for none, or for another's."""
    if text is None or not text.startswith(b"{"):
        return None
    try:
        stored = _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if stored.id != id or not 0 <= stored.counted < UNCOUNTED:
        return None
    if bytes(memoryview(stored.context)[:1]) != b"{":
        return None
    stored.text = text
    return stored


def digest(text: bytes) -> str:
    """What Redis's own ``sha1hex`` says of a text."""
    return sha1(text, usedforsecurity=False).hexdigest()


class _Written(msgspec.Struct):
    """The members in the order in which graph-flow writes them, then ours."""

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
    """The text of a session whose fields are known to be texts.

    Args:
        created, updated: µs since 1970 UTC; left out where None.

    Raises:
        ContextError: its context is not the text of a JSON object.
    """
    text = _encoder.encode(
        _Written(
            session.id,
            session.graph_id,
            session.current_task_id,
            session.status_message,
            Raw(_bytes(session.context_json())),
            version,
            msgspec.UNSET if created is None else EPOCH + timedelta(microseconds=created),
            msgspec.UNSET if updated is None else EPOCH + timedelta(microseconds=updated),
        )
    )
    if session.extra:
        text = exactjson.join(exactjson.split_object(text, "the session") | session.extra)
    if read(text, session.id) is None:
        raise ContextError(
            f"session {session.id!r} can't be stored: its context is no JSON object, or it is "
            "nested too deep"
        )
    return text


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _micros(text: Raw) -> int:
    if bytes(memoryview(text)[:1]) != b'"':
        return UNKNOWN_TIME
    try:
        time = _time.decode(text)
    except msgspec.MsgspecError:
        return UNKNOWN_TIME
    return UNKNOWN_TIME if time.tzinfo is None else micros_of(time)
