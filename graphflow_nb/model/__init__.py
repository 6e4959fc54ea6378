"""Session, Context, ChatHistory and Message, and their exact JSON form. No I/O and no event loop.

A context is the JSON text that was read until something touches it. Then it is split member by
member (msgspec's ``Raw``), and each member that is unchanged is written back exactly as it
was: unknown keys, large integers and the digits of every number survive. A storage takes and
returns that text, so two sessions never share an object. ``validity.py`` says what graph-flow could
not read in such a text.
"""

from .context import ChatHistory, Context
from .message import Message, MessageRole, OddMessage
from .session import Seen, Session, mark_saved, stored_session

__all__ = [
    "ChatHistory",
    "Context",
    "Message",
    "MessageRole",
    "OddMessage",
    "Seen",
    "Session",
    "mark_saved",
    "stored_session",
]
