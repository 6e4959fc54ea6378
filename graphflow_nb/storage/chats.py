"""The chat of a session without the rest of it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Chat"]


class Chat(NamedTuple):
    """The chat of a session.

    Example:
        >>> from graphflow_nb.storage.chats import Chat
        >>> Chat("claim-1", '{"chat_history": {"messages": []}}').id
        'claim-1'

    Attributes:
        id: The id of the session.
        context: The session's context as JSON, of which ``chat_history`` alone is there.
    """

    id: str
    context: str
