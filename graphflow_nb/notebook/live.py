"""``wb.latency.live()``: operations as they come, and the sessions of the slowest ones."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from heapq import nlargest
from time import monotonic
from typing import Any, Final

import ipywidgets as widgets
import numpy as np
import traitlets
from markupsafe import Markup

from ..cards import card, code, notice_html, plain_box
from ..client import Client
from ..figures import LatencyFigure, duration_text, plot_percentiles, plot_timeline
from ..figures.theme import ThemeName
from ..frames import operations_frame
from ..monitoring import Operation, Records
from ..monitoring.operation import FAILED
from ..printable import describe_count, inflect
from .browse import Browser
from .browse.rowtable import RowTable
from .following import Follower
from .html import Html
from .kernelwatch import View
from .painting import Painter
from .saved import with_static

__all__ = ["LiveLatency", "Picture", "details_html"]

DRAWN: Final = 5_000  # newest operations in the figure
SLOWEST: Final = 12  # rows in the table
INTERVAL: Final = 0.7  # seconds between updates, so that there is one a second with some to spare

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


class Picture(widgets.Image):  # type: ignore[misc]
    """An image with a text for those who do not see it, its ``tooltip``.

    Example:
        >>> from graphflow_nb.notebook.live import Picture
        >>> Picture(format="png", tooltip="Latency over time").description
        ''
    """

    # ipywidgets 8 asks a widget with a tooltip for its description, and can't show one without.
    description = traitlets.Unicode().tag(sync=True)


class LiveLatency(View):
    """A view of the newest operations as they come, and of the slowest: ``wb.latency.live()``.

    The numbers and the table are new each second. A picture is drawn beside the work, whenever 3 %
    of one core allow it, and once more when the work stops. All of it takes at most 5 % of one core
    at 1,000 operations a second. Following stops after an hour.

    Example:
        >>> from graphflow_nb.client import open_client
        >>> client = open_client("demo")
        >>> view = LiveLatency(client)
        >>> session = client.get("claim-0014")
        >>> view.update()
        >>> [operation.session_id for operation in view.slowest]
        ['claim-0014']
        >>> view.close()

    Args:
        client: The client whose operations are shown.
        theme: The theme of the figure: ``both`` (transparent), ``light`` or ``dark``.

    Attributes:
        wb: The client whose operations are shown: the workbench.
        slowest: The slowest operations since the view was made or cleared, slowest first.
        browser: The browser in which a click on one of them opened its session; None before that.
    """

    def __init__(self, client: Client, *, theme: ThemeName = "both"):
        self.wb = client
        self.slowest: list[Operation] = []
        self.browser: Browser | None = None
        self._theme = theme
        self._lock = threading.RLock()
        self._mark = client.recorder.since()[1]
        self._updated = monotonic()
        self._total = 0  # operations at the last update
        self._drawn = -1  # how many there were when the figure was drawn
        self._painter = Painter(self._draw)
        self._closed = False
        self._words = ""
        self._missed = 0  # forgotten before an update saw them
        super().__init__()
        self.add_class("gfnb-browser")
        self.running = widgets.ToggleButton(
            value=True, description="Live", icon="play", tooltip="Show operations as they happen"
        )
        self.forget = widgets.Button(
            description="Clear the slowest",
            icon="eraser",
            tooltip="Start a new list of the slowest operations",
            layout={"width": "auto"},
        )
        self.state, self.totals, self.words, self.details = (Html() for _ in range(4))
        self.picture = Picture(
            format="png",
            tooltip="Latency over time; the figures are in the text around it",
            layout={"max_width": "100%"},
        )
        if theme == "both":
            self.picture.add_class("gfnb-both")
        self.table = RowTable("slowest operations", _COLUMNS, self._open)
        self._place = widgets.VBox()
        self.running.observe(self._switch, "value")
        self.forget.on_click(lambda _: self.clear())
        buttons = widgets.HBox([self.running, self.forget])
        buttons.add_class("gfnb-bar")
        self.children = (
            buttons,
            self.state,
            self.totals,
            self.picture,
            self.words,
            Html(Markup("<b>Slowest operations</b>: a click opens the session")),
            self.table,
            self.details,
            self._place,
        )
        self.update()
        self._follower: Follower | None = None
        self._start()

    def update(self) -> None:
        """Show what was recorded since the last update, and draw it."""
        self._show_numbers()
        if self._total != self._drawn:
            self._draw()

    def _follow(self) -> None:
        before = self._total
        self._show_numbers()
        self._painter.offer(self._total != self._drawn, idle=self._total == before)

    def _show_numbers(self) -> None:
        """Show the numbers and the slowest operations, and no picture."""
        recorder = self.wb.recorder
        with self._lock:
            news, self._mark = recorder.since(self._mark)
            news = news.foreground()
            now = monotonic()
            made = len(news) + news.forgotten
            rate, self._updated = made / max(now - self._updated, 1e-3), now
            self._missed += news.forgotten
            self._keep_slowest(news)
            counts = recorder.counts()
            self._total = sum(n for kind, n in counts.items() if not kind.background)
            failed = sum(n for k, n in counts.items() if k.outcome in FAILED and not k.background)
            self.totals.value = self._render_totals(self._total, failed, rate)
            self._list_slowest()

    def clear(self) -> None:
        """Start a new list of the slowest operations; what was recorded stays."""
        with self._lock:
            self.slowest = []
            self._missed = 0
            self._list_slowest()

    def to_html(self) -> str:
        """Return what is shown as HTML that needs neither a kernel nor a script."""
        with self._lock:
            picture = b64encode(self.picture.value).decode()
            heads = Markup("").join(Markup("<th>%s</th>") % c["label"] for c in _COLUMNS)
            rows = Markup("").join(
                Markup("<tr>%s</tr>")
                % Markup("").join(Markup("<td>%s</td>") % code(str(c)) for c in _make_cells(o))
                for o in self.slowest
            )
            body = Markup(
                '%s<img src="data:image/png;base64,%s" alt="%s" style="max-width:100%%">'
                "<table><tr>%s</tr>%s</table>"
            ) % (self.totals.value, picture, self._words, heads, rows)
        return str(card("latency, slowest operations below", body))

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        return with_static(bundle, self.to_html(), repr(self))

    def __repr__(self) -> str:
        return f"<LiveLatency of {self.wb.storage.inner!r}: {self._words}>"

    def close(self) -> None:
        """Stop following and remove the widgets."""
        with self._lock:
            self._closed = True
        if self._follower is not None:
            self._follower.stop()
        self._painter.close()
        if self.browser is not None:
            self.browser.close()
        super().close()

    def _render_totals(self, total: int, failed: int, rate: float) -> Markup:
        missed = Markup(", <b>%s</b> not in the list below") % f"{self._missed:,}"
        line = Markup("<b>%s</b> %s, <b>%s</b> failed, <b>%s</b> a second now%s") % (
            f"{total:,}",
            inflect(total, "operation"),
            f"{failed:,}",
            f"{rate:,.0f}",
            missed if self._missed else "",
        )
        return plain_box(line)

    def _keep_slowest(self, news: Records) -> None:
        if len(news) > SLOWEST:
            news = news.select(np.argpartition(news.duration_ns, -SLOWEST)[-SLOWEST:])
        every = [*self.slowest, *news.operations()]
        self.slowest = nlargest(SLOWEST, every, key=lambda o: o.duration_ns)

    def _draw(self) -> None:
        """Draw the newest operations; the lock is not held meanwhile, so that numbers go on."""
        total = self._total
        frame = operations_frame(self.wb.recorder.records(DRAWN), labels=True)
        if len(frame) < total:
            frame.attrs["note"] = f"the newest {len(frame):,} of {total:,} operations are drawn"
        figure = LatencyFigure((11, 4), theme=self._theme)
        left, right = figure.panels(1, 2)
        plot_percentiles(frame, ax=left)
        plot_timeline(frame, ax=right)
        picture, words = figure._repr_png_(), figure.said
        with self._lock:
            if self._closed:
                return
            self._drawn = total
            self._words = words
            self.picture.value = picture
            self.words.value = (
                Markup("<details><summary>in words</summary><p>%s</p></details>") % words
            )

    def _list_slowest(self) -> None:
        self.table.show(
            self.slowest,
            [_make_cells(o) for o in self.slowest],
            empty="No operation was recorded since this view was made.",
        )

    def _open(self, operation: Operation) -> None:
        with self._lock:
            self.details.value = details_html(operation)
            if operation.session_id is None:
                self._place.children = ()
                return
            if self.browser is None:
                self.browser = Browser(self.wb, session=operation.session_id)
            else:
                self.browser.open_session(operation.session_id)
            self._place.children = (self.browser,)

    def _start(self) -> None:
        self._follower = Follower(self._follow, self._report, interval=INTERVAL)
        self._follower.start()

    def _switch(self, change: Any) -> None:
        if self._follower is not None:
            self._follower.stop()
            self._follower = None
        if change["new"]:
            self._start()
        else:
            self.state.value = notice_html("info", "stopped; press Live to continue")

    def _report(self, text: str, wrong: bool) -> None:
        self.state.value = notice_html("error" if wrong else "info", text)
        if self._follower is not None and not self._follower.running:
            self.running.value = False


def _phases(operation: Operation) -> dict[str, int]:
    """Return the nanoseconds of each phase by its name."""
    return {
        "wait": operation.wait_ns,
        "encode": operation.encode_ns,
        "execute": operation.execute_ns,
        "decode": operation.decode_ns,
    }


def _make_cells(operation: Operation) -> Sequence[str | list[str]]:
    began = datetime.fromtimestamp(operation.started_at_ns / 1e9, UTC)
    return [
        operation.op,
        operation.session_id or "—",
        _time_text(operation.duration_ns),
        *map(_time_text, _phases(operation).values()),
        f"{operation.bytes:,}" if operation.bytes else "—",
        operation.error or operation.outcome,
        f"{began:%H:%M:%S}.{began.microsecond // 1000:03d}",
    ]


def _time_text(nanos: int) -> str:
    return duration_text(nanos / 1000) if nanos else "—"


def details_html(operation: Operation) -> Markup:
    """Return the operation in one line: its phases as shares, and the size of the context."""
    parts = _phases(operation)
    parts["other"] = operation.duration_ns - sum(parts.values())
    shares = ", ".join(
        f"{name} {_time_text(nanos)} ({100 * nanos / max(operation.duration_ns, 1):.0f} %)"
        for name, nanos in parts.items()
        if nanos > 0
    )
    id = operation.session_id
    session = "" if id is None else Markup(" of %s") % code(id)
    size = f", {describe_count(operation.bytes, 'byte')} of context" if operation.bytes else ""
    line = Markup("<b>%s</b>%s: %s in all%s; %s") % (
        operation.op,
        session,
        _time_text(operation.duration_ns),
        size,
        shares,
    )
    return plain_box(line)
