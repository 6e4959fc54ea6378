"""The versions of the open session, looked at one by one. No widgets, and nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ...changes import Patch, diff
from ...client import Client
from ...errors import (
    CapabilityError,
    GraphflowError,
    HistoryError,
    PatchError,
    SessionConflict,
)
from ...history import HistoryArchive, Version, history_of
from ...model import Session
from ...model.masks import Mask
from ..comparing import RunComparison, compare_two
from ..forking import Fork, find_origin, make_fork
from ..keeping import HistoryKeeper
from .desk import Desk
from .typed import WORKBENCH

__all__ = ["MAX_VERSIONS", "Look", "Past", "VersionPage"]

MAX_VERSIONS: Final = 100  # on one page


class Look(NamedTuple):
    """One version of a session, and how it differs from the one before.

    Attributes:
        version: The version.
        session: The session as it was; of a version that is a delete, what was deleted.
        before: The version before; None if that is not kept, or there was none.
        changes: What makes the version before this one; None without one, if one of both is a
            delete, or if they can't be compared.
        problem: Why they can't be compared, or the one before can't be read; empty if not.
    """

    version: Version
    session: Session
    before: Version | None
    changes: Patch | None
    problem: str = ""


class VersionPage(NamedTuple):
    """What was read of a session's history at once.

    Attributes:
        versions: The versions, oldest first.
        more: Whether there are older ones.
        look: The version to show first; None if one is shown already, or none can be.
        lack: Why none can be shown, and how to keep them; empty if one can.
    """

    versions: Sequence[Version]
    more: bool
    look: Look | None
    lack: str


class Past:
    """The history of the open session, a page of versions at a time, and the version looked at.

    What is read is background traffic. The version that a person looks at stays the same while
    others save.

    Example:
        >>> from graphflow_nb.notebook.workbench import open
        >>> wb = open("demo")
        >>> installed = wb.install_history()
        >>> session = wb.get("claim-0014")
        >>> session.status_message = "mended"
        >>> wb.save(session)
        >>> desk = Desk(wb)
        >>> desk.open("claim-0014")
        >>> past = Past(wb, desk)
        >>> past.load()
        >>> past.look.version.status_message
        'mended'

    Args:
        client: The client that reads.
        desk: The desk with the open session.

    Attributes:
        versions: The versions of this page, oldest first.
        more: Whether there are versions older than these.
        look: The version that is shown; None if there is none.
        lack: Why no version can be shown, and how to keep them; empty if one can.
    """

    def __init__(self, client: Client, desk: Desk):
        self._client = client
        self._desk = desk
        self._of: Session | None = None  # the open session when its versions were read
        self._pages: list[int | None] = [None]  # the numbers before which the pages end
        self.versions: Sequence[Version] = ()
        self.more = False
        self.look: Look | None = None
        self.lack = ""

    @property
    def mask(self) -> Mask:
        """What is hidden of what is shown."""
        return self._client.mask

    # Reading

    @property
    def is_read(self) -> bool:
        """Whether the versions of the open session were read since it was put on the desk."""
        return self._of is self._desk.session

    @property
    def newest(self) -> bool:
        """Whether this page has the newest versions."""
        return self._pages[-1] is None

    def load(self, *, noted: bool = False) -> None:
        """Read the newest versions of the open session, and look at the newest one.

        The version that was looked at stays, if it was one of this session.

        Args:
            noted: Whether the call is shown.

        Raises:
            StorageError: The store failed.
        """
        session = self._desk.session
        if self._of is None or session is None or self._of.id != session.id:
            self.look = None
        self._of = session  # before it is read, so that what fails is not tried at each click
        self._pages = [None]
        self.versions, self.more, self.lack = (), False, ""
        if session is not None:
            self._put(self._read(session, None))
            if noted:
                self._desk.note_call(f"{WORKBENCH}.history({session.id!r})")

    def turn(self, step: int) -> None:
        """Read the page with the next older versions, 1, or the next newer ones, -1.

        Raises:
            HistoryError: They are not kept any more, or can't be rebuilt.
            StorageError: The store failed.
        """
        session = self._desk.session
        if session is None or not self.versions or (step > 0 and not self.more):
            return
        older = [*self._pages, self.versions[0].number]
        pages = older if step > 0 else self._pages[:-1] or [None]
        page = self._read(session, pages[-1])
        if not page.versions:
            raise HistoryError("these versions are not kept any more: press Refresh")
        look = page.look if page.look is not None else self._look_at(page.versions[-1])
        self._pages, self.look = pages, look
        self._put(page)
        limit = "" if len(pages) == 1 else f", limit={len(pages) * MAX_VERSIONS}"
        self._desk.note_call(f"{WORKBENCH}.history({session.id!r}{limit})")

    def read_newest(self) -> VersionPage | None:
        """Return the newest versions as they are now, to be taken by ``take_page``.

        None if a page of older ones is shown, which no save changes.
        """
        session = self._desk.session
        return self._read(session, None) if session is not None and self.newest else None

    def take_page(self, session: Session | None, page: VersionPage | None) -> None:
        """Show versions that were read, if they are still those of the open session.

        Args:
            session: The session that was open when they were read.
            page: What ``read_newest`` returned.
        """
        opened = self._desk.session
        if page is None or session is None or opened is None or session.id != opened.id:
            return
        if self._of is not None and self._of.id == opened.id and self.newest:
            self._of = opened
            self._put(page)

    def _put(self, page: VersionPage) -> None:
        self.versions, self.more, self.lack = page.versions, page.more, page.lack
        if self.look is None:
            self.look = page.look
        elif self.look.version.number not in {version.number for version in self.versions}:
            # It is older than this page by now, or was pruned, and is still what is looked at.
            self.versions = (self.look.version, *self.versions)

    def _read(self, session: Session, before: int | None) -> VersionPage:
        try:
            archive = self._archive()
        except CapabilityError as error:
            return VersionPage((), False, None, str(error))
        run, id = self._client.bridge.run, session.id
        if not run(archive.exists()):
            return VersionPage((), False, None, self._describe_lack("This store keeps no history"))
        found = run(archive.versions(id, limit=MAX_VERSIONS + 1, before=before))
        if not found:
            lack = self._describe_lack("The history has no version of this session")
            return VersionPage((), False, None, lack)
        versions, more = found[:MAX_VERSIONS][::-1], len(found) > MAX_VERSIONS
        if self.look is not None:
            return VersionPage(versions, more, None, "")
        try:
            return VersionPage(versions, more, self._look_at(versions[-1]), "")
        except HistoryError as error:  # following the session goes on
            return VersionPage(versions, more, None, str(error))

    def _archive(self) -> HistoryArchive:
        if isinstance(self._client, HistoryKeeper) and self._client.is_observing:
            return self._client.archive
        return history_of(self._client.storage.background)

    def _describe_lack(self, what: str) -> str:
        wb = self._desk.wb_name()
        text = f"{what}. {wb}.install_history() keeps each version that is saved from now on"
        if self._client.attributes.read_only:
            text += ", on a store that was opened with writable=True"
        return f"{text}; {wb}.plan_history() shows what it would run."

    # Looking

    def choose(self, number: int) -> None:
        """Look at a version of this page.

        Raises:
            HistoryError: It is not kept any more, or can't be rebuilt.
            StorageError: The store failed.
        """
        version = next((each for each in self.versions if each.number == number), None)
        if version is None:
            raise HistoryError(f"version {number} is not on this page")
        if self.look is not None and self.look.version == version:
            return
        self.look = look = self._look_at(version)
        self._desk.note_call(_call_of(look), looking=True)

    def _look_at(self, version: Version) -> Look:
        id, number, problem = version.id, version.number, ""
        try:
            found = self._read_sessions(id, max(1, number - 1), number)
        except HistoryError as error:  # the one before can't be rebuilt; this one may
            found, problem = self._read_sessions(id, number, number), str(error)
        if not found or found[0][0].number != number:
            raise HistoryError(
                f"version {number} of session {id!r} is not kept any more: press Refresh"
            )
        session = found[0][1]
        if len(found) < 2:
            return Look(version, session, None, None, problem)
        before, former = found[1]
        if before.deleted or version.deleted:
            return Look(version, session, before, None)
        try:
            return Look(version, session, before, diff(former, session))
        except GraphflowError as error:  # a context that is not JSON
            return Look(version, session, before, None, str(error))

    def _read_sessions(self, id: str, first: int, last: int) -> list[tuple[Version, Session]]:
        client = self._client
        found = client.bridge.run(self._archive().sessions(id, first, last))
        return [(version, client.hide_secrets(session)) for version, session in found]

    def _chosen(self) -> Look:
        """Return the version that is looked at, if something can begin with it.

        Raises:
            PatchError: None is, or it is a delete.
        """
        look = self.look
        if look is None:
            raise PatchError("choose a version first")
        if look.version.deleted:
            raise PatchError(
                f"the session was deleted at version {look.version.number}: choose the version "
                "before it"
            )
        return look

    def restore(self) -> None:
        """Make the version that is looked at the draft of the open session; nothing is saved yet.

        Raises:
            PatchError: The open session has changes that are not saved, the version is a delete, or
                it is what is open.
        """
        look = self._chosen()
        self._desk.draft_earlier(look.session)
        at = f"{look.version.id!r}, {look.version.number}"
        self._desk.note_call(f"{WORKBENCH}.at({at})", looking=True)

    def fork(self, as_id: str) -> Fork:
        """Make a new session that begins as the version that is looked at the draft.

        Nothing is saved yet, and what is open is not touched.

        Args:
            as_id: The id of the new session.

        Raises:
            PatchError: The open session has changes that are not saved, the version is a delete,
                or the id is empty.
            SessionConflict: A session has this id.
            StorageError: The store failed.
        """
        look, client = self._chosen(), self._client
        self._desk.check_free()
        if not as_id:
            raise PatchError("a session needs an id")
        taken = client.bridge.run(client.storage.background.get(as_id))
        if taken is not None:  # said now; the save checks it again
            raise SessionConflict(look.session.copy(as_id), taken)
        fork = client.bridge.run(make_fork(self._archive(), look.version, look.session, as_id))
        self._desk.draft_fork(fork)
        return fork

    def compare(self, other: str) -> RunComparison:
        """Return the run of the open session compared with another one.

        Args:
            other: The id of the other session.

        Raises:
            PatchError: No session is open, or no other is named.
            HistoryError: A session has no history, or a version can't be rebuilt.
            StorageError: The store failed.
        """
        session = self._desk.session
        if session is None or not other:
            raise PatchError("choose the session to compare with first")
        found = self._client.bridge.run(compare_two(self._archive(), session.id, other))
        self._desk.note_call(f"{WORKBENCH}.compare_runs({session.id!r}, {other!r})")
        return found

    @property
    def forked_from(self) -> str:
        """The id of the session that the open one is a fork of; empty if it is none."""
        session = self._desk.session
        origin = None if session is None else find_origin(session)
        return "" if origin is None else origin[0]


def _call_of(look: Look) -> str:
    """Return the call that returns what is shown of a version."""
    id, number = look.version.id, look.version.number
    if look.changes is not None and look.before is not None:
        return f"{WORKBENCH}.diff({id!r}, {look.before.number}, {number})"
    if look.version.deleted:
        return f"{WORKBENCH}.history({id!r})"
    return f"{WORKBENCH}.at({id!r}, {number})"
