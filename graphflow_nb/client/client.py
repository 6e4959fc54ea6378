"""Client: one open store, whose methods wait or are awaited."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from operator import index
from typing import Any

from ..arguments import is_whole
from ..changes import Patch, apply, pointer
from ..dual import dual
from ..errors import (
    ContextError,
    PatchError,
    QueryError,
    SessionConflict,
    SessionFormatError,
    SessionNotFound,
    StorageError,
)
from ..model import Context, Session, stored_session
from ..model.masks import contains_mask
from ..model.validity import Problem, describe, find_new_problems
from ..secret_texts import scrub
from ..storage import get_or_create
from ..storage.capabilities import require
from ..storage.checks import check_callables, check_no_table
from ..storage.origin import is_same_state
from ..storage.protocols import SupportsRaw
from ..warning import warn
from .asking import Confirm
from .raw import StoredRow
from .undoing import Undoing
from .upkeep import Upkeep

__all__ = ["Client"]


class Client(Undoing, Upkeep):
    """One open store: its storage, bridge, recorder and journal.

    Every method but ``table`` waits for its result, in a cell, a widget callback, a thread or a
    script. ``await client.get.aio(id)`` is the same call awaited, on the same connections.

    Example:
        >>> from graphflow_nb.client import open_client
        >>> client = open_client("demo")
        >>> client.get("claim-0014").graph_id
        'claims'

    Args:
        storage: The storage, which reports each operation to ``recorder``.
        bridge: The bridge to the loop on which the storage lives.
        recorder: The recorder of the storage's operations.
        journal: The journal of the writes. Default: a new one in memory.
        mask: What of contexts is hidden where it is shown. Default: what looks secret.
        asking: What is asked before the store does it. Default: as ``graphflow_nb.open`` documents.

    Attributes:
        storage, bridge, recorder, mask, asking: As passed.
        journaled: The same storage for writes by hand: each is noted and can be undone.
        orders: The columns by which pages were asked for, for advice on indexes.
        filters: The names of the filters by which sessions were asked for, for advice too.
        observed: The transitions between tasks that were seen in what it showed and saved.
    """

    @dual
    async def get(self, id: str) -> Session:
        """Return the session with this id.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> wb.get("claim-0014").current_task_id
            'await_documents'

        Args:
            id: The id of the session.

        Raises:
            SessionNotFound: No session has this id.
            SessionFormatError: What is stored under this id is not a session; ``raw`` returns it.
            StorageError: The store failed.
        """
        session = await self.storage.get(id)
        if session is None:
            raise SessionNotFound(id)
        self.note_shown(session)
        return session

    @dual
    async def raw(self, id: str) -> StoredRow:
        """Return what is stored under an id as it is, also where it is not a session.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> wb.raw("claim-0014")["current_task_id"]
            'await_documents'

        Args:
            id: The id as ``wb.sessions()`` shows it; one that is not text has a name there, such as
                ``b'claim-\\xff'`` for text that is not UTF-8.

        Returns:
            Each column of the store with its value, text that is not UTF-8 as bytes; in Redis
            ``key`` and ``value``. A dict with the real values, which hides secrets where it is
            shown.

        Raises:
            SessionNotFound: Nothing is stored under this id.
            CapabilityError: The storage has no method ``raw``.
            StorageError: The store failed.
        """
        stored = await require(self.storage, SupportsRaw).raw(id)
        if stored is None:
            raise SessionNotFound(id)
        return StoredRow(stored, self.mask)

    @dual
    async def save(self, session: Session, *, undo: bool = True) -> None:
        """Save a session and move its version on.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> session = wb.get("claim-0014")
            >>> session.context["documents"] = ["damage.jpg"]
            >>> wb.save(session)

        Args:
            session: A session that was read or created.
            undo: Whether the journal notes it, so that it can be undone.

        Raises:
            SessionConflict: The stored session is not the one that was read, or the id of a new one
                is taken. Nothing was written; the error carries both sides.
            JournalError: The journal can't note it; the write was not made.
            StorageError: The store failed, or can't hold a value.
        """
        await self._writer(undo).save(_check_session(session))
        self.note_shown(session, "write")

    @dual
    async def upsert(self, session: Session, *, undo: bool = True) -> None:
        """Save a session whatever is stored: the last write wins, and others' saves are lost.

        Args:
            session: The session to store.
            undo: Whether the journal notes it, so that it can be undone.

        Raises:
            CapabilityError: The storage has no method ``upsert``.
            JournalError: The journal can't note it; the write was not made.
            StorageError: The store failed, or can't hold a value.
        """
        await self._writer(undo).upsert(_check_session(session))
        self.note_shown(session, "write")

    @dual
    async def create(
        self,
        id: str,
        task: str,
        *,
        graph_id: str = "default",
        status_message: str | None = None,
        context: Context | Mapping[str, Any] | None = None,
        undo: bool = True,
    ) -> Session:
        """Save a new session and return it.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("memory:")
            >>> wb.create("claim-1", "intake", graph_id="claims", context={"amount": 120})
            Session('claim-1', 'intake', graph_id='claims', version=1)

        Args:
            id: The id of the new session.
            task: Its current task.
            graph_id: Its graph.
            status_message: Its status.
            context: Its data and chat history, copied.
            undo: Whether the journal notes it, so that it can be undone.

        Raises:
            SessionConflict: The id is taken.
            ContextError: JSON can't hold a value of the context.
            JournalError: The journal can't note it; the write was not made.
            StorageError: The store failed, or can't hold a value.
        """
        session = Session(
            id, task, graph_id=graph_id, status_message=status_message, context=context
        )
        await self._writer(undo).save(_check_session(session))
        self.note_shown(session, "write")
        return session

    @dual
    async def get_or_create(
        self, id: str, start_task: str, graph_id: str = "default", *, undo: bool = True
    ) -> Session:
        """Return the session with this id; create it at ``start_task`` if it does not exist.

        Safe in a race: where the storage detects conflicts, all callers get the one that was
        stored.

        Args:
            id: The id of the session.
            start_task: The current task of a new session.
            graph_id: The graph of a new session.
            undo: Whether the journal notes it, so that it can be undone.

        Raises:
            JournalError: The journal can't note it; the write was not made.
            StorageError: The store failed, or others create and delete the session again and again.
        """
        session = await get_or_create(self._writer(undo), id, start_task, graph_id)
        self.note_shown(session)
        return session

    @dual
    async def patch(
        self,
        id: str,
        changes: Patch | str | Sequence[Mapping[str, Any]],
        *,
        version: int | Session | None = None,
        undo: bool = True,
    ) -> Session:
        """Change parts of a session by a JSON Patch (RFC 6902), and return the saved session.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> changes = [{"op": "replace", "path": "/status_message", "value": "mended"}]
            >>> wb.patch("claim-0014", changes).status_message
            'mended'

        Args:
            id: The id of the session.
            changes: The patch. As JSON text it keeps the digits of every number. Paths begin with
                ``/graph_id``, ``/current_task_id``, ``/status_message``, ``/context/data`` or
                ``/context/chat_history``; what they do not touch stays as it is stored. An index
                names the element that is there now: where the list may have changed since it was
                looked at, give ``version`` too, or a ``test`` first.
            version: The version that the session must still have, or the session that was read;
                None for any. See ``delete`` for what a version is.
            undo: Whether the journal notes it, so that it can be undone.

        Raises:
            PatchError: A path does not exist, or graph-flow could not read the result.
            QueryError: ``version`` is something else.
            SessionNotFound: No session has this id.
            SessionConflict: The session has another version, or another writer saved it meanwhile;
                nothing was written.
            JournalError: The journal can't note it; the write was not made.
            StorageError: The store failed, or can't hold a value.
        """
        patch = Patch(changes, mask=self.mask)
        _check_unmasked(patch)
        expected = None if version is None else self._expect({id: version})[id]
        stored = await self.storage.get(id)
        if stored is None:
            raise SessionNotFound(id)
        if expected is not None and not is_same_state(expected, stored):
            raise _find_conflict(stored, patch, expected.version)
        wanted = apply(stored, patch)
        _warn_respelled(wanted, find_new_problems(stored.context_json(), wanted.context_json()))
        await self._writer(undo).save(wanted, before=stored)
        self.note_shown(wanted, "write")
        return wanted

    @dual
    async def delete(
        self,
        ids: str | Iterable[str] | Mapping[str, int | Session],
        *,
        undo: bool = True,
        confirm: Confirm = None,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> list[str]:
        """Delete one session or several, in batches; unknown ids are skipped.

        Interrupted or stopped, it can be called again with the same ids and goes on with what is
        left. What was deleted until then can be undone.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> wb.delete(["claim-0014", "no such id"])
            ['claim-0014']

        Args:
            ids, undo, confirm: See ``Workbench.delete``, which also shows a bar.
            progress, stop: See ``undo_many``, with the number of ids.

        Returns:
            The ids that were deleted.

        Raises:
            GraphflowError: As for ``Workbench.delete``.
        """
        check_callables(progress=progress, stop=stop)
        if isinstance(ids, str):
            ids = [ids]
        check_no_table("ids", ids)
        if not isinstance(ids, Iterable):
            raise QueryError(f"delete takes an id or a list of ids, not {ids!r}")
        versions = list(self._expect(ids).values()) if isinstance(ids, Mapping) else None
        ids = list(ids)
        count = len({id for id in ids if isinstance(id, str)})
        self.asking.check_change(count, confirm, "deleted", "wb.delete(ids")
        delete = self._writer(undo).delete_many
        return await delete(ids, versions, progress=progress, stop=stop)

    def _expect(self, versions: Mapping[str, int | Session]) -> dict[str, Session]:
        """Return the state that each session must still have, without its content.

        Args:
            versions: The version of each session, or the session that was read, by its id.

        Raises:
            QueryError: A version is something else.
        """
        numbers = {
            id: _check_version(version)
            for id, version in versions.items()
            if not isinstance(version, Session)
        }
        shown = self._shown.find(numbers)
        return {
            id: version
            if isinstance(version, Session)
            else shown.get(id) or stored_session(id, "", "", None, b"{}", numbers[id], None, None)
            for id, version in versions.items()
        }

    @dual
    async def delete_unchanged(
        self,
        sessions: Sequence[Session],
        *,
        undo: bool = True,
        confirm: Confirm = None,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> list[str]:
        """Delete sessions that are still exactly as they were read.

        One that was saved since, or deleted and created again at the same version, stays.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> session = wb.get("claim-0014")
            >>> wb.save(wb.get("claim-0014"))
            >>> wb.delete_unchanged([session])
            []

        Args:
            sessions: The sessions as they were read.
            undo: Whether the journal notes it, so that it can be undone.
            confirm: As for ``delete``.
            progress, stop: See ``delete``.

        Returns:
            The ids that were deleted, in the order given.

        Raises:
            QueryError: An argument is something else.
            ChangeRefused: They are many, and it was not confirmed.
            JournalError: The journal can't note it; the write was not made.
            StorageError: The store failed.
        """
        check_callables(progress=progress, stop=stop)
        if not isinstance(sessions, Iterable):
            raise QueryError(f"delete_unchanged takes a list of sessions, not {sessions!r}")
        checked = [_check_session(session) for session in sessions]
        count = len({session.id for session in checked})
        self.asking.check_change(count, confirm, "deleted", "wb.delete_unchanged(sessions")
        delete = self._writer(undo).delete_unchanged
        return await delete(checked, progress=progress, stop=stop)


def _check_session(session: Session) -> Session:
    """Raise ContextError where graph-flow could not read what was changed; warn where it respells.

    What a store returned like that is not refused.
    """
    if not isinstance(session, Session):
        shown = scrub(repr(session))
        raise StorageError(f"what is saved must be a Session, not {shown}")
    if not is_whole(session.version):
        raise SessionFormatError(
            f"the version of session {session.id!r} must be an integer >= 0, not "
            f"{session.version!r}: nothing was written"
        )
    problems = session.find_new_problems()
    unreadable = [problem for problem in problems if not problem.respelled]
    if unreadable:
        raise ContextError(
            f"graph-flow could not read session {session.id!r} back: {describe(unreadable)}. "
            "Nothing was written; change it and save again"
        )
    _warn_respelled(session, problems)
    return session


def _check_version(version: object) -> int:
    if isinstance(version, typing.SupportsIndex) and not isinstance(version, bool):
        return index(version)
    raise QueryError(
        f"a version must be an integer, or the Session that was read, not {version!r}; nothing was "
        "written"
    )


def _check_unmasked(patch: Patch) -> None:
    """Raise PatchError if a patch was copied from where its values were hidden."""
    for change in patch:
        if change.value is not None and contains_mask(change.value):
            raise PatchError(
                f"the value for {pointer(change.path)} is what was shown instead of a secret, not "
                "the secret; nothing was written. Put the value itself there"
            )


def _find_conflict(stored: Session, patch: Patch, version: int) -> SessionConflict:
    """Return the conflict of a patch that was made for another state of a session."""
    try:
        wanted = apply(stored, patch)
    except PatchError:  # its paths are those of the other state
        wanted = copy(stored)
    wanted.version = version
    return SessionConflict(wanted, stored)


def _warn_respelled(session: Session, problems: list[Problem]) -> None:
    if problems:
        text = f"session {session.id!r}: {describe(problems)}. Store it as a string to keep it"
        warn(text)
