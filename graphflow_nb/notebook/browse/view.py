"""The browser as a widget: it shows what listing and desk hold, and passes on what is clicked."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from html import escape
from typing import Any, Literal

import ipywidgets as widgets
import pandas as pd

from ... import cards
from ...client import Client
from ...errors import GraphflowError
from ...model import Session
from ...storage.protocols import SupportsWatch
from .desk import Desk
from .dialogs import Create, Delete, Undo
from .filterbar import FilterBar, Pager
from .listing import Filters, Listing
from .live import Live
from .reader import Comparison, Reader
from .render import COLUMNS, code_html, notice, session_rows, static_table
from .rowtable import RowTable

__all__ = ["Browser"]


class Browser(widgets.VBox):  # type: ignore[misc]
    """Find, read, create, edit, copy, delete and restore sessions; made by ``wb.browse()``.

    Nothing is written without a preview or a confirmation, and every write is compare-and-swap.

    Attributes:
        wb: The client whose sessions are shown: the workbench.
    """

    def __init__(
        self,
        client: Client,
        filters: Filters | None = None,
        *,
        order: str | None = None,
        page_size: int = 50,
        session: str | None = None,
    ):
        self.wb = client
        self.listing = Listing(client, filters or Filters(), order, page_size)
        self.desk = Desk(client)
        self._lock = threading.RLock()
        self._rendering: int | None = None  # the thread that sets the widgets' values
        self._notice = ""
        self._made: tuple[pd.DataFrame | None, list[list[Any]]] = None, []
        self._counting = False
        self._to_count: Literal["new", "all"] | None = None
        self._live: Live | None = None
        super().__init__()
        self.add_class("gfnb-browser")
        self._build()
        self._start(session)

    @property
    def read_only(self) -> bool:
        """Whether the store was opened for reading only."""
        return self.wb.attributes.read_only

    # What a cell can ask for

    @property
    def selected(self) -> pd.DataFrame:
        """The selected sessions, with the columns of ``wb.sessions()``."""
        return self.listing.selected_frame()

    @property
    def session(self) -> Session | None:
        """The open session as it was read, or None."""
        return None if self.desk.session is None else copy(self.desk.session)

    @property
    def calls(self) -> list[str]:
        """What was done, as calls to paste into a cell, oldest first."""
        return list(self.desk.calls)

    def open_session(self, id: str) -> None:
        """Open a session, as clicking on its row does."""
        self.act(lambda: self.desk.open(id))

    def close(self) -> None:
        """Stop following and take the widgets away."""
        if self._live is not None:
            self._live.stop()
        super().close()

    # Building

    def _build(self) -> None:
        self._head = widgets.HTML()
        self.follow = widgets.ToggleButton(
            description="Follow changes",
            icon="refresh",
            tooltip="Show what others change, as it happens",
            layout={"width": "auto"},
        )
        self._following = widgets.HTML()
        self.reload = self._button("Refresh", "refresh", "Read this page again", self._reload)
        self.compare = self._button(
            "Compare", "columns", "The differences between two selected sessions", self._compare_two
        )
        self.follow.observe(self._switch, "value")
        actions = [self.reload, self.follow, self.compare]
        self.bar, self.pager = FilterBar(self), Pager(self)
        self.reader, self.comparison = Reader(self), Comparison(self)
        self.dialogs: list[Any] = []
        if not self.read_only:
            self.dialogs = [Create(self), Delete(self), Undo(self)]
            new, remove, undo = (dialog.open for dialog in self.dialogs)
            self.remove = self._button("Delete…", "trash", "Delete the selected sessions", remove)
            actions += [
                self._button("New…", "plus", "Create a session", new),
                self.remove,
                self._button("Journal…", "history", "What was written, and undo", undo),
            ]
        row = widgets.HBox(actions)
        row.add_class("gfnb-bar")
        self._said = widgets.HTML()
        self._hint = widgets.HTML()
        self._code = widgets.HTML()
        self.table = RowTable(
            "sessions", COLUMNS, self._open, self._select, self._sort, self.pager.turn
        )
        self.children = (
            self._head,
            self.bar.box,
            row,
            self._following,
            self._said,
            *(dialog.box for dialog in self.dialogs),
            self._hint,
            self.table,
            self.pager.box,
            self.comparison.box,
            self.reader.box,
            self._code,
        )

    def _button(self, label: str, icon: str, tip: str, work: Callable[[], None]) -> widgets.Button:
        button = widgets.Button(description=label, icon=icon, tooltip=tip, layout={"width": "auto"})
        button.on_click(lambda _: self.act(work))
        return button

    def _start(self, session: str | None) -> None:
        def work() -> None:
            try:
                self.listing.start()
            finally:  # a store that can't list may have it all the same
                if session is not None:
                    self.desk.open(session)

        self.act(work)
        self.count_later()

    # Acting and showing

    def act(self, work: Callable[[], None], *, quiet: bool = False) -> None:
        """Do something for a person and show what came of it; errors are shown, never lost.

        Args:
            quiet: it is a key being pressed, too quick to speak of.
        """
        with self._lock:
            self._notice = ""
            if not quiet:
                self._said.value = notice("info", "Working …")
            try:
                work()
            except GraphflowError as error:
                detail = "" if error.__cause__ is None else repr(error.__cause__)
                self._notice = notice("error", str(error), detail)
            except Exception as error:
                said = f"this should not have happened: {type(error).__name__}: {error}"
                self._notice = notice("error", said, traceback.format_exc())
            self.render()

    def tell(self, kind: str, text: str) -> None:
        """Say something about what was just done."""
        self._notice = notice(kind, text)

    @property
    def rendering(self) -> bool:
        """Whether a value that changes was set by ``render`` and not by a person."""
        return self._rendering == threading.get_ident()

    def render(self) -> None:
        """Show the state; what did not change is not sent."""
        with self.quietly():
            try:
                self._render()
            except Exception as error:
                said = f"this could not be shown: {type(error).__name__}: {error}"
                self._said.value = notice("error", said, traceback.format_exc())

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """While a program and no person changes what the widgets show."""
        with self._lock:
            before, self._rendering = self._rendering, threading.get_ident()
            try:
                yield
            finally:
                self._rendering = before

    def _render(self) -> None:
        listing, desk = self.listing, self.desk
        mode = (
            "<b>read-only</b>: the store was opened for reading only; "
            "graphflow_nb.open(url, writable=True) can write"
            if self.read_only
            else "writable; nothing is stored without a preview"
        )
        store = cards.code(repr(self.wb.storage.inner))
        self._head.value = (
            f'<div class="gfnb gfnb-plain"><h4>sessions in {store}</h4>'
            f'<span class="q">{mode}</span></div>'
        )
        self._said.value = self._notice
        frame = self.listing.frame
        note = "" if frame is None else frame.attrs.get("note", "")
        hints = (self._slow(), note, self._newer())
        self._hint.value = "".join(notice("warning", hint) for hint in hints)
        self.bar.render()
        self.pager.render()
        ids = listing.ids()
        places = {id: index for index, id in enumerate(ids)}
        opened = desk.session.id if desk.session is not None else None
        self.table.show(
            ids,
            self._rows(),
            selected=[places[id] for id in listing.selected],
            opened=places.get(opened or ""),
            marked=[places[id] for id in sorted(listing.changed)],
            order=listing.order,
            empty=self._empty(),
        )
        self.compare.disabled = len(listing.selected) != 2
        if not self.read_only:
            self.remove.disabled = not listing.selected
        for dialog in self.dialogs:
            dialog.render()
        self.reader.render()
        last = desk.calls[-1] if desk.calls else listing.call
        self._code.value = code_html(last)

    def _rows(self) -> list[list[Any]]:
        """The cells of the page, made once a page."""
        frame = self.listing.frame
        if frame is not self._made[0]:
            self._made = frame, [] if frame is None else session_rows(frame)
        return self._made[1]

    def _empty(self) -> str:
        listing = self.listing
        if listing.frame is None:
            return "The sessions could not be read; Refresh tries again."
        if listing.filtered:
            return "No session matches; Clear filters shows all."
        return "There is no session in this store yet."

    def _slow(self) -> str:
        slow = self.listing.slow
        column = self.listing.order.removeprefix("-")
        if column in slow:
            other = "" if "id" in slow else ". Ordered by id a page comes at once: click on id"
            return f"{slow[column]}{other}"
        if self.listing.order == "id" and "updated_at" in slow:
            return (
                "ordered by id, since newest first would be slow here "
                f"({slow['updated_at']}); click on updated to have it all the same"
            )
        return ""

    def _newer(self) -> str:
        newer = self.desk.newer
        if newer is None:
            return ""
        what = "deleted this session" if newer < 0 else f"saved this session (version {newer})"
        return f"someone {what} while you edit it; when you save, both are merged"

    # What the table says

    def _open(self, row: int) -> None:
        def work() -> None:
            id = self.listing.ids()[row]
            self.listing.select([id])
            self.listing.changed.discard(id)
            if self.desk.session is None or self.desk.session.id != id or not self.desk.dirty:
                editing = self.reader.parts.value == "Edit"
                self.desk.open(id)
                if editing:
                    self.desk.edit()
            self.comparison.hide()

        self.act(work)

    def _select(self, rows: list[int]) -> None:
        ids = self.listing.ids()
        self.act(lambda: self.listing.select([ids[r] for r in rows if r < len(ids)]), quiet=True)

    def _sort(self, column: str) -> None:
        self.act(lambda: self.listing.sort(column))

    def _reload(self) -> None:
        self.listing.load()
        self.listing.changed = set()
        self.desk.follow()
        self.count_later(again=True)

    def _compare_two(self) -> None:
        self.comparison.show()

    # What takes longer, behind the view

    def count_later(self, *, again: bool = False) -> None:
        """Learn the totals on a thread of its own, since the rows need not wait for them."""
        with self._lock:
            self._to_count = "all" if again else self._to_count or "new"
            if not self._counting:
                self._counting = True
                threading.Thread(target=self._count, name="graphflow_nb-count", daemon=True).start()

    def _count(self) -> None:
        while True:
            with self._lock:
                wanted, self._to_count = self._to_count, None
                if wanted is None:
                    self._counting = False
                    return
            # The rows were shown without it; whatever ails the store shows at the next click.
            with suppress(GraphflowError):
                self.listing.count(again=wanted == "all")
            self.render()

    def _switch(self, change: Any) -> None:
        if self.rendering:
            return
        if self._live is not None:
            self._live.stop()
            self._live = None
        if change["new"]:
            inner = self.wb.storage.inner
            watch = inner.watch if isinstance(inner, SupportsWatch) else None
            self._live = Live(self._look, self._say, watch, self.wb.bridge.submit)
            self._live.start()
        else:
            self._following.value = ""

    def _look(self) -> None:
        """What the live thread does at each look."""
        desk = self.desk
        keep = desk.session.id if desk.session is not None and desk.dirty else None
        news = self.listing.poll(keep)
        # Nothing is waited for under the lock: the loop that answers may be that of a thread that
        # waits for the lock.
        session, stored = desk.session, desk.peek()
        with self._lock:
            news = desk.take(session, stored) or news
        if news:
            self.listing.count(again=True)
        self.render()

    def _say(self, text: str, wrong: bool) -> None:
        self._following.value = notice("error" if wrong else "info", text)
        if self._live is not None and not self._live.running:
            with self.quietly():
                self.follow.value = False

    # Without a kernel

    def to_html(self) -> str:
        """What is shown, as HTML that needs neither kernel nor script."""
        store = cards.code(repr(self.wb.storage.inner))
        opened = self.desk.session
        body = static_table(
            self.listing.frame, self.listing.shown(), opened.id if opened is not None else None
        )
        given = self.listing.filters.given()
        if given:
            words = ", ".join(f"{name}={value!r}" for name, value in given.items())
            body = f"<p>filtered by {escape(words)}</p>{body}"
        html = cards.card(f"sessions in {store}", body)
        return html if opened is None else html + cards.session_html(opened)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["text/html"] = self.to_html()
        data["text/plain"] = f"<Browser of {self.wb.storage.inner!r}: {self.listing.shown()}>"
        return bundle
