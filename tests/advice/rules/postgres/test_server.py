"""Advice on settings of a server, on facts alone and where they are really set."""

from __future__ import annotations

import asyncio

import graphflow_nb as g
from graphflow_nb.advice import Advice, advise
from graphflow_nb.advice.rules.postgres.server import find_commit_setting, find_unsafe_settings
from graphflow_nb.storage.facts import (
    Relation,
)

from ...kit import NONE, Case, find_advice, operations
from .kit import execute, facts, follow

CASES = {
    find_unsafe_settings: Case(facts(set={"fsync": "off", "full_page_writes": "off"})),
    find_commit_setting: Case(facts(set={"synchronous_commit": "off"})),
}


def test_what_a_crash_would_lose():
    for name in ("fsync", "full_page_writes"):
        said = advise(facts(set={name: "off"}), NONE).advice
        assert [a.severity for a in said] == ["risk"]
        assert f"ALTER SYSTEM SET {name} = on;" in said[0].remedy
    unlogged = Relation(kind="table", rows=1, logged=False)
    assert advise(facts(relation=unlogged), NONE).advice[0].subject == "unlogged table"


def test_the_commit_is_a_choice():
    def said(save_ms: float, **settings: str) -> Advice | None:
        recorded = operations(
            *(("save", f"s{i}", 5000 * i, save_ms) for i in range(30)),
            *(("get", f"s{i}", 5000 * i + 50, 0.25) for i in range(30)),
        )
        return find_advice(advise(facts(set=settings), recorded), "synchronous_commit")

    costly = said(8.25)
    assert costly is not None
    assert costly.severity == "choice"
    assert costly.evidence["a save takes more, ms"] == 8.0
    assert "no recommendation" in costly.finding
    assert "may lose the saves of the last 0.6 s" in costly.cost
    assert said(1.0) is None
    off = said(1.0, synchronous_commit="off")
    assert off is not None
    assert off.severity == "risk"
    assert "may lose the saves of the last 0.6 s" in off.finding


def test_commits_that_do_not_wait(database, role):
    name = database.split("/")[3].split("?")[0]
    asyncio.run(execute(database, f"ALTER DATABASE {name} SET synchronous_commit = off"))
    with g.open(role) as wb:
        said = find_advice(wb.advise(), "synchronous_commit")
        assert said is not None
        assert said.evidence["synchronous_commit"] == "off, set by database"
        follow(role, said)
    with g.open(role) as wb:
        assert find_advice(wb.advise(), "synchronous_commit") is None
