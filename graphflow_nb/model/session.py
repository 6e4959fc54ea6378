"""Session: one run of a workflow, in graph-flow's exact JSON form.

Pure: no I/O, no loop. Field names, defaults and the JSON form are those of graph-flow 0.5 and 0.6
(``storage.rs`` of the crate).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from datetime import datetime
from typing import Any, NamedTuple, Self

from msgspec import Raw

from ..errors import ContextError, SessionFormatError
from ..secret_texts import scrub
from . import exactjson
from .context import Context
from .masks import DEFAULT_MASK, Mask
from .times import datetime_of
from .validity import Problem

__all__ = ["Seen", "Session", "mark_saved", "stored_session"]


class Seen(NamedTuple):
    """The stored state that a session was read in, or saved as.

    Attributes:
        store: The ``identity`` of the storage that returned it.
        version: The version in that state. A session whose version was set by hand since was not
            read in the state that it claims.
        mark: What identifies the state beside the version, such as a digest of the stored text.
    """

    store: str
    version: int
    mark: int | str


class Session:
    """One run of a workflow, as its store keeps it.

    ``created_at`` and ``updated_at`` are the store's times (aware, UTC), None where it knows none.

    Example:
        >>> from graphflow_nb import Session
        >>> session = Session("claim-1", "intake", graph_id="claims", context={"amount": 120})
        >>> session.current_task_id = "payout"
        >>> session
        Session('claim-1', 'payout', graph_id='claims', version=0)

    Args:
        id: The id, unique in its store; any text (a UUID where the table's id column is one).
        current_task_id: The task that runs next.
        graph_id: The graph that the session runs; ``"default"`` as in the crate.
        status_message: The status that the last task reported.
        context: The data and chat history, copied. Default: empty.
        version: The version; 0 for a new session. A store increments it with each save. On a table
            without a version column the id of the row's last transaction (``xmin``) replaces it.

    Attributes:
        raw_created, raw_updated: For storages: the store's times in the storage's own form, an
            aware datetime or int µs since 1970 UTC; None where unknown.
        extra: For storages: members of the stored JSON that graph-flow does not define, by name,
            as JSON text; None without any.
        seen: For storages: the stored state that was read; None where no storage returned it.
        expires_in: For storages: the milliseconds after which the store was going to drop the
            session when it was read, 0 for never; None where that was not asked.

    Raises:
        ContextError: JSON can't hold a value of the context.
        SessionFormatError: ``version`` is invalid.
    """

    __slots__ = (
        "_context",
        "_expires_in",
        "_mask",
        "_stored",
        "current_task_id",
        "extra",
        "graph_id",
        "id",
        "raw_created",
        "raw_updated",
        "seen",
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
        if isinstance(context, Context):
            self.context = context
        else:
            self._context = Context(context)
        if type(version) is not int or version < 0:
            raise SessionFormatError(
                f"a session's version must be an integer >= 0, not {version!r}"
            )
        self.version = version
        self._stored = version > 0
        self.raw_created: datetime | int | None = None
        self.raw_updated: datetime | int | None = None
        self.extra: dict[str, Raw] | None = None
        self.seen: Seen | None = None

    @classmethod
    def new_from_task(cls, id: str, task: str) -> Self:
        """Return a new session at ``task`` in the graph ``"default"`` (as in the crate)."""
        return cls(id, task)

    @property
    def context(self) -> Context:
        """The data and the chat history."""
        context = self._context
        if not isinstance(context, Context):
            text = context
            context = self._context = Context.from_json(text)
            context.origin = text
            context.mask = self.mask
        return context

    @context.setter
    def context(self, context: Context) -> None:
        if not isinstance(context, Context):
            raise ContextError("a session's context is a Context, e.g. Context({'key': 'value'})")
        self._context = copy(context)
        if self.mask is not DEFAULT_MASK:
            self._context.mask = self.mask
        elif context.mask is not DEFAULT_MASK:  # of the session from which it is
            self._mask = context.mask

    @property
    def is_new(self) -> bool:
        """Whether no store has returned or saved this session yet."""
        return not self._stored and self.version == 0

    @property
    def created_at(self) -> datetime | None:
        """The time of the first save, by the store's clock; None where the store keeps none."""
        return datetime_of(self.raw_created)

    @property
    def updated_at(self) -> datetime | None:
        """The time of the last save, by the store's clock; None where the store keeps none."""
        return datetime_of(self.raw_updated)

    @property
    def mask(self) -> Mask:
        """What of the session is hidden where it is shown; that of the workbench that read it."""
        return getattr(self, "_mask", DEFAULT_MASK)  # left unset, as the next one

    @mask.setter
    def mask(self, mask: Mask) -> None:
        self._mask = mask
        if isinstance(self._context, Context):
            self._context.mask = mask

    @property
    def expires_in(self) -> int | None:
        """The time until the session expires; see the attributes.

        Redis reports it in ``query``, and keeps it in ``restore`` and ``import_many``.
        """
        # Left unset by most reads, so that none of them pays for it.
        return getattr(self, "_expires_in", None)

    @expires_in.setter
    def expires_in(self, milliseconds: int | None) -> None:
        self._expires_in = milliseconds

    def copy(self, id: str | None = None) -> Session:
        """Return a new session (version 0) with the same content.

        Args:
            id: The id of the new session. Default: the same id.
        """
        twin = Session(
            self.id if id is None else id,
            self.current_task_id,
            graph_id=self.graph_id,
            status_message=self.status_message,
            context=self.context,
        )
        twin.extra = self.extra
        if self.mask is not DEFAULT_MASK:
            twin.mask = self.mask
        return twin

    def __copy__(self) -> Session:
        """Return the same session at the same version, with a context of its own."""
        twin = self.with_context_json(self.context_json())
        if isinstance(self._context, Context) and self._context.origin is None:
            twin.context = self._context  # no store has it, so a save checks it as a whole
        return twin

    def find_new_problems(self) -> list[Problem]:
        """Return what was changed or made here and graph-flow could not read, or would respell.

        What a store returned like that is not among it.

        Raises:
            ContextError: A value was changed in place to something that JSON can't hold.
        """
        context = self._context
        return context.find_new_problems() if isinstance(context, Context) else []

    def context_json(self) -> str | bytes:
        """Return the context's JSON text, without reading it if it was never touched."""
        # Not by isinstance(…, Context): that is slow for an abstract base class.
        context = self._context
        return context if isinstance(context, (str, bytes)) else context.to_json()

    def with_context_json(self, text: str | bytes) -> Session:
        """Return the same session at the same version with another context, which is not read."""
        twin = stored_session(
            self.id,
            self.graph_id,
            self.current_task_id,
            self.status_message,
            text,
            self.version,
            self.raw_created,
            self.raw_updated,
            self.extra,
            self.seen,
            stored=self._stored,
        )
        if self.expires_in is not None:
            twin.expires_in = self.expires_in
        if self.mask is not DEFAULT_MASK:
            twin.mask = self.mask
        return twin

    def to_json(self, *, version: bool = True) -> str:
        """Return graph-flow's JSON form of the session.

        Args:
            version: False omits ``version``, as graph-flow before 0.6 did.
        """
        parts = {
            name: Raw(exactjson.encode(getattr(self, name), name))
            for name in ("id", "graph_id", "current_task_id", "status_message")
        }
        context = self.context_json()
        parts["context"] = Raw(context.encode() if isinstance(context, str) else context)
        if version:
            parts["version"] = Raw(str(self.version).encode())
        return exactjson.join(parts | (self.extra or {})).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the session of graph-flow's JSON form; a missing ``version`` is 0.

        Unknown members are kept, and ``to_json`` writes them again. It says nothing of the store
        that it came from, so a save compares its version alone, as graph-flow does.

        Raises:
            SessionFormatError: The text is not a JSON object, or a member is missing or has the
                wrong type.
        """
        try:
            parts = exactjson.split_object(text, "the session")
            fields: dict[str, Any] = {
                name: exactjson.decode(parts.pop(name, Raw(b"null")), name)
                for name in ("id", "graph_id", "current_task_id", "status_message", "version")
            }
        except ContextError as error:
            raise SessionFormatError(f"this is not a session: {error}") from error
        fields["version"] = fields["version"] or 0
        for name, value in fields.items():
            kind: type = int if name == "version" else str
            optional = name == "status_message" and value is None
            negative = type(value) is int and value < 0
            if not optional and (type(value) is not kind or negative):
                shown = scrub(repr(value))
                raise SessionFormatError(
                    f"this is not a session: {name} is {shown}, but must be "
                    + ("an integer >= 0" if kind is int else "text")
                )
        context = parts.pop("context", None)
        if context is None or not bytes(context).startswith(b"{"):
            raise SessionFormatError("this is not a session: context is missing or not an object")
        session = cls(**fields, context=Context.from_json(bytes(context)))
        session.extra = parts or None
        return session

    def __repr__(self) -> str:
        text = self.mask.hide_in(self.status_message or "")
        status = f", status_message={text!r}" if text else ""
        return (
            f"Session({self.id!r}, {self.current_task_id!r}, graph_id={self.graph_id!r}{status}, "
            f"version={self.version})"
        )

    @staticmethod
    def from_store(
        id: str,
        graph_id: str,
        current_task_id: str,
        status_message: str | None,
        context: str | bytes,
        version: int,
        created: datetime | int | None,
        updated: datetime | int | None,
        extra: dict[str, Raw] | None = None,
        seen: Seen | None = None,
        stored: bool = True,
    ) -> Session:
        """Return a session as a storage's ``get`` returns it; for storages.

        This is the hot path of every read, so nothing is checked or parsed.

        Args:
            id, graph_id, current_task_id, status_message, version: The columns.
            context: The context's JSON text.
            created, updated: The store's times: aware datetimes or µs since 1970 UTC.
            extra, seen: See the attributes.
            stored: False for a copy of a session that no store has saved yet.
        """
        self = _new(Session)
        self.id = id
        self.graph_id = graph_id
        self.current_task_id = current_task_id
        self.status_message = status_message
        self._context = context
        self.version = version
        self._stored = stored
        self.raw_created = created
        self.raw_updated = updated
        self.extra = extra
        self.seen = seen
        return self

    def mark_saved(
        self,
        version: int,
        created: datetime | int | None,
        updated: datetime | int | None,
        seen: Seen | None = None,
    ) -> None:
        """Set the version and times in place after a successful save; for storages.

        Args:
            version: The version that is stored now.
            created, updated: The store's times: aware datetimes or µs since 1970 UTC.
            seen: See the attributes.
        """
        self.version = version
        self._stored = True
        context = self._context
        if not isinstance(context, (str, bytes)):
            context.mark_saved()
        self.raw_created = created
        self.raw_updated = updated
        self.seen = seen


_new = object.__new__

# Plain functions: the storages call them for every session.
stored_session = Session.from_store
mark_saved = Session.mark_saved
