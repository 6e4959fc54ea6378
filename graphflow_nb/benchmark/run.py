"""One benchmark that was run: settings, machine, versions, data."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import pandas as pd

from ..errors import BenchmarkError
from ..frames import operations_frame
from ..monitoring import Records
from ..monitoring.operation import FAILED
from ..monitoring.percentiles import percentile
from ..monitoring.records import write_whole
from . import Turn
from .settings import Settings
from .stats import estimate

if TYPE_CHECKING:
    from ..figures import LatencyFigure
    from ..figures.theme import ThemeName

__all__ = ["Run", "Store"]

_FORM: Final = 1


@dataclass(frozen=True)
class Store:
    """A store of a run.

    Attributes:
        label: how the run calls it.
        storage: its class.
        place: what it is, without the password.
        version: of its server, "" where it tells none.
    """

    label: str
    storage: str
    place: str
    version: str


@dataclass(frozen=True, eq=False)
class Run:
    """What a benchmark showed; made by ``wb.benchmark`` and ``graphflow_nb.compare``.

    Attributes:
        settings: what was asked for.
        machine: what it ran on, and the versions of what took part.
        stores: those that were measured.
        began: when.
        turns: the data of each turn, warm-ups left out.
        notes: what is to be known about it, e.g. that it was stopped.
    """

    settings: Settings
    machine: Mapping[str, str]
    stores: Sequence[Store]
    began: datetime
    turns: Sequence[Turn]
    notes: Sequence[str] = field(default_factory=tuple)

    def frame(self) -> pd.DataFrame:
        """The operations of all stores, as ``Latency.frame`` has them, and ``repeat`` (int64)."""
        return self._joined("operations")

    def requests(self) -> pd.DataFrame:
        """What the workload's requests took: a request can be several operations.

        Returns:
            ``request``, ``storage`` (category), ``session_id`` (text), ``meant_at``
            (datetime64[ns, UTC], when it was meant to start), ``late_ns`` (int64, how much later it
            did; 0 in a closed loop), ``service_ns`` (int64, from its start on: the naive figure),
            ``response_ns`` (int64, both together: what who asked has waited), ``outcome``
            (category), ``error`` (text), ``repeat`` (int64).
        """
        frame = self.requests_as_operations()
        service = frame["duration_ns"] - frame["wait_ns"]
        return pd.DataFrame(
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

    def requests_as_operations(self) -> pd.DataFrame:
        """The requests in the form of operations, which figures take: ``wait_ns`` is how late each
        began, ``duration_ns`` counts from when it was meant to begin.
        """
        return self._joined("requests")

    def _joined(self, which: str) -> pd.DataFrame:
        parts: list[Records] = [getattr(turn, which) for turn in self.turns]
        if not parts:
            raise BenchmarkError("the run was stopped before its first turn ended: it has no data")
        # Not sorted by time, so that each row's turn is known.
        joined = Records.chained(parts)
        frame = operations_frame(joined)
        repeats = [turn.repeat for turn in self.turns]
        frame["repeat"] = np.repeat(np.array(repeats, np.int64), [len(part) for part in parts])
        return frame

    @cached_property
    def _figures(self) -> pd.DataFrame:
        rows = {}
        for store in self.stores:
            turns = [turn for turn in self.turns if turn.store == store.label]
            if turns:
                rows[store.label] = self._of_store(turns)
        result = pd.DataFrame.from_dict(rows, orient="index")
        result.index.name = "storage"
        return result.astype({"requests": "int64", "failed": "int64"}) if len(result) else result

    def summary(self) -> pd.DataFrame:
        """The figures of each store: geometric means of the repeats, with 95 % intervals.

        Returns:
            Indexed by ``storage``: ``requests``, ``failed`` (int64); ``per_s`` (throughput),
            ``mean_us``, ``p50_us``, ``p99_us`` (response time in microseconds), each with ``…_low``
            and ``…_high`` (float64, NaN with fewer than two repeats); in an open loop also
            ``naive_p99_us``, what would be told if late starts did not count; in a closed loop
            ``client_us``, the processor time that this client itself took for a request. p99 is NaN
            where a turn has fewer than 100 requests.
        """
        return self._figures.copy()

    def _of_store(self, turns: Sequence[Turn]) -> dict[str, float]:
        row: dict[str, float] = {
            "requests": sum(len(turn.requests) for turn in turns),
            "failed": sum(_failed(turn.requests) for turn in turns),
        }
        each = {
            "per_s": [_made(turn) / turn.seconds for turn in turns],
            "mean_us": [float(_micros(turn).mean()) for turn in turns],
            "p50_us": [percentile(_micros(turn), 50) for turn in turns],
            "p99_us": [percentile(_micros(turn), 99) for turn in turns],
        }
        for name, values in each.items():
            found = estimate(values)
            row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
        if self.settings.rate is not None:
            naive = [percentile(_micros(turn, naive=True), 99) for turn in turns]
            row["naive_p99_us"] = estimate(naive).value
        else:
            client = [turn.client_seconds / max(len(turn.requests), 1) * 1e6 for turn in turns]
            row["client_us"] = estimate(client).value
        return row

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the run as one file: a ZIP archive of JSON and Parquet.

        Raises:
            StorageError: pyarrow is missing, or the file can't be written.
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
        write_whole(path, packed.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """What ``save`` wrote.

        Raises:
            BenchmarkError: this is no such file.
            StorageError: pyarrow is missing.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            kept = json.loads(members["run.json"])
            if kept["form"] != _FORM:
                raise ValueError(f"its form is {kept['form']}, which this version does not know")
            return cls(
                Settings.from_state(kept["settings"]),
                kept["machine"],
                [Store(**store) for store in kept["stores"]],
                datetime.fromisoformat(kept["began"]),
                [
                    Turn(
                        store,
                        repeat,
                        seconds,
                        client_seconds,
                        Records.from_parquet(members[f"requests-{number}.parquet"]),
                        Records.from_parquet(members[f"operations-{number}.parquet"]),
                    )
                    for number, (store, repeat, seconds, client_seconds) in enumerate(kept["turns"])
                ],
                kept["notes"],
            )
        except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
            raise BenchmarkError(f"{path} can't be read as a run: {error}") from error

    def to_html(self) -> str:
        """The report as one HTML page that needs nothing else: settings, figures, plots."""
        from .report import page

        return page(self)

    def plot(self, *, theme: ThemeName = "light") -> LatencyFigure:
        """What requests took, and where the storages spent their time; with the naive curve
        beside the corrected one in an open loop.

        Raises:
            BenchmarkError: the run was stopped before its first turn ended.
        """
        from .plots import run_figure

        return run_figure(self, theme)

    def compare(self, other: Run, *, theme: ThemeName = "light") -> LatencyFigure:
        """How much slower or quicker this run was than another, with bootstrap intervals.

        Raises:
            BenchmarkError: they have no store and request in common.
        """
        from .plots import difference_figure

        return difference_figure(self, other, theme)

    def points(self) -> pd.DataFrame:
        """This run's points in a figure of throughput against latency.

        Of several runs at rising rates: ``plot_throughput(pd.concat([r.points() for r in runs]))``.

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

    def __repr__(self) -> str:
        from .report import text

        return text(self)

    def _repr_html_(self) -> str:
        from .report import run_card

        return run_card(self)


def _micros(turn: Turn, *, naive: bool = False) -> Any:
    requests = turn.requests
    nanos = requests.duration_ns
    return (nanos - requests.measures["wait_ns"] if naive else nanos) / 1000


def _failed(records: Records) -> int:
    return sum(n for kind, n in records.counts().items() if kind.outcome in FAILED)


def _made(turn: Turn) -> int:
    return sum(n for kind, n in turn.requests.counts().items() if kind.op != "none")
