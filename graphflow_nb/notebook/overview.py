"""``wb.overview``: where the sessions of a store are, which are stuck, and how they grow."""

from __future__ import annotations

from typing import Any

import pandas as pd
from markupsafe import Markup

from ..cards import card
from ..figures import LatencyFigure, overview_board
from ..figures.overview import growth_text
from ..figures.text import about_text, long_text
from ..figures.theme import ThemeName
from ..frames.overview import overview_frames, sample_note
from ..printable import describe_count, inflect, printable_lines
from ..storage.overview import OverviewCounts
from .pictures import THEMES, render_picture, render_themes

__all__ = ["Overview"]


class Overview:
    """Where the sessions of a store are, which are stuck, and how their number grows.

    It shows itself as a board of pictures. An age is the time since the last save, since a store
    keeps no other time of a task. The usual age at a task is that within which half of its sessions
    were saved; a session is stuck if it was not saved for ten times as long, and for a minute at
    least. graph-flow stores nothing that tells a session that ended from one that waits: it stays
    at its last task, with the status that the task gave it. So those that ended long ago count as
    stuck too.

    Example:
        >>> import graphflow_nb
        >>> overview = graphflow_nb.open("demo").overview()
        >>> overview.tasks[["graph_id", "current_task_id", "sessions"]].head(2)
          graph_id current_task_id  sessions
        0   claims          payout        57
        1  support  await_customer        28

    Args:
        counts: The counts of a store.

    Attributes:
        counts: As passed.
        tasks: One row for each task, most sessions first: ``graph_id``, ``current_task_id``
            (category), ``sessions`` (int64), ``usual_age`` (timedelta64[us], missing where fewer
            than five sessions have an age), ``stuck`` (int64), ``stuck_after`` (timedelta64[us],
            the age from which on they are; ``wb.stuck(stuck_after, graph=…, task=…)`` lists them).
        ages: One row for each task and class of ages: ``graph_id``, ``current_task_id``, ``kind``
            (category: ``past``, ``future``, ``unknown``), ``at_least`` (timedelta64[us], missing
            unless past), ``sessions`` (int64).
        graphs: One row for each graph, the hottest first: ``graph_id`` (category), ``sessions``,
            ``tasks``, ``saved_last_hour``, ``saved_last_day``, ``stuck`` (int64).
        days, hours: One row for each of the last 60 days, and 48 hours, the current one last:
            ``day`` or ``hour`` (datetime64[us, UTC], its beginning), ``created`` (int64), ``saved``
            (int64, last saved then: a store keeps no earlier saves).
        sizes: One row for each class of sizes: ``at_least`` (int64, bytes), ``below`` (Int64),
            ``sessions``, ``context_bytes`` (int64, of all of them).
        note: Where the figures are estimates, from what; else empty. Then each frame has it as
            ``attrs["note"]``, and the numbers are those of the whole store, about.
    """

    def __init__(self, counts: OverviewCounts):
        self.counts = counts
        frames = overview_frames(counts)
        self.tasks, self.ages, self.graphs, self.days, self.hours, self.sizes = frames
        self.note = sample_note(counts)

    @property
    def sessions(self) -> int:
        """The number of sessions; an estimate where ``note`` says so."""
        return round(self.counts.read / self.counts.share)

    @property
    def answers(self) -> tuple[str, str, str]:
        """The answers in words: where sessions are, what is stuck, and whether they grow."""
        return self._describe_places(), self._describe_stuck(), self._describe_growth()

    def _about(self, number: float) -> str:
        return about_text(number, self.counts.share)

    def _describe_places(self) -> str:
        if not len(self.tasks):
            return "there is no session"
        tasks, graphs = len(self.tasks), len(self.graphs)
        text = (
            f"{self._about(self.sessions)} {inflect(self.sessions, 'session')} at "
            f"{describe_count(tasks, 'task')} of {describe_count(graphs, 'graph')}"
        )
        first = self.tasks.iloc[0]
        return f"{text}, most at {_name(first)}: {self._about(first['sessions'])}"

    def _describe_stuck(self) -> str:
        found = self.tasks[self.tasks["stuck"] > 0]
        if not len(found):
            where = "" if self.counts.share == 1 else " in the part that was read"
            return f"none{where} for ten times the usual time of its task"
        first = found.iloc[int(found["stuck"].to_numpy().argmax())]
        return (
            f"{self._about(found['stuck'].sum())} at {describe_count(len(found), 'task')}, "
            f"most at {_name(first)}: {self._about(first['stuck'])} for "
            f"{_time(first['stuck_after'])} or more, where up to {_time(first['usual_age'])} is "
            "usual; those that ended count too, since a store does not say which did"
        )

    def _describe_growth(self) -> str:
        today = self._about(self.days["created"].iloc[-1])
        return f"{growth_text(self.days)}; today so far: {today}"

    def plot(self, *, large: bool = False, theme: ThemeName = "both") -> LatencyFigure:
        """Draw the board of pictures.

        Args:
            large: Whether it is for a projector: one picture below the other, and larger.
            theme: ``both`` (transparent, for a light and a dark ground), ``light`` or ``dark``.

        Returns:
            A figure that shows itself in a notebook; ``savefig`` works on it, ``said`` is it in
            words.

        Raises:
            QueryError: The theme is unknown.
        """
        return overview_board(
            self.tasks,
            self.ages,
            self.graphs,
            self.days,
            self.hours,
            self.sizes,
            large=large,
            theme=theme,
        )

    def to_html(self, theme: ThemeName = "both") -> str:
        """Return the answers and the board as HTML, which needs neither a kernel nor a network.

        Args:
            theme: ``both`` (transparent, for a light and a dark ground), ``light`` or ``dark``.
        """
        return self._render_card(theme)

    def _render_card(self, *themes: ThemeName) -> str:
        asked = ("where", "stuck", "growth")
        row = Markup("<tr><th>%s</th><td>%s</td></tr>")
        rows = Markup("").join(row % each for each in zip(asked, self.answers, strict=True))
        body = Markup("<table>%s</table>%s") % (
            rows,
            render_themes(lambda theme: render_picture(self.plot(theme=theme).axes[0]), themes),
        )
        if self.note:
            body += Markup("<p>%s</p>") % self.note
        return str(card("overview", body))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self._render_card(*THEMES), "text/plain": repr(self)}

    def __repr__(self) -> str:
        where, stuck, growth = self.answers
        at = f"{self.counts.now:%Y-%m-%d %H:%M:%S} UTC"
        lines = [f"Overview at {at}", f"where: {where}", f"stuck: {stuck}", f"growth: {growth}"]
        if self.note:
            lines.append(self.note)
        return printable_lines("\n".join(lines))


def _name(row: pd.Series[Any]) -> str:
    return f"{row['current_task_id']} ({row['graph_id']})"


def _time(time: pd.Timedelta) -> str:
    return long_text(float(time.value))
