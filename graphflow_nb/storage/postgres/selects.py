"""The SQL that selects sessions in PostgreSQL: conditions, order, page and derived columns.

The rows of a page are chosen first, and what is derived from their contexts is computed for them
alone: a size or a number of messages beside ORDER BY would be computed for every row of the table.

A page can be found in several ways (``Way``), which select the same rows. A walk looks through the
first rows of an order and keeps those that the conditions select. Choosing apart finds all that
the conditions select by whatever serves them, and orders these. A sort of many rows takes their ids
alone: with whole rows it goes through the disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from ...errors import QueryError
from ..odd import bytes_of_name
from ..paths import ContextPath, is_encodable, spellings
from ..query import Query
from .conditions import (
    Put,
    bound_times,
    contains,
    hold,
    is_telling,
    key_prefix,
    like_pattern,
    putting,
    value_at,
    write_literal,
)

__all__ = [
    "AS_BYTES",
    "DIRECT",
    "SORTED",
    "UNCHECKED",
    "Selects",
    "Statement",
    "Way",
    "is_searched",
    "looks_inside",
]

# A text as bytes. A database with the encoding SQL_ASCII may hold what is not UTF-8, and would
# refuse to send it as text.
_ENCODING: Final = "CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END"
UNCHECKED: Final = f"convert_to({{}}, {_ENCODING})"
AS_BYTES: Final = f"convert_from({{}}::bytea, {_ENCODING})"
# The times that a datetime can hold.
_DATES: Final = (
    "(WHERE updated_at >= '0001-01-01 00:00:00+00' "
    "AND updated_at <= '9999-12-31 23:59:59.999999+00')"
)
_MESSAGES: Final = "context #> '{chat_history,messages}'"
_CHAT: Final = (
    "CASE jsonb_typeof(context) WHEN 'object' THEN "
    "jsonb_build_object('chat_history', context -> 'chat_history')::text END"
)
#: True also where nobody knows, so that what is odd is looked at.
_HAS_CHAT: Final = (
    "(jsonb_typeof(context) = 'object' AND "
    f"coalesce({_MESSAGES} = '[]', context -> 'chat_history' IS NULL)) IS NOT TRUE"
)
_COUNT_MESSAGES: Final = (
    f"CASE jsonb_typeof({_MESSAGES}) WHEN 'array' THEN jsonb_array_length({_MESSAGES}) ELSE "
    "CASE jsonb_typeof(context) WHEN 'object' THEN 0 ELSE -1 END END"
)


class Statement(NamedTuple):
    """A statement with the values of its parameters."""

    text: str
    arguments: list[Any]


class Way(NamedTuple):
    """How the rows of a page are found.

    Attributes:
        walk: The number of rows to look through, in the query's order; 0 for no walk. The answer
            is complete only if it fills the page.
        apart: Whether the conditions are applied before the order is thought of.
        sorts: Whether many rows are sorted, since no index serves the order.
        tried: The number of rows that were looked through before, in another way.
    """

    walk: int = 0
    apart: bool = False
    sorts: bool = False
    tried: int = 0


#: The way that the server chooses.
DIRECT: Final = Way()
#: The same where it has no choice but to sort.
SORTED: Final = Way(sorts=True)


def looks_inside(query: Query) -> bool:
    """Return whether a query has conditions on contexts, each of which is decompressed for them."""
    return any((query.context, query.has, query.lacks, query.compare))


def is_searched(query: Query) -> bool:
    """Return whether no statistics of the server say how many sessions a query selects."""
    if query.ids is not None:
        return False
    conditions = (query.status, query.text, query.id_prefix)
    times = (
        getattr(query, f"{column}_{end}")
        for column in ("updated", "created")
        if f"{column}_at" != query.order_by
        for end in ("since", "until")
    )
    return looks_inside(query) or any(given is not None for given in (*conditions, *times))


class Selects:
    """The statements that depend on a query, for one table.

    Args:
        table: The quoted name of the table.
        uuid: Whether ``id`` is a UUID.
        plain: Whether rows are found by their ids as quickly as in a table of its own: not in a
            view, or in a table that is divided.
        stored: The columns of the table from which those of a session are derived.
        columns: The columns of a session.
        odd_columns: The same with texts as bytes, and the size of the context.
        version: The column or expression that is shown as the version.
    """

    def __init__(
        self,
        table: str,
        *,
        uuid: bool,
        plain: bool,
        stored: str,
        columns: str,
        odd_columns: str,
        version: str,
    ):
        self._table = table
        self._uuid = uuid
        self._plain = plain
        self._id = "id::text" if uuid else "id"
        # Arrays are sent as texts: the driver would have to ask the server for any other type.
        self._id_array = "text[]::uuid[]" if uuid else "text[]"
        self._stored = stored
        self._columns = columns
        self._odd_columns = odd_columns
        self._version = version

    def can_hold(self, id: str) -> bool:
        """Return whether the table could hold this id."""
        if self._uuid:
            try:
                UUID(id)
            except ValueError:
                return False
        return "\0" not in id and is_encodable(id)

    def key(self, id: str) -> str:
        """Return an id as the table writes it: a UUID may be given in another spelling."""
        return str(UUID(id)) if self._uuid else id

    def select(self, query: Query, way: Way = DIRECT) -> Statement:
        """Return the statement for whole rows of the selected sessions."""
        return self._page(self._columns, query, way)

    def select_odd(self, query: Query) -> Statement:
        """Return the statement for whole rows, texts as bytes, and the sizes of the contexts."""
        return self._page(self._odd_columns, query, DIRECT)

    def chats(self, query: Query, way: Way = DIRECT) -> Statement:
        """Return the statement for the ids and chats of the selected sessions with messages.

        A context that is not an object is NULL.
        """
        arguments: list[Any] = []
        put = putting(arguments)
        columns = f"{self._id}, {_CHAT}"
        return Statement(self._rows(columns, query, way, put, also=(_HAS_CHAT,)), arguments)

    def count(self, query: Query) -> Statement:
        """Return the statement for the number of selected sessions."""
        where, arguments = self._where_all(query)
        return Statement(f"SELECT count(*) FROM {self._table}{where}", arguments)

    def counts(self, query: Query, *, odd: bool = False) -> Statement:
        """Return the statement for the numbers of selected sessions by graph and task.

        Args:
            query: The selection.
            odd: Whether texts come as bytes, and times that a datetime can't hold are passed over.
        """
        where, arguments = self._where_all(query)
        times = "min(updated_at), max(updated_at)"
        names = "graph_id, current_task_id"
        if odd:
            times = f"min(updated_at) FILTER {_DATES}, max(updated_at) FILTER {_DATES}"
            names = f"{UNCHECKED.format('graph_id')}, {UNCHECKED.format('current_task_id')}"
        return Statement(
            f"SELECT {names}, count(*), {times} FROM {self._table}{where} GROUP BY 1, 2",
            arguments,
        )

    def columns(
        self,
        query: Query,
        context: Sequence[ContextPath],
        way: Way = DIRECT,
        *,
        packed: bool = True,
    ) -> Statement:
        """Return the statement for a single row that contains whole columns.

        The server packs columns faster than rows travel. The number of messages is -1 where the
        context is not an object.

        Args:
            query: The query that selects the sessions.
            context: The paths into the context whose values are columns too.
            way: How the rows are found.
            packed: False for the rows themselves. That is slower, but works with texts that have
                the separator inside, and on servers that lack the functions for packing.
        """
        arguments: list[Any] = []
        put = putting(arguments)
        columns = (
            f"{self._id} AS i, graph_id AS g, current_task_id AS t, status_message AS s, "
            f"{self._version} AS v, created_at AS c, updated_at AS u, "
            f"pg_column_size(context) AS b, {_COUNT_MESSAGES} AS m"
        )
        for i, path in enumerate(context):
            columns += f", {value_at(spellings(path), put)}::text AS c{i}"
        rows = Statement(self._rows(columns, query, way, put), arguments)
        if not packed:
            return rows
        # A limit keeps the order of rows through the aggregates.
        limit = f" LIMIT {2**62}" if query.limit is None else ""
        texts = ["i", "g", "t", "s", *(f"c{i}" for i in range(len(context)))]
        # id, graph and task are never null. The other texts are '' where they are null: JSON text
        # is never empty, and a status gets a mark in front.
        never_empty = {"s": "'=' || s"}
        values = [
            name if name in "igt" else f"coalesce({never_empty.get(name, name)}, '')"
            for name in texts
        ]
        values = [f"string_agg({text}, E'\\x1f')" for text in values]
        values += [
            "string_agg(int8send(v), ''::bytea)",
            *(
                f"string_agg(coalesce(timestamptz_send({time}), '\\x8000000000000001'), ''::bytea)"
                for time in "cu"
            ),
            "string_agg(int4send(b), ''::bytea)",
            "string_agg(int4send(m), ''::bytea)",
        ]
        packing = f"SELECT count(*), {', '.join(values)} FROM ({rows.text}{limit}) AS r"
        return Statement(packing, arguments)

    def copy(
        self, query: Query, context: Sequence[ContextPath], *, large: bool, ordered: bool
    ) -> str | None:
        """Return the statement that sends the columns of all selected sessions, for ``COPY``.

        Its columns are version, created_at and updated_at (as the server sends them in binary), the
        size of the context, the number of messages, id, graph_id, current_task_id,
        status_message, and then the values at the paths.

        Args:
            query: The query that selects the sessions, without a limit.
            context: The paths into the context whose values are columns too.
            large: Whether most contexts are stored outside of their rows. Then each is read once
                for all that is derived from it, which would take longer where they are small.
            ordered: Whether the rows come in the order of the query, or in any.

        Returns:
            The statement; None if a value can't be written into one, since ``COPY`` takes no
            parameters.
        """
        whole, source = "context", self._table
        if large:  # a function in FROM stays, and leaves the plan parallel
            whole = "whole.document"
            source = (
                f"(SELECT {self._stored} FROM {self._table}) AS stored CROSS JOIN LATERAL "
                "unnest(ARRAY[context #> '{}'::text[]]) AS whole (document)"
            )
        columns = (
            f"{self._version}, timestamptz_send(created_at), timestamptz_send(updated_at), "
            f"pg_column_size(context), {_COUNT_MESSAGES.replace('context', whole)}, "
            f"{self._id}, graph_id, current_task_id, status_message"
        )
        try:
            for path in context:
                columns += f", {value_at(spellings(path), write_literal, whole)}"
            return self._rows(columns, query, DIRECT, write_literal, source, ordered=ordered)
        except ValueError:
            return None

    def rank(self) -> str:
        """Return the statement for the order of ids; its answer has the place of each, from 1."""
        return (
            f"SELECT array_agg(n ORDER BY i) FROM unnest($1::{self._id_array}) "
            "WITH ORDINALITY AS given (i, n)"
        )

    def explain_order(self, query: Query) -> str:
        """Return the statement for the plan of a page in a query's order, without conditions."""
        order = self._order(query)
        return f"EXPLAIN (FORMAT JSON) SELECT id FROM {self._table}{order} LIMIT 100"

    def explain_conditions(self, query: Query) -> Statement:
        """Return the statement for the plan that finds what a query selects, in any order."""
        where, arguments = self._where_all(query)
        return Statement(f"EXPLAIN (FORMAT JSON) SELECT id FROM {self._table}{where}", arguments)

    # The page

    def _page(self, columns: str, query: Query, way: Way) -> Statement:
        """Return the statement for columns of the rows on a page, in order."""
        arguments: list[Any] = []
        return Statement(self._rows(columns, query, way, putting(arguments)), arguments)

    def _rows(
        self,
        columns: str,
        query: Query,
        way: Way,
        put: Put,
        source: str = "",
        also: Sequence[str] = (),
        ordered: bool = True,
    ) -> str:
        """Return the SQL for columns of the rows on a page, in order.

        Args:
            columns: The columns.
            query: The query.
            way: How the rows are found.
            put: Puts a value into the statement.
            source: What is read instead of the table, where the query has no limit.
            also: Further conditions.
            ordered: Whether the order matters, where the query has no limit.
        """
        order = self._order(query) if ordered else ""
        filters = [*self._filter(query, put), *also]
        range_terms = [*bound_times(query, put, of_order=True)]
        if query.limit is None:  # all are derived from, so a sort takes the narrow rows
            terms = [*range_terms, *filters, *self._beyond(query, put)]
            return f"SELECT {columns} FROM {source or self._table}{_where(terms)}{order}"
        limit = f" LIMIT {put(query.limit)}"
        stored = f"SELECT {self._stored} FROM {self._table}"
        if way.walk:
            # Where the order has two parts, the walk stays in the first.
            terms = [*range_terms, *next(self._split(query, put))]
            first = f"{_where(terms)}{order} LIMIT {put(way.walk)}"
            walked = f"{stored}{first}"
            if way.sorts and self._plain:
                ids = f"SELECT id FROM {self._table}{first}"
                walked = f"{stored} WHERE id = ANY(ARRAY({ids}))"
            chosen = f"SELECT * FROM ({walked}) AS walked{_where(filters)}{order}{limit}"
            return f"SELECT {columns} FROM ({chosen}) AS chosen"
        by_id = self._plain and (way.sorts or way.apart)
        compared = ", ".join(dict.fromkeys(("id", query.order_by)))
        rows = f"SELECT {compared} FROM {self._table}" if by_id else stored
        if way.apart:
            terms = [*range_terms, *filters, *self._beyond(query, put)]
            # An OFFSET lets nothing of the order through to the rows below it.
            found = f"{rows}{_where(terms)} OFFSET 0"
            chosen = f"SELECT * FROM ({found}) AS found{order}{limit}"
        else:
            head, *tail = (
                f"{rows}{_where([*range_terms, *filters, *part, *gate])}{order}{limit}"
                for part, gate in zip(self._split(query, put), _gates(limit), strict=False)
            )
            chosen = head
            for rest in tail:
                chosen = (
                    f"WITH head AS ({head}) SELECT * FROM head UNION ALL "
                    f"SELECT * FROM ({rest}) AS rest{order}{limit}"
                )
        if by_id:
            # Not a join, which the server could begin with the table.
            ids = f"ARRAY(SELECT id FROM ({chosen}) AS sorted)"
            chosen = f"{stored} WHERE id = ANY({ids}){order}{limit}"
        return f"SELECT {columns} FROM ({chosen}) AS chosen"

    def _order(self, query: Query) -> str:
        way = " DESC" if query.descending else ""
        columns = ["id"] if query.order_by == "id" else [query.order_by, "id"]
        return " ORDER BY " + ", ".join(f"{column}{way}" for column in columns)

    def _beyond(self, query: Query, put: Put) -> Iterator[str]:
        """Yield the condition for what comes after the previous page."""
        parts = [" AND ".join(part) for part in self._split(query, put) if part]
        if parts:
            yield parts[0] if len(parts) == 1 else f"(({parts[0]}) OR {parts[1]})"

    def _split(self, query: Query, put: Put) -> Iterator[list[str]]:
        """Yield the conditions of the one or two parts of the order after the previous page.

        Unknown times come last, or first where the order descends, and no range of an index has
        both them and times.
        """
        cursor, column, than = query.after, query.order_by, "<" if query.descending else ">"
        if cursor is None:
            yield []
            return
        if not self.can_hold(cursor.id):
            raise QueryError(
                f"{self._table} can't have a session with the id {cursor.id!r}, after which "
                "this page is to begin: take after= from a page of this store"
            )
        if (data := bytes_of_name(cursor.id)) is not None:
            id = AS_BYTES.format(put(data))
        else:
            id = f"{put(self.key(cursor.id))}{'::uuid' if self._uuid else ''}"
        if column == "id":
            yield [f"id {than} {id}"]
        elif cursor.time is None:
            yield [f"{column} IS NULL", f"id {than} {id}"]
            if query.descending:
                yield [f"{column} IS NOT NULL"]
        else:
            yield [f"({column}, id) {than} ({put(cursor.time)}, {id})"]
            if not query.descending:
                yield [f"{column} IS NULL"]

    # The conditions

    def _where_all(self, query: Query) -> tuple[str, list[Any]]:
        arguments: list[Any] = []
        put = putting(arguments)
        terms = [*bound_times(query, put, of_order=True), *self._filter(query, put)]
        return _where(terms), arguments

    def _filter(self, query: Query, put: Put) -> Iterator[str]:
        """Yield the conditions of a query, but for those on the column of its order."""
        if query.graph is not None:
            yield f"graph_id = {put(query.graph)}"
        if query.task is not None:
            yield f"current_task_id = {put(query.task)}"
        if query.status is not None:
            yield contains("status_message", query.status, put, ignore_case=query.ignore_case)
        if query.text is not None:
            key = query.text
            if self._uuid and is_telling(key):
                key = key_prefix(key)
            by_id = contains(self._id, key, put, ignore_case=query.ignore_case)
            by_status = contains("status_message", query.text, put, ignore_case=query.ignore_case)
            yield f"({by_id} OR {by_status})"
        if query.ids is not None:
            ids = put([self.key(id) for id in query.ids if self.can_hold(id)])
            found = f"id = ANY({ids}::{self._id_array})"
            named = [data for id in query.ids if (data := bytes_of_name(id)) is not None]
            if named:
                found = f"({found} OR {UNCHECKED.format(self._id)} = ANY({put(named)}::bytea[]))"
            yield found
        if query.id_prefix is not None:
            prefix = key_prefix(query.id_prefix) if self._uuid else query.id_prefix
            yield f"{self._id} LIKE {put(like_pattern(prefix))}"
        yield from bound_times(query, put, of_order=False)
        for condition in query.conditions():
            yield from hold(condition, put)


def _where(terms: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(terms)}" if terms else ""


def _gates(limit: str) -> Iterator[list[str]]:
    """Yield a further condition for each part of an order.

    The second part is read only if the first one does not fill the page.
    """
    yield []
    yield [f"(SELECT count(*) FROM head) <{limit.removeprefix(' LIMIT')}"]
