"""A run as text, as a card and as a page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cards import CARD_CSS, card
from ..figures import LatencyFigure, duration_text

if TYPE_CHECKING:
    from .run import Run

__all__ = ["page", "run_card", "text"]

_PAGE = """<!DOCTYPE html>
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
</style></head><body><div class="gfnb"><h1>%(title)s</h1>
%(body)s</div></body></html>
"""


def text(run: Run) -> str:
    """A few lines: what was run, and each store's figures."""
    lines = [f"{run.settings}"]
    for name, row in run.summary().iterrows():
        cells = ", ".join(f"{head} {value}" for head, value in _cells(row))
        lines.append(f"{name}: {cells}")
    return "\n".join([*lines, *run.notes])


def run_card(run: Run) -> str:
    """The same as a card."""
    return card(_title(run), _body(run))


def page(run: Run) -> str:
    """The same as a page of its own, with figures on white and on black."""
    figures = "".join(
        _picture(run.plot(theme="light"), run.plot(theme="dark")) if run.turns else ""
    )
    machine = _table([(name, escape(value)) for name, value in run.machine.items()])
    body = f"{_body(run)}{figures}<h2>Machine</h2>{machine}"
    return _PAGE % {"title": escape(_title(run)), "css": CARD_CSS, "body": body}


def _title(run: Run) -> str:
    return f"Benchmark {run.settings.workload.name}, {run.began:%Y-%m-%d %H:%M} UTC"


def _body(run: Run) -> str:
    rows = [(str(name), _cells(row)) for name, row in run.summary().iterrows()]
    heads = "".join(f'<th class="n">{escape(head)}</th>' for head, _ in rows[0][1]) if rows else ""
    lines = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f'<td class="n">{_lines(value)}</td>' for _, value in cells)
        + "</tr>"
        for name, cells in rows
    )
    table = f'<table class="whole"><tr><th>store</th>{heads}</tr>{lines}</table>' if rows else ""
    notes = "".join(f"<p><b>{escape(note)}</b></p>" for note in run.notes)
    intervals = "Geometric means of the turns, with 95 % intervals over turns."
    if run.settings.rate is None:
        intervals += " Client's own: the processor time that this client took for a request."
    else:
        intervals += " Naive: as if starting late did not count."
    return f'{table}{notes}<p class="q">{escape(str(run.settings))}. {intervals}</p>'


def _lines(value: str) -> str:
    """A figure, and its interval below it."""
    figure, _, interval = value.partition(" (")
    below = f'<br><span class="q">{escape(interval.removesuffix(")"))}</span>' if interval else ""
    return f"{escape(figure)}{below}"


def _cells(row: Any) -> list[tuple[str, str]]:
    cells = [
        ("requests", f"{int(row['requests']):,}"),
        ("failed", f"{int(row['failed']):,}"),
        ("requests/s", _within(row, "per_s", lambda value: f"{value:,.0f}")),
        ("p50", _within(row, "p50_us", duration_text)),
        ("p99", _within(row, "p99_us", duration_text)),
    ]
    if "naive_p99_us" in row:
        cells.append(("naive p99", _known(row["naive_p99_us"])))
    if "client_us" in row:
        cells.append(("client's own", _known(row["client_us"])))
    return cells


def _known(micros: float) -> str:
    return "too few" if np.isnan(micros) else duration_text(micros)


def _within(row: Any, name: str, said: Callable[[float], str]) -> str:
    if np.isnan(row[name]):
        return "too few"
    if np.isnan(row[f"{name}_low"]):
        return said(row[name])
    return f"{said(row[name])} ({said(row[f'{name}_low'])} to {said(row[f'{name}_high'])})"


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{value}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def _picture(light: LatencyFigure, dark: LatencyFigure) -> str:
    pictures = [b64encode(figure._repr_png_()).decode() for figure in (dark, light)]
    return (
        '<picture><source media="(prefers-color-scheme: dark)" '
        f'srcset="data:image/png;base64,{pictures[0]}">'
        f'<img src="data:image/png;base64,{pictures[1]}" alt="{escape(light.said)}"></picture>'
        f"<details><summary>in words</summary><pre>{escape(light.said)}</pre></details>"
    )
