"""What a benchmark was asked to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ..errors import BenchmarkError
from . import WORKLOADS, Workload

__all__ = ["Settings"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The arguments of ``wb.benchmark``, which tells what they mean.

    Raises:
        BenchmarkError: one of them means nothing.
    """

    workload: Workload
    duration: float
    concurrency: int
    rate: float | None
    sessions: int
    context_bytes: int
    repeats: int
    warmup: float
    stored: bool
    seed: int

    @classmethod
    def of(cls, workload: Workload | str, **given: Any) -> Self:
        """Check what was given."""
        if isinstance(workload, str):
            if workload not in WORKLOADS:
                raise BenchmarkError(
                    f"there is no workload {workload!r}; known are {', '.join(WORKLOADS)}, or make "
                    "one: graphflow_nb.Workload(name=…, shares={…})"
                )
            workload = WORKLOADS[workload]
        if not isinstance(workload, Workload):
            raise BenchmarkError(f"a workload is a Workload or the name of one, not {workload!r}")
        return cls(workload=workload, **given)

    def __post_init__(self) -> None:
        _number("duration", self.duration, 0.05, 3600, "seconds of measuring each store")
        _number("warmup", self.warmup, 0, 600, "seconds before that")
        _count("concurrency", self.concurrency, 1, 1000, "requests under way at a time")
        _count("sessions", self.sessions, 1, 1_000_000, "sessions to work on")
        _count("context_bytes", self.context_bytes, 100, 1_000_000, "bytes of a context")
        _count("repeats", self.repeats, 1, 100, "turns of each store")
        _count("seed", self.seed, -(2**63), 2**63, "the seed of all that is drawn by chance")
        if self.rate is not None:
            _number("rate", self.rate, 0.1, 100_000, "requests a second")
        if self.stored and self.workload.writes:
            raise BenchmarkError(
                f"workload {self.workload.name} writes, and stored sessions are only read: "
                "take workload C, or leave stored= out"
            )

    @property
    def turn_seconds(self) -> float:
        """How long one turn measures."""
        return self.duration / self.repeats

    def state(self) -> dict[str, Any]:
        """JSON values of which ``from_state`` makes it again."""
        workload = self.workload
        found = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        found["workload"] = {
            "name": workload.name,
            "shares": dict(workload.shares),
            "keys": workload.keys,
        }
        return found

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The settings that ``state`` told of."""
        return cls(**{**state, "workload": Workload(**state["workload"])})

    def __str__(self) -> str:
        mix = ", ".join(f"{share:.0%} {name}" for name, share in self.workload.shares.items())
        load = (
            f"closed loop of {self.concurrency}"
            if self.rate is None
            else f"open loop of {self.rate:,g} requests/s, {self.concurrency} at a time at most"
        )
        whose = "stored" if self.stored else f"own, {self.context_bytes:,} B of context"
        return (
            f"workload {self.workload.name} ({mix}, {self.workload.keys} keys), {load}, "
            f"{self.sessions:,} {'session' if self.sessions == 1 else 'sessions'} ({whose}), "
            f"{self.repeats} × {self.turn_seconds:,g} s"
        )


def _number(name: str, value: object, least: float, most: float, what: str) -> None:
    if type(value) not in (int, float) or not least <= value <= most:  # type: ignore[operator]
        raise BenchmarkError(f"{name} is {what}, {least:g} to {most:,g}, not {value!r}")


def _count(name: str, value: object, least: int, most: int, what: str) -> None:
    if type(value) is not int or not least <= value <= most:
        raise BenchmarkError(f"{name} is {what}, {least:,} to {most:,}, not {value!r}")
