"""Two groups of runs compared, such as those before and after a release."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from markupsafe import Markup

from ..cards import card
from ..frames import category_column
from ..printable import printable, printable_lines
from .visits import Visit, visits_of
from .words import print_frame, render_frame

__all__ = ["CohortComparison"]

COLUMNS: Final = {
    **{f"n_{side}": f"visits in {side}" for side in "ab"},
    **{f"p{tail}_{side}": f"p{tail} in {side}" for tail in (50, 99) for side in "ab"},
    "ratio": "p50 of b by a",
    **{f"sessions_{side}": f"sessions in {side}" for side in "ab"},
    **{f"share_{side}": f"share in {side}" for side in "ab"},
}


class CohortComparison:
    """Two groups of runs, such as those before and after a release; it shows itself.

    Args:
        names: The names of the groups.
        stays: The stays of each group, as ``Timeline.stays`` has them.
        failed: The text of a status that counts as failed.
        note: What a bound left out; empty for nothing.

    Attributes:
        tasks: One row for each task: ``task`` (category), ``n_a``, ``n_b`` (int64, visits that
            ended), ``p50_a``, ``p50_b``, ``p99_a``, ``p99_b`` (timedelta64[us]), ``ratio``
            (float64, p50 of b by that of a).
        ends: One row for each task where sessions are now: ``task`` (category), ``sessions_a``,
            ``sessions_b`` (int64), ``share_a``, ``share_b`` (float64).
        failures: For each group, the number of sessions, and of those whose last status says that
            they failed.
        note: As passed.
    """

    def __init__(
        self,
        names: tuple[str, str],
        stays: tuple[pd.DataFrame, pd.DataFrame],
        *,
        failed: str = "failed",
        note: str = "",
    ):
        self.names = names
        self.note = note
        self._failed = failed
        visits = [
            [
                (id, visit)
                for id, rows in side.groupby("id", sort=False)
                for visit in visits_of(rows)
            ]
            for side in stays
        ]
        self.tasks = _tasks_frame([[visit for _, visit in side] for side in visits])
        last = [side.groupby("id", sort=False).tail(1) for side in stays]
        self.ends = _ends_frame(last)
        self.failures = tuple(
            (len(side), int(side["status_message"].str.contains(failed, regex=False).sum()))
            for side in last
        )

    def _describe_failures(self) -> Iterator[str]:
        for name, (sessions, failed) in zip(self.names, self.failures, strict=True):
            share = f"{100 * failed / sessions:.1f} %" if sessions else "none"
            yield f"{name}: {failed:,} of {sessions:,} with {self._failed!r} in status ({share})"

    def _repr_html_(self) -> str:
        lines = Markup("").join(
            Markup("<p>%s</p>") % printable(line)
            for line in (*self._describe_failures(), self.note)
            if line
        )
        title = Markup("%s beside %s") % self.names
        tasks, ends = render_frame(self.tasks, COLUMNS), render_frame(self.ends, COLUMNS)
        body = lines + Markup("<b>time at each task</b>%s<b>where they are</b>%s") % (tasks, ends)
        return str(card(title, body))

    def __repr__(self) -> str:
        lines = [
            *self._describe_failures(),
            *filter(None, [self.note]),
            print_frame(self.tasks),
            print_frame(self.ends),
        ]
        return printable_lines("\n".join(lines))


def _tasks_frame(sides: Sequence[Sequence[Visit]]) -> pd.DataFrame:
    tasks = list(dict.fromkeys(visit.task for side in sides for visit in side))
    columns: dict[str, Any] = {"task": category_column(tasks)}
    middles = []
    for letter, side in zip("ab", sides, strict=True):
        lasted: dict[str, list[int]] = {task: [] for task in tasks}
        for visit in side:
            if not visit.open:
                lasted[visit.task].append((visit.end - visit.start) // pd.Timedelta(1, "us"))
        columns[f"n_{letter}"] = np.array([len(lasted[task]) for task in tasks], np.int64)
        for tail in (50, 99):
            values = [
                int(np.percentile(lasted[task], tail, method="inverted_cdf"))
                if lasted[task]
                else np.iinfo(np.int64).min  # NaT
                for task in tasks
            ]
            times = pd.Series(np.array(values, np.int64).view("m8[us]"))
            columns[f"p{tail}_{letter}"] = times
            if tail == 50:
                middles.append(times)
    columns["ratio"] = middles[1] / middles[0]
    order = ["task", "n_a", "n_b", "p50_a", "p50_b", "p99_a", "p99_b", "ratio"]
    return pd.DataFrame(columns)[order]


def _ends_frame(last: Sequence[pd.DataFrame]) -> pd.DataFrame:
    counts = [side["task"].astype(object).value_counts() for side in last]
    tasks = list(dict.fromkeys([*counts[0].index, *counts[1].index]))
    columns: dict[str, Any] = {"task": category_column(tasks)}
    for letter, side in zip("ab", counts, strict=True):
        columns[f"sessions_{letter}"] = np.array([int(side.get(t, 0)) for t in tasks], np.int64)
    for letter in "ab":
        found = columns[f"sessions_{letter}"]
        columns[f"share_{letter}"] = found / max(1, found.sum())
    return pd.DataFrame(columns)
