"""The card of what became of writes that were to be undone."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from ..journal import UndoReport
from .parts import card, fact_table

__all__ = ["undo_html"]


def undo_html(report: UndoReport) -> Markup:
    """Return the report of an undo as a card; one line where nothing was left."""
    if not (report.left or report.stopped):
        return card("undo", Markup("<p>%s.</p>") % str(report))
    rows: list[tuple[str, str]] = [("writes undone", f"{report.undone:,}")]
    if report.changed:
        rows.append(("left alone, since others changed them", _render(report.changed)))
    if report.failed:
        lines = (
            Markup("%s: %s") % (Markup("<code>%s</code>") % id, why)
            for id, why in report.failed.items()
        )
        rows.append(("not undone", _render_lines(lines, len(report.failed))))
    if report.stopped:
        rows.append(("stopped before", f"{report.remaining:,}: the same call goes on"))
    return card("undo", fact_table(rows))


def _render(ids: list[str]) -> Markup:
    return _render_lines((Markup("<code>%s</code>") % id for id in ids), len(ids))


def _render_lines(lines: Iterable[Markup], count: int) -> Markup:
    shown = [line for line, _ in zip(lines, range(5), strict=False)]
    more = "" if count <= 5 else Markup("<br>… <code>.left</code> lists all")
    return Markup("%s<br>%s%s") % (f"{count:,}", Markup("<br>").join(shown), more)
