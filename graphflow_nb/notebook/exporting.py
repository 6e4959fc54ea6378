"""``wb.export``: chosen sessions as one file, in JSON lines, CSV or Parquet."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from time import time_ns
from typing import IO, Any, Final, NamedTuple, Protocol

import msgspec

from ..client import Client
from ..dual import dual
from ..errors import QueryError, StorageError
from ..files import as_path, open_privately
from ..frames.arrow import SessionArrow
from ..model import Session
from ..model.times import datetime_of
from ..monitoring.loading import import_pyarrow
from ..printable import describe_count, printable
from ..storage import Cursor, Query, problems_of
from ..storage.capabilities import require
from ..storage.checks import check_callables, check_no_table
from ..storage.copying import Redact, redacted
from ..storage.offloop import finish_off_loop, run_off_loop
from ..storage.pagesize import PageSize
from ..storage.protocols import SupportsQuery
from ..storage.scanned import table_of
from .progress import Bar, show_bar

__all__ = ["EXPORT_FORMS", "ExportReport", "Exports", "export_sessions"]

_PAGE: Final = 10_000
_NAMED: Final = 100  # ids in a report
_MAX_CELL: Final = 32_767  # characters that a cell of a spreadsheet holds
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(slots=True)
class ExportReport:
    """What ``wb.export`` wrote.

    Attributes:
        path: The file.
        rows: The number of sessions in it.
        bytes: Its size.
        left_out: The number of sessions for which ``redact`` returned None.
        missing: The ids that were asked for and are not in the store; 100 at most.
        odd: What is wrong with rows that are not sessions, by id; 100 at most. Of JSON lines they
            are left out.
        notes: What this kind of file can't hold, a sentence each; empty if it holds all.
    """

    path: Path
    rows: int = 0
    bytes: int = 0
    left_out: int = 0
    missing: list[str] = field(default_factory=list)
    odd: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        where = f"{describe_count(self.rows, 'session')} in {printable(str(self.path))}"
        parts = [f"{where}, {describe_count(self.bytes, 'byte')}"]
        if self.left_out:
            parts.append(f"{self.left_out:,} left out by redact")
        if self.missing:
            parts.append(f"not in the store: {', '.join(map(repr, self.missing))}")
        parts += [f"{id!r}: {printable(problem)}" for id, problem in self.odd.items()]
        return "; ".join([*parts, *self.notes])

    __repr__ = __str__  # what a cell shows that ends with the call


class _Page(NamedTuple):
    """Sessions as a file has them.

    Attributes:
        content: What is written.
        rows: The number of sessions in it.
        bytes: Its size.
    """

    content: Any
    rows: int
    bytes: int


class _Writer(Protocol):
    """A kind of file, to which sessions are written page by page."""

    def encode(self, sessions: Sequence[Session]) -> _Page:
        """Return sessions as they are written; touches no file, so that a thread can do it."""
        ...

    def write(self, page: _Page) -> None:
        """Write what ``encode`` returned."""
        ...

    def close(self) -> list[str]:
        """Write what is left; return what the file can't hold, a sentence each."""
        ...


class _JsonLines:
    def __init__(self, file: IO[bytes], odd: dict[str, str]):
        self._file, self._odd = file, odd

    def encode(self, sessions: Sequence[Session]) -> _Page:
        lines = []
        for session in sessions:
            try:
                line = session.to_json()
                if "\n" in line or "\r" in line:  # between values: a text has it as an escape
                    line = msgspec.json.format(line, indent=-1)
            except (ValueError, RecursionError) as error:
                if len(self._odd) < _NAMED:
                    self._odd[session.id] = f"left out, it is not JSON: {error}"
                continue
            lines.append(line.encode() + b"\n")
        content = b"".join(lines)
        return _Page(content, len(lines), len(content))

    def write(self, page: _Page) -> None:
        self._file.write(page.content)

    def close(self) -> list[str]:
        return ["JSON lines have no times of creation and update"]


class _Csv:
    _COLUMNS: Final = (
        *("id", "graph_id", "current_task_id", "status_message", "version"),
        *("created_at", "updated_at", "context"),
    )

    def __init__(self, file: IO[bytes], odd: dict[str, str]):
        self._file = file
        self._empty = self._formulas = self._long = 0
        self.write(self._to_page([self._COLUMNS]))

    @staticmethod
    def _to_page(rows: Sequence[Sequence[object]]) -> _Page:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        content = text.getvalue().encode(errors="backslashreplace")
        return _Page(content, len(rows), len(content))

    def encode(self, sessions: Sequence[Session]) -> _Page:
        rows = []
        for session in sessions:
            context = session.context_json()
            text = context if isinstance(context, str) else context.decode(errors="replace")
            status = session.status_message
            names = (session.id, session.graph_id, session.current_task_id, status or "")
            created, updated = datetime_of(session.raw_created), datetime_of(session.raw_updated)
            times = ["" if time is None else time.isoformat() for time in (created, updated)]
            rows.append([*names, session.version, *times, text])
            self._empty += status == ""
            self._formulas += any(name.startswith(_FORMULA) for name in names)
            self._long += len(text) > _MAX_CELL
        return self._to_page(rows)

    def write(self, page: _Page) -> None:
        self._file.write(page.content)

    def close(self) -> list[str]:
        notes = ["CSV has no types: the context is a column of JSON text"]
        if self._empty:
            notes.append(f"no status and an empty one are the same in CSV ({self._empty:,} empty)")
        if self._formulas:
            notes.append(
                "a spreadsheet takes a text of "
                f"{describe_count(self._formulas, 'session')} for a formula"
            )
        if self._long:
            notes.append(
                f"a spreadsheet cuts {describe_count(self._long, 'context')} "
                f"of more than {_MAX_CELL:,} characters"
            )
        return notes


class _Parquet:
    def __init__(self, file: IO[bytes], odd: dict[str, str]):
        _, pq = import_pyarrow()
        self._arrow = SessionArrow(None)
        self._writer = pq.ParquetWriter(file, self._arrow.schema)

    def encode(self, sessions: Sequence[Session]) -> _Page:
        table = table_of(sessions, time_ns() // 1000)
        contexts = [session.context_json() for session in sessions]
        batch = self._arrow.batch(table, contexts)
        return _Page(batch, len(sessions), batch.nbytes)

    def write(self, page: _Page) -> None:
        self._writer.write_batch(page.content)

    def close(self) -> list[str]:
        self._writer.close()
        escaped = self._arrow.problems
        return [f"{escaped:,} texts with a lone surrogate have its escape"] if escaped else []


#: The kinds of files by the ends of their names.
EXPORT_FORMS: Final[Mapping[str, Callable[[IO[bytes], dict[str, str]], _Writer]]] = {
    ".jsonl": _JsonLines,
    ".csv": _Csv,
    ".parquet": _Parquet,
}


def export_sessions(
    client: Client,
    path: str | os.PathLike[str],
    ids: Sequence[str] | None,
    filters: Mapping[str, Any],
    progress: Callable[[int, int | None], None] | None,
    redact: Redact | None = None,
) -> Coroutine[Any, Any, ExportReport]:
    """Return the export to be awaited; see ``wb.export``."""
    target = as_path(path)
    check_callables(redact=redact, progress=progress)
    make = EXPORT_FORMS.get(target.suffix.lower())
    if make is None:
        raise QueryError(
            f"the name of the file must end in {', '.join(EXPORT_FORMS)}, not {target.name!r}: "
            "the end says what is written"
        )
    check_no_table("ids", ids)
    wanted = None if ids is None else list(dict.fromkeys(ids))
    query = Query.from_filters({**filters, "ids": wanted}, order="id")
    return _export(client, target, make, query, wanted, progress, client.hiding(redact))


async def _export(
    client: Client,
    path: Path,
    make: Callable[[IO[bytes], dict[str, str]], _Writer],
    query: Query,
    wanted: Sequence[str] | None,
    progress: Callable[[int, int | None], None] | None,
    redact: Redact | None,
) -> ExportReport:
    report = ExportReport(path)
    found: set[str] = set()
    _check_absent(path)
    with ExitStack() as opened:
        file = opened.enter_context(open_privately(path, replace=False))
        writer = make(file, report.odd)
        try:
            async for sessions in _read_pages(client, query, report.odd):
                kept, page = await run_off_loop(
                    len(sessions),
                    partial(_encode, writer, sessions, redact),
                    client.storage,
                    bytes=sum(len(session.context_json()) for session in sessions),
                )
                write = partial(writer.write, page)
                await finish_off_loop(0, write, client.storage, bytes=page.bytes)
                report.rows += page.rows
                report.left_out += len(sessions) - kept
                if wanted is not None:
                    found.update(session.id for session in sessions)
                if progress is not None:
                    progress(report.rows, None if wanted is None else len(wanted))
            report.notes = writer.close()
        except BaseException:
            with suppress(Exception):
                writer.close()  # while there is a file to close
            raise
        report.bytes = file.tell()
        # Until the disk has all of it.
        await finish_off_loop(0, opened.pop_all().close, client.storage, bytes=report.bytes)
    missing = (id for id in wanted or () if id not in found and id not in report.odd)
    report.missing = list(islice(missing, _NAMED))
    return report


def _encode(
    writer: _Writer, sessions: Sequence[Session], redact: Redact | None
) -> tuple[int, _Page]:
    """Return how many sessions are kept, and these as they are written."""
    if redact is not None:
        changed = (redacted(session, redact) for session in sessions)
        sessions = [session for session in changed if session is not None]
    return len(sessions), writer.encode(sessions)


def _check_absent(path: Path) -> None:
    if os.path.lexists(path):
        raise StorageError(
            f"{path} exists and is not replaced: name another file, or move it away. Nothing was "
            "written",
            nothing_written=True,
        )


async def _read_pages(
    client: Client, query: Query, odd: dict[str, str]
) -> AsyncIterator[Sequence[Session]]:
    """Yield sessions in pages of about the same size in bytes."""
    storage, after, size = require(client.storage, SupportsQuery), None, PageSize(_PAGE)
    while True:
        sessions = await storage.query(query.following(after, size.rows))
        for id, problem in problems_of(sessions).items():
            if len(odd) < _NAMED:
                odd[id] = problem
        if not sessions:
            return
        yield sessions
        after = Cursor("id", sessions[-1].id)
        size.note(len(sessions), sum(len(session.context_json()) for session in sessions))


class Exports(Client):
    """The part of the workbench that writes chosen sessions to a file."""

    @dual
    def export(
        self,
        /,
        path: str | os.PathLike[str],
        ids: Sequence[str] | None = None,
        *,
        redact: Callable[[Session], Session | None] | None = None,
        progress: Callable[[int, int | None], None] | None = None,
        **filters: Any,
    ) -> Coroutine[Any, Any, ExportReport]:
        """Write chosen sessions to one file: JSON lines, CSV or Parquet, by the end of its name.

        The file is complete or not there, only its owner can read it, and one that exists is not
        replaced. JSON lines are graph-flow's own form, with every digit of the context;
        ``Session.from_json(line)`` reads one. In CSV and Parquet the context is a column of JSON
        text, as it is stored. What is written is the real data, unless ``redact`` changes it. See
        ``to_parquet`` for a whole store.

        Example:
            >>> import graphflow_nb, tempfile
            >>> wb = graphflow_nb.open("demo")
            >>> file = f"{tempfile.mkdtemp()}/claims.jsonl"
            >>> wb.export(file, graph="claims", task="await_documents").rows
            10

        Args:
            path: The file to write: its name ends in ``.jsonl``, ``.csv`` or ``.parquet``.
            ids: The ids of the sessions. Default: those that the filters select.
            redact: As for ``copy_to``, e.g. ``graphflow_nb.mask_secrets``.
            progress: A function that is called after each page with the number of sessions
                written, and of how many ids (None without ``ids``). Default: a notebook shows a
                bar.
            filters: The filters of ``sessions``: ``graph``, ``task``, ``where``, …

        Returns:
            The report: how many were written, which ids are not in the store, and what this kind of
            file can't hold.

        Raises:
            QueryError: A filter is invalid, or the name has another end.
            CapabilityError: The storage has no method ``query``.
            StorageError: The file exists or can't be written, pyarrow is missing for Parquet, or
                the store failed; nothing was written.
        """
        bar: Bar | None = None

        def show(done: int, total: int | None) -> None:
            if bar is not None:
                bar.show_count(done, total, "sessions")

        chosen = show if progress is None else progress
        export = export_sessions(self, path, ids, filters, chosen, redact)
        bar = show_bar("writing …") if progress is None else None  # the arguments are right
        return export if bar is None else _show_end(bar, export)


async def _show_end(bar: Bar, export: Coroutine[Any, Any, ExportReport]) -> ExportReport:
    with bar:
        return await export
