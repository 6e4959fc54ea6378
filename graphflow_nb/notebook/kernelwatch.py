"""View: a box of widgets that says so when its kernel is gone, and keeps a static form."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

import ipywidgets as widgets
import traitlets

from .module import ModuleWidget, read_module
from .saved import VIEW_CLASS, show_saved

__all__ = ["KernelWatch", "View"]

_FOLDER: Final = files(__package__)
_RUN_AGAIN: Final = (
    "Run the cells up to this one again. What is shown here is from before: it can be read and "
    "copied, and does nothing."
)


class KernelWatch(ModuleWidget):
    """A bar that appears in a view whose kernel was restarted, has ended, or does not answer.

    Once the kernel is gone, nothing in the view can be pressed or changed; all of it can be read
    and copied. ``View`` makes it.

    Attributes:
        what_to_do: What the bar says after "The kernel was restarted or has ended"; nothing is said
            if it is empty, nor is the kernel asked whether it is there.
    """

    _esm = read_module(_FOLDER, "kernelwatch.js")
    _css = _FOLDER.joinpath("kernelwatch.css").read_text()

    what_to_do = traitlets.Unicode().tag(sync=True)

    def __init__(self, what_to_do: str) -> None:
        super().__init__(what_to_do=what_to_do)
        self.on_msg(lambda _, content, __: self.receive(content))

    def receive(self, content: dict[str, Any]) -> None:
        """Answer a page that asks whether there is still a kernel.

        Args:
            content: The message: its ``event`` is ``ping``.
        """
        if content.get("event") == "ping":
            self.send({"event": "pong"})


class View(widgets.VBox):  # type: ignore[misc]
    """A column of widgets that a notebook shows, and what it keeps of them when it is saved.

    A class of it has a method ``to_html`` for the static form, and puts that into its
    ``_repr_mimebundle_``. Whatever its children are, one that watches the kernel is among them.

    Example:
        >>> import ipywidgets as widgets
        >>> from graphflow_nb.notebook.kernelwatch import KernelWatch, View
        >>> view = View([widgets.Label("3 sessions")])
        >>> isinstance(view.children[-1], KernelWatch)
        True

    Args:
        children: The widgets.
        what_to_do: What is said once the kernel was restarted; empty for nothing.
        options: Options of ``ipywidgets.VBox``.

    Attributes:
        watch: The widget that watches the kernel.
        spare: Widgets that belong to the view and are not shown in it, which are closed with it.
    """

    _ipython_display_ = show_saved

    spare: Sequence[widgets.Widget] = ()  # of the class, since what was never built is closed too

    def __init__(self, children: Any = (), *, what_to_do: str = _RUN_AGAIN, **options: Any):
        self.watch = KernelWatch(what_to_do)
        super().__init__(**options)
        self.children = tuple(children)
        self.add_class("gfnb-view").add_class(VIEW_CLASS + self.model_id)

    def __repr__(self) -> str:
        # That of ipywidgets names each widget in it: pages of them in a terminal.
        return f"<{type(self).__name__}, shown in a notebook; to_html() returns what it shows>"

    def close(self) -> None:
        """Remove the view with all widgets in it, in the page too.

        ipywidgets keeps every widget until it is closed itself.
        """
        for widget in _find_widgets(self, *self.spare) if self.comm is not None else ():
            if widget is not self:
                widget.close()
        super().close()

    @traitlets.validate("children")
    def _add_watch(self, proposal: Any) -> tuple[Any, ...]:
        others = (child for child in proposal["value"] if child is not self.watch)
        return (*others, self.watch)


def _find_widgets(*tops: widgets.Widget) -> list[widgets.Widget]:
    """Return widgets and those that they refer to: children, layouts, styles, and theirs."""
    found: dict[int, widgets.Widget] = {}
    waiting = [*tops]
    while waiting:
        widget = waiting.pop()
        if id(widget) in found:
            continue
        found[id(widget)] = widget
        for name in filter(widget.trait_has_value, widget.keys):
            value = getattr(widget, name)
            values = value if isinstance(value, (list, tuple)) else (value,)
            waiting += [each for each in values if isinstance(each, widgets.Widget)]
    return list(found.values())
