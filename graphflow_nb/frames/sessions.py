"""DataFrames of sessions, messages, counts and operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import numpy as np
import pandas as pd
from markupsafe import Markup
from msgspec import Raw
from numpy.typing import NDArray

from ..changes import Path, diff, pointer
from ..errors import ContextError, JournalError
from ..journal import Entry
from ..model import MessageRole, OddMessage, Session
from ..model.masks import DEFAULT_MASK, Mask
from ..model.times import micros_or_unknown
from ..monitoring import Records
from ..secret_neighbours import PLAIN, Place
from ..secret_texts import scrub
from ..storage.paths import ContextPath, data_path, is_path_hidden, path_label
from ..storage.table import GroupCount, Table, add_problem, note_of
from ..storage.texts import Portion, Texts, list_texts, release_freed
from .beside import paths_beside, places_in_rows
from .columns import (
    TEXT,
    category_column,
    hide_texts,
    may_hide,
    object_array,
    portions_of,
    text_column,
    time_column,
    value_column,
)

__all__ = [
    "TEXT",
    "category_column",
    "context_columns",
    "counts_frame",
    "describe_changes",
    "frame_html",
    "journal_frame",
    "messages_frame",
    "operations_frame",
    "sessions_frame",
    "text_column",
]

_SESSION_COLUMNS = (
    "id",
    "graph_id",
    "current_task_id",
    "status_message",
    "version",
    "created_at",
    "updated_at",
    "context_bytes",
    "messages",
    "expires_at",
)


def frame_html(frame: pd.DataFrame) -> Markup:
    """Return a DataFrame as an HTML table; its texts are escaped and never taken for formulas."""
    html = frame.to_html(escape=True, classes=["mathjax_ignore", "tex2jax_ignore"])
    return Markup(html)  # noqa: S704  pandas escaped it


def sessions_frame(
    table: Table,
    context: Sequence[ContextPath],
    mask: Mask = DEFAULT_MASK,
    *,
    consume: bool = False,
) -> pd.DataFrame:
    """Return one row for each session; see ``Workbench.sessions`` for the columns.

    Args:
        table: The sessions by column, with the paths ``paths_beside`` after those of the columns.
        context: The paths of the context columns.
        mask: What is hidden of their values.
        consume: Whether the table gives up each context column, so that memory holds one of them
            as texts and as values.
    """
    texts, others = table.context[: len(context)], table.context[len(context) :]
    beside = dict(zip(paths_beside(context, mask), others, strict=True))
    values = []  # first: each is in memory as texts too for a while
    for column, path in zip(texts, context, strict=True):
        portions = portions_of(column, consume=consume)
        values.append(value_column(_hide(portions, path, mask, places_in_rows(path, beside, mask))))
        if isinstance(column, Texts):  # all sessions of a store
            release_freed()
    columns: dict[str, Any] = {
        "id": text_column(table.id),
        "graph_id": category_column(table.graph_id),
        "current_task_id": category_column(table.current_task_id),
        "status_message": text_column(hide_texts(table.status_message, mask)),
        "version": table.version,
        "created_at": time_column(table.created),
        "updated_at": time_column(table.updated),
        "context_bytes": table.context_bytes,
        "messages": table.messages,
    }
    if table.expires is not None:
        columns["expires_at"] = time_column(table.expires)
    columns |= zip(context_columns(context), values, strict=True)
    frame = pd.DataFrame(columns, copy=False)
    # Plain values: what writes a file or compares frames takes the attributes along.
    frame.attrs["next"] = None if table.next is None else table.next.to_plain()
    if table.note is not None:
        frame.attrs["note"] = table.note
    if table.problems:
        frame.attrs["problems"] = dict(table.problems)
    return frame


#: What says of no value that something of it is a secret.
_USUAL: Final = (PLAIN, Place(among_pairs=True))


def _hide(
    portions: Iterable[Portion], path: ContextPath, mask: Mask, places: Sequence[Place] | None
) -> Iterator[Portion]:
    """Yield JSON texts of the values at a path, with what is shown instead of secrets."""
    where, covered = data_path(path), mask.is_on and is_path_hidden(mask, path)
    usual = Place(covered=covered, among_pairs=where[-1].lstrip("-").isdecimal())
    start = 0
    for portion in portions:
        rows = places[start : start + len(portion)] if places else [usual] * len(portion)
        start += len(portion)
        known = covered or any(row not in _USUAL for row in rows)
        if not (known or may_hide(portion)):
            yield portion
            continue
        texts = list_texts(portion)
        if not (known or mask.may_hide_any(texts)):
            yield portion
            continue
        shown = (
            None
            if text is None
            else mask.hide(
                Raw(text.encode(errors="replace")),
                where,
                place=usual if row == PLAIN else row,
            )
            for text, row in zip(texts, rows, strict=True)
        )
        yield [None if raw is None else bytes(raw).decode() for raw in shown]


def context_columns(context: Sequence[ContextPath]) -> list[str]:
    """Return the name of each context path's column; no two paths have the same.

    A path is named as it is written, a tuple by its keys joined by dots. One with the name of
    another column gets ``context.`` in front. A tuple that reads like another path is named by its
    Python source. The names do not depend on the order of the paths, nor on the store.

    Example:
        >>> context_columns(["customer.tier", "version", ("a.b",), "a.b"])
        ['customer.tier', 'context.version', "('a.b',)", 'a.b']

    Args:
        context: The paths.
    """
    paths = [path if isinstance(path, str) else tuple(path) for path in context]
    labels = Counter(path_label(path) for path in set(paths))
    names: dict[ContextPath, str] = {}
    taken = set(_SESSION_COLUMNS)
    # Names that nothing else claims are given first, those of texts before those of tuples.
    for path in sorted(set(paths), key=lambda p: (path_label(p) in taken, str(type(p)), p)):
        name = path_label(path)
        if not isinstance(path, str) and (labels[name] > 1 or not name):
            name = repr(path)
        while name in taken:
            name = f"context.{name}"
        taken.add(name)
        names[path] = name
    return [names[path] for path in paths]


class _Message(msgspec.Struct):
    role: str
    content: str
    timestamp: str


class _History(msgspec.Struct):
    messages: list[_Message] = []


class _Context(msgspec.Struct):
    chat_history: _History = msgspec.field(default_factory=_History)


_ROLES = frozenset(MessageRole)
_read_messages = msgspec.json.Decoder(_Context, strict=True)


def messages_frame(sessions: Iterable[Session], mask: Mask = DEFAULT_MASK) -> pd.DataFrame:
    """Return one row for each chat message; see ``Workbench.messages`` for the columns.

    Args:
        sessions: The sessions.
        mask: What is hidden of their messages.
    """
    ids: list[str] = []
    positions: list[int] = []
    found: list[_Message] = []
    times: list[datetime | None] = []
    problems: dict[str, str] = {}
    for session in sessions:
        try:
            messages = _read_messages.decode(session.context_json()).chat_history.messages
            moments: list[datetime | None] = [_parse_time(message) for message in messages]
        except (msgspec.MsgspecError, UnicodeError, TypeError, ValueError, OverflowError):
            messages, moments = _read_one_by_one(session, problems)
        ids += [session.id] * len(messages)
        positions += range(len(messages))
        found += messages
        times += moments
    frame = pd.DataFrame(
        {
            "session_id": category_column(ids),
            "position": np.array(positions, np.int64),
            "role": category_column([m.role for m in found]),
            "content": text_column(mask.hide_each([m.content for m in found])),
            "timestamp": time_column(np.array([micros_or_unknown(t) for t in times], np.int64)),
        }
    )
    if problems:
        frame.attrs["problems"] = problems
    return frame


def _parse_time(message: _Message) -> datetime:
    """Return the time of a message that is as graph-flow writes it.

    Raises:
        ValueError: The message is odd.
    """
    time = datetime.fromisoformat(message.timestamp)
    if message.role not in _ROLES or time.tzinfo is None:
        raise ValueError("an odd message")
    return time.astimezone(UTC)


def _read_one_by_one(
    session: Session, problems: dict[str, str]
) -> tuple[list[_Message], list[datetime | None]]:
    """Return messages and their times where one is odd; name it in ``problems``."""
    messages: list[_Message] = []
    times: list[datetime | None] = []
    try:
        for message in session.copy().context.chat_history:
            if isinstance(message, OddMessage):
                add_problem(problems, session.id, f"message {len(messages)}: {message.problem}")
            # The role of an odd one may be any text.
            messages.append(_Message(scrub(str(message.role)), message.content, ""))
            times.append(message.timestamp)
    except ContextError as error:
        add_problem(problems, session.id, str(error))
    return messages, times


def _finite_or_none(time: datetime | None) -> datetime | None:
    return time if time is not None and time.tzinfo is not None else None


def counts_frame(counts: Sequence[GroupCount]) -> pd.DataFrame:
    """Return one row for each graph and task; see ``Workbench.summary`` for the columns."""
    now = datetime.now(UTC)
    times = {
        name: pd.to_datetime(
            pd.Series([_finite_or_none(getattr(c, name)) for c in counts], dtype=object), utc=True
        ).astype("datetime64[us, UTC]")
        for name in ("oldest", "newest")
    }
    frame = pd.DataFrame(
        {
            "graph_id": category_column([c.graph_id for c in counts]),
            "current_task_id": category_column([c.current_task_id for c in counts]),
            "sessions": np.array([c.sessions for c in counts], np.int64),
            "oldest_update": times["oldest"],
            "newest_update": times["newest"],
            "longest_untouched": (pd.Timestamp(now) - times["oldest"]).astype("timedelta64[us]"),
        }
    )
    frame = frame.sort_values(
        ["graph_id", "sessions", "current_task_id"],
        ascending=[True, False, True],
        ignore_index=True,
    )
    note = note_of(counts)
    if note is not None:
        frame.attrs["note"] = note
    return frame


def journal_frame(
    entries: Sequence[Entry], overwritten: Mapping[int, bool] | None = None
) -> pd.DataFrame:
    """Return one row for each write; see ``Workbench.journal`` for the columns.

    Args:
        entries: The writes.
        overwritten: Whether others have changed since what a write changed, by its number.
    """
    known = {} if overwritten is None else overwritten

    def numbers(values: Iterable[int | None]) -> Any:
        return pd.array(list(values), dtype="Int64")

    return pd.DataFrame(
        {
            "at": pd.DatetimeIndex([e.at for e in entries], dtype="datetime64[us, UTC]"),
            "op": category_column([e.op for e in entries]),
            "session_id": text_column([e.id for e in entries]),
            "changes": text_column([describe_changes(e) for e in entries]),
            "version_before": numbers(e.version_before for e in entries),
            "version_after": numbers(e.version_after for e in entries),
            "state": category_column([e.state for e in entries]),
            "undoes": numbers(e.undoes for e in entries),
            "undone_by": numbers(e.undone_by for e in entries),
            "overwritten_since": pd.array(
                [known.get(e.number, pd.NA) for e in entries], dtype="boolean"
            ),
        },
        index=pd.Index([e.number for e in entries], dtype="int64", name="entry"),
    )


def describe_changes(entry: Entry, name: Callable[[Path], str] = pointer) -> str:
    """Return what a write changed, in one line.

    Args:
        entry: The journal's entry of the write.
        name: The function that returns what a path is called.
    """
    if entry.version_before is None or entry.version_after is None:
        return "created" if entry.version_before is None else "deleted"
    try:
        before, after = entry.sides()
    except JournalError as error:
        return str(error)
    assert before is not None
    assert after is not None
    patch = diff(before, after)
    paths = [name(patch.mask.hide_path(change.path)) for change in patch]
    shown = ", ".join(paths[:5]) or "nothing"
    return shown if len(paths) <= 5 else f"{shown} and {len(paths) - 5:,} more"


def _measure_columns(measures: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[Any]]:
    """Return the columns of what storages report, with NaN where one reports nothing."""
    measured = np.logical_or.reduce([values != 0 for values in measures.values()])
    if measured.all():
        return dict(measures)
    return {name: np.where(measured, values, np.nan) for name, values in measures.items()}


def operations_frame(
    records: Records, *, background: bool = False, labels: bool = False
) -> pd.DataFrame:
    """Return one row for each operation; see ``Latency.frame`` for the columns.

    Args:
        records: The recorded operations.
        background: Whether to include background traffic.
        labels: Whether ``op`` distinguishes the journal's reads, as ``get (journal)``: for figures.
    """
    shown = records if background else records.foreground()
    kinds = shown.kinds
    columns: dict[str, Any] = {
        "op": _coded_column([kind.label if labels else kind.op for kind in kinds], shown.kind),
        "storage": _coded_column([kind.storage for kind in kinds], shown.kind),
        "session_id": text_column(object_array(shown.sessions)[shown.session]),
        "started_at": pd.DatetimeIndex(shown.started_ns.view("M8[ns]")).tz_localize("UTC"),
        "duration_ns": shown.duration_ns,
        **_measure_columns(shown.measures),
        "outcome": _coded_column([kind.outcome for kind in kinds], shown.kind),
        "error": text_column(object_array([kind.error for kind in kinds])[shown.kind]),
        "origin": _coded_column([kind.origin for kind in kinds], shown.kind),
    }
    if background:
        columns["background"] = np.array([kind.background for kind in kinds], bool)[shown.kind]
    frame = pd.DataFrame(columns, copy=False)
    if shown.forgotten:
        frame.attrs["note"] = shown.bound_note
    return frame


def _coded_column(values: Sequence[str], numbers: NDArray[np.int64]) -> pd.Categorical:
    """Return a category column of distinct values and the index of each row's value."""
    names = sorted(set(values))
    codes = np.array([names.index(value) for value in values], np.int32)
    return pd.Categorical.from_codes(codes[numbers], categories=pd.Index(names, dtype=TEXT))
