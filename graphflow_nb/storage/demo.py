"""Sample sessions, written by the real graph-flow crate (see tests/interop/README.md)."""

from __future__ import annotations

from datetime import datetime
from importlib.resources import files
from typing import Any, Final

import msgspec

from ..model import stored_session
from .memory import InMemorySessionStorage

__all__ = ["DEMO", "demo_storage"]

#: What a person gives in the place of a URL.
DEMO: Final = "demo"


class _Row(msgspec.Struct):
    id: str
    graph_id: str
    current_task_id: str
    status_message: str | None
    context: msgspec.Raw
    version: int
    created_at: datetime
    updated_at: datetime


def demo_storage() -> InMemorySessionStorage:
    """Return a new memory store with the sample sessions, at their versions and times."""
    text = files("graphflow_nb").joinpath("demo_data/sessions.jsonl").read_bytes()
    rows: list[Any] = msgspec.json.Decoder(_Row).decode_lines(text)
    return InMemorySessionStorage.from_sessions(
        stored_session(
            row.id,
            row.graph_id,
            row.current_task_id,
            row.status_message,
            bytes(row.context),
            row.version,
            row.created_at,
            row.updated_at,
        )
        for row in rows
    )
