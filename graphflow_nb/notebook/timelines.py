"""A timeline: sessions over time, as DataFrames, a picture, and a page with hints."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from ..cards import card
from ..figures import plot_stays, plot_tasks
from ..figures.stays import MAX_ROWS
from ..figures.theme import ThemeName
from ..frames import transitions_frame
from ..printable import printable_lines
from .hints import render_moment_hints, render_stay_hints
from .pictures import THEMES, render_picture, render_themes

__all__ = ["Timeline"]

MAX_HINTS: Final = 3_000  # stays that say what they are when they are pointed at


class Timeline:
    """Sessions over time, from the versions in the history; it shows itself.

    Example:
        >>> import graphflow_nb
        >>> from graphflow_nb.history import HistoryStorage
        >>> wb = graphflow_nb.wrap(HistoryStorage(graphflow_nb.InMemorySessionStorage()))
        >>> session = wb.create("claim-1", "intake", graph_id="claims")
        >>> session.current_task_id = "decide"
        >>> wb.save(session)
        >>> wb.timeline().transitions[["from", "to", "n"]]
             from      to  n
        0  intake  decide  1

    Args:
        stays: The stays of sessions at tasks, as ``stays_frame`` returns them.
        note: What a bound left out; empty for nothing.

    Attributes:
        stays: One row for each stay: ``id`` (text), ``graph_id``, ``task`` (category), ``start``,
            ``end`` (datetime64[us, UTC]; the end of an open one is the time of the call),
            ``duration`` (timedelta64[us]), ``waits`` (bool: it began by staying at the same task,
            so the session waits there, for input or to be tried again; otherwise it came from
            another task, and is worked on or waits for a worker), ``open`` (bool: it has no end
            yet), ``version`` (int64), ``status_message`` (text), ``source`` (category).
        note: As passed.
    """

    def __init__(self, stays: pd.DataFrame, note: str = ""):
        self.stays = stays
        self.note = note

    @property
    def _is_binned(self) -> bool:
        """Whether there are too many sessions for a row each."""
        return self.stays["id"].nunique() > MAX_ROWS

    @property
    def transitions(self) -> pd.DataFrame:
        """One row for each way from task to task.

        ``graph_id``, ``from``, ``to`` (category), ``n`` (int64), and ``p50`` and ``p99``
        (timedelta64[us]) of the time between the two saves.
        """
        return transitions_frame(self.stays)

    def plot(self, *, ax: Any = None, theme: ThemeName = "both") -> Any:
        """Draw each session as a row; of more than 150, how many were at each task.

        Args:
            ax: The axes to draw on; None makes a figure.
            theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

        Returns:
            The axes; those of a new figure show themselves in a notebook.

        Raises:
            QueryError: The theme is unknown.
        """
        return (plot_tasks if self._is_binned else plot_stays)(self.stays, ax=ax, theme=theme)

    def to_html(self, theme: ThemeName = "both") -> str:
        """Return the picture as HTML, which says what is where it is pointed at: each stay, or the
        number of sessions at each task.

        Args:
            theme: ``both`` (transparent), ``light`` or ``dark``.
        """
        return self._render_card(theme)

    def _render_card(self, *themes: ThemeName) -> str:
        drawn = {theme: self.plot(theme=theme) for theme in themes}
        pictures = render_themes(lambda theme: render_picture(drawn[theme]), themes)
        ax = drawn[themes[0]]  # a picture is laid out alike in each theme
        box = Markup('<div style="position:relative;max-width:%spx">%s%s</div>')
        body = box % (int(ax.figure.bbox.width), pictures, self._render_hints(ax))
        if self.note:
            body += Markup("<p>%s</p>") % self.note
        return str(card("sessions over time", body))

    def _render_hints(self, ax: Any) -> Markup:
        if not len(self.stays):
            return Markup("")
        if self._is_binned:
            return render_moment_hints(ax, self.stays)
        if len(self.stays) <= MAX_HINTS:
            return render_stay_hints(ax, self.stays)
        words = "more than %s stays are too many to say what each is when it is pointed at"
        return Markup("<p>%s</p>") % (words % f"{MAX_HINTS:,}")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self._render_card(*THEMES), "text/plain": repr(self)}

    def __repr__(self) -> str:
        ax = self.plot()
        return printable_lines("\n".join(filter(None, (ax.said, self.note))))
