"""What is nearly a session: it hides no other, is named, shown as stored, and can be deleted."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb import Query, Session
from graphflow_nb.storage import problems_of

from .conftest import worker_text

ODD = {
    "cut": (b'{"id": "cut", "graph_id": "g", "curr', "can't be read as a JSON object"),
    "negative": (worker_text("negative", version=-1).encode(), "version is '-1'"),
    "strings": (worker_text("strings", version="1").encode(), "version is '\"1\"'"),
    "huge": (worker_text("huge", version=2**63).encode(), "version is '9223372036854775808'"),
    "list": (
        worker_text("list").replace('{"data"', '[{"data"').replace("1000}}", "1000}}]").encode(),
        "not a JSON object",
    ),
    "graph": (worker_text("graph", graph_id=None).encode(), "graph_id is 'null', not text"),
    "task": (b'{"id": "task", "graph_id": "g", "context": {}}', "current_task_id is missing"),
    "status": (worker_text("status", status_message=5).encode(), "status_message is '5'"),
    "bytes": (
        worker_text("bytes", status_message="?")
        .replace("?", "\\")
        .encode()
        .replace(b"\\", b"\xff"),
        "not UTF-8, at byte",
    ),
    "inner": (worker_text("inner", n="?").encode().replace(b"?", b"\xff"), "not UTF-8, at byte"),
    "broken": (worker_text("broken", n="?").replace('"?"', "nul").encode(), "as a JSON object"),
}


def test_what_is_nearly_a_session_hides_no_other_and_can_be_deleted(connect, raw, run):
    for key, (value, _) in ODD.items():
        raw.set(key, value)
    raw.set(b"key\xff", worker_text("any"))
    raw.set(b"foreign\xff", "bytes")
    storage = connect()
    for id in ("a", "b", "z"):
        run(storage.save(Session(id, "t")))
    everything = sorted([*ODD, r"b'key\xff'", "a", "b", "z"])
    table = run(storage.table(Query(order="id")))
    assert table.id == everything
    assert set(table.problems) == set(everything) - {"a", "b", "z"}
    for key, (_, problem) in ODD.items():
        assert problem in table.problems[key]
    assert run(storage.count(Query())) == len(everything)
    assert sum(c.sessions for c in run(storage.counts(Query()))) == len(everything)
    for order in ("id", "-id", "updated_at", "-updated_at", "created_at"):
        pages, after = [], None
        for _ in range(len(everything)):
            page = run(storage.table(Query(order=order, limit=3, after=after)))
            pages += page.id
            if (after := page.next) is None:
                break
        assert sorted(pages) == everything
        found = run(storage.query(Query(order=order, limit=2)))
        assert [s.id for s in found] == [id for id in pages if id in "abz"][:2]
    found = run(storage.query(Query()))
    assert {s.id for s in found} == {"a", "b", "z"}
    assert set(problems_of(found)) == set(table.problems)
    for id in table.problems:
        with pytest.raises(g.SessionFormatError, match=r"not a session.*wb\.raw"):
            run(storage.get(id))
        with pytest.raises(g.SessionFormatError):
            run(storage.save(Session(id, "t", version=1)))
    assert run(storage.raw("bytes")) == {"key": "bytes", "value": ODD["bytes"][0]}
    assert run(storage.raw(r"b'key\xff'"))["key"] == b"key\xff"
    run(storage.build_index())
    assert sorted(run(storage.table(Query(limit=100))).id) == everything
    run(storage.drop_index())
    ids = [*ODD, r"b'key\xff'"]
    run(storage.delete(ids[0]))
    assert run(storage.delete_many(ids[1:])) == ids[1:]
    assert run(storage.table(Query(order="id"))).id == ["a", "b", "z"]
    assert raw.get(b"foreign\xff") == b"bytes"


def test_a_time_that_can_not_be_read_is_named(connect, raw, run):
    text = worker_text("a")
    raw.set("a", text[:-1] + ', "updated_at": "yesterday"}')
    raw.set("b", text.replace('"a"', '"b"')[:-1] + ', "updated_at": 7}')
    storage = connect()
    table = run(storage.table(Query()))
    assert table.problems == {"a": 'updated_at is "yesterday", not an RFC 3339 time'}
    assert run(storage.get("a")).updated_at is None
