"""Lesson 1: a store keeps the newest state, and an event log each change."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Any, Final

import pandas as pd

from ...errors import LessonError
from ...model import Context, Session
from ...notebook.workbench import Workbench
from ...workflow import Graph, GraphBuilder, NextAction, TaskResult, task
from ..exercise import Exercise
from ..prediction import Prediction
from ..step import Step

__all__ = [
    "AMOUNTS",
    "EventLog",
    "GRAPH",
    "compare_costs",
    "fold_events",
    "predict_next_task",
    "predict_rows",
    "predict_step_3",
    "remember",
    "start",
    "state_at",
    "which_question",
]

#: What is paid, after each step that changes it.
AMOUNTS: Final = {1: 900, 2: 640, 3: 720, 4: 570}


@task("file")
def file(context: Context) -> TaskResult:
    context["amount"] = AMOUNTS[1]
    return TaskResult("filed", NextAction.CONTINUE, "filed")


@task("inspect")
def inspect(context: Context) -> TaskResult:
    context["amount"] = AMOUNTS[2]
    context["inspector"] = "Ana"
    return TaskResult("inspected", NextAction.CONTINUE, "inspected")


@task("negotiate")
def negotiate(context: Context) -> TaskResult:
    context["amount"] = AMOUNTS[3]
    return TaskResult("negotiated", NextAction.CONTINUE, "negotiated")


@task("deduct")
def deduct(context: Context) -> TaskResult:
    context["amount"] = AMOUNTS[4]
    del context["inspector"]
    return TaskResult("the excess is deducted", NextAction.CONTINUE, "excess deducted")


@task("pay")
def pay(context: Context) -> TaskResult:
    context["paid"] = True
    return TaskResult("paid", NextAction.END, "paid")


def _build() -> Graph:
    tasks = [file, inspect, negotiate, deduct, pay]
    builder = GraphBuilder("claims")
    for each in tasks:
        builder.add_task(each)
    for one, other in pairwise(tasks):
        builder.add_edge(one.id, other.id)
    return builder.build()


GRAPH: Final = _build()


def start(wb: Workbench, id: str) -> Session:
    """Save a new claim at the first task, in place of one with the same id, and return it.

    So a cell can be run again. The events of the earlier claim are removed, too.
    """
    wb.delete([id, *EventLog(wb, id).list_ids()], undo=False)
    return wb.create(id, "file", graph_id=GRAPH.id, undo=False)


# Predictions

predict_rows = Prediction(
    "The workflow runs five steps, and each is saved. How many rows has the store then?",
    ["one", "five", "six: one for the start, too"],
    name="lesson.predict_rows",
)
predict_step_3 = Prediction(
    "The claim is paid. Someone asks: how much was it after step 3? What in the row tells it?",
    ["the version", "the time of the last update", "the context", "nothing in the row"],
    name="lesson.predict_step_3",
)
predict_next_task = Prediction(
    "A process dies after step 3, and another one goes on. What does it read to know which task "
    "comes next?",
    ["the newest state alone", "all changes since the start", "the state of step 2, and of step 3"],
    name="lesson.predict_next_task",
)


# The event log


class EventLog:
    """The changes of one session, each a row of its own that is never changed again.

    The rows are sessions, too, so that they are in the same store. ``set`` has the values of the
    context that a step set, ``removed`` the names of those that it removed.

    Args:
        wb: The workbench of the store.
        id: The id of the session.

    Attributes:
        id: As passed.
    """

    def __init__(self, wb: Workbench, id: str):
        self.id, self._wb, self._prefix = id, wb, f"{id}/event-"

    def append(self, step: Step) -> dict[str, Any]:
        """Save what a step changed, and return it.

        Args:
            step: A step that was saved.

        Raises:
            LessonError: The step was not saved, so there is nothing to note.
        """
        if step.before is None or step.stored is None or step.error is not None:
            raise LessonError(f"step {step.number} was not saved, so it is no event")
        before, after = (dict(each.context) for each in (step.before, step.stored))
        event = {
            "step": step.number,
            "set": {k: v for k, v in after.items() if k not in before or before[k] != v},
            "removed": sorted(before.keys() - after.keys()),
        }
        self._wb.create(
            f"{self._prefix}{step.number:04}", "event", graph_id="events", context=event
        )
        return event

    def list_ids(self) -> list[str]:
        """Return the ids of the events' rows, oldest first."""
        return list(self._wb.sessions(id_prefix=self._prefix, order="id")["id"])

    def read(self) -> list[dict[str, Any]]:
        """Return all events, oldest first: one read for each."""
        return [dict(self._wb.get(id).context) for id in self.list_ids()]

    def state_at(self, number: int) -> dict[str, Any]:
        """Return the values of the context after a step, from the events alone."""
        return fold_events(self.read(), number)


def fold_events(events: Sequence[Mapping[str, Any]], number: int) -> dict[str, Any]:
    """Return the state after a step: the changes up to it, one after the other."""
    state: dict[str, Any] = {}
    for event in events:
        if event["step"] <= number:
            state.update(event["set"])
            for name in event["removed"]:
                del state[name]
    return state


def compare_costs(wb: Workbench, log: EventLog) -> pd.DataFrame:
    """Return what the row and the event log of one session cost.

    Args:
        wb: The workbench of the store.
        log: The event log.

    Returns:
        Of ``snapshot`` and ``event log`` (int64): the rows, the bytes of their contexts, and the
        calls on the storage that read the newest state.
    """
    row, events = wb.get(log.id), [wb.get(id) for id in log.list_ids()]
    reads = {
        "snapshot": _count_calls(wb, lambda: wb.get(log.id)),
        "event log": _count_calls(wb, lambda: log.state_at(len(events))),
    }
    sizes = {
        "snapshot": len(row.context_json()),
        "event log": sum(len(event.context_json()) for event in events),
    }
    rows = {"snapshot": 1, "event log": len(events)}
    names = ["rows", "bytes of context", "calls that read the newest state"]
    return pd.DataFrame([rows, sizes, reads], index=names)


def _count_calls(wb: Workbench, read: Callable[[], object]) -> int:
    before = wb.recorder.since()[1]
    read()
    return len(wb.recorder.since(before)[0].foreground())


# Exercises

_REASONS: Final = {
    "How long did step 2 take?": "the row has the time of the last save only, which each "
    "save replaces",
    "Who was the inspector before that was removed?": "what a later step removes is gone from the "
    "row; the event log of this lesson still has it",
}


which_question = Exercise(
    "Which of these questions can be answered from the row alone?",
    lambda answer: _REASONS.get(answer),
    "What must a process know that goes on after a crash?",
    "Which task runs next?",
    because="The row is the newest state, and the newest state is all that the next step needs.",
    choices=["How long did step 2 take?", "Which task runs next?", *list(_REASONS)[1:]],
    name="lesson.which_question",
)


def _make_events(seed: int) -> list[dict[str, Any]]:
    """Return random events that fit together."""
    chance, events = random.Random(seed), []
    state: dict[str, Any] = {}
    for step in range(1, 8):
        names = chance.sample("abcd", 2)
        removed = [name for name in names if name in state and chance.random() < 0.5]
        changed: dict[str, Any] = {n: chance.randrange(100) for n in names if n not in removed}
        state = {n: v for n, v in (state | changed).items() if n not in removed}
        events.append({"step": step, "set": changed, "removed": removed})
    return events


def _check_state_at(answer: Callable[[list[dict[str, Any]], int], Any]) -> str | None:
    for seed in range(20):
        events = _make_events(seed)
        given = deepcopy(events)
        for number in (0, 3, 7):
            got, wanted = answer(given, number), fold_events(events, number)
            if given != events:
                return "it changes the events: an event log is only ever appended to"
            if got != wanted:
                return (
                    f"after step {number} of {events[:number]} the state is {wanted}, and it "
                    f"returned {got!r}"
                )
    return None


state_at = Exercise(
    "Write state_at(events, number): the values after step number, from the events alone. An "
    "event is a dict such as {'step': 4, 'set': {'amount': 570}, 'removed': ['inspector']}.",
    _check_state_at,
    "Begin with an empty dict and apply the events one after the other, up to the step.",
    fold_events,
    because="The state is the sum of its changes: each reader has to add them up.",
    name="lesson.state_at",
)


def _check_remember(answer: Callable[[Context, int], Any]) -> str | None:
    context = Context()
    for number, amount in AMOUNTS.items():
        answer(context, amount)
        context = Context.from_json(context.to_json())  # as the next step reads it from the row
        if context.get("amount") != amount:
            return f"after step {number} context['amount'] has to be {amount}"
        if context.get("amounts") != list(AMOUNTS.values())[:number]:
            return (
                f"after step {number} context['amounts'] has to be "
                f"{list(AMOUNTS.values())[:number]}, and it is {context.get('amounts')!r}"
            )
    return None


def _solve_remember(context: Context, amount: int) -> None:
    context["amount"] = amount
    context["amounts"] = [*context.get("amounts", []), amount]


remember = Exercise(
    "Write remember(context, amount), which a task calls to set context['amount'], so that the row "
    "itself can tell each earlier amount: context['amounts'] is the list of all, oldest first.",
    _check_remember,
    "context.get('amounts', []) is the list so far. Set the new list as a value of the context.",
    _solve_remember,
    because="This is a small event log inside of the snapshot. The row grows with each step, and "
    "each save writes all of it again.",
    name="lesson.remember",
)
