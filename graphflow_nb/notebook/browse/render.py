"""What the browser shows, as cells of rows and as HTML."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from ... import cards
from ...changes import Clash, Merge
from ...journal import Entry
from ...model import Session, exactjson
from .shown import ShownSession

__all__ = [
    "COLUMNS",
    "JOURNAL_COLUMNS",
    "clash_html",
    "journal_rows",
    "merge_html",
    "named_sessions_html",
    "raw_html",
    "session_rows",
    "static_table",
]

COLUMNS: Final[list[dict[str, Any]]] = [
    {"name": "id", "label": "id", "sortable": True},
    {"name": "graph_id", "label": "graph"},
    {"name": "current_task_id", "label": "task"},
    {"name": "status_message", "label": "status"},
    {"name": "updated_at", "label": "updated", "sortable": True},
    {"name": "messages", "label": "messages", "number": True},
    {"name": "context_bytes", "label": "context", "number": True},
    {"name": "version", "label": "version", "number": True},
    {"name": "created_at", "label": "created", "sortable": True},
]
JOURNAL_COLUMNS: Final[list[dict[str, Any]]] = [
    {"name": "entry", "label": "entry", "number": True},
    {"name": "at", "label": "when"},
    {"name": "op", "label": "what"},
    {"name": "session_id", "label": "session"},
    {"name": "changes", "label": "changes"},
    {"name": "state", "label": "state"},
]
MAX_CELL: Final = 120  # characters of a text in a cell
MAX_HINT: Final = 1000  # of what a cell says when it is pointed at
MAX_RAW: Final = 100_000  # of the raw JSON


def _shorten(text: str, width: int = MAX_CELL) -> str:
    line = text.replace("\n", " ⏎ ")
    return line if len(line) <= width else f"{line[:width]}…"


def _text_cell(text: str | None) -> str | list[str]:
    """Return what a cell shows, and what it says when it is pointed at."""
    if text is None:
        return ""
    if len(text) <= MAX_CELL and "\n" not in text:
        return text
    return [_shorten(text), _shorten(text, MAX_HINT)]


def _time_cell(time: Any) -> str | list[str]:
    if time is pd.NaT:
        return "unknown"
    return [cards.age(time.to_pydatetime()), f"{time:%Y-%m-%d %H:%M:%S} UTC"]


def _size_cell(count: int) -> str:
    return f"{count:,} B" if count < 10_000 else f"{count / 1000:,.0f} kB"


def session_rows(frame: pd.DataFrame) -> list[list[Any]]:
    """Return the cells of a page of ``Workbench.sessions``."""
    rows: Any = frame.itertuples()
    return [
        [
            _text_cell(row.id),
            _text_cell(row.graph_id),
            _text_cell(row.current_task_id),
            _text_cell(row.status_message if isinstance(row.status_message, str) else None),
            _time_cell(row.updated_at),
            f"{row.messages:,}",
            _size_cell(row.context_bytes),
            str(row.version),
            _time_cell(row.created_at),
        ]
        for row in rows
    ]


def journal_rows(entries: Sequence[Entry], changes: Sequence[str]) -> list[list[Any]]:
    """Return the cells of writes in the journal, with what each changed."""
    return [
        [
            str(entry.number),
            _time_cell(pd.Timestamp(entry.at)),
            entry.op,
            _text_cell(entry.id),
            _text_cell(changed),
            entry.state if entry.state == "done" else ["unknown", "the store was lost meanwhile"],
        ]
        for entry, changed in zip(entries, changes, strict=True)
    ]


def clash_html(clash: Clash) -> Markup:
    """Return the three values of a place that both sides changed."""
    return Markup(
        '<table class="gfnb-diff"><tbody>'
        "<tr><th>path</th><td>%s</td></tr>"
        "<tr><th>you opened</th><td>%s</td></tr>"
        "<tr><th>stored now</th><td>%s</td></tr>"
        "<tr><th>you want</th><td>%s</td></tr></tbody></table>"
    ) % (
        cards.code(clash.pointer),
        cards.value_html(clash.base),
        cards.value_html(clash.stored),
        cards.value_html(clash.mine),
    )


def merge_html(merge: Merge) -> Markup:
    """Return what someone else saved meanwhile, and the own changes that do not touch that."""
    return Markup(
        "<b>Saved meanwhile by someone else</b>%s"
        "<b>Your changes that do not touch theirs: merged on their own</b>%s"
    ) % (cards.patch_html(merge.theirs), cards.patch_html(merge.mine, "None."))


def named_sessions_html(sessions: Sequence[ShownSession], changed: Collection[str] = ()) -> Markup:
    """Return sessions by id and version, one a line.

    Args:
        sessions: The sessions.
        changed: The ids of those that changed since a person looked at them.
    """
    lines = []
    for session in sessions:
        id = cards.code(_shorten(session.id, MAX_HINT))
        line = Markup("%s, version %s") % (id, session.version)
        if session.status_message:
            line += Markup(', <span class="q">%s</span>') % _shorten(session.status_message)
        if session.id in changed:
            line += Markup(", <b>changed since you looked</b>")
        lines.append(Markup("<li>%s</li>") % line)
    return Markup('<ul class="gfnb-names">%s</ul>') % Markup("").join(lines)


# Pieces


def raw_html(session: Session) -> Markup:
    """Return the JSON of a session, as graph-flow writes it."""
    try:
        text = exactjson.pretty(session.to_json())
    except Exception as error:  # a context that is not JSON can still be shown
        context = session.context_json()
        text = context if isinstance(context, str) else context.decode(errors="replace")
        return cards.notice_html("error", str(error)) + Markup("<pre>%s</pre>") % text[:MAX_RAW]
    shown = Markup("<pre>%s</pre>") % text[:MAX_RAW]
    if len(text) <= MAX_RAW:
        return shown
    cut = Markup(
        '<p class="q">the first %s of %s characters; browser.session.to_json() has all</p>'
    )
    return cut % (f"{MAX_RAW:,}", f"{len(text):,}") + shown


_HEAD, _NUMBER_HEAD = Markup("<th>%s</th>"), Markup('<th class="n">%s</th>')
_CELL, _NUMBER_CELL = Markup("<td>%s</td>"), Markup('<td class="n">%s</td>')
_ROW, _OPEN_ROW = Markup("<tr>%s</tr>"), Markup('<tr class="gfnb-open">%s</tr>')


def static_table(frame: pd.DataFrame | None, shown: str, opened: str | None) -> Markup:
    """Return a page of sessions as an HTML table, for use without a kernel.

    Args:
        frame: The page, as ``Workbench.sessions`` returns it; None if it could not be read.
        shown: A description of these sessions.
        opened: The id of the open session; None if none is open.
    """
    if frame is None or not len(frame):
        return Markup("<p>%s</p>") % shown
    heads = Markup("").join(
        (_NUMBER_HEAD if column.get("number") else _HEAD) % column["label"] for column in COLUMNS
    )
    rows = []
    for id, cells in zip(frame["id"], session_rows(frame), strict=True):
        # The time of day and not how long ago: this is read at another time.
        texts = (
            cell if isinstance(cell, str) else cell[column["name"].endswith("_at")]
            for column, cell in zip(COLUMNS, cells, strict=True)
        )
        row = Markup("").join(
            (_NUMBER_CELL if column.get("number") else _CELL) % cards.code(text)
            for column, text in zip(COLUMNS, texts, strict=True)
        )
        rows.append((_OPEN_ROW if id == opened else _ROW) % row)
    return Markup('<p>%s</p><table class="gfnb-list"><tr>%s</tr>%s</table>') % (
        shown,
        heads,
        Markup("").join(rows),
    )
