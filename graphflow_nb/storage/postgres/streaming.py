"""All sessions of a query by ``COPY``, decoded in portions while the server sends the next ones.

Memory holds the columns and two portions. Where pyarrow is installed, texts stay in its arrays.
"""

from __future__ import annotations

import asyncio
import re
from binascii import unhexlify
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ..paths import ContextPath
from ..query import Query
from ..table import Table, add_problem
from ..texts import Portion, Texts, list_texts
from .columns import unpack_times
from .connections import Connection
from .limits import MARGIN, STATEMENT
from .odd import build_odd_table, read_rows_on
from .table import OpenTable

try:
    import pyarrow
    import pyarrow.compute
    import pyarrow.csv
except ImportError:  # an extra
    pyarrow = None

__all__ = ["NUMBERS", "Unstreamed", "stream_table"]

#: The numbers of a row, as the statement sends them.
NUMBERS: Final = np.dtype(
    [("version", ">i8"), ("created", ">i8"), ("updated", ">i8"), ("size", ">i4"), ("count", ">i4")]
)
_TEXTS: Final = ("id", "graph_id", "current_task_id", "status_message")
_PORTION: Final = 1 << 20  # bytes of a portion, and the row in which it ends
#: How many times longer than one statement it may be silent, and the whole may take. A server is
#: silent while it sorts all rows, and until it has found so many that they fill its buffer.
_SILENT: Final = 20
_WHOLE: Final = 120
_ODD: Final = 1_000  # odd rows, read with their whole contexts at once

# What COPY writes for characters of a text.
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_ESCAPED: Final = re.compile(r"\\(.)")


class Unstreamed(Exception):
    """The exception for an answer that the server can't send in this way, or not all of it."""


class _Portion(NamedTuple):
    """Some rows by column."""

    numbers: NDArray[Any]
    texts: list[Portion]


async def stream_table(
    connection: Connection,
    table: OpenTable,
    query: Query,
    context: Sequence[ContextPath],
    progress: Callable[[int], None] | None,
) -> Table:
    """Return the columns of all sessions that a query selects, from one snapshot.

    Args:
        connection: The connection.
        table: The table.
        query: The query, without a limit.
        context: The paths into the context whose values are columns too.
        progress: Called with the number of sessions that have come; None for nothing.

    Raises:
        Unstreamed: The server can't send the answer in this way.
    """
    statement = table.statements.selects.copy(query, context)
    if statement is None:
        raise Unstreamed
    if connection.is_in_transaction():
        return await _stream(connection, table, statement, context, progress)
    async with connection.transaction():
        return await _stream(connection, table, statement, context, progress)


async def _stream(
    connection: Connection,
    table: OpenTable,
    statement: str,
    context: Sequence[ContextPath],
    progress: Callable[[int], None] | None,
) -> Table:
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    if connection.limits.get(STATEMENT) == round(1000 * (table.timeout + MARGIN)):  # our own limit
        await connection.allow(_WHOLE * table.timeout)
    reader = _Reader(len(_TEXTS) + len(context), progress)
    try:
        silent = _SILENT * table.timeout
        async with asyncio.timeout(silent) as waiting:
            loop = asyncio.get_running_loop()

            async def take(data: bytes) -> None:
                waiting.reschedule(loop.time() + silent)
                await reader.take(data)

            day = 86_400.0  # the driver's own limit is one on the whole
            await connection.copy_from_query(statement, output=take, format="text", timeout=day)
            await reader.end()
    finally:
        reader.stop()
    found = reader.table()
    await _mend_odd(connection, table, found, context)
    return found


class _Reader:
    """Takes what the server sends, and decodes it on another thread in portions.

    Args:
        count: The number of texts in a row.
        progress: Called with the number of rows that were decoded.
    """

    def __init__(self, count: int, progress: Callable[[int], None] | None):
        self._count = count
        self._progress = progress
        self._pieces: list[bytes] = []
        self._size = 0
        self._decoding: asyncio.Future[_Portion] | None = None
        self._portions: list[_Portion] = []
        self._rows = 0
        self._known: dict[str | None, str | None] = {}

    async def take(self, data: bytes) -> None:
        """Take the next bytes, in which rows may begin and end anywhere."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size < _PORTION or b"\n" not in data:
            return
        whole, _, rest = data.rpartition(b"\n")
        self._pieces[-1] = whole + b"\n"
        await self._decode()
        self._pieces, self._size = [rest], len(rest)

    async def end(self) -> None:
        """Decode the last portion."""
        if self._size:
            await self._decode()
        await self._wait()

    def stop(self) -> None:
        """Drop what is not decoded."""
        self._pieces = []
        if self._decoding is not None:
            self._decoding.cancel()

    async def _decode(self) -> None:
        pieces, self._pieces = self._pieces, []
        await self._wait()
        work = self._read if pyarrow is None else self._read_arrow
        self._decoding = asyncio.ensure_future(asyncio.to_thread(work, pieces))

    async def _wait(self) -> None:
        """Wait for the portion that is being decoded: memory holds two at most."""
        if self._decoding is not None:
            portion = await self._decoding
            self._decoding = None
            self._portions.append(portion)
            self._rows += len(portion.numbers)
            if self._progress is not None:
                self._progress(self._rows)

    def _read_arrow(self, pieces: list[bytes]) -> _Portion:
        data = b"".join(pieces)
        pieces.clear()
        names = [str(number) for number in range(1 + self._count)]
        kinds = dict.fromkeys(names, pyarrow.string()) | {names[0]: pyarrow.binary()}
        rows = pyarrow.csv.read_csv(
            pyarrow.BufferReader(data),
            pyarrow.csv.ReadOptions(
                use_threads=False, block_size=len(data) + 1, column_names=names
            ),
            pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False, escape_char=False),
            pyarrow.csv.ConvertOptions(
                column_types=kinds,
                null_values=["\\N"],
                strings_can_be_null=True,
                check_utf8=False,  # the server has checked it
            ),
        )
        digits, *texts = (column.combine_chunks() for column in rows.columns)
        return _Portion(
            _numbers(digits.buffers()[2]),
            [_unescape(column, json=number >= len(_TEXTS)) for number, column in enumerate(texts)],
        )

    def _read(self, pieces: list[bytes]) -> _Portion:
        text = b"".join(pieces).decode()
        pieces.clear()
        cells: list[Any] = text[:-1].replace("\n", "\t").split("\t")
        digits, *texts = (cells[place :: 1 + self._count] for place in range(1 + self._count))
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
        return _Portion(_numbers("".join(digits)), texts)

    def table(self) -> Table:
        """Return the rows by column, and give them up here."""
        portions, self._portions = self._portions, []
        numbers = [portion.numbers for portion in portions]

        def column(name: str) -> NDArray[Any]:
            return np.concatenate([each[name] for each in numbers] or [_numbers("")[name]])

        texts = [
            Texts([portion.texts[number] for portion in portions]) for number in range(self._count)
        ]
        ids, graphs, tasks, statuses, *values = cast(list[Any], texts)
        return Table(
            id=ids,
            graph_id=graphs,
            current_task_id=tasks,
            status_message=statuses,
            version=column("version").astype(np.int64),
            created=unpack_times(column("created")),
            updated=unpack_times(column("updated")),
            context_bytes=column("size").astype(np.int64),
            messages=column("count").astype(np.int64),
            context=values,
            next=None,
        )


def _numbers(digits: Any) -> NDArray[Any]:
    return np.frombuffer(unhexlify(digits), NUMBERS)


def _unescape(texts: Any, *, json: bool) -> Any:
    """Return an array of texts as they are stored."""
    compute = pyarrow.compute
    escaped = compute.match_substring(texts, "\\")
    if not compute.any(escaped).as_py():
        return texts
    if json:  # no control character is in JSON as the server writes it
        return compute.replace_substring(texts, "\\\\", "\\")
    plain = [_unescape_text(text) for text in texts.filter(escaped).to_pylist()]
    return compute.replace_with_mask(texts, escaped, pyarrow.array(plain, pyarrow.string()))


def _unescape_json(text: str) -> str:
    return text.replace("\\\\", "\\")


def _unescape_text(text: str) -> str:
    return _ESCAPED.sub(lambda match: _ESCAPES[match[1]], text)


async def _mend_odd(
    connection: Connection, table: OpenTable, found: Table, context: Sequence[ContextPath]
) -> None:
    """Read the rows that are not sessions again, each cell as far as it can be read."""
    odd = (found.messages < 0) | (found.version < 0)
    for column in (found.graph_id, found.current_task_id):
        odd |= _missing(column)
    places = np.flatnonzero(odd).tolist()
    for start in range(0, len(places), _ODD):
        some = places[start : start + _ODD]
        ids = [found.id[place] for place in some]
        if None in ids:
            raise Unstreamed
        rows = {row.id: row for row in await read_rows_on(connection, table, Query(ids=ids))}
        if len(set(ids)) < len(ids) or len(rows) < len(ids):
            raise Unstreamed
        part = build_odd_table([rows[id] for id in ids], Query(), context)
        for name in ("version", "created", "updated", "context_bytes", "messages"):
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
            missing.append(portion.is_null().to_numpy(zero_copy_only=False))
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
