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
        super().__init__(name, draw, actions)
        for field in self._inputs:
            widget = _make_field(field)
            widget.observe(lambda change, field=field: self._take(field, change["new"]), "value")
            self.fields.append(widget)
        heading, *others = self.children
        self.children = (heading, *self.fields, *others)

    def refresh(self) -> None:
        """Draw the object again, and show in the fields what it holds."""
        for field, widget in zip(self._inputs, self.fields, strict=False):  # none before they exist
            held = field.read()
            if held != (widget.value or ""):
                widget.value = held or (None if field.choices else "")
        super().refresh()

    def _take(self, field: Input, text: str | None) -> None:
        if (text or "") != field.read():
            field.write(text or "")
            self.refresh()


def _make_field(field: Input) -> Any:
    held = field.read()
    labelled = {"description": field.label, "style": {"description_width": "10em"}}
    if field.choices:
        wide = {"width": "auto"}  # the label beside the buttons, and not above them
        return widgets.ToggleButtons(
            options=list(field.choices), value=held or None, layout=wide, **labelled
        )
    return widgets.Text(value=held, layout={"width": "24em"}, **labelled)
