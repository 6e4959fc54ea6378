"""``wb.latency.explore()``: the recorded operations as a chart to move in."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

import ipywidgets as widgets
import numpy as np
from markupsafe import Markup

from ..cards import card
from ..client import Client
from ..figures import plot_timeline
from ..figures.figure import LatencyFigure
from ..frames import operations_frame
from ..monitoring import Records
from .browse import Browser
from .html import Html
from .kernelwatch import View
from .live import details_html
from .opschart import OperationsChart
from .saved import with_static

__all__ = ["LatencyExplorer"]

_REFRESH: Final = "Show the operations recorded until now"


class LatencyExplorer(View):
    """Recorded operations as a chart: zoom, hover, and the session behind a dot.

    It shows dots, or a heat map that counts all. A dot that is clicked, or chosen by the keyboard
    and opened by Enter, shows its phases, and its session if the store is open.

    Example:
        >>> import graphflow_nb
        >>> wb = graphflow_nb.open("demo")
        >>> session = wb.get("claim-0014")
        >>> view = wb.latency.explore()
        >>> view.chart.chart["n"]
        1
        >>> view.close()

    Args:
        read: The function that returns the operations recorded until now.
        client: The client whose sessions are opened; None where no store is open.

    Attributes:
        wb: The client whose sessions are opened: the workbench; None where no store is open.
        chart: The widget with the chart.
        browser: The browser in which a dot opened its session; None before that.
    """

    def __init__(self, read: Callable[[], Records], client: Client | None = None):
        self._read = read
        self.wb = client
        self._lock = threading.RLock()
        self._records: Records = read().foreground()
        self.browser: Browser | None = None
        self.chart = OperationsChart(self._records, self._open)
        self.details = Html()
        self._place = widgets.VBox()
        self.refresh_button = widgets.Button(
            description="Refresh", icon="refresh", tooltip=_REFRESH
        )
        self.refresh_button.on_click(lambda _: self.refresh())
        bar = widgets.HBox([self.refresh_button])
        bar.add_class("gfnb-bar")
        super().__init__((bar, self.chart, self.details, self._place))
        self.add_class("gfnb-browser")

    def refresh(self) -> None:
        """Show the operations recorded until now, all of them."""
        with self._lock:
            self._records = self._read().foreground()
            self.chart.show(self._records)

    def to_html(self) -> str:
        """Return the timeline as HTML that needs neither a kernel nor a script."""
        figure = self._draw()
        picture = b64encode(figure._repr_png_()).decode()
        image = Markup('<img src="data:image/png;base64,%s" alt="%s" style="max-width:100%%">')
        return str(card("latency", image % (picture, figure.said)))

    def _draw(self) -> LatencyFigure:
        figure = LatencyFigure((11, 4.5))
        plot_timeline(operations_frame(self._records, labels=True), ax=figure.panels(1, 1)[0])
        return figure

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        return with_static(bundle, self.to_html(), repr(self))

    def __repr__(self) -> str:
        return f"<LatencyExplorer: {self._draw().said}>"

    def close(self) -> None:
        """Remove the widgets."""
        if self.browser is not None:
            self.browser.close()
        super().close()

    def _open(self, row: int) -> None:
        with self._lock:
            (operation,) = self._records.select(np.array([row])).operations()
            self.details.value = details_html(operation)
            if self.wb is None or operation.session_id is None:
                self._place.children = ()
                return
            if self.browser is None:
                self.browser = Browser(self.wb, session=operation.session_id)
            else:
                self.browser.open_session(operation.session_id)
            self._place.children = (self.browser,)
