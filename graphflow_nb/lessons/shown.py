"""What a notebook shows as a panel of buttons."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from ..notebook.panel import Panel, show_panel
from ..notebook.saved import show_saved

__all__ = ["ShownAsPanel"]

PanelT = TypeVar("PanelT", bound=Panel)


class ShownAsPanel(ABC, Generic[PanelT]):
    """An object that a notebook shows as a panel of buttons, and saves as HTML and text."""

    _panel: PanelT | None = None

    @property
    def panel(self) -> PanelT:
        """The panel of buttons as which it shows itself, the same one until it is closed."""
        if self._panel is None or self._panel.comm is None:
            self._panel = self._make_panel()
        return self._panel

    @abstractmethod
    def _make_panel(self) -> PanelT:
        """Return a new panel."""

    def _refresh(self) -> None:
        """Show what changed, if there is a panel."""
        if self._panel is not None:
            self._panel.refresh()

    def _to_html(self) -> str:
        """Return what a saved notebook has; empty for what the panel shows below its buttons."""
        return ""

    _ipython_display_ = show_saved

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return show_panel(self.panel, repr(self), self._to_html(), **kwargs)
