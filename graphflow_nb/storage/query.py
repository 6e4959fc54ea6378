"""Which sessions, in which order, from where on: one meaning in every store.

Text is compared exactly (upper and lower case differ). Numbers in a context compare by value
(1 equals 1.0), a number never equals a boolean. Sessions whose time is unknown come last in
ascending order and first in descending order. Equal times are ordered by id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from ..errors import QueryError
from ..model import exactjson

__all__ = ["ContextPath", "Cursor", "GroupCount", "Query", "Table"]

ContextPath = str | Sequence[str]
MAX_IDS: Final = 10_000
ORDERS: Final = ("updated_at", "created_at", "id")
UNKNOWN_TIME: Final = np.iinfo(np.int64).min  # what numpy shows as NaT
FINITE: Final = 2**60  # µs: what is further away stands for an infinity

_INDEX = re.compile(r"\s*[+-]?[0-9]{1,10}", re.ASCII)  # what PostgreSQL takes for an index


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the key of its last session. ``order`` must be the query's."""

    order: str
    id: str
    time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A selection of sessions. Conditions are joined by "and"; None means any.

    Args:
        graph, task: exactly this graph_id, this current_task_id.
        status: this text occurs in status_message.
        text: this text occurs in the id or in status_message.
        id_prefix: the id begins so.
        ids: the id is one of these, 10,000 at most.
        updated_since, updated_until, created_since, created_until: aware datetimes; "since" is
            included, "until" is not.
        context: context path to JSON value that must be there.
        has: context paths that must be there, whatever their value (null too).
        order: ``updated_at``, ``created_at`` or ``id``, with ``-`` in front for descending.
        limit: at most so many sessions.
        after: the ``next`` of the page before.

    A context path is ``"customer.tier"`` or, for keys with dots in them, ``("customer", "a.b")``;
    it starts in the context's ``data``, and a number indexes an array (-1 is the last).

    Raises:
        QueryError: an order that does not exist, a naive datetime, a cursor of another order, …
    """

    graph: str | None = None
    task: str | None = None
    status: str | None = None
    text: str | None = None
    id_prefix: str | None = None
    ids: Sequence[str] | None = None
    updated_since: datetime | None = None
    updated_until: datetime | None = None
    created_since: datetime | None = None
    created_until: datetime | None = None
    context: Mapping[Any, Any] = field(default_factory=dict)
    has: Sequence[ContextPath] = ()
    order: str = "-updated_at"
    limit: int | None = None
    after: Cursor | None = None

    def __post_init__(self) -> None:
        for name in ("graph", "task", "status", "text", "id_prefix"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise QueryError(f"{name} must be text, not {value!r}")
            if value is not None and ("\0" in value or not encodable(value)):
                raise QueryError(
                    f"{name} holds U+0000 or a lone surrogate, which can't be looked for: {value!r}"
                )
        if self.ids is not None and (
            not isinstance(self.ids, Sequence)
            or isinstance(self.ids, str)
            or len(self.ids) > MAX_IDS
            or not all(isinstance(id, str) for id in self.ids)
        ):
            raise QueryError(f"ids are a list of at most {MAX_IDS:,} ids")
        for name in ("updated_since", "updated_until", "created_since", "created_until"):
            value = getattr(self, name)
            if value is None:
                continue
            if not isinstance(value, datetime):
                raise QueryError(f"{name} must be a datetime, not {value!r}")
            if value.tzinfo is None:
                raise QueryError(f"{name} needs a time zone, e.g. datetime.now(UTC)")
        if not isinstance(self.order, str) or self.order.removeprefix("-") not in ORDERS:
            known = ", ".join(f"{o}, -{o}" for o in ORDERS)
            raise QueryError(f"there is no order {self.order!r}; known are {known}")
        if self.limit is not None and (type(self.limit) is not int or self.limit < 0):
            raise QueryError(f"limit must be a count of sessions, not {self.limit!r}")
        if not (self.after is None or isinstance(self.after, Cursor)):
            raise QueryError(f"after is the next of a page, not {self.after!r}")
        if self.after is not None and self.after.time is not None:
            time = self.after.time
            if time.tzinfo is None and time not in (datetime.max, datetime.min):
                raise QueryError(f"the time of a cursor needs a time zone: {time!r}")
        if self.after is not None and self.after.order != self.order:
            raise QueryError(
                f"this page goes by {self.order}, but the one before went by {self.after.order}: "
                "keep the order while paging"
            )
        if isinstance(self.has, str):
            object.__setattr__(self, "has", (self.has,))
        if not isinstance(self.has, Sequence):
            raise QueryError(f"has is a list of context paths, not {self.has!r}")
        if not isinstance(self.context, Mapping):
            raise QueryError(f"context conditions map paths to values, not {self.context!r}")
        for path in (*self.context, *self.has):
            parse_path(path)
        for path, value in self.context.items():
            exactjson.encode(value, f"the value for {path_label(path)!r}")

    @property
    def order_by(self) -> str:
        """The order's column."""
        return self.order.removeprefix("-")

    @property
    def descending(self) -> bool:
        return self.order.startswith("-")

    def conditions(self) -> list[tuple[tuple[str, ...], bytes | None]]:
        """The context conditions: path and JSON text of the value, None for mere presence."""
        equal = [(parse_path(p), exactjson.encode(v)) for p, v in self.context.items()]
        return [*equal, *((parse_path(p), None) for p in self.has)]

    def one_more(self) -> Query:
        """The same with the limit one higher, to learn whether there is another page."""
        return self if self.limit is None else replace(self, limit=min(self.limit + 1, 2**63 - 1))


@dataclass(frozen=True, slots=True)
class GroupCount:
    """How many sessions stand at one task of one graph; times are aware, UTC."""

    graph_id: str
    current_task_id: str
    sessions: int
    oldest: datetime | None
    newest: datetime | None


@dataclass(slots=True)
class Table:
    """Sessions by column, as a store hands them to a DataFrame; all columns are of one length.

    Attributes:
        id, graph_id, current_task_id: text.
        status_message: text or None.
        version: int64.
        created, updated: int64, µs since 1970 UTC; ``UNKNOWN_TIME`` where unknown, beyond
            ±``FINITE`` for PostgreSQL's infinities.
        context_bytes: int64, what the context takes in the store.
        messages: int64, length of the chat history.
        context: for each path asked for, the value's JSON text, or None where it is absent.
        next: where the next page starts, None if this is the last.
        expires: int64, µs since 1970 UTC at which the store drops the session, ``UNKNOWN_TIME`` for
            never; None where no session expires.
        note: what is to be known about this answer, e.g. that it may lack sessions.
    """

    id: Sequence[str]
    graph_id: Sequence[str]
    current_task_id: Sequence[str]
    status_message: Sequence[str | None]
    version: NDArray[np.int64]
    created: NDArray[np.int64]
    updated: NDArray[np.int64]
    context_bytes: NDArray[np.int64]
    messages: NDArray[np.int64]
    context: list[Sequence[str | None]]
    next: Cursor | None
    expires: NDArray[np.int64] | None = None
    note: str | None = None

    def __len__(self) -> int:
        return len(self.id)


def cut_page(table: Table, query: Query) -> Table:
    """Drop the row that ``Query.one_more`` asked for and say where the next page starts."""
    if query.limit is None or len(table) <= query.limit:
        return table
    n = query.limit
    last = None
    if n and query.order_by != "id":
        micros = int((table.updated if query.order_by == "updated_at" else table.created)[n - 1])
        last = None if micros == UNKNOWN_TIME else time_of(micros)
    return Table(
        id=table.id[:n],
        graph_id=table.graph_id[:n],
        current_task_id=table.current_task_id[:n],
        status_message=table.status_message[:n],
        version=table.version[:n],
        created=table.created[:n],
        updated=table.updated[:n],
        context_bytes=table.context_bytes[:n],
        messages=table.messages[:n],
        context=[column[:n] for column in table.context],
        next=Cursor(query.order, table.id[n - 1], last) if n else query.after,
        expires=None if table.expires is None else table.expires[:n],
        note=table.note,
    )


def parse_path(path: ContextPath) -> tuple[str, ...]:
    """``"a.b"`` and ``("a", "b")`` as keys; raises QueryError for an empty or odd one."""
    if isinstance(path, str):
        keys = tuple(path.split("."))
    else:
        keys = tuple(path) if isinstance(path, Sequence) else ()
    if not keys or not all(isinstance(key, str) and encodable(key) for key in keys) or not path:
        raise QueryError(f"a context path is 'key', 'key.key' or a tuple of keys, not {path!r}")
    return keys


def path_text(keys: Sequence[str]) -> str:
    """Keys as a person types them: ``customer.tier``, or ``('a.b', 'c')`` for odd ones."""
    plain = ".".join(keys)
    odd = any(not key or "." in key for key in keys) or plain != plain.strip() or plain[0] == "("
    return repr(tuple(keys)) if odd else plain


def path_label(path: ContextPath) -> str:
    """The name of a path's column."""
    return path if isinstance(path, str) else ".".join(path)


def encodable(text: str) -> bool:
    """Whether a text is Unicode, without lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def micros_of(time: datetime) -> int:
    """µs since 1970 UTC of an aware datetime, exactly."""
    delta = time - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def time_of(micros: int) -> datetime:
    """The inverse of ``micros_of``; naive for PostgreSQL's infinities, as asyncpg has them."""
    if abs(micros) > FINITE:
        return datetime.max if micros > 0 else datetime.min
    return datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# What a context holds at a path: the same code serves the memory store and, as a function
# registered in the database, SQLite. PostgreSQL's operators have the same meaning.


class _Parts(msgspec.Struct):
    data: dict[str, Raw] = {}
    chat_history: Raw = Raw(b"{}")


class _Messages(msgspec.Struct):
    messages: list[Raw] = []


_parts = msgspec.json.Decoder(_Parts)
_messages = msgspec.json.Decoder(_Messages)
_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])


def value_at(context: str | bytes, path: Sequence[str]) -> Raw | None:
    """The JSON text at a path, None where there is nothing (or the context is malformed)."""
    try:
        found: Raw | None = _parts.decode(context).data.get(path[0])
        for key in path[1:]:
            if found is None:
                return None
            opening = bytes(found).lstrip()[:1]
            if opening == b"{":
                found = _object.decode(found).get(key)
            elif opening == b"[" and _INDEX.fullmatch(key):
                items, index = _array.decode(found), int(key)
                found = items[index] if -len(items) <= index < len(items) else None
            else:
                return None
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    return found


def holds(context: str | bytes, path: Sequence[str], value: bytes | None) -> bool:
    """Whether a context has a path, and there the value of that JSON text if one is given."""
    found = value_at(context, path)
    if found is None or value is None:
        return found is not None
    return exactjson.equal(exactjson.decode_exact(found), exactjson.decode_exact(value))


def message_count(context: str | bytes) -> int:
    """The length of the chat history, without reading the messages."""
    try:
        return len(_messages.decode(_parts.decode(context).chat_history).messages)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return 0
