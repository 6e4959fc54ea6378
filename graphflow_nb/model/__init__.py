"""Session, Context, ChatHistory and Message, and their exact JSON form. Pure: no I/O, no loop."""

from .session import ChatHistory, Context, Message, MessageRole, Session, mark_saved, stored_session

__all__ = [
    "ChatHistory",
    "Context",
    "Message",
    "MessageRole",
    "Session",
    "mark_saved",
    "stored_session",
]
