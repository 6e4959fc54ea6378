"""DataFrames of sessions, messages, counts and operations, and of the versions of sessions."""

from .beside import paths_beside
from .history import versions_frame
from .recordings import events_frame, task_runs_frame
from .sessions import (
    TEXT,
    category_column,
    context_columns,
    counts_frame,
    describe_changes,
    frame_html,
    journal_frame,
    messages_frame,
    operations_frame,
    sessions_frame,
    text_column,
)
from .stays import stays_frame, transitions_frame

__all__ = [
    "TEXT",
    "category_column",
    "context_columns",
    "counts_frame",
    "describe_changes",
    "events_frame",
    "frame_html",
    "journal_frame",
    "messages_frame",
    "operations_frame",
    "paths_beside",
    "sessions_frame",
    "stays_frame",
    "task_runs_frame",
    "text_column",
    "transitions_frame",
    "versions_frame",
]
