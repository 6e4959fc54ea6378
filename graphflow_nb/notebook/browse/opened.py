"""The open session and what is being done to it: draft, preview, save, conflict. No widgets.

Nothing is written but by ``save``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from msgspec import Raw

from ...changes import Choice, Draft, Merge, Patch, Path, diff, python
from ...client import Client
from ...errors import GraphflowError, PatchError, SessionConflict, StorageError
from ...model import Session
from ...model.context import DEFAULT_MAX_MESSAGES
from ...model.masks import Mask
from ...model.validity import describe, find_new_problems
from ..forking import ORIGIN, Fork
from .typed import WORKBENCH

__all__ = ["Difference", "OpenSession"]

MAX_COPIES: Final = 20  # ids that are tried for a copy


class Difference(NamedTuple):
    """Two sessions and what makes the content of the left one that of the right one."""

    left: Session
    right: Session
    changes: Patch


class OpenSession:
    """The session at which one person works, and the calls that this makes.

    Args:
        client: The client that reads and writes.

    Attributes:
        session: The open session at the version that was read; None if none is open.
        draft: Its changes; None if it is not being edited.
        new: Whether the draft is of a session that does not exist yet.
        fork: What that new session is a fork of; None if it is none.
        preview: The changes that saving will make; None until they were previewed.
        respelled: What graph-flow would write with other digits; empty without such numbers.
        conflict: The merge to make; None without a conflict.
        deleted_meanwhile: Whether someone deleted the session that was to be saved.
        newer: The version that someone stored while the session is edited, -1 if they deleted it;
            None if the stored one is unchanged.
        typed: The functions that return what was typed and is not in the draft yet, as an advice;
            empty if all is. The parts where one types add theirs.
        wb_name: The function that returns the name that the workbench has in ``calls``.
    """

    def __init__(self, client: Client):
        self._client = client
        self._mine: Session | None = None  # what was to be saved, in a conflict
        self.session: Session | None = None
        self.draft: Draft | None = None
        self.new = False
        self.fork: Fork | None = None
        self.preview: Patch | None = None
        self.respelled = ""
        self.conflict: Merge | None = None
        self.deleted_meanwhile = False
        self.newer: int | None = None
        self._calls: list[str] = []
        self._looked = 0  # how many calls there were when the last one was a look
        self.typed: list[Callable[[], str]] = []
        self.wb_name: Callable[[], str] = lambda: "wb"

    @property
    def mask(self) -> Mask:
        """What of contexts is hidden where it is shown."""
        return self._client.mask

    @property
    def calls(self) -> list[str]:
        """Every call that was made, as Python, oldest first."""
        name = self.wb_name()
        return [call.replace(WORKBENCH, name) for call in self._calls]

    def note_call(self, call: str, *, looking: bool = False) -> None:
        """Add a call that was made.

        Args:
            call: The call, with ``WORKBENCH`` for the workbench.
            looking: Whether it is one of many looks, of which only the last one is kept.
        """
        if looking and self._looked == len(self._calls):
            del self._calls[-1:]
        self._calls.append(call)
        if looking:
            self._looked = len(self._calls)

    # Reading

    def open(self, id: str) -> None:
        """Read a session and put it on the desk.

        Raises:
            PatchError: The open session, this one or another, has changes that are not saved.
            SessionNotFound: No session has this id.
            SessionFormatError: What is stored under it is not a session.
        """
        self.check_free()
        session = self._client.get(id)
        self._place(session)
        self._calls.append(f"{WORKBENCH}.get({id!r})")

    def describe_raw(self, id: str) -> str:
        """Return what is stored under an id, column by column, also where it is not a session."""
        try:
            stored = self._client.raw(id)
        except GraphflowError as error:
            return str(error)
        self._calls.append(f"{WORKBENCH}.raw({id!r})")
        return "\n".join(f"{name}: {value!r}" for name, value in stored.shown().items())

    def close(self) -> None:
        """Clear the desk; a draft is dropped."""
        self._place(None)

    def _place(self, session: Session | None) -> None:
        """Put a session on the desk, without a draft."""
        if session is not None:
            self._client.hide_secrets(session)
        self.session = session
        self.draft = self.preview = self.conflict = self.newer = self.fork = None
        self.new = self.deleted_meanwhile = False

    def check_free(self) -> None:
        """Check that no change would be lost if another session were put on the desk.

        Raises:
            PatchError: The open session has changes that are not saved.
        """
        if self.dirty:
            assert self.session is not None
            raise PatchError(
                f"session {self.session.id!r} has changes that are not saved: "
                "save or discard them first"
            )

    @property
    def in_conflict(self) -> bool:
        """Whether someone else changed or deleted the session that was to be saved."""
        return self.conflict is not None or self.deleted_meanwhile

    @property
    def dirty(self) -> bool:
        """Whether there are changes that are not saved, or typed and not in the draft yet."""
        if self.session is None:
            return False
        if self.new or self.in_conflict or self.find_typed():
            return True
        return self.draft is not None and bool(len(self.draft.changes()))

    def find_typed(self) -> str:
        """Return what was typed and is not in the draft yet, as an advice; empty if all is."""
        return next(filter(None, (find() for find in self.typed)), "")

    @property
    def wanted(self) -> Session | None:
        """The open session with the changes of the draft; None if no session is open."""
        return self.session if self.draft is None else self.draft.session()

    def is_changing(self, id: str) -> bool:
        """Return whether this stored session is open with changes that are not saved."""
        opened = self.session is not None and self.session.id == id and not self.new
        return opened and self.dirty

    def compare(self, left: str, right: str) -> Difference:
        """Read two sessions and return how they differ.

        Raises:
            SessionNotFound: No session has one of these ids.
        """
        one, other = self._client.get(left), self._client.get(right)
        sides = f"{WORKBENCH}.get({left!r}), {WORKBENCH}.get({right!r})"
        self._calls.append(f"import graphflow_nb; graphflow_nb.diff({sides})")
        return Difference(one, other, diff(one, other))

    # Following

    def refresh(self) -> bool:
        """Read the open session again; return whether anything is new."""
        if self.session is None or self.new:
            return False
        stored = self._client.bridge.run(self._client.storage.get(self.session.id))
        return self.take_stored(self.session, stored)

    def read_stored(self) -> Session | None:
        """Return the open session as it is stored now; background traffic, not the user's."""
        if self.session is None or self.new:
            return None
        return self._client.bridge.run(self._client.storage.background.get(self.session.id))

    def take_stored(self, session: Session | None, stored: Session | None) -> bool:
        """Compare the open session with what is stored; return whether anything is new.

        Without a draft the stored session takes its place; with one, ``newer`` says so.

        Args:
            session: The session that was open when the stored one was read.
            stored: The session as it is stored; None if it was deleted.
        """
        if session is None or session is not self.session or self.new:
            return False
        if stored is not None and _state(stored) == _state(session):
            return False
        if self.draft is not None:
            newer = -1 if stored is None else stored.version
            news, self.newer = newer != self.newer, newer
            return news
        self._place(stored)
        return True

    # Editing

    def edit(self) -> Draft:
        """Return the draft of the open session; start one if it has none yet.

        Raises:
            PatchError: No session is open.
        """
        if self.draft is None:
            if self.session is None:
                raise PatchError("open a session first")
            self.draft = Draft(self.session)
        return self.draft

    def draft_earlier(self, session: Session) -> None:
        """Make an earlier version of the open session its draft.

        Args:
            session: The session as it was.

        Raises:
            PatchError: Another session is open or none, it has changes that are not saved, or its
                content is that of the earlier version.
        """
        self.check_free()
        if self.session is None or self.session.id != session.id:
            raise PatchError(f"open session {session.id!r} first")
        draft = Draft(self.session, session)
        if not len(draft.changes()):
            raise PatchError("the session already equals this version: nothing would change")
        self.draft = draft
        self.preview = None

    def replace(self, path: Path, value: Raw) -> None:
        """Replace one value in the draft, and preview all changes; start a draft if there is none.

        A draft that changes nothing any more is dropped. After an error all is as it was.

        Args:
            path: The keys and indexes from the session down.
            value: The JSON text of the new value.

        Raises:
            PatchError: Nothing is there, a conflict is open, something else was typed and is not
                in the draft yet, or graph-flow could not read the result.
        """
        if self.in_conflict:
            raise PatchError(
                "others saved this session meanwhile: merge or drop your changes first"
            )
        before = self.draft, self.preview, self.respelled
        trial = copy(self.edit())
        try:
            trial.replace(path, value)
            self.draft = trial
            if len(trial.changes()) or self.new:
                self.preview_changes()
            else:
                self.draft = self.preview = None
        except PatchError:
            self.draft, self.preview, self.respelled = before
            raise

    def drop_preview(self) -> None:
        """Drop the preview, since the draft was changed and would be saved otherwise."""
        self.preview = None

    def discard(self) -> None:
        """Drop the draft; the open session stays."""
        self._place(None if self.new else self.session)

    def preview_changes(self) -> Patch:
        """Return what saving the draft would change; after this it can be saved.

        Raises:
            PatchError: Nothing would change, or graph-flow could not read the result.
        """
        draft = self.edit()
        session = draft.session()
        changes = draft.changes()
        if not len(changes) and not self.new:
            raise PatchError("nothing was changed yet")
        problems = find_new_problems(_read_text(draft.base), session.context_json())
        unreadable = [problem for problem in problems if not problem.respelled]
        if unreadable:
            raise PatchError(f"graph-flow could not read it back: {describe(unreadable)}")
        self.respelled = describe(problems)
        self.preview = changes
        return changes

    def save(self, *, undo: bool = True) -> None:
        """Save the previewed changes, and read what is stored then.

        If someone else saved meanwhile nothing is written, and ``conflict`` holds both sides.

        Args:
            undo: Whether the journal notes it, so that it can be undone.

        Raises:
            PatchError: It was not previewed.
            SessionConflict: The id of a new session is taken.
            JournalError: The journal can't note it; nothing was saved.
            StorageError: The store failed, or can't hold a value.
        """
        draft = self.draft
        if draft is None or self.preview is None:
            raise PatchError("preview the changes first: that shows what will be saved")
        base = draft.base
        try:
            session = draft.session()
            if self.new:
                call = _creation_call(session, self.fork, self.preview)
            else:
                changes = python(self.preview, self.mask)
                call = f"{WORKBENCH}.patch({base.id!r}, {changes}, version={base.version})"
            self._calls.append(call if undo else f"{call[:-1]}, undo=False)")
            # Not by wb.patch: the session is saved as it was read, so that the store notices a
            # change that left the version as it was.
            self._client.save(session, undo=undo)
        except SessionConflict as conflict:
            self.preview = None
            if self.new:
                raise
            self._meet_conflict(base, conflict.stored, draft.session())
            return
        self._place(session)
        # A store may hold it in another form: jsonb, for example, orders keys by itself.
        try:
            self._place(self._client.bridge.run(self._client.storage.get(session.id)))
        except StorageError as error:
            raise StorageError(
                f"session {session.id!r} was saved, but it could not be read again: {error}"
            ) from error

    # Conflicts

    def _meet_conflict(self, base: Session, stored: Session | None, mine: Session) -> None:
        self.deleted_meanwhile = stored is None
        self.conflict = None if stored is None else Merge(base, stored, mine)
        self._mine = mine

    def resolve(self, choices: Mapping[Path, Choice]) -> None:
        """Make the merged session the draft, on top of what is stored now, and preview it.

        Args:
            choices: For the path of each clash ``"stored"`` or ``"mine"``.

        Raises:
            PatchError: No conflict is open, or a clash was not chosen.
        """
        merge = self.conflict
        if merge is None:
            raise PatchError("there is no conflict to resolve")
        merged = merge.session(choices)
        self._place(merge.stored)
        draft = Draft(merge.stored, merged)
        if len(draft.changes()):  # otherwise all that was wanted is stored already
            self.draft = draft
            self.preview = draft.changes()

    def keep_deleted(self) -> None:
        """Make the changed session a new draft, since the stored one was deleted meanwhile.

        Raises:
            PatchError: The session was not deleted.
        """
        if not self.deleted_meanwhile or self._mine is None:
            raise PatchError("the session was not deleted")
        self._start_new(self._mine.copy())

    # Creating

    def draft_new(self, id: str, task: str, graph_id: str) -> None:
        """Start the draft of a new session at a task.

        Raises:
            PatchError: A value is empty, or another session has changes that are not saved.
        """
        self.check_free()
        if not id or not task or not graph_id:
            raise PatchError("a session needs an id, a graph and a task")
        self._start_new(Session(id, task, graph_id=graph_id))

    def draft_copy(self, id: str) -> None:
        """Start the draft of a new session with the content of the open one.

        Raises:
            PatchError: The id is empty, no session is open, or one has changes that are not saved.
        """
        self.check_free()
        if self.session is None:
            raise PatchError("open the session to be copied first")
        if not id:
            raise PatchError("a session needs an id")
        self._start_new(self.session.copy(id))

    def draft_fork(self, fork: Fork) -> None:
        """Start the draft of a new session that begins as another one was.

        Raises:
            PatchError: The id is empty, or a session has changes that are not saved.
        """
        self.check_free()
        if not fork.session.id:
            raise PatchError("a session needs an id")
        self._start_new(fork.session)
        self.fork = fork

    def draft_from_json(self, text: str) -> None:
        """Start the draft of a new session from graph-flow's JSON form.

        Raises:
            PatchError: Another session has changes that are not saved.
            SessionFormatError: The text is not a session.
        """
        self.check_free()
        self._start_new(Session.from_json(text).copy())

    def _start_new(self, session: Session) -> None:
        self._place(session)
        self.new = True
        self.draft = Draft(session)

    @staticmethod
    def new_id() -> str:
        """Return an id that no session has; every form of table takes it."""
        return str(uuid4())

    def propose_copy_id(self, word: str = "copy") -> str:
        """Return an id for a copy of the open session that no session has.

        It says what it is a copy of, or is a UUID where the open session's is one: its table may
        take no other.

        Args:
            word: What the id ends in, before a number.

        Raises:
            PatchError: No session is open.
        """
        if self.session is None:
            raise PatchError("open the session to be copied first")
        id = self.session.id
        if _is_uuid(id):
            return self.new_id()
        names = [f"{id}-{word}", *(f"{id}-{word}-{n}" for n in range(2, MAX_COPIES + 1))]
        run, get = self._client.bridge.run, self._client.storage.background.get
        # A new session is never saved over one that exists, so that a race loses nothing.
        return next((name for name in names if run(get(name)) is None), self.new_id())


def _is_uuid(id: str) -> bool:
    try:
        UUID(id)
    except ValueError:
        return False
    return True


def _state(session: Session) -> tuple[object, ...]:
    """Return what identifies the stored state of a session.

    The version alone does not: another session may have this id at the same version by now, and in
    Redis a worker may save at the version that it read.
    """
    return session.version, session.raw_created, session.raw_updated, session.seen


def _read_text(session: Session) -> str | bytes | None:
    """Return the context as a store returned it; None if no store did."""
    return session.context.origin


def _creation_call(session: Session, fork: Fork | None, changes: Patch) -> str:
    """Return the call that saves a new session.

    Args:
        session: The new session.
        fork: What it is a fork of.
        changes: What was changed in its draft.
    """
    if fork is not None and not any(ORIGIN in change.path for change in changes):
        more = f", changes={python(changes, session.mask)}" if len(changes) else ""
        origin = f"{fork.origin.id!r}, {fork.origin.number}"
        return f"{WORKBENCH}.fork({origin}, as_id={session.id!r}{more})"
    plain = not session.mask.find(session.status_message or "")
    plain = plain and not len(session.context) and not len(session.context.chat_history)
    if plain and session.context.chat_history.max_messages == DEFAULT_MAX_MESSAGES:
        status = session.status_message
        more = "" if session.graph_id == "default" else f", graph_id={session.graph_id!r}"
        more += "" if status is None else f", status_message={status!r}"
        return f"{WORKBENCH}.create({session.id!r}, {session.current_task_id!r}{more})"
    text = Raw(session.to_json().encode())
    if session.mask.hide(text) is not text:
        return (
            f"import graphflow_nb; {WORKBENCH}.save(graphflow_nb.Session.from_json(JSON))"
            "  # JSON has secrets, which are not shown"
        )
    made = f"graphflow_nb.Session.from_json({bytes(text).decode()!r})"
    return f"import graphflow_nb; {WORKBENCH}.save({made})"
