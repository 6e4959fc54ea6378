"""Reads of a large file are asked about before they begin."""

from __future__ import annotations

import re
import sqlite3
import warnings
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb import Query
from graphflow_nb.storage.scans import ScanEstimate, ScanGuard, noting_scans
from graphflow_nb.storage.sqlite import scans, sql
from graphflow_nb.storage.sqlite.functions import register_functions
from graphflow_nb.storage.sqlite.odd import Database

from ... import asking

FILL = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 600)
INSERT INTO sessions SELECT printf('s%03d', n), 'g', 't' || (n % 2), 'waiting',
    '{"data":{"n":' || n || ',"text":"' || printf('%.*c', :length, 'x') || '"}}', 1, n, n
FROM numbers
"""
#: The calls that read much of the file, and why.
READS: dict[str, tuple[str, asking.Read]] = {
    **asking.READS,
    "wb.sessions(text='nobody', limit=9, allow_scan=True)": (
        "search",
        lambda wb, **k: wb.sessions(text="nobody", limit=9, **k),
    ),
    "wb.messages(task='none', allow_scan=True)": (
        "search",
        lambda wb, **k: wb.messages(task="none", **k),
    ),
    "wb.messages(task='t1', allow_scan=True)": (
        "search",
        lambda wb, **k: wb.messages(task="t1", **k),
    ),
    "wb.messages(limit=9, allow_scan=True)": ("search", lambda wb, **k: wb.messages(limit=9, **k)),
    "wb.overview(exact=True, allow_scan=True)": (
        "full read",
        lambda wb, **k: wb.overview(exact=True, **k),
    ),
}
#: The calls that read little, or as much as a person sees.
SERVED: dict[str, Callable[[g.Workbench], Any]] = {
    "newest": lambda wb: wb.sessions(limit=5),
    "by id": lambda wb: wb.sessions(order="id", limit=5),
    "many hits": lambda wb: wb.sessions(task="t1", compare=[("n", ">", 9)], limit=5),
    "half of them": lambda wb: wb.sessions(task="t1", order="updated_at", limit=5),
    "ids": lambda wb: wb.sessions(ids=["s007"], limit=5),
    "a prefix": lambda wb: wb.sessions(id_prefix="s59"),
    "a prefix, by id": lambda wb: wb.sessions(id_prefix="s59", text="none", order="id"),
    "recent": lambda wb: wb.sessions(updated_since="1970-01-01T00:00:00.000590Z", text="s600"),
    "stuck": lambda wb: wb.stuck(timedelta(days=1), limit=5),
    "scan": lambda wb: sum(len(frame) for frame in wb.scan()),
    "card": repr,
}


@pytest.fixture(params=[900, 9_000], ids=["inside", "outside"])
def large(request, tmp_path, monkeypatch) -> str:
    """A file of 0.7 MB, or of 6 MB that are outside of the rows, taken for a large one."""
    monkeypatch.setattr(scans, "PROBED", 50)
    url = f"sqlite:{tmp_path / 's.db'}"
    g.open(url, create=True).close()
    with closing(sqlite3.connect(tmp_path / "s.db")) as db, db:
        db.execute(FILL, {"length": request.param})
    return url


def test_a_read_of_much_of_a_large_file_is_asked_about_once(large, tmp_path):
    size = (tmp_path / "s.db").stat().st_size
    for call, (kind, read) in READS.items():
        refused = asking.check_asked_once(large, call, kind, read, above=50_000, most=size)
        if kind == "full read":
            assert refused.bytes > 0.8 * size
        assert refused.seconds < 1
        tried = "250" if kind == "search" else "200"
        assert f"Only {tried} sessions were looked at" in str(refused)
        assert re.search("the file has about (5[5-9].|600) sessions", str(refused))


def test_what_an_index_serves_is_not_asked_about(large):
    with g.open(large, ask_above_bytes=50_000) as wb, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call, read in SERVED.items():
            assert read(wb) is not None, call


def test_a_small_file_is_not_asked_about_and_none_where_nobody_asks(large, run):
    for options in ({}, {"ask_above_bytes": None}):
        with g.open(large, **options) as wb:
            assert len(wb.sessions(text="s007", limit=None)) == 1
            wb.summary()
    storage = run(g.connect(large))
    assert len(run(storage.query(g.Query(text="waiting")))) == 600
    run(storage.close())


def test_an_estimate_reads_a_small_part_of_a_large_file(monkeypatch):
    monkeypatch.setattr(scans, "PROBED", 50)
    steps: list[int] = []
    with closing(Database(":memory:")) as db:
        db.executescript(sql.CREATE)
        register_functions(db)
        db.execute(FILL.replace("n < 600", "n < 20000"), {"length": 9})
        db.set_progress_handler(lambda: steps.append(1), 1_000)
        guard = ScanGuard(1_000, set(), False, lambda: "call()")
        for query in (Query(text="none", limit=5), Query(order="created_at", limit=5), Query()):
            with guard.watch(), pytest.raises(g.ScanRefused):
                scans.ask_first(lambda db: None, query, counts=False)(db)
    assert len(steps) < 40  # of 1,000 each: to go through all rows once takes more


def test_who_waits_is_told_what_is_read(large):
    told: list[ScanEstimate] = []
    with g.open(large, ask_above_bytes=50_000) as wb, noting_scans(told.append):
        wb.sessions(text="nobody", limit=9, allow_scan=True)
    assert [scan.kind for scan in told] == ["search"]


def test_an_index_that_is_there_is_not_advised(large, tmp_path):
    with closing(sqlite3.connect(tmp_path / "s.db")) as db, db:
        db.execute("CREATE INDEX mine ON sessions (created_at, id)")
    with g.open(large, ask_above_bytes=50_000) as wb:
        assert len(wb.sessions(order="-created_at", limit=9)) == 9
        with pytest.raises(g.ScanRefused) as refused:
            wb.sessions(order="created_at", text="none", limit=9)
        assert "index that helps" not in str(refused.value)
