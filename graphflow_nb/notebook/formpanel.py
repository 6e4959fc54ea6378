"""FormPanel: a panel with fields to fill in above its buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
from markupsafe import Markup

from .panel import Action, Panel

__all__ = ["FormPanel", "Input"]


@dataclass(frozen=True)
class Input:
    """A field of a form.

    Attributes:
        label: The text beside it.
        read: The function that returns the text that it holds now; empty for none.
        write: The function that takes what a person typed or chose.
        choices: The texts to choose from; none for a field to type in.
    """

    label: str
    read: Callable[[], str]
    write: Callable[[str], object]
    choices: Sequence[str] = ()

    def shown(self) -> str:
        """Return the text to show; empty for one that is none of the choices."""
        text = self.read()
        return text if not self.choices or text in self.choices else ""


class FormPanel(Panel):
    """A panel with fields above its buttons.

    A field that a person changes is written at once, and the panel is drawn again. ``refresh``
    shows in the fields what a cell wrote.

    Example:
        >>> from markupsafe import Markup
        >>> from graphflow_nb.notebook.formpanel import FormPanel, Input
        >>> values = {"name": ""}
        >>> field = Input("Name", lambda: values["name"], lambda text: values.update(name=text))
        >>> panel = FormPanel("a form", lambda: Markup("%s") % values["name"], lambda: [], [field])
        >>> panel.fields[0].value = "Ana"
        >>> values
        {'name': 'Ana'}

    Args:
        name, draw, actions: See ``Panel``.
        inputs: The fields.

    Attributes:
        fields: The widget of each field.
    """

    def __init__(
        self,
        name: str,
        draw: Callable[[], Markup],
        actions: Callable[[], Sequence[Sequence[Action]]],
        inputs: Sequence[Input],
    ):
        self._inputs = list(inputs)
        self.fields: list[Any] = []
        self._showing = False
        super().__init__(name, draw, actions)
        for field in self._inputs:
            widget = _make_field(field)
            widget.observe(lambda change, field=field: self._take(field, change["new"]), "value")
            self.fields.append(widget)
        heading, *others = self.children
        self.children = (heading, *self.fields, *others)

    def refresh(self) -> None:
        """Draw the object again, and show in the fields what it holds."""
        self._showing = True
        try:
            # There are no widgets yet when the panel is made.
            for field, widget in zip(self._inputs, self.fields, strict=False):
                widget.value = field.shown()
        finally:
            self._showing = False
        super().refresh()

    def _take(self, field: Input, text: str) -> None:
        if not self._showing:  # else it was a cell that changed it
            field.write(text)
            self.refresh()


def _make_field(field: Input) -> Any:
    about = {
        "description": field.label,
        "style": {"description_width": "10em"},
        "layout": {"width": "24em"},
        "value": field.shown(),
    }
    if field.choices:
        options = [("choose …", ""), *((choice, choice) for choice in field.choices)]
        return widgets.Dropdown(options=options, **about)
    return widgets.Text(**about)
