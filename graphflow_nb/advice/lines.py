"""The lines of advice: what would help, what is in order, what could not be examined."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from ..printable import describe_count

__all__ = [
    "SEVERITIES",
    "Advice",
    "Evidence",
    "Figure",
    "InOrder",
    "Line",
    "Severity",
    "Unseen",
    "format_bytes",
]

Severity = Literal["risk", "slow", "waste", "choice"]

#: In the order in which they are shown: sessions can be lost; operations take longer than they
#: need; space or work is spent for nothing; time could be traded for something else.
SEVERITIES: Final[tuple[Severity, ...]] = ("risk", "slow", "waste", "choice")

Figure: TypeAlias = str | int | float
Evidence: TypeAlias = Mapping[str, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Something that would help.

    Attributes:
        subject: The subject of the advice.
        finding: The finding, in whole sentences.
        evidence: Figures of this store and of the recorded operations, by name and unit.
        remedy: A statement or a call to copy. Nothing runs it.
        cost: The cost of the remedy, and what it gives up, in whole sentences.
        severity: The severity, see ``SEVERITIES``.
    """

    subject: str
    finding: str
    evidence: Evidence
    remedy: str
    cost: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class InOrder:
    """Something that was examined and needs nothing.

    Attributes:
        subject: The subject that was examined.
        finding: The reason why it needs nothing.
        evidence: Figures that show it.
    """

    subject: str
    finding: str
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that could not be examined.

    Attributes:
        subject: The subject that was to be examined.
        finding: The reason why that was not possible.
    """

    subject: str
    finding: str


Line: TypeAlias = Advice | InOrder | Unseen


def format_bytes(count: float) -> str:
    """Return a number of bytes as people read it: ``12.3 MB``."""
    if count < 1000:
        return describe_count(round(count), "byte")
    power = min(4, int(math.log10(count) // 3))
    size = count / 1000**power
    return f"{size:,.{0 if size >= 100 else 1}f} {('kB', 'MB', 'GB', 'TB')[power - 1]}"
