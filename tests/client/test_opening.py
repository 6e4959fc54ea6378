"""How a store is opened: by URL, from the environment, or around a storage that exists."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import graphflow_nb as g
from graphflow_nb import Session


def test_a_servers_database_is_opened_for_reading_only(database):
    g.open(database, writable=True).close()
    wb = g.open(database)
    with pytest.raises(g.ReadOnlyError):
        wb.create("a", "t")
    assert "reading only" in repr(wb)
    wb.close()


def test_a_store_is_closed_again_where_its_journal_cannot_be_opened(tmp_path, monkeypatch):
    path, closed = tmp_path / "s.db", []
    g.open(f"sqlite:{path}", create=True).close()
    (tmp_path / "journal").write_text("something else\n")
    close = g.SqliteSessionStorage.close

    async def noting(storage):
        await close(storage)
        closed.append(storage)

    monkeypatch.setattr(g.SqliteSessionStorage, "close", noting)
    with pytest.raises(g.StorageError, match="journal"):
        g.open(f"sqlite:{path}", journal=tmp_path / "journal")
    assert len(closed) == 1


def test_selection_by_url(tmp_path, monkeypatch, caplog):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(g.StorageError, match="DATABASE_URL is not set"):
        asyncio.run(g.connect_from_env(fallback=False))
    assert "InMemory" in repr(g.open())
    assert "DATABASE_URL is not set: using memory" in caplog.text
    path = tmp_path / "s.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:{path}")
    g.open(create=True).create("a", "t")
    assert g.open(f"sqlite:///{path}").get("a").id == "a"
    read_only = g.open(f"sqlite:{path}", writable=False)
    with pytest.raises(g.ReadOnlyError):
        read_only.delete("a")
    for wrong in (
        tmp_path / "s.db",
        7,
        "redis://x",
        "sqlite:",
        "sqlite://s.db",
        "nonsense",
        f"sqlite:{tmp_path}/no/where.db",
    ):
        with pytest.raises(g.StorageError):
            g.open(wrong)
    (tmp_path / "text").write_text("no database at all, but long enough to look at" * 99)
    with pytest.raises(g.StorageError, match="not a database"):
        g.open(f"sqlite:{tmp_path / 'text'}")
    with pytest.raises(g.StorageError, match="memory"):
        g.open("memory:", table="x")


def test_the_environment_names_what_open_takes(monkeypatch, caplog):
    monkeypatch.setenv("DATABASE_URL", "demo")
    assert len(g.open().sessions()) == len(g.open("demo").sessions()) == 120
    assert asyncio.run(asyncio.run(g.connect_from_env(fallback=False)).count(g.Query())) == 120
    assert not caplog.text
    for url in ("demo", None):
        with pytest.raises(g.StorageError, match="unknown option table: demo takes none"):
            g.open(url, table="x")
    monkeypatch.setenv("DATABASE_URL", "Demo")
    with pytest.raises(g.StorageError, match="redis://host:6379/0, or demo"):
        g.open()


def test_memory_is_not_opened_for_reading_only(monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    for url in ("demo", "memory:", None):
        with pytest.raises(g.StorageError):
            g.open(url, writable=False)


def test_an_unknown_option_is_an_error(database):
    for url in (database, "sqlite:x.db"):
        with pytest.raises(g.StorageError, match="unknown option tabel"):
            g.open(url, tabel="x")


class Folder:
    """The least that a custom storage needs: three coroutines."""

    def __init__(self, path: Path):
        self.path = path

    async def save(self, session):
        await asyncio.sleep(0)
        (self.path / session.id).write_text(session.to_json())

    async def get(self, id):
        await asyncio.sleep(0)
        file = self.path / id
        return Session.from_json(file.read_text()) if file.exists() else None

    async def delete(self, id):
        (self.path / id).unlink(missing_ok=True)


def test_wrap_of_what_you_wrote_yourself(tmp_path):
    wb = g.wrap(Folder(tmp_path))
    session = wb.create("a", "t", context={"n": 1})
    session.context["n"] = 2
    wb.save(session)
    assert wb.get("a").context["n"] == 2
    assert wb.get_or_create("b", "t").id == "b"
    with pytest.raises(g.CapabilityError, match="Folder has no method 'table'") as raised:
        wb.sessions()
    assert "ByScanning gives it" in str(raised.value)
    remedy = str(raised.value).partition("; ")[2]
    assert "Folder" in repr(wb)
    assert remedy in repr(wb)
    assert remedy in wb._repr_html_()
    assert len(wb.latency.frame()) >= 5
    wb.delete("a")
    with pytest.raises(g.CapabilityError, match="object has no method 'save'"):
        g.wrap(object())  # type: ignore[arg-type]
    mine = g.MonitoredStorage(Folder(tmp_path))
    g.wrap(mine).get_or_create("c", "t")


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "postgresql://ann@127.0.0.1:1/x"])
def test_what_was_never_reached_does_not_connect_again(url: str) -> None:
    with pytest.raises(
        g.StorageUnavailable, match="Nothing was opened: is the server running"
    ) as error:
        g.open(url)
    assert "by itself" not in str(error.value)
