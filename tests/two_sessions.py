"""A workbench on two sessions: ``a`` at ``t1`` with values, ``b`` at ``t2`` with two messages."""

from __future__ import annotations

import graphflow_nb as g

from .stores import Store

#: One kind of store for each way to run a coroutine, for tests in which the store does not matter:
#: in place, on a thread that waits, on a loop.
PLACES = ["memory", "sqlite", "documented"]


def open_with_two_sessions(store: Store) -> g.Workbench:
    """Return a workbench on an empty store, after saving the two sessions by hand."""
    yours_alone = store.about.scheme == "memory"
    wb = g.open(store.url, writable=None if yours_alone else True)
    context = {"customer": {"tier": "gold"}, "n": 1, "f": 1.10}
    wb.create(store.id("a"), "t1", graph_id="g", context=context)
    second = wb.create(store.id("b"), "t2", status_message="s", context={"n": 2**53 + 1})
    second.context.add_user_message("hi")
    second.context.add_assistant_message("hello")
    wb.save(second)
    return wb
