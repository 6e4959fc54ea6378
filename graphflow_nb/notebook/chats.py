"""Chats as a person reads them: alone where the store can, and with their sessions elsewhere."""

from __future__ import annotations

from typing import Any

from ..model import Session, stored_session
from ..storage import Query
from ..storage.capabilities import require
from ..storage.protocols import SupportsChats, SupportsQuery

__all__ = ["find_chats"]


async def find_chats(storage: Any, query: Query) -> list[Session]:
    """Return sessions to show the messages of, whose contexts may have nothing else.

    Where the store returns chats alone, those without messages are left out, and the limit is one
    on the others.

    Raises:
        CapabilityError: The storage has neither ``chats`` nor ``query``.
        StorageError: The store failed.
    """
    if isinstance(storage, SupportsChats):
        chats = await storage.chats(query)
        if chats is not None:
            return [
                stored_session(id, "", "", None, context, 0, None, None) for id, context in chats
            ]
    return await require(storage, SupportsQuery).query(query)
