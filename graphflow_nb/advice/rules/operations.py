"""Rules on the recorded operations: waits for a connection, and calls that one call could be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...monitoring.percentiles import percentile
from ...printable import describe_count
from ...storage.facts import PostgresFacts, SqliteFacts, StoreFacts
from ..lines import Advice, Figure, InOrder, Line, Unseen
from ..registry import rule
from ..seen import Operations, Seen, median_ms, start_times

__all__ = ["find_close_saves", "find_delete_loops", "find_get_loops", "find_waits"]

FEW: Final = 20  # operations; with fewer, no queue is searched for
LONG_RUN: Final = 10  # calls one after the other
BY_CHANCE: Final = 0.05  # the share of calls that follow each other without a loop
LOOP_NS: Final = 2_000_000  # between two calls of one loop
SOON_NS: Final = 1_000_000_000  # between two saves of a session
WAITS_NS: Final = 1_000_000


@rule(Operations)
def find_waits(operations: Operations, seen: Seen) -> Iterator[Line]:
    """Find time that operations spent waiting for a connection."""
    subject, facts, frame = "waits for a connection", seen.facts, operations.frame
    waited, took = frame["wait_ns"].fillna(0).to_numpy(), frame["duration_ns"].to_numpy()
    if not waited.any():
        yield Unseen(subject, "the storage reports no phases")
        return
    share, most = float(waited.sum() / took.sum()), _count_concurrent(frame)
    held = 0 if facts is None else facts.connections
    evidence: dict[str, Figure] = {
        "operations": len(frame),
        "share of their time spent waiting, %": round(100 * share, 1),
        "longest wait, ms": round(float(waited.max() / 1e6), 3),
        "concurrent operations, at most": most,
        "connections": held or "not known",
    }
    if len(waited) >= 100:
        evidence["wait p99, ms"] = round(percentile(waited / 1e6, 99), 3)
    slow = share >= 0.1 and percentile(waited / 1.0, 95) >= WAITS_NS
    # Without a queue, an operation waits for the network: a connection is being opened.
    if not slow or len(frame) < FEW or most <= max(held, 1):
        yield InOrder(subject, "no queue for connections", evidence)
        return
    if isinstance(facts, SqliteFacts):
        remedy = (
            "await storage.save_many(sessions)  # and to read\nwb.sessions(ids=ids, context=paths)"
        )
        cost = "Nothing. One thread does the work on a file, so fewer calls are what helps."
    else:
        wanted, cost = most, "Each connection takes some MB and a process of the server."
        spare = _count_spare(facts)
        if spare is not None:
            evidence["spare connections of the server"] = spare
            wanted = min(most, held + max(1, spare // 2))
            cost = f"Each connection is a process of the server, which has {spare:,} spare."
        remedy = f"wb = graphflow_nb.open(url, max_connections={wanted})"
        if held == 0:
            remedy = f"max_connections = {wanted}  # of the pool in your storage"
    yield Advice(
        subject=subject,
        finding=f"Up to {most} operations were under way at once, on "
        f"{describe_count(held, 'connection') if held else 'too few connections'}: "
        f"{100 * share:.0f} % of their time was waiting for one.",
        evidence=evidence,
        remedy=remedy,
        cost=cost,
        severity="slow",
    )


def _count_concurrent(frame: pd.DataFrame) -> int:
    """Return how many operations were under way at once, at most."""
    started = start_times(frame)
    edges = np.concatenate([started, started + frame["duration_ns"].to_numpy()])
    steps = np.repeat([1, -1], len(started))
    order = np.lexsort((steps, edges))  # one that ends makes room before the next begins
    return int(np.cumsum(steps[order]).max())


def _count_spare(facts: StoreFacts | None) -> int | None:
    """Return how many more connections the server accepts, None if that is not known."""
    if not isinstance(facts, PostgresFacts) or facts.settings is None or facts.backends is None:
        return None
    return max(0, int(facts.settings["max_connections"]) - facts.backends.connected)


@rule(Operations)
def find_get_loops(operations: Operations, seen: Seen) -> Iterator[Line]:
    """Find gets one right after the other that one query could replace."""
    yield _judge_loop(
        operations.frame,
        "gets one by one",
        ("get",),
        remedy="wb.sessions(ids=ids, context=paths)  # a DataFrame; for Session objects:\n"
        "await storage.query(Query(ids=ids))",
        cost="Nothing. Up to 10,000 ids a call, whose sessions are in memory at once.",
    )


@rule(Operations)
def find_delete_loops(operations: Operations, seen: Seen) -> Iterator[Line]:
    """Find deletes one right after the other that one call could replace."""
    yield _judge_loop(
        operations.frame,
        "deletes one by one",
        ("delete", "delete_many"),
        remedy="wb.delete(ids)  # or a mapping from id to the version that it must still have",
        cost="Nothing. Ids that do not exist are passed over, as before.",
    )


def _judge_loop(
    frame: pd.DataFrame, subject: str, ops: tuple[str, ...], *, remedy: str, cost: str
) -> Line:
    mine = frame["op"].isin(ops).to_numpy()
    runs = _number_runs(frame, mine)
    lengths = np.bincount(runs[mine], minlength=len(runs))
    longest = int(lengths.max())
    took = frame["duration_ns"][mine & (lengths[runs] >= LONG_RUN)]
    # Where much goes on at once, some calls follow each other by chance.
    if longest < LONG_RUN or len(took) < BY_CHANCE * mine.sum():
        return InOrder(subject, f"at most {longest:,} in a row of {int(mine.sum()):,} recorded")
    return Advice(
        subject=subject,
        finding=f"{len(took):,} calls followed one right after the other, {longest:,} in the "
        "longest run. A single call for all of them saves the round trips.",
        evidence={
            "calls in such runs": len(took),
            "runs": int((lengths >= LONG_RUN).sum()),
            "longest run, calls": longest,
            "time in them, ms": round(float(took.sum() / 1e6), 1),
            "p50 of one, ms": median_ms(took),
        },
        remedy=remedy,
        cost=cost,
        severity="slow",
    )


def _number_runs(frame: pd.DataFrame, mine: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the number of the run that each operation is in, meaningful for ``mine`` alone."""
    started, took = start_times(frame), frame["duration_ns"].to_numpy()
    ids = frame["session_id"].to_numpy(object)
    gap = started[1:] - started[:-1] - took[:-1]
    # Reading one session again and again is not a loop over sessions. A missing id equals no id.
    same = (ids[1:] == ids[:-1]).astype(bool)
    starts = np.ones(len(mine), bool)
    starts[1:] = ~(mine[1:] & mine[:-1] & (gap >= 0) & (gap < LOOP_NS) & ~same)
    return np.cumsum(starts) - 1


@rule(Operations)
def find_close_saves(operations: Operations, seen: Seen) -> Iterator[Line]:
    """Find sessions that are saved again within a second."""
    subject, saves = "saves of a session in short succession", operations.saves
    if not len(saves):
        yield InOrder(subject, "no save recorded")
        return
    frame = pd.DataFrame(
        {
            "id": saves["session_id"].to_numpy(object),
            "started": start_times(saves),
            "took": saves["duration_ns"].to_numpy(),
        }
    ).sort_values(["id", "started"], kind="stable")
    gap = frame.groupby("id")["started"].diff()
    close: Any = frame[gap < SOON_NS]
    evidence: dict[str, Figure] = {
        "saves": len(frame),
        "within a second of the previous one": len(close),
        "sessions": close["id"].nunique(),
    }
    if len(close) < LONG_RUN or len(close) < 0.2 * len(frame):
        yield InOrder(subject, f"{len(close):,} of {len(frame):,} within a second", evidence)
        return
    busiest = close["id"].value_counts()
    evidence |= {
        "gap p50, ms": median_ms(gap[gap < SOON_NS]),
        "time in these saves, ms": round(float(close["took"].sum() / 1e6), 1),
        "gets between them": _count_gets_after(frame, operations.gets),
        "most often": f"{busiest.index[0]} ({describe_count(busiest.iloc[0] + 1, 'save')})",
    }
    yield Advice(
        subject=subject,
        finding=f"{len(close):,} of {len(frame):,} saves came within a second of the previous save "
        "of the same session: each commits the whole context.",
        evidence=evidence,
        remedy="// in a step after which no answer is awaited\n"
        "Ok(TaskResult::new(Some(response), NextAction::ContinueAndExecute))\n"
        "# by hand: make all changes, then save once\nwb.save(session)",
        cost="Steps joined in this way are saved once at the end: after a crash between them the "
        "first is run again.",
        severity="slow",
    )


def _count_gets_after(saves: pd.DataFrame, gets: pd.DataFrame) -> int:
    """Return how many gets read a session that was saved less than a second before."""
    if not len(gets):
        return 0
    left = pd.DataFrame({"id": gets["session_id"].to_numpy(object), "at": start_times(gets)})
    right = pd.DataFrame({"id": saves["id"].to_numpy(object), "at": saves["started"].to_numpy()})
    right["saved"] = right["at"]
    found = pd.merge_asof(left.sort_values("at"), right.sort_values("at"), on="at", by="id")
    return int((found["at"] - found["saved"] < SOON_NS).sum())
