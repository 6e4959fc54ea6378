"""Query: a selection of sessions, their order and the page; it means the same in every store.

Text is compared exactly (upper and lower case differ, unless ``ignore_case``). Numbers in a context
compare by value (1 equals 1.0), a number never equals a boolean. Sessions whose time is unknown
come last in ascending order and first in descending order. Equal times are ordered by id.

What people call a filter (``wb.sessions``, ``wb.browse``, ``wb.copy_to``, ``%gf sessions``) is a
condition of a query; ``FILTERS`` has their names, and ``Query.from_filters`` takes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from operator import index
from typing import Any, Final, Self

from ..errors import ContextError, QueryError
from ..model import exactjson
from ..model.masks import Mask, mask_in_use
from ..model.moments import parse_moment
from ..model.times import EPOCH
from ..secret_keys import MASK
from ..secret_texts import scrub
from .checks import check_no_table
from .conditions import Condition, make_comparison
from .paths import ContextPath, is_encodable, is_path_hidden, path_label, spellings

__all__ = [
    "DEFAULT_ORDER",
    "EMPTY_FILTERS",
    "FILTERS",
    "MAX_CONDITIONS",
    "MAX_IDS",
    "ORDERS",
    "Cursor",
    "Query",
]

MAX_IDS: Final = 10_000
#: The most conditions on the context: a database takes no statement of any length.
MAX_CONDITIONS: Final = 100
#: The largest limit; a larger one means the same, since no store has as many sessions.
_MAX_LIMIT: Final = 2**63 - 1
_MICROSECOND: Final = timedelta(microseconds=1)
ORDERS: Final = ("updated_at", "created_at", "id")
DEFAULT_ORDER: Final = "-updated_at"
_INFINITE: Final = (datetime.max, datetime.min)  # the infinities of PostgreSQL, as asyncpg has them


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
            where the time is unknown. A time that datetime can't hold is in µs since 1970 UTC.

    Raises:
        QueryError: A value is not of its type, or a store can't have it.
    """

    order: str
    id: str
    time: datetime | int | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.order, str) and isinstance(self.id, str)):
            raise QueryError(f"a cursor has an order and an id, both text, not {self!r}")
        if not is_encodable(self.id):
            raise QueryError(f"the id of a cursor holds a lone surrogate: {self.id!r}")
        if type(self.time) is not int and self.time is not None and self.time not in _INFINITE:
            object.__setattr__(self, "time", _normalize_time("the time of a cursor", self.time))

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return the cursor of the values that ``to_plain`` returned.

        Raises:
            QueryError: The mapping has other names or values.
        """
        try:
            order, id, time = (plain[name] for name in ("order", "id", "time"))
            if isinstance(time, str):
                time = datetime.fromisoformat(time)
            return cls(order, id, time)
        except (KeyError, TypeError, ValueError) as error:
            raise QueryError(
                f"after must be the next of a page, with order, id and time, not {plain!r}"
            ) from error

    def to_plain(self) -> dict[str, str | int | None]:
        """Return the cursor as values that JSON can hold, which ``Query(after=…)`` takes too.

        Example:
            >>> from graphflow_nb import Cursor
            >>> Cursor("id", "b").to_plain()
            {'order': 'id', 'id': 'b', 'time': None}
        """
        time = self.time.isoformat() if isinstance(self.time, datetime) else self.time
        return {"order": self.order, "id": self.id, "time": time}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A selection of sessions. Conditions are joined by "and"; None means any.

    A context path is ``"customer.tier"``. It starts in the context's ``data``, and a number indexes
    an array (-1 is the last). ``"fanout.a.response"`` is first the nested path; where a session has
    nothing there, it is the key with dots in it. ``("customer", "a.b")`` has exactly these keys.

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
        ids: The ids, 10,000 at most: a list, or a column of a DataFrame.
        updated_since, updated_until, created_since, created_until: Aware datetimes; "since" is
            included, "until" is not. Stores keep microseconds.
        context: For context paths, the JSON value that must be there; 100 conditions at most.
        has: Context paths that must be there, whatever their value (null too).
        lacks: Context paths that must not be there.
        compare: Comparisons with context values: a path, one of ``>``, ``>=``, ``<``, ``<=``,
            ``!=``, and a value, e.g. ``("amount", ">", 100)``. Numbers are compared by value, texts
            by code points; a value of another kind is neither greater nor less, and a path that is
            missing meets no comparison.
        ignore_case: Whether ``text`` and ``status`` are found in upper and lower case alike.
        order: ``updated_at``, ``created_at`` or ``id``, with ``-`` in front for descending.
        limit: The most sessions to return; None for all.
        after: The ``next`` of the previous page, or its ``to_plain()``.

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
    lacks: Sequence[ContextPath] = ()
    compare: Sequence[tuple[ContextPath, str, Any]] = ()
    ignore_case: bool = False
    order: str = DEFAULT_ORDER
    limit: int | None = None
    after: Cursor | None = None

    def __repr__(self) -> str:
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        shown |= self.hide_values(mask_in_use())
        return f"Query({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def hide_values(self, mask: Mask) -> dict[str, Any]:
        """Return what is looked for, by field, without secrets: it is masked as what is found.

        Args:
            mask: What is hidden.
        """
        return {
            "context": {
                path: MASK if is_path_hidden(mask, path) else mask.hide_object(value)
                for path, value in self.context.items()
            },
            "compare": [
                (path, sign, MASK if is_path_hidden(mask, path) else mask.hide_object(value))
                for path, sign, value in self.compare
            ],
            "status": self.status and mask.scrub(self.status),
            "text": self.text and mask.scrub(self.text),
        }

    @classmethod
    def from_filters(
        cls,
        filters: Mapping[str, Any],
        *,
        order: str = DEFAULT_ORDER,
        limit: int | None = None,
        after: Cursor | Mapping[str, Any] | None = None,
    ) -> Self:
        """Return the query of filters by name, as ``wb.sessions`` takes them.

        Example:
            >>> from graphflow_nb import Query
            >>> Query.from_filters({"updated_since": "2026-11-24"}).updated_since
            datetime.datetime(2026, 11, 24, 0, 0, tzinfo=datetime.timezone.utc)

        Args:
            filters: The value of each filter by its name, one of ``FILTERS``; None for any. A time
                is written as a ``Moment``.
            order, limit, after: As for ``Query``.

        Raises:
            QueryError: A filter is unknown, or a value is invalid.
        """
        unknown = [name for name in filters if name not in FILTERS]
        if unknown:
            raise QueryError(f"unknown filter {', '.join(unknown)}: use {', '.join(FILTERS)}")
        conditions = {
            _FIELDS.get(name, name): value for name, value in filters.items() if value is not None
        }
        for name in _TIMES:
            if name in conditions:
                conditions[name] = _parse_time(name, conditions[name])
        return cls(**{**conditions, "order": order, "limit": limit, "after": after})

    def __post_init__(self) -> None:
        for name in ("graph", "task", "status", "text", "id_prefix"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise QueryError(f"{name} must be text, not {value!r}")
            if value is not None and ("\0" in value or not is_encodable(value)):
                raise QueryError(
                    f"{name} holds U+0000 or a lone surrogate, which no store can find: {value!r}"
                )
        check_no_table("ids", self.ids)
        if isinstance(self.ids, Iterable) and not isinstance(self.ids, Sequence):
            # A column of a DataFrame, a set: as a list, which can be compared and read twice.
            object.__setattr__(self, "ids", list(self.ids))
        if self.ids is not None and (
            not isinstance(self.ids, Sequence)
            or isinstance(self.ids, str)
            or len(self.ids) > MAX_IDS
            or not all(isinstance(id, str) for id in self.ids)
        ):
            raise QueryError(f"ids must be a list of at most {MAX_IDS:,} ids, each a text")
        for name in _TIMES:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _normalize_time(name, value))
        if not isinstance(self.order, str) or self.order.removeprefix("-") not in ORDERS:
            known = ", ".join(f"{o}, -{o}" for o in ORDERS)
            raise QueryError(f"unknown order {self.order!r}: use {known}")
        if self.limit is not None:
            object.__setattr__(self, "limit", _normalize_limit(self.limit))
        self._check_cursor()
        self._check_conditions()

    def _check_cursor(self) -> None:
        if isinstance(self.after, Mapping):
            object.__setattr__(self, "after", Cursor.from_plain(self.after))
        if not (self.after is None or isinstance(self.after, Cursor)):
            raise QueryError(f"after must be the next of a page, a Cursor, not {self.after!r}")
        if self.after is not None and self.after.order != self.order:
            raise QueryError(
                f"this page is ordered by {self.order}, but the previous one by "
                f"{self.after.order}: keep the order while paging"
            )

    def _check_conditions(self) -> None:
        for name in ("has", "lacks"):
            paths = getattr(self, name)
            if isinstance(paths, str):
                object.__setattr__(self, name, (paths,))
            elif not isinstance(paths, Sequence):
                raise QueryError(f"{name} must be a list of context paths, not {paths!r}")
        if not isinstance(self.compare, Sequence):
            raise QueryError(
                f"compare must be a list of comparisons such as ('amount', '>', 100), not "
                f"{scrub(repr(self.compare))}"
            )
        if not isinstance(self.ignore_case, bool):
            raise QueryError(f"ignore_case must be True or False, not {self.ignore_case!r}")
        if not isinstance(self.context, Mapping):
            raise QueryError(
                "conditions on the context must map paths to values, not "
                f"{scrub(repr(self.context))}"
            )
        number = sum(map(len, (self.context, self.has, self.lacks, self.compare)))
        if number > MAX_CONDITIONS:
            raise QueryError(f"a query has at most {MAX_CONDITIONS} conditions on the context")
        try:
            self.conditions()
        except ContextError as error:
            raise QueryError(str(error)) from error

    @property
    def order_by(self) -> str:
        """The column of the order."""
        return self.order.removeprefix("-")

    @property
    def descending(self) -> bool:
        """Whether the order is descending."""
        return self.order.startswith("-")

    @property
    def filters(self) -> tuple[str, ...]:
        """The names of the filters that are given, of ``FILTERS``."""
        return tuple(
            name
            for name in FILTERS
            if (value := getattr(self, _FIELDS.get(name, name))) is not None
            and (value or name not in EMPTY_FILTERS)
        )

    def conditions(self) -> list[Condition]:
        """Return the conditions on the context."""
        found = [
            Condition(
                spellings(path), "=", exactjson.encode(value, f"the value for {path_label(path)!r}")
            )
            for path, value in self.context.items()
        ]
        found += [Condition(spellings(path), "exists") for path in self.has]
        found += [Condition(spellings(path), "missing") for path in self.lacks]
        return found + [make_comparison(comparison) for comparison in self.compare]

    def following(self, after: Cursor | None, limit: int) -> Query:
        """Return the query for the next page, with its limit."""
        return replace(self, after=after, limit=limit)

    def one_more(self) -> Query:
        """Return the query with a limit one higher, which shows whether there is another page."""
        if self.limit is None:
            return self
        # Every page asks for this, and what was checked once takes 12 µs to check again.
        wider = object.__new__(Query)
        for name in _NAMES:
            object.__setattr__(wider, name, getattr(self, name))
        object.__setattr__(wider, "limit", min(self.limit + 1, _MAX_LIMIT))
        return wider


def _parse_time(name: str, value: object) -> datetime:
    try:
        return parse_moment(value)
    except ValueError as error:
        raise QueryError(f"{name}: {error}") from error


def _normalize_time(name: str, value: object) -> datetime:
    """Return a time in UTC, rounded up to the microsecond: then "since" and "until" are exact."""
    if not isinstance(value, datetime) or value != value:  # not equal to itself: NaT of pandas
        raise QueryError(f"{name} must be a datetime, not {value!r}")
    try:
        aware = value.utcoffset() is not None
        whole = EPOCH - (EPOCH - value) // _MICROSECOND * _MICROSECOND if aware else None
    except (OverflowError, ValueError) as error:
        raise QueryError(f"{name} is not within the years 1 to 9999 in UTC: {value!r}") from error
    if whole is None:
        raise QueryError(f"{name} needs a time zone, e.g. datetime.now(UTC)")
    return whole


def _normalize_limit(value: object) -> int:
    try:
        limit = -1 if isinstance(value, bool) else index(value)  # type: ignore[arg-type]
    except TypeError:
        limit = -1
    if limit < 0:
        raise QueryError(f"limit must be an integer >= 0 or None, not {value!r}")
    return min(limit, _MAX_LIMIT)


#: The filters that select every session, or change nothing, where they are empty.
EMPTY_FILTERS: Final = ("where", "has", "lacks", "compare", "ignore_case")
_TIMES: Final = ("updated_since", "updated_until", "created_since", "created_until")
_NAMES: Final = tuple(field.name for field in fields(Query))
# The filter ``where`` is the field ``context``: in ``wb.sessions`` context= names the columns.
_FIELDS = {"where": "context"}
#: The names of the filters.
FILTERS: Final = tuple(
    "where" if field.name == "context" else field.name
    for field in fields(Query)
    if field.name not in ("order", "limit", "after")
)
