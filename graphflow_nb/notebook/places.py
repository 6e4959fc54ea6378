"""The places in which two sessions differ, as a person names them."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Raw

from ..changes import pointer
from ..changes.comparing import compare
from ..model import Session, exactjson

__all__ = ["find_places"]

_NOTHING: Final = Raw(b"null")


def find_places(one: Session, other: Session) -> set[str]:
    """Return where two sessions differ, without their tasks.

    ``graph_id`` and ``status_message``, paths in ``data``, which begin with their key, and
    ``chat``. Messages that differ in their times alone are the same.

    Args:
        one, other: The sessions.

    Raises:
        ContextError: A context is not JSON.
    """
    found = {
        f"/{name}"
        for name in ("graph_id", "status_message")
        if getattr(one, name) != getattr(other, name)
    }
    mine, theirs = (
        exactjson.split_object(session.context_json(), "the context") for session in (one, other)
    )
    for name in mine.keys() | theirs.keys():
        left, right = mine.get(name, _NOTHING), theirs.get(name, _NOTHING)
        if name == "chat_history":
            if not exactjson.same(left, right) and _read_chat(left) != _read_chat(right):
                found.add("chat")
        else:
            changes = compare(left, right, ("context", name))
            shown = (pointer(one.mask.hide_path(change.path)) for change in changes)
            found |= {path.removeprefix("/context/data/") for path in shown}
    return found


def _read_chat(text: Raw) -> Any:
    """Return what is said in a chat; all of it where it is not as graph-flow writes it."""
    chat = exactjson.decode(text)
    messages = chat.get("messages") if isinstance(chat, dict) else None
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        return chat
    said = [{key: each[key] for key in each if key != "timestamp"} for each in messages]
    return {**chat, "messages": said}
