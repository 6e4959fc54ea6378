"""Where sessions are, which are stuck, and which graphs are hot; a click lists them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import ipywidgets as widgets
from markupsafe import Markup

from ...cards import duration, fact_table, notice_html, plain_box
from ...storage.estimates import read_counts
from ..html import Html, LiveHtml
from .chosen import ANY_TIME
from .columns import cell_of_text
from .dialogs import MAX_ENTRIES, Dialog
from .rowtable import RowTable
from .stage import Stage
from .typed import WORKBENCH

if TYPE_CHECKING:
    from ..overview import Overview

__all__ = ["OverviewBox"]


def _column(name: str, label: str, *, number: bool = True) -> dict[str, Any]:
    return {"name": name, "label": label, "number": number}


_GRAPH: Final = _column("graph", "graph", number=False)
_TASK: Final = _column("task", "task", number=False)
STUCK_COLUMNS: Final = [
    *(_GRAPH, _TASK, _column("stuck", "stuck")),
    *(_column("after", "not saved for"), _column("usual", "usual, up to")),
]
TASK_COLUMNS: Final = [_GRAPH, _TASK, _column("sessions", "sessions"), _column("stuck", "stuck")]
GRAPH_COLUMNS: Final = [
    *(_GRAPH, _column("hour", "saved in the last hour"), _column("day", "last 24 hours")),
    _column("sessions", "sessions"),
]


class _Place(NamedTuple):
    """What a click on a row lists.

    Attributes:
        graph: The exact graph.
        task: The exact task; None for all.
        after: Only sessions that were not saved for so long; None for all.
    """

    graph: str
    task: str | None = None
    after: timedelta | None = None


class OverviewBox(Dialog):
    """The numbers of ``wb.overview()`` with bars; a click on one lists its sessions."""

    def __init__(self, stage: Stage, box: widgets.VBox):
        super().__init__(stage, "Overview", box)
        self.about = LiveHtml()
        self.stuck = self._make_table("stuck sessions by task", STUCK_COLUMNS)
        self.tasks = self._make_table("sessions by task", TASK_COLUMNS)
        self.graphs = self._make_table("saves by graph", GRAPH_COLUMNS)
        self.cancel.description, self.cancel.tooltip = "Close", "Close; the list stays as it is"
        self._overview: Overview | None = None
        parts = [self._head("Stuck", self.stuck), self._head("Where sessions are", self.tasks)]
        parts.append(self._head("Hot graphs", self.graphs))
        self.box.children = (self.title, self.about, *parts, self.notice, self.cancel)

    def _make_table(self, label: str, columns: Sequence[dict[str, Any]]) -> RowTable:
        def show(place: _Place) -> None:
            self._stage.act(lambda: self._list(place), place=self.notice)

        return RowTable(label, columns, on_open=show)

    @staticmethod
    def _head(title: str, table: RowTable) -> widgets.VBox:
        heading = Html(Markup("<b>%s</b>") % title)
        return widgets.VBox([heading, table])

    def open(self) -> None:
        """Open it, and count."""
        super().open()
        from ..overview import Overview  # with matplotlib: only when it is wanted

        now = datetime.now(UTC)
        reads = self._stage.listing.reads
        self._overview = Overview(reads.run_asked(read_counts(reads.storage, now)))
        self._stage.desk.note_call(f"{WORKBENCH}.overview()", looking=True)

    def render(self) -> None:
        """Show the numbers."""
        super().render()
        overview = self._overview
        if not self.is_open or overview is None:
            return
        asked = ("where", "stuck", "growth")
        self.about.value = plain_box(
            fact_table(list(zip(asked, overview.answers, strict=True)))
        ) + notice_html(
            "info",
            f"{overview.note + '. ' if overview.note else ''}Click a row to list its sessions. Of "
            f"more than {MAX_ENTRIES} rows the first are shown; wb.overview() has all, and draws "
            "growth and sizes.",
        )
        tasks, graphs, share = overview.tasks, overview.graphs, overview.counts.share
        late = tasks[tasks["stuck"] > 0].sort_values("stuck", ascending=False, kind="stable")
        _fill(
            self.stuck,
            late,
            lambda row: _Place(row.graph_id, row.current_task_id, row.stuck_after.to_pytimedelta()),
            lambda row: [
                *(row.graph_id, row.current_task_id, row.stuck),
                *(_time(row.stuck_after), _time(row.usual_age)),
            ],
            "No session is stuck." if share == 1 else "None is stuck in the part that was read.",
            share,
        )
        _fill(
            self.tasks,
            tasks,
            lambda row: _Place(row.graph_id, row.current_task_id),
            lambda row: [row.graph_id, row.current_task_id, row.sessions, row.stuck],
            "This store has no sessions yet.",
            share,
        )
        _fill(
            self.graphs,
            graphs[graphs["saved_last_day"] > 0],
            lambda row: _Place(row.graph_id),
            lambda row: [row.graph_id, row.saved_last_hour, row.saved_last_day, row.sessions],
            "None was saved in the last 24 hours.",
            share,
        )

    def _list(self, place: _Place) -> None:
        """List the sessions of a row, and drop every other filter: they were not counted by it."""
        overview, listing = self._overview, self._stage.listing
        assert overview is not None
        until = None if place.after is None else overview.counts.now - place.after
        listing.order = "-updated_at" if until is None else "updated_at"
        filters = {"graph": place.graph, "task": place.task, "updated_until": until}
        listing.filter(window=ANY_TIME, **{**dict.fromkeys(listing.filters), **filters})
        how = f"graph={place.graph!r}" + (
            f", task={place.task!r}" if place.task is not None else ""
        )
        call = f"sessions({how})" if until is None else f"stuck({_time(place.after)!r}, {how})"
        self._stage.desk.note_call(f"{WORKBENCH}.{call}", looking=True)
        self._stage.count_later()


def _fill(
    table: RowTable,
    frame: Any,
    place: Callable[[Any], _Place],
    cells: Callable[[Any], list[Any]],
    empty: str,
    share: float,
) -> None:
    """Show the first rows of a frame; a number has a bar, as long as its share of the largest.

    Args:
        table: The table.
        frame: The frame.
        place: What a click on a row lists.
        cells: The values of a row.
        empty: What is shown where there is no row.
        share: The part of the store that was counted.
    """
    rows = list(frame.head(MAX_ENTRIES).itertuples(index=False))
    found = [cells(row) for row in rows]
    most = [
        max(column) if isinstance(column[0], int) else None for column in zip(*found, strict=True)
    ]
    table.show(
        [place(row) for row in rows],
        [[_cell(*each, share) for each in zip(row, most, strict=True)] for row in found],
        empty=empty,
    )


def _cell(value: Any, most: int | None, share: float) -> Any:
    if most is None:
        return cell_of_text(value)
    from ...figures.text import about_text  # with matplotlib: only when it is wanted

    text = about_text(value, share)
    return [text, text, value / most if most else 0]


def _time(time: timedelta | None) -> str:
    return "" if time is None else duration(time.total_seconds()).replace(",", "")
