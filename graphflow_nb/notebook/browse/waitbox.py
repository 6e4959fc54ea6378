"""Which sessions have waited long, by task."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import ipywidgets as widgets

from ...cards import duration, notice_html
from ...errors import QueryError
from ...model.moments import parse_duration
from ...storage.overview import STUCK_FACTOR
from ..html import Html
from ..waiting import SAMPLE, TaskWait, find_waits
from .columns import cell_of_text
from .dialogs import Dialog, count_sessions
from .listing import ANY_TIME
from .rowtable import RowTable
from .stage import Stage
from .typed import WORKBENCH

__all__ = ["Waiting"]

GIVEN: Final = "a given time"
USUAL: Final = f"{STUCK_FACTOR} times what is usual at the task"
WAIT_COLUMNS: Final[list[dict[str, Any]]] = [
    {"name": "graph", "label": "graph"},
    {"name": "task", "label": "task"},
    {"name": "sessions", "label": "sessions", "number": True},
    {"name": "waiting", "label": "waiting longer", "number": True},
    {"name": "usual", "label": "usual (median)", "number": True},
    {"name": "limit", "label": f"{STUCK_FACTOR} times that", "number": True},
    {"name": "longest", "label": "longest untouched", "number": True},
]


class Waiting(Dialog):
    """The sessions of each task that nobody has saved for long; a click lists them."""

    def __init__(self, stage: Stage):
        super().__init__(stage, "Sessions that wait, by task")
        self.than = widgets.Dropdown(
            description="Longer than",
            options=[GIVEN, USUAL],
            tooltip="What a wait is compared with",
        )
        self.time = widgets.Text(
            description="Time",
            value="1 day",
            tooltip="1 day, 90 min, 2 h 30 min; then Enter",
            continuous_update=False,
        )
        self.about = Html()
        self.table = RowTable(
            "waits by task",
            WAIT_COLUMNS,
            on_open=lambda key: stage.act(lambda: self._list(key), place=self.notice),
        )
        self._waits: dict[tuple[str, str], TaskWait] = {}
        for control in (self.than, self.time):
            control.observe(self._change, "value")
        self.cancel.description, self.cancel.tooltip = "Close", "Close; the list stays as it is"
        fields = widgets.HBox([self.than, self.time])
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
        limit = self._read_time() if self.than.value == GIVEN else None
        waits = self._stage.listing.run(lambda storage: find_waits(storage, limit))
        self._waits = {(wait.graph_id, wait.task): wait for wait in waits}

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
        total = sum(wait.waiting for wait in self._waits.values())
        text = (
            f"{count_sessions(total)} waiting longer. Click a task to list them, longest untouched "
            "first. A session that is complete is not saved again either."
        )
        if usual:
            text += (
                f" Usual is the median time since the last save, of up to {SAMPLE} sessions at "
                f"the task; longer than {STUCK_FACTOR} times that is unusual."
            )
        self.about.value = notice_html("info", text)
        self.table.show(
            list(self._waits),
            [_cells(wait, usual=usual) for wait in self._waits.values()],
            columns=[c for c in WAIT_COLUMNS if usual or c["name"] not in _USUAL],
            empty="This store has no sessions yet.",
        )

    def _list(self, key: tuple[str, str]) -> None:
        """List the sessions of a task that wait, longest untouched first."""
        wait = self._waits[key]
        if wait.limit is None:
            raise QueryError("there are too few sessions at this task to say what is usual")
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


def _cells(wait: TaskWait, *, usual: bool) -> list[str | list[str]]:
    def show(time: timedelta | None) -> str:
        return "" if time is None else duration(time.total_seconds())

    return [
        cell_of_text(wait.graph_id),
        cell_of_text(wait.task),
        f"{wait.sessions:,}",
        f"{wait.waiting:,}",
        *((show(wait.usual), show(wait.limit)) if usual else ()),
        show(wait.longest),
    ]
