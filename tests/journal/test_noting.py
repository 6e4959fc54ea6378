"""What a write by hand does to a storage."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.journal import Journal, JournaledStorage
from graphflow_nb.journal.noting import delete_unchanged
from graphflow_nb.storage.wrappers import Wrapper


class ThreeMethods:
    """A storage that can only save, get and delete."""

    def __init__(self):
        inner = g.InMemorySessionStorage()
        self.save, self.get, self.delete = inner.save, inner.get, inner.delete


def test_what_was_created_again_stays_in_a_storage_with_three_methods(run):
    storage = ThreeMethods()
    first, other = Session("a", "t"), Session("b", "t")
    run(storage.save(first))
    run(storage.save(other))
    run(storage.delete("a"))
    run(storage.save(Session("a", "another")))
    assert run(delete_unchanged(storage, [first, other])) == ["b"]
    assert run(storage.get("a")).current_task_id == "another"


class Overtaken(Wrapper):
    """A storage of which a worker saves a session as soon as it was read, some times."""

    def __init__(self, inner, worker, times=1):
        super().__init__(inner)
        self.worker = worker
        self.times = times

    async def _call(self, method, /, *arguments, **named):
        found = await getattr(self.inner, method)(*arguments, **named)
        if method == "get" and self.times > 0:
            self.times -= 1
            session = await self.worker.get(*arguments) or Session(arguments[0], "t")
            session.status_message = f"by the worker, {self.times} to come"
            await self.worker.save(session)
        return found


@pytest.mark.parametrize("there", [True, False])
def test_an_upsert_notes_exactly_what_it_replaces(store, run, there):
    id = store.id("a")
    inner, worker = run(store.open()), run(store.open())
    if there:
        run(worker.save(Session(id, "t", status_message="old")))
    storage = JournaledStorage(inner, Journal(), Overtaken(inner, worker, 2), "here")
    ours = Session(id, "ours", context={"k": [1]})
    run(storage.upsert(ours))
    stored = run(worker.get(id))
    assert (stored.current_task_id, stored.context, stored.version) == (
        "ours",
        ours.context,
        ours.version,
    )
    assert [entry.op for entry in storage.entries()] == ["upsert"]
    run(inner.save(ours))  # it is known as the stored one
    ours.current_task_id = "ours again"
    run(storage.upsert(ours))
    for _ in range(2):
        run(storage.undo())
    assert run(worker.get(id)).status_message == "by the worker, 0 to come"
    for each in (inner, worker):
        run(each.close())


def test_an_upsert_that_others_overtake_again_and_again_ends(store, run):
    id = store.id("a")
    inner, worker = run(store.open()), run(store.open())
    storage = JournaledStorage(inner, Journal(), Overtaken(inner, worker, 100), "here")
    ours = Session(id, "ours")
    with pytest.raises(g.StorageError, match=r"ten times in a row and not saved") as caught:
        run(storage.upsert(ours))
    assert caught.value.nothing_written
    assert ours.is_new
    assert storage.entries() == []
    assert run(worker.get(id)).status_message == "by the worker, 90 to come"
    for each in (inner, worker):
        run(each.close())


def test_a_save_that_compares_its_version_alone_notes_exactly_what_it_replaces(run):
    """As that of a session from JSON, on a table whose workers count no versions."""
    inner = g.InMemorySessionStorage()
    run(inner.save(Session("a", "t", status_message="old")))
    stored = run(inner.get("a"))

    class Uncounted(Wrapper):
        async def _call(self, method, /, *arguments, **named):
            found = await getattr(self.inner, method)(*arguments, **named)
            if method == "get":
                await inner.delete("a")
                await inner.save(Session("a", "t", status_message="by the worker"))
            return found

    storage = JournaledStorage(inner, Journal(), Uncounted(inner), "here")
    with pytest.raises(g.SessionConflict):
        run(storage.save(Session.from_json(stored.to_json())))
    assert run(inner.get("a")).status_message == "by the worker"
    storage = JournaledStorage(inner, Journal(), inner, "here")
    ours = Session.from_json(run(inner.get("a")).to_json())
    ours.status_message = "ours"
    run(storage.save(ours))
    assert run(inner.get("a")).status_message == "ours"
    run(storage.save(ours))
    run(storage.undo())
    run(storage.undo())
    assert run(inner.get("a")).status_message == "by the worker"
