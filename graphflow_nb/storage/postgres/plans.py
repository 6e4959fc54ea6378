"""What the server plans to do, read from its EXPLAIN (FORMAT JSON).

Citus sends parts of a statement to other servers. It says what one of them plans, and how many
there are; what it says itself of the rows and the cost of a part is a constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..facts import Plan

__all__ = ["plan_of"]


class _Node(NamedTuple):
    """A step of a plan.

    Attributes:
        step: The step, as the server describes it.
        times: On how many shards it is made; 0 where it is not made on shards.
        is_first: Whether it is the last step of what is made there, which has the cost of all.
    """

    step: Any
    times: float = 0.0
    is_first: bool = False


def plan_of(explained: Any) -> Plan:
    """Return the plan of a decoded answer to EXPLAIN (FORMAT JSON)."""
    nodes = list(_nodes_below(_Node(explained[0]["Plan"])))
    elsewhere = [node for node in nodes if node.times]
    rows = max(max(node.times, 1.0) * node.step["Plan Rows"] for node in elsewhere or nodes)
    cost = nodes[0].step["Total Cost"]
    cost += sum(node.times * node.step["Total Cost"] for node in elsewhere if node.is_first)
    return Plan(tuple(node.step["Node Type"] for node in nodes), cost, int(rows))


def _nodes_below(node: _Node) -> Iterator[_Node]:
    yield node
    for inner in node.step.get("Plans", ()):
        yield from _nodes_below(_Node(inner, node.times))
    distributed = node.step.get("Distributed Query", {})
    for part in distributed.get("Subplans", ()):
        for statement in part.get("PlannedStmt", ()):
            yield from _nodes_below(_Node(statement["Plan"]))
    job = distributed.get("Job", {})
    tasks = job.get("Tasks", ())
    for task in tasks:
        for [explained] in task.get("Remote Plan", ()):
            times = job["Task Count"] / len(tasks)
            yield from _nodes_below(_Node(explained["Plan"], times, is_first=True))
