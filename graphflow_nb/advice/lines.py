"""What advice consists of: what would help, what is in order, what could not be looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = ["SEVERITIES", "Advice", "Evidence", "InOrder", "Line", "Severity", "Unseen", "amount"]

Severity = Literal["risk", "slow", "waste", "choice"]

#: In the order in which they are shown: sessions can be lost; operations take longer than they
#: need; space or work is spent for nothing; time could be bought for something else.
SEVERITIES: Final[tuple[Severity, ...]] = ("risk", "slow", "waste", "choice")

Evidence = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Something that would help.

    Attributes:
        subject: what it is about.
        finding: what was found, a sentence.
        evidence: figures of this very store and of what was recorded, by name and unit.
        remedy: a statement or a call, to be copied; nothing runs it.
        cost: what it takes, and what it gives up.
        severity: how much it matters.
    """

    subject: str
    finding: str
    evidence: Evidence
    remedy: str
    cost: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class InOrder:
    """Something that was looked at, and needs nothing."""

    subject: str
    finding: str
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that could not be looked at, and why."""

    subject: str
    finding: str


Line = Advice | InOrder | Unseen


def amount(count: float) -> str:
    """Bytes for people: ``12.3 MB``."""
    if count < 1000:
        return f"{count:,.0f} bytes"
    power = min(4, int(math.log10(count) // 3))
    size = count / 1000**power
    return f"{size:,.{0 if size >= 100 else 1}f} {('kB', 'MB', 'GB', 'TB')[power - 1]}"
