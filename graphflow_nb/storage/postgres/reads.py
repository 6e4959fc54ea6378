"""Read one session."""

from __future__ import annotations

from typing import Any, Final

from ...model import Session
from ..odd import bytes_of_name, format_error
from ..trace import current
from .connections import Connection
from .odd import UNSENT, find_odd, is_session
from .table import OpenTable

__all__ = ["get"]

_ODD: Final = object()  # a row that the server can't send


async def get(table: OpenTable, id: str) -> Session | None:
    """Return the session with this id, or None if it does not exist.

    Raises:
        SessionFormatError: The row with this id is not a session.
    """
    table.check_id(id)
    id = table.normalize_id(id)

    async def read(connection: Connection) -> Any:
        try:
            return await connection.fetchrow(table.statements.get, id)
        except UNSENT:
            return _ODD

    row = await table.run_adapting(read, writes=False)
    trace = current()
    trace.lap("execute")
    if row is None and bytes_of_name(id) is None:
        return None
    if row is None or row is _ODD or not is_session(row):
        odd = await find_odd(table, id)
        if odd is None:
            return None
        if odd.row is None:
            raise format_error(odd.id, odd.problem)
        row = odd.row
    session = table.states.read(row)
    trace.size(len(row[4]), 1)
    trace.lap("decode")
    return session
