"""What a write by hand does to a storage."""

from __future__ import annotations

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.journal.noting import delete_unchanged


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
