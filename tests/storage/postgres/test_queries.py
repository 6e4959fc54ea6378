"""How the answer of a query is read."""

from __future__ import annotations

import threading
from typing import Any

from graphflow_nb import Query, Session
from graphflow_nb.storage import offloop
from graphflow_nb.storage.postgres import queries
from graphflow_nb.storage.postgres.columns import unpack_columns

from .kit import connect


def test_many_rows_are_decoded_beside_the_loop(database, run, monkeypatch):
    threads = []

    def unpack(row: Any, paths: int) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        return unpack_columns(row, paths)

    monkeypatch.setattr(queries, "unpack_columns", unpack)
    monkeypatch.setattr(offloop, "MANY_ROWS", 2)
    storage = run(connect(database))
    run(storage.save_many([Session(f"s{i}", "t") for i in range(3)]))
    assert len(run(storage.table(Query(limit=5)))) == 3
    assert len(run(storage.query(Query()))) == 3
    assert len(run(storage.table(Query(limit=1)))) == 1
    assert threads == [False, True]
    run(storage.close())
