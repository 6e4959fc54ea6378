"""Client: one open store, whose methods wait or are awaited."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from operator import index
from typing import Any, Self
from weakref import WeakSet

from ..bridge import Bridge, dual
from ..changes import Patch, apply, pointer
from ..errors import (
    ContextError,
    PatchError,
    QueryError,
    SessionConflict,
    SessionNotFound,
    StorageError,
)
from ..journal import Journal, JournaledStorage, UndoReport
from ..journal.storage import UnnotedStorage
from ..model import Context, Session, stored_session
from ..model.masks import DEFAULT_MASK, Mask, contains_mask
from ..model.validity import Problem, describe, find_new_problems
from ..monitoring import MonitoredStorage, Recorder
from ..storage import Migration, Query, get_or_create
from ..storage.attributes import StorageAttributes, attributes_of
from ..storage.checks import check_callables
from ..storage.offloop import run_off_loop
from ..storage.origin import is_same_state
from ..storage.paths import ContextPath
from ..storage.protocols import (
    SupportsClose,
    SupportsIndex,
    SupportsMigration,
    SupportsRaw,
    SupportsTable,
    SupportsTrigger,
    require,
)
from ..storage.table import Table
from ..warning import warn
from .asking import Asking, Confirm
from .observed import Observed, Way
from .raw import StoredRow
from .shown import Shown

__all__ = ["Client", "clients"]

_known: WeakSet[Client] = WeakSet()


class Client:
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

    def __init__(
        self,
        storage: MonitoredStorage,
        bridge: Bridge,
        recorder: Recorder,
        journal: Journal | None = None,
        mask: Mask = DEFAULT_MASK,
        asking: Asking | None = None,
    ):
        self.mask = mask
        self.storage = storage
        self.bridge = bridge
        self.recorder = recorder
        self.asking = Asking.about(storage) if asking is None else asking
        self.journaled = JournaledStorage(
            storage,
            Journal() if journal is None else journal,
            storage.for_journal,
            self.attributes.place or type(storage.inner).__name__,
        )
        self.orders = {"updated_at"}
        self.filters: set[str] = set()
        self.observed = Observed()
        self._shown = Shown()
        _known.add(self)

    @property
    def attributes(self) -> StorageAttributes:
        """The attributes of the storage inside, such as ``read_only`` and ``place``."""
        return attributes_of(self.storage.inner)

    def _writer(self, undo: bool) -> JournaledStorage | UnnotedStorage:
        """Return the storage for a write that is to be noted, or not."""
        return self.journaled if undo else self.journaled.unnoted

    # Sessions

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
            ids: An id, several (a column of a DataFrame too), or a mapping from id to the version
                that the session must still have, or to the session that was read: one that was
                saved, or deleted and created again, meanwhile stays. A version is the one that this
                object showed last under that id (by ``get``, ``sessions``, the browser or a
                write); of a session that it never showed at that version the number alone is
                compared.
            undo: Whether the journal notes it, so that it can be undone.
            confirm: The number of different ids, or True for any: needed for more than 1,000 in a
                server's database (``open(ask_above_sessions=…)``).
            progress: A function that is called after each batch, on the storage's thread, with the
                number of ids looked at and of all.
            stop: A function that is asked before each batch, on the storage's thread; True ends the
                work there.

        Returns:
            The ids that were deleted.

        Raises:
            QueryError: ``ids`` or another argument is something else.
            ChangeRefused: They are many, and it was not confirmed; or ``confirm`` is another
                number.
            JournalError: The journal can't note it; the write was not made.
            StorageError: The store failed.
        """
        check_callables(progress=progress, stop=stop)
        if isinstance(ids, str):
            ids = [ids]
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

    # Undo

    @dual
    async def undo(self, entry: int | None = None) -> Session | None:
        """Undo one write of the journal, if the session is still as that write left it.

        A deleted session comes back with the time of its creation, at a higher version.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> wb.delete("claim-0014")
            ['claim-0014']
            >>> wb.undo().id
            'claim-0014'

        Args:
            entry: The entry's number in ``wb.journal``; None for the newest that was not undone.

        Returns:
            The session as it is stored now; None if the write had created it.

        Raises:
            SessionConflict: The session was changed since; nothing was written.
            PatchError: The entry does not exist, or it was undone already.
            StorageError: The store failed.
        """
        session = await self.journaled.undo(entry)
        if session is not None:
            self.note_shown(session, None)
        return session

    @dual
    async def redo(self, entry: int | None = None) -> Session | None:
        """Take back an undo: make its write again, if the session is still as the undo left it.

        A redo is a write of the journal, which ``undo`` undoes again.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> wb.delete("claim-0014")
            ['claim-0014']
            >>> wb.undo().id
            'claim-0014'
            >>> wb.redo() is None  # it is deleted again
            True

        Args:
            entry: The number of the undo in ``wb.journal``; None for the newest that was not taken
                back.

        Returns:
            The session as it is stored now; None if the write had deleted it.

        Raises:
            SessionConflict: The session was changed since; nothing was written.
            PatchError: There is nothing to redo, or the entry is not an undo.
            StorageError: The store failed.
        """
        session = await self.journaled.redo(entry)
        if session is not None:
            self.note_shown(session, None)
        return session

    @dual
    async def undo_all(
        self,
        *,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
        confirm: Confirm = None,
    ) -> list[str]:
        """Undo all writes of the journal, newest first for each session.

        Interrupting the kernel (■) stops it; called again, it goes on with what is left.

        Args:
            progress, stop, confirm: See ``undo_many``.

        Returns:
            The ids of sessions that were not undone: others changed them since, or the store
            refused what was there before, of which a warning gives the reason.

        Raises:
            QueryError: An argument is something else.
            ChangeRefused: They are many, and it was not confirmed.
            JournalError: Lines of the journal can't be read.
            StorageError: The store failed; what was undone until then stays undone.
        """
        check_callables(progress=progress, stop=stop)
        count = len(self.journaled.undoable())
        self.asking.check_change(count, confirm, "changed by undoing", "wb.undo_all(")
        report = await self.journaled.undo_many(progress=progress, stop=stop)
        if report.failed:
            id, reason = next(iter(report.failed.items()))
            text = f"{len(report.failed):,} sessions were not undone, the first is {id!r}: {reason}"
            warn(text)
        return [*report.changed, *report.failed]

    @dual
    async def undo_many(
        self,
        entries: Iterable[int] | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
        confirm: Confirm = None,
    ) -> UndoReport:
        """Undo several writes of the journal in batches, newest first for each session.

        If others changed a session since, its earlier writes are not undone either. Interrupted or
        stopped, it can be called again and goes on with what is left.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> wb.delete(["claim-0014", "claim-0118"])
            ['claim-0014', 'claim-0118']
            >>> wb.undo_many().undone
            2

        Args:
            entries: The numbers of the entries in ``wb.journal``; None for all that can be undone.
            progress: A function that is called after each batch, on the storage's thread, with the
                number of writes looked at and of all.
            stop: A function that is asked before each batch, on the storage's thread; True ends the
                work there.
            confirm: The number of writes, or True for any: needed for more than 1,000 in a
                server's database (``open(ask_above_sessions=…)``).

        Returns:
            The report: how many were undone, which sessions were not and why, how many remain.

        Raises:
            QueryError: An argument is something else.
            PatchError: An entry does not exist, or it was undone already; nothing was undone.
            ChangeRefused: They are many, and it was not confirmed.
            JournalError: Lines of the journal can't be read, and ``entries`` was left out.
            StorageError: The store failed; what was undone until then stays undone.
        """
        check_callables(progress=progress, stop=stop)
        if not (entries is None or isinstance(entries, Iterable)):
            raise QueryError(
                f"entries must be a list of the numbers in wb.journal, not {entries!r}"
            )
        numbers = None if entries is None else list(entries)
        count = len(self.journaled.undoable() if numbers is None else numbers)
        self.asking.check_change(count, confirm, "changed by undoing", "wb.undo_many(entries")
        return await self.journaled.undo_many(numbers, progress=progress, stop=stop)

    # The store as a whole

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """Return the selected sessions by column.

        A coroutine, for views, which run it by ``bridge``.

        Raises:
            CapabilityError: The storage has no method ``table``.
            StorageError: The store failed.
        """
        self.orders.add(query.order_by)
        self.filters.update(query.filters)
        table = await require(self.storage, SupportsTable).table(query, context)
        self._shown.note_table(table, self.attributes.identity)
        await run_off_loop(len(table), lambda: self.observed.note_table(table), self.storage)
        return table

    def hide_secrets(self, session: Session) -> Session:
        """Return a session after its mask was set: that is, what of it is hidden where it is shown.

        Args:
            session: A session that the storage returned past the client.
        """
        if self.mask is not DEFAULT_MASK:
            session.mask = self.mask
        return session

    def note_shown(self, session: Session, way: Way | None = "read") -> None:
        """Remember the state of a session that is shown, or was saved.

        A version that a person gives later is understood by it, and so are transitions.

        Args:
            session: The session.
            way: How the state became known; see ``Observed.note``.
        """
        self.hide_secrets(session)
        self._shown.note(session)
        self.observed.note(session, way)

    @dual
    async def plan_migration(self) -> Migration:
        """Return the SQL that brings an older PostgreSQL table to graph-flow 0.6's form.

        Runs nothing.
        """
        return await require(self.storage, SupportsMigration).plan_migration()

    @dual
    async def migrate(self) -> Migration:
        """Run what ``plan_migration`` shows, in one transaction."""
        return await require(self.storage, SupportsMigration).migrate()

    @dual
    async def plan_trigger(self) -> Migration:
        """Return the SQL of a trigger by which PostgreSQL announces each change; runs nothing.

        With it ``browse()`` follows changes as they happen instead of polling every two seconds.
        Each write costs some 10 µs more with it.
        """
        return await require(self.storage, SupportsTrigger).plan_trigger()

    @dual
    async def install_trigger(self) -> Migration:
        """Run what ``plan_trigger`` shows."""
        return await require(self.storage, SupportsTrigger).install_trigger()

    @dual
    async def remove_trigger(self) -> Migration:
        """Remove the trigger, if there is one."""
        return await require(self.storage, SupportsTrigger).remove_trigger()

    @dual
    async def build_index(
        self,
        *,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> int:
        """Build an index for quick pages in Redis, or update it; no session is changed.

        What this package writes afterwards is kept in it. Workers don't know it: what they save
        keeps its place, and what they create is not shown until the index is built again. One that
        was interrupted or stopped before it was whole is not used: build it again.

        Args:
            progress: A function that is called after each batch, on the storage's thread, with the
                number of sessions read, and of how many (None if unknown).
            stop: A function that is asked before each batch, on the storage's thread; True ends the
                work there.

        Returns:
            The number of sessions in the index; of those that were read, if it was stopped.

        Raises:
            CapabilityError: The storage has no method ``build_index``.
            StorageError: The store failed.
        """
        check_callables(progress=progress, stop=stop)
        build = require(self.storage, SupportsIndex).build_index
        return await build(progress=progress, stop=stop)

    @dual
    async def drop_index(self) -> None:
        """Remove the index of ``build_index``, if there is one."""
        await require(self.storage, SupportsIndex).drop_index()

    @dual
    async def close(self) -> None:
        """Release connections and files; the recorded operations stay."""
        self._end_background_work()
        if isinstance(self.storage, SupportsClose):
            await self.storage.close()

    def _end_background_work(self) -> None:
        """End what works beside the calls; nothing here does."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def clients() -> list[Client]:
    """Return all clients in use in this process, workbenches among them."""
    return list(_known)


def _check_session(session: Session) -> Session:
    """Raise ContextError where graph-flow could not read what was changed; warn where it respells.

    What a store returned like that is not refused.
    """
    if not isinstance(session, Session):
        shown = DEFAULT_MASK.scrub(repr(session))
        raise StorageError(f"what is saved must be a Session, not {shown}")
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
