"""The open session and what is being done to it: draft, preview, save, conflict. No widgets.

Nothing is written but by ``save``, ``delete``, ``undo`` and ``undo_all``.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from ...changes import Choice, Draft, Merge, Patch, Path, diff, python
from ...client import Client
from ...errors import PatchError, SessionConflict, SessionNotFound
from ...journal import Entry
from ...model import Session

__all__ = ["Desk"]


class Desk:
    """What one person works at.

    Attributes:
        session: the open one, as it was read.
        draft: its changes, None if it is not being edited.
        new: whether the draft is of a session that does not exist yet.
        preview: what saving will change, None until it was looked at.
        conflict: the merge to be made, None if there is none.
        stored: in a conflict what is stored now; None if it was deleted.
        newer: the version that someone stored while this one was open, None if there is none.
        calls: every call that was made, as Python.
    """

    def __init__(self, client: Client):
        self._client = client
        self.session: Session | None = None
        self.draft: Draft | None = None
        self.new = False
        self.preview: Patch | None = None
        self.conflict: Merge | None = None
        self.deleted_meanwhile = False
        self.newer: int | None = None
        self.calls: list[str] = []

    def _called(self, line: str) -> None:
        self.calls.append(line)

    # Reading

    def open(self, id: str) -> None:
        """Read a session and put it on the desk; a draft of another one must be gone."""
        self._check_free(id)
        session = self._client.get(id)
        self._put(session)
        self._called(f"wb.get({id!r})")

    def _put(self, session: Session | None) -> None:
        self.session = session
        self.draft = self.preview = self.conflict = self.newer = None
        self.new = self.deleted_meanwhile = False

    def close(self) -> None:
        """Clear the desk; a draft is dropped."""
        self._put(None)

    def _check_free(self, id: str | None = None) -> None:
        if self.dirty and (self.session is None or self.session.id != id or self.new):
            assert self.draft is not None
            raise PatchError(
                f"session {self.draft.base.id!r} has changes that are not saved: "
                "save or discard them first"
            )

    @property
    def dirty(self) -> bool:
        """Whether something was changed that is not saved."""
        return self.draft is not None and (self.new or bool(len(self.draft.changes())))

    def compare(self, left: str, right: str) -> tuple[Session, Session, Patch]:
        """Two sessions, and what makes the one's content the other's."""
        one, other = self._client.get(left), self._client.get(right)
        self._called(f"graphflow_nb.diff(wb.get({left!r}), wb.get({right!r}))")
        return one, other, diff(one, other)

    def follow(self) -> bool:
        """Look whether someone saved the open session; whether anything is new."""
        return self.take(self.session, self.peek())

    def peek(self) -> Session | None:
        """What is stored now of the open session; background traffic, no doing of the user's."""
        if self.session is None or self.new:
            return None
        return self._client.bridge.run(self._client.storage.background.get(self.session.id))

    def take(self, session: Session | None, stored: Session | None) -> bool:
        """Take note of what ``peek`` found for a session that was open; whether anything is new.

        Without changes of one's own it is shown; with some, ``newer`` tells of it.
        """
        if session is None or session is not self.session or self.new:
            return False
        # In Redis a worker may save at the version that it read; what was read tells that apart.
        if stored is not None and stored.version == session.version and stored.seen == session.seen:
            return False
        if self.draft is not None:
            newer = -1 if stored is None else stored.version
            news, self.newer = newer != self.newer, newer
            return news
        self._put(stored)
        return True

    # Editing

    def edit(self) -> Draft:
        """The draft of the open session, made if there is none."""
        if self.draft is None:
            if self.session is None:
                raise PatchError("open a session first")
            self.draft = Draft(self.session)
        return self.draft

    def touched(self) -> None:
        """The draft was changed, so what was previewed is no longer what would be saved."""
        self.preview = None

    def discard(self) -> None:
        """Drop the draft; the open session is as it was read."""
        self._put(None if self.new else self.session)

    def look(self) -> Patch:
        """What saving the draft would change; after this it can be saved.

        Raises:
            PatchError: nothing would change, or graph-flow could not read the result.
        """
        draft = self.edit()
        draft.session()
        changes = draft.changes()
        if not len(changes) and not self.new:
            raise PatchError("nothing was changed yet")
        self.preview = changes
        return changes

    def save(self) -> None:
        """Write what was previewed, compare-and-swap.

        If someone saved meanwhile nothing is written, and ``conflict`` holds both sides.

        Raises:
            PatchError: it was not previewed.
        """
        draft = self.draft
        if draft is None or self.preview is None:
            raise PatchError("look at the preview first: it shows what will be written")
        base = draft.base
        try:
            if self.new:
                session = draft.session()
                self._called(self._creation(session))
                self._client.save(session)
            else:
                arguments = f"{base.id!r}, {python(self.preview)}, version={base.version}"
                self._called(f"wb.patch({arguments})")
                session = self._client.patch(base.id, self.preview, version=base.version)
        except (SessionConflict, SessionNotFound) as error:
            self.preview = None
            if self.new:
                raise
            self._differ(base, getattr(error, "stored", None), draft.session())
            return
        self._put(self._client.get(session.id))

    def _creation(self, session: Session) -> str:
        plain = not len(session.context) and not len(session.context.chat_history)
        if plain and session.context.chat_history.max_messages == 1000:
            status = session.status_message
            more = "" if session.graph_id == "default" else f", graph_id={session.graph_id!r}"
            more += "" if status is None else f", status_message={status!r}"
            return f"wb.create({session.id!r}, {session.current_task_id!r}{more})"
        return f"wb.save(graphflow_nb.Session.from_json({session.to_json()!r}))"

    # Conflicts

    def _differ(self, base: Session, stored: Session | None, mine: Session) -> None:
        self.deleted_meanwhile = stored is None
        self.conflict = None if stored is None else Merge(base, stored, mine)
        self._base, self._mine = base, mine

    def resolve(self, choices: Mapping[Path, Choice]) -> None:
        """Take the merged session as the draft, over what is stored now, and preview it.

        Args:
            choices: for the path of each clash ``"stored"`` or ``"mine"``.

        Raises:
            PatchError: a clash was not chosen.
        """
        merge = self.conflict
        if merge is None:
            raise PatchError("there is no conflict to resolve")
        merged = merge.session(choices)
        self._put(merge.stored)
        self.draft = Draft(merge.stored, merged)
        if len(self.draft.changes()):
            self.preview = self.draft.changes()
        else:
            self.draft = None  # all that was wanted is stored already

    def keep_deleted(self) -> None:
        """Make the changed session a new draft, since the stored one was deleted meanwhile."""
        if not self.deleted_meanwhile:
            raise PatchError("the session was not deleted")
        self._start(self._mine.copy())

    # Creating

    def create(self, id: str, task: str, graph_id: str) -> None:
        """Begin a new session at a task."""
        self._check_free()
        if not id or not task or not graph_id:
            raise PatchError("a session needs an id, a graph and a task")
        self._start(Session(id, task, graph_id=graph_id))

    def create_copy(self, id: str) -> None:
        """Begin a new session with the content of the open one."""
        self._check_free()
        if self.session is None:
            raise PatchError("open the session to be copied first")
        if not id:
            raise PatchError("a session needs an id")
        self._start(self.session.copy(id))

    def create_from_json(self, text: str) -> None:
        """Begin a new session of graph-flow's JSON form.

        Raises:
            SessionFormatError: it is no session.
        """
        self._check_free()
        self._start(Session.from_json(text).copy())

    def _start(self, session: Session) -> None:
        self._put(session)
        self.new = True
        self.draft = Draft(session)

    @staticmethod
    def new_id() -> str:
        """An id that no session has; every form of table takes it."""
        return str(uuid4())

    # Deleting and undoing

    def delete(self, versions: Mapping[str, int]) -> list[str]:
        """Delete sessions that still have these versions; the ids of those that were.

        A draft of one of them is dropped with it.
        """
        target = dict(versions)
        shown = repr(list(target)) if len(target) != 1 else repr(next(iter(target)))
        self._called(f"wb.delete({target!r})" if target else f"wb.delete({shown})")
        deleted = self._client.delete(target)
        if self.session is not None and self.session.id in deleted:
            self._put(None)
        return deleted

    def undoable(self) -> list[Entry]:
        """The writes that can be undone, newest first."""
        return self._client.journaled.undoable()[::-1]

    def undo(self, entry: Entry) -> None:
        """Take a write back; if the session was changed since, ``conflict`` holds both sides."""
        self._check_free(entry.id)
        self._called(f"wb.undo({entry.number})")
        try:
            session = self._client.undo(entry.number)
        except SessionConflict as conflict:
            if conflict.stored is None or entry.before is None or entry.after is None:
                raise
            self._put(conflict.stored)
            self.draft = Draft(conflict.stored)
            self._differ(entry.after, conflict.stored, entry.before)
            return
        if self.session is not None and self.session.id == entry.id:
            self._put(None if session is None else self._client.get(entry.id))

    def undo_all(self) -> tuple[int, list[str]]:
        """Take back every write, newest first; how many, and sessions that others changed since.

        Of such a session nothing is taken back that was written before.
        """
        self._check_free()
        self._called("wb.undo_all()")
        before = len(self.undoable())
        changed = self._client.undo_all()
        self.follow()
        return before - len(self.undoable()), changed
