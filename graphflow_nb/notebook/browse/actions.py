"""The row of actions of the browser, and the dialogs that they open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import ipywidgets as widgets

from .bulk import ChangeMany
from .creating import Create
from .deleting import Delete
from .dialogs import Dialog
from .exportbox import Export
from .later import Later
from .overviewbox import OverviewBox
from .stage import Stage
from .undobox import Undo
from .waitbox import Waiting

__all__ = ["Actions"]


class Actions:
    """The row of actions, and the dialogs that they open; those that write only if it is writable.

    Args:
        stage: The state that the parts of the browser share.
        follow: The button that follows changes.
        reload: The function that reads the page again.
        compare: The function that compares the two selected sessions.

    Attributes:
        row: The buttons, ``reload`` and ``compare`` among them.
        boxes: The places of the dialogs, of which one at most is shown.
        create, delete, undo, change, overview, export, waiting: The dialogs.
    """

    def __init__(
        self,
        stage: Stage,
        follow: widgets.ToggleButton,
        reload: Callable[[], None],
        compare: Callable[[], None],
    ):
        self._stage = stage
        self.create: Final = Later(lambda box: Create(stage, box))
        self.delete: Final = Later(lambda box: Delete(stage, box))
        self.undo: Final = Later(lambda box: Undo(stage, box))
        self.change: Final = Later(lambda box: ChangeMany(stage, box))
        self.overview: Final = Later(lambda box: OverviewBox(stage, box))
        self.export: Final = Later(lambda box: Export(stage, box))
        self.waiting: Final = Later(lambda box: Waiting(stage, box))
        self._dialogs: Sequence[Later[Dialog]] = [
            *(self.create, self.delete, self.undo, self.change),
            *(self.overview, self.export, self.waiting),
        ]
        self.boxes = [dialog.box for dialog in self._dialogs]
        self._of_selected: list[widgets.Button] = []
        self.reload = self._button("Refresh", "refresh", "Read this page again", reload)
        self.compare = self._button(
            "Compare", "columns", "Show the differences between two selected sessions", compare
        )
        buttons = [
            *(self.reload, follow),
            self._opening(
                "Overview…",
                "bar-chart",
                "Show where sessions are, and which are stuck",
                self.overview,
            ),
            self._opening(
                "Waiting…",
                "hourglass-half",
                "Show by task which sessions wait long",
                self.waiting,
            ),
            self.compare,
        ]
        if not stage.read_only:
            change = self._opening(
                "Change…", "pencil", "Change task or status of the selected sessions", self.change
            )
            delete = self._opening("Delete…", "trash", "Delete the selected sessions", self.delete)
            self._of_selected += [change, delete]
            buttons += [
                self._opening("Create…", "plus", "Create a session", self.create),
                change,
                delete,
                self._opening("Undo…", "history", "See what was written, and undo it", self.undo),
            ]
        export = self._opening(
            "Export…", "download", "Write the selected sessions to a file", self.export
        )
        self._of_selected.append(export)
        self.row = widgets.HBox([*buttons, export])
        self.row.add_class("gfnb-bar")

    def _opening(self, label: str, icon: str, tip: str, dialog: Later[Dialog]) -> widgets.Button:
        return self._button(label, icon, tip, lambda: dialog.get().open())

    def _button(
        self, label: str, icon: str, tip: str, action: Callable[[], None]
    ) -> widgets.Button:
        button = widgets.Button(description=label, icon=icon, tooltip=tip, layout={"width": "auto"})
        button.on_click(lambda _: self._stage.act(action))
        return button

    @property
    def spare(self) -> list[widgets.Widget]:
        """The widgets of the dialogs that are not shown."""
        made = [dialog.made for dialog in self._dialogs if dialog.made is not None]
        return [widget for dialog in made for widget in dialog.spare]

    def copy(self) -> None:
        """Open the dialog for a copy of the open session, from within an action."""
        self.create.get().open_copy()

    def render(self, selected: int) -> None:
        """Show what can be done.

        Args:
            selected: The number of selected sessions.
        """
        self.compare.disabled = selected != 2
        for button in self._of_selected:
            button.disabled = not selected
        for dialog in self._dialogs:
            if dialog.made is not None:
                dialog.made.render()
