"""Names of tables are read as the server reads them."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from graphflow_nb.storage.postgres.sql import parse_name


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("sessions", ["sessions"]),
        ("Flows.SESSIONS", ["flows", "sessions"]),
        ('"Odd ""Schema"""."my.Table"', ['Odd "Schema"', "my.Table"]),
        (" a . b ", ["a", "b"]),
        ("grüße$1", ["grüße$1"]),
        ("_x", ["_x"]),
        ('""', None),
        ("", None),
        ("a b", None),
        ("a.", None),
        (".a", None),
        ("1a", None),
        ("a-b", None),
        ('"a', None),
        ("x; DROP TABLE y", None),
    ],
)
def test_names_are_read_as_the_server_reads_them(server, run, name, parts):
    assert parse_name(name) == parts

    async def ask() -> list[str] | None:
        connection = await asyncpg.connect(server.url)
        try:
            return await connection.fetchval("SELECT parse_ident($1)", name)
        except asyncpg.InvalidParameterValueError:
            return None
        finally:
            await connection.close()

    assert asyncio.run(ask()) == parts
