"""The filter bar, and the pager under the table."""

from __future__ import annotations

import json
from typing import Any, Final

import ipywidgets as widgets
from msgspec import Raw

from ...model import Session
from ...storage.paths import parse_path, path_text
from ..html import Html
from .columnbar import ColumnBar
from .listing import PAGE_SIZES, WINDOWS
from .paths import suggest_paths
from .stage import Stage
from .typed import parse_typed_path, parse_typed_value

__all__ = ["FilterBar", "Pager"]

MAX_CHOICES: Final = 500
MAX_NAME: Final = 60  # characters of a name in a choice
ALL: Final = False  # None would mean that nothing is chosen, and is shown as an empty box


class FilterBar:
    """The controls that say which sessions are shown.

    Args:
        stage: The state that the parts of the browser share.
    """

    def __init__(self, stage: Stage):
        self._stage = stage
        self._offered_of: Session | None = None
        filters = stage.listing.filters
        self.graph = widgets.Dropdown(
            description="Graph", tooltip="Only sessions of this graph", options=[("all", ALL)]
        )
        self.task = self._make_task()
        self._former_task: widgets.Dropdown | None = None
        self._task_graph = filters.get("graph")  # the graph whose tasks are offered
        self.text = widgets.Text(
            description="Find",
            placeholder="in id or status, then Enter",
            tooltip="This text occurs in the id or the status; upper and lower case differ",
            value=filters.get("text", ""),
            continuous_update=False,
        )
        self.window = widgets.Dropdown(
            description="Updated",
            options=list(WINDOWS),
            tooltip="When a session was last saved; 'not for …' finds those that are stuck",
        )
        path, value = self._condition()
        self.path = widgets.Combobox(
            description="Context path",
            placeholder="e.g. customer.tier",
            tooltip="A path in the context's data; keys joined by dots, or ('a.b', 'c')",
            value=path,
            continuous_update=False,
        )
        self.value = widgets.Text(
            description="equals",
            placeholder="value, or empty: any",
            tooltip='The value there: gold, 12, true, "12" for the text; empty: any value',
            value=value,
            continuous_update=False,
        )
        self.clear = widgets.Button(
            description="Clear filters", tooltip="Show all sessions again", icon="times"
        )
        self.clear.on_click(lambda _: stage.act(self._clear))
        for control in (self.graph, self.text, self.window, self.path, self.value):
            control.observe(self._apply_change, "value")
        condition = widgets.HBox([self.path, self.value])  # stay side by side
        self._others = [self.text, self.window, condition, self.clear]
        self.box = widgets.HBox([self.graph, self.task, *self._others])
        self.box.add_class("gfnb-bar")

    def _condition(self) -> tuple[str, str]:
        """Return the condition on the context: its path and its value, as a person types them."""
        filters = self._stage.listing.filters
        for path, value in filters.get("where", {}).items():
            return path_text(parse_path(path)), json.dumps(value)
        for path in filters.get("has", ()):
            return path_text(parse_path(path)), ""
        return "", ""

    def _make_task(self) -> widgets.Dropdown:
        control = widgets.Dropdown(
            description="Task", tooltip="Only sessions at this task", options=[("all", ALL)]
        )
        control.observe(self._apply_change, "value")
        return control

    def _renew_task(self) -> None:
        """Offer the tasks of another graph in a control of its own.

        A front end sends the place of a choice. One that was made while the graph was changed means
        the tasks that were shown then, and those stay in the former control.
        """
        if self._former_task is not None:
            self._former_task.close()
        self._former_task, self.task = self.task, self._make_task()
        self.box.children = (self.graph, self.task, *self._others)

    def _apply_change(self, change: Any) -> None:
        if not self._stage.rendering:
            # What was chosen is taken from the change: while others write, the controls are set
            # again at any moment. What was not touched stays as the listing has it.
            control, chosen = change["owner"], change["new"]
            self._stage.act(lambda: self._apply(control, chosen))

    def _apply(self, control: widgets.Widget, chosen: Any) -> None:
        listing = self._stage.listing
        if control is self.graph:
            graph = None if chosen is ALL else chosen
            task = listing.filters.get("task")
            if task not in dict(listing.tasks(graph)):
                task = None  # a task of the graph that was chosen before
            listing.filter(graph=graph, task=task)
        elif control in (self.task, self._former_task):
            listing.filter(task=None if chosen is ALL else chosen)
        elif control is self.window:
            listing.filter(window=chosen)
        elif control is self.text:
            listing.filter(text=chosen or None)
        else:
            self._apply_condition()
        self._stage.count_later()

    def _apply_condition(self) -> None:
        path = parse_typed_path(self.path.value) if self.path.value.strip() else None
        value = self.value.value.strip()
        conditions: dict[str, Any] = {"where": None, "has": None}
        if path and value:
            conditions["where"] = {path: parse_typed_value(value)}
        elif path:
            conditions["has"] = [path]
        self._stage.listing.filter(**conditions)

    def _clear(self) -> None:
        self._stage.listing.clear()
        with self._stage.quietly():
            self.text.value = self.path.value = self.value.value = ""
        self._stage.count_later()

    def render(self) -> None:
        """Show the filters, and the choices of graph and task with the number of sessions."""
        listing = self._stage.listing
        opened = self._stage.desk.session
        if opened is not None and opened is not self._offered_of:
            # Paths of the last opened session: those of one task are much alike.
            self._offered_of = opened
            self.path.options = suggest_paths(Raw(opened.context_json()))
        graph, task = listing.filters.get("graph"), listing.filters.get("task")
        if graph != self._task_graph:
            self._task_graph = graph
            self._renew_task()
        self._offer(self.graph, listing.graphs(), graph)
        self._offer(self.task, listing.tasks(graph), task)
        self.window.value = listing.window
        self.clear.disabled = not listing.filtered

    @staticmethod
    def _offer(control: widgets.Dropdown, counts: list[tuple[str, int]], chosen: Any) -> None:
        # A front end sends the place of a choice, so each keeps its place while others come.
        sessions = dict(counts)
        names = [name for _, name in control.options if name is not ALL]
        names += [name for name in sessions if name not in names][: MAX_CHOICES - len(names)]
        if chosen is not None and chosen not in names:
            names.append(chosen)
        options: list[tuple[str, Any]] = [("all", ALL)]
        options += [(_label(name, sessions.get(name)), name) for name in names]
        if control.options != tuple(options):
            control.options = options
        value = ALL if chosen is None else chosen
        if control.value != value:
            control.value = value


def _label(name: str, sessions: int | None) -> str:
    return _shorten(name) if sessions is None else f"{_shorten(name)} ({sessions:,})"


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…"


class Pager:
    """The line under the table: which rows are shown, and the buttons that turn pages.

    Args:
        stage: The state that the parts of the browser share.
        columns: The choice of columns.

    Attributes:
        notice: The place of notices about a row or a page, under the table.
    """

    def __init__(self, stage: Stage, columns: ColumnBar):
        self._stage = stage
        listing = stage.listing
        self.previous = widgets.Button(
            description="Previous", icon="chevron-left", tooltip="Go to the page before (Page Up)"
        )
        self.next = widgets.Button(
            description="Next", icon="chevron-right", tooltip="Go to the page after (Page Down)"
        )
        self.shown = widgets.Label()
        self.size = widgets.Dropdown(
            description="Rows per page",
            options=sorted({*PAGE_SIZES, listing.page_size}),
            value=listing.page_size,
            tooltip="The number of sessions on a page",
        )
        self.notice = Html()
        self.previous.on_click(lambda _: self.turn(-1))
        self.next.on_click(lambda _: self.turn(1))
        self.size.observe(self._resize, "value")
        bar = widgets.HBox([self.previous, self.shown, self.next, self.size, columns.open])
        bar.add_class("gfnb-bar")
        self.box = widgets.VBox([bar, columns.box, self.notice])

    def _resize(self, change: Any) -> None:
        if not self._stage.rendering:
            self._stage.act(lambda: self._stage.listing.resize(change["new"]), place=self.notice)

    def turn(self, step: int) -> None:
        """Go to the next page (1) or the one before (-1)."""
        listing = self._stage.listing
        self._stage.act(listing.next if step > 0 else listing.previous, place=self.notice)

    def render(self) -> None:
        """Show which rows are shown, and where a page can be turned to."""
        listing = self._stage.listing
        parts = [listing.describe_page(), listing.describe_selection()]
        self.shown.value = ", ".join(part for part in parts if part)
        self.previous.disabled = not listing.page
        self.next.disabled = not listing.has_next
