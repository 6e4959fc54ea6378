"""Message: one entry of a chat history, immutable, with the JSON text that was read."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from msgspec import Raw

from ..errors import ContextError
from ..secret_texts import scrub
from . import exactjson
from .masks import mask_in_use

__all__ = ["Message", "MessageRole", "OddMessage"]


class MessageRole(StrEnum):
    """The author of a message: one of the three roles that graph-flow knows.

    Example:
        >>> from graphflow_nb import MessageRole
        >>> MessageRole("User")
        <MessageRole.USER: 'User'>
    """

    USER = "User"
    ASSISTANT = "Assistant"
    SYSTEM = "System"


class Message:
    """One message of a chat history; immutable.

    graph-flow writes timestamps with nanoseconds. A message that was read from a store keeps them
    in its JSON text; ``timestamp`` has microseconds.

    Example:
        >>> from graphflow_nb import Message
        >>> message = Message("User", "Where is my claim?")
        >>> message.role, message.content
        (<MessageRole.USER: 'User'>, 'Where is my claim?')

    Args:
        role: The author: ``User``, ``Assistant`` or ``System``.
        content: The text.
        timestamp: The time of the message, timezone-aware. Default: now.

    Raises:
        ContextError: The role is unknown, the timestamp is naive, or JSON can't hold the content.
    """

    __slots__ = ("content", "json", "role", "timestamp")

    #: The exact JSON text of this message, read or to be written.
    json: Raw
    role: MessageRole
    content: str
    timestamp: datetime

    def __init__(self, role: MessageRole | str, content: str, timestamp: datetime | None = None):
        if timestamp is None:
            timestamp = datetime.now(UTC)
        elif not isinstance(timestamp, datetime) or timestamp.tzinfo is None:
            raise ContextError(
                f"a message's timestamp is a datetime with a time zone, not {timestamp!r}"
            )
        if not isinstance(content, str):
            raise ContextError(f"a message's content is text, not {type(content).__name__}")
        try:
            timestamp = timestamp.astimezone(UTC)
        except OverflowError as error:
            raise ContextError(f"a message's timestamp is out of range: {timestamp!r}") from error
        role = _parse_role(role)
        text = timestamp.isoformat().replace("+00:00", "Z")
        json = exactjson.encode(
            {"role": role.value, "content": content, "timestamp": text}, "the message"
        )
        self._fill(role, content, timestamp, Raw(json))

    def _fill(self, role: str, content: str, timestamp: datetime | None, json: Raw) -> None:
        values = (content, json, role, timestamp)
        for name, value in zip(Message.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def from_json(cls, text: Raw, where: str = "the message") -> Self:
        """Return the message of a JSON text, which is kept exactly.

        Args:
            text: A JSON object with ``role``, ``content`` and an RFC 3339 ``timestamp``.
            where: The place of the text, for errors.

        Raises:
            ContextError: The text is not a message.
        """
        parts = exactjson.decode(text, where)
        try:
            if not isinstance(parts, dict):
                raise ValueError(f"it is {scrub(exactjson.show(parts))[:80]}")
            for name in ("role", "content", "timestamp"):
                if name not in parts:
                    raise ValueError(f"{name} is missing")
            role, content = parts["role"], parts["content"]
            if not isinstance(content, str):
                raise ValueError(f"content is {scrub(exactjson.show(content))[:80]}, not text")
            timestamp = _parse_time(parts["timestamp"])
        except (ValueError, OverflowError) as error:
            raise ContextError(
                f"{where} is not a message with role, content and RFC 3339 timestamp: {error}"
            ) from error
        self = cls.__new__(cls)
        self._fill(_parse_role(role), content, timestamp, text)
        return self

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"a message can't be changed: create a new Message with another {name}"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return (Message.from_json, (self.json,))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return self.json == other.json or (
            (self.role, self.content, self.timestamp)
            == (other.role, other.content, other.timestamp)
        )

    def __hash__(self) -> int:
        return hash((self.role, self.content, self.timestamp))

    def __repr__(self) -> str:
        content = mask_in_use().hide_in(self.content)
        return f"Message({self.role.value!r}, {content!r}, {self.timestamp.isoformat()!r})"


class OddMessage(Message):
    """A stored message that is not one: its role, content or time can't be read.

    A chat history shows it among the other messages, and its text stays as it is stored.

    Example:
        >>> from graphflow_nb import Context
        >>> text = '{"role": "Tool", "content": "42", "timestamp": "2026-01-01T00:00:00Z"}'
        >>> history = '{"messages": [' + text + '], "max_messages": 1000}'
        >>> context = Context.from_json('{"data": {}, "chat_history": ' + history + '}')
        >>> context.chat_history[0].problem
        "a message's role is one of User, Assistant, System, not 'Tool'"

    Attributes:
        role: The role as text, ``None`` if there is none.
        content: The whole message as JSON text.
        timestamp: The time; None if it can't be read.
        problem: What is wrong with the message.
    """

    __slots__ = ("problem",)

    role: Any
    timestamp: Any
    problem: str

    @classmethod
    def from_json(cls, text: Raw, where: str = "the message") -> Self:
        """Return the odd message of a JSON text, whatever it is.

        Args:
            text: The JSON text.
            where: The place of the text, for ``problem``.
        """
        self = cls.__new__(cls)
        role, timestamp, problem = "None", None, ""
        try:
            Message.from_json(text, where)
        except ContextError as error:
            problem = str(error)
        try:
            parts = exactjson.decode(text, where)
        except ContextError:
            parts = None
        if isinstance(parts, dict):
            role = str(parts.get("role"))
            try:
                timestamp = _parse_time(parts.get("timestamp"))
            except ValueError:
                timestamp = None
        self._fill(role, bytes(text).decode(errors="backslashreplace"), timestamp, text)
        object.__setattr__(self, "problem", problem)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return (OddMessage.from_json, (self.json,))

    def __repr__(self) -> str:
        return f"OddMessage({mask_in_use().hide_text(self.content)!r})"


def _parse_time(written: Any) -> datetime:
    if not isinstance(written, str):
        raise ValueError(f"timestamp is {scrub(exactjson.show(written))[:80]}, not text")
    try:
        timestamp = datetime.fromisoformat(written)
        aware = timestamp.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"timestamp {written!r} can't be read: {error}") from error
    if timestamp.tzinfo is None:
        raise ValueError(f"timestamp {written!r} has no time zone")
    return aware


def _parse_role(role: Any) -> MessageRole:
    try:
        return MessageRole(role)
    except ValueError as error:
        known = ", ".join(MessageRole)
        raise ContextError(f"a message's role is one of {known}, not {role!r}") from error
