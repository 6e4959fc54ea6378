"""``connect``: a storage from its URL, and from the environment."""

from __future__ import annotations

import asyncio
import logging

import pytest

import graphflow_nb as g


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (7, "named by its URL, a text, not by 7"),
        ("nonsense", "'nonsense' is not the URL of a store: use memory:, sqlite:"),
        ("mongodb://user:s3cret@host/db", r"'mongodb://user:\*\*\*@host/db' is not the URL"),
        ("redis", "is not the URL of a store"),
        ("sqlite:", "needs the path of a file"),
        ("sqlite://s.db", "after two slashes comes a host.*or sqlite:///s.db for a path relative"),
        ("sqlite:file://host/s.db", "names the host 'host'"),
        (
            "sqlite:what?.db",
            r"\.db= means nothing here.*A \? in a path is written %3F",
        ),
    ],
)
def test_a_url_that_names_no_store(url, why):
    with pytest.raises(g.StorageError, match=why):
        asyncio.run(g.connect(url))


@pytest.mark.parametrize(
    "url", ["sqlite:s.db", "postgresql://127.0.0.1:1/x", "redis://127.0.0.1:1"]
)
@pytest.mark.parametrize("timeout", [0, -1, "30", None, float("nan"), float("inf"), 1e12, True])
def test_a_timeout_that_is_no_time_is_refused_before_anything_is_opened(url, timeout):
    with pytest.raises(g.StorageError, match=r"timeout= must be a number of seconds .* not"):
        asyncio.run(g.connect(url, timeout=timeout))


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/x", "redis://127.0.0.1:1"])
@pytest.mark.parametrize("number", [0, -1, 1_001, 1.5, "4", None, True])
def test_so_is_a_number_of_connections_that_is_none(url, number):
    with pytest.raises(g.StorageError, match="max_connections= must be a whole number from 1 to"):
        asyncio.run(g.connect(url, max_connections=number))


def test_so_are_other_options_of_postgresql_and_redis():
    for url, options, why in (
        ("postgresql://127.0.0.1:1/x", {"statement_cache_size": -1}, "statement_cache_size= must"),
        ("postgresql://127.0.0.1:1/x", {"table": None}, "table= must be text, not NoneType"),
        ("postgresql://127.0.0.1:1/x?application_name=a%00b", {}, r"holds the character U\+0000"),
        ("redis://127.0.0.1:1", {"scan_limit": -1}, "scan_limit= must be a whole number from 0"),
    ):
        with pytest.raises(g.StorageError, match=why):
            asyncio.run(g.connect(url, **options))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("memory:", "unknown option colour: memory takes none"),
        ("sqlite:s.db", "unknown option colour: use read_only, create, timeout"),
        ("postgresql://127.0.0.1:1/x", "unknown option colour: use table, read_only, .*"),
        ("redis://127.0.0.1:1", "unknown option colour: use prefix, ttl, .*"),
    ],
)
def test_an_unknown_option_is_refused_before_anything_is_opened(url, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(g.StorageError, match=why):
        asyncio.run(g.connect(url, colour="blue"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["sqlite:{}", "sqlite:///{}", "sqlite+aiosqlite:///{}"])
def test_a_path(form, tmp_path):
    async def open_and_close() -> str:
        storage = await g.connect(form.format(tmp_path / "s.db"))
        await storage.close()
        return type(storage).__name__

    assert asyncio.run(open_and_close()) == "SqliteSessionStorage"
    assert (tmp_path / "s.db").exists()


def test_from_the_environment(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:{tmp_path / 's.db'}")

    async def open_and_close(**options) -> str:
        storage = await g.connect_from_env(**options)
        await storage.close()
        return type(storage).__name__

    assert asyncio.run(open_and_close(timeout=1.0)) == "SqliteSessionStorage"
    caplog.set_level(logging.WARNING)
    for url in ("", "nonsense", f"sqlite:{tmp_path}/no/where.db"):
        monkeypatch.setenv("DATABASE_URL", url)
        caplog.clear()
        assert asyncio.run(open_and_close()) == "InMemorySessionStorage"
        assert "using memory, so sessions are gone when this process ends" in caplog.text
        with pytest.raises(g.StorageError):
            asyncio.run(g.connect_from_env(fallback=False))
