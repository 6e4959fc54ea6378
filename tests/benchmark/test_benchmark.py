"""Benchmarks measure what they say, on sessions of their own, and leave nothing behind."""

from __future__ import annotations

import _thread
import asyncio
import random
import re
import signal
import threading
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb import Query, Run, Session, Workload, compare
from graphflow_nb.benchmark import WORKLOADS, OwnSessions
from graphflow_nb.benchmark.progress import Progress
from graphflow_nb.benchmark.sessions import GRAPH
from graphflow_nb.benchmark.stats import estimate
from graphflow_nb.benchmark.workload import chooser

from ..conftest import TABLES
from ..hostile import TEXTS

QUICK = {"duration": 0.3, "warmup": 0.05, "repeats": 3, "sessions": 50, "context_bytes": 300}


NAME = " ".join(TEXTS.values())[:200]


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


def stored(wb: g.Workbench) -> int:
    return wb.bridge.run(wb.storage.inner.count(Query()))


@pytest.mark.parametrize("store", ["memory", "sqlite", *TABLES, "redis"], indirect=True)
@pytest.mark.parametrize("name", WORKLOADS)
def test_each_workload_on_each_store(storage, run, name):
    workload = WORKLOADS[name]
    bench = g.wrap(storage, loop=run.__self__.get_loop()).benchmark
    found = bench(name, **QUICK)
    assert run(storage.count(Query())) == 0
    assert len(found.turns) == 3
    requests = found.requests()
    assert set(requests["request"]) <= set(workload.shares)
    assert requests["outcome"].isin(["ok"]).all()
    ops = set(found.frame()["op"])
    made = {
        "read": {"get"},
        "update": {"upsert"},
        "insert": {"save"},
        "scan": {"query"},
        "modify": {"get", "save"},
        "flow": {"get", "save"},
    }
    assert ops <= set().union(*(made[request] for request in workload.shares))
    row = found.summary().iloc[0]
    assert row["requests"] == len(requests) > 10
    assert row["failed"] == 0
    assert row["p50_us"] > 0
    assert found.frame()["storage"].unique().tolist() == [found.stores[0].label]


def test_shares_and_keys_are_what_they_should_be():
    chance = random.Random(3)
    drawn = [WORKLOADS["B"].request(chance) for _ in range(20_000)]
    assert drawn.count("update") / 20_000 == pytest.approx(0.05, abs=0.005)
    # The k-th most popular of n sessions is asked for in proportion to k^-0.99.
    choose, n = chooser("zipfian", random.Random(5)), 1_000
    counts = np.sort(np.bincount([choose(n) for _ in range(200_000)], minlength=n))[::-1]
    weights = np.arange(1, n + 1) ** -0.99
    expected = weights / weights.sum() * 200_000
    # Hashing lets some sessions share a place, which only adds to the most popular.
    assert counts[0] == pytest.approx(expected[0], rel=0.15)
    assert counts[:10].sum() == pytest.approx(expected[:10].sum(), rel=0.15)
    uniform = chooser("uniform", random.Random(5))
    flat = np.bincount([uniform(100) for _ in range(100_000)], minlength=100)
    assert flat.min() > 800
    assert flat.max() < 1_200
    latest = chooser("latest", random.Random(5))
    places = [latest(count) for count in range(1_000, 3_000)]
    assert np.mean([count - place <= 10 for count, place in enumerate(places, 1_000)]) > 0.3
    assert all(0 <= place < count for count, place in enumerate(places, 1_000))
    for count in (1, 2, 3):
        assert {chooser("zipfian", chance)(count) for _ in range(200)} <= set(range(count))
        assert {latest(count) for _ in range(200)} == set(range(count))


@pytest.mark.parametrize("size", [100, 1_000, 123_456, 1_000_000])
def test_contexts_are_as_large_as_was_said(size):
    own = OwnSessions(size, seed=1)
    for _ in range(3):
        session = own.another()
        assert len(session.context_json()) == pytest.approx(size, abs=10)
        assert session.graph_id == GRAPH


def test_flow_does_not_let_contexts_grow():
    storage = g.InMemorySessionStorage()
    found = g.wrap(storage).benchmark("flow", **QUICK | {"sessions": 1, "duration": 0.6})
    sizes = found.frame().query("op == 'save'")["bytes"]
    assert len(found.requests()) > 100
    assert sizes.max() == 0  # memory tells none
    own = OwnSessions(300, seed=1)
    session = own.another()
    for _ in range(20):
        session.context.add_assistant_message("Please send us photos of the damage.")
    assert len(session.context.chat_history) == 5


def test_the_same_seed_asks_for_the_same():
    def asked(seed: int) -> list[str]:
        run = g.open("memory:").benchmark("B", **QUICK | {"seed": seed})
        first = run.requests().query("repeat == 0")
        return [
            f"{r} {id[-4:]}"
            for r, id in zip(*(first[c][:200] for c in ("request", "session_id")), strict=True)
        ]

    assert asked(1) == asked(1) != asked(2)


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


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"workload": "Z"}, "no workload 'Z'; known are A, B"),
        ({"workload": 3}, "not 3"),
        ({"duration": 0}, "duration is seconds"),
        ({"duration": "long"}, "duration is seconds"),
        ({"duration": float("nan")}, "duration is seconds"),
        ({"concurrency": 0}, "concurrency is requests"),
        ({"concurrency": True}, "concurrency is requests"),
        ({"rate": -1}, "rate is requests a second"),
        ({"sessions": 0}, "sessions to work on"),
        ({"context_bytes": 10}, "100 to 1,000,000"),
        ({"repeats": 1.5}, "repeats is turns"),
        ({"warmup": -1}, "warmup is seconds"),
        ({"durations": 3}, "no option durations; known are duration"),
    ],
)
def test_what_means_nothing_is_said_before_anything_is_done(given, said):
    wb = g.open("memory:")
    with pytest.raises(g.BenchmarkError, match=re.escape(said)):
        wb.benchmark(**given)
    assert stored(wb) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"shares": {"read": 0.5}}, "add up to 1"),
        ({"shares": {"read": 2.0, "update": -1.0}}, "add up to 1"),
        ({"shares": {"browse": 1.0}}, "no request 'browse'"),
        ({"shares": {"read": 1.0}, "keys": "hot"}, "no keys 'hot'"),
    ],
)
def test_workloads_that_mean_nothing(given, said):
    with pytest.raises(g.BenchmarkError, match=said):
        Workload(name="mine", **given)


def test_a_storage_of_three_methods_can_be_measured_and_says_what_it_lacks():
    wb = g.wrap(Three())
    with pytest.raises(g.BenchmarkError, match="can't tell whether it holds sessions of others"):
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
                f"sqlite:{tmp_path}/a.db",
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
    # What graph-flow's documentation says of it: memory is quicker by far.
    assert summary.loc["memory", "p50_us"] * 5 < summary.loc[labels[2], "p50_us"]


@pytest.mark.parametrize("stores", [[], {}, "memory:", [3], {"a": None}])
def test_what_can_not_be_compared(stores):
    with pytest.raises(g.BenchmarkError):
        compare(stores, **QUICK)


def test_it_can_be_awaited(run):
    wb = g.open("memory:")

    async def awaited() -> Run:
        return await wb.benchmark.aio("A", **QUICK)

    assert len(run(awaited()).requests()) > 10


class Interrupting(Progress):
    """Someone presses ■ in the second turn."""

    def say(self, text):
        if "turn 2 of" in text:
            threading.Timer(0.2, _thread.interrupt_main).start()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """As in a kernel; a program that was started in the background ignores interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_keeps_what_was_measured_and_cleans_up(database, monkeypatch, interruptible):
    monkeypatch.setattr(Progress, "shown", lambda stop: Interrupting())
    with g.open(database, writable=True) as wb:
        began = time.monotonic()
        run = wb.benchmark("A", duration=60.0, repeats=100, warmup=0.1, sessions=100)
        assert time.monotonic() - began < 20
        assert run.notes == ("stopped before its end",)
        assert 0 < len(run.turns) < 100
        assert len(run.requests()) > 10
        assert stored(wb) == 0
        assert "stopped before its end" in repr(run)


def test_a_run_stopped_at_once_has_no_data_and_says_so(monkeypatch):
    def stopped(stop):
        stop()
        return Progress()

    monkeypatch.setattr(Progress, "shown", stopped)
    wb = g.open("memory:")
    run = wb.benchmark("A", **QUICK)
    assert run.turns == ()
    assert len(run.summary()) == 0
    assert "stopped" in repr(run)
    assert "stopped" in run._repr_html_()
    assert "stopped" in run.to_html()
    for ask in (run.frame, run.requests, run.plot):
        with pytest.raises(g.BenchmarkError, match="before its first turn"):
            ask()
    assert stored(wb) == 0


class Failing(g.InMemorySessionStorage):
    """Breaks after some gets."""

    suspends = True

    def __init__(self, good: int, for_ever: bool):
        super().__init__()
        self._left, self._for_ever = good, for_ever

    async def get(self, id):
        await asyncio.sleep(0)
        self._left -= 1
        if self._left < 0 and (self._for_ever or self._left % 5 == 0):
            raise g.StorageUnavailable("gone")
        return await super().get(id)


def test_failures_are_counted_as_failures():
    wb = g.wrap(Failing(100, for_ever=False))
    run = wb.benchmark("C", **QUICK)
    failed = run.requests().query("outcome == 'error'")
    assert set(failed["error"]) == {"StorageUnavailable"}
    assert run.summary().iloc[0]["failed"] == len(failed) > 0
    assert stored(wb) == 0


def test_a_store_that_fails_for_good_ends_the_run_and_is_cleaned_up():
    wb = g.wrap(Failing(100, for_ever=True))
    with pytest.raises(g.StorageUnavailable, match="gone"):
        wb.benchmark("C", **QUICK)
    assert stored(wb) == 0


def test_sessions_that_could_not_be_deleted_are_named():
    class Sticky(g.InMemorySessionStorage):
        async def delete_many(self, ids, versions=None):
            raise g.StorageError("no")

    wb = g.wrap(Sticky())
    with pytest.raises(g.StorageError, match=r"may be left in Sticky.*wb\.delete\(wb\.sessions"):
        wb.benchmark("C", **QUICK)
    assert stored(wb) == 50
    assert set(wb.sessions()["graph_id"]) == {GRAPH}


def test_workers_that_meet_conflicts_go_on(database):
    with g.open(database, writable=True) as wb:
        run = wb.benchmark("flow", **QUICK | {"sessions": 2}, concurrency=4)
    frame = run.frame()
    assert (frame["outcome"] == "conflict").any()
    done = run.requests().query("outcome == 'ok'")
    assert len(done) == ((frame["op"] == "save") & (frame["outcome"] == "ok")).sum()


def test_intervals_are_those_of_student():
    # Five values whose logarithms are 1 to 5: mean 3, standard error 0.7071, t(4) = 2.776.
    found = estimate(np.exp([1.0, 2, 3, 4, 5]).tolist())
    assert found == pytest.approx(np.exp([3, 3 - 1.9631, 3 + 1.9631]), rel=1e-3)
    assert estimate([7.0])[0] == pytest.approx(7)
    assert np.isnan(estimate([7.0])[1:]).all()
    assert np.isnan(estimate([])).all()
    assert estimate([float("nan"), 4.0, 4.0]) == pytest.approx((4, 4, 4))
    rng, hits = np.random.default_rng(1), 0
    for _ in range(2_000):
        low, high = estimate(rng.lognormal(3, 0.5, 5).tolist())[1:]
        hits += low <= np.exp(3) <= high
    assert hits / 2_000 == pytest.approx(0.95, abs=0.015)


@pytest.fixture(scope="module")
def measured() -> Run:
    stores = {"one": "memory:", NAME: g.InMemorySessionStorage()}
    return compare(stores, "A", rate=400, **QUICK | {"duration": 1.0})


def test_a_run_is_kept_and_read_again(measured, tmp_path: Path):
    measured.save(tmp_path / "run")
    again = Run.load(tmp_path / "run")
    pd.testing.assert_frame_equal(again.frame(), measured.frame())
    pd.testing.assert_frame_equal(again.requests(), measured.requests())
    pd.testing.assert_frame_equal(again.summary(), measured.summary())
    assert again.settings == measured.settings
    assert again.machine == measured.machine
    assert list(again.stores) == list(measured.stores)
    assert again.began == measured.began
    assert repr(again) == repr(measured)


def test_files_that_are_no_runs(tmp_path: Path, measured):
    path = tmp_path / "run"
    with pytest.raises(g.BenchmarkError, match="can't be read"):
        Run.load(path)
    path.write_bytes(b"PK no")
    with pytest.raises(g.BenchmarkError, match="can't be read"):
        Run.load(path)
    measured.save(path)
    path.write_bytes(path.read_bytes().replace(b'"form": 1', b'"form": 9', 1))
    with pytest.raises(g.BenchmarkError, match="can't be read"):
        Run.load(path)


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_report_is_one_page_that_needs_nothing_else(measured):
    html = measured.to_html()
    page = _Page()
    page.feed(html)
    names = [tag for tag, _ in page.tags]
    assert not {"script", "link", "iframe", "object"} & set(names)
    for tag, attributes in page.tags:
        for name in ("src", "srcset", "href"):
            value = attributes.get(name)
            assert value is None or value.startswith("data:image/png;base64,"), (tag, name)
    assert names.count("img") == 1
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    assert "url(" not in html
    assert "Python" in html
    assert len(html) < 3_000_000
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_the_figures_of_a_run(measured, database):
    figure = measured.plot()
    assert figure._repr_png_()[:4] == b"\x89PNG"
    assert "n = " in figure.said
    one = g.open("memory:").benchmark("flow", rate=300, **QUICK)
    assert "corrected" in one.plot(theme="dark").said
    difference = one.compare(one)
    assert "flow" in difference.said
    with pytest.raises(g.BenchmarkError, match="no store and request in common"):
        one.compare(measured)
    points = pd.concat([one.points(), measured.points()])
    from graphflow_nb.figures import plot_throughput

    assert "3 runs" in plot_throughput(points).said
    with g.open(database, writable=True) as wb:
        phases = wb.benchmark("A", **QUICK).plot()
    assert "execute" in phases.said


def test_sessions_deleted_by_someone_else_fail_and_stay_deleted():
    storage = g.InMemorySessionStorage()
    wb = g.wrap(storage)

    def vandal() -> None:
        for _ in range(10):
            time.sleep(0.05)
            for id in list(storage._rows)[::40]:
                del storage._rows[id]

    thread = threading.Thread(target=vandal)
    thread.start()
    run = wb.benchmark("flow", **QUICK | {"duration": 0.6, "warmup": 0, "sessions": 500})
    thread.join()
    failed = run.requests().query("outcome != 'ok'")
    assert set(failed["error"]) <= {"SessionNotFound", "SessionConflict"}
    assert len(failed)


def test_own_sessions_are_told_from_those_of_others(run):
    storage = g.InMemorySessionStorage()
    run(storage.save(Session("00000000-0000-4000-8000-000000000000", "t")))
    own = OwnSessions(200, seed=1)
    run(own.fill(storage, 1_200, lambda count: False))
    assert run(storage.count(Query())) == 1_201
    run(own.remove(storage))
    assert run(storage.count(Query())) == 1
