"""Query: a selection of sessions, their order and the page; it means the same in every store.

Text is compared exactly (upper and lower case differ). Numbers in a context compare by value
(1 equals 1.0), a number never equals a boolean. Sessions whose time is unknown come last in
ascending order and first in descending order. Equal times are ordered by id.

What people call a filter (``wb.sessions``, ``wb.browse``, ``wb.copy_to``, ``%gf sessions``) is a
condition of a query; ``FILTERS`` has their names, and ``Query.from_filters`` takes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Final, Self

from ..errors import QueryError
from ..model import exactjson
from .paths import ContextPath, is_encodable, parse_path, path_label

__all__ = ["DEFAULT_ORDER", "FILTERS", "MAX_IDS", "ORDERS", "Cursor", "Query"]

MAX_IDS: Final = 10_000
ORDERS: Final = ("updated_at", "created_at", "id")
DEFAULT_ORDER: Final = "-updated_at"


@dataclass(frozen=True, slots=True)
class Cursor:
    """The end of a page, from which the next one goes on.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, Query, Session
        >>> storage = InMemorySessionStorage.from_sessions(Session(id, "intake") for id in "abc")
        >>> first = await storage.table(Query(order="id", limit=2))
        >>> first.next
        Cursor(order='id', id='b', time=None)
        >>> (await storage.table(Query(order="id", limit=2, after=first.next))).id
        ['c']

    Args:
        order: The order of the query.
        id: The id of the last session on the page.
        time: The time of that session by which the page is ordered; None for an order by id, and
            where the time is unknown.
    """

    order: str
    id: str
    time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A selection of sessions. Conditions are joined by "and"; None means any.

    A context path is ``"customer.tier"`` or, for keys with dots in them, ``("customer", "a.b")``;
    it starts in the context's ``data``, and a number indexes an array (-1 is the last).

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, Query, Session
        >>> storage = InMemorySessionStorage()
        >>> await storage.save(Session("claim-1", "intake", context={"customer": {"tier": "gold"}}))
        >>> await storage.query(Query(task="intake", context={"customer.tier": "gold"}, limit=10))
        [Session('claim-1', 'intake', graph_id='default', version=1)]

    Args:
        graph, task: Exactly this graph_id, this current_task_id.
        status: A text that occurs in status_message.
        text: A text that occurs in the id or in status_message.
        id_prefix: The beginning of the id.
        ids: The ids, 10,000 at most.
        updated_since, updated_until, created_since, created_until: Aware datetimes; "since" is
            included, "until" is not.
        context: For context paths, the JSON value that must be there.
        has: Context paths that must be there, whatever their value (null too).
        order: ``updated_at``, ``created_at`` or ``id``, with ``-`` in front for descending.
        limit: The most sessions to return; None for all.
        after: The ``next`` of the previous page.

    Raises:
        QueryError: A value is invalid: an unknown order, a naive datetime, a cursor of another
            order, …
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
    order: str = DEFAULT_ORDER
    limit: int | None = None
    after: Cursor | None = None

    @classmethod
    def from_filters(
        cls,
        filters: Mapping[str, Any],
        *,
        order: str = DEFAULT_ORDER,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Self:
        """Return the query of filters by name, as ``wb.sessions`` takes them.

        Args:
            filters: The value of each filter by its name, one of ``FILTERS``; None for any.
            order, limit, after: As for ``Query``.

        Raises:
            QueryError: A filter is unknown, or a value is invalid.
        """
        unknown = [name for name in filters if name not in FILTERS]
        if unknown:
            raise QueryError(f"unknown filter {', '.join(unknown)}: use {', '.join(FILTERS)}")
        conditions = {_FIELDS.get(name, name): value for name, value in filters.items()}
        if conditions.get("context", {}) is None:
            del conditions["context"]
        return cls(**conditions, order=order, limit=limit, after=after)

    def __post_init__(self) -> None:
        for name in ("graph", "task", "status", "text", "id_prefix"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise QueryError(f"{name} must be text, not {value!r}")
            if value is not None and ("\0" in value or not is_encodable(value)):
                raise QueryError(
                    f"{name} holds U+0000 or a lone surrogate, which no store can find: {value!r}"
                )
        if self.ids is not None and (
            not isinstance(self.ids, Sequence)
            or isinstance(self.ids, str)
            or len(self.ids) > MAX_IDS
            or not all(isinstance(id, str) for id in self.ids)
        ):
            raise QueryError(f"ids must be a list of at most {MAX_IDS:,} ids")
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
            raise QueryError(f"unknown order {self.order!r}: use {known}")
        if self.limit is not None and (type(self.limit) is not int or self.limit < 0):
            raise QueryError(f"limit must be an integer >= 0 or None, not {self.limit!r}")
        if not (self.after is None or isinstance(self.after, Cursor)):
            raise QueryError(f"after must be the next of a page, a Cursor, not {self.after!r}")
        if self.after is not None and self.after.time is not None:
            time = self.after.time
            if time.tzinfo is None and time not in (datetime.max, datetime.min):
                raise QueryError(f"the time of a cursor needs a time zone: {time!r}")
        if self.after is not None and self.after.order != self.order:
            raise QueryError(
                f"this page is ordered by {self.order}, but the previous one by "
                f"{self.after.order}: keep the order while paging"
            )
        if isinstance(self.has, str):
            object.__setattr__(self, "has", (self.has,))
        if not isinstance(self.has, Sequence):
            raise QueryError(f"has must be a list of context paths, not {self.has!r}")
        if not isinstance(self.context, Mapping):
            raise QueryError(
                f"conditions on the context must map paths to values, not {self.context!r}"
            )
        for path in (*self.context, *self.has):
            parse_path(path)
        for path, value in self.context.items():
            exactjson.encode(value, f"the value for {path_label(path)!r}")

    @property
    def order_by(self) -> str:
        """The column of the order."""
        return self.order.removeprefix("-")

    @property
    def descending(self) -> bool:
        """Whether the order is descending."""
        return self.order.startswith("-")

    def conditions(self) -> list[tuple[tuple[str, ...], bytes | None]]:
        """Return the conditions on the context: path and JSON text, None for any value."""
        equal = [(parse_path(p), exactjson.encode(v)) for p, v in self.context.items()]
        return [*equal, *((parse_path(p), None) for p in self.has)]

    def one_more(self) -> Query:
        """Return the query with a limit one higher, which shows whether there is another page."""
        return self if self.limit is None else replace(self, limit=min(self.limit + 1, 2**63 - 1))


# The filter ``where`` is the field ``context``: in ``wb.sessions`` context= names the columns.
_FIELDS = {"where": "context"}
#: The names of the filters.
FILTERS: Final = tuple(
    "where" if field.name == "context" else field.name
    for field in fields(Query)
    if field.name not in ("order", "limit", "after")
)
