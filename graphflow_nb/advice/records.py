"""What the recorded operations show: waits for a connection, and calls that one call could be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..monitoring.percentiles import percentile
from ..storage.facts import PostgresFacts, SqliteFacts, StoreFacts
from .lines import Advice, InOrder, Line, Unseen

__all__ = ["look", "median_ms", "of", "PAGES", "SAVES"]

SAVES: Final = ("save", "upsert")
PAGES: Final = ("query", "table")

FEW: Final = 20  # operations that tell nothing yet
LONG_RUN: Final = 10  # calls one after the other
CHANCE: Final = 0.05  # of all such calls
LOOP_NS: Final = 2_000_000  # between two calls of one loop
SOON_NS: Final = 1_000_000_000  # between two saves of a session
WAITS_NS: Final = 1_000_000


def of(operations: pd.DataFrame, ops: tuple[str, ...]) -> pd.DataFrame:
    """Those of these names that succeeded, in the order in which they began."""
    return operations[operations["op"].isin(ops) & operations["outcome"].isin(("ok", "missing"))]


def median_ms(values: pd.Series[int]) -> float:
    """The p50 of one or more durations in nanoseconds."""
    return round(float(np.percentile(values, 50, method="inverted_cdf")) / 1e6, 3)


def look(facts: StoreFacts | None, operations: pd.DataFrame) -> Iterator[Line]:
    """All that the operations alone show."""
    if not len(operations):
        yield Unseen("operations", "none is recorded yet: work with the store, and ask again")
        return
    yield from waits(facts, operations)
    yield from loops(operations)
    yield from close_saves(operations)


def _began(operations: pd.DataFrame) -> NDArray[np.int64]:
    """Nanoseconds since 1970."""
    return operations["started_at"].to_numpy("M8[ns]").astype(np.int64)


def peak(operations: pd.DataFrame) -> int:
    """How many operations were under way at once, at most."""
    began = _began(operations)
    edges = np.concatenate([began, began + operations["duration_ns"].to_numpy()])
    steps = np.repeat([1, -1], len(began))
    order = np.lexsort((steps, edges))  # one that ends makes room before the next begins
    return int(np.cumsum(steps[order]).max())


def waits(facts: StoreFacts | None, operations: pd.DataFrame) -> Iterator[Line]:
    """Time spent waiting for a connection."""
    subject = "waits for a connection"
    waited, took = operations["wait_ns"].to_numpy(), operations["duration_ns"].to_numpy()
    if not waited.any():
        yield Unseen(subject, "the storage reports no phases")
        return
    share, most = float(waited.sum() / took.sum()), peak(operations)
    held = 0 if facts is None else facts.connections
    evidence: dict[str, str | int | float] = {
        "operations": len(operations),
        "share of their time that was waiting, %": round(100 * share, 1),
        "longest wait, ms": round(float(waited.max() / 1e6), 3),
        "at once, at most": most,
        "connections": held or "not known",
    }
    if len(waited) >= 100:
        evidence["wait p99, ms"] = round(percentile(waited / 1e6, 99), 3)
    slow = share >= 0.1 and percentile(waited / 1.0, 95) >= WAITS_NS
    # Without a queue what is waited for is the network: a connection that is opened.
    if not slow or len(operations) < FEW or most <= max(held, 1):
        yield InOrder(subject, "no queue for connections", evidence)
        return
    if isinstance(facts, SqliteFacts):
        remedy = (
            "await storage.save_many(sessions)  # and to read\nwb.sessions(ids=ids, context=paths)"
        )
        cost = "Nothing: one thread does the work on a file, so what helps is fewer calls."
    else:
        wanted, cost = most, "Each connection takes some MB and a process of the server."
        room = _room(facts)
        if room is not None:
            evidence["connections that the server has left"] = room
            wanted = min(most, held + max(1, room // 2))
            cost = f"Each connection is a process of the server, which has {room:,} left."
        remedy = f"wb = graphflow_nb.open(url, max_connections={wanted})"
        if held == 0:
            remedy = "# a pool of more connections in your storage, up to " + str(wanted)
    yield Advice(
        subject=subject,
        finding=f"Up to {most} operations were under way at once, on "
        f"{held or 'too few'} connections: {share:.0%} of their time was waiting for one.",
        evidence=evidence,
        remedy=remedy,
        cost=cost,
        severity="slow",
    )


def _room(facts: StoreFacts | None) -> int | None:
    if not isinstance(facts, PostgresFacts) or None in (facts.settings, facts.backends):
        return None
    assert facts.settings is not None
    assert facts.backends is not None
    return max(0, int(facts.settings["max_connections"]) - facts.backends.connected)


def loops(operations: pd.DataFrame) -> Iterator[Line]:
    """Calls for one session each, one right after the other, that one call could be."""
    yield from _loop(
        operations,
        "gets one by one",
        ("get",),
        remedy="wb.sessions(ids=ids, context=paths)  # as a DataFrame; whole ones are given by\n"
        "await storage.query(Query(ids=ids))",
        cost="Nothing; up to 10,000 ids a call, whose sessions are in memory at once.",
    )
    yield from _loop(
        operations,
        "deletes one by one",
        ("delete", "delete_many"),
        remedy="wb.delete(ids)  # or a mapping from id to the version that it must still have",
        cost="Nothing; those that are not there are passed over, as before.",
    )


def _loop(
    operations: pd.DataFrame, subject: str, ops: tuple[str, ...], *, remedy: str, cost: str
) -> Iterator[Line]:
    mine = operations["op"].isin(ops).to_numpy()
    runs = _runs(operations, mine)
    lengths = np.bincount(runs[mine], minlength=len(runs))
    longest = int(lengths.max())
    took = operations["duration_ns"][mine & (lengths[runs] >= LONG_RUN)]
    # Where much goes on at once, some calls follow each other by chance.
    if longest < LONG_RUN or len(took) < CHANCE * mine.sum():
        yield InOrder(subject, f"at most {longest:,} in a row of {int(mine.sum()):,} recorded")
        return
    yield Advice(
        subject=subject,
        finding=f"{len(took):,} calls went one right after the other, {longest:,} in the longest "
        "run; one call for all saves the round trips.",
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


def _runs(operations: pd.DataFrame, mine: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The number of the run that each operation is in; meaningful for mine alone."""
    began, took = _began(operations), operations["duration_ns"].to_numpy()
    ids = operations["session_id"].to_numpy(object)
    gap = began[1:] - began[:-1] - took[:-1]
    # What is got again and again is no loop over sessions; a missing id is like none.
    same = (ids[1:] == ids[:-1]).astype(bool)
    starts = np.ones(len(mine), bool)
    starts[1:] = ~(mine[1:] & mine[:-1] & (gap >= 0) & (gap < LOOP_NS) & ~same)
    return np.cumsum(starts) - 1


def close_saves(operations: pd.DataFrame) -> Iterator[Line]:
    """Sessions that are saved again within a second."""
    subject = "saves of a session in short succession"
    saves = of(operations, SAVES)
    if not len(saves):
        yield InOrder(subject, "no save recorded")
        return
    frame = pd.DataFrame(
        {
            "id": saves["session_id"].to_numpy(object),
            "began": _began(saves),
            "took": saves["duration_ns"].to_numpy(),
        }
    ).sort_values(["id", "began"], kind="stable")
    gap = frame.groupby("id")["began"].diff()
    close: Any = frame[gap < SOON_NS]
    gets = of(operations, ("get",))
    evidence: dict[str, str | int | float] = {
        "saves": len(frame),
        "within a second of the last one": len(close),
        "sessions": close["id"].nunique(),
    }
    if len(close) < LONG_RUN or len(close) < 0.2 * len(frame):
        yield InOrder(subject, f"{len(close):,} of {len(frame):,} within a second", evidence)
        return
    busiest = close["id"].value_counts()
    evidence |= {
        "gap p50, ms": median_ms(gap[gap < SOON_NS]),
        "time in these saves, ms": round(float(close["took"].sum() / 1e6), 1),
        "gets between them": _gets_after(frame, gets),
        "most often": f"{busiest.index[0]} ({busiest.iloc[0] + 1:,} saves)",
    }
    yield Advice(
        subject=subject,
        finding=f"{len(close):,} of {len(frame):,} saves came within a second of the last save of "
        "the same session: each is a commit of the whole context.",
        evidence=evidence,
        remedy="// in steps that wait for nobody\n"
        "Ok(TaskResult::new(Some(response), NextAction::ContinueAndExecute))\n"
        "# by hand: change all of it, then once\nwb.save(session)",
        cost="Steps joined so are saved once at the end: after a crash between them the first "
        "is run again.",
        severity="slow",
    )


def _gets_after(saves: pd.DataFrame, gets: pd.DataFrame) -> int:
    """How many gets read what had been saved less than a second before."""
    if not len(gets):
        return 0
    left = pd.DataFrame({"id": gets["session_id"].to_numpy(object), "at": _began(gets)})
    right = pd.DataFrame({"id": saves["id"].to_numpy(object), "at": saves["began"].to_numpy()})
    right["saved"] = right["at"]
    found = pd.merge_asof(left.sort_values("at"), right.sort_values("at"), on="at", by="id")
    return int((found["at"] - found["saved"] < SOON_NS).sum())
