"""A session being edited: nothing of it is stored until someone saves it."""

from __future__ import annotations

import re
from typing import Any, Literal

from msgspec import Raw

from ..errors import ContextError, PatchError
from ..model import Message, Session, exactjson
from .patch import (
    MESSAGES,
    Patch,
    Path,
    _check_context,
    compare,
    document,
    edit,
    value_at,
    with_document,
)

__all__ = ["KINDS", "Draft", "Kind", "json_value"]

Kind = Literal["text", "number", "true", "false", "null", "JSON"]
KINDS: tuple[Kind, ...] = ("text", "number", "true", "false", "null", "JSON")

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


def json_value(kind: Kind, text: str) -> Raw:
    """JSON text of what a person entered as a value of that kind.

    Raises:
        ContextError: it is none, naming line and column in JSON.
    """
    if kind == "text":
        return Raw(exactjson.encode(text, "the text"))
    if kind == "number":
        if not _NUMBER.fullmatch(text.strip()):
            raise ContextError(f"{text!r} is no number in JSON: write it as 12, -1.5 or 1e6")
        return Raw(text.strip().encode())
    if kind == "JSON":
        return exactjson.typed(text)
    return Raw(kind.encode())


class Draft:
    """Changes to a session, not saved yet.

    Args:
        base: the session as it was opened; it stays as it is.
        wanted: what it shall become, if something is known already (after a merge, or a copy).
    """

    def __init__(self, base: Session, wanted: Session | None = None):
        self.base = base
        self._base = document(base)
        self._now = self._base if wanted is None else document(wanted)

    def get(self, field: str) -> Any:
        """``graph_id``, ``current_task_id`` or ``status_message`` as it shall be."""
        return exactjson.decode(value_at(self._now, (field,)))

    def set(self, field: str, value: str | None) -> None:
        """Set one of these three; raises ContextError for what is no text."""
        text = Raw(exactjson.encode(value, field))
        self._now = edit(self._now, (field,), "replace", text)

    @property
    def context(self) -> Raw:
        """The context's JSON text."""
        return value_at(self._now, ("context",))

    @property
    def context_text(self) -> str:
        """The context as JSON text for people."""
        return exactjson.pretty(self.context)

    def set_context_text(self, text: str) -> None:
        """Take the whole context from JSON text.

        Raises:
            ContextError: no JSON (naming line and column), or no context.
        """
        context = exactjson.typed(text)
        if exactjson.kind(context) != "object":
            raise ContextError("a context is an object with data and chat_history")
        try:
            _check_context(context)
        except PatchError as error:
            raise ContextError(str(error)) from error
        self._now = edit(self._now, ("context",), "replace", context)

    def set_value(self, path: Path, value: Raw) -> None:
        """Set one value in the context's data; its last key may be new.

        Raises:
            PatchError: what the path leads through is not there, or it would be nested too deep.
        """
        self._edit_data(path, "add" if not _is_element(self._now, path) else "replace", value)

    def remove_value(self, path: Path) -> None:
        """Take one value out of the context's data; raises PatchError if it is not there."""
        self._edit_data(path, "remove", None)

    def _edit_data(self, path: Path, op: str, value: Raw | None) -> None:
        now = self._now
        if "data" not in exactjson.split_object(self.context, "the context"):
            now = edit(now, ("context", "data"), "add", Raw(b"{}"))
        now = edit(now, ("context", "data", *path), op, value)
        _check_context(value_at(now, ("context",)))
        self._now = now

    def add_message(self, role: str, content: str) -> None:
        """Append a message to the chat; the oldest are dropped past its limit, as in graph-flow.

        Raises:
            ContextError: no such role, or a chat history that can't be read.
        """
        # Only the chat is read and written, so that the data keep every digit.
        twin = with_document(self.base, self._now)
        twin.context.chat_history.add(Message(role, content))
        self._now = document(twin)

    def session(self) -> Session:
        """The session as it shall be, at the version at which it was opened."""
        return with_document(self.base, self._now)

    def changes(self) -> Patch:
        """What differs from the session as it was opened."""
        return Patch(compare(self._base, self._now))

    def messages(self) -> int:
        """How many messages the chat has."""
        try:
            return len(exactjson.split_array(value_at(self._now, MESSAGES), "the messages"))
        except (ContextError, PatchError):
            return 0


def _is_element(text: Raw, path: Path) -> bool:
    """Whether a path leads to an element of an array, which is replaced and not pushed aside."""
    try:
        inside = value_at(text, ("context", "data", *path[:-1]))
    except PatchError:
        return False
    return exactjson.kind(inside) == "array" and path[-1] != "-"
