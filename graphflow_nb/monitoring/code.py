"""The code by which a store names an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Final, Protocol, runtime_checkable

__all__ = ["find_code"]

_REDIS_PREFIX: Final = re.compile(r"[A-Z][A-Z0-9]+(?= )")
_DEPTH: Final = 10  # of causes


@runtime_checkable
class _OfPostgres(Protocol):
    sqlstate: str | None


@runtime_checkable
class _OfSqlite(Protocol):
    sqlite_errorname: str


@runtime_checkable
class _OfRedis(Protocol):
    status_code: str | None


def find_code(error: BaseException) -> str | None:
    """Return the code of the store's own error behind an error of ours.

    Args:
        error: What a storage raised.

    Returns:
        The SQLSTATE (PostgreSQL), the name of the result code (SQLite) or the prefix of the answer
        (Redis) of the error itself or of one of its causes; None if no store named one.
    """
    # Monitoring never changes a result, whatever an exception's attributes do.
    with suppress(Exception):
        for cause in islice(_causes_of(error), _DEPTH):
            found = _read_code(cause)
            if found:
                return found
    return None


def _causes_of(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _read_code(error: BaseException) -> str | None:
    found: object = None
    if isinstance(error, _OfPostgres):
        found = error.sqlstate
    elif isinstance(error, _OfSqlite):
        found = error.sqlite_errorname
    elif isinstance(error, _OfRedis):
        match = _REDIS_PREFIX.match(str(error))
        found = error.status_code or (match and match[0])
    return found if isinstance(found, str) else None
