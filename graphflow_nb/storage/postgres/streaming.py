"""All sessions of a query by ``COPY``, decoded in portions while the server sends the next ones.

Memory holds the columns and two portions. Where pyarrow is installed, texts stay in its arrays.
"""

from __future__ import annotations

import asyncio
import re
from binascii import unhexlify
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrow import arrow_array, compute, fill_missing
from ..gathering import (
    GatheredFew,
    GatheredLists,
    GatheredNumbers,
    GatheredTexts,
    GatheredValues,
)
from ..paths import ContextPath
from ..query import Query
from ..scans import current_row_note
from ..table import Table, add_problem
from ..texts import Portion, Texts, bytes_of_texts, list_texts, release_freed
from .columns import unpack_times
from .connections import Connection
from .limits import MARGIN, STATEMENT
from .odd import build_odd_table, read_rows_on
from .sorting import Unsortable, can_sort, rank_ids, sort_rows
from .table import OpenTable

try:
    import pyarrow
    import pyarrow.csv
except ImportError:  # an extra
    pyarrow = None

__all__ = ["Unstreamed", "stream_table"]

#: The columns of a ``Table`` that are numbers, as the statement sends them.
_NUMBERS: Final = ("version", "created", "updated", "context_bytes", "messages")
_TIMES: Final = ("created", "updated")
_TEXTS: Final = ("id", "graph_id", "current_task_id", "status_message")
_SPARE: Final = 1 << 17
_PORTION: Final = 1 << 19  # bytes of a portion, and the row in which it ends
#: Fewer bytes at once are not worth the loop's time, and more are waited for, which the system
#: keeps meanwhile: a server that does not sort sends 8 kB at a time.
_CHUNK: Final = 1 << 15
_PAUSE: Final = 0.002
#: How many times longer than one statement it may be silent, and the whole may take. A server is
#: silent while it sorts all rows, and until it has found so many that they fill its buffer.
_SILENT: Final = 20
_WHOLE: Final = 120
#: A time that is NULL, and the characters of each: of a bytea, whose backslash COPY doubles.
_NULL: Final = "\\\\x8000000000000001"
#: Whether most of a table is stored outside of its rows; $1 is its quoted name.
_LARGE: Final = (
    "SELECT pg_relation_size(reltoastrelid) > pg_relation_size(oid) FROM pg_class "
    "WHERE oid = $1::text::regclass"
)
_ODD: Final = 1_000  # odd rows, read with their whole contexts at once

# What COPY writes for characters of a text.
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_ESCAPED: Final = re.compile(r"\\(.)")


class Unstreamed(Exception):
    """The exception for an answer that the server can't send in this way, or not all of it."""


class _Portion(NamedTuple):
    """Some rows by column: the numbers in the order of ``_NUMBERS``, and the texts."""

    numbers: list[NDArray[np.int64]]
    texts: list[Portion]


async def stream_table(
    connection: Connection,
    table: OpenTable,
    query: Query,
    context: Sequence[ContextPath],
) -> Table:
    """Return the columns of all sessions that a query selects, from one snapshot.

    Args:
        connection: The connection.
        table: The table.
        query: The query, without a limit.
        context: The paths into the context whose values are columns too.

    Raises:
        Unstreamed: The server can't send the answer in this way.
    """
    if connection.is_in_transaction():
        return await _stream(connection, table, query, context)
    async with connection.transaction():
        return await _stream(connection, table, query, context)


async def _stream(
    connection: Connection, table: OpenTable, query: Query, context: Sequence[ContextPath]
) -> Table:
    level = "" if connection.holds_snapshot else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;"
    await connection.execute(f"{level} SET LOCAL bytea_output = hex")
    large = bool(await connection.fetchval(_LARGE, table.form.table))
    if connection.limits.get(STATEMENT) == round(1000 * (table.timeout + MARGIN)):  # our own limit
        await connection.allow(_WHOLE * table.timeout)
    found: Table | None = None
    if await can_sort(connection, table, query):
        # Else the server takes the handing over of rows between its processes for so dear that one
        # of them computes all columns.
        # Measured with 10^6 sessions: two COPYs on two connections with one snapshot, each of half
        # the table, take some 4 % less processor time of both sides; a plan with one process beside
        # the one that sends, 5 %.
        await connection.execute("SET LOCAL parallel_tuple_cost = 0.01")
        found = await _read(connection, table, query, context, large=large, ordered=False)
    if found is None:
        found = await _read(connection, table, query, context, large=large, ordered=True)
    assert found is not None
    places = await asyncio.to_thread(_find_odd, found)
    await _mend_odd(connection, table, found, places, context)
    return found


async def _read(
    connection: Connection,
    table: OpenTable,
    query: Query,
    context: Sequence[ContextPath],
    *,
    large: bool,
    ordered: bool,
) -> Table | None:
    """Return all rows in order; None where the server has to order them."""
    selects = table.statements.selects
    statement = selects.copy(query, context, large=large, ordered=ordered)
    if statement is None:
        raise Unstreamed
    note, about = current_row_note(), None
    if note is not None:
        about = await table.scans.find_rows(connection, statement)
    reader = _Reader(len(_TEXTS) + len(context))
    try:
        silent = _SILENT * table.timeout
        async with asyncio.timeout(silent) as waiting:
            loop = asyncio.get_running_loop()

            async def take(data: bytes) -> None:
                waiting.reschedule(loop.time() + silent)
                if await reader.take(data) and note is not None:
                    note(reader.rows, about)
                if len(data) < _CHUNK:
                    await asyncio.sleep(_PAUSE)

            day = 86_400.0  # the driver's own limit is one on the whole
            await connection.copy_from_query(statement, output=take, format="text", timeout=day)
            await reader.end()
        if ordered:
            return await reader.table()
        try:
            order = await sort_rows(
                reader.times(query.order_by),
                lambda places: rank_ids(connection, table, reader.ids(places)),
                descending=query.descending,
                thread=reader.thread,
            )
        except Unsortable:
            return None
        return await reader.table(order)
    finally:
        reader.stop()


class _Reader:
    """Takes what the server sends, and decodes it on another thread in portions.

    Args:
        count: The number of texts in a row.

    Attributes:
        rows: The number of rows that were decoded.
        thread: The thread on which they are.
    """

    def __init__(self, count: int):
        self._count = count
        self.rows = 0
        # What comes is copied into one of them while the other is decoded: many allocations of
        # this size would leave as much memory unused between what stays.
        self._buffers = [bytearray(_PORTION + _SPARE), bytearray(_PORTION + _SPARE)]
        self._size = 0
        self._decoding: asyncio.Future[None] | None = None
        # One thread for all work: each thread keeps memory of its own that it has freed.
        self.thread = ThreadPoolExecutor(1, "graphflow_nb-decode")
        self._numbers = [GatheredNumbers() for _ in _NUMBERS]
        self._texts: list[Any] = [GatheredLists() for _ in range(count)]
        if pyarrow is not None:
            # The first end as pandas has texts, so that a DataFrame shares them.
            self._texts = [
                GatheredTexts(large=True),
                GatheredFew(),
                GatheredFew(),
                GatheredValues(large=True, json=False),
                *(GatheredValues() for _ in range(count - len(_TEXTS))),
            ]
        self._known: dict[str | None, str | None] = {}

    async def take(self, data: bytes) -> bool:
        """Take the next bytes, in which rows may begin and end anywhere.

        Returns:
            Whether a further portion was begun, so that ``rows`` has changed.
        """
        buffer, end = self._buffers[0], self._size + len(data)
        if end > len(buffer):
            buffer.extend(bytes(end - len(buffer)))
        buffer[self._size : end] = data
        self._size = end
        if end < _PORTION or b"\n" not in data:
            return False
        whole = buffer.rindex(b"\n", 0, end) + 1
        await self._decode(whole)
        rest = buffer[whole:end]
        self._buffers[0][: len(rest)] = rest
        self._size = len(rest)
        return True

    async def end(self) -> None:
        """Decode the last portion."""
        if self._size:
            await self._decode(self._size)
        await self._wait()

    async def table(self, order: NDArray[np.int64] | None = None) -> Table:
        """Return the rows by column, after the end.

        Args:
            order: The place of each row among those that came; None for their order.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.thread, self._table, order)

    def times(self, column: str) -> NDArray[np.int64]:
        """Return ``created_at`` or ``updated_at`` of the rows, as they came."""
        place = _NUMBERS.index(column.removesuffix("_at"))
        return self._numbers[place].view().astype(np.int64, copy=False)

    def ids(self, places: NDArray[np.int64]) -> list[str | None]:
        """Return the ids of the rows at some places."""
        found: list[str | None] = self._texts[0].take(places)
        return found

    def stop(self) -> None:
        """Drop what is not decoded."""
        if self._decoding is not None:
            self._decoding.cancel()
        self.thread.shutdown(wait=False)

    async def _decode(self, size: int) -> None:
        """Begin to decode so many bytes of the first buffer, and put the other one in its place."""
        await self._wait()
        self._buffers.reverse()
        loop = asyncio.get_running_loop()
        self._decoding = loop.run_in_executor(self.thread, self._add, self._buffers[1], size)

    async def _wait(self) -> None:
        """Wait for the portion that is being decoded: memory holds two at most."""
        if self._decoding is not None:
            await self._decoding
            self._decoding = None
            self.rows = len(self._numbers[0])

    def _add(self, buffer: bytearray, size: int) -> None:
        """Add the rows in so many bytes of a buffer to the columns."""
        work = self._read if pyarrow is None else self._read_arrow
        portion = work(buffer, size)
        for column, numbers in zip(self._numbers, portion.numbers, strict=True):
            column.add(numbers)
        for texts, some in zip(self._texts, portion.texts, strict=True):
            texts.add(some)

    def _read_arrow(self, buffer: bytearray, size: int) -> _Portion:
        kinds: dict[str, Any] = dict.fromkeys(_NUMBERS, pyarrow.int64())
        kinds |= dict.fromkeys(_TIMES, pyarrow.binary(len(_NULL)))
        values = [str(place) for place in range(self._count - len(_TEXTS))]
        names = [*_TEXTS, *values]
        kinds |= zip(names, (column.form for column in self._texts), strict=True)
        rows = memoryview(buffer)[:size]
        try:
            columns = _read_rows(rows, kinds)
        except pyarrow.ArrowInvalid:  # a value that is not an integer
            others = {name: pyarrow.string() for name in values if kinds[name] == pyarrow.int64()}
            if not others:
                raise
            columns = _read_rows(rows, kinds | others)
        numbers: list[NDArray[np.int64]] = []
        texts: list[Portion] = []
        for name, column in columns.items():
            if name in _TIMES:
                found = fill_missing(column, _NULL.encode())
                numbers.append(_read_times(found.buffers()[1], len(found)))
            elif name in _NUMBERS:
                numbers.append(fill_missing(column, -1).to_numpy(zero_copy_only=False))
            elif isinstance(column, pyarrow.DictionaryArray):
                distinct = _unescape(column.dictionary, json=name not in _TEXTS)
                texts.append(pyarrow.DictionaryArray.from_arrays(column.indices, distinct))
            elif column.type == pyarrow.int64():
                texts.append(column)
            else:
                texts.append(_unescape(column, json=name not in _TEXTS))
        return _Portion(numbers, texts)

    def _read(self, buffer: bytearray, size: int) -> _Portion:
        text = str(memoryview(buffer)[:size], "utf-8")
        cells: list[Any] = text[:-1].replace("\n", "\t").split("\t")
        width = len(_NUMBERS) + self._count
        columns = [cells[place::width] for place in range(width)]
        numbers = []
        for name, column in zip(_NUMBERS, columns, strict=False):
            if name in _TIMES:
                joined = "".join([_NULL if cell == "\\N" else cell for cell in column])
                numbers.append(_read_times(joined.encode(), len(column)))
            else:
                found = [-1 if cell == "\\N" else int(cell) for cell in column]
                numbers.append(np.array(found, np.int64))
        texts = columns[len(_NUMBERS) :]
        for number, column in enumerate(texts):
            unescape = _unescape_json if number >= len(_TEXTS) else _unescape_text
            if "\\" in "".join(column):
                texts[number] = [
                    None if cell == "\\N" else unescape(cell) if "\\" in cell else cell
                    for cell in column
                ]
            if 0 < number < len(_TEXTS):  # few distinct ones
                known = self._known
                texts[number] = [known.setdefault(cell, cell) for cell in texts[number]]
                if len(known) > 10_000:
                    known.clear()
        return _Portion(numbers, texts)

    def _table(self, order: NDArray[np.int64] | None) -> Table:
        columns: list[Any] = []
        while self._texts:  # one of them is in memory twice
            columns.append(self._texts.pop(0).finish(order))
            if order is not None:
                release_freed()
        ids, graphs, tasks, statuses, *values = columns
        numbers: dict[str, Any] = {}
        for name in _NUMBERS:
            numbers[name] = self._numbers.pop(0).finish(order).astype(np.int64, copy=False)
        return Table(
            id=ids,
            graph_id=graphs,
            current_task_id=tasks,
            status_message=statuses,
            context=values,
            next=None,
            **numbers,
        )


def _read_rows(rows: memoryview, kinds: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of rows as arrays of Arrow.

    Args:
        rows: What the server sends of them.
        kinds: The name and the type of each column.

    Raises:
        ArrowInvalid: A value is of another type.
    """
    found = pyarrow.csv.read_csv(
        pyarrow.BufferReader(rows),
        pyarrow.csv.ReadOptions(
            use_threads=False, block_size=len(rows) + 1, column_names=list(kinds)
        ),
        pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False, escape_char=False),
        pyarrow.csv.ConvertOptions(
            column_types=kinds,
            null_values=["\\N"],
            strings_can_be_null=True,
            check_utf8=False,  # the server has checked it
        ),
        pyarrow.system_memory_pool(),  # as arrow.py says
    )
    # The columns of one block have one chunk each, which joined would be copied.
    return {
        name: column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        for name, column in zip(kinds, found.columns, strict=True)
    }


def _read_times(digits: Any, count: int) -> NDArray[np.int64]:
    """Return times from what the server sends of each, one behind the other."""
    width = len(_NULL)
    characters = np.frombuffer(digits, np.uint8)[: count * width].reshape(count, width)
    return unpack_times(np.frombuffer(unhexlify(characters[:, 3:].tobytes()), ">i8"))


def _unescape(texts: Any, *, json: bool) -> Any:
    """Return an array of texts as they are stored."""
    if b"\\" not in bytes_of_texts(texts):
        return texts
    if json:  # no control character is in JSON as the server writes it
        return compute("replace_substring", texts, "\\\\", "\\")
    escaped = compute("match_substring", texts, "\\")
    plain = [_unescape_text(text) for text in compute("filter", texts, escaped).to_pylist()]
    return compute("replace_with_mask", texts, escaped, arrow_array(plain, texts.type))


def _unescape_json(text: str) -> str:
    return text.replace("\\\\", "\\")


def _unescape_text(text: str) -> str:
    return _ESCAPED.sub(lambda match: _ESCAPES[match[1]], text)


def _find_odd(found: Table) -> list[int]:
    """Return where a row is not a session."""
    odd = (found.messages < 0) | (found.version < 0)
    for column in (found.graph_id, found.current_task_id):
        odd |= _missing(column)
    places: list[int] = np.flatnonzero(odd).tolist()
    return places


async def _mend_odd(
    connection: Connection,
    table: OpenTable,
    found: Table,
    places: Sequence[int],
    context: Sequence[ContextPath],
) -> None:
    """Read the rows that are not sessions again, each cell as far as it can be read."""
    for start in range(0, len(places), _ODD):
        some = places[start : start + _ODD]
        ids = [found.id[place] for place in some]
        if None in ids:
            raise Unstreamed
        rows = {row.id: row for row in await read_rows_on(connection, table, Query(ids=ids))}
        if len(set(ids)) < len(ids) or len(rows) < len(ids):
            raise Unstreamed
        part = build_odd_table([rows[id] for id in ids], Query(), context)
        for name in _NUMBERS:
            getattr(found, name)[some] = getattr(part, name)
        for name in _TEXTS[1:]:
            setattr(found, name, _replace(getattr(found, name), some, getattr(part, name)))
        found.context = [
            _replace(column, some, values)
            for column, values in zip(found.context, part.context, strict=True)
        ]
        for id, problem in part.problems.items():
            add_problem(found.problems, id, problem)


def _missing(column: Any) -> NDArray[np.bool_]:
    """Return where a column has no text."""
    missing: list[Any] = []
    for portion in column.portions:
        if isinstance(portion, list):
            missing.append([text is None for text in portion])
        elif portion.null_count:
            missing.append(compute("is_null", portion).to_numpy(zero_copy_only=False))
        else:
            missing.append(np.zeros(len(portion), bool))
    return np.concatenate([*missing, np.zeros(0, bool)]).astype(bool)


def _replace(column: Any, places: Sequence[int], texts: Sequence[str | None]) -> Texts:
    """Return a column with other texts at some places, which ascend."""
    new = dict(zip(places, texts, strict=True))
    portions, first = [], 0
    for portion in column.portions:
        end = first + len(portion)
        here = [place for place in new if first <= place < end]
        if here:
            cells = list(list_texts(portion))
            for place in here:
                cells[place - first] = new[place]
            # Odd texts may have what Arrow can't hold: then the portion stays a list.
            portion = cells
        portions.append(portion)
        first = end
    return Texts(portions)
