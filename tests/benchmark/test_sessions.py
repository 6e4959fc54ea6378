"""A benchmark creates sessions of the right size, and deletes no others."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb import Query, Session
from graphflow_nb.benchmark import OwnSessions
from graphflow_nb.benchmark.sessions import GRAPH


@pytest.mark.parametrize("size", [100, 1_000, 123_456, 1_000_000])
def test_contexts_are_as_large_as_was_said(size):
    own = OwnSessions(size, seed=1)
    for _ in range(3):
        session = own.another()
        assert len(session.context_json()) == pytest.approx(size, abs=10)
        assert session.graph_id == GRAPH


def test_own_sessions_are_told_from_those_of_others(run):
    storage = g.InMemorySessionStorage()
    run(storage.save(Session("00000000-0000-4000-8000-000000000000", "t")))
    own = OwnSessions(200, seed=1)
    run(own.fill(storage, 1_200, lambda count: False))
    assert run(storage.count(Query())) == 1_201
    run(own.remove(storage))
    assert run(storage.count(Query())) == 1
