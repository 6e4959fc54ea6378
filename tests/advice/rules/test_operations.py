"""Advice on recorded operations."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.advice import Advice, Findings, advise
from graphflow_nb.advice.rules.operations import (
    find_close_saves,
    find_delete_loops,
    find_get_loops,
    find_waits,
)
from graphflow_nb.advice.seen import Operations
from graphflow_nb.storage.facts import (
    Backends,
    SqliteFacts,
)

from ...stores import create_table
from ..kit import Case, find_advice, operations
from .postgres.kit import facts


def case(*rows: Any) -> Case:
    return Case(Operations(operations(*rows)))


CASES = {
    find_waits: case(*(("get", f"s{i}", 0, 1 + i, i) for i in range(200))),
    find_get_loops: case(*(("get", f"s{i}", 2 * i, 1) for i in range(30))),
    find_delete_loops: case(*(("delete", f"s{i}", 2 * i, 1) for i in range(30))),
    find_close_saves: case(*(("save", "s<b>", 10 * i, 2) for i in range(40))),
}


def test_waits_for_a_connection():
    busy = operations(*(("get", f"s{i}", 0, 1 + i, i) for i in range(200)))
    said = find_advice(advise(None, busy), "waits for a connection")
    assert said is not None
    assert said.evidence["concurrent operations, at most"] == 200
    assert said.evidence["wait p99, ms"] == 197
    assert said.evidence["share of their time spent waiting, %"] == 99.0
    pooled = facts(connections=4, backends=Backends(connected=90, hidden=0))
    said = find_advice(advise(pooled, busy), "waits for a connection")
    assert said is not None
    assert said.remedy == "wb = graphflow_nb.open(url, max_connections=9)"
    assert said.evidence["spare connections of the server"] == 10
    # One after the other: what is waited for is the opening of connections.
    alone = operations(*(("get", f"s{i}", 100 * i, 10, 9) for i in range(200)))
    assert find_advice(advise(pooled, alone), "waits for a connection") is None
    few = operations(*(("get", f"s{i}", 0, 1 + i, i) for i in range(19)))
    assert find_advice(advise(pooled, few), "waits for a connection") is None
    wide = replace(pooled, connections=200)
    assert find_advice(advise(wide, busy), "waits for a connection") is None
    file = SqliteFacts(
        place="", connections=1, path="", bytes=1, free_bytes=0, rows=1, journal_mode="wal",
        synchronous="full",
    )  # fmt: skip
    said = find_advice(advise(file, busy), "waits for a connection")
    assert said is not None
    assert "save_many" in said.remedy
    silent = operations(("get", "a", 0, 1))
    assert find_advice(advise(None, silent), "waits for a connection") is None


@pytest.mark.parametrize(
    ("op", "subject", "call"),
    [
        ("get", "gets one by one", "wb.sessions(ids=ids"),
        ("delete", "deletes one by one", "wb.delete(ids)"),
        ("delete_many", "deletes one by one", "wb.delete(ids)"),
    ],
)
def test_loops(op, subject, call):
    def said(*rows):
        return find_advice(advise(None, operations(*rows)), subject)

    def name(i):
        return None if op == "delete_many" else f"s{i}"

    loop = [(op, name(i), 2 * i, 1) for i in range(30)]
    advice = said(*loop, ("save", "x", 60, 1), (op, name(99), 61, 1))
    assert advice is not None
    assert advice.evidence["calls in such runs"] == 30
    assert advice.evidence["longest run, calls"] == 30
    assert advice.evidence["runs"] == 1
    assert advice.evidence["time in them, ms"] == 30.0
    assert advice.evidence["p50 of one, ms"] == 1.0
    assert call in advice.remedy
    assert said(*loop[:9]) is None
    apart = [(op, name(i), 10 * i, 1) for i in range(30)]
    rare = [(op, name(i), 5000 + 10 * i, 1) for i in range(600)]
    assert said(*loop, *rare) is None
    assert said(*apart) is None
    between = [(x, name(i), 2 * i + n, 1) for i in range(30) for n, x in enumerate((op, "save"))]
    assert said(*between) is None
    at_once = [(op, name(i), 0, 1) for i in range(30)]
    assert said(*at_once) is None
    if op == "get":
        assert said(*((op, "same", 2 * i, 1) for i in range(30))) is None


def test_saves_in_short_succession():
    subject = "saves of a session in short succession"
    chatty = [
        ("get" if n % 2 else "save", f"s{i}", 10_000 * i + 100 * n, 2)
        for i in range(5)
        for n in range(8)
    ]
    said = find_advice(advise(None, operations(*chatty)), subject)
    assert said is not None
    assert said.evidence["saves"] == 20
    assert said.evidence["within a second of the previous one"] == 15
    assert said.evidence["sessions"] == 5
    assert said.evidence["gets between them"] == 20
    assert said.evidence["time in these saves, ms"] == 30.0
    assert said.evidence["gap p50, ms"] == 200.0
    assert "4 saves" in str(said.evidence["most often"])
    assert "ContinueAndExecute" in said.remedy
    calm = operations(*(("save", "s", 2000 * i, 2) for i in range(50)))
    assert find_advice(advise(None, calm), subject) is None
    many = operations(*(("save", f"s{i}", 10 * i, 2) for i in range(50)))
    assert find_advice(advise(None, many), subject) is None
    rare = operations(
        *(("save", f"s{i}", 10 * i, 2) for i in range(80)),
        *(("save", "x", i, 1) for i in range(15)),
    )
    assert find_advice(advise(None, rare), subject) is None


def test_a_queue_for_one_connection(database):
    asyncio.run(create_table(database, "crate-0.6"))

    async def rush(wb: g.Workbench) -> Findings:
        gets = (wb.get_or_create.aio("a", "t") for _ in range(300))
        await asyncio.gather(*gets)
        return await wb.advise.aio()

    def told(connections: int) -> Advice | None:
        with g.open(database, writable=True, max_connections=connections) as wb:
            wb.create(f"c{connections}", "t")
            return find_advice(asyncio.run(rush(wb)), "waits for a connection")

    said = told(1)
    assert said is not None
    assert said.evidence["connections"] == 1
    assert int(said.evidence["concurrent operations, at most"]) > 100
