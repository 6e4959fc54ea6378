"""Workloads: which requests they make, in which shares, on which sessions."""

from __future__ import annotations

import math
import random
from bisect import bisect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from types import MappingProxyType
from typing import Final, Literal, get_args

from ..errors import BenchmarkError

__all__ = ["REQUESTS", "WORKLOADS", "Keys", "Workload", "make_chooser"]

Keys = Literal["zipfian", "uniform", "latest"]

#: The requests, and what each does:
#:
#: - ``read``: get a session.
#: - ``update``: write a whole session without reading it first (``upsert``).
#: - ``insert``: save a new session.
#: - ``scan``: query up to 100 sessions in the order of their ids, beginning after one of them.
#: - ``modify``: get a session, set a value, save it; on a conflict, get it again.
#: - ``flow``: do a step as a runner does: get a session, move it to another task with a new status,
#:   append a message, save it; on a conflict, get it again.
REQUESTS: Final = ("read", "update", "insert", "scan", "modify", "flow")
READING: Final = frozenset(("read", "scan"))

_ZIPF: Final = 0.99  # the exponent that YCSB uses


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A mix of requests.

    ``WORKLOADS`` has the workloads A to F of the Yahoo! Cloud Serving Benchmark (Cooper et al.,
    2010), and ``flow``.

    Example:
        >>> from graphflow_nb import Workload
        >>> mostly_reads = Workload(name="mostly reads", shares={"read": 0.9, "flow": 0.1})
        >>> mostly_reads.writes
        True

    Args:
        name: The name that is shown.
        shares: The share of each request; the shares add up to 1. The requests are ``read``,
            ``update``, ``insert``, ``scan``, ``modify`` and ``flow``.
        keys: The sessions that are requested: ``zipfian`` (a few of them often, scattered over all
            ids), ``uniform``, or ``latest`` (zipfian, the newest most often).

    Raises:
        BenchmarkError: A request or ``keys`` is unknown, or the shares don't add up to 1.
    """

    name: str
    shares: Mapping[str, float]
    keys: Keys = "zipfian"
    _steps: tuple[list[str], list[float]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        unknown = [request for request in self.shares if request not in REQUESTS]
        if unknown:
            raise BenchmarkError(
                f"unknown request {', '.join(map(repr, unknown))}: use {', '.join(REQUESTS)}"
            )
        if any(not 0 <= share <= 1 for share in self.shares.values()) or not math.isclose(
            sum(self.shares.values()), 1
        ):
            raise BenchmarkError(
                f"the shares of a workload must add up to 1, which {dict(self.shares)} do not"
            )
        if self.keys not in get_args(Keys):
            raise BenchmarkError(f"unknown keys {self.keys!r}: use {', '.join(get_args(Keys))}")
        object.__setattr__(self, "shares", MappingProxyType(dict(self.shares)))
        object.__setattr__(
            self, "_steps", (list(self.shares), list(accumulate(self.shares.values())))
        )

    @property
    def writes(self) -> bool:
        """Whether any of the requests writes."""
        return any(share and request not in READING for request, share in self.shares.items())

    def request(self, chance: random.Random) -> str:
        """Return one of the requests, drawn by their shares."""
        requests, steps = self._steps
        if len(requests) == 1:
            return requests[0]
        return requests[min(bisect(steps, chance.random()), len(requests) - 1)]


WORKLOADS: Final[Mapping[str, Workload]] = MappingProxyType(
    {
        workload.name: workload
        for workload in (
            Workload(name="A", shares={"read": 0.5, "update": 0.5}),
            Workload(name="B", shares={"read": 0.95, "update": 0.05}),
            Workload(name="C", shares={"read": 1.0}),
            Workload(name="D", shares={"read": 0.95, "insert": 0.05}, keys="latest"),
            Workload(name="E", shares={"scan": 0.95, "insert": 0.05}),
            Workload(name="F", shares={"read": 0.5, "modify": 0.5}),
            Workload(name="flow", shares={"flow": 1.0}),
        )
    }
)


def make_chooser(keys: Keys, chance: random.Random) -> Callable[[int], int]:
    """Return a function that draws the index of a session, given how many there are."""
    if keys == "uniform":
        return lambda count: int(chance.random() * count)
    ranks = _Zipfian(chance)
    if keys == "latest":
        return lambda count: count - 1 - ranks(count)
    # Scattered, as in YCSB: neighbours in a page are not both popular.
    return lambda count: _scatter(ranks(count)) % count


class _Zipfian:
    """A source of ranks from 0, with probability proportional to (rank + 1)^-0.99.

    Drawn as in J. Gray et al., "Quickly generating billion-record synthetic databases" (1994).
    """

    def __init__(self, chance: random.Random):
        self._chance = chance
        self._count = 0
        self._zeta = 0.0

    def __call__(self, count: int) -> int:
        if count != self._count:
            self._grow(count)
        drawn = self._chance.random() * self._zeta
        if drawn < 1:
            return 0
        if drawn < 1 + 0.5**_ZIPF:
            return min(1, count - 1)
        share = drawn / self._zeta
        return min(int(count * (self._eta * share - self._eta + 1) ** self._alpha), count - 1)

    def _grow(self, count: int) -> None:
        start = self._count if count > self._count else 0
        zeta = self._zeta if start else 0.0
        self._zeta = zeta + sum(rank**-_ZIPF for rank in range(start + 1, count + 1))
        self._count = count
        self._alpha = 1 / (1 - _ZIPF)
        two = 1 + 0.5**_ZIPF
        self._eta = (1 - (2 / count) ** (1 - _ZIPF)) / (1 - two / self._zeta) if count > 2 else 0.0


def _scatter(rank: int) -> int:
    """Return a hash of the rank (FNV-1a, 64 bits)."""
    hashed = 0xCBF29CE484222325
    for _ in range(8):
        hashed = ((hashed ^ (rank & 0xFF)) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
        rank >>= 8
    return hashed
