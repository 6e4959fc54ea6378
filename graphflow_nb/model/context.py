"""ChatHistory and Context: what a session remembers, read only when it is touched.

A context that came from a store is kept as its JSON text and split member by member when it is
touched. What was not changed is written back exactly: unknown keys, large integers and the digits
of every number included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Final, Self, overload

from msgspec import Raw

from ..arguments import is_whole
from ..errors import ContextError
from ..printable import describe_count
from . import exactjson
from .masks import DEFAULT_MASK, Mask
from .message import Message, MessageRole, OddMessage
from .validity import MAX_USIZE, Problem, find_new_problems

__all__ = ["DEFAULT_MAX_MESSAGES", "ChatHistory", "Context"]

DEFAULT_MAX_MESSAGES: Final = 1000
_EMPTY_CONTEXT = b'{"data":{},"chat_history":{"messages":[],"max_messages":1000}}'


class ChatHistory(Sequence[Message]):
    """The messages of a conversation, oldest first.

    A message that is added past ``max_messages`` drops the oldest one. As in graph-flow, the limit
    is applied when a message is added, not to messages that are stored. A stored message that can't
    be read is an ``OddMessage``; its text stays as it is.

    Example:
        >>> from graphflow_nb import ChatHistory, Message
        >>> history = ChatHistory(max_messages=2)
        >>> for text in ("one", "two", "three"):
        ...     history.add(Message("User", text))
        >>> [message.content for message in history]
        ['two', 'three']

    Args:
        messages: The first messages.
        max_messages: The number of messages to keep, 1000 as in the crate; None for no limit.

    Attributes:
        changed: Whether the history differs from its JSON text.

    Raises:
        ContextError: ``max_messages`` is invalid, or a message is not a ``Message``.
    """

    __slots__ = ("_max", "_messages", "_parts", "changed")

    def __init__(
        self,
        messages: Iterable[Message] = (),
        max_messages: int | None = DEFAULT_MAX_MESSAGES,
    ):
        if not _is_limit(max_messages) or (max_messages or 0) > MAX_USIZE:
            raise ContextError(
                f"max_messages must be an integer from 0 to {MAX_USIZE} or None, "
                f"not {max_messages!r}"
            )
        self._parts: dict[str, Raw] = {}
        self._messages: list[Raw | Message] = []
        self.changed = True
        self._max = max_messages
        for message in messages:
            self.add(message)

    @classmethod
    def from_json(cls, text: Raw | bytes) -> Self:
        """Return the history of a JSON text; each message is read when it is touched.

        Raises:
            ContextError: The text is not a chat history.
        """
        self = cls.__new__(cls)
        self._parts = exactjson.split_object(text, "chat_history")
        stored = self._parts.get("messages", Raw(b"[]"))
        self._messages = list(exactjson.split_array(stored, "chat_history.messages"))
        limit = exactjson.decode(self._parts.get("max_messages", Raw(b"null")), "max_messages")
        # One that can't be read stays in the text, and no message is dropped because of it.
        self._max = limit if _is_limit(limit) else None
        self.changed = False
        return self

    def to_json(self) -> Raw:
        """Return the JSON text; messages that were not changed keep their exact text."""
        texts = [m.json if isinstance(m, Message) else m for m in self._messages]
        parts = dict(self._parts)
        parts["messages"] = Raw(exactjson.join(texts))
        parts.setdefault("max_messages", Raw(exactjson.encode(self._max)))
        return Raw(exactjson.join(parts))

    @property
    def max_messages(self) -> int | None:
        """The number of messages to keep; None for no limit."""
        return self._max

    def add(self, message: Message) -> None:
        """Append a message and drop the oldest past ``max_messages``.

        Raises:
            ContextError: ``message`` is not a ``Message``.
        """
        if not isinstance(message, Message):
            raise ContextError(f"a chat history holds Message objects, not {message!r}")
        if isinstance(message, OddMessage):
            raise ContextError(f"graph-flow could not read this message: {message.problem}")
        self._messages.append(message)
        if self._max is not None and len(self._messages) > self._max:
            del self._messages[: len(self._messages) - self._max]
        self.changed = True

    def clear(self) -> None:
        """Remove all messages; the limit stays."""
        self._messages.clear()
        self.changed = True

    def last_messages(self, n: int) -> list[Message]:
        """Return the newest ``n`` messages, oldest first; all of them if there are fewer.

        Raises:
            ContextError: It is not an integer >= 0.
        """
        if not is_whole(n):
            raise ContextError(f"the number of messages must be an integer >= 0, not {n!r}")
        return self[max(0, len(self._messages) - n) :]

    def __len__(self) -> int:
        return len(self._messages)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> list[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | list[Message]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self._messages)))]
        text = self._messages[index]
        if isinstance(text, Message):
            return text
        where = f"chat_history.messages[{index}]"
        try:
            message = Message.from_json(text, where)
        except ContextError:  # one odd message must not hide the others
            message = OddMessage.from_json(text, where)
        self._messages[index] = message
        return message

    def __repr__(self) -> str:
        return f"<ChatHistory of {describe_count(len(self), 'message')}, at most {self._max}>"


def _is_limit(value: object) -> bool:
    return value is None or (type(value) is int and value >= 0)


class Context(MutableMapping[str, Any]):
    """The data of a session: ``data`` (string keys to JSON values) and ``chat_history``.

    A mapping over ``data``: ``context["k"]``, ``context.get("k")``, ``context.set("k", value)``,
    ``context.remove("k")``, ``context.keys()``. A value that is set is copied at once. A list or
    dict that is read can be changed in place; the change is saved with the context.

    Example:
        >>> from graphflow_nb import Context
        >>> context = Context({"amount": 120, "documents": []})
        >>> context["documents"].append("damage.jpg")
        >>> context.add_user_message("Here is the picture.")
        >>> dict(context)
        {'amount': 120, 'documents': ['damage.jpg']}

    Args:
        data: The first values.
        max_messages: The limit of the chat history, 1000 as in the crate; None for no limit.

    Attributes:
        origin: For sessions: the JSON text that a store returned; None if it was made here.
        mask: What of it is hidden in its ``repr``; see ``Session.mask``.

    Raises:
        ContextError: JSON can't hold a value (NaN, a set, a key that is not a string, a lone
            surrogate, …); the error names the key. When reading: a stored context can't be read.
    """

    __slots__ = (
        "_data",
        "_dirty",
        "_encoded",
        "_history",
        "_parts",
        "_text",
        "_values",
        "mask",
        "origin",
    )

    _history: ChatHistory | None

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        max_messages: int | None = DEFAULT_MAX_MESSAGES,
    ):
        self._start(_EMPTY_CONTEXT)
        if max_messages != DEFAULT_MAX_MESSAGES:
            self._history = ChatHistory(max_messages=max_messages)
        if not (data is None or isinstance(data, Mapping)):
            raise ContextError(f"a context's data must be a mapping, not {type(data).__name__}")
        for key, value in (data or {}).items():
            self.set(key, value)

    def _start(self, text: str | bytes) -> None:
        self._text = text
        self.origin: str | bytes | None = None
        self._dirty = False
        self._data: dict[str, Raw] | None = None
        self._parts: dict[str, Raw] = {}
        self._values: dict[str, Any] = {}
        self._encoded: dict[str, bytes] = {}
        self._history = None
        self.mask: Mask = DEFAULT_MASK

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the context of graph-flow's JSON text, which is read only when it is touched."""
        self = cls.__new__(cls)
        self._start(text)
        return self

    def to_json(self) -> str | bytes:
        """Return the JSON text; exactly the one that was read, if nothing was changed.

        Raises:
            ContextError: A value was changed in place to something that JSON can't hold.
        """
        if self._values:
            self._take_changes_in_place()
        history = self._history
        if history is not None and history.changed:
            self._open()
            self._parts["chat_history"] = history.to_json()
            history.changed = False
            self._dirty = True
        if self._dirty:
            assert self._data is not None
            self._parts["data"] = Raw(exactjson.join(self._data))
            self._text = exactjson.join(self._parts)
            self._dirty = False
        return self._text

    def _open(self) -> dict[str, Raw]:
        """Return the members of ``data``, each as its JSON text."""
        if self._data is None:
            self._parts = exactjson.split_object(self._text, "the context")
            self._data = exactjson.split_object(self._parts.get("data", Raw(b"{}")), "data")
        return self._data

    def _take_changes_in_place(self) -> None:
        # Only lists and dicts that were returned are kept in _values. Comparing the encoded forms
        # distinguishes 1 from True and 1.0, and keeps the text where nothing changed.
        data, before = self._open(), self._encoded
        for key, value in self._values.items():
            if key not in before:
                before[key] = exactjson.encode_unchecked(exactjson.decode(data[key]))
            if not exactjson.encodes_to(value, before[key]):
                encoded, text = exactjson.encode(value, f"context[{key!r}]"), data[key]
                as_encoded = bytes(text) == before[key]  # as most stores' texts are
                data[key] = Raw(encoded if as_encoded else exactjson.keep_spelling(text, encoded))
                before[key] = encoded
                self._dirty = True

    # The crate's names: set, get, remove, clear.

    def set(self, key: str, value: Any) -> None:
        """Set a value; it is copied.

        Raises:
            ContextError: JSON can't hold the value or the key; the error names the key.
        """
        if not isinstance(key, str):
            raise ContextError(
                f"a context's keys are strings, not {type(key).__name__}: use {str(key)!r}"
            )
        exactjson.encode(key, f"the key {key!r}")
        text = exactjson.encode(value, f"context[{key!r}]")
        self._open()[key] = Raw(text)
        self._forget(key)
        self._dirty = True

    def _forget(self, key: str) -> None:
        self._values.pop(key, None)
        self._encoded.pop(key, None)

    def remove(self, key: str) -> Any:
        """Remove a key and return its value; None if the key does not exist."""
        return self.pop(key, None)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the stored value of a key, after setting it to ``default`` if it is missing."""
        if key not in self:
            self.set(key, default)
        return self[key]

    def clear(self) -> None:
        """Remove all data; the chat history stays."""
        self._open().clear()
        self._values.clear()
        self._encoded.clear()
        self._dirty = True

    __setitem__ = set

    def __getitem__(self, key: str) -> Any:
        if key in self._values:
            return self._values[key]
        value = exactjson.decode(self._open()[key], f"context[{key!r}]")
        if isinstance(value, (list, dict)):
            self._values[key] = value
        return value

    def __delitem__(self, key: str) -> None:
        del self._open()[key]
        self._forget(key)
        self._dirty = True

    def __contains__(self, key: object) -> bool:
        return key in self._open()

    def __iter__(self) -> Iterator[str]:
        return iter(self._open())

    def __len__(self) -> int:
        return len(self._open())

    @property
    def chat_history(self) -> ChatHistory:
        """The chat history; messages that are added to it are saved with the context."""
        if self._history is None:
            self._open()
            stored = self._parts.get("chat_history")
            self._history = ChatHistory.from_json(
                Raw(b'{"messages":[],"max_messages":1000}') if stored is None else stored
            )
        return self._history

    def add_user_message(self, content: str) -> None:
        """Append a message with the role ``User`` to the chat history."""
        self.chat_history.add(Message(MessageRole.USER, content))

    def add_assistant_message(self, content: str) -> None:
        """Append a message with the role ``Assistant`` to the chat history."""
        self.chat_history.add(Message(MessageRole.ASSISTANT, content))

    def add_system_message(self, content: str) -> None:
        """Append a message with the role ``System`` to the chat history."""
        self.chat_history.add(Message(MessageRole.SYSTEM, content))

    def last_messages(self, n: int) -> list[Message]:
        """Return the newest ``n`` messages, oldest first."""
        return self.chat_history.last_messages(n)

    def __eq__(self, other: object) -> bool:
        """Compare as JSON: data, chat history and unknown members, numbers by value."""
        if not isinstance(other, Context):
            return NotImplemented
        mine, theirs = self.to_json(), other.to_json()
        return mine == theirs or exactjson.equal(
            exactjson.decode_exact(mine), exactjson.decode_exact(theirs)
        )

    __hash__ = None  # type: ignore[assignment]

    def mark_saved(self) -> None:
        """Note that a store has the JSON text that was returned last; for sessions."""
        self.origin = self._text

    def find_new_problems(self) -> list[Problem]:
        """Return what was changed here to what graph-flow could not read, or would respell.

        Raises:
            ContextError: A value was changed in place to something that JSON can't hold.
        """
        text = self.to_json()
        return [] if text == self.origin else find_new_problems(self.origin, text)

    def __copy__(self) -> Self:
        twin = type(self).from_json(self.to_json())
        twin.origin, twin.mask = self.origin, self.mask
        return twin

    def __deepcopy__(self, memo: object) -> Self:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        if self.mask is DEFAULT_MASK:
            return (Context.from_json, (self.to_json(),))
        return (_read_masked, (self.to_json(), self.mask))

    def __repr__(self) -> str:
        # What a person sees is masked; ``dict(context)`` and each value are as they are.
        shown = self.mask.hide_object(dict(self), ("context", "data"))
        return f"Context({shown!r}, {self.chat_history!r})"


def _read_masked(text: str, mask: Mask) -> Context:
    context = Context.from_json(text)
    context.mask = mask
    return context
