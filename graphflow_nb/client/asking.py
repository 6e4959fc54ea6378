"""What a person is asked before a store does it: reads of a large table, changes of many sessions.

What would go through a large part of a database, of a server or in a file, is refused until the
call says ``allow_scan=True``. A server's may not be the person's own, and others work on it: there
a change of many sessions is refused too, until the call says ``confirm=``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from ..arguments import is_whole
from ..errors import ChangeRefused, QueryError, StorageError
from ..printable import describe_count
from ..storage.scans import LARGE_BYTES, ScanGuard, current_guard
from ..storage.stores import STORES
from ..storage.wrappers.base import find_innermost

__all__ = ["MANY_SESSIONS", "Asking", "Confirm"]

#: Changes of more sessions are asked about, unless ``open(ask_above_sessions=…)`` says otherwise.
MANY_SESSIONS: Final = 1_000
#: True, or the number of sessions that a person expects to be changed.
Confirm = bool | int | None


class Asking:
    """What is asked before a store does it, and what was allowed already.

    Args:
        above_bytes: Reads of more bytes are asked about; None to ask about none.
        above_sessions: Changes of more sessions are asked about; None to ask about none.

    Raises:
        StorageError: One of them is neither a number >= 0 nor None.
    """

    def __init__(
        self, above_bytes: int | None = LARGE_BYTES, above_sessions: int | None = MANY_SESSIONS
    ):
        self._above_bytes = _check("ask_above_bytes", above_bytes)
        self._above_sessions = _check("ask_above_sessions", above_sessions)
        self._allowed: set[str] = set()

    @classmethod
    def about(
        cls,
        storage: object,
        above_bytes: int | None = LARGE_BYTES,
        above_sessions: int | None = MANY_SESSIONS,
    ) -> Asking:
        """Return what is asked of a storage: about changes only where it is a server's."""
        asked = cls(above_bytes, above_sessions)
        return asked if _is_server(storage) else cls(above_bytes, None)

    def guard(
        self, *, allow: bool, call: Callable[[], str], by_itself: bool = False
    ) -> AbstractContextManager[None]:
        """Return a context in which reads of a large table are asked about.

        Inside of another one, nothing changes: the call that a person made is the outermost.

        Args:
            allow: Whether the reads inside are allowed.
            call: Returns the call that allows them, as Python.
            by_itself: Whether a view reads by itself, and nobody asked for it: then it does not
                matter what was allowed before.
        """
        if current_guard() is not None:
            return nullcontext()
        allowed = set[str]() if by_itself else self._allowed
        return ScanGuard(self._above_bytes, allowed, allow, call).watch()

    def allow(self, kind: str) -> None:
        """Ask no longer about reads of a kind."""
        self._allowed.add(kind)

    def check_change(self, count: int, confirm: Confirm, what: str, call: str) -> None:
        """Let a change pass, or raise the error that says how many sessions it would change.

        Args:
            count: How many sessions it may change.
            confirm: What the caller confirmed.
            what: What would become of them, such as ``deleted``.
            call: The call that was made, as Python up to its last positional argument.

        Raises:
            ChangeRefused: They are many, and it was not confirmed; or they are not as many as
                was confirmed.
            QueryError: What was confirmed is no number.
        """
        if confirm is True:
            return
        if confirm is False:
            confirm = None
        if not (confirm is None or is_whole(confirm)):
            raise QueryError(
                f"confirm= must be the number of sessions, or True, not {confirm!r}: nothing was "
                "changed"
            )
        if confirm not in (None, count):
            raise ChangeRefused(
                f"confirm={confirm!r} was given, but "
                f"{describe_count(count, 'session')} would be {what}: nothing "
                "was changed. Look at which they are, then confirm their number",
                count=count,
            )
        if confirm == count or self._above_sessions is None or count <= self._above_sessions:
            return
        comma = "" if call.endswith("(") else ", "
        raise ChangeRefused(
            f"{describe_count(count, 'session')} would be "
            f"{what} in a server's database, which is more than "
            f"{self._above_sessions:,} at once: nothing was changed. {call}{comma}confirm={count}) "
            "does it; open(url, ask_above_sessions=…) sets from which number on it is asked",
            count=count,
        )


def _check(name: str, value: object) -> int | None:
    if value is None or (type(value) is int and value >= 0):
        return value
    raise StorageError(f"{name} must be an integer >= 0 or None, not {value!r}")


def _is_server(storage: object) -> bool:
    inner = type(find_innermost(storage))
    return any(kind.is_server and issubclass(inner, kind.storage) for kind in STORES.values())
