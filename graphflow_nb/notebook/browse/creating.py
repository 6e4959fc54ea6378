"""Creating a session: at a task, as a copy, or from JSON."""

from __future__ import annotations

import ipywidgets as widgets

from .dialogs import MAX_ENTRIES, Dialog
from .stage import Stage

__all__ = ["Create"]


class Create(Dialog):
    """A new session: at a task, as a copy, or from JSON."""

    def __init__(self, stage: Stage, box: widgets.VBox):
        super().__init__(stage, "Create a session", box)
        self._proposed = ""  # the id that was offered
        self.mode = widgets.ToggleButtons(
            options=["At a task", "Copy of the open session", "From JSON"],
            style={"button_width": "auto"},
        )
        self.id = widgets.Text(description="Id", tooltip="An id that is not in the store yet")
        self.graph = widgets.Combobox(
            description="Graph", ensure_option=False, tooltip="The graph that it runs"
        )
        self.task = widgets.Combobox(
            description="Task", ensure_option=False, tooltip="The task at which it begins"
        )
        self.json = widgets.Textarea(
            description="JSON",
            placeholder='{"id": …, "graph_id": …, "current_task_id": …, "context": {…}}',
            rows=8,
            layout={"width": "auto"},
        )
        self.json.add_class("gfnb-json")
        self.confirm = widgets.Button(
            description="Preview new session",
            tooltip="Show what will be stored; nothing is stored yet",
            icon="search",
            button_style="info",
            layout={"width": "auto"},
        )
        self.confirm.on_click(lambda _: stage.act(self._confirm, place=self.notice))
        self.mode.observe(self._turn, "value")
        row = widgets.HBox([self.id, self.graph, self.task])
        row.add_class("gfnb-bar")
        buttons = widgets.HBox([self.confirm, self.cancel])
        self.box.children = (self.title, self.mode, row, self.json, buttons, self.notice)

    def open(self) -> None:
        """Open it with a fresh id, and the graphs and tasks that the store has."""
        self._open("At a task")

    def open_copy(self) -> None:
        """Open it for a copy of the open session.

        Raises:
            PatchError: No session is open, or it has changes that are not saved.
        """
        self._stage.desk.check_free()
        self._open("Copy of the open session")

    def _open(self, mode: str) -> None:
        super().open()
        listing = self._stage.listing
        self.id.value = ""
        self.graph.options = [name for name, _ in listing.counts.graphs()][:MAX_ENTRIES]
        self.task.options = [name for name, _ in listing.counts.tasks()][:MAX_ENTRIES]
        self.graph.value = listing.filters.get("graph", "default")
        with self._stage.quietly():
            self.mode.value = mode
        self._propose_id()

    def render(self) -> None:
        """Show the fields of the chosen mode."""
        super().render()
        mode = self.mode.value
        self.id.layout.display = "none" if mode == "From JSON" else ""
        for control in (self.graph, self.task):
            control.layout.display = "" if mode == "At a task" else "none"
        self.json.layout.display = "" if mode == "From JSON" else "none"

    def _turn(self, _: object) -> None:
        if not self._stage.rendering:
            self._stage.act(self._propose_id, quiet=True, place=self.notice)

    def _propose_id(self) -> None:
        """Offer an id that suits the mode, unless a person typed one."""
        if self.id.value.strip() not in ("", self._proposed):
            return
        desk = self._stage.desk
        copies = self.mode.value == "Copy of the open session"
        self._proposed = desk.propose_copy_id() if copies else desk.new_id()
        self.id.value = self._proposed

    def _confirm(self) -> None:
        desk = self._stage.desk
        if self.mode.value == "From JSON":
            desk.draft_from_json(self.json.value)
        elif self.mode.value == "At a task":
            desk.draft_new(self.id.value, self.task.value, self.graph.value)
        else:
            desk.draft_copy(self.id.value)
        self._stage.close_dialog()
        self._stage.show_part("Edit")
        desk.preview_changes()
