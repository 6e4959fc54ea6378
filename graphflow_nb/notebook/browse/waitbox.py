"""Which sessions have waited long, by task."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import ipywidgets as widgets

from ...cards import duration, notice_html
from ...errors import QueryError
from ...model.moments import parse_duration
from ...printable import describe_count, inflect
from ...storage.estimates import Estimate
from ...storage.overview import STUCK_FACTOR, USUAL_SESSIONS
from ..html import LiveHtml
from ..waiting import TaskWait, Waits, find_waits
from .chosen import ANY_TIME
from .columns import cell_of_text
from .dialogs import Dialog
from .rowtable import RowTable
from .stage import Stage
from .typed import WORKBENCH

__all__ = ["Waiting"]

GIVEN: Final = "a given time"
USUAL: Final = f"{STUCK_FACTOR} times what is usual at the task"
COUNT_TIP: Final = "Count in the whole store, which reads a large table"
WAIT_COLUMNS: Final[list[dict[str, Any]]] = [
    {"name": "graph", "label": "graph"},
    {"name": "task", "label": "task"},
    {"name": "sessions", "label": "sessions", "number": True},
    {"name": "waiting", "label": "waiting longer", "number": True},
    {"name": "usual", "label": "usual, up to", "number": True},
    {"name": "limit", "label": "unusual from", "number": True},
    {"name": "longest", "label": "longest untouched", "number": True},
]


class Waiting(Dialog):
    """The sessions of each task that nobody has saved for long; a click lists them."""

    def __init__(self, stage: Stage, box: widgets.VBox):
        super().__init__(stage, "Sessions that wait, by task", box)
        self.than = widgets.Dropdown(
            description="Longer than",
            options=[GIVEN, USUAL],
            tooltip="What a wait is compared with",
            layout=widgets.Layout(width="auto"),
        )
        self.time = widgets.Text(
            description="Time",
            value="1 day",
            tooltip="1 day, 90 min, 2 h 30 min; then Enter",
            continuous_update=False,
        )
        self.about = LiveHtml()
        self.table = RowTable(
            "waits by task",
            WAIT_COLUMNS,
            on_open=lambda key: stage.act(lambda: self._list(key), place=self.notice),
        )
        self.count = widgets.Button(
            description="Count all", tooltip=COUNT_TIP, layout={"width": "auto"}
        )
        self.count.on_click(lambda _: stage.act(self._count_all, place=self.notice))
        self._waits = Waits([], 1.0, True, "")
        self._counting: Future[Waits] | None = None
        for control in (self.than, self.time):
            control.observe(self._change, "value")
        self.cancel.description, self.cancel.tooltip = "Close", "Close; the list stays as it is"
        fields = widgets.HBox([self.than, self.time, self.count])
        fields.add_class("gfnb-bar")
        self.box.children = (
            *(self.title, fields, self.about, self.table),
            *(self.notice, self.cancel),
        )

    def open(self) -> None:
        """Open it, and look for what waits."""
        super().open()
        self._find()

    def _change(self, _: object) -> None:
        if not self._stage.rendering:
            self._stage.act(self._find, place=self.notice)

    def _find(self) -> None:
        self._stop_counting()
        limit = self._limit()
        reads = self._stage.listing.reads
        self._waits = reads.run_asked(find_waits(reads.storage, limit))

    def _limit(self) -> timedelta | None:
        return self._read_time() if self.than.value == GIVEN else None

    def _count_all(self) -> None:
        """Count in the whole store, on a thread of its own; stop that if it is being done."""
        if self._stop_counting():
            return
        limit = self._limit()
        reads = self._stage.listing.reads
        finding = find_waits(reads.storage, limit, exact=True)
        self._counting = counting = reads.submit(finding)
        threading.Thread(
            target=self._take, args=(counting,), name="graphflow_nb-count", daemon=True
        ).start()

    def _stop_counting(self) -> bool:
        """Stop counting in the whole store; return whether that was being done."""
        counting, self._counting = self._counting, None
        return counting is not None and counting.cancel()

    def _take(self, counting: Future[Waits]) -> None:
        """Wait for the numbers of the whole store, and show them unless others are wanted now."""

        def take() -> None:
            with suppress(CancelledError):  # what is shown stays
                try:
                    waits = counting.result()
                    if self._counting is counting:
                        self._waits = waits
                finally:
                    if self._counting is counting:
                        self._counting = None

        self._stage.finish(take, place=self.notice)

    def _read_time(self) -> timedelta:
        try:
            return parse_duration(self.time.value)
        except ValueError as error:
            raise QueryError(str(error)) from error

    def render(self) -> None:
        """Show the waits."""
        super().render()
        if not self.is_open:
            return
        usual = self.than.value == USUAL
        self.time.layout.display = "none" if usual else ""
        self._render_count()
        self.about.value = notice_html("info", self._describe(usual=usual))
        waits = self._waits
        self.table.show(
            [(wait.graph_id, wait.task) for wait in waits.tasks],
            [_cells(wait, waits, usual=usual) for wait in waits.tasks],
            columns=[c for c in WAIT_COLUMNS if usual or c["name"] not in _USUAL],
            empty="This store has no sessions yet.",
        )

    def _render_count(self) -> None:
        counting = self._counting is not None
        self.count.layout.display = "" if counting or self._waits.share < 1 else "none"
        self.count.description = "Stop counting" if counting else "Count all"
        self.count.icon = "stop" if counting else "calculator"
        self.count.tooltip = "Stop; the numbers stay as they are" if counting else COUNT_TIP

    def _describe(self, *, usual: bool) -> str:
        """Return what is counted, and of what."""
        waits = self._waits
        total = sum(wait.waiting for wait in waits.tasks)
        if waits.exact:
            text = f"{describe_count(total, 'session')} waiting longer. "
        elif total:
            text = f"{Estimate(total, 'about')} {inflect(total, 'session')} waiting longer. "
        else:
            text = "None of the sessions that were read is waiting longer. "
        if waits.note:
            what = "The numbers of sessions are " if waits.exact else "Numbers are "
            text += f"{what}{waits.note}. "
        text += (
            "Click a task to list them, longest untouched first. A store does not say which "
            "sessions ended: those are not saved again either, and count."
        )
        if usual:
            text += (
                " Usual is the time since the last save within which half of the sessions at the "
                f"task are; {STUCK_FACTOR} times that is unusual, as in wb.overview()."
            )
        return text

    def _list(self, key: tuple[str, str]) -> None:
        """List the sessions of a task that wait, longest untouched first."""
        wait = next(wait for wait in self._waits.tasks if (wait.graph_id, wait.task) == key)
        if wait.limit is None:
            raise QueryError(
                f"fewer than {USUAL_SESSIONS} sessions with a known time were read at this task: "
                "too few to say what is usual"
                if wait.usual is None
                else "the sessions at this task are so old that none is unusual"
            )
        listing = self._stage.listing
        listing.order = "updated_at"
        listing.filter(
            window=ANY_TIME, graph=wait.graph_id, task=wait.task, updated_until=wait.until
        )
        limit = self.time.value.strip() if self.than.value == GIVEN else "usual"
        call = f"{WORKBENCH}.stuck({limit!r}, graph={wait.graph_id!r}, task={wait.task!r})"
        self._stage.desk.note_call(call, looking=True)
        self._stage.count_later()


_USUAL: Final = ("usual", "limit")


def _cells(wait: TaskWait, waits: Waits, *, usual: bool) -> list[str | list[str]]:
    def show(time: timedelta | None) -> str:
        return "" if time is None else duration(time.total_seconds())

    def number(count: int, *, exact: bool) -> str:
        return str(Estimate(count, "about" if count and not exact else "exactly"))

    return [
        cell_of_text(wait.graph_id),
        cell_of_text(wait.task),
        number(wait.sessions, exact=waits.share == 1),
        number(wait.waiting, exact=waits.exact),
        *((show(wait.usual), show(wait.limit)) if usual else ()),
        f"{show(wait.longest)} or more" if wait.longest is not None else "",
    ]
