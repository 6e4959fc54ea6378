"""The filter bar."""

from __future__ import annotations

from typing import Any, Final

import ipywidgets as widgets

from ...model import Session
from ...storage.estimates import Estimate
from .chips import Chip, chips_of, parse_condition, suggest_conditions
from .chosen import WINDOWS
from .columnbar import make_chip
from .stage import Stage

__all__ = ["FilterBar"]

MAX_CHOICES: Final = 500
MAX_NAME: Final = 60  # characters of a name in a choice
CONDITION_TIP: Final = (
    "A condition on the context: amount > 100, customer.tier = gold, iban missing; a path of keys "
    "with dots is ('a.b', 'c')."
)
ALL: Final = False  # None would mean that nothing is chosen, and is shown as an empty box


class FilterBar:
    """The controls that say which sessions are shown.

    Args:
        stage: The state that the parts of the browser share.
        more: Buttons that stand after the filters.
    """

    def __init__(self, stage: Stage, *more: widgets.Widget):
        self._stage = stage
        self._offered_of: Session | None = None
        self._offered = 0  # the sessions whose paths are offered
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
            tooltip="This text occurs in the id or the status",
            value=filters.get("text", ""),
            continuous_update=False,
        )
        self.ignore_case = widgets.Checkbox(
            description="Ignore case",
            tooltip="Find upper and lower case alike",
            value=bool(filters.get("ignore_case")),
            indent=False,
        )
        self.window = widgets.Dropdown(
            description="Updated",
            options=list(WINDOWS),
            tooltip="When a session was last saved; 'not for …' finds those that are stuck",
        )
        self.condition = widgets.Combobox(
            description="Filter",
            placeholder="amount > 100",
            tooltip=CONDITION_TIP,
            continuous_update=False,
        )
        self.clear = widgets.Button(
            description="Clear filters", tooltip="Show all sessions again", icon="times"
        )
        self.clear.on_click(lambda _: stage.act(self._clear))
        for control in (self.graph, self.text, self.ignore_case, self.window, self.condition):
            control.observe(self._apply_change, "value")
        self._shown: list[Chip] = []
        self._chips: list[widgets.Button] = []
        find = widgets.HBox([self.text, self.ignore_case])  # stay side by side
        find.add_class("gfnb-find")
        self._before, self._after = [find], [self.window, self.condition]
        self._last = [self.clear, *more]
        self.box = widgets.HBox()
        self._place()
        self.box.add_class("gfnb-bar")
        self.box.add_class("gfnb-filters")

    def _place(self) -> None:
        choices = [self.graph, self.task]
        self.box.children = [
            *(*self._before, *choices, *self._after),
            *(*self._chips, *self._last),
        ]

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
        self._place()

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
            if task not in dict(listing.counts.tasks(graph)):
                task = None  # a task of the graph that was chosen before
            listing.filter(graph=graph, task=task)
        elif control in (self.task, self._former_task):
            listing.filter(task=None if chosen is ALL else chosen)
        elif control is self.window:
            listing.filter(window=chosen)
        elif control is self.text:
            listing.filter(text=chosen or None)
        elif control is self.ignore_case:
            listing.filter(ignore_case=chosen or None)
        elif chosen.strip():
            listing.filter(**parse_condition(chosen, listing.filters))
            with self._stage.quietly():
                self.condition.value = ""  # ready for the next one
        self._stage.count_later()

    def _remove(self, chip: Chip) -> None:
        self._stage.listing.filter(**chip.removal)
        self._stage.count_later()
        self.condition.focus()  # the chip that had the focus is gone

    def _clear(self) -> None:
        self._stage.listing.clear()
        with self._stage.quietly():
            self.text.value = self.condition.value = ""
        self._stage.count_later()

    def render(self) -> None:
        """Show the filters, and the choices of graph and task with the number of sessions."""
        listing = self._stage.listing
        opened = self._stage.desk.session
        if opened is not None and opened is not self._offered_of:
            self._offered_of = opened
            listing.paths.add(opened)
        if listing.paths.sessions != self._offered:
            self._offered = listing.paths.sessions
            self.condition.options = suggest_conditions(listing.paths)
            self.condition.tooltip = (
                f"{CONDITION_TIP} Suggested: what {self._offered:,} of the sessions have"
            )
        graph, task = listing.filters.get("graph"), listing.filters.get("task")
        if graph != self._task_graph:
            self._task_graph = graph
            self._renew_task()
        self._offer(self.graph, listing.counts.graphs(), graph)
        self._offer(self.task, listing.counts.tasks(graph), task)
        self.window.value = listing.window
        self.text.value = listing.filters.get("text", "")
        self.ignore_case.value = bool(listing.filters.get("ignore_case"))
        self.clear.disabled = not listing.filtered
        self._show_chips(chips_of(listing.filters, listing.mask))

    def _show_chips(self, chips: list[Chip]) -> None:
        if chips == self._shown:
            return
        for button in self._chips:
            button.close()
        self._shown, self._chips = chips, [self._make_chip(chip) for chip in chips]
        self._place()

    def _make_chip(self, chip: Chip) -> widgets.Button:
        button = make_chip(chip.text, f"Remove the filter {chip.text}")
        button.on_click(lambda _: self._stage.act(lambda: self._remove(chip)))
        return button

    def _offer(self, control: widgets.Dropdown, counts: list[tuple[str, int]], chosen: Any) -> None:
        # A front end sends the place of a choice, so each keeps its place while others come.
        sessions = dict(counts)
        names = [name for _, name in control.options if name is not ALL]
        names += [name for name in sessions if name not in names][: MAX_CHOICES - len(names)]
        if chosen is not None and chosen not in names:
            names.append(chosen)
        listing = self._stage.listing
        known = bool(listing.counts.groups) and listing.counts.groups_known
        about = listing.counts.groups_about
        options: list[tuple[str, Any]] = [("all", ALL)]
        options += [
            (_label(name, sessions.get(name, 0) if known else None, about=about), name)
            for name in names
        ]
        if control.options != tuple(options):
            control.options = options
        value = ALL if chosen is None else chosen
        if control.value != value:
            control.value = value


def _label(name: str, sessions: int | None, *, about: bool) -> str:
    if sessions is None or (about and not sessions):
        return _shorten(name)
    return f"{_shorten(name)} ({Estimate(sessions, 'about' if about else 'exactly')})"


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…"
