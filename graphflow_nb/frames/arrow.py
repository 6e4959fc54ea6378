"""Sessions as batches of Arrow, which Parquet files are made of: one schema for a whole export."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from ..errors import QueryError
from ..model.masks import DEFAULT_MASK, Mask
from ..model.times import FIRST, LAST, UNKNOWN_TIME
from ..monitoring.loading import import_pyarrow
from ..printable import printable
from ..secret_neighbours import Place
from ..storage.paths import ContextPath, data_path, is_path_hidden, parse_path
from ..storage.table import Table
from .beside import paths_beside
from .sessions import context_columns

__all__ = ["TYPES", "Misfit", "SessionArrow"]

#: The types that a column of context values may have.
TYPES: Final = ("json", "string", "boolean", "int64", "float64")


@dataclass(slots=True)
class Misfit:
    """What a typed column could not hold.

    Attributes:
        count: The number of sessions with such a value, which is missing in the column.
        first: The id of the first of them.
        value: Its value, as JSON, cut where it is long.
    """

    count: int
    first: str
    value: str


@dataclass(slots=True)
class SessionArrow:
    """Makes Arrow's batches of sessions, all of one schema.

    Attributes:
        context: For each context path the type of its column, one of ``TYPES``; None for the whole
            context as JSON text, in a column ``context``.
        mask: What is hidden of the values in ``misfits``; the batches have the real ones.
        misfits: What typed columns could not hold, by the column's name.
        problems: The number of texts that are not Unicode, and are shown with escapes.
    """

    context: Mapping[ContextPath, str] | None
    mask: Mask = DEFAULT_MASK
    misfits: dict[str, Misfit] = field(default_factory=dict)
    problems: int = 0

    def __post_init__(self) -> None:
        for path, kind in (self.context or {}).items():
            parse_path(path)
            if kind not in TYPES:
                raise QueryError(
                    f"a column of context values is {', '.join(TYPES)}, not {kind!r} (for {path!r})"
                )

    @property
    def schema(self) -> Any:
        """The schema of every batch."""
        pa, _ = import_pyarrow()
        text, few = pa.string(), pa.dictionary(pa.int32(), pa.string())
        time = pa.timestamp("us", tz="UTC")
        columns = [
            ("id", text),
            ("graph_id", few),
            ("current_task_id", few),
            ("status_message", text),
            ("version", pa.int64()),
            ("created_at", time),
            ("updated_at", time),
            ("expires_at", time),
            ("context_bytes", pa.int64()),
            ("messages", pa.int64()),
        ]
        if self.context is None:
            return pa.schema([*columns, ("context", text)])
        types = {
            "json": text,
            "string": text,
            "boolean": pa.bool_(),
            "int64": pa.int64(),
            "float64": pa.float64(),
        }
        names = context_columns(list(self.context))
        kinds = self.context.values()
        return pa.schema([*columns, *((n, types[k]) for n, k in zip(names, kinds, strict=True))])

    def batch(self, table: Table, contexts: Sequence[str | bytes] = ()) -> Any:
        """Return sessions as one batch.

        Args:
            table: The sessions by column, with the values at the context paths.
            contexts: The whole context of each session, where that is a column.
        """
        pa, _ = import_pyarrow()
        unknown = np.full(len(table), UNKNOWN_TIME)
        columns = [
            self._texts(table.id),
            self._texts(table.graph_id),
            self._texts(table.current_task_id),
            self._texts(table.status_message),
            table.version,
            _times(table.created),
            _times(table.updated),
            _times(unknown if table.expires is None else table.expires),
            table.context_bytes,
            table.messages,
        ]
        if self.context is None:
            columns.append(self._texts([_text(context) for context in contexts]))
        else:
            names = context_columns(list(self.context))
            for name, kind, texts in zip(names, self.context.values(), table.context, strict=True):
                columns.append(self._values(name, kind, texts, table.id))
        schema = self.schema
        arrays = [
            values.cast(column.type)
            if isinstance(values, pa.Array)
            else pa.array(values, column.type)
            for values, column in zip(columns, schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _values(
        self, name: str, kind: str, texts: Sequence[str | None], ids: Sequence[str]
    ) -> Sequence[Any]:
        if kind == "json":
            return self._texts(texts)
        read, values = _READERS[kind], []
        for text, id in zip(texts, ids, strict=True):
            try:
                values.append(None if text is None else read(text))
            except (msgspec.MsgspecError, ValueError):
                values.append(None)
                self._note_misfit(name, id, text or "")
        return self._texts(values) if kind == "string" else values

    def _note_misfit(self, name: str, id: str, value: str) -> None:
        if name in self.misfits:
            self.misfits[name].count += 1
        else:
            raw = Raw(value.encode(errors="replace"))
            columns = context_columns(list(self.context or ()))
            path = dict(zip(columns, self.context or (), strict=True))[name]
            # Of the value of a pair its name is not known here.
            covered = is_path_hidden(self.mask, path) or bool(paths_beside([path], self.mask))
            place = Place(covered=covered)
            value = bytes(self.mask.hide(raw, data_path(path), place=place)).decode()
            shown = printable(value[:100])
            shown = shown if len(shown) <= 80 else f"{shown[:80]}…"
            self.misfits[name] = Misfit(1, id, shown)

    def _texts(self, values: Sequence[str | None]) -> list[str | None]:
        """Return texts that Arrow can hold: a lone surrogate is written as its escape."""
        texts: list[str | None] = []
        for value in values:
            if value is not None and not value.isascii():
                encoded = value.encode("utf-8", "backslashreplace").decode()
                self.problems += encoded != value
                value = encoded
            texts.append(value)
        return texts


def _text(context: str | bytes) -> str:
    return context if isinstance(context, str) else context.decode("utf-8", "backslashreplace")


def _times(micros: NDArray[np.int64]) -> Any:
    """Return times; one that is unknown, infinite or beyond Python's datetime is missing."""
    pa, _ = import_pyarrow()
    known = (micros >= FIRST) & (micros <= LAST)
    return pa.array(np.where(known, micros, 0), pa.int64(), mask=~known)


def _read_int(text: str) -> int | None:
    value: int | None = msgspec.json.decode(text, type=int | None)
    if value is not None and not -(2**63) <= value < 2**63:
        raise ValueError("an integer that int64 can't hold")
    return value


def _read_float(text: str) -> float | None:
    value: float | None = msgspec.json.decode(text, type=float | None)
    if value is not None and text.lstrip("-").isdecimal() and int(value) != int(text):
        raise ValueError("an integer that float64 can't hold")
    return value


def _reader(kind: Any) -> Callable[[str], Any]:
    return msgspec.json.Decoder(kind).decode


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "string": _reader(str | None),
    "boolean": _reader(bool | None),
    "int64": _read_int,
    "float64": _read_float,
}
