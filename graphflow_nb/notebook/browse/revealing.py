"""HTML in which secrets are hidden, and shown by one click that no notebook saves."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from importlib.resources import files
from typing import Any

import traitlets
from markupsafe import Markup, escape

from ...model import Session
from ...model.masks import NO_MASK
from ...secret_keys import MASK
from ..module import ModuleWidget, read_module

__all__ = ["RevealingHtml", "reveal"]

_FOLDER = files(__package__)


class RevealingHtml(ModuleWidget):
    """Scrolled HTML with ``•••`` for secrets, and a button that shows it with them.

    Example:
        >>> from markupsafe import Markup
        >>> from graphflow_nb.notebook.browse.revealing import RevealingHtml
        >>> html = RevealingHtml()
        >>> html.show(Markup("pin: •••"), lambda: Markup("pin: 4711"))
        >>> html.secrets, html.value
        (True, Markup('pin: •••'))

    Attributes:
        value: What is shown.
        secrets: Whether there is something to be shown on demand.
    """

    _esm = read_module(_FOLDER, "revealing.js")

    value = traitlets.Unicode().tag(sync=True)
    secrets = traitlets.Bool().tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self.add_class("gfnb-text")
        self._render: Callable[[], Markup] | None = None
        self.on_msg(lambda _, content, __: self.receive(content))

    @traitlets.validate("value")
    def _escape(self, proposal: Any) -> str:
        return escape(proposal["value"])

    def show(self, masked: Markup, render: Callable[[], Markup]) -> None:
        """Show HTML.

        Args:
            masked: The HTML without secrets.
            render: Returns it with secrets, when a person asks for it.
        """
        self._render = render
        with self.hold_sync():
            self.value, self.secrets = masked, MASK in masked

    def receive(self, message: dict[str, Any]) -> None:
        """Answer a person who asks for the secrets.

        Args:
            message: The ``event`` ``reveal``, and the ``view`` that asks.
        """
        if message.get("event") == "reveal" and self._render is not None:
            html = str(escape(self._render()))
            self.send({"revealed": html, "view": message.get("view")})


def reveal(session: Session) -> Session:
    """Return a session whose secrets are shown."""
    twin = copy(session)
    twin.mask = NO_MASK
    return twin
