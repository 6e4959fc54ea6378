"""The settings of a benchmark, and the options by which they are given."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypedDict

from ..errors import BenchmarkError
from ..printable import describe_count
from .workload import WORKLOADS, Workload

__all__ = ["Options", "Settings"]


class Options(TypedDict, total=False):
    """The options of ``wb.benchmark``, whose docstring describes them."""

    duration: float
    concurrency: int
    rate: float | None
    sessions: int
    context_bytes: int
    repeats: int
    warmup: float
    stored: bool
    shared: bool
    seed: int


_DEFAULTS: Final[Options] = {
    "duration": 10.0,
    "rate": None,
    "sessions": 1000,
    "context_bytes": 1000,
    "repeats": 5,
    "warmup": 1.0,
    "stored": False,
    "shared": False,
    "seed": 1,
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The checked arguments of ``wb.benchmark``, whose docstring describes them.

    Raises:
        BenchmarkError: An argument is out of its range, or two contradict each other.
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
    def from_options(cls, workload: Workload | str, options: Options) -> Self:
        """Return the settings that these options and the defaults make.

        Args:
            workload: A workload, or the name of one of ``WORKLOADS``.
            options: The given options. ``shared`` is a permission, not a setting.

        Raises:
            BenchmarkError: An option is unknown or out of its range.
        """
        unknown = [name for name in options if name not in Options.__annotations__]
        if unknown:
            raise BenchmarkError(
                f"unknown option {', '.join(unknown)}: use {', '.join(Options.__annotations__)}"
            )
        if isinstance(workload, str):
            if workload not in WORKLOADS:
                raise BenchmarkError(
                    f"unknown workload {workload!r}: use {', '.join(WORKLOADS)}, or make "
                    "one: graphflow_nb.Workload(name=…, shares={…})"
                )
            workload = WORKLOADS[workload]
        if not isinstance(workload, Workload):
            raise BenchmarkError(
                f"workload must be a Workload or the name of one, not {workload!r}"
            )
        given: dict[str, Any] = {**_DEFAULTS, **options}
        given.setdefault("concurrency", 1 if given["rate"] is None else 64)
        del given["shared"]
        return cls(workload=workload, **given)

    def __post_init__(self) -> None:
        _check_number("duration", self.duration, 0.05, 3600, "seconds of measuring each store")
        _check_number("warmup", self.warmup, 0, 600, "seconds before that")
        _check_count("concurrency", self.concurrency, 1, 1000, "requests under way at a time")
        _check_count("sessions", self.sessions, 1, 1_000_000, "sessions to work on")
        _check_count("context_bytes", self.context_bytes, 100, 1_000_000, "bytes of a context")
        _check_count("repeats", self.repeats, 1, 100, "turns of each store")
        _check_count("seed", self.seed, -(2**63), 2**63, "the seed of everything random")
        if self.rate is not None:
            _check_number("rate", self.rate, 0.1, 100_000, "requests a second")
        if self.stored and self.workload.writes:
            raise BenchmarkError(
                f"workload {self.workload.name} writes, but stored sessions are only read: "
                "use workload C, or omit stored="
            )

    @property
    def turn_seconds(self) -> float:
        """The duration of one turn."""
        return self.duration / self.repeats

    def state(self) -> dict[str, Any]:
        """Return JSON values from which ``from_state`` restores the settings."""
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
        """Return the settings of a ``state``."""
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
            f"{describe_count(self.sessions, 'session')} ({whose}), "
            f"{self.repeats} × {self.turn_seconds:,g} s"
        )


def _check_number(name: str, value: object, least: float, most: float, what: str) -> None:
    if not isinstance(value, (int, float)) or type(value) is bool or not least <= value <= most:
        raise BenchmarkError(f"{name} ({what}) must be {least:g} to {most:,g}, not {value!r}")


def _check_count(name: str, value: object, least: int, most: int, what: str) -> None:
    if type(value) is not int or not least <= value <= most:
        raise BenchmarkError(f"{name} ({what}) must be {least:,} to {most:,}, not {value!r}")
