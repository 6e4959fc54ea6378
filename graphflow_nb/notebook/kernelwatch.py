"""View: a box of widgets that says so when its kernel is gone, and keeps a static form."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import anywidget
import ipywidgets as widgets
import traitlets

from .saved import VIEW_CLASS, show_saved

__all__ = ["KernelWatch", "View"]

_FOLDER: Final = files(__package__)
_RUN_AGAIN: Final = (
    "Run this cell again. What is shown here is from before: it can be read and copied, and does "
    "nothing."
)


class KernelWatch(anywidget.AnyWidget):
    """A bar that appears in a view whose kernel was restarted, has ended, or does not answer.

    Once the kernel is gone, nothing in the view can be pressed or changed; all of it can be read
    and copied. ``View`` makes it.

    Attributes:
        what_to_do: What the bar says after "The kernel was restarted or has ended"; nothing is said
            if it is empty.
    """

    _esm = _FOLDER.joinpath("kernelwatch.js").read_text()
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
    """

    _ipython_display_ = show_saved

    def __init__(self, children: Any = (), *, what_to_do: str = _RUN_AGAIN, **options: Any):
        self.watch = KernelWatch(what_to_do)
        super().__init__(**options)
        self.children = tuple(children)
        self.add_class("gfnb-view").add_class(VIEW_CLASS + self.model_id)

    @traitlets.validate("children")
    def _add_watch(self, proposal: Any) -> tuple[Any, ...]:
        others = (child for child in proposal["value"] if child is not self.watch)
        return (*others, self.watch)
