"""The subjects of rules besides the facts of a store: recorded operations and pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..storage.facts import StoreFacts

__all__ = ["Operations", "ResettingPool", "Seen", "median_ms", "start_times"]


@dataclass(frozen=True, eq=False)
class Operations:
    """The operations that a workbench recorded.

    Attributes:
        frame: One row an operation, as ``wb.latency.frame()`` returns it.
    """

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    def select(self, *ops: str) -> pd.DataFrame:
        """Return the successful operations with one of these names, in the order of their start."""
        ended = self.frame["outcome"].isin(("ok", "missing"))
        return self.frame[self.frame["op"].isin(ops) & ended]

    @property
    def gets(self) -> pd.DataFrame:
        """The gets that were answered; ``missing`` is an answer too."""
        return self.select("get")

    @property
    def saves(self) -> pd.DataFrame:
        """The successful saves and upserts of one session each."""
        return self.select("save", "upsert")

    @property
    def pages(self) -> pd.DataFrame:
        """The successful queries for a page of sessions."""
        return self.select("query", "table")


@dataclass(frozen=True)
class ResettingPool:
    """A pool of asyncpg, in a storage, that resets each connection returned to it.

    Attributes:
        name: The attribute of the storage.
    """

    name: str


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The facts of a store together with its recorded use.

    Attributes:
        facts: The facts of the store, None if the storage reports none.
        operations: The recorded operations.
        orders: The columns by which pages are requested.
        filters: The names of the filters by which sessions are asked for.
    """

    facts: StoreFacts | None
    operations: Operations
    orders: Sequence[str] = ("updated_at",)
    filters: Sequence[str] = ()


def start_times(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Return the times when the operations of a frame started, in nanoseconds since 1970."""
    return frame["started_at"].to_numpy("M8[ns]").astype(np.int64)


def median_ms(values: pd.Series[int]) -> float:
    """Return the p50, in milliseconds, of one or more durations in nanoseconds."""
    return round(float(np.percentile(values, 50, method="inverted_cdf")) / 1e6, 3)
