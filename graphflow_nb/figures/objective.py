"""An objective: a duration that operations should not exceed, drawn as a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from .figure import theme_of
from .groups import Group
from .parts import SMALL
from .text import fine_share_text, nanos_text

__all__ = ["draw_objective", "objective_notes", "share_beyond", "with_objective"]


def share_beyond(group: Group, objective: float) -> float:
    """Return the share of a group's operations that took longer than the objective.

    Args:
        group: The operations.
        objective: The duration in ns.
    """
    return float((group.nanos > objective).mean())


def with_objective(nanos: NDArray[np.int64], objective: float | None) -> NDArray[np.float64]:
    """Return durations and the objective, so that an axis reaches as far as both."""
    return np.append(nanos, [] if objective is None else [objective])


def draw_objective(ax: Axes, along: Literal["x", "y"], objective: float | None) -> None:
    """Draw the objective as a dashed line with its name; the axes have to reach that far.

    Args:
        ax: The axes.
        along: The axis of the durations.
        objective: The duration in ns; None draws nothing.
    """
    if objective is None:
        return
    ink = theme_of(ax).ink
    line = ax.axhline if along == "y" else ax.axvline
    line(objective, color=ink, linewidth=1.2, linestyle=(0, (4, 3)), zorder=4)
    across = along == "y"
    ax.annotate(
        f"objective {nanos_text(objective)}",
        (0, objective) if across else (objective, 0),
        xycoords=ax.get_yaxis_transform() if across else ax.get_xaxis_transform(),
        xytext=(4, 3),
        textcoords="offset points",
        color=ink,
        fontsize=SMALL,
        ha="left",
        va="bottom",
        rotation=0 if across else 90,
        zorder=6,
    )


def objective_notes(groups: Iterable[Group], objective: float | None) -> list[str]:
    """Return the share of each group beyond the objective, in words; empty without one."""
    if objective is None:
        return []
    shares = (f"{each.name} {fine_share_text(share_beyond(each, objective))}" for each in groups)
    return [f"over {nanos_text(objective)}: {'; '.join(shares)}"]
