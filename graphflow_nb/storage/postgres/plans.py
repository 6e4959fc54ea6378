"""What the server plans to do, read from its EXPLAIN (FORMAT JSON)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..facts import Plan

__all__ = ["plan_of"]


def plan_of(explained: Any) -> Plan:
    """Return the plan of a decoded answer to EXPLAIN (FORMAT JSON)."""
    nodes = list(_nodes_below(explained[0]["Plan"]))
    rows = max(int(node["Plan Rows"]) for node in nodes)
    return Plan(tuple(node["Node Type"] for node in nodes), nodes[0]["Total Cost"], rows)


def _nodes_below(node: Any) -> Iterator[Any]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes_below(inner)
