"""Sessions as a Dask DataFrame, read in parts by the machines of a cluster that exists.

Needs the package ``dask``: ``pip install 'graphflow_nb[dask]'``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .client import open_client
from .errors import QueryError, StorageError
from .extras import install_command
from .frames.arrow import SessionArrow
from .monitoring.loading import import_pyarrow
from .printable import describe_count, inflect
from .storage import Cursor, Query
from .storage.capabilities import require
from .storage.connect import read_url
from .storage.pagesize import PageSize
from .storage.paths import ContextPath, check_columns
from .storage.protocols import SupportsCount, SupportsEstimate, SupportsSplit, SupportsTable
from .storage.url import StoreUrl

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_sessions"]

MAX_PARTS: Final = 10_000
_ROWS: Final = 100_000  # of a part, unless it is said how many parts there are
_PAGE: Final = 10_000
_KEPT: Final = 100  # ids for each part, of which one is chosen


class Part(NamedTuple):
    """A range of ids.

    Attributes:
        after: The id behind which it begins; None for the first.
        to: The last id that may be in it; None for any.
    """

    after: str | None
    to: str | None


def read_sessions(
    url: str | StoreUrl | None = None,
    *,
    context: Mapping[ContextPath, str] | Sequence[ContextPath] = (),
    parts: int | None = None,
    options: Mapping[str, Any] | None = None,
    **filters: Any,
) -> Any:
    """Return the sessions of a store as a Dask DataFrame, each part a range of ids.

    Each worker opens the store for reading only, reads its part in short reads, and closes it.
    PostgreSQL divides the ids by what ANALYZE noted of the table, or by a sample of it, SQLite by
    its index; elsewhere all are read once before. A session that is saved meanwhile is in the
    result once, as it was when its page was read. A URL that names a replica, or several servers
    with ``target_session_attrs=prefer-standby``, keeps the load off the primary.

    Example:
        >>> import graphflow_nb, tempfile
        >>> url = f"sqlite:{tempfile.mkdtemp()}/sessions.db"
        >>> with graphflow_nb.open(url, create=True) as wb:
        ...     created = [wb.create(f"claim-{n}", "intake", context={"n": n}) for n in range(9)]
        >>> from graphflow_nb.dask import read_sessions
        >>> frame = read_sessions(url, context={"n": "int64"}, parts=3)
        >>> frame.npartitions, int(frame["n"].sum().compute())
        (3, 36)

    Args:
        url: The URL of the store. It goes to the workers with its password, as a part of the tasks;
            where they have it in DATABASE_URL, leave it out.
        context: Context paths, a column each with its values as JSON text; a mapping gives each
            path its type: ``json``, ``string``, ``boolean``, ``int64`` or ``float64``. They
            are for programs, so secrets in them are not masked.
        parts: About how many parts there are, 1 to 10,000. Default: one for 100,000 sessions.
        options: Options of ``graphflow_nb.open``, e.g. ``{"table": "app.sessions"}``.
        filters: The filters of ``wb.sessions``: ``graph``, ``task``, ``where``, …

    Returns:
        A ``dask.dataframe.DataFrame`` with the columns of ``wb.to_parquet``: text, Int64,
        ``datetime64[us, UTC]``, and for context columns text, boolean, Int64 or Float64.

    Raises:
        QueryError: An argument is invalid.
        StorageError: The package dask or pyarrow is missing, or the store failed; when a part is
            computed, also if a value is not of its column's type.
    """
    try:
        import dask.dataframe
    except ImportError as error:
        raise StorageError(f"a Dask DataFrame needs dask: {install_command('dask')}") from error
    if parts is not None and (type(parts) is not int or not 1 <= parts <= MAX_PARTS):
        raise QueryError(f"parts must be 1 to {MAX_PARTS:,}, not {parts!r}")
    if isinstance(context, Mapping):
        check_columns(list(context))
    else:
        context = dict.fromkeys(check_columns(context), "json")
    query = Query.from_filters(filters, order="id")
    arrow = SessionArrow(context)
    how: dict[str, Any] = {
        "url": None if url is None else read_url(url),
        "options": dict(options or {}),
        "query": query,
        "context": dict(context),
    }
    with open_client(how["url"], writable=False, **how["options"]) as client:
        found = client.bridge.run(_split(client.storage, parts))
    frame: Any = dask.dataframe
    return frame.from_map(_read_part, found, meta=_frame([], arrow), **how)


async def _split(storage: Any, wanted: int | None) -> list[Part]:
    """Return ranges of ids that together have all."""
    if wanted is None:
        total = await storage.estimate() if isinstance(storage, SupportsEstimate) else None
        if total is None:
            total = await require(storage, SupportsCount).count(Query())
        wanted = min(1 + total // _ROWS, MAX_PARTS)
    bounds = await storage.split(wanted) if isinstance(storage, SupportsSplit) else None
    if bounds is None:
        bounds = await _walk(storage, wanted)
    return [Part(after, to) for after, to in pairwise([None, *bounds, None])]


async def _walk(storage: Any, wanted: int) -> list[str]:
    """Return ids that divide a store, by reading all once."""
    found: list[str] = []
    query = Query(order="id", limit=_PAGE)
    step = 1
    while True:
        table = await require(storage, SupportsTable).table(query)
        found += table.id[::step]
        if table.next is None:
            places = (len(found) * n // wanted for n in range(1, wanted)) if found else ()
            return list(dict.fromkeys(found[place] for place in places))
        if len(found) > _KEPT * wanted:
            found, step = found[::2], 2 * step
        query = query.following(table.next, _PAGE)


def _read_part(
    part: Part,
    *,
    url: StoreUrl | None,
    options: dict[str, Any],
    query: Query,
    context: dict[ContextPath, str],
) -> pd.DataFrame:
    """Return one part; runs on a worker."""
    with open_client(url, writable=False, **options) as client:
        arrow = SessionArrow(context, client.mask)
        batches = client.bridge.run(_read(client.storage, part, query, arrow))
    for name, misfit in arrow.misfits.items():
        kind = dict(zip(arrow.schema.names[-len(context) :], context.values(), strict=True))[name]
        raise StorageError(
            f"{describe_count(misfit.count, 'value')} of {name!r} "
            f"{inflect(misfit.count, 'is', 'are')} not {kind}, first that of {misfit.first!r}: "
            f"{misfit.value}. Read the column as 'json'"
        )
    return _frame(batches, arrow)


async def _read(storage: Any, part: Part, query: Query, arrow: SessionArrow) -> list[Any]:
    batches: list[Any] = []
    after = None if part.after is None else Cursor("id", part.after)
    size = PageSize(_PAGE)
    while True:
        page = query.following(after, size.rows)
        table = await require(storage, SupportsTable).table(page, list(arrow.context or ()))
        size.note(len(table), table.value_size)
        batch = arrow.batch(table)
        if (inside := await _inside(storage, table.id, part.to)) < len(table):
            return [*batches, batch.slice(0, inside)]
        batches.append(batch)
        if table.next is None:
            return batches
        after = table.next


async def _inside(storage: Any, ids: Sequence[str], to: str | None) -> int:
    """Return how many of ordered ids are not behind one, in the store's own order."""
    if to is None or not ids:
        return len(ids)
    after = Cursor("id", to)

    async def find_behind(ids: Sequence[str]) -> Sequence[str]:
        query = Query(ids=ids, order="id", after=after)
        return (await require(storage, SupportsTable).table(query)).id

    if not await find_behind(ids[-1:]):
        return len(ids)
    behind = set(await find_behind(ids))
    return next((n for n, id in enumerate(ids) if id in behind), len(ids))


def _frame(batches: list[Any], arrow: SessionArrow) -> pd.DataFrame:
    """Return batches as a DataFrame whose dtypes do not depend on its values."""
    import pandas as pd

    pa, _ = import_pyarrow()
    schema = pa.schema(
        [
            (column.name, pa.string() if pa.types.is_dictionary(column.type) else column.type)
            for column in arrow.schema
        ]
    )
    kinds = {
        pa.string(): pd.StringDtype(na_value=float("nan")),
        pa.int64(): pd.Int64Dtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    table = pa.Table.from_batches(batches, schema=arrow.schema).cast(schema)
    frame: pd.DataFrame = table.to_pandas(types_mapper=kinds.get)
    return frame
