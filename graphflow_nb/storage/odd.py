"""Odd rows: what a store holds under an id that is not a session as graph-flow writes it.

One such row must not hide the others. A page shows it with the cells that can be read and names it
in ``Table.problems``; ``query`` leaves it out and names it in ``Found.problems``; ``get`` raises
``SessionFormatError``; ``raw`` returns what is stored, and ``delete`` deletes it. A cell that can't
be read matches no filter, and a time that can't be read is ordered as an unknown one.

An id that is not text has a name: ``b'\\xff'`` for text that is not UTF-8, and in SQLite
``x'ff'`` for a blob, ``CAST(7 AS INTEGER)`` for a number and ``NULL (rowid 7)`` for NULL. ``raw``
and the deletes take such a name, where no session has it as its id.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Final

from ..errors import ContextError, SessionFormatError
from ..model import Session, exactjson
from ..secret_texts import scrub
from .table import NotedList

__all__ = [
    "NAME_MARKS",
    "NO_VERSION",
    "Found",
    "bytes_of_name",
    "context_problem",
    "describe",
    "format_error",
    "name_of_bytes",
    "problems_of",
    "readable_text",
]

#: The version of an odd session in a table where its own can't be read. No session has it, so a
#: delete at this version deletes nothing.
NO_VERSION: Final = -1

#: How the name of an id begins that is not UTF-8.
NAME_MARKS: Final = ("b'", 'b"')

_MAX_SHOWN: Final = 80
_MAX_READ: Final = 1_000  # of a value, for secrets in it


class Found(NotedList[Session]):
    """The sessions that a query found, in order.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, Query, Session
        >>> storage = InMemorySessionStorage.from_sessions([Session("claim-1", "intake")])
        >>> from graphflow_nb.storage import problems_of
        >>> problems_of(await storage.query(Query()))
        {}

    Args:
        sessions: The sessions.
        problems: What is wrong with each row that is not a session, by its id. Such rows are not
            in the list, and don't count for the query's limit.
        note: A remark on this answer; None for none.

    Attributes:
        problems, note: As passed.
    """

    def __init__(
        self,
        sessions: Iterable[Session] = (),
        problems: Mapping[str, str] | None = None,
        note: str | None = None,
    ):
        super().__init__(sessions, note)
        self.problems = dict(problems or {})


def problems_of(sessions: object) -> dict[str, str]:
    """Return what is wrong with the rows that a query left out, by id; empty if it says nothing."""
    return sessions.problems if isinstance(sessions, Found) else {}


def describe(value: object) -> str:
    """Return a stored value for an error, cut where it is long, without secrets."""
    read = value[:_MAX_READ] if isinstance(value, (str, bytes)) else value
    text = scrub(repr(read))
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def format_error(id: str, problem: str) -> SessionFormatError:
    """Return the error for a row that is not a session."""
    return SessionFormatError(
        f"what is stored under the id {id!r} is not a session: {problem}. It was not changed; "
        f"wb.raw({id!r}) shows it as it is stored, wb.delete({id!r}, undo=False) deletes it"
    )


def name_of_bytes(data: bytes) -> str:
    """Return the name of an id that is not UTF-8.

    Example:
        >>> name_of_bytes(b"claim-\\xff")
        "b'claim-\\\\xff'"
    """
    return repr(data)


def bytes_of_name(name: str) -> bytes | None:
    """Return the bytes that ``name_of_bytes`` named; None if the text is not such a name."""
    if not name.startswith(NAME_MARKS):
        return None
    try:
        data = ast.literal_eval(name)
        data.decode()
    except UnicodeDecodeError:
        return bytes(data)
    except (ValueError, SyntaxError, MemoryError, RecursionError, AttributeError):
        pass
    return None


def readable_text(data: bytes) -> str:
    """Return bytes as text, with ``\\xff`` for what is not UTF-8."""
    return data.decode(errors="backslashreplace")


def context_problem(context: object) -> str:
    """Return why a stored context is not the text of a JSON object; empty if it is one."""
    if type(context) is str and exactjson.is_object(context):  # nearly every one
        return ""
    if isinstance(context, bytes):
        try:
            context = context.decode()
        except UnicodeDecodeError as error:
            return f"context is text that is not UTF-8, at byte {error.start:,}"
    if isinstance(context, str) and context.lstrip()[:1] == "{":
        try:
            exactjson.split_object(context, "context")
        except ContextError as error:
            return str(error)
        return ""
    return f"context is {describe(context)}, not a JSON object"
