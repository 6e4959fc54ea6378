"""What the parts of the browser share: the state, and how an action is done and shown."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal, NamedTuple, Protocol

from markupsafe import Markup

from ...cards import NoticeKind, notice_html
from ...errors import GraphflowError, PatchError, ReadStopped, ScanRefused
from ...model.masks import Mask
from .desk import Desk
from .listing import Listing
from .past import Past

__all__ = ["Goal", "Part", "Place", "Stage"]

Part = Literal["Overview", "Context", "Chat", "JSON", "History", "Edit"]


#: Where the focus goes after an action: to the dialog that it opened, back to where it was before
#: that, to the preview or the conflict that it led to, or to the row of the open session.
Goal = Literal["dialog", "back", "preview", "conflict", "row"]


class Place(Protocol):
    """A widget that shows notices, beside the controls that they are about."""

    value: Markup


class _State(NamedTuple):
    """What decides where the focus goes when it changes."""

    draft: object | None
    preview: object | None
    conflict: bool
    dialog: object | None


class _Refused(NamedTuple):
    """An action that was not done, since it would read a large table, and why it would."""

    kind: str
    action: Callable[[], None]


class Stage:
    """The state that the parts of a browser share, and the way in which they change it.

    The parts (filter bar, pager, reader, editor, dialogs) know the stage, and neither the view nor
    each other. The stage knows no widget but the places of notices: the view that builds the parts
    gives it the function that shows what it holds.

    Args:
        listing: The page of sessions.
        desk: The open session, and what is being done to it.
        past: The history of the open session.
        read_only: Whether the store was opened for reading only.
        render: The function that shows the state in all parts.
        lead: The function that puts the focus somewhere.
        top: The place of the notices that have no other.

    Attributes:
        listing, desk, past, read_only, top: As passed.
        notice: The notice of the last action.
        place: The place where it is shown.
        dialog: The open dialog; None if none is open.
    """

    def __init__(
        self,
        listing: Listing,
        desk: Desk,
        past: Past,
        *,
        read_only: bool,
        render: Callable[[], None],
        lead: Callable[[Goal], None],
        top: Place,
    ):
        self.listing = listing
        self.desk = desk
        self.past = past
        self.read_only = read_only
        self.notice = Markup("")
        self.top = self.place = top
        self.dialog: object | None = None
        self._part: Part = "Context"
        self._render, self._lead = render, lead
        self._lock = threading.RLock()
        self._rendering: int | None = None  # the thread that sets the widgets' values
        self._counting = False
        self._counting_exactly = False
        self._refused: _Refused | None = None
        self._working = False
        self._to_count: Literal["new", "all"] | None = None

    # Acting and showing

    def act(
        self, action: Callable[[], None], *, quiet: bool = False, place: Place | None = None
    ) -> None:
        """Do something for a person and show the result; errors are shown, never lost.

        Args:
            action: The function that does it.
            quiet: Whether it is too quick to be announced, such as a key that was pressed.
            place: Where notices about it are shown. Default: at the top.
        """
        with self._lock:
            self._turn_to(place or self.top)
            self.notice = Markup("")
            if not quiet:
                self.place.value = notice_html("info", "Working …")
            before = self._state()
            self._refused = None
            try:
                action()
                if self.part == "History" and not self.past.is_read:
                    self.past.load()
            except ScanRefused as error:
                self._turn_to(self.top)  # where the button is that allows it
                self.notice = notice_html("warning", str(error))
                self._refused = _Refused(error.kind, action)
            except ReadStopped as error:
                self.notice = notice_html("info", str(error))
            except Exception as error:
                self.notice = _error_html(error, self.desk.mask)
            self.render()
            goal = self._find_goal(before)
            if goal is not None and not quiet:  # a key is pressed where the next one will be, too
                self._lead(goal)

    @property
    def may_read_anyway(self) -> bool:
        """Whether something was not read, since that would go through a large table."""
        return bool(self._refused or self.listing.refused)

    def read_anyway(self) -> None:
        """Do again what was not done since it would read a large table, and ask no longer."""
        listing = self.listing
        refused = self._refused or _Refused(listing.refused, listing.load)
        if refused.kind:
            listing.reads.allow_scan(refused.kind)
            self.act(refused.action)
            self.count_later()

    def _state(self) -> _State:
        desk = self.desk
        return _State(desk.draft, desk.preview, desk.in_conflict, self.dialog)

    def _find_goal(self, before: _State) -> Goal | None:
        """Return where a person goes on after an action; None for where they are."""
        now = self._state()
        if now.conflict and not before.conflict:
            return "conflict"
        if now.preview is not None and now.preview is not before.preview:
            return "preview"
        if now.dialog is not before.dialog:
            return "back" if now.dialog is None else "dialog"
        return "row" if now.draft is None and before.draft is not None else None

    def notify(
        self, kind: NoticeKind, text: str, detail: str = "", *, place: Place | None = None
    ) -> None:
        """Show a notice about what was just done.

        Args:
            kind: ``error``, ``warning``, ``good`` or ``info``.
            text: The text of the notice.
            detail: A text that is shown on demand.
            place: Where it is shown, if the controls of the action are closed by it. Default: at
                the place of the action.
        """
        if place is not None:
            self._turn_to(place)
        self.notice = notice_html(kind, text, detail)

    def _turn_to(self, place: Place) -> None:
        """Show notices at a place, and none at the former one."""
        if place is not self.place:
            self.place.value = Markup("")
            self.place = place

    def render(self) -> None:
        """Show the state; what did not change is not sent to the front end."""
        with self.quietly():
            try:
                self._render()
                self.place.value = self.notice
            except Exception as error:
                scrub = self.desk.mask.scrub
                text = scrub(f"this could not be shown: {type(error).__name__}: {error}")
                self.place.value = notice_html("error", text, scrub(traceback.format_exc()))

    @property
    def rendering(self) -> bool:
        """Whether a value that changes is set by the program and not by a person."""
        return self._rendering == threading.get_ident()

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Mark what changes inside as changed by the program and not by a person."""
        with self._lock:
            before, self._rendering = self._rendering, threading.get_ident()
            try:
                yield
            finally:
                self._rendering = before

    # What is shown

    @property
    def part(self) -> Part:
        """The part of the open session that is shown; the editor only while there is a draft."""
        return "Context" if self._part == "Edit" and self.desk.draft is None else self._part

    def show_part(self, part: Part) -> None:
        """Show a part of the open session; the editor starts a draft, and the history is read."""
        if part == "Edit":
            self.desk.edit()
        self._part = part
        if part == "History":
            self.past.load(noted=True)

    def open_dialog(self, dialog: object) -> None:
        """Open a dialog, and close the one that is open."""
        self.dialog = dialog

    def close_dialog(self) -> None:
        """Close the open dialog, if there is one; notices are at the top then."""
        self.dialog = None
        self._turn_to(self.top)

    # What takes longer, on threads behind the view

    @property
    def counting(self) -> bool:
        """Whether totals are being counted."""
        return self._counting

    def count_later(self, *, again: bool = False) -> None:
        """Count on a thread of its own, since the rows need not wait for the totals.

        Args:
            again: Whether to count again what is known already.
        """
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
            try:
                # The rows were shown without it; the next click shows what is wrong with the store.
                with suppress(GraphflowError):
                    self.listing.count(again=wanted == "all")
                self.render()
            except BaseException:  # or nothing would be counted any more
                with self._lock:
                    self._counting = False
                raise

    @property
    def counting_exactly(self) -> bool:
        """Whether a total is being counted that a person asked for."""
        return self._counting_exactly

    def count_exactly(self) -> None:
        """Count the total on a thread of its own; stop that if it is being counted."""
        with self._lock:
            if self._counting_exactly:
                self.listing.counts.stop()
                return
            finish = self.listing.counts.begin_exact()
            self._counting_exactly = True
            place = self.place

            def end() -> None:
                try:
                    finish()
                finally:
                    self._counting_exactly = False

            threading.Thread(
                target=self.finish,
                args=(end,),
                kwargs={"place": place},
                name="graphflow_nb-count",
                daemon=True,
            ).start()

    def finish(self, action: Callable[[], None], *, place: Place) -> None:
        """Do what ends something behind the view, and show the result; nothing else is announced.

        Args:
            action: The function that does it; it may wait, and errors are shown.
            place: Where they are shown.
        """
        try:
            action()
        except Exception as error:
            with self._lock:
                self._turn_to(place)
                self.notice = _error_html(error, self.desk.mask)
        self.render()

    @property
    def working(self) -> bool:
        """Whether something long is being done behind the view."""
        return self._working

    def check_idle(self) -> None:
        """Check that nothing long is being done.

        Raises:
            PatchError: Something is.
        """
        if self._working:
            raise PatchError("another action is still running: wait until it ends, or stop it")

    def work_later(self, work: Callable[[], tuple[NoticeKind, str]]) -> None:
        """Do something long on a thread of its own, then show what it changed.

        Nothing is locked meanwhile: a person can go on, and can stop it. What came of it is said at
        the place of this action, or at the top if the dialog that began it was closed.

        Args:
            work: The function that does it and returns the kind and the text of a notice.

        Raises:
            PatchError: Something long is being done already.
        """
        with self._lock:
            self.check_idle()
            self._working = True
            threading.Thread(
                target=self._work,
                args=(work, self.place, self.dialog),
                name="graphflow_nb-work",
                daemon=True,
            ).start()

    def _work(
        self, work: Callable[[], tuple[NoticeKind, str]], place: Place, dialog: object
    ) -> None:
        try:
            notice = notice_html(*work())
        except Exception as error:
            notice = _error_html(error, self.desk.mask)
        with suppress(GraphflowError):  # the notice says what became of the work itself
            self._show_news(mark=False)
        with self._lock:
            self._turn_to(place if self.dialog is dialog else self.top)
            self.notice = notice
            self.count_later(again=True)
            self._working = False
            self.render()

    def poll_once(self) -> None:
        """Read the page and the open session again, as background traffic, and show what is new."""
        if self._show_news(mark=True):
            self.listing.count(again=self.listing.counts.may_count_again)
            self.render()

    def _show_news(self, *, mark: bool) -> bool:
        """Read the page and the open session, show them, and return whether anything is new."""
        desk = self.desk
        keep = desk.session.id if desk.session is not None and desk.dirty else None
        # Nothing is waited for under the lock: the loop that answers may be that of a thread that
        # waits for the lock.
        page = self.listing.read_page(keep)
        session = desk.session
        # Before the session: a version that is shown can be restored on top of what is open.
        versions = self.past.read_newest() if self.part == "History" else None
        stored = desk.read_stored()
        # Taken and shown in one step: an action is about what is shown.
        with self._lock:
            news = self.listing.take_page(page, mark=mark)
            news = desk.take_stored(session, stored) or news
            self.past.take_page(session, versions)
            self.render()
        return news


def _error_html(error: Exception, mask: Mask) -> Markup:
    """Return the notice of an error: of one of ours its text, of any other all that is known."""
    if isinstance(error, GraphflowError):
        cause = "" if error.__cause__ is None else repr(error.__cause__)
        return notice_html("error", mask.scrub(str(error)), mask.scrub(cause))
    text = mask.scrub(f"unexpected error: {type(error).__name__}: {error}")
    return notice_html("error", text, mask.scrub("".join(traceback.format_exception(error))))
