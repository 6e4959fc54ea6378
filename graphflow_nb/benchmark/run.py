"""The result of a benchmark: settings, machine, stores and measurements."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import BenchmarkError, StorageError
from ..files import write_privately
from ..frames import operations_frame
from ..monitoring import Records
from ..monitoring.durations import Durations
from ..monitoring.loading import import_pyarrow
from ..monitoring.operation import FAILED, MEASURES
from ..monitoring.percentiles import percentile
from ..monitoring.records import describe_bound
from .archive import UNREADABLE, open_archive
from .load import Turn
from .settings import Settings
from .stats import estimate

if TYPE_CHECKING:
    from ..figures import LatencyFigure
    from ..figures.theme import ThemeName
    from .report import Report

__all__ = ["Run", "Store"]

_FORM: Final = 1


@dataclass(frozen=True)
class Store:
    """A store that a benchmark measured.

    Attributes:
        label: The name of the store in this run.
        storage: The class of the storage.
        place: The store, without the password.
        version: The version of its server, "" if it reports none.
    """

    label: str
    storage: str
    place: str
    version: str


@dataclass(frozen=True, eq=False)
class Run:
    """The result of a benchmark; ``wb.benchmark`` and ``graphflow_nb.compare`` return it.

    Example:
        >>> import graphflow_nb
        >>> run = graphflow_nb.open("memory:").benchmark("C", duration=0.1, repeats=2, warmup=0)
        >>> run.summary().index.tolist(), len(run.turns)
        (['memory'], 2)

    Attributes:
        settings: The settings of the benchmark.
        machine: Processor, system and versions, by name.
        stores: The stores that were measured.
        began: The time when it began.
        turns: The measurements of each turn, without warm-ups.
        notes: Remarks for the reader, such as that the run was stopped, or what it left in a store.
    """

    settings: Settings
    machine: Mapping[str, str]
    stores: Sequence[Store]
    began: datetime
    turns: Sequence[Turn]
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def complete(self) -> bool:
        """Whether all turns of all stores were measured."""
        return len(self.turns) == self.settings.repeats * len(self.stores)

    def frame(self) -> pd.DataFrame:
        """Return the operations of all stores.

        Returns:
            The columns of ``Latency.frame``, and ``repeat`` (int64).

        Raises:
            BenchmarkError: The run was stopped before its first turn ended.
        """
        return self._join_turns([turn.operations for turn in self.turns])

    def requests(self) -> pd.DataFrame:
        """Return the requests of the workload, each of which can be several operations.

        Returns:
            Columns ``request``, ``storage`` (category), ``session_id`` (text), ``meant_at``
            (datetime64[ns, UTC], when it was to start), ``late_ns`` (int64, how much later it
            started; 0 in a closed loop), ``service_ns`` (int64, from its start on: the naive
            figure), ``response_ns`` (int64, both together: how long the caller waited),
            ``outcome`` (category), ``error`` (text), ``repeat`` (int64).

        Raises:
            BenchmarkError: The run was stopped before its first turn ended.
        """
        frame = self.requests_as_operations()
        service = frame["duration_ns"] - frame["wait_ns"]
        requests = pd.DataFrame(
            {
                "request": frame["op"],
                "storage": frame["storage"],
                "session_id": frame["session_id"],
                "meant_at": frame["started_at"],
                "late_ns": frame["wait_ns"],
                "service_ns": service,
                "response_ns": frame["duration_ns"],
                "outcome": frame["outcome"],
                "error": frame["error"],
                "repeat": frame["repeat"],
            }
        )
        requests.attrs = dict(frame.attrs)
        return requests

    def requests_as_operations(self) -> pd.DataFrame:
        """Return the requests in the form of operations, which the figures take.

        ``wait_ns`` is how late each request started, ``duration_ns`` counts from when it was to
        start.

        Raises:
            BenchmarkError: The run was stopped before its first turn ended.
        """
        frame = self._join_turns([turn.requests for turn in self.turns])
        # A request that started in time was 0 ns late, which is measured.
        return frame.fillna(dict.fromkeys(MEASURES, 0)).astype(dict.fromkeys(MEASURES, "int64"))

    def _join_turns(self, parts: Sequence[Records]) -> pd.DataFrame:
        if not parts:
            raise BenchmarkError(
                "the run was stopped before its first turn ended, so it has no data"
            )
        # Not sorted by time, so that each row's turn is known.
        joined = Records.chained(parts)
        frame = operations_frame(joined)
        repeats = [turn.repeat for turn in self.turns]
        frame["repeat"] = np.repeat(np.array(repeats, np.int64), [len(part) for part in parts])
        return frame

    @cached_property
    def _summary(self) -> pd.DataFrame:
        rows = {}
        for store in self.stores:
            turns = [turn for turn in self.turns if turn.store == store.label]
            if turns:
                rows[store.label] = self._summarize_store(turns)
        result = pd.DataFrame.from_dict(rows, orient="index")
        result.index.name = "storage"
        return result.astype({"requests": "int64", "failed": "int64"}) if len(result) else result

    def summary(self) -> pd.DataFrame:
        """Return the figures of each store: geometric means of the repeats, with 95 % intervals.

        Returns:
            Indexed by ``storage``: ``requests``, ``failed`` (int64); ``per_s`` (throughput),
            ``mean_us``, ``p50_us``, ``p99_us`` (response time in microseconds), each with ``…_low``
            and ``…_high`` (float64, NaN with fewer than two repeats). In an open loop also
            ``naive_p99_us``, which ignores late starts; in a closed loop ``client_us``, the
            processor time that this client itself used for a request. p99 is NaN where a turn has
            fewer than 100 requests.
        """
        return self._summary.copy()

    def _summarize_store(self, turns: Sequence[Turn]) -> dict[str, float]:
        row: dict[str, float] = {
            "requests": sum(_count_requests(turn.requests) for turn in turns),
            "failed": sum(_count_failed(turn.requests) for turn in turns),
        }
        found = [Durations(t.requests.duration_ns, t.requests.past.values()) for t in turns]
        each = {
            "per_s": [_count_made(turn) / turn.seconds for turn in turns],
            "mean_us": [durations.mean / 1000 for durations in found],
            "p50_us": [durations.percentile(50) / 1000 for durations in found],
            "p99_us": [durations.percentile(99) / 1000 for durations in found],
        }
        for name, values in each.items():
            mean = estimate(values)
            row |= {name: mean.value, f"{name}_low": mean.low, f"{name}_high": mean.high}
        if self.settings.rate is not None:
            naive = [percentile(_service_ns(turn), 99) / 1000 for turn in turns]
            row["naive_p99_us"] = estimate(naive).value
        else:
            client = [
                turn.client_seconds / max(one.count, 1) * 1e6
                for turn, one in zip(turns, found, strict=True)
            ]
            row["client_us"] = estimate(client).value
        return row

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the run to a file: a ZIP archive of JSON and Parquet.

        Args:
            path: The file, which is replaced as a whole if it exists.

        Raises:
            StorageError: The package pyarrow is missing, or the file can't be written.
        """
        kept = {
            "form": _FORM,
            "settings": self.settings.state(),
            "machine": dict(self.machine),
            "stores": [asdict(store) for store in self.stores],
            "began": self.began.isoformat(),
            "notes": list(self.notes),
            "turns": [
                [turn.store, turn.repeat, turn.seconds, turn.client_seconds] for turn in self.turns
            ],
        }
        members = {"run.json": json.dumps(kept, ensure_ascii=False, indent=1).encode()}
        for number, turn in enumerate(self.turns):
            members[f"requests-{number}.parquet"] = turn.requests.parquet()
            members[f"operations-{number}.parquet"] = turn.operations.parquet()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        write_privately(path, packed.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the run that ``save`` wrote to a file.

        Raises:
            BenchmarkError: The file can't be read as a run.
            StorageError: The package pyarrow is missing.
        """
        import_pyarrow()
        try:
            with open_archive(path) as archive:
                kept = msgspec.json.decode(archive.read("run.json"), type=_Kept)
                if kept.form != _FORM:
                    raise ValueError(f"this version does not know the form {kept.form}")
                labels = {store.label for store in kept.stores}
                if not {turn.store for turn in kept.turns} <= labels:
                    raise ValueError("a turn in it is of no store")
                turns = [
                    Turn(
                        turn.store,
                        turn.repeat,
                        turn.seconds,
                        turn.client_seconds,
                        _read_records(archive, f"requests-{number}.parquet"),
                        _read_records(archive, f"operations-{number}.parquet"),
                    )
                    for number, turn in enumerate(kept.turns)
                ]
            settings = Settings.from_state(kept.settings)
            return cls(settings, kept.machine, kept.stores, kept.began, turns, kept.notes)
        except StorageError as error:
            raise BenchmarkError(f"{os.fspath(path)} can't be read as a run: {error}") from error
        except UNREADABLE as error:
            raise BenchmarkError(
                f"{os.fspath(path)} can't be read as a run: {error or type(error).__name__}. It is "
                "damaged, or not as Run.save wrote it: nothing was loaded. Take another copy of it"
            ) from error

    def to_html(self) -> str:
        """Return the report as one HTML page that needs nothing else: settings, figures, plots."""
        themes: tuple[ThemeName, ...] = ("light", "dark") if self.turns else ()
        figures = {theme: self.plot(theme=theme) for theme in themes}
        return self._make_report().render_page(self.machine, figures)

    def plot(self, *, large: bool = False, theme: ThemeName = "both") -> LatencyFigure:
        """Draw the figures of the requests, how long they took, and where time was spent.

        Each store and request has its row: nothing is merged. Requests have the names of the
        operations that they make: ``read`` is ``get``, ``modify`` is ``modify (get, save)``. In an
        open loop the naive curve is beside the corrected one.

        Args:
            large: Whether it is for a projector: larger, and one picture below the other.
            theme: ``both`` (transparent, for a light and a dark ground), ``light`` or ``dark``.

        Raises:
            BenchmarkError: The run was stopped before its first turn ended.
        """
        # matplotlib takes its time: only when it is wanted
        from .plots import draw_run, name_requests

        operations = self.frame()
        requests = name_requests(self.requests_as_operations(), operations)
        open_loop = self.settings.rate is not None
        return draw_run(requests, operations, open_loop=open_loop, large=large, theme=theme)

    def compare(self, other: Run, *, theme: ThemeName = "both") -> LatencyFigure:
        """Draw how much slower or quicker this run was than another, with bootstrap intervals.

        Args:
            other: The run to compare with.
            theme: ``both`` (transparent), ``light`` or ``dark``.

        Raises:
            BenchmarkError: They have no store and request in common.
        """
        from .plots import draw_difference, name_requests  # with matplotlib, as in plot

        before, after = (
            name_requests(run.requests_as_operations(), run.frame()) for run in (other, self)
        )
        return draw_difference(before, after, theme=theme)

    def points(self) -> pd.DataFrame:
        """Return this run's points in a figure of throughput against latency.

        For several runs at rising rates:
        ``plot_throughput(pd.concat([run.points() for run in runs]))``.

        Returns:
            One row a store: ``storage`` (text), ``offered``, ``achieved`` (float64, requests a
            second; ``offered`` is NaN in a closed loop), ``p50_ns``, ``p99_ns`` (float64, response
            time), ``failed`` (int64).
        """
        found = self.summary()
        offered = float("nan") if self.settings.rate is None else self.settings.rate
        return pd.DataFrame(
            {
                "storage": list(found.index),
                "offered": np.full(len(found), offered),
                "achieved": found["per_s"].to_numpy(),
                "p50_ns": found["p50_us"].to_numpy() * 1000,
                "p99_ns": found["p99_us"].to_numpy() * 1000,
                "failed": found["failed"].to_numpy(),
            }
        )

    def _make_report(self) -> Report:
        from .report import Report  # with matplotlib, as in plot

        kept = sum(len(turn.requests) for turn in self.turns)
        made = sum(_count_requests(turn.requests) for turn in self.turns)
        notes = list(self.notes)
        if bound := describe_bound(kept, made, "requests"):
            naive = "" if self.settings.rate is None else " but naive p99"
            notes.append(f"{bound} and drawn; the figures count all{naive}")
        return Report(self.settings, self.began, self.summary(), notes)

    def __repr__(self) -> str:
        return self._make_report().render_text()

    def _repr_html_(self) -> str:
        return self._make_report().render_card()


class _KeptTurn(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    store: str
    repeat: Annotated[int, msgspec.Meta(ge=0, lt=1000)]
    seconds: Annotated[float, msgspec.Meta(gt=0, le=1e9)]
    client_seconds: Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class _Kept(msgspec.Struct):
    """What ``run.json`` in the file of a run has."""

    form: int
    settings: dict[str, Any]
    machine: dict[str, str]
    stores: list[Store]
    began: Annotated[datetime, msgspec.Meta(tz=True)]
    notes: list[str]
    turns: list[_KeptTurn]


def _read_records(archive: zipfile.ZipFile, name: str) -> Records:
    content = archive.read(name)
    whole = max(sum(info.file_size for info in archive.infolist()), 1)
    return Records.from_parquet(content, name, len(content) / whole)


def _service_ns(turn: Turn) -> NDArray[np.int64]:
    """Return how long each request that is kept took from its actual start on, in ns."""
    return turn.requests.duration_ns - turn.requests.measures["wait_ns"]


def _count_requests(records: Records) -> int:
    return len(records) + records.forgotten


def _count_failed(records: Records) -> int:
    return sum(n for kind, n in records.counts().items() if kind.outcome in FAILED)


def _count_made(turn: Turn) -> int:
    return sum(n for kind, n in turn.requests.counts().items() if kind.op != "none")
