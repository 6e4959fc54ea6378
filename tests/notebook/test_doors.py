"""One rule for every door to a store: a server's database is written to only if that was asked for.

The doors are in the table in CONTRIBUTING.md.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import asyncpg
import pytest
import redis

import graphflow_nb as g
from graphflow_nb import cli
from graphflow_nb.benchmark.campaign import Campaign
from graphflow_nb.client import open_client

from ..benchmark.kit import QUICK


class Server:
    """An empty database of a server, and what is in it."""

    def __init__(self, url: str):
        self.url = url

    def contents(self) -> list[str]:
        """Return the names of all tables, indexes and functions, or of all keys."""
        if self.url.startswith("redis"):
            with redis.Redis.from_url(self.url) as client:
                return sorted(key.decode() for key in client.scan_iter())
        return asyncio.run(self._relations())

    async def _relations(self) -> list[str]:
        connection = await asyncpg.connect(self.url)
        rows = await connection.fetch(
            "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        )
        await connection.close()
        return sorted(row["name"] for row in rows)


@pytest.fixture(params=["postgresql", "redis"])
def target(request: pytest.FixtureRequest) -> Iterator[Server]:
    # Not named server, which is the private PostgreSQL that all tests share.
    if request.param == "postgresql":
        yield Server(request.getfixturevalue("database"))
        return
    found = request.getfixturevalue("redis_server")
    found.empty()
    yield Server(found.url)


def _open(url):
    return g.open(url)


def _open_from_the_environment(url):
    os.environ["DATABASE_URL"] = url
    return g.open()


def _open_client(url):
    return open_client(url)


def _open_by_magic(url):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "graphflow_nb")
    return shell.run_line_magic("gf", f"open {url}")


def _open_as_the_command_does(url):
    cli.subprocess.call = lambda words: 0
    cli.main(["lab", "--url", url])
    return g.open(os.environ["DATABASE_URL"])


@pytest.fixture(autouse=True)
def restored(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setattr(cli.subprocess, "call", cli.subprocess.call)
    monkeypatch.chdir(tmp_path)


DOORS = (
    _open,
    _open_from_the_environment,
    _open_client,
    _open_by_magic,
    _open_as_the_command_does,
)


def test_what_opens_a_servers_database_reads_only(target):
    for door in DOORS:
        with pytest.raises(g.StorageError, match="writable=True"), door(target.url) as client:
            client.create("a", "t")  # PostgreSQL without the table is not even opened
        assert target.contents() == []
    with g.open(target.url, writable=True) as wb:
        wb.create("a", "t")
    before = target.contents()
    for door in DOORS:
        with door(target.url) as client, pytest.raises(g.ReadOnlyError, match="writable=True"):
            client.create("b", "t")
        assert target.contents() == before


def test_a_benchmark_of_a_url_asks(target):
    refused = "is a server's database, where nothing is written unless you ask for it: nothing was"
    for stores, workload in (([target.url], "A"), ({"one": "memory:", "other": target.url}, "C")):
        for door in (g.compare, lambda *args, **more: Campaign(*args, more).run()):
            with pytest.raises(g.ReadOnlyError, match=refused) as caught:
                door(stores, workload, **QUICK)
            assert "Pass writable=True" in str(caught.value)
    assert target.contents() == []


def test_a_benchmark_with_leave_writes_and_leaves_no_session(target):
    options = QUICK | {"duration": 0.1, "repeats": 1, "sessions": 10}
    run = g.compare([target.url], "A", **options, writable=True)
    assert run.summary()["failed"].sum() == 0
    with g.open(target.url) as wb:
        assert wb.summary()["sessions"].sum() == 0


def test_a_benchmark_of_what_is_stored_creates_nothing(target):
    with pytest.raises(g.GraphflowError):
        g.compare([target.url], "C", stored=True, **QUICK)
    assert target.contents() == []
    with g.open(target.url, writable=True) as wb:
        wb.create("theirs", "t")
    before = target.contents()
    run = g.compare([target.url], "C", stored=True, **QUICK)
    assert set(run.requests()["session_id"]) == {"theirs"}
    assert target.contents() == before


def test_a_copy_asks(target):
    with g.open("demo") as wb:
        with pytest.raises(g.ReadOnlyError, match=r"nothing was changed. Pass writable=True"):
            wb.copy_to(target.url)
        assert target.contents() == []
        assert wb.copy_to(target.url, writable=True, graph="claims").verified


def test_a_benchmark_of_a_store_opened_for_reading_says_what_to_do(target):
    with g.open(target.url, writable=True) as wb:
        wb.create("theirs", "t")
    before = target.contents()
    with g.open(target.url) as wb:
        for workload in ("A", "C", "D", "E", "F", "flow"):
            with pytest.raises(g.BenchmarkError, match=r"writable=True, or read .* stored=True"):
                wb.benchmark(workload, **QUICK, shared=True)
    assert target.contents() == before


def test_a_program_that_connects_may_write(target, run):
    async def work():
        storage = await g.connect(target.url)
        await storage.save(g.Session("a", "t"))
        await storage.close()

    run(work())
    assert target.contents()
