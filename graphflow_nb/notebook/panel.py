"""A panel: rows of buttons that call an object's methods, above what the object shows.

An object of ``graphflow_nb.lessons`` is used by its methods. In a notebook it shows itself as a
panel, whose buttons call the same methods and show each call as a line of Python.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Literal

import traitlets
from markupsafe import Markup

from ..cards import CARD_CSS, card, code_html, notice_html, plain_box
from ..errors import GraphflowError, QueryError
from ..model.masks import mask_in_use
from ..printable import printable, printable_lines
from .html import Html
from .kernelwatch import View
from .module import ModuleWidget, read_module
from .saved import with_static

__all__ = ["Action", "Panel", "show_panel"]

MAX_NOTICE: Final = 2_000  # characters of a notice, and ten times as many of its details

_FOLDER: Final = files(__package__)


@dataclass(frozen=True)
class Action:
    """A button, and the call that it makes.

    Attributes:
        label: The text of the button: a verb first.
        code: The call as a line of Python, as a cell could make it.
        run: The function that makes the call. A text that it returns is said beside the button.
        enabled: Whether the button can be pressed now.
        style: ``"primary"`` for what a person most likely wants next, ``"danger"`` for what can't
            be taken back, else empty.
    """

    label: str
    code: str
    run: Callable[[], object]
    enabled: bool = True
    style: Literal["", "primary", "danger"] = ""


class ActionBar(ModuleWidget):
    """Rows of buttons, each with a place for a notice beside them; made by ``Panel``.

    It is not made of ``ipywidgets.Button``, since that loses the keyboard's focus when it is
    disabled, reports the second click of a double click as another one, and has no place that a
    screen reader watches.

    Attributes:
        page: The rows, the notice and the stamp; all in one message. A click reports the stamp of
            the page that was shown, so that a click on a page of before is known.
    """

    _esm = read_module(_FOLDER, "panel.js")
    _css = CARD_CSS + _FOLDER.joinpath("panel.css").read_text()

    label = traitlets.Unicode().tag(sync=True)
    page = traitlets.Dict().tag(sync=True)


@dataclass(frozen=True)
class _Notice:
    """What is said beside a row of buttons."""

    kind: Literal["error", "info"]
    row: int
    text: str
    detail: str = ""


class Panel(View):
    """Rows of buttons above what an object shows.

    After each click the object is drawn again. While a button works, all are disabled, and further
    clicks are not run. An error is shown beside the button that caused it.

    Example:
        >>> from markupsafe import Markup
        >>> from graphflow_nb.notebook.panel import Action, Panel
        >>> counts = [0]
        >>> panel = Panel(
        ...     "a counter",
        ...     lambda: Markup("<p>%s</p>") % counts[0],
        ...     lambda: [[Action("Count", "counts.append(1)", lambda: counts.insert(0, 1))]],
        ... )
        >>> panel.click("Count")
        >>> panel.said
        'Count: done'

    Args:
        name: The title of the panel.
        draw: The function that returns what is shown below the buttons. It and ``actions`` are
            called under the panel's lock, so an object with a lock of its own must not hold that
            when it calls ``refresh``.
        actions: The function that returns the rows of buttons.
    """

    def __init__(
        self,
        name: str,
        draw: Callable[[], Markup],
        actions: Callable[[], Sequence[Sequence[Action]]],
    ):
        self._name, self._draw, self._actions = name, draw, actions
        self._lock = threading.RLock()
        self._rows: list[list[Action]] = []
        self._working = False
        self._stamp = 0
        self._notice: _Notice | None = None
        self._code = ""
        super().__init__()
        self.add_class("gfnb-panel")
        self.bar = ActionBar(label=name, page={})
        self.bar.on_msg(lambda _, content, __: self.receive(content))
        self.view, self.line = Html(), Html()
        heading = Html(plain_box(Markup("<h4>%s</h4>") % name))
        self.children = (heading, self.bar, self.view, self.line)
        self.refresh()

    @property
    def said(self) -> str:
        """The notice of the last click; empty before the first."""
        return "" if self._notice is None else self._notice.text

    def refresh(self) -> None:
        """Draw the object again, after a cell changed it."""
        with self._lock:
            try:
                rows = [list(row) for row in self._actions()]
            except Exception as error:  # the buttons of before may be what mends it
                self._notice = _describe_error(error, 0)
            else:
                if _collect_labels(rows) != _collect_labels(self._rows):
                    self._stamp += 1
                self._rows = rows
            self.view.value = plain_box(self._render())
            self.line.value = code_html(self._code)
            self._send_page()

    def click(self, label: str) -> None:
        """Do what a click on a button does.

        Args:
            label: The text of the button.

        Raises:
            QueryError: No button has this label, or it can't be pressed now.
        """
        with self._lock:
            found = [
                (row, at, action.enabled)
                for row, actions in enumerate(self._rows)
                for at, action in enumerate(actions)
                if action.label == label
            ]
            enabled = [(row, at) for row, at, can in found if can]
            if not enabled:
                known = ", ".join(repr(a.label) for row in self._rows for a in row if a.enabled)
                reason = "is disabled now" if found else "does not exist"
                raise QueryError(f"the button {label!r} {reason}; those that work: {known}")
            content = {"stamp": self._stamp, "row": enabled[0][0], "at": enabled[0][1]}
        self.receive(content)

    def receive(self, content: dict[str, Any]) -> None:
        """Take a click, as the front end reports it.

        Args:
            content: The ``stamp`` of the page that was clicked, the ``row`` and where ``at`` in it.
        """
        with self._lock:
            row, at = content.get("row"), content.get("at")
            fits = (
                isinstance(row, int)
                and isinstance(at, int)
                and 0 <= row < len(self._rows)
                and 0 <= at < len(self._rows[row])
            )
            action = self._rows[content["row"]][content["at"]] if fits else None
            if self._working:
                return  # the page that follows enables the buttons again
            if action is None or not action.enabled or content.get("stamp") != self._stamp:
                self._stamp += 1  # what was clicked is not what is shown: it is shown again
                self._send_page()
                return
            assert isinstance(row, int)
            self._working = True
            self._code = action.code
            self._notice = _Notice("info", row, f"{action.label}: working …")
            self._send_page()
        notice = _Notice("error", row, f"{action.label}: interrupted before it finished")
        try:
            said = action.run()
            text = printable(said) if isinstance(said, str) else f"{action.label}: done"
            # Not as something good: what was done may be a wrong answer.
            notice = _Notice("info", row, text[:MAX_NOTICE])
        except Exception as error:
            notice = _describe_error(error, row)
        finally:
            with self._lock:
                self._working = False
                self._stamp += 1
                self._notice = notice
                self.refresh()

    def to_html(self) -> str:
        """Return what is shown as HTML that needs neither a kernel nor a script."""
        with self._lock:
            body = self._render()
            if self._notice is not None and self._notice.kind == "error":
                body = notice_html("error", self._notice.text, self._notice.detail) + body
            return str(card(self._name, body + code_html(self._code)))

    def _render(self) -> Markup:
        try:
            return self._draw()
        except Exception as error:  # it would vanish in a callback
            notice = _describe_error(error, 0)
            return notice_html("error", f"this can't be shown: {notice.text}", notice.detail)

    def _send_page(self) -> None:
        rows = [
            [
                {"label": a.label, "enabled": a.enabled and not self._working, "style": a.style}
                for a in row
            ]
            for row in self._rows
        ]
        said = self._notice
        notice = {} if said is None else vars(said)
        self.bar.page = {
            "stamp": self._stamp,
            "working": self._working,
            "rows": rows,
            "notice": notice,
        }

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        return with_static(bundle, self.to_html(), printable(f"<Panel {self._name!r}>"))


def show_panel(panel: Panel, text: str, html: str = "", **kwargs: Any) -> Any:
    """Return what ``_repr_mimebundle_`` of an object that shows itself as a panel returns.

    That is the widget, and beside it HTML and plain text, for where no kernel runs.

    Args:
        panel: The panel, which the object makes once and keeps.
        text: The plain text.
        html: The HTML; empty for what the panel shows below its buttons.
        kwargs: What IPython passed to ``_repr_mimebundle_``.
    """
    return with_static(panel._repr_mimebundle_(**kwargs), html, printable_lines(text))


def _collect_labels(rows: Sequence[Sequence[Action]]) -> list[list[str]]:
    return [[action.label for action in row] for row in rows]


def _describe_error(error: Exception, row: int) -> _Notice:
    """Return the notice of an error: of one of ours its text, of any other all that is known."""
    if isinstance(error, GraphflowError):
        cause = "" if error.__cause__ is None else printable(repr(error.__cause__))
        text, cause = mask_in_use().scrub(str(error)), mask_in_use().scrub(cause)
        return _Notice("error", row, text[:MAX_NOTICE], cause[: 10 * MAX_NOTICE])
    text = printable(mask_in_use().scrub(f"{type(error).__name__}: {error}"))
    detail = printable_lines(mask_in_use().scrub("".join(traceback.format_exception(error))))
    return _Notice("error", row, text[:MAX_NOTICE], detail[-10 * MAX_NOTICE :])
