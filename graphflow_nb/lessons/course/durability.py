"""The questions of lesson 4: what a store keeps of what it acknowledged."""

from __future__ import annotations

from typing import Any

from ..durability import Finding, wilson_interval
from ..exercise import Exercise
from ..prediction import Prediction

__all__ = [
    "ALL",
    "LAST",
    "NONE",
    "confidence",
    "count_lost",
    "describe",
    "early",
    "power",
    "survivors",
]

ALL = "all of them"
LAST = "all but the last ones"
NONE = "none of them"

survivors = Prediction(
    "The store has acknowledged 50 saves. Then what keeps the data is killed. Which of these saves "
    "are there after a restart?",
    [ALL, LAST, NONE],
    name="lesson.survivors",
)

early = Prediction(
    "PostgreSQL with synchronous_commit=off acknowledges a save before its log is written. The "
    "server is killed with all its processes. Which acknowledged saves are there after a restart?",
    [ALL, LAST, NONE],
    name="lesson.early",
)


def describe(finding: Finding) -> str:
    """Return which acknowledged saves are there, as the predictions have it.

    Args:
        finding: What a kill left.
    """
    if finding.lost == 0:
        return ALL
    return LAST if finding.stored else NONE


def _check_power(answer: str) -> str | None:
    if answer == _EVERYSEC:
        return None
    if answer == _OFF:
        return "it acknowledges a save that is in its own memory only, and a kill takes that"
    return "it waits until the system has forced the save to the disk (fsync)"


_EVERYSEC = "Redis, appendonly=yes appendfsync=everysec"
_OFF = "PostgreSQL, synchronous_commit=off"
power = Exercise(
    "Which setting acknowledges a save when it is in the memory of the system, so that a power "
    "failure takes about a second of saves, and a kill of the server few or none?",
    _check_power,
    hint="See the table of the three places. Which setting has the middle one to itself?",
    solution=_EVERYSEC,
    because="Redis hands each save to the system before it answers, and lets it be forced to the "
    "disk about once a second. The system outlives the server, but not a power failure.",
    choices=[
        "SQLite, as this package opens it (synchronous=FULL)",
        _EVERYSEC,
        "Redis, appendonly=yes appendfsync=always",
        "PostgreSQL, synchronous_commit=on",
        _OFF,
    ],
    name="lesson.power",
)


#: What a ledger and a row have, and how many acknowledged saves are lost.
_CASES = (
    (50, 50, 0, "everything is there"),
    (50, 51, 0, "the row has a save that was not acknowledged, and nothing is lost"),
    (50, 30, 20, "the saves 31 to 50 were acknowledged"),
    (50, 0, 50, "there is no row"),
    (0, 1, 0, "the first save is there, and nothing was acknowledged"),
    (0, 0, 0, "nothing was acknowledged"),
)


def _check_count_lost(answer: Any) -> str | None:
    for acknowledged, stored, lost, why in _CASES:
        found = answer(acknowledged, stored)
        if isinstance(found, bool) or found != lost:
            return (
                f"with {acknowledged} acknowledged and {stored} in the row, {lost} are lost "
                f"({why}), and your function returned {found!r}"
            )
    return None


def _count_lost(acknowledged: int, stored: int) -> int:
    return max(0, acknowledged - stored)


count_lost = Exercise(
    "Write a function count_lost(acknowledged, stored) that returns how many acknowledged saves "
    "are lost. The first is the last number in the ledger, the second the number in the row, 0 "
    "for no row.",
    _check_count_lost,
    hint="The row can be one save ahead of the ledger: that one is not acknowledged, and not lost.",
    solution=_count_lost,
    because="A save that is stored and not acknowledged must not make up for one that is lost: the "
    "difference is never negative.",
    name="lesson.count_lost",
)


def _check_confidence(answer: Any) -> str | None:
    if isinstance(answer, bool) or not isinstance(answer, int) or answer < 1:
        return f"the answer is a number of kills, an integer >= 1, not {answer!r}"
    _, high = wilson_interval(0, answer)
    if high >= _RARE:
        return f"after {answer} kills without a loss the interval ends at {high:.2%}"
    if wilson_interval(0, answer - 1)[1] < _RARE:
        return f"{answer} are enough (the interval ends at {high:.2%}), and fewer are, too"
    return None


_RARE = 0.01
_ENOUGH = next(count for count in range(1, 1000) if wilson_interval(0, count)[1] < _RARE)
confidence = Exercise(
    "No kill lost a save. What is the smallest number of such kills after which the upper end of "
    "the interval is below 1 %?",
    _check_confidence,
    hint="wilson_interval(0, n) returns the two ends for n kills; try some n.",
    solution=_ENOUGH,
    because="“It did not happen” is weak evidence: 5 kills without a loss are compatible with a "
    "loss in four of ten.",
    name="lesson.confidence",
)
