"""A run as text, as a card and as a page.

This module imports matplotlib, so ``Run`` imports it only when a report is wanted.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup

from ..cards import CARD_CSS, card, fact_table
from ..figures import LatencyFigure, duration_text
from ..figures.theme import ThemeName
from ..printable import printable
from .settings import Settings

__all__ = ["Report"]

_PAGE = Markup("""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>%(title)s</title>
<style>%(css)s
body { margin: 2em auto; max-width: 80em; padding: 0 1em; font: 15px/1.5 system-ui, sans-serif;
  background: light-dark(#fff, #111); color: light-dark(#111, #f2f2f2); }
.gfnb { max-width: none; border: none; padding: 0; font: inherit; }
.gfnb .q { color: light-dark(#595959, #b3b3b3); }
img { max-width: 100%%; height: auto; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
</style></head><body><div class="gfnb mathjax_ignore tex2jax_ignore"><h1>%(title)s</h1>
%(body)s</div></body></html>
""")


@dataclass(frozen=True)
class Report:
    """A report of a run: its settings, figures and notes.

    Attributes:
        settings: The settings of the run.
        began: The time when it began.
        summary: The figures of each store, as ``Run.summary`` returns them.
        notes: Remarks for the reader, such as that the run was stopped.
    """

    settings: Settings
    began: datetime
    summary: pd.DataFrame
    notes: Sequence[str]

    def render_text(self) -> str:
        """Return a few lines: the settings, and the figures of each store."""
        lines = [str(self.settings)]
        for name, row in self.summary.iterrows():
            figures = ", ".join(f"{figure.head} {figure}" for figure in _format_figures(row))
            lines.append(f"{name}: {figures}")
        return "\n".join(map(printable, [*lines, *self.notes]))

    def render_card(self) -> str:
        """Return the same as a card, in HTML."""
        return str(card(self._render_title(), self._render_body()))

    def render_page(
        self, machine: Mapping[str, str], figures: Mapping[ThemeName, LatencyFigure]
    ) -> str:
        """Return the same as an HTML page that needs nothing else.

        Args:
            machine: The machine, as ``describe_machine`` returned it.
            figures: The same figure in both themes; empty if the run has no data.
        """
        picture = _render_picture(figures["light"], figures["dark"]) if figures else ""
        body = Markup("%s%s<h2>Machine</h2>%s") % (
            self._render_body(),
            picture,
            fact_table(machine.items()),
        )
        css = Markup(CARD_CSS)  # noqa: S704  our own file
        return str(_PAGE % {"title": self._render_title(), "css": css, "body": body})

    def _render_title(self) -> str:
        return f"Benchmark {self.settings.workload.name}, {self.began:%Y-%m-%d %H:%M} UTC"

    def _render_body(self) -> Markup:
        rows = [(str(name), _format_figures(row)) for name, row in self.summary.iterrows()]
        table = Markup("")
        if rows:
            heads = Markup("").join(Markup('<th class="n">%s</th>') % f.head for f in rows[0][1])
            lines = Markup("").join(
                Markup("<tr><td>%s</td>%s</tr>")
                % (name, Markup("").join(f.render_cell() for f in figures))
                for name, figures in rows
            )
            table = Markup('<table class="whole"><tr><th>store</th>%s</tr>%s</table>') % (
                heads,
                lines,
            )
        notes = Markup("").join(Markup("<p><b>%s</b></p>") % note for note in self.notes)
        legend = "Geometric means of the turns, with 95 % intervals over turns."
        if self.settings.rate is None:
            legend += " Client CPU per request: the processor time that this client took."
        else:
            legend += " Naive: as if starting late did not count."
        below = Markup('<p class="q">%s. %s</p>') % (str(self.settings), legend)
        return table + notes + below


class _Figure(NamedTuple):
    """A figure of a store, as text.

    Attributes:
        head: The name of the figure.
        value: The figure with its unit.
        interval: Its confidence interval, empty without one.
    """

    head: str
    value: str
    interval: str = ""

    def __str__(self) -> str:
        return f"{self.value} ({self.interval})" if self.interval else self.value

    def render_cell(self) -> Markup:
        """Return it as a cell of a table, the interval below."""
        below = Markup('<br><span class="q">%s</span>') % self.interval if self.interval else ""
        return Markup('<td class="n">%s%s</td>') % (self.value, below)


def _format_figures(row: Any) -> list[_Figure]:
    figures = [
        _Figure("requests", f"{int(row['requests']):,}"),
        _Figure("failed", f"{int(row['failed']):,}"),
        _format_estimate("requests/s", row, "per_s", lambda value: f"{value:,.0f}"),
        _format_estimate("p50", row, "p50_us", duration_text),
        _format_estimate("p99", row, "p99_us", duration_text),
    ]
    if "naive_p99_us" in row:
        figures.append(_Figure("naive p99", _format_known(row["naive_p99_us"], duration_text)))
    if "client_us" in row:
        figures.append(
            _Figure("client CPU per request", _format_known(row["client_us"], duration_text))
        )
    return figures


def _format_estimate(head: str, row: Any, name: str, render: Callable[[float], str]) -> _Figure:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    interval = "" if np.isnan(low) else f"{render(low)} to {render(high)}"
    return _Figure(head, _format_known(value, render), interval)


def _format_known(value: float, render: Callable[[float], str]) -> str:
    return "too few" if np.isnan(value) else render(value)


def _render_picture(light: LatencyFigure, dark: LatencyFigure) -> Markup:
    pictures = [b64encode(figure._repr_png_()).decode() for figure in (dark, light)]
    return Markup(
        '<picture><source media="(prefers-color-scheme: dark)" '
        'srcset="data:image/png;base64,%s">'
        '<img src="data:image/png;base64,%s" alt="%s"></picture>'
        "<details><summary>in words</summary><pre>%s</pre></details>"
    ) % (*pictures, light.said, light.said)
