"""Return a session, or create it where it does not exist."""

from __future__ import annotations

from ..errors import SessionConflict, StorageError
from ..model import Session
from .protocols import SessionStorage

__all__ = ["get_or_create"]


async def get_or_create(
    storage: SessionStorage, id: str, start_task: str, graph_id: str = "default"
) -> Session:
    """Return the session with this id; create it at ``start_task`` if it does not exist.

    The pattern of graph-flow's documentation, safe when several callers race: where the storage
    detects conflicts, all of them get the one session that was stored.

    Args:
        storage: The storage to read and write.
        id: The id of the session.
        start_task: The task of a new session.
        graph_id: The graph of a new session.

    Raises:
        StorageError: The store failed, or others create and delete the session again and again.
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
