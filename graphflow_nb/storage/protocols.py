"""What a storage is: three coroutines, and the capabilities that it may have beyond them.

Anything with ``save``, ``get`` and ``delete`` works everywhere in this package. The rest are
separate small protocols; what lacks one gets a ``CapabilityError`` naming the method to add.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

from ..errors import CapabilityError, SessionConflict, StorageError
from ..model import Session
from .facts import StoreFacts
from .paths import ContextPath
from .query import Query
from .table import GroupCount, Table

__all__ = [
    "Batching",
    "Closable",
    "Deletable",
    "Queryable",
    "Restorable",
    "SessionStorage",
    "Telling",
    "Upsertable",
    "capability",
    "check_ids_once",
    "check_texts",
    "get_or_create",
]


@runtime_checkable
class SessionStorage(Protocol):
    """Where sessions live. As graph-flow 0.6 has it (``storage.rs``):

    ``save`` writes only if the stored session is still the one that was read, raises
    ``SessionConflict`` otherwise, and moves ``session.version`` on in place. ``get`` returns None
    for an unknown id. Deleting an unknown id is no error.
    """

    async def save(self, session: Session) -> None: ...
    async def get(self, id: str) -> Session | None: ...
    async def delete(self, id: str) -> None: ...


class Queryable(Protocol):
    """Filter, order, page and count, all inside the store."""

    async def query(self, query: Query) -> list[Session]: ...
    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table: ...
    async def count(self, query: Query) -> int: ...
    async def counts(self, query: Query) -> list[GroupCount]: ...


class Upsertable(Protocol):
    """Last write wins: the plain upsert of graph-flow's documentation."""

    async def upsert(self, session: Session) -> None: ...


class Deletable(Protocol):
    """Delete several at once, each only if it still has the version that goes with it."""

    async def delete_many(
        self, ids: Sequence[str], versions: Sequence[int] | None = None
    ) -> list[str]: ...


class Batching(Protocol):
    """Save several as ``save`` does; take in several as they are, where their ids are free.

    ``atomic_batches`` says whether nothing of a batch was written when the store fails.
    """

    atomic_batches: ClassVar[bool]

    async def save_many(self, sessions: Sequence[Session]) -> list[SessionConflict]: ...
    async def import_many(self, sessions: Sequence[Session]) -> list[str]: ...


class Restorable(Protocol):
    """Put a deleted session back with the time of its creation, its version moved on."""

    async def restore(self, session: Session) -> None: ...


class Telling(Protocol):
    """Tells of the store behind it what ``wb.advise()`` judges; cheap, and changes nothing."""

    async def facts(self) -> StoreFacts: ...


class Closable(Protocol):
    """Gives back connections and files; closing twice is no error."""

    async def close(self) -> None: ...


def capability(storage: object, method: str) -> Callable[..., Coroutine[Any, Any, Any]]:
    """The bound method; raises CapabilityError naming it if the storage has none."""
    found = getattr(storage, method, None)
    if found is None:
        raise CapabilityError(storage, method)
    return found  # type: ignore[no-any-return]


async def get_or_create(
    storage: SessionStorage, id: str, start_task: str, graph_id: str = "default"
) -> Session:
    """The session of that id, made at ``start_task`` if there is none.

    The pattern of graph-flow's documentation, safe when several callers race: where the storage
    detects conflicts, all of them get the one session that was stored.

    Raises:
        StorageError: the store failed, or others delete and create the session without end.
    """
    for _ in range(10):
        found = await storage.get(id)
        if found is not None:
            return found
        session = Session(id, start_task, graph_id=graph_id)
        try:
            await storage.save(session)
        except SessionConflict as conflict:
            if conflict.stored is not None:
                return conflict.stored
            continue
        return session
    raise StorageError(f"session {id!r} was created and deleted by others ten times in a row")


def check_texts(session: Session, *, nul: bool) -> None:
    """Raise StorageError naming the field that is no storable text, before anything is sent.

    Args:
        nul: whether the store can hold the character U+0000 in a text.
    """
    check_text(session.id, "id", nul=nul)
    check_text(session.graph_id, "graph_id", nul=nul)
    check_text(session.current_task_id, "current_task_id", nul=nul)
    if session.status_message is not None:
        check_text(session.status_message, "status_message", nul=nul)


def check_ids_once(ids: Iterable[str]) -> None:
    """Raise StorageError if a batch has two sessions of one id."""
    seen: set[str] = set()
    for id in ids:
        if id in seen:
            raise StorageError(f"the batch has session {id!r} twice; nothing was written")
        seen.add(id)


def check_text(value: object, name: str, *, nul: bool) -> None:
    """As ``check_texts``, for one value."""
    if nul and type(value) is str and value.isascii():
        return
    if not isinstance(value, str):
        raise StorageError(f"{name} must be text, not {type(value).__name__}: {value!r}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise StorageError(
                f"{name} holds a lone surrogate at position {error.start}, which no store can hold"
            ) from error
    if not nul and "\0" in value:
        raise StorageError(f"{name} holds the character U+0000, which this store can't hold")
