"""What a server or its user can not tell is listed, and the rest is judged."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb.advice import Findings
from graphflow_nb.storage.postgres import facts as postgres_facts

from ....stores import create_table
from ...kit import find_advice
from .kit import execute, fill


def test_with_the_least_rights(database, role):
    with g.open(database) as other, g.open(role) as wb:
        other.advise()
        findings = wb.advise()
        told = {line.subject: line.finding for line in findings.unseen}
        assert "pg_read_all_stats" in told.pop("resets of connections of others")
        assert set(told) <= {
            "operations",
            "unused indexes",
            "updates that indexes follow",
            "size of contexts",
        }
        assert find_advice(findings, "dead rows") is None
        asyncio.run(execute(database, "REVOKE SELECT ON pg_stat_activity, pg_index FROM PUBLIC"))
        told = {line.subject: line.finding for line in wb.advise().unseen}
        assert "permission denied" in told["connections to the server"]
        assert "permission denied" in told["indexes"]


@pytest.mark.parametrize("name", ["SETTINGS", "RELATION", "INDEXES", "USAGE", "BACKENDS", "OLDEST"])
def test_what_a_server_does_not_know(database, monkeypatch, name):
    asyncio.run(create_table(database, "crate-0.6"))
    fill(database, 10)
    subjects = {
        "SETTINGS": "settings of the server",
        "RELATION": "size of the table",
        "INDEXES": "indexes",
        "USAGE": "dead rows and updates",
        "BACKENDS": "connections to the server",
        "OLDEST": "transactions that hold up vacuum",
    }
    monkeypatch.setattr(postgres_facts, name, "SELECT of_another_server()")
    with g.open(database) as wb:
        told = {line.subject: line.finding for line in wb.advise().unseen}
    assert "of_another_server() does not exist" in told[subjects[name]]


def test_a_locked_table_is_not_waited_for(database, monkeypatch):
    asyncio.run(create_table(database, "crate-0.6"))
    fill(database, 10)
    monkeypatch.setattr(postgres_facts, "SECONDS", 0.2)

    async def locked(wb: g.Workbench) -> Findings:
        connection = await asyncpg.connect(database)
        async with connection.transaction():
            await connection.execute("LOCK TABLE sessions")
            findings = await wb.advise.aio()
        await connection.close()
        return findings

    with g.open(database) as wb:
        told = {line.subject: line.finding for line in asyncio.run(locked(wb)).unseen}
        assert "no answer within 0.2 seconds" in told["size of the table"]
        assert "no answer within" in told["plan of a page by updated_at"]
        assert find_advice(wb.advise(), "order by updated_at") is None
