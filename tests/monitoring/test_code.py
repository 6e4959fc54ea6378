"""The code by which a store names an error is found behind ours."""

from __future__ import annotations

import asyncio
import sqlite3

import asyncpg
import pytest
import redis

import graphflow_nb as g
from graphflow_nb import MonitoredStorage, Session
from graphflow_nb.monitoring.code import find_code

from .exporters.kit import use


class Heard:
    def __init__(self) -> None:
        self.codes: list[str | None] = []

    def on_operation(self, operation):
        self.codes.append(operation.code)


async def _fail(url, break_it):
    heard = Heard()
    inner = await g.connect(url)
    storage = MonitoredStorage(inner, [heard])
    await use(storage)
    await break_it()
    for call in (storage.get("a"), storage.save(Session("new", "t"))):
        with pytest.raises(g.StorageError):
            await call
    await storage.close()
    assert set(heard.codes[:-2]) == {None}  # a conflict is ours, not the store's
    return heard.codes[-2:]


def test_of_postgresql(database):
    async def break_it():
        connection = await asyncpg.connect(database)
        await connection.execute("DROP TABLE sessions")
        await connection.close()

    assert asyncio.run(_fail(database, break_it)) == ["42P01", "42P01"]


def test_of_redis(redis_server):
    redis_server.empty()

    async def break_it():
        with redis.Redis(port=redis_server.port) as client:
            client.delete("a")
            client.rpush("a", "x")
            client.rpush("new", "x")

    assert asyncio.run(_fail(redis_server.url, break_it))[0] == "WRONGTYPE"


def test_of_sqlite(tmp_path):
    path = tmp_path / "s.db"

    async def break_it():
        with sqlite3.connect(path) as db:
            db.execute("DROP TABLE sessions")

    assert asyncio.run(_fail(f"sqlite:{path}", break_it)) == ["SQLITE_ERROR", "SQLITE_ERROR"]


class Odd(Exception):
    @property
    def sqlstate(self):
        raise RuntimeError


class Numbered(Exception):
    sqlstate = 5


def test_what_has_none():
    looped = ValueError()
    looped.__cause__ = looped
    redis_text = redis.ConnectionError("Error 111 connecting to h:1. Connection refused.")
    for error in (Odd(), Numbered(), looped, redis_text, asyncpg.InterfaceError("x"), OSError()):
        assert find_code(error) is None


def test_of_a_cause():
    error = g.StorageError("no")
    error.__cause__ = asyncpg.UniqueViolationError("twice")
    assert find_code(error) == "23505"
    assert find_code(redis.exceptions.NoPermissionError("no", status_code="NOPERM")) == "NOPERM"
    assert find_code(redis.ResponseError("MISCONF no disk")) == "MISCONF"
