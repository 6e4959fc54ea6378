"""Operations as records of Python's logging."""

from __future__ import annotations

import logging

from ...arguments import is_number, is_whole
from ...errors import StorageError
from ..operation import Operation

__all__ = ["LoggingHook"]


class LoggingHook:
    """A hook that logs each operation, as a warning if it failed or was slow. Thread-safe.

    The ``extra`` fields of a record, for structured logs, are ``graphflow_op``,
    ``graphflow_storage``, ``graphflow_session_id``, ``graphflow_outcome``, ``graphflow_error``,
    ``graphflow_code``, ``graphflow_origin``, ``graphflow_slow``, ``graphflow_duration_ms``, and
    from a storage that reports them ``graphflow_wait_ms``, ``graphflow_encode_ms``,
    ``graphflow_execute_ms``, ``graphflow_decode_ms``, ``graphflow_bytes`` and ``graphflow_rows``:
    what ``Operation`` calls them, times in milliseconds. Contexts are never logged.

    Args:
        logger: The logger that receives the records; ``graphflow_nb.operations`` if left out.
        level: The level of records that are not warnings.
        slow_ms: The milliseconds from which an operation is slow; None for never.
        background: Whether to log also what this package does by itself.

    Raises:
        StorageError: ``level`` or ``slow_ms`` is no such number.

    Example:
        >>> import logging, sys
        >>> import graphflow_nb as g
        >>> logger = logging.Logger("sessions")
        >>> logger.addHandler(logging.StreamHandler(sys.stdout))
        >>> wb = g.open("demo")
        >>> wb.storage.add_hook(g.LoggingHook(logger))
        >>> session = wb.get("claim-0014")
        get 'claim-0014' in InMemorySessionStorage: ok after ... ms
    """

    def __init__(
        self,
        logger: logging.Logger | None = None,
        level: int = logging.DEBUG,
        slow_ms: float | None = None,
        *,
        background: bool = False,
    ):
        if not is_whole(level):
            raise StorageError(f"level has to be an integer, such as logging.INFO, not {level!r}")
        if slow_ms is not None and not is_number(slow_ms):
            raise StorageError(f"slow_ms has to be a number >= 0 or None, not {slow_ms!r}")
        self._logger = logging.getLogger("graphflow_nb.operations") if logger is None else logger
        self._level = level
        self._warning = max(level, logging.WARNING)
        self._slow_ns = float("inf") if slow_ms is None else slow_ms * 1e6
        self._background = background

    def on_operation(self, operation: Operation) -> None:
        """Log one operation."""
        slow = operation.duration_ns >= self._slow_ns
        level = self._warning if slow or operation.error is not None else self._level
        if not self._logger.isEnabledFor(level) or (operation.background and not self._background):
            return
        id, error = operation.session_id, operation.error
        measures = {
            "graphflow_wait_ms": operation.wait_ns / 1e6,
            "graphflow_encode_ms": operation.encode_ns / 1e6,
            "graphflow_execute_ms": operation.execute_ns / 1e6,
            "graphflow_decode_ms": operation.decode_ns / 1e6,
            "graphflow_bytes": operation.bytes,
            "graphflow_rows": operation.rows,
        }
        self._logger.log(
            level,
            "%s%s in %s: %s%s after %.3f ms%s%s",
            operation.op,
            # An id may contain anything, line breaks too.
            "" if id is None else f" {id!r}",
            operation.storage,
            operation.outcome,
            "" if error is None else f" ({error})",
            operation.duration_ns / 1e6,
            ", slow" if slow else "",
            ", for the journal" if operation.origin == "journal" else "",
            extra={
                "graphflow_op": operation.op,
                "graphflow_storage": operation.storage,
                "graphflow_session_id": id,
                "graphflow_outcome": operation.outcome,
                "graphflow_error": error,
                "graphflow_slow": slow,
                "graphflow_duration_ms": operation.duration_ns / 1e6,
                "graphflow_code": operation.code,
                "graphflow_origin": operation.origin,
                **(measures if operation.measured else {}),
            },
        )
