"""Writing the selected sessions to a file."""

from __future__ import annotations

import os
from itertools import count
from typing import Final

import ipywidgets as widgets
from markupsafe import Markup

from ...errors import PatchError
from ...printable import describe_count
from .dialogs import Dialog
from .stage import Stage

__all__ = ["Export"]

FORMS: Final = {"JSON lines": ".jsonl", "CSV": ".csv", "Parquet": ".parquet"}


class Export(Dialog):
    """The selected sessions as one file beside the notebook."""

    def __init__(self, stage: Stage, box: widgets.VBox):
        super().__init__(stage, "Export the selected sessions", box)
        self.form = widgets.Dropdown(
            description="Format",
            options=list(FORMS),
            tooltip="JSON lines keep every digit, and can be read back; CSV and Parquet have the "
            "context as a column of JSON text",
        )
        self.path = widgets.Text(
            description="File", tooltip="A file that does not exist; only its owner can read it"
        )
        self.without = widgets.Checkbox(
            description="Without secrets",
            indent=False,
            tooltip="Write ••• in place of what looks secret; otherwise the file has it",
            layout={"width": "auto"},
        )
        self.confirm = widgets.Button(
            description="Export",
            icon="download",
            button_style="success",
            tooltip="Write the file; nothing in the store changes",
            layout={"width": "auto"},
        )
        self._ids: list[str] = []
        self.form.observe(self._adapt, "value")
        self.confirm.on_click(lambda _: stage.act(self._confirm, place=self.notice))
        fields = widgets.HBox([self.form, self.path, self.without])
        fields.add_class("gfnb-bar")
        buttons = widgets.HBox([self.confirm, self.cancel])
        self.box.children = (self.title, fields, buttons, self.notice)

    def open(self) -> None:
        """Open it for the selected sessions.

        Raises:
            PatchError: No session is selected.
        """
        ids = list(self._stage.listing.selected)
        if not ids:
            raise PatchError("select the sessions to export first")
        super().open()
        self._ids = ids
        self.title.value = Markup("<h4>Export %s</h4>") % describe_count(len(ids), "session")
        self.confirm.description = f"Export {describe_count(len(ids), 'session')}"
        self.path.value = _propose(FORMS[self.form.value])

    def _adapt(self, _: object) -> None:
        """Give the file's name the end of its format."""
        end = FORMS[self.form.value]
        stem, former = os.path.splitext(self.path.value)
        if former in FORMS.values():
            path = stem + end
            self.path.value = path if not os.path.lexists(path) else _propose(end)

    def _confirm(self) -> None:
        end = FORMS[self.form.value]
        path = self.path.value.strip()
        if not path:
            raise PatchError("name the file first")
        if not path.lower().endswith(end):
            raise PatchError(f"the name of the file must end in {end} for {self.form.value}")
        report = self._stage.desk.export(self._ids, path, masked=self.without.value)
        self._stage.close_dialog()
        hidden = "; what looks secret is written as •••" if self.without.value else ""
        said = f"Wrote {report}{hidden}"
        self._stage.notify("warning" if report.missing or report.odd else "good", said)


def _propose(end: str) -> str:
    """Return the name of a file that does not exist."""
    names = (f"sessions{'' if n == 1 else f'-{n}'}{end}" for n in count(1))
    return next(name for name in names if not os.path.lexists(name))
