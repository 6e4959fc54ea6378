"""Facts about a SQLite file, for advice."""

from __future__ import annotations

from typing import Any, Final

from ..facts import SqliteFacts
from ..query import ORDERS, Query
from . import sql
from .odd import Database

__all__ = ["collect_facts"]

_SYNCHRONOUS: Final = ("off", "normal", "full", "extra")  # as SQLite numbers them


def collect_facts(db: Database, *, path: str, place: str, read_only: bool) -> SqliteFacts:
    """Return what the file reports; nothing is changed.

    Args:
        db: The connection.
        path, place, read_only: Facts that the storage knows itself, see ``SqliteFacts``.
    """

    def ask(statement: str) -> Any:
        return db.execute(statement).fetchone()[0]

    page_size = ask("PRAGMA page_size")
    plans = {
        order: db.execute(f"EXPLAIN QUERY PLAN {sql.select('id', Query(order=order)).text}")
        for order in ORDERS
    }
    return SqliteFacts(
        place=place,
        read_only=read_only,
        connections=1,
        path=path,
        bytes=ask("PRAGMA page_count") * page_size,
        free_bytes=ask("PRAGMA freelist_count") * page_size,
        rows=ask(sql.ROWS_AT_MOST),
        journal_mode=db.journal_mode or ask("PRAGMA journal_mode"),
        synchronous=_SYNCHRONOUS[ask("PRAGMA synchronous")],
        sorted=tuple(order for order, plan in plans.items() if "TEMP B-TREE" in str([*plan])),
    )
