"""``wb.latency.live()``: latency as the work goes on, and from a slow operation to its session."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from heapq import nlargest
from html import escape
from time import monotonic
from typing import Any, Final

import ipywidgets as widgets
import numpy as np

from ..cards import card, code
from ..client import Client
from ..figures import LatencyFigure, duration_text, plot_percentiles, plot_timeline
from ..figures.theme import ThemeName
from ..frames import operations_frame
from ..monitoring import Operation, Records
from ..monitoring.operation import FAILED
from .browse import Browser
from .browse.live import Live
from .browse.render import notice
from .browse.rowtable import RowTable

__all__ = ["LiveLatency"]

DRAWN: Final = 5_000  # newest operations in the figure
SLOWEST: Final = 12

_COLUMNS: Final[list[dict[str, Any]]] = [
    {"name": "op", "label": "operation"},
    {"name": "session_id", "label": "session"},
    {"name": "duration", "label": "took", "number": True},
    {"name": "wait", "label": "wait", "number": True},
    {"name": "encode", "label": "encode", "number": True},
    {"name": "execute", "label": "execute", "number": True},
    {"name": "decode", "label": "decode", "number": True},
    {"name": "bytes", "label": "bytes", "number": True},
    {"name": "outcome", "label": "outcome"},
    {"name": "at", "label": "began at (UTC)"},
]


class LiveLatency(widgets.VBox):  # type: ignore[misc]
    """The newest operations of a workbench as they come, and the slowest; made by
    ``wb.latency.live()``.

    Looking costs at most 5 % of the kernel's time; it stops after an hour.

    Attributes:
        slowest: the slowest operations since the view was made or cleared, slowest first.
        browser: where a click on one of them opened its session; None before that.
    """

    def __init__(self, client: Client, *, theme: ThemeName = "light"):
        self.wb = client
        self.slowest: list[Operation] = []
        self.browser: Browser | None = None
        self._theme = theme
        self._lock = threading.RLock()
        self._recorder = client.recorder
        self._mark = self._recorder.since()[1]
        self._looked = monotonic()
        self._drawn = -1
        super().__init__()
        self.add_class("gfnb-browser")
        self.running = widgets.ToggleButton(value=True, description="Live", icon="play")
        self.forget = widgets.Button(
            description="Clear the slowest", icon="eraser", layout={"width": "auto"}
        )
        self._said = ""
        self._head, self._state, self._about, self._words = (widgets.HTML() for _ in range(4))
        self._picture = widgets.Image(format="png", layout={"max_width": "100%"})
        self.table = RowTable("slowest operations", _COLUMNS, self._open, lambda _: None)
        self._place = widgets.VBox()
        self.running.observe(self._switch, "value")
        self.forget.on_click(lambda _: self.clear())
        buttons = widgets.HBox([self.running, self.forget])
        buttons.add_class("gfnb-bar")
        self.children = (
            buttons,
            self._state,
            self._head,
            self._picture,
            self._words,
            widgets.HTML("<b>Slowest operations</b>: a click opens the session"),
            self.table,
            self._about,
            self._place,
        )
        self.look()
        self._live: Live | None = None
        self._start()

    def look(self) -> None:
        """Take in what was recorded since the last look, and show it."""
        with self._lock:
            news, self._mark = self._recorder.since(self._mark)
            news = news.foreground()
            now = monotonic()
            rate, self._looked = len(news) / max(now - self._looked, 1e-3), now
            self._take(news)
            counts = self._recorder.counts()
            total = sum(n for kind, n in counts.items() if not kind.background)
            failed = sum(n for k, n in counts.items() if k.outcome in FAILED and not k.background)
            self._head.value = (
                f'<div class="gfnb gfnb-plain"><b>{total:,}</b> operations, <b>{failed:,}</b> '
                f"failed, <b>{rate:,.0f}</b> a second now</div>"
            )
            if total != self._drawn:
                self._drawn = total
                self._draw()
            self._list()

    def clear(self) -> None:
        """Begin a new list of the slowest; what was recorded stays."""
        with self._lock:
            self.slowest = []
            self._list()

    def to_html(self) -> str:
        """What is shown, as HTML that needs neither kernel nor script."""
        with self._lock:
            picture = b64encode(self._picture.value).decode()
            said = escape(self._said)
            heads = "".join(f"<th>{column['label']}</th>" for column in _COLUMNS)
            rows = "".join(
                "<tr>" + "".join(f"<td>{code(str(cell))}</td>" for cell in _cells(o)) + "</tr>"
                for o in self.slowest
            )
            body = (
                f"{self._head.value}"
                f'<img src="data:image/png;base64,{picture}" alt="{said}" style="max-width:100%">'
                f"<table><tr>{heads}</tr>{rows}</table>"
            )
        return card("latency, slowest operations below", body)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["text/html"] = self.to_html()
        data["text/plain"] = repr(self)
        return bundle

    def __repr__(self) -> str:
        return f"<LiveLatency of {self.wb.storage.inner!r}: {self._said}>"

    def close(self) -> None:
        """Stop looking and take the widgets away."""
        if self._live is not None:
            self._live.stop()
        if self.browser is not None:
            self.browser.close()
        super().close()

    def _take(self, news: Records) -> None:
        if len(news) > SLOWEST:
            news = news.select(np.argpartition(news.duration_ns, -SLOWEST)[-SLOWEST:])
        every = [*self.slowest, *news.operations()]
        self.slowest = nlargest(SLOWEST, every, key=lambda o: o.duration_ns)

    def _draw(self) -> None:
        frame = operations_frame(self._recorder.records(DRAWN), labels=True)
        figure = LatencyFigure((11, 4), theme=self._theme)
        left, right = figure.panels(1, 2)
        plot_percentiles(frame, ax=left)
        plot_timeline(frame, ax=right)
        self._picture.value = figure._repr_png_()
        self._said = figure.said
        self._words.value = (
            f"<details><summary>in words</summary><p>{escape(figure.said)}</p></details>"
        )

    def _list(self) -> None:
        self.table.show(
            [(o.start_ns, o.op, o.session_id) for o in self.slowest],
            [_cells(o) for o in self.slowest],
            empty="No operation was recorded since this view was made.",
        )

    def _open(self, row: int) -> None:
        with self._lock:
            operation = self.slowest[row]
            self._about.value = _about(operation)
            if operation.session_id is None:
                self._place.children = ()
                return
            if self.browser is None:
                self.browser = Browser(self.wb, session=operation.session_id)
            else:
                self.browser.open_session(operation.session_id)
            self._place.children = (self.browser,)

    def _start(self) -> None:
        self._live = Live(self.look, self._say, None, lambda _: None)
        self._live.start()

    def _switch(self, change: Any) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        if change["new"]:
            self._start()
        else:
            self._state.value = notice("info", "not looking; Live goes on")

    def _say(self, text: str, wrong: bool) -> None:
        self._state.value = notice("error" if wrong else "info", text)
        if self._live is not None and not self._live.running:
            self.running.value = False


def _cells(operation: Operation) -> Sequence[str | list[str]]:
    began = datetime.fromtimestamp(operation.started_at_ns / 1e9, UTC)
    outcome = operation.error or operation.outcome
    phases = (
        _time(getattr(operation, f"{phase}_ns"))
        for phase in ("wait", "encode", "execute", "decode")
    )
    return [
        operation.op,
        operation.session_id or "—",
        _time(operation.duration_ns),
        *phases,
        f"{operation.bytes:,}" if operation.bytes else "—",
        outcome,
        f"{began:%H:%M:%S}.{began.microsecond // 1000:03d}",
    ]


def _time(nanos: int) -> str:
    return duration_text(nanos / 1000) if nanos else "—"


def _about(operation: Operation) -> str:
    """The operation in a line: its phases as shares, and what it carried."""
    known = {
        phase: getattr(operation, f"{phase}_ns")
        for phase in ("wait", "encode", "execute", "decode")
    }
    known["other"] = operation.duration_ns - sum(known.values())
    shares = ", ".join(
        f"{phase} {_time(nanos)} ({nanos / max(operation.duration_ns, 1):.0%})"
        for phase, nanos in known.items()
        if nanos > 0
    )
    session = "" if operation.session_id is None else f" of {code(operation.session_id)}"
    size = f", {operation.bytes:,} bytes of context" if operation.bytes else ""
    return (
        f'<div class="gfnb gfnb-plain"><b>{escape(operation.op)}</b>{session}: '
        f"{_time(operation.duration_ns)} in all{size}; {shares}</div>"
    )
