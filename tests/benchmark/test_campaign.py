"""A benchmark loads only what it may load, takes turns, and leaves nothing behind."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Iterator

import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb import Query, Session, compare
from graphflow_nb.benchmark import WORKLOADS
from graphflow_nb.benchmark.campaign import Campaign
from graphflow_nb.benchmark.progress import Progress
from graphflow_nb.benchmark.sessions import GRAPH

from .kit import QUICK, count_stored


class Three:
    """The three methods that a storage must have."""

    def __init__(self):
        self.rows = {}

    async def save(self, session):
        self.rows[session.id] = session.to_json()

    async def get(self, id):
        text = self.rows.get(id)
        return None if text is None else Session.from_json(text)

    async def delete(self, id):
        self.rows.pop(id, None)


def test_a_store_of_others_is_left_alone_unless_told(database):
    with g.open(database, writable=True) as wb:
        wb.create("theirs", "t", context={"k": 1})
        before = wb.sessions().drop(columns=[])
        with pytest.raises(
            g.BenchmarkError, match=r"sessions that are not the benchmark's \(1\).*shared=True"
        ):
            wb.benchmark("A", **QUICK)
        run = wb.benchmark("A", **QUICK, shared=True)
        assert len(run.requests()) > 10
        pd.testing.assert_frame_equal(wb.sessions(), before)
        assert len(wb.latency.frame().query("op == 'upsert'")) == 0  # its own records, not ours


def test_nothing_is_written_to_what_was_opened_for_reading(database):
    with g.open(database, writable=True) as wb:
        for number in range(30):
            wb.create(f"s{number}", "t")
    with g.open(database) as wb:
        with pytest.raises(g.BenchmarkError, match=r"opened for reading only.*stored=True"):
            wb.benchmark("A", **QUICK, shared=True)
        with pytest.raises(g.BenchmarkError, match="workload A writes"):
            wb.benchmark("A", **QUICK, stored=True)
        run = wb.benchmark("C", **QUICK, stored=True)
        assert set(run.requests()["session_id"]) <= {f"s{n}" for n in range(30)}
        assert set(run.frame()["op"]) == {"get"}
        assert set(run.frame()["outcome"]) == {"ok"}
        assert len(wb.sessions()) == 30


def test_an_empty_store_has_nothing_stored(database):
    wb = g.open(database, writable=True)
    with wb, pytest.raises(g.BenchmarkError, match="holds no session"):
        wb.benchmark("C", **QUICK, stored=True)


def test_a_storage_of_three_methods_can_be_measured_and_says_what_it_lacks():
    wb = g.wrap(Three())
    with pytest.raises(g.BenchmarkError, match="can't report whether it holds sessions of others"):
        wb.benchmark("A", **QUICK)
    with pytest.raises(g.CapabilityError, match="query"):
        wb.benchmark("E", **QUICK, shared=True)
    run = wb.benchmark("flow", **QUICK, shared=True)
    assert len(run.requests()) > 10
    assert wb.storage.inner.rows == {}


def test_stores_take_turns_and_each_is_on_its_own_loop(database, tmp_path, run):
    async def here():
        return await g.PostgresSessionStorage.connect(database, table="other")

    mine = run(here())
    with g.open(database, writable=True) as pg:
        found = compare(
            [
                "memory:",
                f"sqlite:{tmp_path}/a.db?mode=rwc",
                pg,
                g.wrap(mine, loop=run.__self__.get_loop()),
                g.InMemorySessionStorage(),
            ],
            "F",
            **QUICK,
        )
    version = mine.server_version
    labels = [store.label for store in found.stores]
    assert labels == [
        "memory",
        "SQLite",
        f"PostgreSQL {version}",
        f"PostgreSQL {version} (2)",
        "memory (2)",
    ]
    # Each repeat has a turn of every store before the next one begins.
    order = [(turn.repeat, turn.store) for turn in found.turns]
    assert [repeat for repeat, _ in order] == [0] * 5 + [1] * 5 + [2] * 5
    for repeat in range(3):
        assert sorted(store for r, store in order if r == repeat) == sorted(labels)
    assert run(mine.count(Query())) == 0
    run(mine.close())
    summary = found.summary()
    assert list(summary.index) == labels
    assert (summary["p50_us_low"] <= summary["p50_us"]).all()
    assert (summary["p50_us"] <= summary["p50_us_high"]).all()
    # What graph-flow's documentation says of it: memory is quicker by far. The quickest requests
    # are compared, which a busy machine did not interrupt.
    quickest = found.requests().groupby("storage", observed=True)["service_ns"].min()
    assert quickest["memory"] * 5 < quickest[labels[2]]


class Interrupting(Progress):
    """Somebody presses ■ in the second turn."""

    def show_step(self, text):
        if "turn 2 of" in text:
            threading.Timer(0.2, _thread.interrupt_main).start()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """As in a kernel; a program that was started in the background ignores interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_keeps_what_was_measured_and_cleans_up(database, interruptible):
    options = {"duration": 60.0, "repeats": 100, "warmup": 0.1, "sessions": 100}
    with g.open(database, writable=True) as wb:
        began = time.monotonic()
        run = Campaign([wb], "A", options, lambda stop: Interrupting()).run()
        assert time.monotonic() - began < 20
        assert run.notes == ("stopped before its end",)
        assert 0 < len(run.turns) < 100
        assert len(run.requests()) > 10
        assert count_stored(wb) == 0
        assert "stopped before its end" in repr(run)


def test_a_run_stopped_at_once_has_no_data_and_says_so():
    def stopped(stop):
        stop()
        return Progress()

    wb = g.open("memory:")
    run = Campaign([wb], "A", QUICK, stopped).run()
    assert run.turns == ()
    assert len(run.summary()) == 0
    assert "stopped" in repr(run)
    assert "stopped" in run._repr_html_()
    assert "stopped" in run.to_html()
    for ask in (run.frame, run.requests, run.plot):
        with pytest.raises(g.BenchmarkError, match="before its first turn"):
            ask()
    assert count_stored(wb) == 0


class Showing(Progress):
    """Keeps what would be shown."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.shares: list[float] = []
        self.ended = False

    def show_step(self, text):
        self.steps.append(text)

    def show_share(self, share):
        self.shares.append(share)

    def __exit__(self, *_):
        self.ended = True


def test_progress_is_shown_from_the_first_session_to_the_last_turn():
    shown = Showing()
    Campaign({"one": "memory:"}, "A", QUICK, lambda stop: shown).run()
    turns = [f"one: turn {n} of 3" for n in (1, 2, 3)]
    assert shown.steps == [
        "one: 50 of 50 sessions created", "one: warm-up", *turns,
        "deleting the benchmark's sessions",
    ]  # fmt: skip
    assert shown.shares == [0.25, 0.5, 0.75, 1.0]
    assert shown.ended


def test_sessions_that_could_not_be_deleted_are_named():
    class Sticky(g.InMemorySessionStorage):
        async def delete_many(self, ids, versions=None):
            raise g.StorageError("no")

    wb = g.wrap(Sticky())
    with pytest.warns(UserWarning, match=r"may be left in Sticky.*wb\.benchmark\.clean_up\("):
        wb.benchmark("C", **QUICK)
    assert count_stored(wb) == 50
    assert set(wb.sessions()["graph_id"]) == {GRAPH}


class Touched(g.InMemorySessionStorage):
    """Notes the id of every session that is read or written."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()

    async def save(self, session):
        self.ids.add(session.id)
        await super().save(session)

    async def upsert(self, session):
        self.ids.add(session.id)
        await super().upsert(session)

    async def get(self, id):
        self.ids.add(id)
        return await super().get(id)

    async def query(self, query):
        found = await super().query(query)
        self.ids |= {session.id for session in found}
        return found

    async def delete_many(self, ids, versions=None):
        ids = list(ids)
        self.ids |= set(ids)
        return await super().delete_many(ids, versions)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_only_its_own_sessions_are_read_changed_and_deleted(workload, run):
    storage = Touched()
    # In the order of ids they are before, between and behind those of the benchmark.
    others = [Session(f"{n:02x}theirs", "t", graph_id=GRAPH) for n in range(0, 256, 3)]
    run(storage.save_many(others))
    kept = {session.id: session.to_json() for session in run(storage.query(Query(limit=500)))}
    wb = g.wrap(storage)
    storage.ids.clear()
    wb.benchmark(workload, **QUICK | {"duration": 0.1}, shared=True)
    assert len(storage.ids) >= 50
    assert not storage.ids & set(kept)
    wb.benchmark.clean_up()
    assert {s.id: s.to_json() for s in run(storage.query(Query(limit=500)))} == kept


@pytest.mark.parametrize("url", ["demo", "memory:", "sqlite:s.db?mode=rwc"])
def test_other_sessions_are_a_reason_to_ask_in_every_store(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with g.open(url) as wb:
        wb.create("theirs", "t")
        before = wb.sessions()
        with pytest.raises(g.BenchmarkError, match="sessions that are not the benchmark's"):
            wb.benchmark("A", **QUICK)
        wb.benchmark("A", **QUICK | {"duration": 0.1}, shared=True)
        pd.testing.assert_frame_equal(wb.sessions(), before)


@pytest.mark.parametrize("options", [{}, {"stored": True}, {"writable": True, "stored": True}])
def test_a_comparison_creates_no_file_by_a_slip(options, tmp_path):
    with pytest.raises(g.StorageError, match=r"there is no file .*new\.db: nothing was created"):
        g.compare([f"sqlite:{tmp_path / 'new.db'}"], "C", **QUICK, **options)
    assert not list(tmp_path.iterdir())


def test_a_comparison_creates_a_file_if_asked_for(tmp_path):
    run = g.compare([f"sqlite:{tmp_path / 'new.db'}"], "C", **QUICK, writable=True)
    assert len(run.requests()) > 0
    with g.open(f"sqlite:{tmp_path / 'new.db'}") as wb:
        assert len(wb.sessions()) == 0
    again = g.compare([f"sqlite:{tmp_path / 'new.db'}"], "C", **QUICK)
    assert len(again.requests()) > 0
