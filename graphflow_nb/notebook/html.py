"""The widgets that show HTML."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import traitlets
from markupsafe import Markup, escape

__all__ = ["Html", "LiveHtml", "ScrolledHtml"]


class Html(widgets.HTML):  # type: ignore[misc]
    """A widget that shows Markup as HTML, and any other text as it is.

    ``ipywidgets.HTML`` takes every text for HTML, so that one call of ``escape`` that was forgotten
    would run what a store holds.

    Example:
        >>> from markupsafe import Markup
        >>> from graphflow_nb.notebook.html import Html
        >>> Html(Markup("<b>%s</b>") % "<script>").value
        Markup('<b>&lt;script&gt;</b>')
        >>> Html("<script>").value
        Markup('&lt;script&gt;')
    """

    @traitlets.validate("value")
    def _escape(self, proposal: Any) -> Markup:
        return escape(proposal["value"])


class ScrolledHtml(Html):
    """Html of a bounded height; the keyboard reaches it, and scrolls it by the arrow keys."""

    def __init__(self, **kwargs: Any):
        super().__init__(tabbable=True, **kwargs)
        self.add_class("gfnb-text")


class LiveHtml(Html):
    """Html of which a screen reader says what comes in; it is there, and empty, before that."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.add_class("gfnb-live")
