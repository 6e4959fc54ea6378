"""The browser as a widget: it shows what listing and desk hold, and passes clicks on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import copy
from itertools import islice
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd
from markupsafe import Markup

from ... import cards
from ...client import Client
from ...errors import GraphflowError, SessionFormatError
from ...model import Session
from ...printable import inflect, printable
from ...storage.paths import ContextPath
from ...storage.protocols import SupportsWatch
from ...storage.table import note_of
from ...warning import warn
from ..following import Follower, Watch
from ..html import Html, LiveHtml
from ..kernelwatch import View
from ..names import find_name
from ..pictures import THEMES
from ..saved import with_static
from .actions import Actions
from .columnbar import ColumnBar
from .columns import columns_of, rows_of
from .desk import Desk
from .filterbar import FilterBar
from .later import Later
from .listing import Listing
from .pager import Pager
from .past import Past
from .reader import Comparison, Reader
from .readingbar import ReadingBar
from .render import static_table
from .rowtable import RowTable
from .saved_views import ViewBar
from .shown import ShownPage
from .stage import Stage
from .typed import hide_filters
from .versions import static_history

__all__ = ["Browser"]

MAX_PROBLEMS: Final = 5  # odd rows that are named above the table


class Browser(View):
    """A view to find, read, create, edit, copy, delete and restore sessions: ``wb.browse()``.

    Nothing is written without a preview or a confirmation, and every write is compare-and-swap.

    Example:
        >>> from graphflow_nb.client import open_client
        >>> browser = Browser(open_client("demo"), {"graph": "claims"}, session="claim-0014")
        >>> browser.session.current_task_id
        'await_documents'
        >>> browser.calls
        ["wb.get('claim-0014')"]

    Args:
        client: The client whose sessions are shown.
        filters: The first filters by name; see ``Workbench.sessions``.
        order: The order. Default: newest first, or by id where the store could order by time only
            by sorting a large table.
        page_size: The number of sessions on a page.
        session: The id of a session to open at once.
        context: Context paths to show, a column each.

    Attributes:
        wb: The client whose sessions are shown: the workbench.
        listing: The page of sessions.
        desk: The open session, and what is being done to it.
        stage: Both of them, and the way in which actions are done on them.

    Raises:
        QueryError: A filter or the order is invalid.
    """

    _follower: Follower | None = None  # of the class, since a widget is closed even if it never was

    def __init__(
        self,
        client: Client,
        filters: Mapping[str, Any] | None = None,
        *,
        order: str | None = None,
        page_size: int = 50,
        session: str | None = None,
        context: Sequence[ContextPath] = (),
    ):
        self.wb = client
        self.desk = Desk(client)  # first, since a widget is closed even if it never was built
        self.listing = Listing(client, filters, order, page_size, context)
        self.notice = LiveHtml()
        self.desk.wb_name = self.listing.wb_name = self._name_workbench
        self.stage = Stage(
            self.listing,
            self.desk,
            Past(client, self.desk),
            read_only=client.attributes.read_only,
            render=self._render,
            lead=lambda goal: self.table.lead(goal),
            top=self.notice,
        )
        self._page: tuple[pd.DataFrame | None, tuple[str, ...], list[list[Any]]] = None, (), []
        super().__init__()
        self.add_class("gfnb-browser")
        self._build()
        self._start(session)

    # Parts that are made when they are first shown

    @property
    def reader(self) -> Reader:
        """The part that shows the open session."""
        return self._reader.get()

    @property
    def comparison(self) -> Comparison:
        """The part that shows the differences between two sessions."""
        return self._comparison.get()

    def _find_spare(self) -> list[widgets.Widget]:
        """Return the widgets that are not shown in it, which are closed with it."""
        reader = self._reader.made
        others = [] if reader is None else reader.spare
        return [*self.actions.spare, *self.reading.spare, *others]

    # What a cell can ask for

    @property
    def selected(self) -> pd.DataFrame:
        """The selected sessions, with the columns of ``wb.sessions()``."""
        return self.listing.selected_frame()

    @property
    def session(self) -> Session | None:
        """The open session at the version that was read; None if none is open."""
        return None if self.desk.session is None else copy(self.desk.session)

    @property
    def calls(self) -> list[str]:
        """What was done, as calls to paste into a cell, oldest first."""
        return self.desk.calls

    def open_session(self, id: str) -> None:
        """Open a session, as a click on its row does.

        Args:
            id: The id of the session.
        """
        self.stage.act(lambda: self._open_or_show_raw(id))

    def close(self) -> None:
        """Stop following and remove the widgets.

        A draft stays at ``desk.draft``, and a warning says so.
        """
        if self._follower is not None:
            self._follower.stop()
        draft = self.desk.draft
        if self.desk.dirty and draft is not None:
            warn(
                f"the view was closed with changes of session {draft.base.id!r} that are not "
                "saved: wb.save(browser.desk.draft.session()) saves them"
            )
        if self.comm is not None:
            self.spare = self._find_spare()
        super().close()

    # Building

    def _build(self) -> None:
        stage = self.stage
        self.reading = ReadingBar()
        self.heading = Html()
        self.follow = widgets.ToggleButton(
            description="Follow changes",
            icon="refresh",
            tooltip="Show what others change, as it happens",
            layout={"width": "auto"},
        )
        self.following = Html()
        self.columns, self.views = ColumnBar(stage), ViewBar(stage, self.wb)
        self.bar, self.pager = FilterBar(stage, self.views.open), Pager(stage, self.columns)
        self.opening = Html()  # what happened to the open session, above it
        self.actions = Actions(
            stage, self.follow, self._reload, lambda: self._comparison.get().show()
        )
        self._reader = Later(lambda box: Reader(stage, self.opening, self.actions.copy, box))
        self._comparison = Later(lambda box: Comparison(stage, box))
        self.follow.observe(self._switch_following, "value")
        top = widgets.HBox([self.heading, self.actions.row])
        top.add_class("gfnb-top")
        self.anyway = widgets.Button(
            description="Read anyway",
            icon="play",
            tooltip="Read it, and ask no longer about reads of this kind",
            layout={"width": "auto", "align_self": "flex-start"},
        )
        self.anyway.on_click(lambda _: stage.read_anyway())
        self.hint = Html()
        self.code = Html()
        self.table = RowTable("sessions", [], self._open, self._select, self._sort, self.pager.turn)
        listed = widgets.VBox([self.table, self.pager.box])
        opened = widgets.VBox([self.opening, self._comparison.box, self._reader.box])
        listed.add_class("gfnb-listed")
        opened.add_class("gfnb-opened")
        self.split = widgets.Box([listed, opened])
        self.split.add_class("gfnb-split")
        self.children = (
            top,
            self.bar.box,
            self.views.box,
            self.following,
            self.notice,
            self.reading.box,
            self.anyway,
            *self.actions.boxes,
            self.hint,
            self.split,
            self.code,
        )

    def _start(self, session: str | None) -> None:
        def start() -> None:
            try:
                self.listing.start()
            finally:  # a session may be found even if the page could not be read
                if session is not None:
                    self._open_or_show_raw(session)

        self.stage.act(start)
        self.listing.reads.place = self.reading  # the view is shown from now on
        self.stage.count_later()

    # Showing

    def _render(self) -> None:
        listing, desk, page = self.listing, self.desk, self.listing.shown_page()
        mode = (
            Markup(
                "<b>read-only</b>: the store was opened for reading only; "
                "graphflow_nb.open(url, writable=True) can write"
            )
            if self.stage.read_only
            else "writable; nothing is stored without a preview"
        )
        store = repr(self.wb.storage.inner)
        title = Markup('<h4 title="%s">%s</h4><span class="q">%s</span>') % (
            store,
            self._describe_store(),
            mode,
        )
        self.heading.value = cards.plain_box(title)
        note = "" if page.frame is None else page.frame.attrs.get("note", "")
        if not note and (about_total := note_of(listing.counts.total)) is not None:
            note = f"The total is {about_total}"
        hints = (self._order_hint(), note, self._odd_hint(), self._newer_hint())
        self.anyway.layout.display = "" if self.stage.may_read_anyway else "none"
        self.hint.value = Markup("").join(cards.notice_html("warning", hint) for hint in hints)
        # Before what is open is shown, so that it is brought into view where it stays.
        (self.split.add_class if self._reads_beside else self.split.remove_class)("gfnb-two")
        self.bar.render()
        self.pager.render()
        self.columns.render()
        self.views.render()
        self.table.show(
            page.ids,
            self._make_cells(page),
            columns=columns_of(self.columns.names, page.context, listing.slow),
            selected=page.selected,
            opened=None if desk.session is None else desk.session.id,
            marked=page.changed,
            order=listing.order,
            empty=listing.describe_lack(),
        )
        self.actions.render(len(page.selected))
        if self.desk.session is not None or self._reader.made is not None:
            self.reader.render()
        self.code.value = cards.code_html(desk.calls[-1] if desk.calls else listing.call)

    @property
    def _reads_beside(self) -> bool:
        """Whether a session or a comparison is open: beside the list where there is room."""
        return self.desk.session is not None or self._comparison.box.layout.display != "none"

    def _name_workbench(self) -> str:
        """Return the workbench as an expression that a cell of this notebook knows."""
        name = find_name(self.wb)
        if name is None and (view := find_name(self)) is not None:
            return f"{view}.wb"
        return name or "wb"

    def _describe_store(self) -> str:
        """Return the store as a person would name it, with the number of its sessions."""
        parts = [self.wb.attributes.address.describe()]
        if self.stage.read_only:
            parts.append("read-only")
        counts = self.listing.counts
        if (number := counts.about if counts.whole is None else counts.whole) is not None:
            count = f"{number / 1e6:,.1f} million" if number >= 1_000_000 else f"{number:,}"
            about = "about " if counts.whole is None or number >= 1_000_000 else ""
            parts.append(f"{about}{count} {inflect(number, 'session')}")
        return ", ".join(parts)

    def _render_title(self) -> Markup:
        return Markup("%s: sessions in %s") % (
            self._describe_store(),
            cards.code(repr(self.wb.storage.inner)),
        )

    def _make_cells(self, page: ShownPage) -> list[list[Any]]:
        """Return the cells of a page, which are made once for each page and choice of columns."""
        frame, names = page.frame, self.columns.names
        if frame is not self._page[0] or names != self._page[1]:
            self._page = frame, names, [] if frame is None else rows_of(frame, names, page.context)
        return self._page[2]

    def _order_hint(self) -> str:
        slow = self.listing.slow
        column = self.listing.order.removeprefix("-")
        if column in slow:
            other = "" if "id" in slow else ". Ordering by id is fast: click on id"
            return f"{slow[column]}{other}"
        if self.listing.order == "id" and "updated_at" in slow:
            return (
                "ordered by id, since newest first would be slow here "
                f"({slow['updated_at']}); click on updated to order by that anyway"
            )
        return ""

    def _odd_hint(self) -> str:
        problems = self.listing.problems
        named = [f"{id!r}: {problem}" for id, problem in islice(problems.items(), MAX_PROBLEMS)]
        if len(problems) > MAX_PROBLEMS:
            named.append(f"and {len(problems) - MAX_PROBLEMS:,} more on this page")
        return "; ".join(named)

    def _newer_hint(self) -> str:
        newer = self.desk.newer
        if newer is None:
            return ""
        what = "deleted this session" if newer < 0 else f"saved this session (version {newer})"
        return f"someone {what} while you edit it; when you save, both are merged"

    # What a person does in the table

    def _open(self, id: str) -> None:
        def open() -> None:
            if not self.desk.is_changing(id):
                editing = self.stage.part == "Edit"
                self._open_or_show_raw(id)
                if editing and self.desk.session is not None:
                    self.desk.edit()
            # Last: a row that could not be opened is not selected.
            self.listing.select([id])
            self.listing.mark_seen(id)
            if self._comparison.made is not None:
                self._comparison.made.hide()

        self.stage.act(open, place=self.opening)

    def _open_or_show_raw(self, id: str) -> None:
        try:
            self.desk.open(id)
        except SessionFormatError as error:
            # What was open is not what was asked for.
            self.desk.close()
            self.stage.notify("error", str(error), self.desk.describe_raw(id))

    def _select(self, ids: list[str]) -> None:
        self.stage.act(lambda: self.listing.select(ids), quiet=True)

    def _sort(self, column: str) -> None:
        self.stage.act(lambda: self.listing.sort(column))

    def _reload(self) -> None:
        self.listing.load()
        self.listing.mark_seen(*self.listing.ids())
        self.desk.refresh()
        if self.stage.part == "History":
            self.stage.past.load()
        self.stage.count_later(again=True)

    # Following

    def _switch_following(self, change: Any) -> None:
        if self.stage.rendering:
            return
        if self._follower is not None:
            self._follower.stop()
            self._follower = None
        if change["new"]:
            self._follower = Follower(self.stage.poll_once, self._report, self._watch())
            self._follower.start()
        else:
            self.following.value = ""

    def _watch(self) -> Watch | None:
        """Return what watches the store; None if it does not report changes."""
        storage, submit = self.wb.storage, self.wb.bridge.submit
        if not isinstance(storage, SupportsWatch):
            return None
        return lambda on_change, on_state: submit(storage.watch(on_change, on_state))

    def _report(self, text: str, wrong: bool) -> None:
        self.following.value = cards.notice_html("error" if wrong else "info", text)
        if self._follower is not None and not self._follower.running:
            with self.stage.quietly():
                self.follow.value = False

    # Without a kernel

    def to_html(self) -> str:
        """Return what is shown as HTML that needs neither a kernel nor a script."""
        listing, opened = self.listing, self.desk.session
        shown = listing.unlistable or listing.describe_page()
        body = static_table(listing.frame, shown, None if opened is None else opened.id)
        if listing.filters:
            filters = hide_filters(listing.filters, listing.mask)
            words = ", ".join(f"{name}={value!r}" for name, value in filters.items())
            body = Markup("<p>filtered by %s</p>%s") % (words, body)
        html = cards.card(self._render_title(), body)
        if opened is not None:
            html += cards.session_html(opened) + self._render_history()
        return str(html)

    def _render_history(self) -> Markup:
        past = self.stage.past
        if not past.is_read:
            with suppress(GraphflowError):  # the page says it when it is shown
                past.load()
        compared = None if self._reader.made is None else self._reader.made.compared
        beside = Markup("") if compared is None else compared.to_card(*THEMES)
        return static_history(past) + beside

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        page = printable(self.listing.describe_page())
        text = f"<Browser of {self.wb.storage.inner!r}: {page}>"
        return with_static(super()._repr_mimebundle_(**kwargs), self.to_html(), text)
