"""Checks that refuse what a store can't hold, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol, runtime_checkable

from ..errors import QueryError, ReadOnlyError, StorageError
from ..model import Session

__all__ = [
    "MOST_CONNECTIONS",
    "WRITABLE",
    "check_callables",
    "check_ids_once",
    "check_no_table",
    "check_no_extra",
    "check_number",
    "check_seconds",
    "check_text",
    "check_texts",
    "describe_not_kept",
    "refuse_write",
]

#: The most connections that a storage holds: a server of others has few hundreds for all.
MOST_CONNECTIONS: Final = 1_000
#: The most seconds that an option can name: eleven days, which every driver and server can hold.
MOST_SECONDS: Final = 1_000_000

#: How writing is asked for, wherever a store is opened by its URL.
WRITABLE: Final = "graphflow_nb.open(url, writable=True)"


def refuse_write(place: object) -> ReadOnlyError:
    """Return the error for a write to a store that was opened for reading only.

    Args:
        place: The store, in words that show no secret.
    """
    return ReadOnlyError(
        f"{place} was opened for reading only: nothing was written. To write there, open it with "
        f"writable=True: {WRITABLE}"
    )


def check_texts(session: Session, *, nul: bool) -> None:
    """Raise StorageError if a field of a session is not a text that the store can hold.

    Example:
        >>> from graphflow_nb import Session
        >>> from graphflow_nb.storage import check_texts
        >>> check_texts(Session("claim-1", "in\\0take"), nul=False)
        Traceback (most recent call last):
        graphflow_nb.errors.StorageError: current_task_id holds the character U+0000, ...

    Args:
        session: The session that is to be saved.
        nul: Whether the store can hold the character U+0000 in a text.

    Raises:
        StorageError: The error names the field.
    """
    id, graph, task = session.id, session.graph_id, session.current_task_id
    status = session.status_message
    # In most sessions all are ASCII. Four calls would take a tenth of a save in memory.
    if (
        nul
        and type(id) is str
        and type(graph) is str
        and type(task) is str
        and id.isascii()
        and graph.isascii()
        and task.isascii()
        and (status is None or (type(status) is str and status.isascii()))
    ):
        return
    check_text(id, "id", nul=nul)
    check_text(graph, "graph_id", nul=nul)
    check_text(task, "current_task_id", nul=nul)
    if status is not None:
        check_text(status, "status_message", nul=nul)


def check_text(value: object, name: str, *, nul: bool) -> None:
    """Raise StorageError if a value is not a text that the store can hold.

    Args:
        value: The value.
        name: The name of the value, for errors.
        nul: Whether the store can hold the character U+0000 in a text.
    """
    if nul and type(value) is str and value.isascii():
        return
    if not isinstance(value, str):
        raise StorageError(
            f"{name} must be text, not {type(value).__name__}: {value!r}", nothing_written=True
        )
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise StorageError(
                f"{name} holds a lone surrogate at position {error.start}, which no store can hold",
                nothing_written=True,
            ) from error
    if not nul and "\0" in value:
        raise StorageError(
            f"{name} holds the character U+0000, which this store can't hold", nothing_written=True
        )


def check_no_extra(session: Session) -> None:
    """Raise StorageError if a session has members that graph-flow does not define.

    For a store with a column for each field: what it has no column for would be lost.

    Args:
        session: The session that is to be saved.
    """
    if session.extra:
        raise StorageError(
            "the session has members that this store has no column for: "
            f"{', '.join(session.extra)}; session.copy() keeps them, so remove them from the JSON "
            "first",
            nothing_written=True,
        )


def describe_not_kept(table: str, columns: Sequence[str], tied: Sequence[str] = ()) -> str:
    """Return what of a deleted session the journal does not keep; empty for nothing.

    Args:
        table: The name of the table.
        columns: The columns of the table that are not graph-flow's.
        tied: The tables whose rows the database changes or deletes together with a session.
    """
    lost = []
    if columns:
        lost.append(f"{table} has columns that the journal does not keep ({', '.join(columns)})")
    if tied:
        lost.append(f"the database changes rows of {', '.join(tied)} with each deleted session")
    return " and ".join(lost)


def check_seconds(name: str, value: object) -> None:
    """Raise StorageError if an option is no time that one can wait for.

    Args:
        name: The name of the option.
        value: Its value.
    """
    if isinstance(value, bool) or not (
        isinstance(value, (int, float)) and 0 < value <= MOST_SECONDS
    ):
        raise StorageError(
            f"{name}= must be a number of seconds above 0, at most {MOST_SECONDS:,}, not "
            f"{value!r}: nothing was opened",
            nothing_written=True,
        )


def check_number(name: str, value: object, least: int, most: int) -> None:
    """Raise StorageError if an option is not a whole number within its bounds.

    Args:
        name: The name of the option.
        value: Its value.
        least: The least value.
        most: The largest value.
    """
    if type(value) is not int or not least <= value <= most:
        raise StorageError(
            f"{name}= must be a whole number from {least:,} to {most:,}, not {value!r}: nothing "
            "was opened",
            nothing_written=True,
        )


def check_ids_once(ids: Iterable[str]) -> None:
    """Raise StorageError if a batch has two sessions with the same id."""
    seen: set[str] = set()
    for id in ids:
        if id in seen:
            raise StorageError(
                f"the batch has session {id!r} twice; nothing was written", nothing_written=True
            )
        seen.add(id)


@runtime_checkable
class _Array(Protocol):
    """Something with dimensions: of a DataFrame, iterating gives the names of its columns."""

    @property
    def ndim(self) -> int: ...


def check_no_table(name: str, ids: object) -> None:
    """Raise QueryError if a whole DataFrame is given in place of its column of ids.

    Args:
        name: The name of the argument.
        ids: Its value.
    """
    if isinstance(ids, _Array) and ids.ndim > 1:
        raise QueryError(
            f"{name} must be ids, not a whole {type(ids).__name__}, of which the names of the "
            'columns would be taken for ids: pass its column, such as frame["id"]. Nothing was '
            "looked for or changed"
        )


def check_callables(**given: object) -> None:
    """Raise QueryError if one of the arguments is neither a function nor None."""
    for name, value in given.items():
        if not (value is None or callable(value)):
            raise QueryError(f"{name}= must be a function or None, not {value!r}")
