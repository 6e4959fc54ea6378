"""A benchmark whose store fails keeps what it measured, cleans up, and names what it leaves."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.benchmark.campaign import Campaign
from graphflow_nb.benchmark.progress import Progress
from graphflow_nb.benchmark.sessions import GRAPH, OwnSessions

from ..scope import only_complete
from ..servers.postgres import kill
from .kit import count_stored

LONG = {"duration": 50.0, "repeats": 100, "warmup": 0, "sessions": 700, "context_bytes": 100}
QUICK = {"duration": 0.3, "repeats": 3, "warmup": 0, "sessions": 50}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr("graphflow_nb.benchmark.cleaning.WAIT_SECONDS", 20.0)


class At(Progress):
    """Does something when a text is shown, once, on a thread of its own."""

    def __init__(self, **actions: Callable[[], object]):
        self.steps: list[str] = []
        self.threads: list[threading.Thread] = []
        self._actions = {text.replace("_", " "): action for text, action in actions.items()}

    def show_step(self, text):
        self.steps.append(text)
        for part in [part for part in self._actions if part in text]:
            thread = threading.Thread(target=self._actions.pop(part))
            thread.start()
            self.threads.append(thread)

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join()


def check_run(run: g.Run, wb: g.Workbench, shown: At) -> None:
    assert not run.complete
    assert 0 < len(run.turns) < 100
    assert len(run.requests()) > 10
    assert re.search(r"stopped before its end, after \d+ of 100 turns, because", run.notes[0])
    assert "they were, " in run.notes[1]
    for said in (repr(run), run._repr_html_()):
        assert "stopped before its end" in said
    assert any("is out of reach; its 7" in step for step in shown.steps)
    assert count_stored(wb) == 0


@only_complete
@pytest.mark.parametrize("rate", [None, 500.0], ids=["closed loop", "open loop"])
def test_a_restarted_postgresql_is_waited_for(databases, rate):
    server = databases.server
    with databases.empty() as url, g.open(url, writable=True) as wb:
        shown = At(turn_3_of=lambda: kill(server), out_of_reach=server.start)
        with pytest.warns(UserWarning, match="stopped before its end"):
            run = Campaign([wb], "A", LONG | {"rate": rate}, lambda stop: shown).run()
        check_run(run, wb, shown)


def test_a_restarted_redis_is_waited_for(redis_server):
    redis_server.empty()
    with g.open(redis_server.url, writable=True) as wb:
        shown = At(turn_3_of=redis_server.kill, out_of_reach=redis_server.start)
        with pytest.warns(UserWarning, match="stopped before its end"):
            run = Campaign([wb], "A", LONG, lambda stop: shown).run()
        check_run(run, wb, shown)


class Faulty(g.InMemorySessionStorage):
    """A storage that fails from the n-th call of a method on, for good or for so many calls."""

    def __init__(self, error: Exception, method: str, *, after: int = 0, times: int = 10**9):
        super().__init__()
        self.error, self.method, self.after, self.times = error, method, after, times
        self.deletes = 0

    def _fail(self, method: str) -> None:
        if method in self.method.split():
            self.after -= 1
            if self.after < 0 < self.times:
                self.times -= 1
                raise self.error

    async def get(self, id):
        self._fail("get")
        return await super().get(id)

    async def save_many(self, sessions):
        self._fail("save_many")
        await super().save_many(sessions)

    async def delete_many(self, ids, versions=None):
        self.deletes += 1
        self._fail("delete_many")
        return await super().delete_many(ids, versions)


def advised(text: str) -> str:
    found = re.search(r"wb\.benchmark\.clean_up\('[0-9a-f]{8}', \d+\)", text)
    assert found is not None, text
    return found.group()


@only_complete
@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (g.StorageError("the storage is closed"), 1),
        (g.ReadOnlyError("now a standby"), 2),
        (g.StorageUnavailable("down"), 2),
        (ZeroDivisionError("a bug"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_could_not_be_deleted_is_named_with_what_deletes_all(error, tries, monkeypatch):
    monkeypatch.setattr("graphflow_nb.benchmark.cleaning.WAIT_SECONDS", 0.3)
    storage = Faulty(error, "delete_many")
    wb = g.wrap(storage)
    other = OwnSessions(100, 2)  # of another benchmark
    session = other.another()
    wb.save(session)
    with pytest.warns(UserWarning, match=r"may be left in Faulty.*clean_up"):
        run = wb.benchmark("C", **QUICK | {"sessions": 12_345, "context_bytes": 100})
    assert run.complete
    assert len(run.turns) == 3
    [note] = run.notes
    assert f"up to 12,345 sessions of the benchmark may be left in {'Faulty'}" in note
    assert str(error) in note
    assert (storage.deletes > 1) == (tries > 1)
    assert count_stored(wb) == 12_346
    storage.times = 0
    assert eval(advised(note), {"wb": wb}) == 12_345
    assert [*wb.sessions()["id"]] == [session.id]
    assert wb.benchmark.clean_up() == 1
    assert count_stored(wb) == 0


def test_all_that_was_left_is_found_and_nothing_else():
    wb = g.open("memory:")
    for number in range(3):
        own = OwnSessions(100, number)
        wb.bridge.run(own.fill(wb.storage.inner, 4_321, lambda count: False))
    wb.create("mine", "t", graph_id="graphflow_nb benchmarks")
    assert wb.benchmark.clean_up(own.prefix) == 4_321
    assert set(wb.sessions(limit=None)["graph_id"]) == {GRAPH, "graphflow_nb benchmarks"}
    assert wb.benchmark.clean_up() == 2 * 4_321
    assert [*wb.sessions()["id"]] == ["mine"]
    assert len(wb.journal) == 1
    for wrong in (("mine",), ("",), (None, 5), (own.prefix, -1)):
        with pytest.raises(g.BenchmarkError, match="nothing was deleted"):
            wb.benchmark.clean_up(*wrong)


def test_a_store_that_fails_while_it_is_loaded_keeps_nothing_and_is_cleaned():
    storage = Faulty(g.StorageUnavailable("gone"), "save_many delete_many", after=1, times=2)
    wb = g.wrap(storage)
    with pytest.raises(g.StorageUnavailable, match="gone"):
        wb.benchmark("C", **QUICK | {"sessions": 1_200})
    assert count_stored(wb) == 0
    storage = Faulty(g.StorageError("gone"), "save_many delete_many", after=1)
    with pytest.raises(g.StorageError, match=r"gone; up to 1,000 sessions.*may be left") as caught:
        g.wrap(storage).benchmark("C", **QUICK | {"sessions": 1_200})
    assert caught.value.__cause__ is storage.error
    storage.times = 0
    wb = g.wrap(storage)
    eval(advised(str(caught.value)), {"wb": wb})
    assert count_stored(wb) == 0


def test_one_of_several_stores_that_fails_leaves_the_figures_of_all():
    good, bad = g.open("memory:"), Faulty(g.StorageUnavailable("gone"), "get", after=200)
    with pytest.warns(UserWarning, match="because bad failed"):
        run = g.compare({"good": good, "bad": g.wrap(bad)}, "C", **QUICK | {"warmup": 0.0})
    assert not run.complete
    assert 0 < len(run.turns) < 6
    assert len(run.requests())
    assert count_stored(good) == count_stored(g.wrap(bad)) == 0
    bad = Faulty(g.StorageError("gone"), "save_many")
    with pytest.raises(g.StorageError, match="gone"):
        g.compare({"good": good, "bad": g.wrap(bad)}, "C", **QUICK)
    assert count_stored(good) == 0


def test_a_store_that_was_closed_meanwhile_is_not_waited_for(tmp_path):
    url = f"sqlite:{tmp_path / 'sessions.db'}"
    wb = g.open(url, create=True)
    shown = At(turn_3_of=wb.close)
    with pytest.warns(UserWarning, match="closed"):
        run = Campaign([wb], "A", LONG, lambda stop: shown).run()
    assert 0 < len(run.turns) < 100
    assert not any("out of reach" in step for step in shown.steps)
    with g.open(url) as again:
        assert count_stored(again) == 700
        assert eval(advised(repr(run)), {"wb": again}) == 700
        assert count_stored(again) == 0


def test_a_store_that_never_comes_back_is_named_beside_one_that_did_not_fail(
    redis_server, monkeypatch
):
    monkeypatch.setattr("graphflow_nb.benchmark.cleaning.WAIT_SECONDS", 0.5)
    redis_server.empty()
    good = g.open("memory:")
    stores = {"good": good, "redis": redis_server.url}
    try:
        with pytest.warns(UserWarning, match="redis failed.*may be left in redis"):
            run = Campaign(
                stores, "A", LONG, lambda stop: At(turn_3_of=redis_server.kill), writable=True
            ).run()
    finally:
        redis_server.start()
    assert 0 < len(run.turns) < 200
    assert [store.label for store in run.stores] == ["good", "redis"]
    assert count_stored(good) == 0
    with g.open(redis_server.url, writable=True) as wb:
        assert count_stored(wb) == 700
        eval(advised(run.notes[-1]), {"wb": wb})
        assert count_stored(wb) == 0


def test_stop_ends_the_waiting(monkeypatch):
    monkeypatch.setattr("graphflow_nb.benchmark.cleaning.WAIT_SECONDS", 3_600.0)
    wb = g.wrap(Faulty(g.StorageUnavailable("down"), "delete_many"))

    def make(stop: Any) -> At:
        return At(out_of_reach=stop)

    with pytest.warns(UserWarning, match="may be left"):
        run = Campaign([wb], "C", QUICK, make).run()
    assert len(run.turns) == 3
    advised(repr(run))


def test_an_incomplete_run_is_kept_in_a_file(tmp_path):
    wb = g.wrap(Faulty(g.StorageUnavailable("gone"), "get", after=3_000))
    options = {"duration": 5.0, "repeats": 100, "warmup": 0, "sessions": 50}
    with pytest.warns(UserWarning, match="stopped"):
        run = wb.benchmark("C", **options, rate=2_000)
    run.save(tmp_path / "run.zip")
    again = g.Run.load(tmp_path / "run.zip")
    assert not again.complete
    assert again.notes == list(run.notes)
    assert len(again.turns) == len(run.turns) > 0
