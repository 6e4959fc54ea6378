"""What the browser shows, as cells of rows and as HTML."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import pandas as pd
from markupsafe import Markup
from msgspec import Raw

from ... import cards
from ...changes import Clash, Merge
from ...diagrams import shorten as shorten_name
from ...journal import Entry
from ...model import Session, exactjson
from ...model.masks import DEFAULT_MASK, Mask
from .columns import (
    COLUMNS,
    DEFAULT_COLUMNS,
    MAX_HINT,
    cell_of_text,
    cell_of_time,
    rows_of,
    shorten,
)
from .shown import ShownSession

__all__ = [
    "JOURNAL_COLUMNS",
    "clash_html",
    "journal_rows",
    "merge_html",
    "named_sessions_html",
    "raw_html",
    "static_table",
]

JOURNAL_COLUMNS: Final[list[dict[str, Any]]] = [
    {"name": "entry", "label": "entry", "number": True},
    {"name": "at", "label": "when"},
    {"name": "op", "label": "what"},
    {"name": "session_id", "label": "session"},
    {"name": "changes", "label": "changes"},
    {"name": "state", "label": "state"},
]
MAX_NAME: Final = 40  # of an id, a graph or a task where nothing can be pointed at
MAX_RAW: Final = 100_000  # of the raw JSON


def journal_rows(entries: Sequence[Entry], changes: Sequence[str]) -> list[list[Any]]:
    """Return the cells of writes in the journal, with what each changed."""
    return [
        [
            str(entry.number),
            cell_of_time(pd.Timestamp(entry.at)),
            entry.op,
            cell_of_text(entry.id),
            cell_of_text(changed),
            entry.state if entry.state == "done" else ["unknown", "the store was lost meanwhile"],
        ]
        for entry, changed in zip(entries, changes, strict=True)
    ]


def clash_html(clash: Clash, mask: Mask = DEFAULT_MASK) -> Markup:
    """Return the three values of a place that both sides changed.

    Args:
        clash: The values.
        mask: What is hidden of them.
    """
    values = clash.base, clash.stored, clash.mine
    base, stored, mine = (cards.value_html(value, clash.path, mask) for value in values)
    return Markup(
        '<table class="gfnb-diff"><tbody>'
        "<tr><th>path</th><td>%s</td></tr>"
        "<tr><th>you opened</th><td>%s</td></tr>"
        "<tr><th>stored now</th><td>%s</td></tr>"
        "<tr><th>you want</th><td>%s</td></tr></tbody></table>"
    ) % (
        cards.place_html(mask.hide_path(clash.path)),
        base,
        stored,
        mine,
    )


def merge_html(merge: Merge) -> Markup:
    """Return what someone else saved meanwhile, and the own changes that do not touch that."""
    return Markup(
        "<b>Saved meanwhile by someone else</b>%s"
        "<b>Your changes that do not conflict: merged automatically</b>%s"
    ) % (cards.patch_html(merge.theirs), cards.patch_html(merge.mine, "None."))


def named_sessions_html(sessions: Sequence[ShownSession], changed: Collection[str] = ()) -> Markup:
    """Return sessions by id and version, one a line.

    Args:
        sessions: The sessions.
        changed: The ids of those that changed since a person looked at them.
    """
    lines = []
    for session in sessions:
        id = cards.code(shorten(session.id, MAX_HINT))
        line = Markup("%s, version %s") % (id, session.version)
        if session.status_message:
            line += Markup(', <span class="q">%s</span>') % shorten(session.status_message)
        if session.id in changed:
            line += Markup(", <b>changed since you looked</b>")
        lines.append(Markup("<li>%s</li>") % line)
    return Markup('<ul class="gfnb-names" tabindex="0">%s</ul>') % Markup("").join(lines)


# Pieces


def raw_html(session: Session) -> Markup:
    """Return the JSON of a session, as graph-flow writes it."""
    try:
        text = exactjson.pretty(session.mask.hide(Raw(session.to_json().encode())))
    except Exception as error:  # a context that is not JSON can still be shown
        context = session.context_json()
        text = context if isinstance(context, str) else context.decode(errors="replace")
        text = session.mask.scrub(text[:MAX_RAW])
        return cards.notice_html("error", str(error)) + Markup("<pre>%s</pre>") % text
    shown = Markup("<pre>%s</pre>") % text[:MAX_RAW]
    if len(text) <= MAX_RAW:
        return shown
    cut = Markup(
        '<p class="q">the first %s of %s characters; browser.session.to_json() has all</p>'
    )
    return cut % (f"{MAX_RAW:,}", f"{len(text):,}") + shown


_NAMES: Final = {"id", "graph_id", "current_task_id"}
_HEAD, _NUMBER_HEAD = Markup("<th>%s</th>"), Markup('<th class="n">%s</th>')
_CELL, _NUMBER_CELL = Markup("<td>%s</td>"), Markup('<td class="n">%s</td>')
_LONG_CELL = Markup('<td class="long">%s</td>')
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
    columns = {name: COLUMNS[name] for name in DEFAULT_COLUMNS}
    heads = Markup("").join(
        (_NUMBER_HEAD if column.get("number") else _HEAD) % column["label"]
        for column in columns.values()
    )
    rows = []
    for id, cells in zip(frame["id"], rows_of(frame, columns), strict=True):
        # The time of day and not how long ago: this is read at another time.
        texts = (
            cell if isinstance(cell, str) else cell[name.endswith("_at")]
            for name, cell in zip(columns, cells, strict=True)
        )
        row = Markup("").join(
            _cell_of(column) % _code_cell(name, text)
            for (name, column), text in zip(columns.items(), texts, strict=True)
        )
        rows.append((_OPEN_ROW if id == opened else _ROW) % row)
    return Markup('<p>%s</p><table class="gfnb-list"><tr>%s</tr>%s</table>') % (
        shown,
        heads,
        Markup("").join(rows),
    )


def _cell_of(column: Mapping[str, Any]) -> Markup:
    if column.get("number"):
        return _NUMBER_CELL
    return _LONG_CELL if column.get("grow") else _CELL


def _code_cell(column: str, text: str) -> Markup:
    # Not by a style alone, which a notebook that is not trusted does not show.
    return cards.code(shorten_name(text, MAX_NAME) if column in _NAMES else text)
