"""The table of stores: what it says of each, and a kind of one's own in it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.storage import (
    StoreKind,
    connect,
    example_urls,
    is_server,
    label_of,
    register,
    stores,
)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, StoreKind]:
    """The table, in which what a test registers is forgotten when it ends."""
    table = dict(stores.STORES)
    monkeypatch.setattr(stores, "STORES", table)
    return table


class Shelf(g.InMemorySessionStorage):
    opened: tuple[Any, ...] = ()

    @classmethod
    async def connect(cls, url: str, *, height: int = 1, read_only: bool = False) -> Shelf:
        cls.opened = (url, height, read_only)
        return cls()


SHELF = StoreKind(label="Shelf", storage=Shelf, schemes=("shelf", "shelves"), example="shelf:a")


@pytest.mark.parametrize("kind", stores.STORES.values(), ids=lambda kind: kind.label)
def test_a_kind_of_this_package_agrees_with_its_class(kind):
    found = stores.find_kind(kind.example)
    assert found is kind
    assert callable(kind.opener)
    assert kind.options == () or "read_only" in kind.options
    for scheme in kind.schemes:
        assert is_server(f"{scheme}://host") is kind.is_server
    assert kind.example in example_urls()


def test_what_is_a_servers():
    servers = {kind.label for kind in stores.STORES.values() if kind.is_server}
    assert servers == {"PostgreSQL", "Redis"}
    assert is_server("valkeys://cache")
    assert not is_server("postgresql")
    assert not is_server("nonsense:a")


def test_labels(tmp_path):
    sqlite = asyncio.run(connect(f"sqlite:{tmp_path / 's.db'}"))
    assert label_of(sqlite) == "SQLite"
    asyncio.run(sqlite.close())
    assert label_of(g.InMemorySessionStorage()) == "memory"
    assert label_of(Shelf()) == "Shelf"
    assert label_of(7) == "int"


def test_a_kind_of_ones_own(table):
    register(SHELF)
    storage = asyncio.run(connect("shelves:top", height=3))
    assert isinstance(storage, Shelf)
    assert Shelf.opened == ("shelves:top", 3, False)
    with pytest.raises(g.StorageError, match="unknown option depth: use height, read_only"):
        asyncio.run(connect("shelf:a", depth=1))
    with pytest.raises(g.StorageError, match=r"use memory:, .* or shelf:a"):
        asyncio.run(connect("rack:a"))
    assert g.open("shelf:a").create("a", "t").version == 1


def test_a_server_of_ones_own_is_opened_for_reading_only(table):
    for storage in (Shelf, Server):
        register(
            StoreKind(
                label="Mine",
                storage=storage,
                schemes=("mine",),
                example="mine:a",
                is_server=True,
            )
        )
        wb = g.open("mine:a", writable=True)
        assert wb.create("a", "t").version == 1
        wb = g.open("mine:a")
        assert "reading only" in repr(wb)
        with pytest.raises(g.ReadOnlyError):
            wb.create("b", "t")
    assert Shelf.opened == ("mine:a", 1, True)


def test_any_store_but_memory_is_opened_for_reading_only(table):
    register(StoreKind(label="Mine", storage=Server, schemes=("mine",), example="mine:a"))
    with pytest.raises(g.ReadOnlyError):
        g.open("mine:a", writable=False).create("a", "t")
    with pytest.raises(g.StorageError, match="in memory can't be opened for reading only"):
        g.open("memory:", writable=False)


def test_registered_again_it_is_replaced(table):
    register(SHELF)
    register(StoreKind(label="Shelf", storage=Shelf, schemes=("shelf",), example="shelf:b"))
    assert table["Shelf"].example == "shelf:b"
    assert stores.find_kind("shelves:a") is None


class NoConnect:
    pass


class Reads:
    @classmethod
    async def connect(cls, url: str, **options: Any) -> Reads:
        return cls()


class Server(g.InMemorySessionStorage):
    @classmethod
    async def connect(cls, url: str) -> Server:
        return cls()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"schemes": ("redis",)}, "Redis has the scheme redis:"),
        ({"storage": NoConnect}, "NoConnect has no coroutine connect"),
    ],
)
def test_what_can_not_work_is_not_registered(table, wrong, why):
    kind = {"label": "Mine", "storage": Shelf, "schemes": ("mine",), "example": "mine:a"}
    with pytest.raises(g.StorageError, match=why):
        register(StoreKind(**kind | wrong))
    with pytest.raises(g.StorageError, match="takes a StoreKind"):
        register("mine")
    assert "Mine" not in table


def test_options_of_a_connect_that_takes_any(table):
    register(
        StoreKind(label="Mine", storage=Reads, schemes=("mine",), example="mine:a", is_server=True)
    )
    assert isinstance(asyncio.run(connect("mine:a", anything=1)), Reads)
