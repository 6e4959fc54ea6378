"""Properties of every store that the suite of ``graphflow_nb.testing`` does not have."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import graphflow_nb as g
from graphflow_nb import Context, Query, Session
from graphflow_nb.frames import sessions_frame
from graphflow_nb.storage.stores import STORES, find_kind

from ..stores import KINDS


def test_every_store_is_under_test():
    """A kind of store that the package registers has a row in ``tests/stores.py``."""
    tested = {find_kind(f"{kind.scheme}:") for kind in KINDS.values()}
    assert [kind.label for kind in STORES.values() if kind not in tested] == []


def new(store, name="a", task="t", **more):
    return Session(store.id(name), task, **more)


def test_versions_count_the_saves(store, storage, run):
    session = new(store)
    versions = []
    for _ in range(3):
        run(storage.save(session))
        versions.append(session.version)
    assert len(set(versions)) == 3
    if store.about.form in (None, "crate-0.6"):
        assert versions == [1, 2, 3]


def test_a_closed_storage_raises(store, run):
    storage = run(store.open())
    run(storage.close())
    run(storage.close())
    if store.kind != "memory":
        with pytest.raises(g.StorageError, match="closed"):
            run(storage.get(store.id("a")))


def test_numbers_beyond_measure_in_a_frame(store, storage, run):
    session = new(store)
    context = '{"data":{"huge":%s,"wide":1e99999}}' % ("9" * 5000)
    run(storage.save(session.with_context_json(context)))
    frame = sessions_frame(run(storage.table(Query(), ["huge"])), ["huge"])
    assert frame["huge"].tolist() == ["9" * 5000]
    assert frame.columns.tolist().count("expires_at") == (store.about.scheme == "redis")


def test_two_sessions_never_share_a_context(store, storage, run):
    context = Context({"k": 1})
    first, second = new(store, "a", context=context), new(store, "b", context=context)
    third = new(store, "c")
    third.context = context
    first.context["k"] = 2
    context["k"] = 3
    for session in (first, second, third):
        run(storage.save(session))
    stored = [run(storage.get(session.id)).context["k"] for session in (first, second, third)]
    assert stored == [2, 1, 1]


def test_a_page_may_begin_at_either_end_of_time(store, storage, run):
    for name in "az":
        run(storage.save(new(store, name)))
    last, first = datetime.max, datetime.min  # PostgreSQL's infinities, where they are naive
    for column in ("updated_at", "created_at"):
        for time in (None, last, last.replace(tzinfo=UTC), first, first.replace(tzinfo=UTC)):
            late = time is None or time.year == 9999
            up = Query(order=column, limit=5, after=g.Cursor(column, store.id("m"), time))
            assert len(run(storage.query(up))) == (0 if late else 2), time
            cursor = g.Cursor(f"-{column}", store.id("m"), time)
            down = Query(order=f"-{column}", limit=5, after=cursor)
            assert len(run(storage.table(down))) == (2 if late else 0), time
