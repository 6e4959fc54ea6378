"""A race without a store: what each rule makes of an order of steps, in plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

ADDED = {"A": 10, "B": 5}


@dataclass
class Row:
    """A row as a rule sees it."""

    balance: int = 100
    version: int = 1
    saved: int = 0  # when the transaction that wrote it began


@dataclass
class Outcome:
    """What is stored at the end, and what each writer was told."""

    balance: int
    told: dict[str, str] = field(default_factory=dict)  # ok, skipped or conflict


def play(steps: Sequence[tuple[str, str]], rule: str, remedy: str = "stop") -> Outcome:
    """Play the steps of both writers; A adds 10 and B adds 5."""
    row, clock, loaded, begun = Row(), 0, {}, {}
    outcome = Outcome(100)
    for writer, action in steps:
        if action == "load":
            loaded[writer] = Row(row.balance, row.version)
        elif action == "begin":
            clock += 1
            begun[writer] = clock
        elif action == "save":
            clock += 1
            at, mine = begun.get(writer, clock), loaded[writer]
            told = "ok"
            if rule == "guard" and row.saved > at:
                told = "skipped"
            if rule in ("versions", "graph-flow 0.6") and mine.version != row.version:
                told = "conflict"
                if remedy == "retry":
                    told, mine = "ok", row
            if told == "ok":
                row = Row(mine.balance + ADDED[writer], row.version + 1, at)
            outcome.told[writer] = told
    outcome.balance = row.balance
    return outcome
