"""A folder of Parquet files with all sessions of a store, which goes on where it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from hashlib import scrypt, sha256
from itertools import islice
from pathlib import Path
from time import time_ns
from typing import Any, Final

from ..cards import size
from ..client import Client, HeldSnapshot
from ..errors import QueryError, StorageError
from ..files import TEMPORARY, as_path, open_privately
from ..frames.arrow import Misfit, SessionArrow
from ..model import Session
from ..monitoring.loading import import_pyarrow
from ..printable import describe_count, inflect, printable
from ..storage import Cursor, Query, problems_of
from ..storage.capabilities import require
from ..storage.copying import redacted
from ..storage.estimates import answer_briefly, estimate_count
from ..storage.offloop import finish_off_loop, run_off_loop
from ..storage.pagesize import PageSize
from ..storage.paths import ContextPath
from ..storage.protocols import SupportsCount, SupportsQuery, SupportsTable
from ..storage.scanned import table_of
from ..storage.table import Table
from .manifest import MANIFEST, append_line, create_manifest, read_manifest

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["ParquetExport", "ParquetFile", "ParquetReport"]

_FORM: Final = 1
_NAMED: Final = 1_000  # odd sessions
_PAGE: Final = 10_000  # rows of a read
_CHANGED_SECONDS: Final = 5.0  # that counting what changed meanwhile may take
_VALUES: Final = ("compare", "status", "text")  # filters whose values may be secrets, beside where
_TIMES: Final = ("updated_since", "updated_until", "created_since", "created_until")


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """One complete file.

    Attributes:
        name: Its name in the folder.
        rows: The number of sessions in it.
        bytes: Its size.
        first, last: The ids of its first and its last session.
    """

    name: str
    rows: int
    bytes: int
    first: str
    last: str


@dataclass(slots=True)
class ParquetReport:
    """What ``wb.to_parquet`` wrote, in this call and those before it.

    Attributes:
        folder: The folder.
        files: The complete files, in order.
        complete: Whether all sessions were written.
        resumed: The number of sessions that earlier calls wrote.
        left_out: The number of sessions for which ``redact`` returned None.
        misfits: What typed columns could not hold, and so is missing there: by the column's name
            its ``count``, the id of the ``first``, and that one's ``value``.
        odd: What is wrong with rows that are not sessions, by id; 1,000 at most.
        odd_rows: The number of those.
        escaped: The number of texts with a lone surrogate, which is written as its escape.
        began: When the first call began, by this machine's clock.
        changed: Once complete, the number of selected sessions that were saved after that, which
            may be here as they were before, or missing; None where counting them takes long.
        snapshot: Whether all files are of one moment, by ``snapshot=True``.
    """

    folder: Path
    files: list[ParquetFile] = field(default_factory=list)
    complete: bool = False
    resumed: int = 0
    left_out: int = 0
    misfits: dict[str, Misfit] = field(default_factory=dict)
    odd: dict[str, str] = field(default_factory=dict)
    odd_rows: int = 0
    escaped: int = 0
    began: datetime | None = None
    changed: int | None = None
    snapshot: bool = False

    @property
    def rows(self) -> int:
        """The number of sessions in all files."""
        return sum(file.rows for file in self.files)

    def __str__(self) -> str:
        total = sum(file.bytes for file in self.files)
        bytes = f"{total / 1e6:,.1f} MB" if total >= 1_000_000 else size(total)
        parts = [
            f"{describe_count(self.rows, 'session')} in "
            f"{describe_count(len(self.files), 'file')}, {bytes}"
        ]
        if self.resumed:
            parts.append(f"{self.resumed:,} of them written before")
        if self.left_out:
            parts.append(f"{self.left_out:,} were left out")
        for name, misfit in self.misfits.items():
            parts.append(
                f"{describe_count(misfit.count, 'value')} of {printable(name)} "
                f"{inflect(misfit.count, 'is', 'are')} of another type and missing "
                f"(first {misfit.first!r}: {misfit.value})"
            )
        if self.odd_rows:
            id, problem = next(iter(self.odd.items()))
            parts.append(
                f"{describe_count(self.odd_rows, 'odd row')} (first {id!r}: {printable(problem)})"
            )
        if self.escaped:
            parts.append(
                f"{describe_count(self.escaped, 'text')} with "
                "a lone surrogate, written as its escape"
            )
        if self.snapshot:
            parts.append("all of one moment")
        if self.complete and self.began is not None and self.changed != 0:
            count = "an unknown number of" if self.changed is None else f"{self.changed:,}"
            were = "session was" if self.changed == 1 else "sessions were"
            parts.append(
                f"{count} {were} saved since it began and may be missing or older here: "
                f"updated_since={self.began.isoformat()!r} writes them to another folder"
            )
        return "; ".join([*parts, "complete" if self.complete else "NOT complete"])

    __repr__ = __str__  # what a cell shows that ends with the call


class ParquetExport:
    """One call of ``wb.to_parquet``; see there for the arguments."""

    def __init__(
        self,
        client: Client,
        folder: str | os.PathLike[str],
        context: Mapping[ContextPath, str] | None,
        redact: Callable[[Session], Session | None] | None,
        rows_per_file: int,
        filters: Mapping[str, Any],
        held: HeldSnapshot | None = None,
    ):
        self._client = client
        self._arrow = SessionArrow(context, client.mask)
        self._report = ParquetReport(as_path(folder, "folder"), misfits=self._arrow.misfits)
        self._odd: set[int] = set()  # hashes of all odd ids: there may be many
        self._redact = redact
        self._rows_per_file = rows_per_file
        self._total = 0  # sessions, as far as known
        self._query = Query.from_filters(filters, order="id")
        self._held = held
        self._after: Cursor | None = None
        self._exhausted = False
        self._page = PageSize(_PAGE)
        self._noted: dict[str, dict[str, Any]] = {}  # misfits that the manifest has
        self._named = 0  # odd sessions that it names
        paths = None if context is None else [[path, kind] for path, kind in context.items()]
        given = dict(filters)
        if self._query.ids is not None:  # an iterator has none left, and a set has no order
            given["ids"] = sorted(self._query.ids)
        self._arguments = {
            "filters": _plain(given),
            "context": _plain(paths),
            "redacted": redact is not None,
        }

    async def run(
        self,
        *,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> ParquetReport:
        """Write what is missing in the folder, and return the report of all of it.

        Args:
            progress: A function that is called with the number of sessions done, and of all, or
                None if that is unknown.
            stop: A function that is asked after each batch whether to end with it.
        """
        import_pyarrow()
        report = self._report
        with _alone(report.folder):
            self._resume()
            if progress is not None and isinstance(self._client.storage, SupportsCount):
                about = await estimate_count(self._client.storage, self._query)
                self._total = about.sessions
            try:
                while not report.complete:
                    file = await self._write_file(progress, stop)
                    self._note(file)
                    if stop is not None and stop():
                        break
            except StorageError as error:
                if report.rows and self._held is None:
                    written = describe_count(report.rows, "session was", "sessions were")
                    error.note_done(
                        f"{written} written to files that are complete; the same call goes on "
                        "behind them"
                    )
                raise
            finally:
                if self._held is not None:
                    await self._held.close()
            if report.complete:
                report.changed = await self._count_changed()
        return report

    # The folder

    def _resume(self) -> None:
        """Read what an earlier call wrote, and check that this one goes on with it.

        Raises:
            QueryError: The arguments are others.
            StorageError: The folder is not that of such a call.
        """
        report = self._report
        path = report.folder / MANIFEST
        names = {entry.name for entry in os.scandir(report.folder)}
        left = {name for name in names if name.startswith(TEMPORARY)}  # by a call that was killed
        present = names - left
        if MANIFEST not in present:
            if present:
                raise StorageError(
                    f"{report.folder} has other files and no {MANIFEST}: name an empty folder. "
                    "Nothing was written",
                    nothing_written=True,
                )
            self._remove(left)
            self._begin()
            return
        try:
            header, *lines = read_manifest(path)
            if header["form"] != _FORM:
                raise ValueError(f"its form is {header['form']!r}")
            _ = header["store"], header["arguments"]
            report.began = datetime.fromisoformat(header["began"])
            times: dict[str, Any] = {
                name: datetime.fromisoformat(time) for name, time in header["times"].items()
            }
            for line in lines:
                self._take(line)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise StorageError(
                f"{path} can't be read as what to_parquet wrote: {error}. Nothing was written; "
                "name another folder",
                nothing_written=True,
            ) from error
        self._check(header, present)
        if self._held is not None and report.files and not report.complete:
            raise QueryError(
                f"{report.folder} was begun by an earlier call, and its moment can't be read any "
                "more: name another folder for one snapshot, or leave snapshot=True out to go on "
                "with what is stored now. Nothing was written"
            )
        report.resumed = report.rows
        self._arrow.problems = report.escaped
        # "2 days" means what it meant when the first file was written.
        self._query = replace(self._query, **times)
        self._remove(left)

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            with suppress(OSError):
                os.unlink(self._report.folder / name)

    def _check(self, header: Mapping[str, Any], present: set[str]) -> None:
        folder, files, arguments = self._report.folder, self._report.files, header["arguments"]
        if header["store"] != self._store:
            raise StorageError(
                f"{folder} has the sessions of another store: name another folder. Nothing was "
                "written",
                nothing_written=True,
            )
        if arguments != self._arguments and not (
            arguments == self._shown_arguments
            and header.get("digest") == self._digest(header["began"])
        ):
            raise QueryError(
                f"{folder} was begun with other arguments, {json.dumps(arguments)}: repeat them, "
                "or name another folder. Nothing was written"
            )
        for file in files:
            if file.name not in present or os.path.getsize(folder / file.name) != file.bytes:
                raise StorageError(
                    f"{folder / file.name} is not the file that was written there: name another "
                    "folder. Nothing was written",
                    nothing_written=True,
                )
        ours = {file.name for file in files} | {MANIFEST, _name(len(files))}
        others = sorted(present - ours)
        if others:
            raise StorageError(
                f"{folder} has a file that to_parquet did not write, {others[0]!r}: move it away. "
                "Nothing was written",
                nothing_written=True,
            )

    @property
    def _store(self) -> str:
        return sha256(self._client.attributes.identity.encode()).hexdigest()

    @property
    def _shown_arguments(self) -> dict[str, Any]:
        """The arguments without secrets that are looked for: others get the folder, too."""
        shown = self._query.hide_values(self._client.mask)
        hidden = {
            name: _plain(shown[field])
            for name, field in (("where", "context"), *((name, name) for name in _VALUES))
            if shown[field] != getattr(self._query, field)
        }
        return self._arguments | {"filters": self._arguments["filters"] | hidden}

    def _digest(self, began: str) -> str:
        """Return what two calls that look for different secrets have different; slow to guess."""
        text = json.dumps(self._arguments, sort_keys=True).encode()
        return scrypt(text, salt=began.encode(), n=2**14, r=8, p=1).hex()

    def _begin(self) -> None:
        """Create the manifest."""
        times = {name: getattr(self._query, name) for name in _TIMES}
        began, shown = datetime.now(UTC), self._shown_arguments
        self._report.began = began
        header = {
            "form": _FORM,
            "store": self._store,
            "arguments": shown,
            "times": {name: time.isoformat() for name, time in times.items() if time is not None},
            "began": began.isoformat(),
        }
        if shown != self._arguments:
            header["digest"] = self._digest(began.isoformat())
        create_manifest(self._report.folder / MANIFEST, header)

    def _note(self, file: ParquetFile | None) -> None:
        """Add a complete file to the manifest and to the report, with what is new in this."""
        report = self._report
        misfits = {name: asdict(misfit) for name, misfit in report.misfits.items()}
        record = {
            "file": None if file is None else asdict(file),
            "after": None if self._after is None else self._after.to_plain(),
            "complete": self._exhausted,
            "misfits": {n: m for n, m in misfits.items() if self._noted.get(n) != m},
            "odd": dict(islice(report.odd.items(), self._named, None)),
            "odd_rows": report.odd_rows,
            "left_out": report.left_out,
            "escaped": self._arrow.problems,
            "snapshot": self._held is not None,
        }
        append_line(report.folder / MANIFEST, record)
        self._take(record)

    def _take(self, record: Mapping[str, Any]) -> None:
        """Add a line of the manifest to the report."""
        report = self._report
        first = not report.files
        if record["file"] is not None:
            report.files.append(ParquetFile(**record["file"]))
        after = record["after"]
        self._after = None if after is None else Cursor.from_plain(after)
        report.complete = record["complete"]
        self._noted |= record["misfits"]
        report.misfits.update((n, Misfit(**m)) for n, m in record["misfits"].items())
        report.odd.update(record["odd"])
        self._named = len(report.odd)
        report.odd_rows, report.left_out = record["odd_rows"], record["left_out"]
        report.escaped = record["escaped"]
        report.snapshot = record.get("snapshot", False) and (first or report.snapshot)

    async def _count_changed(self) -> int | None:
        """Return how many selected sessions were saved since the first call began."""
        storage, began = self._client.storage, self._report.began
        if began is None or not isinstance(storage, SupportsCount):
            return None
        since = max(began, self._query.updated_since or began)
        query = replace(self._query, updated_since=since)
        return await answer_briefly(storage, storage.count(query), _CHANGED_SECONDS)

    # The rows

    async def _write_file(
        self,
        progress: Callable[[int, int | None], None] | None,
        stop: Callable[[], bool] | None,
    ) -> ParquetFile | None:
        """Write and return the next file; None with no session left."""
        _, pq = import_pyarrow()
        report = self._report
        batch, ends = await self._read()
        if batch is None:
            return None
        name, rows, first, last = _name(len(report.files)), 0, ends[0], ends[1]
        path = report.folder / name
        with ExitStack() as opened:
            file = opened.enter_context(open_privately(path))
            writer = opened.enter_context(pq.ParquetWriter(file, self._arrow.schema))
            while batch is not None:
                write, size = partial(writer.write_batch, batch), batch.nbytes
                await finish_off_loop(batch.num_rows, write, self._client.storage, bytes=size)
                rows, last = rows + batch.num_rows, ends[1]
                if progress is not None:
                    done = report.rows + rows
                    progress(done, self._total if self._total > done else None)
                if rows >= self._rows_per_file or (stop is not None and stop()):
                    break
                batch, ends = await self._read(self._rows_per_file - rows)
            # Until the disk has all of it.
            await finish_off_loop(rows, opened.pop_all().close, self._client.storage)
        return ParquetFile(name, rows, path.stat().st_size, first, last)

    async def _read(self, most: int | None = None) -> tuple[Any, tuple[str, str]]:
        """Return the next sessions as a batch with its first and last id; no batch at the end."""
        while not self._exhausted:
            limit = min(self._page.rows, self._rows_per_file if most is None else most)
            query = self._query.following(self._after, limit)
            if self._arrow.context is None:
                table, contexts, after = await self._read_whole(query)
                bytes = sum(map(len, contexts))
            else:
                async with self._reading() as storage:
                    columns = require(storage, SupportsTable)
                    table, contexts = await columns.table(query, list(self._arrow.context)), []
                after, bytes = table.next, table.value_size
                self._page.note(len(table), bytes)
                self._note_odd(table.problems)
            self._exhausted = after is None
            self._after = after or self._after
            if len(table):
                batch = await run_off_loop(
                    len(table),
                    partial(self._arrow.batch, table, contexts),
                    self._client.storage,
                    bytes=bytes,
                )
                return batch, (table.id[0], table.id[-1])
        return None, ("", "")

    def _reading(self) -> AbstractAsyncContextManager[Any]:
        """Return what gives the storage to read."""
        return nullcontext(self._client.storage) if self._held is None else self._held.reading()

    async def _read_whole(self, query: Query) -> tuple[Table, list[str | bytes], Cursor | None]:
        async with self._reading() as storage:
            found = await require(storage, SupportsQuery).query(query)
        self._note_odd(problems_of(found))
        now, size = time_ns() // 1000, sum(len(session.context_json()) for session in found)
        self._page.note(len(found), size)

        def build() -> tuple[list[Session], Table, list[str | bytes]]:
            wanted = [s for session in found if (s := redacted(session, self._redact)) is not None]
            return wanted, table_of(wanted, now), [s.context_json() for s in wanted]

        wanted, table, contexts = await run_off_loop(
            len(found), build, self._client.storage, bytes=size
        )
        self._report.left_out += len(found) - len(wanted)
        for id, problem in table.problems.items():
            raise StorageError(f"redact= returned what can't be stored for {id!r}: {problem}")
        return table, contexts, Cursor("id", found[-1].id) if found else None

    def _note_odd(self, problems: Mapping[str, str]) -> None:
        report = self._report
        for id, problem in problems.items():
            if id in report.odd or hash(id) in self._odd:  # a page may name one again
                continue
            self._odd.add(hash(id))
            report.odd_rows += 1
            if len(report.odd) < _NAMED:
                report.odd[id] = problem


def _name(number: int) -> str:
    return f"part-{number:05}.parquet"


def _plain(value: Any) -> Any:
    """Return arguments as JSON has them, to be compared with those of a later call."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {key: _plain(value[key]) for key in sorted(value)}
        return sorted([_plain(key), _plain(item)] for key, item in value.items())
    if isinstance(value, (bytes, bytearray)) or not hasattr(value, "__iter__"):
        return str(value)
    return [_plain(item) for item in value]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Create a folder if need be, and keep other calls out of it.

    Raises:
        StorageError: It can't be created, or another call writes to it.
    """
    fd = -1
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if fcntl is not None:
            fd = os.open(folder, os.O_RDONLY)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if fd >= 0:
            os.close(fd)
        reason = "another call writes to it" if fd >= 0 else error.strerror
        raise StorageError(
            f"{folder} can't be written: {reason}. Nothing was changed", nothing_written=True
        ) from error
    try:
        yield
    finally:
        if fd >= 0:
            os.close(fd)
