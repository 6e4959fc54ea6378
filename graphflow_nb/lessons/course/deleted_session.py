"""Lesson 5, the deleted session that came back: its predictions, its table and exercises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import pandas as pd

from ...errors import SessionConflict
from ...model import Session
from ..events import put
from ..exercise import Exercise
from ..prediction import Prediction
from ..race import Race
from ..schedule import interleavings
from ..stores import LessonStore
from ..turns import StoreView
from ..writers import RULES

__all__ = [
    "ask_finish",
    "ask_forget",
    "comeback_table",
    "deleted",
    "expires",
    "finish",
    "late",
    "with_version",
]

deleted: Final = Prediction(
    "A loads a session and works. B deletes it. A saves. What is stored, if the last write wins?",
    ["nothing", "the session of A"],
    name="lesson.deleted",
)

with_version: Final = Prediction(
    "The same with graph-flow 0.6, whose save compares versions. What becomes of A's save?",
    ["it is refused with SessionConflict", "it stores the session again"],
    name="lesson.with_version",
)

expires: Final = Prediction(
    "A session in Redis expires in 30 s. A worker saves it with SET id json. When does it expire?",
    ["in 30 s", "30 s after the save", "never"],
    name="lesson.expires",
)

late: Final = Prediction(
    "A session expires while a task works on it. The worker saves with SET id json KEEPTTL. "
    "What is stored?",
    ["nothing", "the session, for 30 s more", "the session, for ever"],
    name="lesson.late",
)


def comeback_table(stores: Iterable[LessonStore]) -> pd.DataFrame:
    """Play a save after a delete by each rule on each store, and read each row.

    Args:
        stores: The stores.

    Returns:
        A row for each store and rule that it has: ``store``, ``rule`` (text), ``after_delete``
        (text, what is stored after A loads, B deletes and A saves; ``no row`` for nothing),
        ``after_new`` (text, the same where B also creates a session with this id again), ``error``
        (text, what A's save after the delete raised; empty for none).
    """
    rows = []
    for store in stores:
        for rule in RULES.values():
            if store.kind not in rule.kinds:
                continue
            with Race(store, rule=rule.name) as race:
                gone = race.play("A.load B.delete A.save")
                new = race.play("A.load B.delete B.create A.save")
            rows.append(
                {
                    "store": store.label,
                    "rule": rule.name,
                    "after_delete": gone.outcome,
                    "after_new": new.outcome,
                    "error": "SessionConflict" if gone.refused else "",
                }
            )
    return pd.DataFrame(rows)


_WAYS: Final[Mapping[str, str]] = {
    "delete it, and delete it once more": "A.load B.delete B.delete A.save",
    "delete it, and create an empty one": "A.load B.delete B.create A.save",
    "save it with a mark that it is deleted": "A.load B.load B.save A.save",
}


def ask_forget(store: LessonStore) -> Exercise:
    """Return the exercise about a deletion that holds with graph-flow 0.6; the check plays it.

    Args:
        store: A PostgreSQL of ``lesson_store``.
    """

    def check(answer: str) -> str | None:
        changes = {"A": put("step", 2), "B": put("deleted", True)}
        with Race(store, rule="graph-flow 0.6", start={"step": 1}, changes=changes) as race:
            played = race.play(_WAYS[answer])
        if played.row is not None and played.row.context.get("deleted") is True:
            return None
        return f"it was played, and A's save was not refused. {played.describe()}"

    return Exercise(
        "A worker may hold the session. How does B delete it so that it stays deleted, if all "
        "workers are on graph-flow 0.6?",
        check,
        "What does a save by version need, in order to be refused?",
        "save it with a mark that it is deleted",
        because="The row with the mark, a tombstone, has the next version, so that the save of A "
        "finds another version than it loaded. A job deletes such rows when no worker can hold "
        "them any more.",
        choices=list(_WAYS),
        name="forget",
    )


def ask_finish(store: LessonStore) -> Exercise:
    """Return the exercise to write a save that brings nothing back; the check plays every order.

    Args:
        store: The store on which it is played, by versions.
    """

    def check(function: Callable[..., object]) -> str | None:
        with Race(store, rule="versions") as race:
            deleted = race.try_out(function, _delete, calls=(2, 1))
            changed = race.try_out(function)
        orders = interleavings(("get", "save"), ("delete",))
        for steps, played in zip(orders, deleted, strict=True):
            order = " ".join(map(str, steps))
            if played.row is not None:
                return f"in the order {order} the deleted session is back, with {played.outcome}"
            error = played.raised.get("A", "")
            # What is deleted before it is read is not there, which get says.
            if error and not error.startswith("SessionNotFound"):
                return f"in the order {order} your function ended with {error}"
        for steps, played in zip(interleavings(("get", "save")), changed, strict=True):
            order = " ".join(map(str, steps))
            if played.raised or played.outcome != "balance 115":
                error = "; ".join(played.raised.values()) or "without an error"
                return (
                    f"two writers that change the session, in the order {order}: the row has "
                    f"{played.outcome}, not balance 115, and your function ended {error}"
                )
        return None

    return Exercise(
        "Write finish(store, id, change), which saves the change, tries again after the save of "
        "another writer, and leaves a session deleted that was deleted meanwhile.",
        check,
        "SessionConflict has .stored: the session that is stored now, or None if there is none.",
        finish,
        because="Only the save itself can tell, in one step with the comparison. A look at the "
        "store before the save is too early by the time of the save.",
        name="final",
    )


def _delete(store: StoreView, id: str, change: Any) -> None:
    store.delete(id)


def finish(store: StoreView, id: str, change: Callable[[Session], None]) -> None:
    """Save a change of a session, unless it was deleted meanwhile."""
    while True:
        session = store.get(id)
        change(session)
        try:
            store.save(session)
            return
        except SessionConflict as conflict:
            if conflict.stored is None:
                return  # deleted meanwhile: leave it so
