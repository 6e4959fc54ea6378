"""Lesson 2: a workflow is killed around its save, goes on from the row, and sends a mail twice."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final, Literal
from uuid import uuid4

from ...model import Context
from ...printable import describe_count
from ...workflow import Graph, GraphBuilder, NextAction, TaskResult, task
from ..crash import Crash
from ..exercise import Exercise
from ..ledger import Effect, Ledger, send
from ..points import SENT
from ..prediction import Prediction
from ..stores import LessonStore

__all__ = [
    "GOOD_KEY",
    "GRAPH",
    "build_graph",
    "crash_order",
    "key_exercise",
    "predict_before",
    "predict_chained",
    "predict_sent",
]

#: The name by which another process imports the flow.
GRAPH: Final = f"{__name__}:build_graph"

#: A key that solves the exercise.
GOOD_KEY: Final = "{order}/{task}"

predict_before = Prediction(
    "Process 1 is killed before the save of task confirm, and process 2 resumes. How often does "
    "Ana get the e-mail?",
    ["not at all", "once", "twice"],
    name="lesson.predict_before",
)

predict_sent = Prediction(
    "Process 1 has sent its save to the server and is killed before the answer comes. What is in "
    "the row?",
    ["the old version", "the new version", "either: the process can't know"],
    name="lesson.predict_sent",
)

predict_chained = Prediction(
    "The three tasks are one chain now. Process 1 is killed before the chain is saved, and process "
    "2 resumes. How often is the card charged?",
    ["not at all", "once", "twice"],
    name="lesson.predict_chained",
)


def build_graph(chained: bool = False, key: str | None = None) -> Graph:
    """Return the flow of an order: charge the card, send the e-mail, hand over to the warehouse.

    Args:
        chained: Whether the three tasks are one step, saved once, at its end.
        key: The idempotency key of the two effects, with ``{order}``, ``{task}`` and ``{attempt}``
            (a new text in each run of a task); None for none.
    """
    then = NextAction.CONTINUE_AND_EXECUTE if chained else NextAction.CONTINUE

    @task("charge")
    def charge(context: Context) -> TaskResult:
        order = context["order"]
        send(f"charge 120 € for {order}", fill_in(key, order, "charge"))
        context["charged"] = 120
        return TaskResult("card charged", then, "charged")

    @task("confirm")
    def confirm(context: Context) -> TaskResult:
        order = context["order"]
        send(f"e-mail to Ana about {order}", fill_in(key, order, "confirm"))
        context["confirmed"] = True
        return TaskResult("e-mail sent", then, "confirmed")

    @task("ship")
    def ship(context: Context) -> TaskResult:
        return TaskResult("handed over", NextAction.END, "shipped")

    return (
        GraphBuilder("orders")
        .add_task(charge)
        .add_task(confirm)
        .add_task(ship)
        .add_edge("charge", "confirm")
        .add_edge("confirm", "ship")
        .build()
    )


def fill_in(key: str | None, order: str, task: str) -> str | None:
    """Return a key with its fields filled in; None for none."""
    if key is None:
        return None
    return key.format(order=order, task=task, attempt=uuid4().hex[:8])


def crash_order(
    store: LessonStore,
    id: str,
    *,
    chained: bool = False,
    key: str | None = None,
    ledger: Ledger | None = None,
    name: str = "crash",
) -> Crash:
    """Return a crash of the flow on a new order, which stops at the points of task ``confirm``.

    An existing order with the same id is removed, so that a cell can be run again.

    Args:
        store: The store.
        id: The id of the order and of its session.
        chained: Whether the tasks are one step.
        key: The idempotency key of the effects.
        ledger: The ledger, if several orders share one.
        name: How the notebook names the crash.
    """
    if store.url is not None:
        with store.open() as wb:
            wb.delete(id, undo=False)
    return Crash(
        store,
        GRAPH,
        id,
        task="confirm",
        context={"order": id},
        arguments={"chained": chained, "key": key},
        ledger=ledger,
        name=name,
    )


def key_exercise(store: LessonStore, name: str = "exercise") -> Exercise:
    """Return the exercise, whose answers are tried on a store by a crash at each of its points.

    Args:
        store: The store.
        name: How the notebook names the exercise.
    """
    return Exercise(
        "Choose a key with which each order is charged once and confirmed once, wherever the "
        "process is killed. {order}, {task} and {attempt} in it are filled in.",
        lambda key: _check_key(store, key),
        hint="Two sendings of one effect need the same key, and two effects need different keys. "
        "Which fields are the same in both runs of a task? Which differ between e-mail and charge?",
        solution=GOOD_KEY,
        because="The key says which effect of which order it is. It is made of the ids of the "
        "session and the task, so process 2 makes the same key, and the receiver ignores what it "
        "has seen. With {attempt} the key is new in each run. With {order} alone, charge and "
        "e-mail have the same key, and with {task} alone, all orders have.",
        name=name,
    )


Fate = Literal["delivered", "lost"]
_orders = count(1)


def _check_key(store: LessonStore, key: object) -> str | None:
    """Return why a key does not do; None if it does."""
    if not isinstance(key, str):
        return f"a key is a text such as '{{order}}', not {key!r}"
    try:
        fill_in(key, "order-1", "confirm")
    except (LookupError, ValueError, AttributeError):
        return f"{key!r} can't be filled in: its fields are {{order}}, {{task}} and {{attempt}}"
    # Both effects are in one step, so that both are sent again, and all orders have one receiver.
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.jsonl")
        for point, fate in _list_crashes(store):
            order = f"checked-{next(_orders)}"
            with crash_order(store, order, chained=True, key=key, ledger=ledger) as crash:
                crash.start(stop_at=point)
                crash.kill(fate)
                crash.resume()
            reason = _judge(ledger.read(), order)
            if reason is not None:
                return f"killed {point}: {reason}"
    return None


def _list_crashes(store: LessonStore) -> Iterator[tuple[str, Fate]]:
    with crash_order(store, "none") as crash:
        points = crash.points
    for point in points.index[points.exists]:
        yield point, "delivered"
        if point == SENT:
            yield point, "lost"


def _judge(effects: list[Effect], order: str) -> str | None:
    for what in (f"charge 120 € for {order}", f"e-mail to Ana about {order}"):
        tries = [each for each in effects if each.effect == what]
        sent = [each for each in tries if each.sent]
        if len(sent) > 1:
            keys = " and then ".join(repr(each.key) for each in sent)
            return f"{what!r} was sent {describe_count(len(sent), 'time')}, with the key {keys}"
        if not sent:
            key = tries[0].key
            first = next(each for each in effects if each.key == key)
            return (
                f"{what!r} was ignored each time: its key {key!r} was known, from {first.effect!r}"
            )
    return None
