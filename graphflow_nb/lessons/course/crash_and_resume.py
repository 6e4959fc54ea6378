"""Lesson 2, crash and resume: its flow, questions and exercise."""

from __future__ import annotations

from uuid import uuid4

from ...model import Context
from ...workflow import Graph, GraphBuilder, NextAction, TaskResult, task
from ..ledger import send

__all__ = ["GRAPH", "build_graph"]

#: The name by which another process imports the flow.
GRAPH = f"{__name__}:build_graph"


def build_graph(chained: bool = False, key: str | None = None) -> Graph:
    """Return the flow of an order: charge the card, send the e-mail, hand over to the warehouse.

    Args:
        chained: Whether the tasks are one step, saved once, at its end.
        key: The idempotency key of the two effects, with ``{order}``, ``{task}`` and ``{attempt}``
            (another text in each run of a task) in braces; None for none.
    """
    then = NextAction.CONTINUE_AND_EXECUTE if chained else NextAction.CONTINUE

    def make_key(context: Context, task: str) -> str | None:
        if key is None:
            return None
        return key.format(order=context["order"], task=task, attempt=uuid4().hex[:8])

    @task("charge")
    def charge(context: Context) -> TaskResult:
        send(f"charge 120 € for {context['order']}", make_key(context, "charge"))
        context["charged"] = 120
        return TaskResult("card charged", then, "charged")

    @task("confirm")
    def confirm(context: Context) -> TaskResult:
        send(f"e-mail to Ana about {context['order']}", make_key(context, "confirm"))
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
