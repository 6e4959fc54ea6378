"""Which sessions, in which order, from where on: one meaning in every store.

Text is compared exactly (upper and lower case differ). Numbers in a context compare by value
(1 equals 1.0), a number never equals a boolean. Sessions whose time is unknown come last in
ascending order and first in descending order. Equal times are ordered by id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from ..errors import QueryError
from ..model import exactjson
from .paths import ContextPath, is_encodable, parse_path, path_label

__all__ = ["MAX_IDS", "ORDERS", "Cursor", "Query"]

MAX_IDS: Final = 10_000
ORDERS: Final = ("updated_at", "created_at", "id")


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
            if value is not None and ("\0" in value or not is_encodable(value)):
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
