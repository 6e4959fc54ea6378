"""Sample sessions, written by the real graph-flow crate (see tests/interop/README.md).

The crate wrote them within a minute. They are shown as if that had taken twelve days: the newest
was saved two minutes ago, and half of them within the last three hours.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, Final

import msgspec

from ..model import stored_session
from .address import Address
from .memory import InMemorySessionStorage

__all__ = ["DEMO", "demo_ids", "demo_storage"]

#: What a person gives in the place of a URL.
DEMO: Final = "demo"


_NEWEST: Final = 120  # seconds ago
_OLDEST: Final = 12 * 86_400
_SLOWER: Final = 600  # times: a session that took four seconds took 40 minutes
_TIMESTAMP: Final = re.compile(rb'"timestamp": "([^"]+\.\d{6})(\d{3})Z"')


class _Row(msgspec.Struct):
    id: str
    graph_id: str
    current_task_id: str
    status_message: str | None
    context: msgspec.Raw
    version: int
    created_at: datetime
    updated_at: datetime


def demo_storage(now: datetime | None = None) -> InMemorySessionStorage:
    """Return a new memory store with the sample sessions, at their versions.

    Args:
        now: The time that their ages are counted from. Default: the time of this call.
    """
    now = datetime.now(UTC) if now is None else now
    rows = _read_rows()
    rows.sort(key=lambda row: row.updated_at, reverse=True)
    storage = InMemorySessionStorage.from_sessions(
        stored_session(
            row.id,
            row.graph_id,
            row.current_task_id,
            row.status_message,
            _shift_messages(bytes(row.context), row.updated_at, updated),
            row.version,
            updated - _SLOWER * (row.updated_at - row.created_at),
            updated,
        )
        for row, updated in zip(rows, _spread_times(now, len(rows)), strict=True)
    )
    storage.address = Address("memory", namespace=DEMO)
    return storage


def demo_ids() -> frozenset[str]:
    """Return the ids of the sample sessions."""
    return frozenset(row.id for row in _read_rows())


def _read_rows() -> list[Any]:
    text = files("graphflow_nb").joinpath("demo_data/sessions.jsonl").read_bytes()
    return msgspec.json.Decoder(_Row).decode_lines(text)


def _spread_times(now: datetime, count: int) -> list[datetime]:
    """Return as many times, newest first, each older than the one before by the same factor."""
    factor = (_OLDEST / _NEWEST) ** (1 / (count - 1))
    return [now - timedelta(seconds=_NEWEST * factor**n) for n in range(count)]


def _shift_messages(context: bytes, written: datetime, updated: datetime) -> bytes:
    """Return a context whose messages are as much older than the session as they should be."""

    def shift(found: re.Match[bytes]) -> bytes:
        time = datetime.fromisoformat(found[1].decode()).replace(tzinfo=UTC)
        shifted = updated - _SLOWER * (written - time)
        return b'"timestamp": "%s%sZ"' % (f"{shifted:%Y-%m-%dT%H:%M:%S.%f}".encode(), found[2])

    return _TIMESTAMP.sub(shift, context)
