"""Progress as a notebook shows it: a bar, what is being done, and a Stop button if it can stop."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final

from markupsafe import Markup

from ..benchmark.progress import Progress
from ..cards import card
from ..errors import ChangeRefused
from ..printable import printable
from .saved import gone_html, show_saved, static_html

__all__ = ["Bar", "has_kernel", "show_bar", "show_count", "show_progress"]

#: The text is below the bar where it is narrow.
_LAYOUT: Final = {"flex_flow": "row wrap", "align_items": "center"}
_ENDED: Final = "This work ended with it."


def show_progress(stop: Callable[[], None] | None = None) -> Progress:
    """Show a progress if there is a notebook.

    Args:
        stop: The function of the Stop button; None for no button.

    Returns:
        The bar, or a progress that is not shown.
    """
    return _show(Bar(stop)) if has_kernel() else Progress()


def show_bar(step: str, stop: Callable[[], None] | None = None, tooltip: str = "") -> Bar | None:
    """Show a bar for work that counts, if there is a notebook.

    Args:
        step: The step that is shown until something is counted: ``copying …``.
        stop: The function of the Stop button; None for no button.
        tooltip: What the button says when pointed at.

    Returns:
        The bar; None without a notebook.
    """
    if not has_kernel():
        return None
    bar = Bar(stop, tooltip)
    bar.show_step(step)
    return _show(bar)


def show_count(step: str, unit: str) -> Callable[[int, int | None], None] | None:
    """Show the progress of work that counts, if there is a notebook.

    Args:
        step: The step that is shown until something is counted: ``copying …``.
        unit: The things that are counted: ``sessions``.

    Returns:
        A function of the number done, and of the total if it is known; None without a notebook.
    """
    bar = show_bar(step)
    return None if bar is None else lambda done, total: bar.show_count(done, total, unit)


def _show(bar: Bar) -> Bar:
    from IPython.display import display

    display(bar)  # type: ignore[no-untyped-call]
    return bar


def has_kernel() -> bool:
    """Return whether there is a notebook, or another front end of a kernel."""
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class Bar(Progress):
    """A bar, a Stop button and the step that is being done, in one line.

    Args:
        stop: The function of the Stop button; None for no button.
        tooltip: What the button says when pointed at.

    Attributes:
        box: The widget to show.
        view: The view that has it where the bar itself is displayed.
    """

    def __init__(
        self, stop: Callable[[], None] | None, tooltip: str = "Stop, and keep what was measured"
    ):
        # With the widgets only where they are shown: they take a tenth of a second.
        from ipywidgets import Button, FloatProgress, HBox

        from .html import Html
        from .kernelwatch import View

        self._stop = stop
        self._kept: Any = None
        self._ended = False
        self._said = "working"
        self._bar = FloatProgress(min=0, max=1)
        self._text = Html()
        self._button = Button(description="Stop", icon="stop", tooltip=tooltip)
        self._button.on_click(self._press)
        parts = [self._bar, self._text] if stop is None else [self._bar, self._button, self._text]
        self.box = HBox(parts, layout=_LAYOUT)
        self.view = View([self.box], what_to_do=_ENDED)
        # The cell that waits keeps the kernel's main thread busy, and ipykernel 7.4 binds a widget
        # to the thread that made it. Unbound, a click comes by the front end's own way, which
        # JupyterLab 4.4 and later have; elsewhere interrupting the kernel does the same. So does
        # the question whether there is still a kernel, which a pointer over the bar asks.
        for asked in (self._button, self.view.watch):
            with suppress(AttributeError):
                delattr(asked.comm, "_reply_subshell_id")
        self.view.spare = [self._button]

    def finish(self, said: str) -> None:
        """Show how the work ended, without a button."""
        self._button.disabled = True
        self._button.layout.display = "none"
        self._text.value = said
        self._end(said)

    def remove(self) -> None:
        """Take the bar away, also from the saved notebook: the work came to a good end."""
        if self._kept is not None:
            html = gone_html(self.view.model_id)
            self._kept.update({"text/html": html, "text/plain": ""}, raw=True)
        self.view.close()

    def restart(self, step: str) -> None:
        """Show the beginning of other work."""
        self._ended = False
        self._bar.layout.display = ""
        self.view.watch.what_to_do = _ENDED
        self._button.disabled = False
        self._bar.value = 0
        self.show_step(step)

    def _press(self, _: object) -> None:
        self._button.disabled = True
        if self._stop is not None:
            self._stop()

    def show_step(self, text: str) -> None:
        self._said = self._text.value = text
        if self._ended:
            self._keep()

    def show_share(self, share: float) -> None:
        self._bar.value = share

    def show_count(self, done: int, total: int | None, unit: str) -> None:
        """Show how many things were done.

        Args:
            done: The number of things that were done.
            total: The number of all; None if it is unknown, where only the count is shown.
            unit: The things that are counted: ``sessions``.
        """
        # Without a total no length would be right, least of all that of work that is done.
        self._bar.layout.display = "none" if total is None else ""
        share = 0.0 if total is None else min(done / max(total, 1), 1.0)
        if total is not None and share < 1 and int(100 * share) == int(100 * self._bar.value):
            return  # a message for each of 100,000 would take longer than the work
        self.show_share(share)
        count = f"{done:,}" if total is None else f"{done:,} of {total:,}"
        self.show_step(f"{count} {unit}")
        if done == total:
            self._end(self._said)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, ChangeRefused):  # nothing was begun
            self.remove()
            return
        said, ended = self._said, "failed" if error is not None else "done"
        self.finish(ended)
        self._end(f"{said}: {ended}")

    # What a saved notebook has of it

    def _end(self, said: str) -> None:
        self._said, self._ended = said, True
        self.view.watch.what_to_do = ""
        self._keep()

    def _ipython_display_(self) -> None:
        self._kept = show_saved(self, "Whether the work ended after that is not known here.")

    def _keep(self) -> None:
        """Write how the work ended where a saved notebook has it."""
        if self._kept is not None:
            data = self._repr_mimebundle_()
            html = static_html(data["text/html"], self.view.model_id, "The work has ended.")
            self._kept.update({"text/html": html, "text/plain": data["text/plain"]}, raw=True)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        data = self.view._repr_mimebundle_(**kwargs)
        data["text/html"] = str(card("progress", Markup("<p>%s</p>") % self._said))
        data["text/plain"] = printable(self._said)
        return data
