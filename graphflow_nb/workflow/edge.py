"""Edge: a way from one task to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..model import Context

__all__ = ["Edge"]


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one task to another.

    Example:
        >>> from graphflow_nb.workflow import Edge
        >>> Edge("intake", "payout")
        Edge(source='intake', target='payout', condition=None)

    Attributes:
        source: The id of the task that it leaves.
        target: The id of the task that it leads to.
        condition: A function of the context that says whether it is taken; None for always.
    """

    source: str
    target: str
    condition: Callable[[Context], bool] | None = None
