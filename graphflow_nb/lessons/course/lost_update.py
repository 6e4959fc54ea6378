"""Lesson 3, the lost update: its predictions and exercises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ...errors import SessionConflict
from ...model import Session
from ..exercise import Exercise
from ..prediction import Prediction
from ..race import Race, Remedy
from ..schedule import interleavings
from ..stores import LessonStore
from ..turns import StoreView

__all__ = [
    "ORDERS",
    "add_safely",
    "ask_losing",
    "ask_remedy",
    "ask_safe_add",
    "guarded",
    "how_often",
    "refused",
    "skipped",
    "stale",
]

stale: Final = Prediction(
    "A and B load a balance of 100. A adds 10 and saves, then B adds 5 and saves. What is stored?",
    ["115", "110", "105"],
    name="lesson.stale",
)

how_often: Final = Prediction(
    "Each writer loads, changes and saves. In how many of the 20 orders is a change lost?",
    ["2", "10", "18"],
    name="lesson.how_often",
)

guarded: Final = Prediction(
    "graph-flow 0.5.1 saves WHERE sessions.updated_at <= EXCLUDED.updated_at. A saves, then B, "
    "who loaded before that. What becomes of B's save?",
    ["it is refused with an error", "it is skipped without an error", "it replaces A's"],
    name="lesson.guarded",
)

skipped: Final = Prediction(
    "A begins the transaction of its save, B saves, then A saves. What becomes of A's save?",
    ["it is refused with an error", "it is skipped without an error", "it replaces B's"],
    name="lesson.skipped",
)

refused: Final = Prediction(
    "With versions: in how many of the 20 orders is a change lost without anybody knowing?",
    ["0", "2", "18"],
    name="lesson.refused",
)

#: The orders of the first exercise.
ORDERS: Final[Mapping[str, str]] = {
    "a": "A.load A.change A.save B.load B.change B.save",
    "b": "A.load B.load A.change B.change A.save B.save",
    "c": "B.load B.change A.load B.save A.change A.save",
    "d": "B.load B.change B.save A.load A.change A.save",
    "e": "A.load B.load B.change B.save A.change A.save",
}


def ask_losing(store: LessonStore) -> Exercise:
    """Return the exercise about the orders that lose a change; the check plays each of them.

    Args:
        store: The store on which they are played.
    """

    def check(answer: Any) -> str | None:
        if isinstance(answer, str):
            answer = answer.replace(",", " ").split()
        chosen = set(answer)
        unknown = chosen - set(ORDERS)
        if unknown:
            return f"the orders are {', '.join(ORDERS)}; {min(map(str, unknown))!r} is none of them"
        with Race(store, rule="last write wins") as race:
            for name, schedule in ORDERS.items():
                played = race.play(schedule)
                if bool(played.lost) == (name in chosen):
                    continue
                if played.lost:
                    return f"order {name} was played, and it loses a change. {played.describe()}"
                return f"order {name} was played, and nothing is lost: it has {played.outcome}"
        return None

    return Exercise(
        "Which of the orders a to e lose a change? Answer with a list of their letters.",
        check,
        "Look at each load: is there a save of the other writer between it and its own save?",
        ["b", "c", "e"],
        because="In a and d the second writer loads what the first one saved. In the others both "
        "hold a balance of 100, and the last save replaces the first.",
        name="exercise",
    )


def ask_safe_add(store: LessonStore) -> Exercise:
    """Return the exercise to write a function that loses nothing; the check plays every order.

    Args:
        store: The store on which it is played, by versions.
    """

    def check(function: Callable[..., object]) -> str | None:
        with Race(store, rule="versions") as race:
            rounds = race.try_out(function)
        for steps, played in zip(interleavings(("get", "save")), rounds, strict=True):
            order = " ".join(map(str, steps))
            if played.raised:
                writer, error = min(played.raised.items())
                return f"in the order {order} your function ended for {writer} with {error}"
            if played.outcome != "balance 115":
                return (
                    f"in the order {order} the row has {played.outcome}, not balance 115. "
                    f"{_explain(played.effects)}"
                )
        return None

    return Exercise(
        "Write add_safely(store, id, change), which saves the change whatever others do meanwhile. "
        "store.get(id) returns the session, change(session) changes it, store.save(session) raises "
        "SessionConflict where another one saved meanwhile.",
        check,
        "After a conflict the session that you hold is old. Get it again before you change it.",
        add_safely,
        because="Each turn of the loop loads what is stored now. Only one of two writers is "
        "refused at a time, so one of them gets on.",
        name="safe",
    )


def _explain(effects: frozenset[str] | None) -> str:
    if effects is None:
        return "That fits no order of the two changes: is one made twice?"
    missing = ", ".join(name for name in ("A", "B") if name not in effects)
    return f"The change of {missing} is missing."


def add_safely(store: StoreView, id: str, change: Callable[[Session], None]) -> None:
    """Save a change of a session, whatever others do meanwhile."""
    while True:
        session = store.get(id)
        change(session)
        try:
            store.save(session)
            return
        except SessionConflict:
            continue  # load again: what is stored now has the change of the other writer


_REMEDIES: Final[Mapping[str, Remedy]] = {
    "give up": "stop",
    "merge the values": "merge",
    "load again and repeat the change": "retry",
}


def ask_remedy(store: LessonStore) -> Exercise:
    """Return the exercise about the remedy for two sums; the check plays every order with it.

    Args:
        store: The store on which they are played.
    """

    def check(answer: str) -> str | None:
        with Race(store, rule="versions") as race:
            frame = race.play_all(on_conflict=_REMEDIES[answer])
        missing = int((frame["outcome"] != "balance 115").sum())
        if not missing:
            return None
        if answer == "give up":
            return f"in {missing} of 20 orders the change of one writer is not stored"
        return (
            f"in {missing} of 20 orders both changed /context/data/balance, and a merge can't "
            "know that both meant a sum"
        )

    return Exercise(
        "Both writers add to the same balance. What should a writer do after a conflict?",
        check,
        "Which of them computes the sum from the balance that is stored now?",
        "load again and repeat the change",
        because="A sum has to be computed from the stored number. A merge compares values, and "
        "both values of the balance differ from the old one.",
        choices=list(_REMEDIES),
        name="remedy",
    )
