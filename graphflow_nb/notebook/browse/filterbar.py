"""The filter bar, and the line under the table that turns pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as widgets

from ...storage.paths import parse_path, path_text
from .listing import PAGE_SIZES, WINDOWS, parse_value, typed_path

if TYPE_CHECKING:
    from .view import Browser

__all__ = ["FilterBar", "Pager"]

MAX_CHOICES = 500
ALL: Final = False  # None would be no choice at all, and is shown as an empty box


class FilterBar:
    """Which sessions are shown."""

    def __init__(self, browser: Browser):
        self._browser = browser
        filters = browser.listing.filters
        self.graph = widgets.Dropdown(
            description="Graph", tooltip="Only sessions of this graph", options=[("all", ALL)]
        )
        self.task = widgets.Dropdown(
            description="Task",
            tooltip="Only sessions that stand at this task",
            options=[("all", ALL)],
        )
        self.text = widgets.Text(
            description="Find",
            placeholder="in id or status, then Enter",
            tooltip="This text occurs in the id or the status; upper and lower case differ",
            value=filters.text or "",
            continuous_update=False,
        )
        self.window = widgets.Dropdown(
            description="Updated",
            options=list(WINDOWS),
            tooltip="When a session was last saved; 'not for …' finds those that are stuck",
        )
        path, value = self._condition()
        self.path = widgets.Text(
            description="Context",
            placeholder="path, e.g. customer.tier",
            tooltip="A path in the context's data; keys joined by dots, or ('a.b', 'c')",
            value=path,
            continuous_update=False,
        )
        self.value = widgets.Text(
            description="is",
            placeholder="value, or empty: any",
            tooltip='The value there: gold, 12, true, "12" for the text; empty: any value',
            value=value,
            continuous_update=False,
        )
        self.clear = widgets.Button(
            description="Clear filters", tooltip="Show all sessions again", icon="times"
        )
        self.clear.on_click(lambda _: browser.act(self._clear))
        for control in (self.graph, self.task, self.text, self.window, self.path, self.value):
            control.observe(self._changed, "value")
        condition = widgets.HBox([self.path, self.value])  # stay side by side
        controls = [self.graph, self.task, self.text, self.window, condition, self.clear]
        self.box = widgets.HBox(controls)
        self.box.add_class("gfnb-bar")

    def _condition(self) -> tuple[str, str]:
        filters = self._browser.listing.filters
        for path, value in filters.where.items():
            return path_text(parse_path(path)), json.dumps(value)
        return (path_text(parse_path(filters.has[0])) if filters.has else ""), ""

    def _changed(self, change: Any) -> None:
        if not self._browser.rendering:
            self._browser.act(self._apply)

    def _apply(self) -> None:
        listing = self._browser.listing
        path = typed_path(self.path.value) if self.path.value.strip() else None
        value = self.value.value.strip()
        conditions: dict[str, Any] = {"where": {}, "has": ()}
        if path and value:
            conditions["where"] = {path: parse_value(value)}
        elif path:
            conditions["has"] = (path,)
        graph, task = (None if c.value is ALL else c.value for c in (self.graph, self.task))
        if graph != listing.filters.graph and task not in dict(listing.tasks(graph)):
            task = None  # a task of the graph that was chosen before
        listing.filter(
            graph=graph,
            task=task,
            text=self.text.value or None,
            window=self.window.value,
            **conditions,
        )
        self._browser.count_later()

    def _clear(self) -> None:
        self._browser.listing.clear()
        with self._browser.quietly():
            self.text.value = self.path.value = self.value.value = ""
        self._browser.count_later()

    def render(self) -> None:
        listing = self._browser.listing
        filters = listing.filters
        self._offer(self.graph, listing.graphs(), filters.graph)
        self._offer(self.task, listing.tasks(filters.graph), filters.task)
        self.window.value = listing.window
        self.clear.disabled = not listing.filtered

    @staticmethod
    def _offer(control: widgets.Dropdown, counts: list[tuple[str, int]], chosen: Any) -> None:
        options: list[tuple[str, Any]] = [("all", ALL)]
        options += [(f"{_name(name)} ({count:,})", name) for name, count in counts[:MAX_CHOICES]]
        if chosen is not None and chosen not in dict(counts[:MAX_CHOICES]):
            options.append((_name(chosen), chosen))
        if control.options != tuple(options):
            control.options = options
        value = ALL if chosen is None else chosen
        if control.value != value:
            control.value = value


def _name(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


class Pager:
    """Where in the store the page is, and the way to the next."""

    def __init__(self, browser: Browser):
        self._browser = browser
        self.previous = widgets.Button(
            description="Previous", icon="chevron-left", tooltip="The page before (Page Up)"
        )
        self.next = widgets.Button(
            description="Next", icon="chevron-right", tooltip="The page after (Page Down)"
        )
        self.shown = widgets.Label()
        self.size = widgets.Dropdown(
            description="a page",
            options=sorted({*PAGE_SIZES, browser.listing.page_size}),
            value=browser.listing.page_size,
            tooltip="Sessions a page",
        )
        self.previous.on_click(lambda _: browser.act(browser.listing.previous))
        self.next.on_click(lambda _: browser.act(browser.listing.next))
        self.size.observe(self._resize, "value")
        self.box = widgets.HBox([self.previous, self.shown, self.next, self.size])
        self.box.add_class("gfnb-bar")

    def _resize(self, change: Any) -> None:
        if not self._browser.rendering:
            self._browser.act(lambda: self._browser.listing.resize(change["new"]))

    def turn(self, way: int) -> None:
        """To the next page or the one before."""
        listing = self._browser.listing
        self._browser.act(listing.next if way > 0 else listing.previous)

    def render(self) -> None:
        listing = self._browser.listing
        chosen = len(listing.selected)
        self.shown.value = listing.shown() + (f", {chosen:,} selected" if chosen else "")
        self.previous.disabled = not listing.page
        self.next.disabled = not listing.has_next
