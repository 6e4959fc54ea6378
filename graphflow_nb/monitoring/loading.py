"""Records out of a Parquet file, which may be damaged, another's, or made to do harm.

Nothing is allocated by what a file merely says: rows, sizes, kinds and buckets are bounded first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import StorageError
from ..extras import install_command
from ..printable import describe_count
from .histogram import Histogram
from .operation import MEASURES, ORIGINS, Kind, Origin, Outcome, kind_of

__all__ = ["FORM", "KEY", "KIND", "Columns", "import_pyarrow", "read_columns"]

KEY: Final = "graphflow_nb"  # the key of the metadata that we add to a Parquet file
KIND: Final = ("op", "storage", "outcome", "error", "origin")
#: Form 1 had no origin: a boolean marked background traffic.
FORM: Final = 2

# What any file may have; a larger one, in proportion to its size. Real durations take more than a
# byte each, and compress to more than a fortieth.
_ROWS: Final = 1_000_000
_BYTES: Final = 16_000_000
_RATIO: Final = 40
_BUCKETS: Final = 4_000_000
_KINDS: Final = 1_000


class Columns(NamedTuple):
    """What ``Records`` is made of, in its order."""

    started_ns: NDArray[np.int64]
    duration_ns: NDArray[np.int64]
    kind: NDArray[np.int64]
    kinds: tuple[Kind, ...]
    session: NDArray[np.int64]
    sessions: list[str | None]
    measures: dict[str, NDArray[np.int64]]
    past: Mapping[Kind, Histogram]


def read_columns(content: bytes, name: str, share: float = 1.0) -> Columns:
    """Return the columns that ``Records.parquet`` wrote.

    Args:
        content: The content of the file.
        name: The name of the file, for errors.
        share: Its part of a larger file, whose bounds it shares.

    Raises:
        StorageError: The package pyarrow is missing, or this is not what was written.
    """
    pa, pq = import_pyarrow()
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        text = (file.schema_arrow.metadata or {}).get(KEY.encode())
        kept = {} if text is None else json.loads(text)
        if not isinstance(kept, dict) or kept.get("form") not in (1, FORM):
            raise StorageError(
                f"{name} holds no records of graphflow_nb; pandas.read_parquet may read it"
            )
        _check_size(file, len(content), share)
        # A text is kept once, however many rows refer to it.
        texts = [name for name in (*KIND, "session_id") if name in file.schema_arrow.names]
        file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts)
        return _read(pa, file, kept, max(_BUCKETS * share, len(content)))
    except (
        *(pa.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError),
        *(OverflowError, RecursionError, MemoryError),
    ) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise StorageError(
            f"{name} can't be read as records: {reason}. It is damaged, or not as it was saved: "
            "nothing was loaded. Take another copy of it, or save it again"
        ) from error


def _check_size(file: Any, size: int, share: float) -> None:
    metadata, most = file.metadata, _BYTES * share + _RATIO * size
    rows = metadata.num_rows
    if not 0 <= rows <= max(_ROWS * share, size):
        raise ValueError(
            f"it says that it has {describe_count(rows, 'row')} in {describe_count(size, 'byte')}"
        )
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    _check_unpacked(sum(group.total_byte_size for group in groups), size, most)
    for number in range(len(groups)):
        # What is damaged in a column's metadata is an error here, and ends the process below.
        next(file.iter_batches(batch_size=1, row_groups=[number]), None)
    columns = [group.column(number) for group in groups for number in range(metadata.num_columns)]
    _check_unpacked(sum(column.total_uncompressed_size for column in columns), size, most)


def _check_unpacked(unpacked: int, size: int, most: float) -> None:
    if not 0 <= unpacked <= most:
        raise ValueError(
            f"its {describe_count(size, 'byte')} would be {unpacked:,} when they are unpacked"
        )


def _read(pa: Any, file: Any, kept: dict[str, Any], most_buckets: float) -> Columns:
    old = kept["form"] == 1
    texts = [name for name in (*KIND, "session_id") if not (old and name == "origin")]
    numbers = ["started_at", "duration_ns", *MEASURES]
    table = file.read([*texts, *numbers, *(["background"] if old else [])])
    if old:
        origins = [_origin_in_form_1(background) for background in table["background"].to_pylist()]
        table = table.append_column("origin", pa.array(origins, pa.string()).dictionary_encode())
    table = table.unify_dictionaries()
    encoded = {name: _encode(pa, table[name], name) for name in (*KIND, "session_id")}
    parts = []
    for name in KIND:
        if len(encoded[name].dictionary) > _KINDS:
            raise ValueError(f"it has more than {_KINDS:,} different values of {name}")
        parts.append((encoded[name].dictionary.to_pylist(), _codes_of(encoded[name])))
    # Kinds are few, so the combinations that occur are numbered.
    rows = np.stack([codes for _, codes in parts])
    found, kind = np.unique(rows, axis=1, return_inverse=True)
    if found.shape[1] > _KINDS:
        raise ValueError(f"it has more than {_KINDS:,} kinds of operations")
    kinds = []
    for column in found.T:
        pairs = zip(column, parts, strict=True)
        kinds.append(_kind_of([None if at < 0 else values[at] for at, (values, _) in pairs]))
    sessions = encoded["session_id"].dictionary.to_pylist()
    session = _codes_of(encoded["session_id"])
    columns = {name: _to_int64(pa, table[name], name) for name in numbers}
    for name in numbers[1:]:
        if len(table) and columns[name].min() < 0:
            raise ValueError(f"{name} has a value below 0")
    return Columns(
        columns["started_at"],
        columns["duration_ns"],
        kind.reshape(-1).astype(np.int64),
        tuple(kinds),
        np.where(session < 0, len(sessions), session),
        [*sessions, None],
        {name: columns[name] for name in MEASURES},
        _read_past(kept["past"], old, most_buckets),
    )


def _read_past(entries: Any, old: bool, most: float) -> dict[Kind, Histogram]:
    if not isinstance(entries, list) or len(entries) > _KINDS:
        raise ValueError(f"its counts are not a list of at most {_KINDS:,} kinds")
    past: dict[Kind, Histogram] = {}
    buckets = 0
    for entry in entries:
        origin = {"origin": _origin_in_form_1(entry["background"])} if old else {}
        kind = _kind_of([(entry | origin)[name] for name in KIND])
        past[kind] = Histogram.from_state(entry)
        buckets += len(past[kind].counts)
        if buckets > most:
            raise ValueError("its counts are in more buckets than real durations fill")
    return past


def _kind_of(fields: Sequence[Any]) -> Kind:
    op, storage, outcome, error, origin = fields
    if (
        not isinstance(op, str)
        or not isinstance(storage, str)
        or not (error is None or isinstance(error, str))
        or outcome not in get_args(Outcome)
        or origin not in ORIGINS
    ):
        raise ValueError(f"{fields} is not a kind of operation")
    return kind_of(op, storage, outcome, error, origin)


def _origin_in_form_1(background: bool) -> Origin:
    return "background" if background else "user"


def _encode(pa: Any, column: Any, name: str) -> Any:
    kind = column.type
    if not pa.types.is_dictionary(kind) or not pa.types.is_string(kind.value_type):
        raise ValueError(f"{name} is a column of {kind}, not of text")
    chunks = column.combine_chunks()
    # Without rows, some versions of pyarrow return no array but a list of none.
    return chunks.chunk(0) if isinstance(chunks, pa.ChunkedArray) else chunks


def _to_int64(pa: Any, column: Any, name: str) -> NDArray[np.int64]:
    if column.null_count:
        raise ValueError(f"{name} has missing values")
    return np.asarray(column.cast(pa.int64()).to_numpy(), np.int64)


def _codes_of(encoded: Any) -> NDArray[np.int64]:
    return np.asarray(encoded.indices.fill_null(-1).to_numpy(False), np.int64)


def import_pyarrow() -> tuple[Any, Any]:
    """Return pyarrow and its Parquet module.

    Raises:
        StorageError: The package is missing.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise StorageError(f"Parquet files need pyarrow: {install_command('parquet')}") from error
    return pyarrow, pyarrow.parquet
