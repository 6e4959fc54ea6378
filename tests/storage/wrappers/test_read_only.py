"""A read-only storage refuses every write."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb import Query, ReadOnlyStorage, Session
from graphflow_nb.storage.wrappers import WRITES


def test_reads_pass_and_writes_are_refused(run):
    inner = g.InMemorySessionStorage()
    session = Session("a", "t")
    run(inner.save(session))
    storage = ReadOnlyStorage(inner)
    assert storage.read_only
    assert run(storage.get("a")).current_task_id == "t"
    assert run(storage.count(Query())) == 1
    writes = {
        "save": session,
        "upsert": session,
        "restore": session,
        "restore_many": [session],
        "delete": "a",
        "delete_many": ["a"],
        "delete_unchanged": [session],
        "save_many": [session],
        "import_many": [session],
    }
    assert set(writes) == {name for name in WRITES if hasattr(inner, name)}
    for method, argument in writes.items():
        with pytest.raises(g.ReadOnlyError, match="nothing was written"):
            run(getattr(storage, method)(argument))
    assert run(storage.get("a")).version == 1
    with g.wrap(storage) as wb, pytest.raises(g.ReadOnlyError):
        wb.delete("a")
