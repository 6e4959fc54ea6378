"""How IPython shows our objects, which know nothing of notebooks themselves."""

from __future__ import annotations

import sys
from typing import Any

from markupsafe import Markup

from ..cards import card, patch_html, report_html, session_html, session_text, undo_html
from ..changes import Patch
from ..journal import UndoReport
from ..model import Session
from ..printable import printable_lines
from ..storage import Migration
from ..storage.copy_report import CopyReport

__all__ = ["register", "register_on"]


def register() -> None:
    """Show our objects as cards, if IPython runs in this process; calling it again is harmless."""
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        register_on(shell.display_formatter)


def register_on(formatter: Any) -> None:
    """Show our objects as cards wherever this display formatter of IPython is asked.

    Args:
        formatter: An ``IPython.core.formatters.DisplayFormatter``.
    """
    html, plain = (formatter.formatters[f"text/{kind}"] for kind in ("html", "plain"))
    html.for_type(Session, session_html)
    plain.for_type(Session, _print_session)
    html.for_type(CopyReport, report_html)
    plain.for_type(CopyReport, lambda report, printer, _: printer.text(str(report)))
    html.for_type(UndoReport, undo_html)
    plain.for_type(UndoReport, lambda report, printer, _: printer.text(str(report)))
    html.for_type(Migration, _render_statements)
    plain.for_type(Migration, lambda plan, printer, _: printer.text(printable_lines(str(plan))))
    html.for_type(Patch, lambda patch: card("changes", patch_html(patch)))


def _render_statements(plan: Migration) -> str:
    return card("statements", Markup("<pre>%s</pre>") % printable_lines(str(plan)))


def _print_session(session: Session, printer: Any, cycle: bool) -> None:
    # One line inside of a list or dict, the card if it is alone.
    printer.text(repr(session) if printer.stack[:-1] else session_text(session))
