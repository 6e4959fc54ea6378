"""Session, Context, ChatHistory and Message: graph-flow's records and their exact JSON form.

Pure: no I/O, no loop. The field names, defaults and the JSON form are those of graph-flow 0.5 and
0.6 (``storage.rs`` and ``context.rs`` of the crate).

A context that came from a store is kept as the text that it was and read only when touched, member
by member. What nobody touched is written back as it was read: unknown keys, large integers and the
digits of every number included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Self, overload

from msgspec import Raw

from ..errors import ContextError, SessionFormatError
from . import exactjson

__all__ = ["ChatHistory", "Context", "Message", "MessageRole", "Session"]

DEFAULT_MAX_MESSAGES = 1000
_EMPTY_CONTEXT = b'{"data":{},"chat_history":{"messages":[],"max_messages":1000}}'
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MessageRole(StrEnum):
    """Who said it; the three roles that graph-flow knows."""

    USER = "User"
    ASSISTANT = "Assistant"
    SYSTEM = "System"


class Message:
    """One chat message; immutable.

    Args:
        role: who said it.
        content: the text.
        timestamp: when, timezone-aware; now if left out. graph-flow writes nanoseconds: a message
            that was read from a store keeps them in its JSON, ``timestamp`` shows microseconds.

    Raises:
        ContextError: the role is unknown, or the content is no text that JSON can hold.
    """

    __slots__ = ("_raw", "content", "role", "timestamp")

    _raw: Raw
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
        role = _role(role)
        text = timestamp.isoformat().replace("+00:00", "Z")
        raw = exactjson.encode(
            {"role": role.value, "content": content, "timestamp": text}, "the message"
        )
        self._fill(role, content, timestamp, Raw(raw))

    def _fill(self, role: MessageRole, content: str, timestamp: datetime, raw: Raw) -> None:
        for name, value in zip(self.__slots__, (raw, content, role, timestamp), strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def _read(cls, raw: Raw, where: str) -> Self:
        parts = exactjson.decode(raw, where)
        try:
            role, content, text = parts["role"], parts["content"], parts["timestamp"]
            timestamp = datetime.fromisoformat(text)
            if timestamp.tzinfo is None:
                raise ValueError("the timestamp has no time zone")
            timestamp = timestamp.astimezone(UTC)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ContextError(
                f"{where} is no message of role, content and RFC 3339 timestamp: {error!r}"
            ) from error
        message = cls.__new__(cls)
        message._fill(_role(role), content, timestamp, raw)
        return message

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a message can't be changed: make a new one with another {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return (Message._read, (self._raw, "the message"))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return self._raw == other._raw or (
            (self.role, self.content, self.timestamp)
            == (other.role, other.content, other.timestamp)
        )

    def __hash__(self) -> int:
        return hash((self.role, self.content, self.timestamp))

    def __repr__(self) -> str:
        return f"Message({self.role.value!r}, {self.content!r}, {self.timestamp.isoformat()!r})"


def _role(role: str) -> MessageRole:
    try:
        return MessageRole(role)
    except ValueError as error:
        known = ", ".join(MessageRole)
        raise ContextError(f"a message's role is one of {known}, not {role!r}") from error


class ChatHistory(Sequence[Message]):
    """The messages of a conversation, oldest first; past ``max_messages`` the oldest are dropped.

    As in graph-flow, the limit is applied when a message is added, not to messages that are there.

    Args:
        messages: to begin with.
        max_messages: how many are kept (1000 as in the crate); None for no limit.
    """

    __slots__ = ("_max", "_messages", "_parts", "changed")

    def __init__(
        self,
        messages: Iterable[Message] = (),
        max_messages: int | None = DEFAULT_MAX_MESSAGES,
    ):
        if not _is_limit(max_messages):
            raise ContextError(f"max_messages is a count or None, not {max_messages!r}")
        self._parts: dict[str, Raw] = {}
        self._messages: list[Raw | Message] = []
        self.changed = True
        self._max = max_messages
        for message in messages:
            self.add(message)

    @classmethod
    def _read(cls, raw: Raw | bytes) -> Self:
        history = cls.__new__(cls)
        history._parts = exactjson.split_object(raw, "chat_history")
        stored = history._parts.get("messages", Raw(b"[]"))
        history._messages = list(exactjson.split_array(stored, "chat_history.messages"))
        limit = exactjson.decode(history._parts.get("max_messages", Raw(b"null")), "max_messages")
        if not _is_limit(limit):
            raise ContextError(f"chat_history.max_messages is a count or null, not {limit!r}")
        history._max = limit
        history.changed = False
        return history

    def _encode(self) -> Raw:
        texts = [m._raw if isinstance(m, Message) else m for m in self._messages]
        parts = dict(self._parts)
        parts["messages"] = Raw(exactjson.join(texts))
        parts["max_messages"] = Raw(exactjson.encode(self._max))
        return Raw(exactjson.join(parts))

    @property
    def max_messages(self) -> int | None:
        """How many messages are kept; None for no limit."""
        return self._max

    def add(self, message: Message) -> None:
        """Append a message; the oldest are dropped past ``max_messages``."""
        if not isinstance(message, Message):
            raise ContextError(f"a chat history holds Message objects, not {message!r}")
        self._messages.append(message)
        if self._max is not None and len(self._messages) > self._max:
            del self._messages[: len(self._messages) - self._max]
        self.changed = True

    def clear(self) -> None:
        """Drop all messages; the limit stays."""
        self._messages.clear()
        self.changed = True

    def last_messages(self, n: int) -> list[Message]:
        """The newest ``n`` messages, oldest first; all of them if there are fewer."""
        return self[max(0, len(self._messages) - max(0, n)) :]

    def __len__(self) -> int:
        return len(self._messages)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> list[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | list[Message]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self._messages)))]
        message = self._messages[index]
        if not isinstance(message, Message):
            message = Message._read(message, f"chat_history.messages[{index}]")
            self._messages[index] = message
        return message

    def __repr__(self) -> str:
        return f"<ChatHistory of {len(self)} messages, at most {self._max}>"


def _is_limit(value: object) -> bool:
    return value is None or (type(value) is int and value >= 0)


class Context(MutableMapping[str, Any]):
    """What a session remembers: ``data`` (string keys to JSON values) and ``chat_history``.

    A mapping over ``data``: ``context["k"]``, ``context.get("k")``, ``context.set("k", value)``,
    ``context.remove("k")``, ``context.keys()``. A value that is set is copied at once; a list or
    dict that is got can be changed in place and is saved so.

    Args:
        data: values to begin with.
        max_messages: limit of the chat history, 1000 as in the crate; None for no limit.

    Raises:
        ContextError: a value that JSON can't hold (NaN, a set, a key that is no string, a lone
            surrogate, …), naming the key; on reading, a stored context that can't be read.
    """

    __slots__ = ("_data", "_dirty", "_encoded", "_history", "_parts", "_text", "_values")

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
            raise ContextError(f"a context's data are a mapping, not {type(data).__name__}")
        for key, value in (data or {}).items():
            self.set(key, value)

    def _start(self, text: str | bytes) -> None:
        self._text = text
        self._dirty = False
        self._data: dict[str, Raw] | None = None
        self._parts: dict[str, Raw] = {}
        self._values: dict[str, Any] = {}
        self._encoded: dict[str, bytes] = {}
        self._history = None

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """A context of graph-flow's JSON text, which is read only when it is touched."""
        context = cls.__new__(cls)
        context._start(text)
        return context

    def to_json(self) -> str | bytes:
        """The JSON text; exactly the one that was read, if nothing was changed.

        Raises:
            ContextError: a value was changed in place to something that JSON can't hold.
        """
        if self._values:
            self._take_changes_in_place()
        history = self._history
        if history is not None and history.changed:
            self._open()
            self._parts["chat_history"] = history._encode()
            history.changed = False
            self._dirty = True
        if self._dirty:
            assert self._data is not None
            self._parts["data"] = Raw(exactjson.join(self._data))
            self._text = exactjson.join(self._parts)
            self._dirty = False
        return self._text

    def _open(self) -> dict[str, Raw]:
        """The members of ``data``, each as its text."""
        if self._data is None:
            self._parts = exactjson.split_object(self._text, "the context")
            self._data = exactjson.split_object(self._parts.get("data", Raw(b"{}")), "data")
        return self._data

    def _take_changes_in_place(self) -> None:
        # Only lists and dicts that were handed out are kept in _values. Comparing the encoded
        # forms tells 1 from True and 1.0, and leaves the text alone where nothing changed.
        data, before = self._open(), self._encoded
        for key, value in self._values.items():
            if key not in before:
                before[key] = exactjson.encode_unchecked(exactjson.decode(data[key]))
            if not exactjson.encodes_to(value, before[key]):
                data[key] = Raw(exactjson.encode(value, f"context[{key!r}]"))
                before[key] = bytes(data[key])
                self._dirty = True

    # The crate's names: set, get, remove, clear.

    def set(self, key: str, value: Any) -> None:
        """Set a value, copied; raises ContextError naming the key if JSON can't hold it."""
        if not isinstance(key, str):
            raise ContextError(
                f"a context's keys are strings, not {type(key).__name__}: say {str(key)!r}"
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
        """Remove a key and return its value, or None if there was none."""
        return self.pop(key, None)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a key, set to ``default`` if there is none; what is returned is stored."""
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
        """The conversation; what is added to it is saved with the context."""
        if self._history is None:
            self._open()
            stored = self._parts.get("chat_history")
            self._history = ChatHistory._read(
                Raw(b'{"messages":[],"max_messages":1000}') if stored is None else stored
            )
        return self._history

    def add_user_message(self, content: str) -> None:
        """Append a message of the user to the chat history."""
        self.chat_history.add(Message(MessageRole.USER, content))

    def add_assistant_message(self, content: str) -> None:
        """Append a message of the assistant to the chat history."""
        self.chat_history.add(Message(MessageRole.ASSISTANT, content))

    def add_system_message(self, content: str) -> None:
        """Append a message of the system to the chat history."""
        self.chat_history.add(Message(MessageRole.SYSTEM, content))

    def last_messages(self, n: int) -> list[Message]:
        """The newest ``n`` messages, oldest first."""
        return self.chat_history.last_messages(n)

    def __eq__(self, other: object) -> bool:
        """Equal as JSON: data, chat history and unknown members, numbers by value."""
        if not isinstance(other, Context):
            return NotImplemented
        mine, theirs = self.to_json(), other.to_json()
        return mine == theirs or exactjson.equal(
            exactjson.decode_exact(mine), exactjson.decode_exact(theirs)
        )

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> Self:
        return type(self).from_json(self.to_json())

    def __deepcopy__(self, memo: object) -> Self:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        return (Context.from_json, (self.to_json(),))

    def __repr__(self) -> str:
        return f"Context({dict(self)!r}, {self.chat_history!r})"


class Session:
    """One run of a workflow, as its store keeps it.

    Args:
        id: unique in its store; any text (a UUID where the table's id column is one).
        graph_id: which graph it runs; ``"default"`` as in the crate.
        current_task_id: the task at which it stands.
        status_message: what the last task said of itself.
        context: data and chat history, copied; empty if left out.
        version: 0 for a new session; a store moves it on with each save. On a table without a
            version column the id of the row's last transaction (``xmin``) stands in for it.

    ``created_at`` and ``updated_at`` are the store's times (aware, UTC), None where it knows none.
    """

    __slots__ = (
        "_context",
        "_created",
        "_extra",
        "_seen",
        "_stored",
        "_updated",
        "current_task_id",
        "graph_id",
        "id",
        "status_message",
        "version",
    )

    def __init__(
        self,
        id: str,
        current_task_id: str,
        *,
        graph_id: str = "default",
        status_message: str | None = None,
        context: Context | Mapping[str, Any] | None = None,
        version: int = 0,
    ):
        self.id = id
        self.graph_id = graph_id
        self.current_task_id = current_task_id
        self.status_message = status_message
        self._context: Context | str | bytes
        # A copy, since two sessions that share a context would be saved with each other's changes.
        self._context = copy(context) if isinstance(context, Context) else Context(context)
        if type(version) is not int or version < 0:
            raise SessionFormatError(f"a session's version is a count, not {version!r}")
        self.version = version
        self._stored = version > 0
        self._created: datetime | int | None = None
        self._updated: datetime | int | None = None
        self._extra: dict[str, Raw] | None = None
        # By what the store that handed it out knows that it is still what is stored there, where
        # the version is not enough for that.
        self._seen: tuple[int, str] | None = None

    @classmethod
    def new_from_task(cls, id: str, task: str) -> Self:
        """A new session at ``task`` in the graph ``"default"`` (crate: ``new_from_task``)."""
        return cls(id, task)

    @property
    def context(self) -> Context:
        """Data and chat history."""
        context = self._context
        if not isinstance(context, Context):
            context = self._context = Context.from_json(context)
        return context

    @context.setter
    def context(self, context: Context) -> None:
        if not isinstance(context, Context):
            raise ContextError("a session's context is a Context, e.g. Context({'key': 'value'})")
        self._context = copy(context)

    @property
    def is_new(self) -> bool:
        """Whether no store has handed this session out or taken it in yet."""
        return not self._stored and self.version == 0

    @property
    def created_at(self) -> datetime | None:
        """When the store first took it in; None where the store keeps no such time."""
        return _datetime(self._created)

    @property
    def updated_at(self) -> datetime | None:
        """When the store last took it in; None where the store keeps no such time."""
        return _datetime(self._updated)

    def copy(self, id: str | None = None) -> Session:
        """A new session (version 0) with the same content, under another id if one is given."""
        twin = Session(
            self.id if id is None else id,
            self.current_task_id,
            graph_id=self.graph_id,
            status_message=self.status_message,
            context=Context.from_json(self.context_json()),
        )
        twin._extra = self._extra
        return twin

    def __copy__(self) -> Session:
        """The same session at the same version, with a context of its own."""
        twin = self.copy()
        twin.version, twin._stored = self.version, self._stored
        twin._created, twin._updated = self._created, self._updated
        twin._seen = self._seen
        return twin

    def context_json(self) -> str | bytes:
        """The context's JSON text, without reading it if it was never touched."""
        context = self._context
        return context.to_json() if isinstance(context, Context) else context

    def to_json(self, *, version: bool = True) -> str:
        """graph-flow's JSON form of a session.

        Args:
            version: False leaves ``version`` out, as graph-flow before 0.6 wrote it.
        """
        parts = {
            name: Raw(exactjson.encode(getattr(self, name), name))
            for name in ("id", "graph_id", "current_task_id", "status_message")
        }
        context = self.context_json()
        parts["context"] = Raw(context.encode() if isinstance(context, str) else context)
        if version:
            parts["version"] = Raw(str(self.version).encode())
        return exactjson.join(parts | (self._extra or {})).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """A session of graph-flow's JSON form; ``version`` may be missing (then 0).

        Unknown members are kept and written again by ``to_json``.

        Raises:
            SessionFormatError: a member is missing or of the wrong type, or it is no JSON object.
        """
        try:
            parts = exactjson.split_object(text, "the session")
            fields: dict[str, Any] = {
                name: exactjson.decode(parts.pop(name, Raw(b"null")), name)
                for name in ("id", "graph_id", "current_task_id", "status_message", "version")
            }
        except ContextError as error:
            raise SessionFormatError(f"this is no session: {error}") from error
        fields["version"] = fields["version"] or 0
        for name, value in fields.items():
            kind: type = int if name == "version" else str
            optional = name == "status_message" and value is None
            negative = type(value) is int and value < 0
            if not optional and (type(value) is not kind or negative):
                raise SessionFormatError(
                    f"this is no session: {name} is {value!r}, but must be "
                    + ("a count" if kind is int else "text")
                )
        context = parts.pop("context", None)
        if context is None or not bytes(context).startswith(b"{"):
            raise SessionFormatError("this is no session: context is missing or no object")
        session = cls(**fields, context=Context.from_json(bytes(context)))
        session._extra = parts or None
        return session

    def __repr__(self) -> str:
        status = f", status_message={self.status_message!r}" if self.status_message else ""
        return (
            f"Session({self.id!r}, {self.current_task_id!r}, graph_id={self.graph_id!r}{status}, "
            f"version={self.version})"
        )


def stored_session(
    id: str,
    graph_id: str,
    current_task_id: str,
    status_message: str | None,
    context: str | bytes,
    version: int,
    created: datetime | int | None,
    updated: datetime | int | None,
) -> Session:
    """A session as a store hands it out: for storages. Times are aware datetimes or µs since 1970.

    This is the hot path of every read, so nothing is checked or parsed.
    """
    session = _new(Session)
    session.id = id
    session.graph_id = graph_id
    session.current_task_id = current_task_id
    session.status_message = status_message
    session._context = context
    session.version = version
    session._stored = True
    session._created = created
    session._updated = updated
    session._extra = None
    session._seen = None
    return session


_new = object.__new__


def mark_saved(
    session: Session, version: int, created: datetime | int | None, updated: datetime | int | None
) -> None:
    """Move a session on in place after a good save: for storages."""
    session.version = version
    session._stored = True
    session._created = created
    session._updated = updated
    session._seen = None


def _datetime(value: datetime | int | None) -> datetime | None:
    if isinstance(value, int):
        return _EPOCH + timedelta(microseconds=value)
    # asyncpg's naive datetimes stand for PostgreSQL's infinities.
    return value if value is not None and value.tzinfo is not None else None
