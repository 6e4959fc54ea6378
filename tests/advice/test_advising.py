"""What a store and its storage tell is judged, and what they do not tell is listed."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.advice import advise
from graphflow_nb.storage.facts import (
    StoreFacts,
)

from ..servers import postgres as servers
from .kit import NONE, operations
from .rules.postgres.kit import facts


def test_an_empty_record_is_said():
    findings = advise(StoreFacts(place="memory"), NONE)
    assert not findings
    assert list(findings) == []
    assert [line.subject for line in findings.unseen] == ["operations"]
    assert "there is nothing to set" in findings.in_order[0].finding
    assert "no suggestions" in repr(findings)


def test_a_table_in_order():
    findings = advise(facts(), operations(("get", "a", 0, 1, 0.5)))
    assert list(findings) == []
    assert findings.unseen == []
    subjects = {line.subject for line in findings.in_order}
    # At least these: a new rule finds something in order too.
    assert subjects >= {
        "order by updated_at",
        "redundant indexes",
        "unused indexes",
        "size of contexts",
        "dead rows",
        "updates that indexes follow",
        "synchronous_commit",
        "resets of connections",
        "pooler",
        "column version",
        "waits for a connection",
        "gets one by one",
        "deletes one by one",
        "saves of a session in short succession",
    }


def test_what_could_not_be_looked_at():
    bare = facts(
        settings=None, relation=None, indexes=None, plans={}, contexts=None, usage=None,
        backends=None, unseen={"indexes": "permission denied", "size of contexts": "too slow"},
    )  # fmt: skip
    findings = advise(bare, operations(("get", "a", 0, 1, 0.5)))
    assert list(findings) == []
    told = {line.subject: line.finding for line in findings.unseen}
    assert told == {"indexes": "permission denied", "size of contexts": "too slow"}
    assert "permission denied" in repr(findings)


def test_out_of_reach():
    with servers.Postgres() as server:
        wb = g.open(server.url, writable=True)
        for _ in range(2):
            wb.upsert(Session("a", "t"))
    findings = wb.advise()
    assert list(findings) == []
    assert "out of reach" in next(u.finding for u in findings.unseen if u.subject == "store")
    assert findings.operations == 2


@pytest.mark.parametrize("wrap", [g.ReadOnlyStorage, g.RetryingStorage, g.MonitoredStorage])
def test_wrappers_pass_it_on(wrap, tmp_path, run):
    inner = run(g.connect(f"sqlite:{tmp_path / 'a.db'}"))
    assert run(wrap(inner).facts()).journal_mode == "wal"
    both = g.FallbackStorage(wrap(inner), g.InMemorySessionStorage())
    assert run(both.facts()).journal_mode == "wal"
    run(inner.close())


def test_memory_and_the_demo():
    for url in ("memory:", "demo"):
        findings = g.open(url).advise()
        assert list(findings) == []
        assert "nothing to set" in repr(findings)
