"""Draft: changes to a session that are not saved yet."""

from __future__ import annotations

import re
from typing import Any, Literal

from msgspec import Raw

from ..errors import ContextError, PatchError
from ..model import Message, Session, exactjson
from .comparing import compare
from .document import MESSAGES, check_context, document, edit, value_at, with_document
from .masked import MaskedText
from .patch import Patch, Path

__all__ = ["KINDS", "Draft", "Kind", "json_value"]

Kind = Literal["text", "number", "true", "false", "null", "JSON"]
KINDS: tuple[Kind, ...] = ("text", "number", "true", "false", "null", "JSON")

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


def json_value(kind: Kind, text: str, *, secret: bool = False) -> Raw:
    """Return the JSON text of a value that a person entered.

    Args:
        kind: The kind of the value, one of ``KINDS``.
        text: The text that was entered.
        secret: Whether the error does not quote the text.

    Raises:
        ContextError: The text is not a value of this kind; for JSON, the error names line and
            column.
    """
    if kind == "text":
        return Raw(exactjson.encode(text, "the text"))
    if kind == "number":
        if not _NUMBER.fullmatch(text.strip()):
            what = "this" if secret else repr(text)
            raise ContextError(f"{what} is not a number in JSON: write it as 12, -1.5 or 1e6")
        return Raw(text.strip().encode())
    if kind == "JSON":
        return exactjson.typed(text)
    return Raw(kind.encode())


class Draft:
    """Changes to a session that are not saved yet.

    Example:
        >>> from graphflow_nb import Session
        >>> from graphflow_nb.changes import Draft
        >>> draft = Draft(Session("claim-1", "intake"))
        >>> draft.set("current_task_id", "payout")
        >>> draft.changes()
        replace /current_task_id: "intake" → "payout"

    Args:
        base: The session as it was opened, which is not changed.
        wanted: The session to start from, e.g. after a merge. Default: ``base``.

    Attributes:
        base: The session as it was opened.
    """

    def __init__(self, base: Session, wanted: Session | None = None):
        self.base = base
        self._base = document(base)
        self._now = self._base if wanted is None else document(wanted)

    def get(self, field: str) -> Any:
        """Return the value of ``graph_id``, ``current_task_id`` or ``status_message``."""
        return exactjson.decode(value_at(self._now, (field,)))

    def set(self, field: str, value: str | None) -> None:
        """Set ``graph_id``, ``current_task_id`` or ``status_message``.

        Raises:
            ContextError: The value is not a text that JSON can hold.
        """
        text = Raw(exactjson.encode(value, field))
        self._now = edit(self._now, (field,), "replace", text)

    def value(self, path: Path = ()) -> Raw:
        """Return the JSON text of one value.

        Args:
            path: The keys and indexes from the session down. Default: the whole session.

        Raises:
            PatchError: Nothing is there.
        """
        return value_at(self._now, path)

    def replace(self, path: Path, value: Raw) -> None:
        """Replace one value by another.

        Args:
            path: The keys and indexes from the session down, e.g.
                ``("context", "data", "amount")``.
            value: The JSON text of the new value.

        Raises:
            PatchError: Nothing is there, or graph-flow could not read the result.
        """
        now = edit(self._now, path, "replace", value)
        check_context(value_at(now, ("context",)), self.context)
        self._now = now

    @property
    def context(self) -> Raw:
        """The context's JSON text."""
        return value_at(self._now, ("context",))

    @property
    def context_text(self) -> str:
        """The context's JSON text with line breaks, for people."""
        return exactjson.pretty(self.context)

    def set_context_text(self, text: str, masked: MaskedText | None = None) -> None:
        """Replace the whole context by a JSON text.

        Args:
            text: The text.
            masked: The text that was given to be edited, if secrets in it are masked; each that is
                still there stays as it is stored.

        Raises:
            ContextError: The text is not JSON (the error names line and column), or not a context.
        """
        context = exactjson.typed(text)
        if exactjson.kind(context) != "object":
            raise ContextError("a context must be an object with data and chat_history")
        try:
            context = context if masked is None else masked.restore(context)
            check_context(context, value_at(self._base, ("context",)))
        except PatchError as error:
            raise ContextError(str(error)) from error
        self._now = edit(self._now, ("context",), "replace", context)

    def set_value(self, path: Path, value: Raw) -> None:
        """Set one value in the context's data; its last key may be new.

        Raises:
            PatchError: A part of the path is not there, or the value would be nested too deep.
        """
        self._edit_data(path, "add" if not _is_element(self._now, path) else "replace", value)

    def remove_value(self, path: Path) -> None:
        """Remove one value from the context's data.

        Raises:
            PatchError: The value is not there.
        """
        self._edit_data(path, "remove", None)

    def _edit_data(self, path: Path, op: str, value: Raw | None) -> None:
        now = self._now
        if "data" not in exactjson.split_object(self.context, "the context"):
            now = edit(now, ("context", "data"), "add", Raw(b"{}"))
        now = edit(now, ("context", "data", *path), op, value)
        check_context(value_at(now, ("context",)), self.context)
        self._now = now

    def add_message(self, role: str, content: str) -> None:
        """Append a message to the chat history; past its limit the oldest are dropped.

        Raises:
            ContextError: The role is unknown, or the chat history can't be read.
        """
        # Only the chat history is read and written, so that the data keep every digit.
        twin = with_document(self.base, self._now)
        twin.context.chat_history.add(Message(role, content))
        self._now = document(twin)

    def session(self) -> Session:
        """Return the changed session, at the version at which it was opened."""
        return with_document(self.base, self._now)

    def changes(self) -> Patch:
        """Return the changes since the session was opened."""
        return Patch(compare(self._base, self._now), mask=self.base.mask)

    def messages(self) -> int:
        """Return the number of messages."""
        try:
            return len(exactjson.split_array(value_at(self._now, MESSAGES), "the messages"))
        except (ContextError, PatchError):
            return 0


def _is_element(text: Raw, path: Path) -> bool:
    """Return whether a path leads to an element of an array, which is replaced, not moved."""
    try:
        inside = value_at(text, ("context", "data", *path[:-1]))
    except PatchError:
        return False
    return exactjson.kind(inside) == "array" and path[-1] != "-"
