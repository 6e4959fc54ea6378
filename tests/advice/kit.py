"""Recorded operations as a workbench has them, and advice by its subject."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from graphflow_nb.advice import Advice, Findings

MS = 1_000_000


def operations(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Return a frame of recorded operations.

    Args:
        rows: (op, session id, start in ms, duration in ms) of each, and, if given, the wait in ms,
            the bytes and the outcome.
    """
    full = [(*row, *(0, 0, "ok")[len(row) - 4 :]) for row in rows]
    op, id, start, took, wait, size, outcome = zip(*full, strict=True) if full else [()] * 7
    ns = [(np.array(values, float) * MS).astype(np.int64) for values in (start, took, wait)]
    return pd.DataFrame(
        {
            "op": pd.Categorical(op),
            "storage": pd.Categorical(["S"] * len(full)),
            "session_id": pd.array(id, dtype="str"),
            "started_at": pd.DatetimeIndex(ns[0].view("M8[ns]")).tz_localize("UTC"),
            "duration_ns": ns[1],
            "wait_ns": ns[2],
            "encode_ns": 0,
            "execute_ns": ns[1] - ns[2],
            "decode_ns": 0,
            "bytes": np.array(size, np.int64),
            "rows": 1,
            "outcome": pd.Categorical(outcome),
            "error": pd.array([None] * len(full), dtype="str"),
        }
    )


NONE = operations()


class Case(NamedTuple):
    """Something that a rule advises on."""

    subject: Any
    operations: pd.DataFrame = NONE
    filters: tuple[str, ...] = ()


def find_advice(findings: Findings, subject: str) -> Advice | None:
    """Return the advice on a subject, None if it is in order or could not be examined."""
    mine = [a for a in findings if a.subject == subject]
    assert len(mine) <= 1
    if not mine:
        told = [*findings.in_order, *findings.unseen]
        assert subject in [line.subject for line in told], "nothing is said of it at all"
    return mine[0] if mine else None
